"""Whatever entries a format gives to one column: what is missing, and text as Python has it.

Text loses the blanks around it and nothing else. Missing is a null or mask of the format, a NaN, or one of
the words of ``MISSING``: the same words in every format.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skylobe.core.columns import Column

MISSING = frozenset(("", "nan", "-nan", "null", "n/a", "#n/a", "na", "<na>", "--"))  # in any case


def column_of(
    name: str,
    values: Any,  # noqa: ANN401  (arrays and lists of any kind)
    missing: Any = False,  # noqa: ANN401
    **facts: Any,  # noqa: ANN401
) -> Column:
    """Make a column of whatever entries a format gives.

    Args:
        name: Of the column.
        values: One entry per row: text, bytes, numbers, truths, times, lists, ``None``.
        missing: The format's own mask.
        **facts: The other fields of ``Column``.
    """
    held = np.asarray(values)
    lost = np.array(np.broadcast_to(_per_row(np.asarray(missing)), held.shape[:1]))
    if held.dtype.kind in "Mm":
        lost |= np.isnat(held)
        held = held.astype(np.str_)
    if held.ndim == 1 and held.dtype.kind in "SUO":
        held, gone = _as_objects(held)
        lost |= gone
    elif held.dtype.kind == "f" and held.ndim == 1:
        lost |= np.isnan(held)
    if held.dtype.kind not in "SUO":
        held = held.astype(held.dtype.newbyteorder("="))
    return Column(name, held, lost, **facts)


def _per_row(missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Count a list of values as missing where all of them are."""
    if missing.ndim > 1:
        return np.asarray(missing.all(axis=tuple(range(1, missing.ndim))))
    return missing


def _as_objects(held: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Give text as Python's, without blanks around it, and what of it is missing."""
    entries = np.empty(len(held), dtype=object)
    lost = np.zeros(len(held), dtype=bool)
    for row, one in enumerate(held):
        if isinstance(one, list | tuple | np.ndarray | dict):
            entries[row] = one if isinstance(one, dict) else list(one)
            continue
        if one is None or one is np.ma.masked or (isinstance(one, float) and np.isnan(one)):
            entries[row], lost[row] = "", True
            continue
        text = one.decode("utf-8", "backslashreplace") if isinstance(one, bytes) else str(one)
        entries[row] = text.strip().strip("\0").strip()
        lost[row] = entries[row].lower() in MISSING
    return entries, lost

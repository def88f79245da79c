"""What a person types of an id (its beginning, any case, a slip in it) to the ids that may be meant."""

from difflib import SequenceMatcher

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from skylobe.core.errors import DataError

AROUND = 60  # ids on either side of where a slip would be sorted
ALIKE = 0.75  # least share of letters in common
OFFERED = 3


class UnknownSourceError(DataError):
    """A text that names no source of an index.

    Args:
        message: That says so.
        instead: Ids that may be meant.
    """

    def __init__(self, message: str, instead: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.instead = instead


class Names:
    """The ids of an index, ready to be looked up by a part.

    Args:
        ids: One a row.
    """

    def __init__(self, ids: NDArray[np.str_]) -> None:
        self._ids = ids
        small = np.char.lower(ids) if len(ids) else ids
        self._order = np.argsort(small, kind="stable")
        self._sorted = small[self._order]
        # the same from the end: one slip leaves either the beginning or the end as it is
        turned = np.array([one[::-1] for one in small.tolist()], dtype=small.dtype)
        self._turned_order = np.argsort(turned, kind="stable")
        self._turned = turned[self._turned_order]

    def beginning(self, text: str) -> Int[np.ndarray, " row"]:
        """Give the rows whose ids begin so, whatever the case; one that is all of it stands alone."""
        wanted = text.lower()
        low, whole = (np.searchsorted(self._sorted, wanted, side) for side in ("left", "right"))
        if whole - low == 1:
            return np.asarray(self._order[low:whole])
        high = np.searchsorted(self._sorted, wanted + chr(0x10FFFF), "right")
        return np.asarray(self._order[low:high])

    def alike(self, text: str) -> tuple[str, ...]:
        """Give the ids that differ from a text by a slip, the most alike first."""
        wanted = text.lower()
        near = [
            order[max(0, at - AROUND) : at + AROUND]
            for ids, order, one in (
                (self._sorted, self._order, wanted),
                (self._turned, self._turned_order, wanted[::-1]),
            )
            for at in [int(np.searchsorted(ids, one))]
        ]
        found = []
        for row in np.unique(np.concatenate(near)).tolist():
            share = SequenceMatcher(None, wanted, str(self._ids[row]).lower()).ratio()
            if share >= ALIKE:
                found.append((-share, str(self._ids[row])))
        return tuple(name for _, name in sorted(found)[:OFFERED])

    def unknown(self, text: str, why: str, begun: Int[np.ndarray, " row"]) -> UnknownSourceError:
        """Make the error of a text that names no source, with those that may be meant.

        Args:
            text: What was typed.
            why: Why it is no position either.
            begun: Rows whose ids begin so.
        """
        if len(begun):
            some = tuple(self._ids[begun[:OFFERED]].tolist())
            return UnknownSourceError(
                f"{text}: {len(begun):,} ids of the index begin so, such as {', '.join(some)}; type more "
                "of it.",
                some,
            )
        meant = self.alike(text)
        ask = f"did you mean {' or '.join(meant)}? Its" if meant else "its"
        return UnknownSourceError(
            f"{text}: neither a source of the index nor an image file nor a position{why}; {ask} ids look "
            f"like {', '.join(self._ids[:3])}, and positions like 206.42 +23.38.",
            meant,
        )

"""Labelled and unlabelled image sets by name: one file each, one signature, no base class."""

import importlib
from pathlib import Path
from typing import Any

from skylobe.core.errors import ConfigError
from skylobe.core.paths import is_file, is_folder
from skylobe.core.settings import from_dict
from skylobe.images.image_set import ImageSet
from skylobe.images.scaling import ScalingConfig

NAMES = ("mirabest", "first_galaxies", "frdeep", "mightee", "rgz", "rgz_rendered")


def load(
    name: Any,  # noqa: ANN401  (a name, a path, or a table of a library)
    *,
    split: str | None = None,
    root: str | Path | None = None,
    **options: Any,  # noqa: ANN401  (each set has options of its own)
) -> ImageSet:
    """Load an image set.

    Args:
        name: One of ``NAMES``; or the path of a table of images, of a folder of them, or of a corpus; or
            a table of astropy, pandas or pyarrow.
        split: ``train``, ``validation``, ``test``, or ``None`` for all.
        root: Folder to look in before the mirror, the cache and the network.
        **options: Of the set, such as ``subset="confident"`` for ``mirabest``.

    Raises:
        ConfigError: If there is no such set, split or option.
        DataError: If the data cannot be used.
        UnavailableError: If they are neither here nor to be had.
    """
    where = None if root is None else Path(root)
    if options.get("scaling") is not None:
        options["scaling"] = _scaling(options["scaling"])
    try:
        if not isinstance(name, str | Path):
            from skylobe.images.datasets import table

            return table.load(name, split, **options)
        if str(name) in NAMES:
            module = importlib.import_module(f"skylobe.images.datasets.{name}")
            loaded: ImageSet = module.load(split, where, **options)
            return loaded
        return _load_own(Path(name), split, where, options)
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise
        option = str(error).rsplit("'", 2)[-2]
        raise ConfigError(f"{name} has no option {option!r}; see help(skylobe.datasets).") from None


def _scaling(given: ScalingConfig | dict[str, Any] | str) -> ScalingConfig:
    """Read a scaling as it is typed: the name of a method, or settings by name."""
    if isinstance(given, ScalingConfig):
        return given
    return from_dict(ScalingConfig, {"method": given} if isinstance(given, str) else given)


def _load_own(
    path: Path, split: str | None, root: Path | None, options: dict[str, Any]
) -> ImageSet:
    from skylobe.images.datasets import corpora, table

    is_here = is_file(path) or is_folder(path)
    path = path if root is None or is_here else root / path
    if corpora.is_corpus(path):
        return corpora.load(path, split, **options)
    if is_folder(path):
        if split is not None:
            raise ConfigError(f"{path}: a folder has no splits; list the files in a table.")
        return table.load_folder(path, **options)
    if is_file(path):
        return table.load(path, split, **options)
    raise ConfigError(
        f"There is no set, table or folder {str(path)[:200]!r}; choose {', '.join(NAMES)}, or give a path."
    )

"""Labelled and unlabelled image sets by name: one file each, one signature, no base class."""

import importlib
import inspect
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from skylobe.core.errors import ConfigError
from skylobe.core.paths import located
from skylobe.core.ranges import ABOVE_0, insist
from skylobe.core.results import Results
from skylobe.core.settings import coerce, in_unit
from skylobe.images.image_set import ImageSet

NAMES = ("mirabest", "first_galaxies", "frdeep", "mightee", "rgz", "rgz_rendered")


def load(
    what: Any,  # noqa: ANN401  (a name, a path, a table, an array, cut-outs, a set)
    *,
    split: str | None = None,
    root: str | Path | None = None,
    skip_broken: bool = False,
    **options: Any,  # noqa: ANN401  (each set has options of its own)
) -> ImageSet:
    """Load images: a data set by its name, or your own in whatever form they are.

    Args:
        what: One of ``datasets.NAMES``; the path of a table of image files, of a folder of them, or of a
            corpus; a list of image files; a table of files of astropy, pandas or pyarrow; an array of
            physical pixels ``(source, height, width)``; what ``skylobe.cutout`` gave, or a list of that;
            or an ``ImageSet``, which is given back.
        split: ``train``, ``validation``, ``test``, or ``None`` for all.
        root: Folder to look in before the mirror, the cache and the network.
        skip_broken: Leave out files that cannot be used, and note why in the set's ``failures``; without
            it the first of them is an error.
        **options: Of what is loaded, such as ``subset="confident"`` of ``mirabest``, ``pixel_scale``
            (arcsec, or a ``Quantity``) of files and arrays, or ``labels`` of an array.

    Returns:
        Images ``(source, 1, height, width)`` between 0 and 1. Physical pixels, of FITS and NPY files and
        of arrays, are normalised; PNG and JPEG files only get a min–max.

    Raises:
        ConfigError: If there is no such set, split or option, or an option is of another kind.
        DataError: If the data cannot be used.
        UnavailableError: If they are neither here nor to be had.

    >>> row, column = np.mgrid[-40:40, -40:40]
    >>> sky = np.stack([np.exp(-((column - x) ** 2 + row**2) / 30) for x in (0, 5)])
    >>> images = load(sky, pixel_scale=1.8, labels=["core", "jet"])
    >>> len(images), images.class_names, images.pixel_scale
    (2, ('core', 'jet'), 1.8)
    """
    where = None if root is None else Path(root)
    if "pixel_scale" in options:
        options["pixel_scale"] = in_unit(options["pixel_scale"], "arcsec", "pixel_scale")
        insist(options["pixel_scale"], "pixel_scale", ABOVE_0)
    if isinstance(what, ImageSet):
        return _part_of(what, split, options)
    if isinstance(what, str | Path):
        if str(what) in NAMES:
            reader = importlib.import_module(f"skylobe.images.datasets.{what}").load
            return _read(reader, str(what), (split, where), options)
        return _load_own(Path(what), split, where, options, skip_broken=skip_broken)
    from skylobe.images.datasets import listing, table

    reader = table.load_sound if skip_broken else table.load
    if isinstance(what, list | tuple) and what and all(isinstance(f, str | Path) for f in what):
        what = {"id": [listing.stem(Path(one)) for one in what], "file": [str(one) for one in what]}
        return _read(reader, "A list of files", (Table(what), split), options)
    if is_pixels(what):
        return _load_pixels(what, split, options)
    if isinstance(what, np.ndarray):
        what = Table(what)  # a structured array
    elif isinstance(what, Results):
        what = what.to_table()
    return _read(reader, "The table", (what, split), options)


def options_of(reader: Callable[..., ImageSet]) -> dict[str, Any]:
    """List the options that a reader takes besides split and place, with their types."""
    hints = typing.get_type_hints(reader)
    own = inspect.signature(reader).parameters.values()
    return {one.name: hints[one.name] for one in own if one.kind is one.KEYWORD_ONLY}


def _read(
    reader: Callable[..., ImageSet], name: str, given: tuple[Any, ...], options: dict[str, Any]
) -> ImageSet:
    """Call a reader with options that it knows, each of the kind it takes."""
    known = options_of(reader)
    if isinstance(options.get("scaling"), str):
        options = options | {"scaling": {"method": options["scaling"]}}
    for option in options:
        if option not in known:
            choice = f"it has {', '.join(known)}" if known else "it has none"
            raise ConfigError(f"{name} has no option {option!r}; {choice}.")
    return reader(*given, **{key: coerce(known[key], one, key) for key, one in options.items()})


def _load_own(
    path: Path,
    split: str | None,
    root: Path | None,
    options: dict[str, Any],
    *,
    skip_broken: bool,
) -> ImageSet:
    from skylobe.images.datasets import corpora, folder, table

    path, kind = located(path, root)
    if kind == "folder" and corpora.is_corpus(path):
        return _read(corpora.load, str(path), (path, split), options)
    if kind == "folder":
        if split is not None:
            raise ConfigError(f"{path}: a folder has no splits; list the files in a table.")
        own = folder.load_sound_folder if skip_broken else folder.load_folder
        return _read(own, str(path), (path,), options)
    if kind == "file":
        listed = table.load_sound if skip_broken else table.load
        return _read(listed, str(path), (path, split), options)
    raise ConfigError(
        f"There is no set, table or folder {str(path)[:200]!r}; choose {', '.join(NAMES)}, or give a path."
    )


def is_pixels(what: Any) -> bool:  # noqa: ANN401
    """Tell arrays and cut-outs from names and tables: a structured array is a table."""
    if isinstance(what, list | tuple):
        return True
    if isinstance(what, np.ndarray):
        return what.dtype.names is None
    return type(what).__name__ in ("Tensor", "Cutout")


def _load_pixels(what: Any, split: str | None, options: dict[str, Any]) -> ImageSet:  # noqa: ANN401
    from skylobe.images import arrays
    from skylobe.sky.cutout import Cutout

    if split is not None:
        raise ConfigError("An array has no splits; select its rows, or list files in a table.")
    several = what if isinstance(what, list | tuple) else [what]
    if len(several) and all(isinstance(one, Cutout) for one in several):
        return _read(arrays.load_cutouts, "A cut-out", (several,), options)
    return _read(arrays.load, "An array", (what,), options)


def _part_of(image_set: ImageSet, split: str | None, options: dict[str, Any]) -> ImageSet:
    """Give a split of a set that is loaded already."""
    if options:
        raise ConfigError(
            f"{image_set.name} is loaded already; give {', '.join(options)} to skylobe.load."
        )
    if split is None:
        return image_set
    if image_set.splits is None or not (image_set.splits == split).any():
        raise ConfigError(f"{image_set.name} has no {split!r} split; leave split unset.")
    return image_set.select(image_set.splits == split)

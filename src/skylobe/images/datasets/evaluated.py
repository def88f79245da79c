"""Where the sources are that models are evaluated on, for corpora to leave out."""

import importlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord

from skylobe.core.errors import ConfigError
from skylobe.images.datasets import frdeep
from skylobe.sky.corpus.exclusion import Exclusion
from skylobe.sky.settings import EVALUATED

SETS = EVALUATED


def exclusion(names: Sequence[str] = SETS, root: Path | None = None) -> Exclusion:
    """List the positions of labelled sets.

    Args:
        names: Some of ``SETS``.
        root: Folder searched first.

    Raises:
        ConfigError: If a name is unknown, or none is given: an exclusion of nothing is said with
            ``Exclusion.of_nothing``.
    """
    unknown = [name for name in names if name not in SETS]
    if unknown or not names:
        raise ConfigError(
            f"There is no evaluated set {(unknown or ['(none)'])[0]!r}; choose of {', '.join(SETS)}."
        )
    found = [_positions(name, root) for name in names]
    ra, dec = (np.concatenate([getattr(one, part).deg for one in found]) for part in ("ra", "dec"))
    return Exclusion(tuple(names), SkyCoord(ra, dec, unit="deg"))


def _positions(name: str, root: Path | None) -> SkyCoord:
    if name == "frdeep":
        return frdeep.positions(root)
    positions: SkyCoord = (
        importlib.import_module(f"skylobe.images.datasets.{name}").load(None, root).positions
    )
    return positions

"""Steps from a list of sources to those that a corpus shows, each with its counts."""

from dataclasses import dataclass, replace

import numpy as np
from astropy import units as u
from numpy.typing import NDArray

from skylobe.core.errors import ConfigError
from skylobe.sky.corpus.exclusion import Exclusion
from skylobe.sky.matching import near_duplicates
from skylobe.sky.sources import SourceList


@dataclass(frozen=True)
class Step:
    """One step of a selection.

    Args:
        name: What it takes out.
        removed: Sources that it took out.
        left: Sources after it.
    """

    name: str
    removed: int
    left: int


@dataclass(frozen=True)
class Selection:
    """Sources that are left, and the steps that led to them.

    Args:
        sources: What is left.
        steps: What each step took out, the first being the catalogue itself.
    """

    sources: SourceList
    steps: tuple[Step, ...]

    @classmethod
    def of(cls, sources: SourceList) -> "Selection":
        """Begin with all sources, sorted by name: of two near-duplicates the later name goes."""
        ordered = sources.select(np.argsort(sources.ids, kind="stable"))
        return cls(ordered, (Step("catalogue", 0, len(sources)),))

    def larger_than(self, size: float) -> "Selection":
        """Keep sources of more than this largest angular size.

        Args:
            size: Arcsec. The paper tries 15″ to 28″ (Table 8).

        Raises:
            ConfigError: If sizes are unknown that the cut would need. A catalogue may leave out those of
                its smallest sources: a cut at or above the smallest size known then needs no more.
        """
        sizes = self.sources.sizes
        known = np.isfinite(sizes)
        if not known.any() or (not known.all() and size < np.floor(sizes[known].min())):
            raise ConfigError(
                f"The sizes of {(~known).sum():,} sources are unknown, so {size:g}″ cannot be cut at; "
                "give a catalogue with all sizes, a larger cut, or none."
            )
        return self._keep(f"size of {size:g}″ or less, or unknown", np.nan_to_num(sizes) > size)

    def without_duplicates(self, radius: float) -> "Selection":
        """Keep no source within a radius of one with an earlier name.

        Args:
            radius: Arcsec.
        """
        sources = self.sources
        later = near_duplicates(sources.ids, sources.positions, radius * u.arcsec)
        return self._keep(f"within {radius:g}″ of an earlier name", ~later)

    def without(self, exclusion: Exclusion) -> "Selection":
        """Keep no source that is evaluated on."""
        if not exclusion.names:
            return self
        name = f"within {exclusion.radius:g}″ of {', '.join(exclusion.names)}"
        return self._keep(name, exclusion.allows(self.sources.positions))

    def _keep(self, name: str, kept: NDArray[np.bool_]) -> "Selection":
        left = self.sources.select(kept)
        return replace(
            self, sources=left, steps=(*self.steps, Step(name, int((~kept).sum()), len(left)))
        )

"""A Gaussian beam: what "per beam" means."""

from dataclasses import dataclass

import numpy as np

SIGMA = 1 / float(np.sqrt(8 * np.log(2)))  # of a Gaussian whose full width at half maximum is 1
SAME = 0.01  # relative: beams whose axes differ by less are one


@dataclass(frozen=True)
class Beam:
    """A Gaussian beam.

    Args:
        major: Arcsec. Full width at half maximum of the longer axis.
        minor: Arcsec. That of the shorter one; ``None`` is as long.
        angle: Degrees east of north of the longer axis.
    """

    major: float
    minor: float | None = None
    angle: float = 0.0

    @property
    def axes(self) -> tuple[float, float]:
        """Both full widths at half maximum in arcsec."""
        return self.major, self.major if self.minor is None else self.minor

    @property
    def area(self) -> float:
        """Arcsec²: what "per beam" means."""
        return 2 * np.pi * SIGMA**2 * self.axes[0] * self.axes[1]

    def __str__(self) -> str:
        return f"{self.axes[0]:.4g}″×{self.axes[1]:.4g}″ at {self.angle:.0f}°"

    def matches(self, other: "Beam") -> bool:
        """Say whether a picture in one beam can stand for a picture in the other."""
        if not np.allclose(self.axes, other.axes, rtol=SAME):
            return False
        is_round = self.axes[1] > (1 - SAME) * self.axes[0]
        apart = abs((self.angle - other.angle + 90) % 180 - 90)
        return is_round or apart < 10

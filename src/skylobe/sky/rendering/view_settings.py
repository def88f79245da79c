"""How views are drawn: how far sources are moved and perturbed, and by which telescope they are seen."""

from dataclasses import dataclass

from skylobe.core.errors import ConfigError
from skylobe.core.ranges import ABOVE_0, FROM_0, FROM_1, PART, SHARE, Checked, within
from skylobe.sky.rendering.view_grids import FINEST_PIX


@dataclass(frozen=True)
class DrawConfig(Checked):
    """Draws of a view; every view of every step has its own.

    Args:
        shift: Arcsec. Largest shift of the source from the centre, per axis.
        zoom: Smallest and largest factor of all angles on the sky; the beam keeps its size.
        aspect: Standard deviation of the natural logarithm of height over width.
        position_jitter: Arcsec. Standard deviation of each component's own shift, per axis.
        flux_jitter: Standard deviation of the natural logarithm of each component's flux factor.
        size_jitter: The same of its size.
        angle_jitter: Degrees. Standard deviation of each component's turn about its own centre.
        sharp: Arcsec. Smallest and largest beam of a sharp view (full width at half maximum).
        usual: Arcsec. Beam that most sharp views have, within a quarter.
        usual_share: How many of the sharp views those are.
        coarse: Arcsec. Smallest and largest beam of a coarse view.
        coarse_both: Share of the sources of which both views are coarse.
        coarse_one: Share of the sources of which one view is coarse.
        roundness: Smallest ratio of the beam's axes; four of ten beams are not round.
        level: Noise over that of FIRST (0.15 mJy/beam at any beam, since what coarse surveys are
            looked at for is bright): smallest and largest factor.
        least_contrast: The brightest pixel stands at least so many σ above the noise.
        patch_share: How many of the views with about FIRST's beam have noise of real blank sky.
        view_pix: Pixels. Width of the encoder's grid, whatever the angle: 64 keeps FIRST's sharpness.
        spans: Angles that are shown in that grid, over 126″; both views of a source show the same one,
            drawn from these. An embedding of eight views looks through all of them.

    Raises:
        ConfigError: If a range is not in rising order, or a share is not between 0 and 1.
    """

    shift: float = within(FROM_0, 8.0)
    zoom: tuple[float, float] = within(ABOVE_0, (0.85, 1.3))
    aspect: float = within(FROM_0, 0.04)
    position_jitter: float = within(FROM_0, 0.4)
    flux_jitter: float = within(FROM_0, 0.15)
    size_jitter: float = within(FROM_0, 0.15)
    angle_jitter: float = within(FROM_0, 5.0)
    sharp: tuple[float, float] = within(ABOVE_0, (3.0, 12.0))
    usual: float = within(ABOVE_0, 5.6)
    usual_share: float = within(SHARE, 0.6)
    coarse: tuple[float, float] = within(ABOVE_0, (12.0, 50.0))
    coarse_both: float = within(SHARE, 0.15)
    coarse_one: float = within(SHARE, 0.15)
    roundness: float = within(PART, 0.6)
    level: tuple[float, float] = within(ABOVE_0, (0.06, 1.0))
    least_contrast: float = within(FROM_0, 6.0)
    patch_share: float = within(SHARE, 0.7)
    view_pix: int = within(FROM_1, FINEST_PIX)
    spans: tuple[float, ...] = within(ABOVE_0, (0.7, 1.0, 1.5, 2.0))

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn from."""
        super().__post_init__()
        for name in ("zoom", "sharp", "coarse", "level"):
            low, high = getattr(self, name)
            if low > high:
                raise ConfigError(f"{name} is {(low, high)}; give two numbers, rising.")
        if not self.spans or not all(0.25 <= one <= 4 for one in self.spans):
            raise ConfigError(f"spans is {self.spans}; give one or more factors from 0.25 to 4.")
        if not 8 <= self.view_pix <= FINEST_PIX:
            raise ConfigError(f"view_pix is {self.view_pix}; give 8 to {FINEST_PIX} pixels.")
        if self.coarse_both + self.coarse_one > 1:
            raise ConfigError("coarse_both and coarse_one are shares of all sources; lower them.")


PLAIN = DrawConfig(  # the source as it is, at one beam of 5.4″, with hardly any noise
    shift=0.0,
    zoom=(1.0, 1.0),
    aspect=0.0,
    position_jitter=0.0,
    flux_jitter=0.0,
    size_jitter=0.0,
    angle_jitter=0.0,
    sharp=(5.4, 5.4),
    usual_share=0.0,
    coarse_both=0.0,
    coarse_one=0.0,
    roundness=1.0,
    level=(1e-6, 1e-6),
    patch_share=0.0,
    spans=(1.0,),
)

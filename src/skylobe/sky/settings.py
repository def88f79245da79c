"""Settings of the sky's steps: what a field is, how services are asked, how fields are drawn.

Kept apart from what uses them, so that the command line can offer them without importing torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from skylobe.core.errors import ConfigError
from skylobe.core.ranges import (
    ABOVE_0,
    FINITE,
    FROM_0,
    FROM_1,
    SEED,
    SHARE,
    Checked,
    insist,
    within,
)

Depth = Literal["float32", "float16"]
NoiseKind = Literal["beam", "blank_sky"]
BeamAxes = tuple[float, float, float]  # major and minor axis in arcsec, position angle in degrees
ARCSEC, DEGREES = "arcsec", "deg"  # of fields that take a Quantity too
EVALUATED = ("mirabest", "first_galaxies", "frdeep")  # sets whose sources nothing is trained on


@dataclass(frozen=True)
class ServiceSettings(Checked):
    """Where pixels come from.

    Args:
        service: hips2fits or skyview; by default the first that has the survey.
        mosaics: Folder of FITS mosaics to cut out of, instead of asking a service.
        base_url: Another address of the service.
    """

    service: str | None = None
    mosaics: Path | None = None
    base_url: str | None = None


@dataclass(frozen=True)
class CutoutSettings(ServiceSettings):
    """Where one cut-out comes from, and what it must be.

    Args:
        pixel_scale: Arcsec per pixel; the survey's own by default.
        resolve: Look an object's name up in Sesame, over the network.
        min_finite: Share of the pixels that must be measured.
    """

    pixel_scale: float | None = within(ABOVE_0, None, ARCSEC)
    resolve: bool = False
    min_finite: float = within(SHARE, 0.5)


@dataclass(frozen=True)
class SelectionSettings(Checked):
    """Which sources of a list a corpus shows.

    Args:
        size_cut: Arcsec. Leave out sources of this largest angular size or less.
        duplicates: Arcsec. Of two sources nearer than this the one with the later name is left out; 0
            keeps both.
        exclude: Evaluated sets whose sources are left out, by position; [] for images that will never
            be trained on.
    """

    size_cut: float | None = within(FROM_0, None, ARCSEC)
    duplicates: float = within(FROM_0, 10.0, ARCSEC)
    exclude: Sequence[str] = EVALUATED


@dataclass(frozen=True)
class CorpusSettings(Checked):
    """What all rows of a corpus share.

    Args:
        survey: Name of the survey.
        width_pix: Pixels. Width of the square fields.
        pixel_scale: Arcsec per pixel.
        depth: ``float32`` keeps pixels to the bit; ``float16`` takes half the room and keeps each to
            0.05 % of itself or 10⁻⁷ of the field's brightest.
        rendered: Whether fields are drawn from a catalogue instead of observed.
        made_by: Whatever defines the fields further, such as a rendering's settings.
    """

    survey: str
    width_pix: int = within(FROM_1)
    pixel_scale: float = within(ABOVE_0)
    depth: Depth = "float32"
    rendered: bool = False
    made_by: str = ""

    def __post_init__(self) -> None:
        """Refuse fields that cannot be stored."""
        super().__post_init__()
        if self.width_pix < 2 or self.depth not in get_args(Depth):
            raise ConfigError(
                f"A corpus of {self.width_pix} pixels of {self.pixel_scale}″ in {self.depth}: give 2 "
                "pixels or more, and float32 or float16."
            )


@dataclass(frozen=True)
class FillConfig(Checked):
    """How hard a service is asked, and what is done when it fails.

    Args:
        concurrency: Requests at once.
        per_second: Requests begun per second, at most.
        attempts: Tries per source before it has failed.
        backoff: Seconds. Wait before the second try; doubled before each further one, up to
            ``longest_wait``, and scattered by half so that tries do not come in step.
        longest_wait: Seconds.
        batch_size: Sources written at once: what a killed process loses at most.
        batch_seconds: Seconds. After so long a smaller batch is written too.
        least_finite: Share of a field's pixels that must not be blank.
        give_up_after: Sources in a row that a service may leave unanswered before all is stopped.
        seed: Of the scatter of waits.
    """

    concurrency: int = within(FROM_1, 4)
    per_second: float = within(ABOVE_0, 10.0)
    attempts: int = within(FROM_1, 5)
    backoff: float = within(FROM_0, 1.0)
    longest_wait: float = within(FROM_0, 60.0)
    batch_size: int = within(FROM_1, 256)
    batch_seconds: float = within(FROM_0, 60.0)
    least_finite: float = within(SHARE, 0.5)
    give_up_after: int = within(FROM_1, 50)
    seed: int = within(SEED, 0)


@dataclass(frozen=True)
class RenderConfig(Checked):
    """Geometry of the picture, noise, and how far components are perturbed.

    Args:
        width_pix: Pixels. Width of the square picture.
        pixel_scale: Arcsec per pixel.
        beam: Arcsec. Full width at half maximum of a circular beam; or major axis, minor axis and
            position angle (degrees, east of north) of an elliptical one.
        noise: White noise convolved with the beam, patches of real blank sky, or none.
        rms: Jy/beam. Noise of every field; ``None`` takes what is catalogued for the component
            nearest to its centre.
        sidelobes: Amplitude of stripes as a fraction of the field's brightest pixel; 0 draws none.
        flux_jitter: Standard deviation of the natural logarithm of the flux factor.
        size_jitter: Standard deviation of the natural logarithm of the size factor, at constant flux.
        position_jitter: Arcsec. Standard deviation of the shift, per axis.
        angle_jitter: Degrees. Standard deviation of the turn of each component about its own centre.

    Raises:
        ConfigError: If a width, scale, beam or deviation is impossible.
    """

    width_pix: int = within(FROM_1, 150)
    pixel_scale: float = within(ABOVE_0, 1.8)
    beam: float | BeamAxes = within(FINITE, 5.4)
    noise: NoiseKind | None = "beam"
    rms: float | None = within(FROM_0, None)
    sidelobes: float = within(FROM_0, 0.0)
    flux_jitter: float = within(FROM_0, 0.0)
    size_jitter: float = within(FROM_0, 0.0)
    position_jitter: float = within(FROM_0, 0.0)
    angle_jitter: float = within(FROM_0, 0.0)

    def __post_init__(self) -> None:
        """Refuse what no picture has."""
        super().__post_init__()
        insist(self.beam_axes[:2], "beam", ABOVE_0)
        if self.noise not in (None, *get_args(NoiseKind)):
            raise ConfigError(f"There is no noise {self.noise!r}; choose beam, blank_sky or None.")

    @property
    def beam_axes(self) -> BeamAxes:
        """Major axis, minor axis (arcsec) and position angle (degrees)."""
        return self.beam if isinstance(self.beam, tuple) else (self.beam, self.beam, 0.0)


@dataclass(frozen=True)
class CorpusFetch(SelectionSettings, ServiceSettings):
    """Which sources a corpus shows, and where their pixels come from.

    Args:
        pixel_scale: Arcsec per pixel; the survey's own by default.
        retry_failed: Try again those that failed in an earlier call.
        fill: How hard the service is asked, and what is done when it fails.
    """

    pixel_scale: float | None = within(ABOVE_0, None, ARCSEC)
    retry_failed: bool = False
    fill: FillConfig = field(default_factory=FillConfig)


@dataclass(frozen=True)
class CorpusDrawing(SelectionSettings):
    """Which sources a drawn corpus shows, and what they are drawn from.

    Args:
        size_cut: Arcsec. Leave out sources of this largest angular size or less; null keeps all.
        components: Table of a source finder; the VLA FIRST catalogue by default.
        layout: Which columns of the table hold what: first, pybdsf, aegean or selavy.
        component_beam: Arcsec, arcsec, degrees. Beam of the image that the components were found in,
            where the table does not say it, as PyBDSF's and Selavy's do not.
        realisations: Fields per source, of other noise and perturbation.
        depth: float16 takes half the room and keeps pixels to 0.05 %.
        seed: Of noise and perturbation.
    """

    size_cut: float | None = within(FROM_0, 25.0, ARCSEC)
    components: Path | None = None
    layout: str = "first"
    component_beam: BeamAxes | None = within(FINITE, None)
    realisations: int = within(FROM_1, 1)
    depth: Depth = "float16"
    seed: int = within(SEED, 0)

"""What an encoder is and what its images must go through: settings that travel with the weights."""

from dataclasses import dataclass, field
from typing import Literal

from skylobe.core.errors import ConfigError
from skylobe.core.ranges import ABOVE_0, FINITE, FROM_1, Checked, within
from skylobe.images.scaling import ScalingConfig

N_VIEWS = 8  # quarter turns of an image and of its mirror image
DEFAULT_MODEL = "skylobe-base"  # shipped, and taken where none is named


@dataclass(frozen=True)
class Preprocessing(Checked):
    """All that turns a cut-out into what the encoder sees; it travels with the weights.

    Args:
        survey: Survey the encoder was trained on.
        pixel_scale: Arcsec per pixel of the encoder's grid.
        image_scale: Arcsec per pixel assumed of images that do not say theirs.
        beam: Arcsec. Full width at half maximum of the training images' beam.
        crop_pix: Pixels. Central square that the encoder sees.
        mean: Mean of the training corpus' cropped images (image values, 0 to 1).
        std: Standard deviation of the same.
        scaling: Intensity scaling of physical pixels.
        softening: Image values well above this are compressed: arcsinh(value / softening), 1 staying 1,
            so that lobes count beside a bright core; ``None`` leaves values as they are.
        spans: Angles that an embedding of eight views looks through, over that of the grid; the views
            are shared among them. One view looks through the grid's own.
    """

    survey: str = "VLA FIRST"
    pixel_scale: float = within(ABOVE_0, 1.8)
    image_scale: float = within(ABOVE_0, 1.8)
    beam: float = within(ABOVE_0, 5.4)
    crop_pix: int = within(FROM_1, 70)
    mean: float = within(FINITE, 0.0)
    std: float = within(ABOVE_0, 1.0)
    scaling: ScalingConfig = field(default_factory=ScalingConfig)
    softening: float | None = within(ABOVE_0, None)
    spans: tuple[float, ...] = within(ABOVE_0, (1.0,))

    @property
    def seen(self) -> str:
        """What eight views look through, in words.

        >>> Preprocessing().seen, Preprocessing(spans=(0.5, 2.0)).seen
        ('126″', '63 to 252″')
        """
        angle = self.crop_pix * self.pixel_scale
        low, high = (angle * one(self.spans) for one in (min, max))
        return f"{high:.0f}″" if low == high else f"{low:.0f} to {high:.0f}″"

    def __post_init__(self) -> None:
        """Refuse angles that are none, or more than there are views."""
        super().__post_init__()
        if not 1 <= len(self.spans) <= N_VIEWS:
            raise ConfigError(f"spans is {self.spans}; give 1 to {N_VIEWS} factors above 0.")


@dataclass(frozen=True)
class EncoderConfig(Checked):
    """A residual network for small one-channel images.

    Args:
        depth: Layers: 14, 18 or 34.
        stem: ``paper`` is 3×3 stride 1, ``fast`` is 7×7 stride 2; both then pool by 2.
        width: Channels of the first stage, a multiple of 8; features are 8 times as many.
    """

    depth: Literal[14, 18, 34] = 18
    stem: Literal["paper", "fast"] = "paper"
    width: int = within(FROM_1, 64)

    def __post_init__(self) -> None:
        """Refuse widths for which the CPU's channels-last convolutions overwrite foreign memory."""
        super().__post_init__()
        if self.width % 8:
            raise ConfigError(f"encoder.width is {self.width}; give a multiple of 8.")


GALLERY_GRID = (
    Preprocessing()
)  # what people are shown: every picture the same angle, 70 pixels of 1.8″

"""What an encoder is and what its images must go through: settings that travel with the weights."""

from dataclasses import dataclass, field
from typing import Literal

from skylobe.core.errors import ConfigError
from skylobe.images.scaling import ScalingConfig

N_VIEWS = 8  # quarter turns of an image and of its mirror image
DEFAULT_MODEL = "skylobe-base"  # shipped, and taken where none is named


@dataclass(frozen=True)
class Preprocessing:
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
    pixel_scale: float = 1.8
    image_scale: float = 1.8
    beam: float = 5.4
    crop_pix: int = 70
    mean: float = 0.0
    std: float = 1.0
    scaling: ScalingConfig = field(default_factory=ScalingConfig)
    softening: float | None = None
    spans: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        """Refuse a stretch that divides by nothing, and angles that are none."""
        if not 1 <= len(self.spans) <= N_VIEWS or not all(one > 0 for one in self.spans):
            raise ConfigError(f"spans is {self.spans}; give 1 to {N_VIEWS} factors above 0.")
        if self.softening is not None and not self.softening > 0:
            raise ConfigError(f"softening is {self.softening}; give a value above 0, or null.")


@dataclass(frozen=True)
class EncoderConfig:
    """A residual network for small one-channel images.

    Args:
        depth: Layers: 14, 18 or 34.
        stem: ``paper`` is 3×3 stride 1, ``fast`` is 7×7 stride 2; both then pool by 2.
        width: Channels of the first stage, a multiple of 8; features are 8 times as many.
    """

    depth: Literal[14, 18, 34] = 18
    stem: Literal["paper", "fast"] = "paper"
    width: int = 64

    def __post_init__(self) -> None:
        """Refuse widths for which the CPU's channels-last convolutions overwrite foreign memory."""
        if self.width < 8 or self.width % 8:
            raise ConfigError(f"encoder.width is {self.width}; give a multiple of 8.")


GALLERY_GRID = (
    Preprocessing()
)  # what people are shown: every picture the same angle, 70 pixels of 1.8″

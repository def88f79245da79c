"""Every setting of training, as frozen dataclasses."""

from dataclasses import dataclass, field, fields
from typing import Literal

from skylobe.core.errors import ConfigError
from skylobe.core.ranges import ABOVE_0, BELOW_1, FROM_0, FROM_1, PART, SEED, SHARE, Checked, within
from skylobe.learning.method_settings import (
    ByolConfig,
    LejepaConfig,
    MethodSettings,
    VicregConfig,
)
from skylobe.models.settings import EncoderConfig


@dataclass(frozen=True)
class ViewConfig(Checked):
    """Random views of an image; defaults are Table 1 of the paper.

    Args:
        rotation: Degrees. Angles are drawn between 0 and this; 0 switches rotation off.
        crop_pix: Pixels. Central square kept after rotation.
        area: Share of that square kept by the random resized crop, smallest and largest; (1, 1) keeps all.
        aspect: Width over height of the random crop, smallest and largest.
        horizontal_flip: Probability.
        vertical_flip: Probability.
        interpolation: ``nearest`` as in the paper, or ``bilinear``.
        jitter: Probability of brightness and contrast jitter.
        brightness: Image values are multiplied by 1 ± this.
        contrast: Differences from the image's mean are multiplied by 1 ± this.
        clip: Limit jittered values to 0–1, which destroys negative pixels.
        blur: Probability of a Gaussian blur.
        blur_sigma: Pixels. Standard deviation of the blur, smallest and largest.
        blur_width: Pixels. Odd width of the blur's kernel.
        width_pix: Pixels. Width of the finished view; ``None`` keeps ``crop_pix``.
        n_small: Small crops shown besides the two views (multi-crop).
        small_area: Share of the square kept by a small crop, smallest and largest.
        small_width: Width of a small crop over that of a view.
    """

    rotation: float = within(FROM_0, 360.0)  # Paper, Table 1
    crop_pix: int = within(FROM_1, 70)  # Paper, Table 1
    area: tuple[float, float] = within(PART, (0.8, 1.0))  # Paper, Table 1
    aspect: tuple[float, float] = within(ABOVE_0, (3 / 4, 4 / 3))
    horizontal_flip: float = within(SHARE, 0.5)  # Paper, Table 1
    vertical_flip: float = within(SHARE, 0.5)  # Paper, Table 1
    interpolation: Literal["nearest", "bilinear"] = "nearest"  # Paper, Section 2.3
    jitter: float = within(SHARE, 0.8)  # Paper, Table 1
    brightness: float = within(FROM_0, 0.4)  # s = 0.5 of SimCLR's 0.8
    contrast: float = within(FROM_0, 0.4)  # s = 0.5 of SimCLR's 0.8
    clip: bool = False
    blur: float = within(SHARE, 0.1)  # Paper, Table 1
    blur_sigma: tuple[float, float] = within(FROM_0, (0.1, 2.0))
    blur_width: int = within(FROM_1, 7)
    width_pix: int | None = within(FROM_1, None)
    n_small: int = within(FROM_0, 0)
    small_area: tuple[float, float] = within(PART, (0.3, 0.7))
    small_width: float = within(PART, 0.5)

    def __post_init__(self) -> None:
        """Refuse settings that cannot be drawn from."""
        super().__post_init__()
        for name in ("area", "aspect", "blur_sigma", "small_area"):
            low, high = getattr(self, name)
            if low > high:
                raise ConfigError(f"views.{name} is {(low, high)}; give two numbers, rising.")
        if self.blur_width % 2 == 0:
            raise ConfigError(f"views.blur_width is {self.blur_width}; give an odd number.")


SUPERVISED_VIEWS = ViewConfig(area=(0.9, 1.0), jitter=0.0, blur=0.0)  # Paper, Table 2


@dataclass(frozen=True)
class Stage(Checked):
    """A part of the training at one width of the views.

    Args:
        until: Share of all steps at which the stage ends.
        width_pix: Pixels. Width of the views.
    """

    until: float = within(PART)
    width_pix: int = within(FROM_1)


@dataclass(frozen=True)
class TrainConfig(Checked):
    """The loop: optimiser, schedule, precision, bookkeeping.

    Args:
        epochs: Passes over the corpus; may be fractional.
        batch_size: Images per step over all devices.
        lr: Base learning rate, scaled by ``batch_size`` / 256.
        momentum: Of SGD.
        weight_decay: Of every parameter.
        warmup_epochs: Epochs of linear rise before the cosine fall, counted per step.
        stages: Widths of the views over the training; empty keeps the views' own width.
        precision: ``auto`` takes bf16 where the processor computes in it, else fp32.
        channels_last: Memory format of the convolutions.
        accelerator: ``auto``, ``cpu`` or ``cuda``.
        devices: Processes or GPUs; several are started by ``torchrun``, whose number then counts.
        batch_statistics: ``local``: batch norm sees one device's share of a batch; ``synchronised``:
            the whole batch, so that any number of devices trains the same network.
        compile: Compile the loss and its gradient; ``null`` does so on a GPU.
        window: Sources that are shuffled together when the corpus streams through the device;
            ``null`` keeps the whole corpus there if it fits, and else takes 65,536.
        checkpoint_minutes: Minutes between checkpoints.
        seed: Of weights, order and views.
    """

    epochs: float = within(ABOVE_0, 500)  # Paper, Table 3
    batch_size: int = within(FROM_1, 1024)  # Paper, Table 3
    lr: float = within(ABOVE_0, 0.2)  # Paper, Table 3
    momentum: float = within(BELOW_1, 0.9)
    weight_decay: float = within(FROM_0, 1.5e-6)  # Paper, Table 3
    warmup_epochs: float = within(FROM_0, 10)  # Paper, Table 3
    stages: tuple[Stage, ...] = ()
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    channels_last: bool = True
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = within(FROM_1, 1)
    batch_statistics: Literal["local", "synchronised"] = "local"
    compile: bool | None = None
    window: int | None = within(FROM_1, None)
    checkpoint_minutes: float = within(FROM_0, 5.0)
    seed: int = within(SEED, 0)


@dataclass(frozen=True)
class MonitorConfig(Checked):
    """What is watched during pre-training.

    Args:
        every: Share of all steps between two looks; 0 looks only at the end.
        n_views: 1, or 8 for the dihedral views.
        neighbours: k of the nearest-neighbour classifier.
        min_spread: Stop when the features' mean standard deviation over sources, for vectors of
            length √D, falls below this: the network has collapsed.
    """

    every: float = within(SHARE, 0.1)
    n_views: Literal[1, 8] = 1
    neighbours: int = within(FROM_1, 10)
    min_spread: float = within(FROM_0, 0.01)


@dataclass(frozen=True)
class PretrainConfig(Checked):
    """Everything that defines a pre-training run.

    Args:
        encoder: The network that is kept.
        softening: Image values well above this are compressed by arcsinh before the encoder sees them,
            as of ``Preprocessing``.
        views: The random views.
        grid_pix: Width at which the finished encoder is shown the same angle; ``None`` is that of the
            last views.
        method: ``byol``, or a method without a target network: ``vicreg``, ``lejepa``. Each has a field
            of its name with its settings; those of the others are kept for whoever changes the method.
        byol: Heads and target network of BYOL.
        vicreg: Settings of VICReg.
        lejepa: Settings of LeJEPA.
        morphology_weight: Weight of the error in predicting each source's measures of shape
            (``images.morphology``) from its features by one linear layer; 0 is the plain method.
        train: The loop.
        monitor: What is watched.
    """

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    softening: float | None = within(ABOVE_0, None)
    views: ViewConfig = field(default_factory=ViewConfig)
    grid_pix: int | None = within(FROM_1, None)
    method: str = "byol"
    byol: ByolConfig = field(default_factory=ByolConfig)
    vicreg: VicregConfig = field(default_factory=VicregConfig)
    lejepa: LejepaConfig = field(default_factory=LejepaConfig)
    morphology_weight: float = within(FROM_0, 0.0)
    train: TrainConfig = field(default_factory=TrainConfig)
    monitor: MonitorConfig = field(default_factory=MonitorConfig)

    def __post_init__(self) -> None:
        """Refuse a method that has no field."""
        super().__post_init__()
        if not isinstance(getattr(self, self.method, None), MethodSettings):
            names = [one.name for one in fields(self)]
            known = [one for one in names if isinstance(getattr(self, one), MethodSettings)]
            raise ConfigError(f"There is no method {self.method!r}; choose {' or '.join(known)}.")

    @property
    def method_settings(self) -> MethodSettings:
        """The settings of the method that is used."""
        settings: MethodSettings = getattr(self, self.method)
        return settings

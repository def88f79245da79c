"""Every setting, as frozen dataclasses, and the named recipes.

``paper`` follows the text of Slijepcevic et al. 2024, and the authors' public code where the text is
silent; ``skylobe`` is our best so far. A config is saved as JSON beside every set of weights.
"""

import dataclasses
import types
import typing
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeVar

from skylobe.errors import ConfigError


@dataclass(frozen=True)
class ScalingConfig:
    """How physical pixels become image values between 0 and 1.

    Args:
        method: ``clip`` is MiraBest-F (pixels below the threshold to 0, then min–max); ``asinh``
            stretches what lies above the threshold so that faint lobes show; ``raw`` divides by the
            peak and keeps noise and negative pixels.
        n_sigma: Threshold in units of the clipped standard deviation of the cut-out.
        circular: Blank what lies outside the circle inscribed in the image.
        quantise: Truncate to 256 levels, as the published MiraBest-F batches are.
        softening: ``asinh`` only: values well above this many σ are compressed.
    """

    method: Literal["clip", "asinh", "raw"] = "clip"
    n_sigma: float = 3.0
    circular: bool = True
    quantise: bool = True
    softening: float = 3.0


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

    def __post_init__(self) -> None:
        """Refuse a stretch that divides by nothing."""
        if self.softening is not None and not self.softening > 0:
            raise ConfigError(f"softening is {self.softening}; give a value above 0, or null.")


@dataclass(frozen=True)
class ViewConfig:
    """Random views of an image; defaults are Table 1 of the paper.

    Args:
        rotation: Degrees. Angles are drawn between 0 and this; 0 switches rotation off.
        crop_pix: Pixels. Central square kept after rotation.
        area: Share of that square kept by the random resized crop, smallest and largest.
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

    rotation: float = 360.0  # Paper, Table 1
    crop_pix: int = 70  # Paper, Table 1
    area: tuple[float, float] = (0.8, 1.0)  # Paper, Table 1
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    horizontal_flip: float = 0.5  # Paper, Table 1
    vertical_flip: float = 0.5  # Paper, Table 1
    interpolation: Literal["nearest", "bilinear"] = "nearest"  # Paper, Section 2.3
    jitter: float = 0.8  # Paper, Table 1
    brightness: float = 0.4  # s = 0.5 of SimCLR's 0.8
    contrast: float = 0.4  # s = 0.5 of SimCLR's 0.8
    clip: bool = False
    blur: float = 0.1  # Paper, Table 1
    blur_sigma: tuple[float, float] = (0.1, 2.0)
    blur_width: int = 7
    width_pix: int | None = None
    n_small: int = 0
    small_area: tuple[float, float] = (0.3, 0.7)
    small_width: float = 0.5

    def __post_init__(self) -> None:
        """Refuse settings that cannot be drawn from."""
        if not 0 < self.area[0] <= self.area[1] <= 1:
            raise ConfigError(f"views.area is {self.area}; give two shares of 1 in rising order.")
        if not 0 < self.aspect[0] <= self.aspect[1]:
            raise ConfigError(f"views.aspect is {self.aspect}; give two ratios in rising order.")
        if not 0 <= self.blur_sigma[0] <= self.blur_sigma[1]:
            raise ConfigError(f"views.blur_sigma is {self.blur_sigma}; give two widths, rising.")
        if self.blur_width % 2 == 0:
            raise ConfigError(f"views.blur_width is {self.blur_width}; give an odd number.")


SUPERVISED_VIEWS = ViewConfig(area=(0.9, 1.0), jitter=0.0, blur=0.0)  # Paper, Table 2


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


@dataclass(frozen=True)
class ByolConfig:
    """Heads and target network of BYOL.

    Args:
        projector_hidden: Width of the projector's hidden layer.
        projection: Width of the projection.
        predictor_hidden: Width of the predictor's hidden layer.
        target_decay: τ of Eq. 1: share of the target network kept at each step.
        decay_schedule: ``constant``, or ``cosine`` from ``target_decay`` to 1.
    """

    projector_hidden: int = 512
    projection: int = 256
    predictor_hidden: int = 512
    target_decay: float = 0.996
    decay_schedule: Literal["constant", "cosine"] = "constant"


@dataclass(frozen=True)
class VicregConfig:
    """Expander and weights of VICReg.

    Args:
        hidden: Width of the expander's hidden layer.
        projection: Width of its output.
        similarity: Weight of the distance between views.
        variance: Weight of the missing variance.
        covariance: Weight of the covariance between dimensions.
    """

    hidden: int = 1024
    projection: int = 1024
    similarity: float = 1.0
    variance: float = 1.0
    covariance: float = 0.04


@dataclass(frozen=True)
class LejepaConfig:
    """Projector and regulariser of LeJEPA.

    Args:
        hidden: Width of the projector's hidden layer.
        projection: Width of its output.
        n_directions: Directions along which a batch is compared with a Gaussian, new at each step.
        regulariser: λ: weight of that comparison; the distance between views weighs 1 − λ.
    """

    hidden: int = 512
    projection: int = 64
    n_directions: int = 256
    regulariser: float = 0.05


@dataclass(frozen=True)
class Stage:
    """A part of the training at one width of the views.

    Args:
        until: Share of all steps at which the stage ends.
        width_pix: Pixels. Width of the views.
    """

    until: float
    width_pix: int


@dataclass(frozen=True)
class TrainConfig:
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

    epochs: float = 500  # Paper, Table 3
    batch_size: int = 1024  # Paper, Table 3
    lr: float = 0.2  # Paper, Table 3
    momentum: float = 0.9
    weight_decay: float = 1.5e-6  # Paper, Table 3
    warmup_epochs: float = 10  # Paper, Table 3
    stages: tuple[Stage, ...] = ()
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    channels_last: bool = True
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = 1
    batch_statistics: Literal["local", "synchronised"] = "local"
    compile: bool | None = None
    window: int | None = None
    checkpoint_minutes: float = 5.0
    seed: int = 0


@dataclass(frozen=True)
class MonitorConfig:
    """What is watched during pre-training.

    Args:
        every: Share of all steps between two looks; 0 looks only at the end.
        n_views: 1, or 8 for the dihedral views.
        neighbours: k of the nearest-neighbour classifier.
        min_spread: Stop when the features' mean standard deviation over sources, for vectors of
            length √D, falls below this: the network has collapsed.
    """

    every: float = 0.1
    n_views: Literal[1, 8] = 1
    neighbours: int = 10
    min_spread: float = 0.01


@dataclass(frozen=True)
class PretrainConfig:
    """Everything that defines a pre-training run.

    Args:
        encoder: The network that is kept.
        softening: Image values well above this are compressed by arcsinh before the encoder sees them,
            as of ``Preprocessing``.
        views: The random views.
        grid_pix: Width at which the finished encoder is shown the same angle; ``None`` is that of the
            last views.
        method: ``byol``, or a method without a target network: ``vicreg``, ``lejepa``.
        byol: Heads and target network of BYOL.
        vicreg: Settings of VICReg.
        lejepa: Settings of LeJEPA.
        morphology_weight: Weight of the error in predicting each source's measures of shape
            (``morphology``) from its features by one linear layer; 0 is the plain method.
        train: The loop.
        monitor: What is watched.
    """

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    softening: float | None = None
    views: ViewConfig = field(default_factory=ViewConfig)
    grid_pix: int | None = None
    method: Literal["byol", "vicreg", "lejepa"] = "byol"
    byol: ByolConfig = field(default_factory=ByolConfig)
    vicreg: VicregConfig = field(default_factory=VicregConfig)
    lejepa: LejepaConfig = field(default_factory=LejepaConfig)
    morphology_weight: float = 0.0
    train: TrainConfig = field(default_factory=TrainConfig)
    monitor: MonitorConfig = field(default_factory=MonitorConfig)


@dataclass(frozen=True)
class FinetuneConfig:
    """Everything that defines a training with labels; the defaults are Table 4 of the paper.

    Args:
        n_blocks: Blocks of the encoder that are tuned, counted from the head: 0 is the head alone,
            ``None`` all of them, the stem included.
        cached: Run the frozen blocks once, on the eight dihedral views of each image, and train on
            those: a third quicker on a CPU for one block. Without it they run at every step, on new
            random views.
        layer_decay: ρ: the i-th tuned block below the head learns at ``lr`` × ρ^i, the topmost
            (i = 0) as fast as the head.
        init: ``model`` starts from the encoder's weights; ``random`` is the supervised baseline, with
            every block tuned and no layer decay.
        head: ``linear`` is batch norm and one layer, ``mlp`` has a hidden layer of 512.
        optimiser: ``adamw``, or ``sgd`` with momentum 0.9.
        lr: Base learning rate, scaled by ``batch_size`` / 256; it falls along a cosine.
        weight_decay: Of every trained parameter.
        batch_size: Images per step; a smaller set is one batch.
        epochs: Passes over the labelled images; may be fractional.
        label_smoothing: Share of each label spread over all classes.
        class_weights: ``equal``, or ``balanced`` so that each class weighs the same in the loss.
        validation_share: Share of the labels kept out of the training, stratified; the probabilities
            are calibrated on it.
        patience: Epochs without a lower validation loss after which training stops, with the best
            weights; ``None`` trains to the end.
        views: Random views shown in training; cut from the same angle that the encoder sees.
        n_views: 1, or 8 to average features over the dihedral views when predicting.
        precision: ``auto`` takes bf16 where the processor computes in it, else fp32.
        accelerator: ``auto``, ``cpu`` or ``cuda``.
        seed: Of head, order, views and validation share; and of the encoder, when random.

    Source: paper, Section 2.6.2 and Tables 2 and 4.
    """

    n_blocks: int | None = None
    cached: bool = False
    layer_decay: float = 0.75  # Paper, Table 4
    init: Literal["model", "random"] = "model"
    head: Literal["linear", "mlp"] = "linear"
    optimiser: Literal["adamw", "sgd"] = "adamw"  # Paper, Table 4
    lr: float = 0.001  # Paper, Table 4
    weight_decay: float = 0.005  # Paper, Table 4
    batch_size: int = 64  # Paper, Table 4
    epochs: float = 300  # Paper, Table 4
    label_smoothing: float = 0.0
    class_weights: Literal["equal", "balanced"] = "equal"
    validation_share: float = 0.0
    patience: int | None = None
    views: ViewConfig = SUPERVISED_VIEWS
    n_views: Literal[1, 8] = 1
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that contradict each other."""
        if self.n_blocks is not None and self.n_blocks < 0:
            raise ConfigError(f"n_blocks is {self.n_blocks}; give 0 or more, or null for all.")
        if not 0 < self.layer_decay <= 1:
            raise ConfigError(f"layer_decay is {self.layer_decay}; give a factor above 0, up to 1.")
        if not 0 <= self.validation_share < 1:
            raise ConfigError(f"validation_share is {self.validation_share}; give 0 to below 1.")
        if self.patience is not None and self.validation_share == 0:
            raise ConfigError("patience needs a validation_share, such as 0.2, to stop by.")
        if self.init == "random" and self.n_blocks is not None:
            raise ConfigError("With init random nothing can be frozen; leave n_blocks at null.")
        if self.cached and self.n_blocks is None:
            raise ConfigError("cached needs frozen blocks; give n_blocks, such as 1.")


@dataclass(frozen=True)
class AdaptConfig:
    """The fast budget: one linear layer on a frozen encoder.

    Args:
        method: ``discriminant``: linear discriminant analysis with shrunk covariance (Ledoit & Wolf
            2004), which has nothing to tune; ``logistic`` regression or ``ridge``, their strength
            chosen by cross-validation. One source per class goes to ``logistic``.
        with_measures: Put the measures of shape (``morphology``) behind the embedding.
        n_views: 1, or 8 to average over the dihedral views.
        seed: Of the folds.
    """

    method: Literal["discriminant", "logistic", "ridge"] = "discriminant"
    with_measures: bool = True
    n_views: Literal[1, 8] = 8
    seed: int = 0


FINETUNE_RECIPES: dict[str, FinetuneConfig] = {
    "paper": FinetuneConfig(),
    "skylobe": FinetuneConfig(
        epochs=60,
        validation_share=0.2,
        n_views=8,
        views=dataclasses.replace(SUPERVISED_VIEWS, interpolation="bilinear"),
    ),
}

RECIPES: dict[str, PretrainConfig] = {
    "paper": PretrainConfig(),
    "skylobe": PretrainConfig(
        encoder=EncoderConfig(stem="fast"),
        views=ViewConfig(
            aspect=(0.9, 1.1),
            interpolation="bilinear",
            brightness=0.2,
            contrast=0.2,
            blur_sigma=(0.1, 1.0),
            width_pix=48,
        ),
        grid_pix=32,
        method="lejepa",
        byol=ByolConfig(target_decay=0.99, decay_schedule="cosine"),
        morphology_weight=2.0,
        train=TrainConfig(
            epochs=15,
            batch_size=128,
            weight_decay=1e-4,
            warmup_epochs=0.3,
            stages=(Stage(0.82, 32),),
        ),
    ),
}

Config = TypeVar("Config")


def recipe(name: str) -> PretrainConfig:
    """Look up a named recipe for pre-training.

    Raises:
        ConfigError: If there is no recipe of that name.
    """
    return _named(name, RECIPES)


def finetune_recipe(name: str) -> FinetuneConfig:
    """Look up a named recipe for fine-tuning.

    Raises:
        ConfigError: If there is no recipe of that name.
    """
    return _named(name, FINETUNE_RECIPES)


def _named(name: str, recipes: dict[str, Config]) -> Config:
    if name not in recipes:
        raise ConfigError(f"There is no recipe {name!r}; choose from {', '.join(recipes)}.")
    return recipes[name]


def to_dict(config: Any) -> dict[str, Any]:  # noqa: ANN401  (any of the dataclasses above)
    """Turn a config into plain containers for JSON."""
    return asdict(config)


def from_dict(kind: type[Config], values: dict[str, Any]) -> Config:
    """Rebuild a config saved by ``to_dict``.

    Args:
        kind: Class of the config.
        values: Its fields; a missing field takes its default.

    Raises:
        ConfigError: If a field is unknown to this version.

    >>> from_dict(EncoderConfig, {"depth": 34})
    EncoderConfig(depth=34, stem='paper', width=64)
    """
    hints = typing.get_type_hints(kind)
    known = {f.name for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - known)
    if unknown:
        raise ConfigError(
            f"{kind.__name__} has no field {unknown[0]!r}; the file was written by another version "
            "of skylobe: install that version or remove the field."
        )
    return kind(**{name: _coerce(hints[name], one, name) for name, one in values.items()})


def _coerce(hint: Any, value: Any, name: str) -> Any:  # noqa: ANN401  (JSON values)
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return from_dict(hint, value)  # type: ignore[arg-type]
    if isinstance(hint, types.GenericAlias) and isinstance(value, list | tuple):
        return tuple(_coerce(typing.get_args(hint)[0], item, name) for item in value)
    if not _fits(hint, value):
        raise ConfigError(f"{name} is {value!r}; give {_wanted(hint)}.")
    return value


def _fits(hint: Any, value: Any) -> bool:  # noqa: ANN401
    if isinstance(hint, types.UnionType):
        return any(_fits(one, value) for one in typing.get_args(hint))
    if typing.get_origin(hint) is Literal:
        return value in typing.get_args(hint)
    if hint in (bool, str):
        return isinstance(value, hint)
    if hint in (int, float):
        numbers = (int, float) if hint is float else int
        return isinstance(value, numbers) and not isinstance(value, bool)
    return value is None if hint is types.NoneType else True


def _wanted(hint: Any) -> str:  # noqa: ANN401
    if isinstance(hint, types.UnionType):
        return " or ".join(_wanted(one) for one in typing.get_args(hint))
    if typing.get_origin(hint) is Literal:
        return " or ".join(map(str, typing.get_args(hint)))
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}
    return words.get(hint, "null")

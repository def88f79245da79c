"""Everything that defines a training with labels."""

from dataclasses import dataclass
from typing import Literal

from skylobe.core.errors import ConfigError
from skylobe.core.ranges import ABOVE_0, BELOW_1, FROM_0, FROM_1, PART, SEED, Checked, within
from skylobe.learning.settings import SUPERVISED_VIEWS, ViewConfig


@dataclass(frozen=True)
class FinetuneConfig(Checked):
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

    n_blocks: int | None = within(FROM_0, None)
    cached: bool = False
    layer_decay: float = within(PART, 0.75)  # Paper, Table 4
    init: Literal["model", "random"] = "model"
    head: Literal["linear", "mlp"] = "linear"
    optimiser: Literal["adamw", "sgd"] = "adamw"  # Paper, Table 4
    lr: float = within(ABOVE_0, 0.001)  # Paper, Table 4
    weight_decay: float = within(FROM_0, 0.005)  # Paper, Table 4
    batch_size: int = within(FROM_1, 64)  # Paper, Table 4
    epochs: float = within(ABOVE_0, 300)  # Paper, Table 4
    label_smoothing: float = within(BELOW_1, 0.0)
    class_weights: Literal["equal", "balanced"] = "equal"
    validation_share: float = within(BELOW_1, 0.0)
    patience: int | None = within(FROM_1, None)
    views: ViewConfig = SUPERVISED_VIEWS
    n_views: Literal[1, 8] = 1
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    seed: int = within(SEED, 0)

    def __post_init__(self) -> None:
        """Refuse settings that contradict each other."""
        super().__post_init__()
        if self.patience is not None and self.validation_share == 0:
            raise ConfigError("patience needs a validation_share, such as 0.2, to stop by.")
        if self.init == "random" and self.n_blocks is not None:
            raise ConfigError("With init random nothing can be frozen; leave n_blocks at null.")
        if self.cached and self.n_blocks is None:
            raise ConfigError("cached needs frozen blocks; give n_blocks, such as 1.")

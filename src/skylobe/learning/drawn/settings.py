"""Settings of a training on drawn views that has no planned end."""

from dataclasses import dataclass, field
from typing import Any, Literal

from skylobe.core.errors import ConfigError
from skylobe.core.ranges import ABOVE_0, BELOW_1, FROM_0, FROM_1, SEED, SHARE, Checked, within
from skylobe.core.settings import from_dict
from skylobe.learning.method_settings import LejepaConfig
from skylobe.models.settings import EncoderConfig
from skylobe.sky.rendering.view_settings import DrawConfig


@dataclass(frozen=True)
class DrawnConfig(Checked):
    """Everything that defines a training on drawn views.

    Args:
        encoder: The network that is kept.
        lejepa: Settings of the method.
        draw: How views are drawn.
        target_weight: Weight of the error in predicting each source's privileged targets from its
            features by one linear layer.
        rgz_share: Share of a batch that is of RGZ's sources.
        rich_share: Share that is of sources with three components in sight or more.
        batch_size: Sources per step.
        lr: Learning rate after the warm-up; it stays.
        warmup_steps: Steps of linear rise.
        cool_from: Step at which the rate begins to fall; ``None`` never. A branch that is cooled is worth
            more than the average of the trunk.
        cool_steps: Steps after which it has fallen to 0, along a line.
        momentum: Of SGD.
        weight_decay: Of every parameter.
        precision: ``auto`` takes bf16 where the processor computes in it, else fp32.
        seed: Of weights, sources and views.
        start: Model whose encoder the training begins with; ``None`` begins from nothing. A 3×3 stem is
            carried over to a 7×7 one of stride 2 that sees pixels half as wide.
    """

    encoder: EncoderConfig = field(default_factory=lambda: EncoderConfig(stem="fast"))
    lejepa: LejepaConfig = field(default_factory=LejepaConfig)
    draw: DrawConfig = field(default_factory=DrawConfig)
    target_weight: float = within(FROM_0, 2.0)
    rgz_share: float = within(SHARE, 0.5)
    rich_share: float = within(SHARE, 0.25)
    batch_size: int = within(FROM_1, 128)
    lr: float = within(ABOVE_0, 0.1)
    warmup_steps: int = within(FROM_0, 200)
    cool_from: int | None = within(FROM_0, None)
    cool_steps: int = within(FROM_1, 1000)
    momentum: float = within(BELOW_1, 0.9)
    weight_decay: float = within(FROM_0, 1e-4)
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    seed: int = within(SEED, 0)
    start: str | None = None

    def __post_init__(self) -> None:
        """Refuse shares of more than there is."""
        super().__post_init__()
        if self.rgz_share + self.rich_share > 1:
            raise ConfigError("rgz_share and rich_share are shares of a batch; lower them.")

    def rate_at(self, step: int) -> float:
        """Give the learning rate of a step.

        >>> config = DrawnConfig(lr=1.0, warmup_steps=4, cool_from=10, cool_steps=5)
        >>> [config.rate_at(step) for step in (0, 3, 9, 10, 12, 15)]
        [0.25, 1.0, 1.0, 1.0, 0.6, 0.0]
        """
        rate = self.lr * min(1.0, (step + 1) / max(1, self.warmup_steps))
        if self.cool_from is None or step < self.cool_from:
            return rate
        return rate * max(0.0, 1 - (step - self.cool_from) / self.cool_steps)

    @classmethod
    def of_record(cls, record: dict[str, Any]) -> "DrawnConfig":
        """Read settings that were written down; early ones name no grid (32 pixels) and no spans."""
        draw = {"view_pix": 32, "spans": (1.0,)} | record.get("draw", {})
        return from_dict(cls, record | {"draw": draw})

    @property
    def end(self) -> int | None:
        """Step at which the rate has fallen to 0; ``None`` if it never falls."""
        return None if self.cool_from is None else self.cool_from + self.cool_steps

"""Settings of each method of self-supervised training.

Apart from the methods themselves, so that a command that only reads settings needs no torch. Which
method they belong to is said by the field of ``PretrainConfig`` that holds them.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from skylobe.core.ranges import FROM_0, FROM_1, SHARE, Checked, within


@dataclass(frozen=True)
class MethodSettings(Checked):
    """Settings of one method; a field of this kind in ``PretrainConfig`` is the method's row.

    The method itself is the ``Objective`` in the file of that field's name in ``learning.methods``.
    """

    title: ClassVar[str]  # as cards write it
    against_collapse: ClassVar[str]  # the field that is raised when features become constant


@dataclass(frozen=True)
class ByolConfig(MethodSettings):
    """Heads and target network of BYOL.

    Args:
        projector_hidden: Width of the projector's hidden layer.
        projection: Width of the projection.
        predictor_hidden: Width of the predictor's hidden layer.
        target_decay: τ of Eq. 1: share of the target network kept at each step.
        decay_schedule: ``constant``, or ``cosine`` from ``target_decay`` to 1.
    """

    title = "BYOL"
    against_collapse = "target_decay"
    projector_hidden: int = within(FROM_1, 512)
    projection: int = within(FROM_1, 256)
    predictor_hidden: int = within(FROM_1, 512)
    target_decay: float = within(SHARE, 0.996)
    decay_schedule: Literal["constant", "cosine"] = "constant"


@dataclass(frozen=True)
class VicregConfig(MethodSettings):
    """Expander and weights of VICReg.

    Args:
        hidden: Width of the expander's hidden layer.
        projection: Width of its output.
        similarity: Weight of the distance between views.
        variance: Weight of the missing variance.
        covariance: Weight of the covariance between dimensions.
    """

    title = "VICReg"
    against_collapse = "variance"
    hidden: int = within(FROM_1, 1024)
    projection: int = within(FROM_1, 1024)
    similarity: float = within(FROM_0, 1.0)
    variance: float = within(FROM_0, 1.0)
    covariance: float = within(FROM_0, 0.04)


@dataclass(frozen=True)
class LejepaConfig(MethodSettings):
    """Projector and regulariser of LeJEPA.

    Args:
        hidden: Width of the projector's hidden layer.
        projection: Width of its output.
        n_directions: Directions along which a batch is compared with a Gaussian, new at each step.
        regulariser: λ: weight of that comparison; the distance between views weighs 1 − λ.
    """

    title = "LeJEPA"
    against_collapse = "regulariser"
    hidden: int = within(FROM_1, 512)
    projection: int = within(FROM_1, 64)
    n_directions: int = within(FROM_1, 256)
    regulariser: float = within(SHARE, 0.05)

"""Settings of the fast budget, of predictions, and of the curve that an evaluation may draw."""

from dataclasses import dataclass
from typing import Any, Literal

from skylobe.core.ranges import ABOVE_0, BETWEEN, FROM_1, SEED, Checked, within
from skylobe.models.settings import DEFAULT_MODEL


@dataclass(frozen=True)
class AdaptConfig(Checked):
    """The fast budget: one linear layer on a frozen encoder.

    Args:
        method: ``discriminant``: linear discriminant analysis with shrunk covariance
            (``scores.discriminant``), which has nothing to tune; ``logistic`` regression or ``ridge``,
            their strength chosen by cross-validation. One source per class goes to ``logistic``.
        with_measures: Put the measures of shape (``images.morphology``) behind the embedding.
        n_views: 1, or 8 to average over the dihedral views.
        seed: Of the folds.
    """

    method: Literal["discriminant", "logistic", "ridge"] = "discriminant"
    with_measures: bool = True
    n_views: Literal[1, 8] = 8
    seed: int = within(SEED, 0)


@dataclass(frozen=True)
class PredictSettings(Checked):
    """How sources are classified, and how that is written.

    Args:
        level: Share of sources whose true class must be in the prediction set, between 0 and 1; abstain
            marks those whose set is not one class.
        pixel_scale: Arcsec per pixel; read off each file by default.
        spreadsheet_safe: Put a ' before cells of CSV and TSV that a spreadsheet would calculate; all
            commands read them as they were.
    """

    level: float = within(BETWEEN, 0.9)
    pixel_scale: float | None = within(ABOVE_0, None, "arcsec")
    spreadsheet_safe: bool = False


@dataclass(frozen=True)
class CurveConfig(Checked):
    """A label curve beside an evaluation: errors of the fast budget with ever more labels.

    Args:
        train: Labelled images to draw labels from, or whatever ``skylobe.load`` takes.
        model: Encoder, or its name.
        n_draws: Draws of each count of labels.
    """

    train: Any
    model: Any = DEFAULT_MODEL
    n_draws: int = within(FROM_1, 5)

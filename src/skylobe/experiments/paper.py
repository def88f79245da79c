"""The paper's tables and figures as constants.

Table 6 and Figures 4 and 5 are the same trainings, tested on other sources.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A printed error.

    Args:
        mean: Per cent.
        standard_error: Per cent, over ten seeds.
    """

    mean: float
    standard_error: float


@dataclass(frozen=True)
class Row:
    """One count of labels, trained from the model and from random weights.

    Args:
        n_labels: Labels, drawn anew for each seed.
        supervised: Published error of the baseline.
        finetuned: Published error of the pre-trained model, all blocks tuned.
    """

    n_labels: int
    supervised: Published
    finetuned: Published


# Paper, Table 6: error on the 104 confident test sources of MiraBest, ten seeds, 300 epochs.
# Command: skylobe reproduce table6; on 2 cores about 30 minutes a seed with --max_images 15000.
TABLE_6 = (
    Row(36, Published(19.03, 1.39), Published(16.15, 1.00)),
    Row(72, Published(18.75, 0.73), Published(11.83, 0.11)),
    Row(145, Published(11.92, 0.50), Published(7.79, 0.76)),
    Row(291, Published(7.02, 0.63), Published(4.90, 0.53)),
    Row(437, Published(5.77, 0.54), Published(4.52, 0.52)),
    Row(583, Published(5.10, 0.29), Published(4.33, 0.36)),
    Row(656, Published(4.81, 0.16), Published(3.08, 0.35)),
    Row(729, Published(4.81, 0.16), Published(1.92, 0.25)),
)

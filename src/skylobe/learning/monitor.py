"""What is watched during pre-training: health of the features, and with labels their use."""

import math
from collections.abc import Callable

import numpy as np

from skylobe.core.errors import CollapseError
from skylobe.images.image_set import ImageSet
from skylobe.learning.settings import PretrainConfig
from skylobe.models.embed import embed
from skylobe.models.encoder import Encoder
from skylobe.models.model import Model
from skylobe.models.prepare import at_width
from skylobe.models.settings import Preprocessing
from skylobe.scores.health import effective_rank, feature_spread
from skylobe.scores.splits import cross_validated_error, nearest_neighbour_accuracy

Watch = Callable[[Encoder, int], dict[str, float]]
HEALTH_SAMPLE = 512  # images of the corpus on which spread and rank are measured


def monitor_steps(n_steps: int, every: float) -> set[int]:
    """List the steps after which the encoder is looked at; the last is always one."""
    looks = int(1 / every) if every > 0 else 0
    return {max(1, round(n_steps * every * look)) for look in range(1, looks + 1)} | {n_steps}


def refuse_collapse(values: dict[str, float], step: int, config: PretrainConfig) -> None:
    """Insist that images still get different embeddings.

    Args:
        values: What was measured; without a ``spread``, or one that is no number, nothing is insisted on.
        step: When.
        config: Gives the least spread, and what can be done about it.

    Raises:
        CollapseError: If the spread is below the least.
    """
    spread, least = values.get("spread", math.inf), config.monitor.min_spread
    if not spread < least:
        return
    own = f"{config.method}.{config.method_settings.against_collapse}"
    raise CollapseError(
        f"The features' spread is {spread:.4f} at step {step}, below {least:g}: every image gets the "
        f"same embedding. Lower train.lr, raise {own} or train.batch_size, and start in a new folder."
    )


def watching(
    corpus: ImageSet,
    preprocessing: Preprocessing,
    config: PretrainConfig,
    monitor_set: ImageSet | None,
) -> Watch:
    """Make the function that measures an encoder's health and, with labels, its use.

    Images are shown at the width of the present views: that is what the encoder knows by then.
    """
    rows = np.linspace(0, len(corpus) - 1, min(HEALTH_SAMPLE, len(corpus))).astype(int)
    sample = corpus.select(rows)
    labelled = monitor_set
    if labelled is not None and labelled.labels is not None:
        labelled = labelled.select(labelled.labels >= 0)

    def watch(encoder: Encoder, width_pix: int) -> dict[str, float]:
        model = Model("monitored", encoder, at_width(preprocessing, width_pix))
        health = embed(model, sample).vectors
        if not np.isfinite(health).all():
            return {"spread": math.nan}  # of which nothing else can be measured
        values = {"spread": feature_spread(health), "rank": effective_rank(health)}
        if labelled is not None and labelled.labels is not None:
            found = embed(model, labelled, n_views=config.monitor.n_views).vectors
            neighbours = min(config.monitor.neighbours, len(labelled) - 1)
            accuracy = nearest_neighbour_accuracy(found, labelled.labels, neighbours)
            values["knn_error"] = 100 * (1 - accuracy)
            values["probe_error"] = cross_validated_error(found, labelled.labels)
        return values

    return watch

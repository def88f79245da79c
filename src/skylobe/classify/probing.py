"""How well a few labels on frozen embeddings classify a labelled set: the measurement as one call."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from skylobe.core.ranges import FROM_1, Checked, insist, within
from skylobe.core.settings import given
from skylobe.models.embed import embed
from skylobe.models.inputs import images_for
from skylobe.models.loading import as_model, untrained
from skylobe.models.model import Model
from skylobe.scores import draws
from skylobe.scores.curves import CurvePoint, label_curves, several_networks

UNTRAINED = "untrained"
N_UNTRAINED = 5  # networks, so that one lucky set of weights decides nothing


@dataclass(frozen=True)
class ProbeSettings(Checked):
    """How a probe is made.

    Args:
        n_views: 1, or 8 to average over quarter turns and mirror images.
        n_seeds: Draws of each count of labels.
        method: logistic, or sgd as in the paper's Table 5.
        baseline: Also measure untrained encoders of the same shape, five of them in turn, with as many
            views.
    """

    n_views: Literal[1, 8] = 1
    n_seeds: int = within(FROM_1, 10)
    method: Literal["logistic", "sgd"] = "logistic"
    baseline: bool = True


def probe(
    model: Model | str | Path,
    labelled: Any,  # noqa: ANN401  (whatever datasets.load takes)
    n_labels: Sequence[int] = (36, 145),
    *,
    progress: bool = False,
    **settings: Any,  # noqa: ANN401  (the fields of ProbeSettings)
) -> dict[str, list[CurvePoint]]:
    """Measure how well a few labels on frozen embeddings classify a labelled set.

    Args:
        model: Encoder, or its name.
        labelled: ``ImageSet`` with labels, or whatever ``skylobe.load`` takes. Its published train and
            test splits are used; without them a fifth of the sources, the same for every draw, is the
            test set.
        n_labels: Counts of labels to try; all labels are always tried too.
        progress: Show a progress bar.
        **settings: ``n_views``, ``n_seeds``, ``method``, ``baseline``: the fields of ``ProbeSettings``.

    Returns:
        Errors by the name of the encoder, a point per count of labels.
    """
    asked = given(ProbeSettings, settings, "probe")
    insist(list(n_labels), "n_labels", FROM_1)
    trained = as_model(model)
    image_set = images_for(trained.preprocessing, labelled)
    draws.train_and_test(image_set)  # refuses sets that cannot be probed before embedding
    n_untrained = N_UNTRAINED if asked.baseline else 0
    named = {f"{UNTRAINED} {seed}": untrained(trained, seed) for seed in range(n_untrained)}
    vectors = {
        name: embed(one, image_set, n_views=asked.n_views, progress=progress).vectors
        for name, one in {trained.name: trained, **named}.items()
    }
    points = label_curves(image_set, vectors, n_labels, n_seeds=asked.n_seeds, method=asked.method)
    found = {trained.name: points[trained.name]}
    if named:
        found[UNTRAINED] = several_networks([points[name] for name in named])
    return found

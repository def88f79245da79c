"""A few labels to a trained classifier: the encoder's upper blocks and a head, tuned together.

The supervised baseline is the same function with ``init="random"``. Several trainings that differ in
their seed and their labels alone can run as one (``finetune_many``), with stacked parameters.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from rich.progress import track

from skylobe.classify.classifier import Classifier, unit
from skylobe.core.errors import DataError
from skylobe.core.settings import to_dict
from skylobe.core.version import versions
from skylobe.images.image_set import ImageSet
from skylobe.images.labels import labelled_sources
from skylobe.learning.labels import labels_of, split
from skylobe.learning.network import build_network
from skylobe.learning.settings import FinetuneConfig
from skylobe.learning.tuning import Best, Loop, insist_finite, resume, save
from skylobe.models.embed import embed, features
from skylobe.models.head import Head
from skylobe.models.inference import fastest
from skylobe.models.model import Model
from skylobe.models.precision import flush_denormals
from skylobe.models.prepare import prepare
from skylobe.scores.calibration import Calibration


@dataclass(frozen=True)
class Tuned:
    """What a training gives.

    Args:
        model: Encoder, tuned as far as asked for, with its preprocessing.
        head: Features to logits.
        class_names: Name of each logit.
        n_views: Views whose features are averaged when predicting.
        validation_rows: Rows of the labelled set that were kept out of the training.
        config: All settings.
    """

    model: Model
    head: Head
    class_names: tuple[str, ...]
    n_views: int
    validation_rows: NDArray[np.int64]
    config: FinetuneConfig


def finetune(
    model: Model,
    labelled: ImageSet,
    config: FinetuneConfig | None = None,
    *,
    folder: Path | None = None,
    progress: bool = False,
    stop_after: int | None = None,
) -> Tuned:
    """Train a classifier.

    Args:
        model: Where the weights and the preprocessing come from; it is not changed.
        labelled: Images with labels; those labelled −1 are left out.
        config: All settings; the default is the paper's.
        folder: Where the state is kept so that a killed training goes on; ``None`` keeps none.
        progress: Show a progress bar.
        stop_after: Stop at this step, with the state saved; ``None`` goes to the end.

    Raises:
        DataError: If the labels cannot be learnt from.
        TrainingError: If the loss is no longer a number.
        CheckpointError: If the folder holds the state of another training.

    Source: paper, Section 2.6.2 and Table 4.
    Deviation: cross-entropy of the logits, where the authors' code applies a softmax first; frozen blocks
        keep their batch statistics; ``n_blocks=None`` tunes the stem too.
    """
    config = config or FinetuneConfig()
    return _train(model, [labelled], [config], folder, progress=progress, stop_after=stop_after)[0]


def finetune_many(
    model: Model, labelled: Sequence[ImageSet], configs: Sequence[FinetuneConfig]
) -> list[Tuned]:
    """Train several classifiers as one, with stacked parameters.

    Each comes out as if it had been trained alone, up to rounding.

    Args:
        model: Where the weights and the preprocessing come from.
        labelled: One set per training, all of one length.
        configs: One per training; they differ in their seed alone.

    Raises:
        DataError: If the labels cannot be learnt from, or the sets differ in length.
    """
    plain = {repr({**to_dict(one), "seed": 0}) for one in configs}
    lengths = {len(labelled_sources(one)) for one in labelled}
    alike = len(plain) == 1 and len(lengths) == 1 and len(configs) == len(labelled)
    if not alike or configs[0].patience is not None:
        raise DataError(
            "Trainings that run as one need as many labels each, settings that differ in the seed "
            "alone and no patience; train them one by one with finetune."
        )
    return _train(model, labelled, configs, None, progress=False, stop_after=None)


@flush_denormals()
def _train(
    model: Model,
    labelled: Sequence[ImageSet],
    configs: Sequence[FinetuneConfig],
    folder: Path | None,
    *,
    progress: bool,
    stop_after: int | None,
) -> list[Tuned]:
    parts = [
        split(labelled_sources(one), config) for one, config in zip(labelled, configs, strict=True)
    ]
    n_classes = len(labelled[0].class_names)
    networks = [build_network(model, n_classes, config) for config in configs]
    loop = Loop(networks, [part.train for part in parts], model.preprocessing, configs)
    end = min(loop.plan.n_steps, stop_after or loop.plan.n_steps)
    best = Best(parts[0].validation, model.preprocessing, configs[0])
    resume(loop, best, folder)
    steps = range(loop.step, end)
    for _ in track(steps, description="Fine-tuning", disable=not progress):
        loss = loop.train_step()
        if loop.step % 50 == 0 or loop.step == end:
            insist_finite(loss, loop.step)
        done = loop.step == end or (configs[0].patience is not None and best.exhausted(loop))
        if folder is not None and (loop.step % 200 == 0 or done):
            save(loop, best, folder)
        if done:
            break
    loop.write_back()
    best.restore(networks[0])
    return [
        Tuned(
            Model(f"{model.name}, fine-tuned", network.encoder.eval(), model.preprocessing),
            network.head.eval(),
            labelled[0].class_names,
            config.n_views,
            part.held_out,
            config,
        )
        for network, config, part in zip(networks, configs, parts, strict=True)
    ]


def predict_logits(
    tuned: Tuned, image_set: ImageSet, *, batch_size: int = 256
) -> Float[np.ndarray, "source class"]:
    """Give each image its logits, features averaged over ``tuned.n_views`` views first."""
    device = next(tuned.head.parameters()).device
    encoder = fastest(tuned.model.encoder)
    parts = []
    for batch in image_set.images.split(batch_size):
        images = prepare(
            batch.to(device), tuned.model.preprocessing, pixel_scale=image_set.pixel_scale
        )
        found = features(encoder, images, n_views=tuned.n_views)
        with torch.inference_mode():
            parts.append(tuned.head(found).cpu())
    return torch.cat(parts).numpy()


def as_classifier(tuned: Tuned, labelled: ImageSet) -> Classifier:
    """Add calibration and reference to a training, to use it on other images.

    The calibration is learnt from the labels that were kept out; without them the probabilities stay as
    they are and every source is abstained from.

    Args:
        tuned: The training.
        labelled: The set it was trained on.
    """
    known = labelled_sources(labelled)
    kept_in = np.setdiff1d(np.arange(len(known)), tuned.validation_rows)
    calibration = Calibration()
    if len(tuned.validation_rows):
        held_out = known.select(tuned.validation_rows)
        calibration = Calibration.fit(predict_logits(tuned, held_out), labels_of(held_out))
    reference = embed(tuned.model, known.select(kept_in), n_views=tuned.n_views).vectors
    return Classifier(
        model=tuned.model,
        head=copy.deepcopy(tuned.head).cpu(),
        class_names=tuned.class_names,
        n_views=tuned.n_views,
        with_measures=False,
        calibration=calibration,
        reference=unit(reference),
        provenance={
            "data": labelled.name,
            "labels": len(kept_in),
            "held_out": len(tuned.validation_rows),
            "config": to_dict(tuned.config),
            "versions": versions(),
        },
    )

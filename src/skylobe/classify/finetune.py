"""A few labels to a trained classifier: the encoder's upper blocks and a head, tuned together.

The supervised baseline is the same function with ``init="random"``. Several trainings that differ in
their seed and their labels alone can run as one (``finetune_many``), with stacked parameters.
"""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.progress import Progress

from skylobe.classify.classifier import Classifier
from skylobe.core.errors import DataError
from skylobe.core.settings import to_dict
from skylobe.core.vectors import as_unit
from skylobe.core.version import versions
from skylobe.images.cutting import fitted
from skylobe.images.image_set import ImageSet
from skylobe.images.labels import labelled_sources
from skylobe.learning.labels import Parts, labels_of, split
from skylobe.learning.network import Network, build_network
from skylobe.learning.running import run
from skylobe.learning.stopping import Best
from skylobe.learning.tuning import CHECK_EVERY, Loop
from skylobe.learning.tuning_settings import FinetuneConfig
from skylobe.models.embed import embed
from skylobe.models.model import Model
from skylobe.models.precision import flush_denormals
from skylobe.scores.calibration import Calibration


def finetune(
    model: Model,
    labelled: ImageSet,
    config: FinetuneConfig | None = None,
    *,
    folder: Path | None = None,
    progress: bool = False,
    stop_after: int | None = None,
) -> Classifier:
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
) -> list[Classifier]:
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
) -> list[Classifier]:
    known = [labelled_sources(fitted(one, model.preprocessing.scaling)) for one in labelled]
    parts = [split(one, config) for one, config in zip(known, configs, strict=True)]
    n_classes = len(labelled[0].class_names)
    networks = [build_network(model, n_classes, config) for config in configs]
    best = Best(parts[0].validation, model.preprocessing, configs[0])
    sets = [part.train for part in parts]
    loop = Loop(networks, sets, model.preprocessing, configs, best, folder)
    loop.resume()
    with _progress(loop, shown=progress):
        end = min(loop.plan.n_steps, stop_after or loop.plan.n_steps)
        run(loop, end=end, check_every=CHECK_EVERY)
    loop.write_back()
    best.restore(networks[0])
    return [_as_classifier(model, *each) for each in zip(networks, parts, configs, strict=True)]


@contextmanager
def _progress(loop: Loop, *, shown: bool) -> Iterator[None]:
    with Progress(disable=not shown) as bar:
        task = bar.add_task("Fine-tuning", total=loop.plan.n_steps, completed=loop.step)
        loop.show = lambda step: bar.update(task, completed=step)
        yield


def _as_classifier(
    model: Model, network: Network, part: Parts, config: FinetuneConfig
) -> Classifier:
    """Add calibration and reference to what was trained.

    The calibration is learnt from the labels that were kept out; without them the probabilities stay as
    they are and every source is abstained from.
    """
    tuned = Model(f"{model.name}, fine-tuned", network.encoder.eval(), model.preprocessing)
    classifier = Classifier(
        model=tuned,
        head=copy.deepcopy(network.head.eval()).cpu(),
        class_names=part.train.class_names,
        n_views=config.n_views,
        with_measures=False,
        calibration=Calibration(),
        reference=as_unit(embed(tuned, part.train, n_views=config.n_views).vectors),
        provenance={
            "data": part.train.name,
            "labels": len(part.train),
            "held_out": len(part.held_out),
            "config": to_dict(config),
            "versions": versions(),
        },
    )
    if part.validation is None:
        return classifier
    logits = classifier.logits(classifier.vectors(part.validation))
    return replace(classifier, calibration=Calibration.fit(logits, labels_of(part.validation)))

"""Trainings to outcomes: each is done once, kept, and looked up when it is asked for again.

An outcome holds the logits of every test source, so that errors, calibration and abstention can be counted
later, each test set on its own.
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import compress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from skylobe.classify.adapt import adapt_vectors
from skylobe.classify.classifier import Classifier, Vectors, describe
from skylobe.classify.finetune import finetune, finetune_many
from skylobe.classify.settings import AdaptConfig
from skylobe.core import storage
from skylobe.core.fingerprints import fingerprint
from skylobe.core.settings import to_dict
from skylobe.experiments.outcome import Outcome, hardware
from skylobe.images.image_set import ImageSet
from skylobe.images.labels import labelled_sources
from skylobe.learning.tuning_settings import FinetuneConfig
from skylobe.models.model import Model, weights_fingerprint

LEVEL = 0.9  # of the conformal sets


@dataclass(frozen=True)
class Training:
    """A classifier to be made and tested.

    Args:
        row: Row of the table that it belongs to.
        arm: Column.
        model: Where weights and preprocessing come from.
        labelled: Labels it sees.
        config: Its settings; the fast budget's or those of a fine-tuning.
        tests: Test sets by name; a source labelled −1 is classified but never counted.
    """

    row: str
    arm: str
    model: Model
    labelled: ImageSet
    config: FinetuneConfig | AdaptConfig
    tests: Mapping[str, ImageSet]

    @property
    def epochs(self) -> float:
        """Passes over the labels; 0 for the fast budget."""
        return self.config.epochs if isinstance(self.config, FinetuneConfig) else 0.0

    def key(self) -> str:
        """Hash all that decides the outcome: settings, weights, data."""
        record = {
            "kind": type(self.config).__name__,
            "config": to_dict(self.config),
            "weights": weights_fingerprint(self.model),
            "preprocessing": to_dict(self.model.preprocessing),
            "sets": [_contents(one) for one in (self.labelled, *self.tests.values())],
        }
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:24]


class Memory:
    """Vectors of images by frozen encoders, each made once however often the image is drawn."""

    def __init__(self) -> None:
        self.vectors: dict[tuple[object, ...], NDArray[np.float32]] = {}

    def describe(self, model: Model, image_set: ImageSet, config: AdaptConfig) -> Vectors:
        """Give what ``classifier.describe`` gives."""
        kind = (weights_fingerprint(model), config.n_views, config.with_measures)
        scale = image_set.pixel_scale
        names = [
            (*kind, scale, hashlib.sha256(one.numpy().tobytes()).digest())
            for one in image_set.images
        ]
        new = [row for row, name in enumerate(names) if name not in self.vectors]
        if new:
            made = describe(
                model,
                image_set.select(new),
                n_views=config.n_views,
                with_measures=config.with_measures,
            )
            self.vectors |= {names[row]: one for row, one in zip(new, made, strict=True)}
        return np.stack([self.vectors[name] for name in names])


def run(
    trainings: Sequence[Training],
    cache: Path,
    *,
    together: bool = False,
    remember: bool = True,
    finished_only: bool = False,
    progress: bool = False,
) -> list[Outcome]:
    """Do the trainings that are not in the cache.

    Args:
        trainings: In the order in which they are done.
        cache: Folder of finished trainings.
        together: Do fine-tunings of a cell, which differ in seed and labels alone, as one.
        remember: Describe each image once for all trainings of the fast budget; without it each
            training's seconds are those of a user's first.
        finished_only: Train nothing and give the outcomes that are in the cache.
        progress: Show a progress bar.
    """
    kept = [cache / f"{one.key()}.json" for one in trainings]
    if finished_only:
        found = [path.exists() for path in kept]
        trainings, kept = list(compress(trainings, found)), list(compress(kept, found))
    todo = [one for one, path in zip(trainings, kept, strict=True) if not path.exists()]
    groups = _alike(todo) if together else [[one] for one in todo]
    memory = Memory()
    for group in track(groups, description="Training", disable=not progress):
        for training, outcome in zip(
            group, _do(group, memory if remember else Memory()), strict=True
        ):
            storage.write_json(cache / f"{training.key()}.json", asdict(outcome))
    outcomes = [Outcome(**json.loads(path.read_text(encoding="utf-8"))) for path in kept]
    # a training shared by two tables keeps the row and column of the first in its file
    return [
        replace(outcome, row=one.row, arm=one.arm)
        for outcome, one in zip(outcomes, trainings, strict=True)
    ]


def _alike(trainings: Sequence[Training]) -> list[list[Training]]:
    """Group the trainings that can run as one, in the order of their first."""
    groups: dict[str, list[Training]] = {}
    for one in trainings:
        kind = [one.row, one.arm, len(one.labelled), to_dict(one.config) | {"seed": 0}]
        groups.setdefault(json.dumps(kind), []).append(one)
    return list(groups.values())


def _do(group: Sequence[Training], memory: Memory) -> list[Outcome]:
    """Make the classifiers of a group, timed, and test each."""
    started = time.monotonic()
    made = _make(group, memory)
    seconds = (time.monotonic() - started) / len(group)
    return [_test(*pair, seconds, memory) for pair in zip(group, made, strict=True)]


def _make(group: Sequence[Training], memory: Memory) -> list[Classifier]:
    model, sets = group[0].model, [labelled_sources(one.labelled) for one in group]
    tuning = [one.config for one in group if isinstance(one.config, FinetuneConfig)]
    if len(tuning) > 1:
        return finetune_many(model, sets, tuning)
    if tuning:
        return [finetune(model, sets[0], tuning[0])]
    return [
        adapt_vectors(model, one, memory.describe(model, one, training.config), training.config)
        for training, one in zip(group, sets, strict=True)
        if isinstance(training.config, AdaptConfig)
    ]


def _test(training: Training, classifier: Classifier, seconds: float, memory: Memory) -> Outcome:
    logits, labels, novelty = {}, {}, {}
    config = training.config
    for name, test in training.tests.items():
        if isinstance(config, AdaptConfig):
            vectors = memory.describe(training.model, test, config)
        else:
            vectors = classifier.vectors(test)
        logits[name] = np.round(classifier.logits(vectors).astype(float), 4).tolist()
        novelty[name] = np.round(classifier.novelty(vectors).astype(float), 3).tolist()
        labels[name] = [-1] * len(test) if test.labels is None else test.labels.tolist()
    calibration = classifier.calibration
    return Outcome(
        row=training.row,
        arm=training.arm,
        seed=config.seed,
        n_labels=len(training.labelled),
        epochs=training.epochs,
        seconds=round(seconds, 2),
        hardware=hardware(),
        temperature=calibration.temperature,
        threshold=calibration.threshold(LEVEL),
        logits=logits,
        labels=labels,
        novelty=novelty,
        doubt=calibration.doubt,
    )


def _contents(image_set: ImageSet) -> str:
    """Hash images, their order and their labels."""
    labels = b"" if image_set.labels is None else image_set.labels.tobytes()
    return hashlib.sha256(fingerprint(image_set.images).encode() + labels).hexdigest()[:24]

"""Rows of a table to trainings to numbers; finished trainings are kept, so that a stopped run goes on."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from skylobe.checkpoint import Model, write_json
from skylobe.config import FinetuneConfig, to_dict
from skylobe.errors import ConfigError
from skylobe.experiments.paper import TABLE_6, Published, Row
from skylobe.finetuning import finetune, finetune_many, predict_logits
from skylobe.pretraining import fingerprint
from skylobe.probe import clopper_pearson, stratified_rows
from skylobe.records import ImageSet

Init = Literal["model", "random"]
INITS: tuple[Init, ...] = ("random", "model")


@dataclass(frozen=True)
class Outcome:
    """What one training did.

    Args:
        n_labels: Labels used.
        init: ``model``, or ``random`` for the baseline.
        seed: Of everything.
        epochs: Passes over the labels.
        errors: Wrong sources of each test set by its name.
    """

    n_labels: int
    init: str
    seed: int
    epochs: float
    errors: dict[str, int]


@dataclass(frozen=True)
class LabelExperiment:
    """Table 6 with its sets and settings.

    Args:
        model: What is fine-tuned; the baseline has its shape.
        train: Labelled sources to draw from.
        tests: Test sets by name, each counted on its own.
        config: Settings of every training but labels, start and seed.
        seeds: One training each.
        max_images: Images a training may see; more labels then get fewer epochs. ``None`` sets no limit.
        together: Train the seeds of a row as one, with stacked parameters: for a GPU.
    """

    model: Model
    train: ImageSet
    tests: dict[str, ImageSet]
    config: FinetuneConfig
    seeds: Sequence[int]
    max_images: int | None = None
    together: bool = False

    def run(self, rows: Sequence[Row], cache: Path) -> list[Outcome]:
        """Do the trainings that are not in the cache, seed after seed.

        Args:
            rows: Counts of labels.
            cache: Folder of finished trainings.
        """
        outcomes = []
        batches = [tuple(self.seeds)] if self.together else [(seed,) for seed in self.seeds]
        for seeds in batches:
            for row in rows:
                for init in INITS:
                    outcomes += self._train(row.n_labels, init, seeds, cache)
        return outcomes

    def settings(self, n_labels: int, init: Init, seed: int) -> FinetuneConfig:
        """Give the settings of one training."""
        epochs = self.config.epochs
        if self.max_images is not None:
            epochs = min(epochs, self.max_images / n_labels)
        return replace(self.config, init=init, seed=seed, epochs=epochs)

    def _train(self, n_labels: int, init: Init, seeds: Sequence[int], cache: Path) -> list[Outcome]:
        configs = [self.settings(n_labels, init, seed) for seed in seeds]
        paths = [cache / f"{self._key(n_labels, config)}.json" for config in configs]
        if not all(path.exists() for path in paths):
            sets = [self._draw(n_labels, seed) for seed in seeds]
            if len(seeds) > 1:
                tuned = finetune_many(self.model, sets, configs)
            else:
                tuned = [finetune(self.model, sets[0], configs[0])]
            for path, one, config in zip(paths, tuned, configs, strict=True):
                errors = {
                    name: int((predict_logits(one, test).argmax(1) != test.labels).sum())
                    for name, test in self.tests.items()
                }
                outcome = Outcome(n_labels, init, config.seed, config.epochs, errors)
                write_json(path, asdict(outcome))
        return [Outcome(**json.loads(path.read_text(encoding="utf-8"))) for path in paths]

    def _draw(self, n_labels: int, seed: int) -> ImageSet:
        assert self.train.labels is not None
        return self.train.select(stratified_rows(self.train.labels, n_labels, seed=seed))

    def _key(self, n_labels: int, config: FinetuneConfig) -> str:
        """Hash all that decides an outcome: settings, weights, data."""
        weights = hashlib.sha256()
        for one in self.model.encoder.state_dict().values():
            weights.update(one.cpu().numpy().tobytes())
        record = {
            "n_labels": n_labels,
            "config": to_dict(config),
            "weights": weights.hexdigest(),
            "preprocessing": to_dict(self.model.preprocessing),
            "sets": [fingerprint(one.images) for one in (self.train, *self.tests.values())],
        }
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:24]


def choose_rows(labels: Sequence[int] | None) -> list[Row]:
    """Pick the rows of Table 6 with these counts of labels; ``None`` picks all.

    Raises:
        ConfigError: If the table has no such row.
    """
    known = {row.n_labels: row for row in TABLE_6}
    unknown = sorted(set(labels or ()) - set(known))
    if unknown:
        counts = ", ".join(map(str, known))
        raise ConfigError(f"Table 6 has no row of {unknown[0]} labels; choose from {counts}.")
    return [known[one] for one in labels] if labels is not None else list(TABLE_6)


def tabulate(
    outcomes: Sequence[Outcome], rows: Sequence[Row], test: str, n_test: int, *, published: bool
) -> str:
    """Make a Markdown table: both errors, their paired difference, and what was published.

    Args:
        outcomes: Of ``LabelExperiment.run``.
        rows: Its rows.
        test: Name of the test set.
        n_test: Its sources.
        published: Add the printed values, which are of this test set.
    """
    heads = ["labels", "epochs", "seeds", "supervised", "fine-tuned", "fine-tuned − supervised"]
    heads += ["95 % interval, fine-tuned"]
    heads += ["published: supervised", "published: fine-tuned"] if published else []
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in rows:
        found = {
            init: {
                one.seed: 100 * one.errors[test] / n_test
                for one in outcomes
                if (one.n_labels, one.init) == (row.n_labels, init)
            }
            for init in INITS
        }
        epochs = next(one.epochs for one in outcomes if one.n_labels == row.n_labels)
        supervised, finetuned = (np.array(list(found[init].values())) for init in INITS)
        mean_errors = round(finetuned.mean() / 100 * n_test)
        low, high = clopper_pearson(mean_errors, n_test)
        cells = [f"{row.n_labels}", f"{epochs:.0f}", f"{len(finetuned)}"]
        cells += [_spread(one) for one in (supervised, finetuned, finetuned - supervised)]
        cells.append(f"{low:.1f}–{high:.1f}")
        cells += [_printed(row.supervised), _printed(row.finetuned)] if published else []
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _spread(values: np.ndarray) -> str:
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{values.mean():.2f} ± {values.std(ddof=1) / len(values) ** 0.5:.2f}"


def _printed(one: Published) -> str:
    return f"{one.mean:.2f} ± {one.standard_error:.2f}"

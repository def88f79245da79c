"""The whole line once, on real galaxies: fetch, embed, probe, search, and one page that shows it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console

from skylobe.core import pages, plotting
from skylobe.core.version import versions
from skylobe.images import datasets
from skylobe.images.image_set import ImageSet
from skylobe.models.embed import embed
from skylobe.models.embeddings import Embeddings
from skylobe.models.loading import load_model, untrained
from skylobe.models.model import Model
from skylobe.models.settings import DEFAULT_MODEL
from skylobe.scores import curve_figures, figures
from skylobe.scores.curves import CurvePoint, label_curves
from skylobe.scores.draws import train_and_test
from skylobe.scores.probe import fit_probe
from skylobe.search import similarity
from skylobe.search.exact import Index

LABELS_PER_CLASS = (10, 30, 100)
QUERY_CLASS = "Bent"
N_NEIGHBOURS = 11  # with the query, two rows of six


@dataclass
class Stopwatch:
    """Seconds that each part of the work took, told as they pass."""

    console: Console
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, task: str) -> Iterator[None]:
        """Say what is being done, then how long it took."""
        started = time.monotonic()
        with self.console.status(f"{task} …"):
            yield
        self.seconds[task] = time.monotonic() - started
        self.console.print(f"{task}: {self.seconds[task]:.1f} s", highlight=False)


@dataclass(frozen=True)
class Findings:
    """What the report shows.

    Args:
        image_set: The galaxies.
        model: The model that was tried.
        curves: Label curves by model name.
        truth: Class of each test source.
        predicted: Class that all labels together predict for it.
        found: One source and its neighbours.
        precision: Share of the neighbours of every source of the query's class that are of that
            class too, by model name.
        n_views: Views averaged in each embedding.
        seconds: Of each part of the work.
    """

    image_set: ImageSet
    model: Model
    curves: dict[str, list[CurvePoint]]
    truth: np.ndarray
    predicted: np.ndarray
    found: similarity.Found
    precision: dict[str, float]
    n_views: int
    seconds: dict[str, float]


def run(out: Path, model: str = DEFAULT_MODEL, *, n_views: int = 8, n_seeds: int = 5) -> Findings:
    """Do everything on ``first_galaxies`` and write the report.

    Args:
        out: HTML file to write.
        model: Name of a shipped model, a model folder, or user/name on the model hub.
        n_views: 1, or 8 to average over quarter turns and mirror images.
        n_seeds: Draws of each count of labels.
    """
    watch = Stopwatch(Console())
    with watch.time("Fetching first_galaxies"):
        image_set = datasets.load("first_galaxies")
    with watch.time(f"Loading {model}"):
        trained = load_model(model)
    embedded = {}
    for one in (trained, untrained(trained)):
        with watch.time(f"Embedding {len(image_set)} images, {one.name}"):
            embedded[one.name] = embed(one, image_set, n_views=n_views)
    with watch.time("Probing with 10, 30, 100 and all labels per class"):
        vectors = {name: found.vectors for name, found in embedded.items()}
        curves = label_curves(image_set, vectors, LABELS_PER_CLASS, per_class=True, n_seeds=n_seeds)
        truth, predicted = _predict(image_set, embedded[trained.name])
    with watch.time("Searching from one bent source"):
        found, precision = _search(image_set, embedded, trained)
    findings = Findings(
        image_set, trained, curves, truth, predicted, found, precision, n_views, watch.seconds
    )
    with watch.time("Writing the report"):
        write_report(findings, out)
    return findings


def _predict(image_set: ImageSet, embeddings: Embeddings) -> tuple[np.ndarray, np.ndarray]:
    """Classify the test split with all labels of the training split."""
    train, test = train_and_test(image_set)
    assert image_set.labels is not None
    probe = fit_probe(embeddings.vectors[train], image_set.labels[train])
    return image_set.labels[test], probe.predict(embeddings.vectors[test])


def _search(
    image_set: ImageSet, embedded: dict[str, Embeddings], model: Model
) -> tuple[similarity.Found, dict[str, float]]:
    """Search from the first test source of the query class, and from all of that class."""
    assert image_set.labels is not None
    labels = image_set.labels
    wanted = image_set.class_names.index(QUERY_CLASS)
    every = np.flatnonzero(labels == wanted)
    precision = {}
    for name, embeddings in embedded.items():
        near = Index(embeddings).search(embeddings.vectors[every], N_NEIGHBOURS + 1)
        precision[name] = float(np.mean(labels[near.rows[:, 1:]] == wanted))
    _, test = train_and_test(image_set)
    query = str(image_set.source_ids[test[labels[test] == wanted][0]])
    found = similarity.search(image_set, embedded[model.name], query, model, N_NEIGHBOURS)
    return found, precision


def write_report(findings: Findings, out: Path) -> Path:
    """Write one HTML file that needs no other."""
    labels, names = findings.image_set.labels, findings.image_set.class_names
    assert labels is not None
    near = labels[findings.found.neighbours.rows[0]]
    return pages.write(
        "experiments/quickstart.html.j2",
        out,
        findings=findings,
        counts={name: int((labels == number).sum()) for number, name in enumerate(names)},
        query_class=QUERY_CLASS,
        query_id=findings.found.query.source_ids[0],
        alike=int((near == names.index(QUERY_CLASS)).sum()),
        share=float(np.mean(labels == names.index(QUERY_CLASS))),
        corpus=findings.model.provenance.get("corpus", {}),
        versions=versions(),
        figures={name: plotting.to_data_uri(draw(findings)) for name, draw in FIGURES.items()},
    )


def _draw_curve(findings: Findings) -> Figure:
    return curve_figures.label_curve(findings.curves, n_classes=len(findings.image_set.class_names))


def _draw_confusion(findings: Findings) -> Figure:
    return figures.confusion_matrix(
        findings.truth, findings.predicted, findings.image_set.class_names
    )


def _draw_gallery(findings: Findings) -> Figure:
    return similarity.draw_gallery(findings.image_set, findings.found)


FIGURES: dict[str, Callable[[Findings], Figure]] = {
    "curve": _draw_curve,
    "confusion": _draw_confusion,
    "gallery": _draw_gallery,
}

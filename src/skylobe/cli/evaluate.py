"""Commands that measure: label curves, a classifier on labelled sources, the paper's tables."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from skylobe.cli import terminal
from skylobe.cli.options import Options, loaded
from skylobe.models.settings import DEFAULT_MODEL

if TYPE_CHECKING:
    from skylobe.classify.settings import CurveConfig
    from skylobe.experiments.registry import Name


def probe_command(
    data: str,
    model: str = DEFAULT_MODEL,
    n_labels: Sequence[int] = (36, 145),
    n_views: Literal[1, 8] = 1,
    n_seeds: int = 10,
    method: Literal["logistic", "sgd"] = "logistic",
    baseline: bool = True,
    options: Options | None = None,
    out: Path | None = None,
) -> None:
    """Measure how well a few labels on frozen embeddings classify a labelled set.

    Args:
        data: Labelled set. Its published train and test splits are used; without them a fifth of
            the sources, the same for every draw, is the test set.
        model: Name of a shipped model, a model folder, or user/name on the model hub.
        n_labels: Counts of labels to try; all labels are always tried too.
        n_views: 1, or 8 to average over quarter turns and mirror images.
        n_seeds: Draws of each count of labels.
        method: logistic, or sgd as in the paper's Table 5.
        baseline: Also measure untrained encoders of the same shape, five of them in turn, with as many
            views.
        options: Of the set, such as --options.subset confident.
        out: CSV file to write the same numbers to.
    """
    from skylobe.classify import probing
    from skylobe.models.loading import as_model
    from skylobe.scores.curves import write_curves

    encoder = as_model(model)
    images = loaded(data, options, model=encoder)
    curves = probing.probe(
        encoder, images, n_labels, progress=True, n_views=n_views, n_seeds=n_seeds, method=method,
        baseline=baseline,
    )  # fmt: skip
    console = Console()
    console.print(terminal.errors(curves))
    console.print(
        "Per cent of the test set. ± is the standard error over draws of labels; the interval "
        "(95 %) is that of a test set of this size.",
        soft_wrap=True,
        highlight=False,
    )
    if out is not None:
        write_curves(out, curves)
        console.print(f"Numbers: {out}", soft_wrap=True)


def evaluate_command(
    classifier: Path,
    data: str,
    split: str | None = None,
    options: Options | None = None,
    level: float = 0.9,
    seen: Literal["refuse", "leave_out", "count"] = "refuse",
    allow_missing: bool = False,
    train: str | None = None,
    train_split: str | None = None,
    train_options: Options | None = None,
    model: str = DEFAULT_MODEL,
    n_draws: int = 5,
    out: Path | None = None,
    scores: Path | None = None,
    spreadsheet_safe: bool = False,
    *,
    typed: str = "",
) -> None:
    """Score a classifier on labelled sources: errors, calibration, abstentions, and a run report.

    Args:
        classifier: Folder written by skylobe finetune.
        data: Labelled set to test on: name of a data set, or a table of your own.
        split: train, validation or test; all labelled sources by default.
        options: Of the set, such as --options.subset confident.
        level: Share of sources whose true class must be in the prediction set.
        seen: What to do if the classifier was trained on images of the set: refuse it, leave these
            out, or count them like the others and say so.
        allow_missing: Score the set although it has no source of some class.
        train: Labelled set from which the label curve of the fast budget draws; none by default.
        train_split: train, validation or test of that set.
        train_options: Of that set.
        model: Encoder of the label curve: name of a shipped model, or a model folder.
        n_draws: Draws of each count of labels of the curve.
        out: HTML page to write; it needs no other file.
        scores: CSV file to write: a row per source with its classes, probabilities and novelty.
        spreadsheet_safe: Put a ' before cells of CSV and TSV that a spreadsheet would calculate; all
            commands read them as they were.
        typed: The command as it was typed, for the report.
    """
    import skylobe
    from skylobe.classify import decide, evaluating

    made = evaluating.as_classifier(classifier)
    images = loaded(data, options, split, made.model)
    curve = None
    if train is not None:
        curve = _curve(train, train_options, train_split, model, n_draws)
    found = skylobe.evaluate(
        made, images, level=level, seen=seen, allow_missing=allow_missing, curve=curve
    )
    terminal.evaluation(found)
    if scores is not None:
        decide.write_decisions(scores, found.decisions, spreadsheet_safe=spreadsheet_safe)
        terminal.say(f"Sources: {scores}")
    if out is not None:
        asked = {"data": data, "split": split or "all", "level": f"{level:g}", "seen": seen}
        asked |= {name: str(one) for name, one in (options or {}).items()}
        evaluating.write_report(found, out, asked, typed)
        terminal.say(f"Report: {out.resolve()}")


def _curve(
    train: str, options: Options | None, split: str | None, model: str, n_draws: int
) -> "CurveConfig":
    """Load what a label curve is drawn from."""
    from skylobe.classify.settings import CurveConfig
    from skylobe.models.loading import as_model

    encoder = as_model(model)
    return CurveConfig(loaded(train, options, split, encoder), encoder, n_draws)


def reproduce_command(
    experiment: "Name",
    model: str = DEFAULT_MODEL,
    seeds: int = 10,
    labels: Sequence[int] | None = None,
    max_images: int | None = None,
    tiny: bool = False,
    finished_only: bool = False,
    out: Path | None = None,
    *,
    typed: str = "",
) -> None:
    """Repeat a table or figure of the paper, every test set counted on its own; a stopped run goes on.

    Args:
        experiment: table6 (with figure4 and figure5), table7, figure6, figure7, timings (Section 3.5), or
            cross_validation over all confident MiraBest sources.
        model: Name of a shipped model, a model folder, or user/name on the model hub.
        seeds: Trainings per cell; repeats of the folds for cross_validation.
        labels: Rows, by their count of labels; all by default.
        max_images: Images that a training may see; rows of many labels then get fewer epochs.
        finished_only: Train nothing and report what an earlier or running command has finished.
        tiny: One seed and a few steps of each training, to see that everything works.
        out: Markdown file whose section of this name is written, or replaced; its figures go into the
            folder figures beside it.
        typed: The command as it was typed, for the section.
    """
    import torch

    import skylobe
    from skylobe.core import pages, plotting
    from skylobe.experiments import reproducing
    from skylobe.experiments.registry import ROOMS
    from skylobe.experiments.scale import TINY_IMAGES, Scale

    scale = Scale(seeds, None if labels is None else tuple(labels), max_images)
    if tiny:
        scale = Scale(1, scale.labels, TINY_IMAGES)
    title, report = reproducing.reproduce(
        experiment,
        skylobe.load_model(model),
        scale,
        together=torch.cuda.is_available(),
        finished_only=finished_only,
        progress=True,
    )
    terminal.say(report.text)
    if out is not None:
        for name, figure in report.figures.items():
            plotting.save(figure, out.parent / "figures" / f"{name}.png")
        shown = [f"![{name}](figures/{name}.png)" for name in report.figures]
        text = "\n\n".join([f"## {title}", f"Command: `{typed}`", report.text, *shown])
        pages.write_section(out, ROOMS[experiment], text)

"""What each command does: it loads, calls the function that does the work, and prints.

Nothing is computed here. Modules that need torch are imported inside the functions, so that
``skylobe --help``, which is made from these signatures and docstrings, is quick.
"""

import inspect
import json
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console

from skylobe import terminal
from skylobe.config import FinetuneConfig, PretrainConfig, to_dict

if TYPE_CHECKING:
    from skylobe.experiments import Name

Options = dict[str, Any]  # of a data set, as datasets.load takes them


def fetch(name: str, root: Path | None = None, options: Options | None = None) -> None:
    """Make a data set available in the cache and count what it holds.

    Args:
        name: Name of the set, such as mirabest, first_galaxies, frdeep; or a table of your own.
        root: Folder searched first.
        options: Of the set, such as --options.subset confident.
    """
    from skylobe import datasets

    image_set = datasets.load(name, root=root, **(options or {}))
    console = Console()
    height, width = image_set.images.shape[2:]
    console.print(
        f"{image_set.name}: {len(image_set):,} images of {height}×{width} pixels, "
        f"{image_set.survey}",
        soft_wrap=True,
        highlight=False,
    )
    console.print(terminal.counts(image_set))
    console.print(f"Cite: {image_set.citation or 'unknown'}", soft_wrap=True)
    console.print(f"Licence: {image_set.licence or 'unknown'}", soft_wrap=True)


def pretrain(
    corpus: str,
    out: Path,
    *,
    config: PretrainConfig,
    monitor_set: str | None = None,
    corpus_options: Options | None = None,
    monitor_options: Options | None = None,
    name: str | None = None,
) -> None:
    """Pre-train an encoder on unlabelled images; the same command again goes on where it stopped.

    Args:
        corpus: Images to train on: name of a data set, or a table of your own.
        out: Folder of the run; the model is written to its subfolder model.
        config: All settings of the run.
        monitor_set: Labelled set on which a linear probe and nearest neighbours are tried now and
            then; no source of it may be in the corpus.
        corpus_options: Of the corpus, such as --corpus_options.n_sources 1000.
        monitor_options: Of the labelled set, such as --monitor_options.subset confident.
        name: Name of the model; the folder's by default.
    """
    from skylobe import datasets, pretraining
    from skylobe.precision import flush_denormals

    with flush_denormals():
        watched = None
        if monitor_set is not None:
            watched = datasets.load(monitor_set, **(monitor_options or {}))
        images = datasets.load(corpus, **(corpus_options or {}))
        pretraining.pretrain(images, out, config, monitor_set=watched, name=name)
    Console().print(f"Model: {out / 'model'}", soft_wrap=True)


def embed_set(
    data: str,
    out: Path,
    model: str = "skylobe-fast",
    split: str | None = None,
    n_views: Literal[1, 8] = 1,
    options: Options | None = None,
) -> None:
    """Give each source of a data set its embedding, as a Parquet table.

    Args:
        data: Name of a data set, or a table of your own.
        out: Parquet file to write: source_id, embedding, and label, ra, dec where known.
        model: Name of a shipped model, or a model folder.
        split: train, validation or test; all sources by default.
        n_views: 1, or 8 to average over quarter turns and mirror images.
        options: Of the set, such as --options.subset confident.
    """
    from skylobe import checkpoint, datasets, embedding, results

    image_set = datasets.load(data, split=split, **(options or {}))
    loaded = checkpoint.load_model(model, device=_device())
    embeddings = embedding.embed(loaded, image_set, n_views=n_views, progress=True)
    results.write_embeddings(out, embeddings, image_set)
    width = embeddings.vectors.shape[1]
    Console().print(f"{len(embeddings)} embeddings of {width} features: {out}", soft_wrap=True)


def probe(
    data: str,
    model: str = "skylobe-fast",
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
        model: Name of a shipped model, or a model folder.
        n_labels: Counts of labels to try; all labels are always tried too.
        n_views: 1, or 8 to average over quarter turns and mirror images.
        n_seeds: Draws of each count of labels.
        method: logistic, or sgd as in the paper's Table 5.
        baseline: Also measure an untrained encoder of the same shape, with as many views.
        options: Of the set, such as --options.subset confident.
        out: CSV file to write the same numbers to.
    """
    from skylobe import checkpoint, datasets, embedding, evaluation, results

    image_set = datasets.load(data, **(options or {}))
    evaluation.train_and_test(image_set)  # refuses sets that cannot be probed before embedding
    trained = checkpoint.load_model(model, device=_device())
    models = [trained, evaluation.untrained(trained)] if baseline else [trained]
    vectors = {
        one.name: embedding.embed(one, image_set, n_views=n_views, progress=True).vectors
        for one in models
    }
    curves = evaluation.label_curves(image_set, vectors, n_labels, n_seeds=n_seeds, method=method)
    console = Console()
    console.print(terminal.errors(curves))
    console.print(
        "Per cent of the test set. ± is the standard error over draws of labels; the interval "
        "(95 %) is that of a test set of this size.",
        soft_wrap=True,
        highlight=False,
    )
    if out is not None:
        results.write_curves(out, curves)
        console.print(f"Numbers: {out}", soft_wrap=True)


def finetune(
    data: str,
    out: Path,
    model: str = "skylobe-fast",
    budget: Literal["fast", "full"] = "fast",
    recipe: Literal["skylobe", "paper"] = "skylobe",
    split: str | None = None,
    settings: Options | None = None,
    options: Options | None = None,
) -> None:
    """Make a classifier from a labelled set; the same command again goes on where it stopped.

    Args:
        data: Labelled set: name of a data set, or a table of your own with a label column.
        out: Folder of the classifier.
        model: Name of a shipped model, or a model folder.
        budget: fast fits one linear layer on the frozen encoder in seconds; full tunes the encoder.
        recipe: Settings of the full budget to start from; paper is Table 4.
        split: train, validation or test; all labelled sources by default.
        settings: Changes to the recipe, such as --settings.n_blocks 1, or of the fast budget
            (method, with_measures, n_views, seed).
        options: Of the set, such as --options.subset confident.
    """
    typed = _as_typed("finetune", locals())  # before there are others than the arguments
    from skylobe import adapting, checkpoint, classifier, datasets, finetuning
    from skylobe.config import AdaptConfig, finetune_recipe, from_dict

    image_set = datasets.load(data, split=split, **(options or {}))
    loaded = checkpoint.load_model(model)
    if budget == "fast":
        made = adapting.adapt(loaded, image_set, from_dict(AdaptConfig, settings or {}))
    else:
        config = from_dict(FinetuneConfig, to_dict(finetune_recipe(recipe)) | (settings or {}))
        tuned = finetuning.finetune(loaded, image_set, config, folder=out, progress=True)
        made = finetuning.as_classifier(tuned, image_set)
    made.provenance["command"] = typed
    classifier.save_classifier(made, out)
    console = Console()
    console.print(f"Classifier of {', '.join(made.class_names)}: {out}", soft_wrap=True)
    if len(made.calibration.scores) == 0:
        console.print(
            "Not calibrated: no labels were kept out; give --settings.validation_share 0.2.",
            soft_wrap=True,
        )


def predict(
    data: Path,
    classifier: Path,
    out: Path,
    level: float = 0.9,
    pixel_scale: float | None = None,
) -> None:
    """Classify a catalogue or folder: probabilities, decision, when to abstain, how unusual.

    Args:
        data: Table with an id and a file column, or a folder of images.
        classifier: Folder written by skylobe finetune.
        out: Table to write: FITS, VOTable, ECSV, CSV or Parquet by its ending.
        level: Share of sources whose true class must be in the prediction set; abstain marks those
            whose set is not one class.
        pixel_scale: Arcsec per pixel; read off each file by default.
    """
    from skylobe import predicting
    from skylobe.classifier import load_classifier

    loaded = load_classifier(classifier, device=_device())
    done = predicting.predict(
        loaded, data, out, level=level, pixel_scale=pixel_scale, progress=True
    )
    Console().print(
        f"{done.n_sources} sources, {done.n_failed} failed, {done.n_abstained} undecided: {out}",
        soft_wrap=True,
    )


def evaluate(
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
    model: str = "skylobe-fast",
    n_draws: int = 5,
    out: Path | None = None,
    scores: Path | None = None,
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
    """
    typed = _as_typed("evaluate", locals())  # before there are others than the arguments
    from skylobe import (
        checkpoint,
        datasets,
        decisions,
        evaluation,
        fast_curves,
        results,
        run_report,
    )
    from skylobe.classifier import load_classifier

    loaded = load_classifier(classifier, device=_device())
    test_set = datasets.load(data, split=split, **(options or {}))
    found = decisions.decide(loaded, test_set, level=level, seen=seen, allow_missing=allow_missing)
    score = evaluation.summarise(found)
    console = Console()
    console.print(terminal.facts(run_report.facts(score)))
    console.print(terminal.rows(run_report.CLASS_COLUMNS, run_report.class_rows(score)))
    curves = None
    if train is not None:
        images = datasets.load(train, split=train_split, **(train_options or {}))
        encoder = checkpoint.load_model(model, device=_device())
        curves = fast_curves.fast_curves(encoder, images, found.test_set, n_draws=n_draws)
        console.print(terminal.errors(curves.points, intervals=False))
    if scores is not None:
        results.write_decisions(scores, found)
        console.print(f"Sources: {scores}", soft_wrap=True)
    if out is not None:
        settings = {"data": data, "split": split or "all", "level": f"{level:g}", "seen": seen}
        settings |= {name: str(one) for name, one in (options or {}).items()}
        commands = tuple(filter(None, [loaded.provenance.get("command"), typed]))
        report = run_report.RunReport(loaded, found, score, settings, commands, curves)
        run_report.write(report, out)
        console.print(f"Report: {out.resolve()}", soft_wrap=True)


def search(
    data: str,
    query: str,
    model: str = "skylobe-fast",
    n_neighbours: int = 11,
    n_views: Literal[1, 8] = 8,
    embeddings: Path | None = None,
    options: Options | None = None,
    out: Path | None = None,
) -> None:
    """Find the sources that look most like one source, by cosine similarity.

    Args:
        data: Name of a data set, a table of your own, or a folder of images, to search among.
        query: Id of one of its sources, or an image file.
        model: Name of a shipped model, or a model folder.
        n_neighbours: Neighbours to show.
        n_views: 1, or 8 to average over quarter turns and mirror images.
        embeddings: Parquet file of the set's embeddings, made by skylobe embed with the same model;
            without it the set is embedded now.
        options: Of the set, such as --options.subset confident.
        out: Gallery of the neighbours to write: PNG, PDF or SVG.
    """
    from skylobe import checkpoint, datasets, embedding, plots, similarity

    image_set = datasets.load(data, **(options or {}))
    loaded = checkpoint.load_model(model, device=_device())
    if embeddings is None:
        vectors = embedding.embed(loaded, image_set, n_views=n_views, progress=True)
    else:
        vectors = similarity.stored_embeddings(embeddings, image_set, loaded, n_views)
    found = similarity.search(image_set, vectors, query, loaded, n_neighbours)
    Console().print(terminal.neighbours(image_set, found.neighbours))
    if out is not None:
        plots.save(similarity.draw_gallery(image_set, found), out)
        Console().print(f"Gallery: {out}", soft_wrap=True)


def reproduce(
    experiment: "Name",
    model: str = "skylobe-fast",
    seeds: int = 10,
    labels: Sequence[int] | None = None,
    max_images: int | None = None,
    tiny: bool = False,
    finished_only: bool = False,
    out: Path | None = None,
) -> None:
    """Repeat a table or figure of the paper, every test set counted on its own; a stopped run goes on.

    Args:
        experiment: table6 (with figure4 and figure5), table7, figure7, timings (Section 3.5), or
            cross_validation over all confident MiraBest sources.
        model: Name of a shipped model, or a model folder.
        seeds: Trainings per cell; repeats of the folds for cross_validation.
        labels: Rows, by their count of labels; all by default.
        max_images: Images that a training may see; rows of many labels then get fewer epochs.
        finished_only: Train nothing and report what an earlier or running command has finished.
        tiny: One seed and a few steps of each training, to see that everything works.
        out: Markdown file whose section of this name is written, or replaced; its figures go into the
            folder figures beside it.
    """
    typed = _as_typed("reproduce", locals() | {"finished_only": False})
    import torch

    from skylobe import checkpoint, plots, results
    from skylobe.experiments import ROOMS, reproducing
    from skylobe.experiments.scale import TINY_IMAGES, Scale

    scale = Scale(seeds, None if labels is None else tuple(labels), max_images)
    if tiny:
        scale = Scale(1, scale.labels, TINY_IMAGES)
    title, report = reproducing.reproduce(
        experiment,
        checkpoint.load_model(model),
        scale,
        together=torch.cuda.is_available(),
        finished_only=finished_only,
        progress=True,
    )
    Console().print(report.text, soft_wrap=True, highlight=False, markup=False)
    if out is not None:
        for name, figure in report.figures.items():
            plots.save(figure, out.parent / "figures" / f"{name}.png")
        shown = [f"![{name}](figures/{name}.png)" for name in report.figures]
        text = "\n\n".join([f"## {title}", f"Command: `{typed}`", report.text, *shown])
        results.write_section(out, ROOMS[experiment], text)


def quickstart(
    out: Path = Path("report.html"),
    model: str = "skylobe-fast",
    n_views: Literal[1, 8] = 8,
) -> None:
    """Show the whole system on 2,158 real FIRST galaxies, in one page, in a few minutes.

    Args:
        out: HTML page to write; it needs no other file.
        model: Name of a shipped model, or a model folder.
        n_views: 1, or 8 to average over quarter turns and mirror images.
    """
    from skylobe import quickstart

    quickstart.run(out, model, n_views=n_views)
    Console().print(f"Report: {out.resolve()}", soft_wrap=True)


def info(model: str | None = None) -> None:
    """Show versions, models, where data lives, and the device that would be used.

    Args:
        model: Show this model's card and preprocessing instead.
    """
    from skylobe import checkpoint, datasets, storage

    console = Console()
    if model is not None:
        loaded = checkpoint.load_model(model)
        console.print(terminal.facts(to_dict(loaded.preprocessing)))
        console.print(loaded.card, markup=False)
        return
    facts = checkpoint.versions() | {
        "models": ", ".join(checkpoint.shipped_models()) or "none",
        "data sets": ", ".join(datasets.NAMES),
        "cache": str(storage.cache_dir()),
        "device": _device(),
    }
    console.print(terminal.facts(facts))


def surveys() -> None:
    """List the radio surveys that cut-outs can come from."""
    from skylobe.sky.surveys import SURVEYS

    console = Console()
    console.print(terminal.surveys(list(SURVEYS.values())))
    for one in SURVEYS.values():
        console.print(f"{one.name}: cite {one.citation}", soft_wrap=True, highlight=False)


def cutout(
    position: str,
    survey: str = "first",
    size: float = 270.0,
    out: Path = Path("cutout.fits"),
    *,
    preview: Path | None = None,
    pixel_scale: float | None = None,
    service: str | None = None,
    mosaics: Path | None = None,
    resolve: bool = False,
    min_finite: float = 0.5,
) -> None:
    """Fetch one source's pixels, in Jy/beam, and write them as FITS.

    Args:
        position: Such as "206.42 +23.38", "13:45:41.2 +23:22:53" or J134541.2+232253.
        survey: Name of the survey; `skylobe surveys` lists them.
        size: Arcsec. Side of the square.
        out: FITS file to write.
        preview: PNG file to write as well.
        pixel_scale: Arcsec per pixel; the survey's own by default.
        service: hips2fits or skyview; by default the first that has the survey.
        mosaics: Folder of FITS mosaics to cut out of, instead of asking a service.
        resolve: Look an object's name up in Sesame, over the network.
        min_finite: Share of the pixels that must be measured.
    """
    from skylobe.sky import cutouts

    found = cutouts.fetch(
        position,
        survey,
        size,
        pixel_scale=pixel_scale,
        service=service,
        mosaics=mosaics,
        resolve=resolve,
        min_finite=min_finite,
    )
    console = Console()
    written = [cutouts.save(found, out)]
    if preview is not None:
        written.append(cutouts.save_preview(found, preview))
    height, width = found.pixels.shape
    console.print(
        f"{found.source_id}: {height}×{width} pixels of {found.pixel_scale:g}″, {found.survey}; "
        f"{', '.join(map(str, written))}",
        soft_wrap=True,
        highlight=False,
    )


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _as_typed(name: str, given: dict[str, Any]) -> str:
    """Write a call as the command that makes it, without options that are as by default."""
    words = ["skylobe", name]
    for option, parameter in inspect.signature(COMMANDS[name]).parameters.items():
        value = given[option]
        if value == parameter.default:
            continue
        if name in POSITIONAL and parameter.default is parameter.empty:
            words.append(str(value))
            continue
        parts = value.items() if isinstance(value, dict) else [(None, value)]
        for key, one in parts:
            text = str(one) if isinstance(one, str | Path) else json.dumps(one)
            words += [f"--{option}" + (f".{key}" if key else ""), text]
    return shlex.join(words)


POSITIONAL = ("fetch", "reproduce", "cutout")  # commands whose first argument has no option's name

COMMANDS: dict[str, Callable[..., None]] = {
    "fetch": fetch,
    "pretrain": pretrain,
    "embed": embed_set,
    "probe": probe,
    "finetune": finetune,
    "evaluate": evaluate,
    "predict": predict,
    "search": search,
    "reproduce": reproduce,
    "quickstart": quickstart,
    "info": info,
    "surveys": surveys,
    "cutout": cutout,
}

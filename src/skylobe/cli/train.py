"""Commands that train: an encoder without labels, a classifier with a few."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from skylobe.cli import terminal
from skylobe.cli.options import Options, loaded
from skylobe.learning.settings import PretrainConfig
from skylobe.models.settings import DEFAULT_MODEL

KEEP_OUT = "give --settings.validation_share 0.2"


def pretrain_command(
    corpus: str,
    out: Path,
    *,
    config: PretrainConfig,
    monitor_set: str | None = None,
    corpus_options: Options | None = None,
    monitor_options: Options | None = None,
    start: str | None = None,
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
        start: Name of a shipped model, a model folder, or user/name on the model hub, whose weights to
            start from; random weights by default.
        name: Name of the model; the folder's by default.
    """
    import skylobe
    from skylobe.learning.devices import in_turn

    with in_turn(out):  # the first process makes what is kept, the others find it
        watched = None
        if monitor_set is not None:
            watched = loaded(monitor_set, monitor_options)
        images = loaded(corpus, corpus_options)
        model = None if start is None else skylobe.load_model(start)
    skylobe.pretrain(images, out, config, monitor_set=watched, start=model, name=name)
    terminal.say(f"Model: {out / 'model'}")


def finetune_command(
    data: str,
    out: Path,
    model: str = DEFAULT_MODEL,
    budget: Literal["fast", "full"] = "fast",
    recipe: Literal["skylobe", "paper"] = "skylobe",
    split: str | None = None,
    settings: Options | None = None,
    options: Options | None = None,
    *,
    typed: str = "",
) -> None:
    """Make a classifier from a labelled set; the same command again goes on where it stopped.

    Args:
        data: Labelled set: name of a data set, or a table of your own with a label column.
        out: Folder of the classifier.
        model: Name of a shipped model, a model folder, or user/name on the model hub.
        budget: fast fits one linear layer on the frozen encoder in seconds; full tunes the encoder.
        recipe: Settings of the full budget to start from; paper is Table 4.
        split: train, validation or test; all labelled sources by default.
        settings: Changes to the recipe, such as --settings.n_blocks 1, or of the fast budget
            (method, with_measures, n_views, seed).
        options: Of the set, such as --options.subset confident.
        typed: The command as it was typed, for the record.
    """
    import skylobe
    from skylobe.classify import budgets, classifier

    config = budgets.settings_of(budget, settings, recipe)
    encoder = skylobe.load_model(model)
    images = loaded(data, options, split, encoder)
    made = skylobe.finetune(encoder, images, budget=budget, settings=config, out=out, progress=True)
    noted = replace(made, provenance=made.provenance | {"command": typed})
    classifier.save_classifier(noted, out)
    terminal.say(f"Classifier of {', '.join(made.class_names)}: {out}")
    if len(made.calibration.scores) == 0:
        advice = "label more of each class" if budget == "fast" else KEEP_OUT
        terminal.say(f"Not calibrated: no labels were kept out; {advice}.")
    elif made.caution is not None:
        terminal.say(made.caution)

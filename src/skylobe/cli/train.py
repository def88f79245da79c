"""Commands that train: an encoder without labels, a classifier with a few."""

from pathlib import Path
from typing import Literal

from rich.console import Console

from skylobe.cli.options import Options, as_typed, load_for
from skylobe.core.settings import to_dict
from skylobe.learning.settings import PretrainConfig
from skylobe.learning.tuning_settings import FinetuneConfig


def pretrain(
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
    from skylobe.images import datasets
    from skylobe.learning import pretrain as pretraining
    from skylobe.learning.devices import in_turn
    from skylobe.models import loading
    from skylobe.models.precision import flush_denormals

    with flush_denormals():
        watched = None
        with in_turn(out):  # the first process makes what is kept, the others find it
            if monitor_set is not None:
                watched = datasets.load(monitor_set, **(monitor_options or {}))
            images = datasets.load(corpus, **(corpus_options or {}))
            model = None if start is None else loading.load_model(start)
        pretraining.pretrain(images, out, config, monitor_set=watched, start=model, name=name)
    Console().print(f"Model: {out / 'model'}", soft_wrap=True)


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
        model: Name of a shipped model, a model folder, or user/name on the model hub.
        budget: fast fits one linear layer on the frozen encoder in seconds; full tunes the encoder.
        recipe: Settings of the full budget to start from; paper is Table 4.
        split: train, validation or test; all labelled sources by default.
        settings: Changes to the recipe, such as --settings.n_blocks 1, or of the fast budget
            (method, with_measures, n_views, seed).
        options: Of the set, such as --options.subset confident.
    """
    typed = as_typed(finetune, locals())  # before there are others than the arguments
    from skylobe.classify import adapt, classifier
    from skylobe.classify import finetune as finetuning
    from skylobe.classify.settings import AdaptConfig
    from skylobe.core.settings import from_dict
    from skylobe.learning.recipes import finetune_recipe
    from skylobe.models import loading

    loaded = loading.load_model(model)
    image_set = load_for(loaded.preprocessing, data, options, split)
    if budget == "fast":
        made = adapt.adapt(loaded, image_set, from_dict(AdaptConfig, settings or {}))
    else:
        config = from_dict(FinetuneConfig, to_dict(finetune_recipe(recipe)) | (settings or {}))
        made = finetuning.finetune(loaded, image_set, config, folder=out, progress=True)
    made.provenance["command"] = typed
    classifier.save_classifier(made, out)
    console = Console()
    console.print(f"Classifier of {', '.join(made.class_names)}: {out}", soft_wrap=True)
    if len(made.calibration.scores) == 0:
        console.print(
            "Not calibrated: no labels were kept out; give --settings.validation_share 0.2.",
            soft_wrap=True,
        )

"""Commands that use a trained model: embeddings, decisions, a file for other software."""

from pathlib import Path
from typing import Literal

from skylobe.classify.settings import PredictSettings
from skylobe.cli import terminal
from skylobe.cli.options import Options, loaded
from skylobe.models.settings import DEFAULT_MODEL


def embed_command(
    data: str,
    out: Path,
    model: str = DEFAULT_MODEL,
    split: str | None = None,
    n_views: Literal[1, 8] = 1,
    options: Options | None = None,
) -> None:
    """Give each source of a data set its embedding, as a Parquet table.

    Args:
        data: Name of a data set, or a table of your own.
        out: Parquet file to write: source_id, embedding, and label, ra, dec where known.
        model: Name of a shipped model, a model folder, or user/name on the model hub.
        split: train, validation or test; all sources by default.
        n_views: 1, or 8 to average over quarter turns and mirror images.
        options: Of the set, such as --options.subset confident.
    """
    import skylobe
    from skylobe.models.loading import as_model

    encoder = as_model(model)
    images = loaded(data, options, split, encoder, skip_broken=True)
    made = skylobe.embed(encoder, images, n_views=n_views, out=out, progress=True)
    terminal.say(f"{len(made)} embeddings of {made.vectors.shape[1]} features: {out}")


def predict_command(
    data: Path,
    classifier: Path,
    out: Path,
    *,
    settings: PredictSettings,
) -> None:
    """Classify a catalogue or folder: probabilities, decision, when to abstain, how unusual.

    Args:
        data: Table with an id and a file column, or a folder of images.
        classifier: Folder written by skylobe finetune.
        out: Table to write: FITS, VOTable, ECSV, CSV or Parquet by its ending.
        settings: Level, pixel scale, how the table is written.
    """
    import skylobe

    done = skylobe.predict(classifier, data, out, progress=True, **vars(settings))
    terminal.say(
        f"{done.n_sources} sources, {done.n_failed} failed, {done.n_abstained} undecided: {out}"
    )


def convert_command(
    model: str, out: Path = Path("model.onnx"), n_views: Literal[1, 8] | None = None
) -> None:
    """Write a model or classifier as an ONNX file, for software without skylobe and torch.

    Args:
        model: Name of a shipped model, the folder of a model or classifier, or user/name on the
            model hub.
        out: File to write; ends in .onnx. It takes prepared images; how to prepare them is in its
            metadata.
        n_views: 8 averages over quarter turns and mirror images inside the file; a classifier's own
            number by default, else 1.
    """
    import skylobe
    from skylobe.classify import classifier, export_onnx

    is_classifier = (Path(model) / classifier.FILE).is_file()
    made = skylobe.load_classifier(model) if is_classifier else skylobe.load_model(model)
    export_onnx.export_onnx(made, out, n_views=n_views)
    terminal.say(f"{out.stat().st_size / 1e6:.1f} MB: {out}")

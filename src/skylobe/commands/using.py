"""Commands that use a trained model: embeddings, decisions, neighbours."""

from pathlib import Path
from typing import Literal

from rich.console import Console

from skylobe import terminal
from skylobe.commands.shared import Options, device


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
    loaded = checkpoint.load_model(model, device=device())
    embeddings = embedding.embed(loaded, image_set, n_views=n_views, progress=True)
    results.write_embeddings(out, embeddings, image_set)
    width = embeddings.vectors.shape[1]
    Console().print(f"{len(embeddings)} embeddings of {width} features: {out}", soft_wrap=True)


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

    loaded = load_classifier(classifier, device=device())
    done = predicting.predict(
        loaded, data, out, level=level, pixel_scale=pixel_scale, progress=True
    )
    Console().print(
        f"{done.n_sources} sources, {done.n_failed} failed, {done.n_abstained} undecided: {out}",
        soft_wrap=True,
    )


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
    loaded = checkpoint.load_model(model, device=device())
    if embeddings is None:
        vectors = embedding.embed(loaded, image_set, n_views=n_views, progress=True)
    else:
        vectors = similarity.stored_embeddings(embeddings, image_set, loaded, n_views)
    found = similarity.search(image_set, vectors, query, loaded, n_neighbours)
    Console().print(terminal.neighbours(image_set, found.neighbours))
    if out is not None:
        plots.save(similarity.draw_gallery(image_set, found), out)
        Console().print(f"Gallery: {out}", soft_wrap=True)

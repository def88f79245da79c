"""Commands around an index: making it, searching it, checking it, drawing it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from skylobe.cli import terminal
from skylobe.cli.options import Options, device, doors, fetcher, load_for, model_of
from skylobe.core.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from astropy.table import QTable
    from numpy.typing import NDArray

    from skylobe.images.image_set import ImageSet
    from skylobe.models.model import Model
    from skylobe.search.answers import Wanted
    from skylobe.search.map_record import LatentMap
    from skylobe.search.queries import Doors, Query
    from skylobe.search.store import SourceIndex


SHOWN = ("rank", "id", "similarity", "mean_similarity", "label", "size_arcsec", "separation_arcsec")
PLACE = ("entries", "ra", "dec")
PAIRS = ("id_1", "id_2", "similarity", "separation_arcsec", "label_1", "label_2")
DEFAULT_MODEL = "skylobe-fast"


def index(
    out: Path,
    data: str | None = None,
    model: str = DEFAULT_MODEL,
    n_views: Literal[1, 8] = 8,
    mode: Literal["create", "append", "replace"] = "create",
    split: str | None = None,
    embeddings: Path | None = None,
    delete: Sequence[str] = (),
    options: Options | None = None,
) -> None:
    """Make an index of a data set to search in: vectors, facts and thumbnails in one folder.

    Args:
        out: Folder of the index.
        data: Name of a data set, a table of your own, a folder of images, or a corpus; may be left out
            where sources are only deleted.
        model: Name of a shipped model, a model folder, or user/name on the model hub.
        n_views: 1, or 8 to average over quarter turns and mirror images.
        mode: create refuses a folder that is there, append adds to it, replace puts a new one there.
        split: train, validation or test; all sources by default.
        embeddings: Parquet file of the set's embeddings, made by skylobe embed with the same model;
            without it the set is embedded now.
        delete: Ids of sources to take out, as a list.
        options: Of the set, such as --options.subset confident.
    """
    from skylobe.models import loading
    from skylobe.search.store import SourceIndex
    from skylobe.search.unusual import usual

    console = Console()
    if data is None:
        if not delete:
            raise ConfigError("Nothing to do; name a set with --data, or sources with --delete.")
        made = SourceIndex(out, device=device())
    else:
        loaded = loading.load_model(model, device=device())
        image_set = load_for(loaded.preprocessing, data, options, split)
        made = _indexed(out, image_set, loaded, n_views, mode, embeddings)
    if delete:
        console.print(f"{made.delete(delete)} sources deleted.")
        made.rebuild()
    usual(made)
    how = "in partitions" if made.is_approximate else "exact"
    console.print(
        f"{len(made):,} sources of {', '.join(made.note.data)}, search {how} (recall "
        f"{made.note.recall:.3f}): {out}",
        soft_wrap=True,
        highlight=False,
    )


def _indexed(
    out: Path,
    image_set: "ImageSet",
    model: "Model",
    n_views: Literal[1, 8],
    mode: Literal["create", "append", "replace"],
    embeddings: Path | None,
) -> "SourceIndex":
    """Embed a set, and make an index of it or add it to one."""
    from skylobe.models import embed
    from skylobe.search import similarity
    from skylobe.search.store import SourceIndex

    opened = SourceIndex(out, device=device()) if mode == "append" else None
    if opened is not None:
        opened.require(model, n_views)  # before time is spent
    if embeddings is None:
        vectors = embed.embed(model, image_set, n_views=n_views, progress=True)
    else:
        vectors = similarity.stored_embeddings(embeddings, image_set, model, n_views)
    if opened is None:
        replace = mode == "replace"
        return SourceIndex.create(out, image_set, vectors, model, replace=replace)
    opened.append(image_set, vectors, model)
    return opened


def search(
    query: list[str] | str,
    index: str | Path | None = None,
    data: str | None = None,
    unlike: Sequence[str] = (),
    where: str | None = None,
    cone: str | None = None,
    cone_radius: float = 1.0,
    sizes: tuple[float, float] | None = None,
    same_source: float = 10.0,
    survey: str | None = None,
    size: float = 270.0,
    service: str | None = None,
    mosaics: Path | None = None,
    base_url: str | None = None,
    resolve: bool = False,
    n_neighbours: int = 11,
    model: str | None = None,
    n_views: Literal[1, 8] = 8,
    embeddings: Path | None = None,
    options: Options | None = None,
    out: Path | None = None,
    tables: Sequence[Path] = (),
    samp: bool = False,
) -> None:
    """Find the sources that look most like one source, or like several and unlike others.

    Args:
        query: Id of a source, an image file, or a position in any notation; several as a list.
        index: Folder made by skylobe index, to search among. Positions, filters and tables need one.
        data: Instead: name of a data set, a table of your own, or a folder of images, embedded now.
        unlike: Ids, files or positions of sources that what is found should not look like.
        where: Condition on the index's columns, such as "label = 'FRI' AND redshift < 0.3".
        cone: Position around which to search only.
        cone_radius: Degrees. Of that cone.
        sizes: Arcsec. Smallest and largest angular size, as [30, 90].
        same_source: Arcsec. Entries nearer than this are one source, and a position this near to an
            entry means it.
        survey: Where the image of a position that is not in the index is fetched.
        size: Arcsec. Side of that image.
        service: hips2fits or skyview; by default the first that has the survey.
        mosaics: Folder of FITS mosaics to cut out of, instead of asking a service.
        base_url: Another address of the service.
        resolve: Look other text up as an object's name, over the network.
        n_neighbours: Neighbours to show.
        model: Name of a shipped model, a model folder, or user/name on the model hub; the index's
            own by default.
        n_views: 1, or 8 to average over quarter turns and mirror images; an index has its own.
        embeddings: Parquet file of the set's embeddings, made by skylobe embed with the same model;
            without it the set is embedded now.
        options: Of the set, such as --options.subset confident.
        out: Gallery of the neighbours to write: PNG, PDF or SVG.
        tables: Files to write the neighbours to: .fits, .vot, .ecsv, .csv, .parquet, .reg (DS9 regions),
            .moc.fits (footprint).
        samp: Send the table to TOPCAT, Aladin or whatever else is open.
    """
    if index is None:
        if data is None or not isinstance(query, str):
            raise ConfigError("Name the index to search with --index, or one --query and --data.")
        if unlike or where or cone or sizes or survey or tables or samp:
            raise ConfigError(
                "Filters, several queries, positions and tables need an index; make one with skylobe "
                f"index --data {data} --out FOLDER and name it with --index."
            )
        _search_set(data, query, model, n_neighbours, n_views, embeddings, options, out)
        return
    from skylobe.search.answers import Wanted
    from skylobe.search.store import SourceIndex
    from skylobe.sky.positions import parse_position

    opened = SourceIndex(index, device=device())
    fetch = fetcher(survey, size, service, mosaics, base_url)
    ways = doors(opened, model, fetch, same_source, resolve=resolve)
    centre = None if cone is None else parse_position(cone, resolve=resolve)
    wanted = Wanted(where, centre, cone_radius, sizes)
    asked = _asked(ways, [query] if isinstance(query, str) else query, unlike)
    table = _answer(opened, asked, wanted, n_neighbours, same_source, out)
    _hand_out(table, tables, samp=samp)


def duplicates(
    index: str | Path,
    radius: float = 10.0,
    similarity: float = 0.8,
    tables: Sequence[Path] = (),
    n: int = 20,
    samp: bool = False,
) -> None:
    """List entries of an index that are the same source: near on the sky, and alike.

    Args:
        index: Folder made by skylobe index, or an address such as s3://bucket/galaxies.
        radius: Arcsec. Largest distance of the two.
        similarity: Least cosine similarity of the two.
        tables: Files to write all pairs to: .fits, .vot, .ecsv, .csv, .parquet, .reg, .moc.fits.
        n: Pairs to print.
        samp: Send the table to TOPCAT, Aladin or whatever else is open.
    """
    from skylobe.search import checks
    from skylobe.search.store import SourceIndex

    table = checks.duplicates(
        SourceIndex(index, device=device()), radius=radius, similarity=similarity
    )
    Console().print(terminal.sources(table[:n], PAIRS))
    Console().print(f"{len(table):,} pairs within {radius:g}″ with S of {similarity:g} or more.")
    _hand_out(table, tables, samp=samp)


def outliers(
    index: str | Path,
    n: int = 20,
    n_neighbours: int = 10,
    tables: Sequence[Path] = (),
    out: Path | None = None,
    samp: bool = False,
) -> None:
    """List the loneliest sources of an index: those least similar to their nearest neighbours.

    Args:
        index: Folder made by skylobe index, or an address such as s3://bucket/galaxies.
        n: Sources to list.
        n_neighbours: Neighbours whose similarity is averaged.
        tables: Files to write them to: .fits, .vot, .ecsv, .csv, .parquet, .reg, .moc.fits.
        out: Gallery of them to write: PNG, PDF or SVG.
        samp: Send the table to TOPCAT, Aladin or whatever else is open.
    """
    from skylobe.core import plotting
    from skylobe.search import checks, pictures
    from skylobe.search.store import SourceIndex

    opened = SourceIndex(index, device=device())
    table = checks.outliers(opened, n, n_neighbours=n_neighbours)
    Console().print(terminal.sources(table, (*SHOWN, *PLACE)))
    if out is not None:
        plotting.save(pictures.lonely(opened, table), out)
        Console().print(f"Gallery: {out}", soft_wrap=True)
    _hand_out(table, tables, samp=samp)


def draw_map(
    index: str | Path,
    out: Path | None = None,
    colour: str = "size_arcsec",
    over: str | None = None,
    options: Options | None = None,
    model: str | None = None,
    method: Literal["umap", "pca"] = "umap",
    again: bool = False,
    read: Sequence[str] = ("size_arcsec",),
    seed: int = 0,
) -> None:
    """Map an index in two dimensions, and measure what can be read from its embeddings.

    Args:
        index: Folder made by skylobe index, where the map is kept, or an address such as
            s3://bucket/galaxies.
        out: Picture to write: PNG, PDF or SVG.
        colour: Column that colours the points: a number such as size_arcsec, or label.
        over: Labelled set to draw over the map, its sources placed among their neighbours.
        options: Of that set, such as --options.subset confident.
        model: Name of a shipped model, a model folder, or user/name on the model hub, for that
            set; the index's own by default.
        method: umap, or pca for the first two principal components.
        again: Make the map anew although there is one.
        read: Columns of positive numbers whose logarithm is read from the embeddings.
        seed: Of the map.
    """
    from skylobe.core import plotting
    from skylobe.search import latent_map, pictures, placing, readout
    from skylobe.search.store import SourceIndex

    opened = SourceIndex(index, device=device())
    made = latent_map.of_index(opened, method=method, again=again, seed=seed)
    rows = opened.rows_of(made.ids.tolist())
    numbers = {_said(name): opened.column(name)[rows].astype(float) for name in read}
    labels = opened.column("label")[rows]
    readings = [
        str(one)
        for one in readout.read_all(opened.vectors(rows), numbers, labels, opened.positions[rows])
    ]
    console = Console()
    facts = {
        "sources": f"{len(made):,}",
        "variance kept": f"{100 * made.variance_kept:.2f} % in {len(made.axes)} components",
        "placing error": f"{100 * placing.placing_error(made, opened):.2f} % of the map's width",
        "read from the embeddings": "; ".join(readings) or "nothing that enough sources have",
    }
    console.print(terminal.facts(facts))
    if out is None:
        return
    if over is not None:
        points, classes = _over(opened, made, over, options, model)
        figure = pictures.by_class(
            made, points, classes, rest=", ".join(opened.note.data), readings=readings
        )
    elif colour == "label":
        figure = pictures.by_class(made, made.points, labels, rest="no label", readings=readings)
    else:
        values = opened.column(colour)[rows].astype(float)
        figure = pictures.by_number(made, values, name=_said(colour), readings=readings)
    plotting.save(figure, out)
    console.print(f"Map: {out}", soft_wrap=True)


def _search_set(
    data: str,
    query: str,
    model: str | None,
    n_neighbours: int,
    n_views: Literal[1, 8],
    embeddings: Path | None,
    options: Options | None,
    out: Path | None,
) -> None:
    """Search in a set that has no index."""
    from skylobe.core import plotting
    from skylobe.models import embed, loading
    from skylobe.search import similarity

    loaded = loading.load_model(model or DEFAULT_MODEL, device=device())
    image_set = load_for(loaded.preprocessing, data, options)
    if embeddings is None:
        vectors = embed.embed(loaded, image_set, n_views=n_views, progress=True)
    else:
        vectors = similarity.stored_embeddings(embeddings, image_set, loaded, n_views)
    found = similarity.search(image_set, vectors, query, loaded, n_neighbours)
    Console().print(terminal.neighbours(image_set, found.neighbours))
    if out is not None:
        plotting.save(similarity.draw_gallery(image_set, found), out)
        Console().print(f"Gallery: {out}", soft_wrap=True)


def _asked(doors: "Doors", like: Sequence[str], unlike: Sequence[str]) -> "Query":
    """Read all queries, and join them if there are several."""
    from skylobe.search.queries import combined

    positives, negatives = ([doors.query(one) for one in some] for some in (like, unlike))
    return positives[0] if len(positives) == 1 and not negatives else combined(positives, negatives)


def _answer(
    opened: "SourceIndex",
    asked: "Query",
    wanted: "Wanted",
    n: int,
    same_source: float,
    out: Path | None,
) -> "QTable":
    """Search, print, and draw the gallery."""
    from skylobe.core import plotting
    from skylobe.search import answers, pictures

    found = answers.ask(opened, asked, n, wanted, same_source=same_source)
    table = found.table(opened)
    console = Console()
    console.print(terminal.sources(table, (*SHOWN, *PLACE)))
    console.print(
        f"{100 * found.unusual:.0f} % of the index have a nearer neighbour than {asked.name} has.",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )
    if len(opened.damaged):
        console.print(f"{len(opened.damaged)} entries are damaged and were not searched.")
    if out is not None:
        plotting.save(pictures.gallery(opened, found), out)
        console.print(f"Gallery: {out}", soft_wrap=True)
    return table


def _hand_out(table: "QTable", tables: Sequence[Path], *, samp: bool) -> None:
    """Write a table to files, and send it to other programs."""
    from skylobe.search import export
    from skylobe.search.samp import Samp

    console = Console()
    for path in tables:
        export.ending(path)  # refuses the last before the first is written
    for path in tables:
        export.write(path, table)
        console.print(f"Table: {path}", soft_wrap=True)
    if samp:
        with Samp() as hub:
            console.print(f"Sent to {hub.send(table)} programs.")
            console.input("Press Enter when they have read it. ")


def _over(
    opened: "SourceIndex", made: "LatentMap", over: str, options: Options | None, model: str | None
) -> "tuple[NDArray[np.float64], NDArray[np.str_]]":
    """Embed a labelled set and place it on a map: points and class names."""
    from skylobe.core.vectors import as_unit
    from skylobe.models import embed
    from skylobe.search import placing, rows

    loaded = model_of(opened, model)
    image_set = load_for(loaded.preprocessing, over, options)
    vectors = embed.embed(loaded, image_set, n_views=opened.note.n_views, progress=True)
    unit = as_unit(vectors.vectors, vectors.source_ids)
    return placing.place(made, opened, unit), rows.labels(image_set)


def _said(column: str) -> str:
    """Write a column's name as it is spoken.

    >>> _said("size_arcsec"), _said("redshift")
    ('size (arcsec)', 'redshift')
    """
    name, _, unit = column.rpartition("_")
    return f"{name.replace('_', ' ')} (arcsec)" if unit == "arcsec" else column

"""Commands that make an index and search it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from skylobe.cli import handing, terminal
from skylobe.cli.options import Options, loaded
from skylobe.core.errors import ConfigError
from skylobe.models.settings import DEFAULT_MODEL
from skylobe.search.settings import SearchSettings

if TYPE_CHECKING:
    from skylobe.images.image_set import ImageSet
    from skylobe.search.store import SourceIndex


def index_command(
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
    import skylobe
    from skylobe.models.loading import as_model

    if data is None and not delete:
        raise ConfigError("Nothing to do; name a set with data=NAME, or sources with delete=LIST.")
    if data is None:
        made = skylobe.open_index(out)
    else:
        encoder = as_model(model)
        images = loaded(data, options, split, encoder, skip_broken=True)
        made = skylobe.index(
            images, out, model=encoder, n_views=n_views, mode=mode, embeddings=embeddings
        )
    if delete:
        terminal.say(f"{made.delete(delete)} sources deleted.")
        made.rebuild()
    how = "in partitions" if made.is_approximate else "exact"
    terminal.say(
        f"{len(made):,} sources of {', '.join(made.note.data)}, search {how} (recall "
        f"{made.note.recall:.3f}): {out}"
    )


def search_command(
    query: list[str] | str,
    index: str | Path | None = None,
    data: str | None = None,
    unlike: Sequence[str] = (),
    n_neighbours: int = 11,
    options: Options | None = None,
    out: Path | None = None,
    tables: Sequence[Path] = (),
    samp: bool = False,
    spreadsheet_safe: bool = False,
    *,
    settings: SearchSettings,
) -> None:
    """Find the sources that look most like one source, or like several and unlike others.

    Args:
        query: Id of a source, an image file, or a position in any notation; several as a list.
        index: Folder made by skylobe index, to search among. Positions and filters need one.
        data: Instead: name of a data set, a table of your own, or a folder of images, embedded now.
        unlike: Ids, files or positions of sources that what is found should not look like.
        n_neighbours: Neighbours to show.
        options: Of the set, such as --options.subset confident.
        out: Gallery of the neighbours to write: PNG, PDF or SVG.
        tables: Files to write the neighbours to: .fits, .vot, .ecsv, .csv, .parquet, .reg (DS9 regions),
            .moc.fits (footprint).
        samp: Send the table to TOPCAT, Aladin or whatever else is open.
        spreadsheet_safe: Put a ' before cells of CSV and TSV that a spreadsheet would calculate; all
            commands read them as they were.
        settings: Which sources may answer, and the ways into the index.
    """
    import skylobe
    from skylobe.core import plotting
    from skylobe.models.loading import as_model

    among: SourceIndex | ImageSet
    if out is not None:
        plotting.insist_on_picture(out)
    if index is not None:
        among = skylobe.open_index(index)
    elif data is not None:
        model = as_model(settings.model or DEFAULT_MODEL)
        among = loaded(data, options, model=model, skip_broken=True)
    else:
        raise ConfigError("Name the index to search with index=FOLDER, or a set with data=NAME.")
    found = skylobe.search(among, query, n_neighbours, unlike=list(unlike), **vars(settings))
    table = found.to_table()
    Console().print(terminal.sources(table, (*handing.SHOWN, *handing.PLACE)))
    if found.unusual is not None:
        share = 100 * found.unusual
        terminal.say(f"{share:.0f} % of the index have a nearer neighbour than {found.query} has.")
    if len(damaged := getattr(among, "damaged", ())):
        terminal.say(f"{len(damaged)} entries are damaged and were not searched.")
    if out is not None:
        plotting.save(found.gallery(), out)
        terminal.say(f"Gallery: {out}")
    handing.hand_out(table, tables, samp=samp, spreadsheet_safe=spreadsheet_safe)

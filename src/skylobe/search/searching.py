"""Whatever a person has of a source to a table of those that look like it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from jaxtyping import UInt8
from matplotlib.figure import Figure

from skylobe.core import notebook
from skylobe.core.errors import ConfigError
from skylobe.core.results import Results
from skylobe.core.settings import given
from skylobe.images import thumbnails
from skylobe.images.image_set import ImageSet
from skylobe.models.embed import embed
from skylobe.models.inputs import images_for
from skylobe.models.loading import as_model, best_device, is_elsewhere, load_model
from skylobe.models.model import Model
from skylobe.models.settings import DEFAULT_MODEL
from skylobe.search import answers, pictures, similarity
from skylobe.search.answers import Wanted
from skylobe.search.queries import Doors, Query, combined, of_image
from skylobe.search.rows import thumbnails as cut_thumbnails
from skylobe.search.settings import SearchSettings, WaySettings
from skylobe.search.store import SourceIndex
from skylobe.sky import fetching
from skylobe.sky.cutout import Cutout
from skylobe.sky.positions import parse_position


class Kin(Results):
    """The sources that look most like what was asked for, most similar first.

    Args:
        table: A row per source: ``rank``, ``id``, cosine ``similarity``, and all that is known of it.
        query: Name of what was asked for.
        planes: Thumbnails: of what was asked for, then of the answers, row 0 southernmost.
        draw: Draws the gallery.
        unusual: Share of the index's sources whose nearest neighbour is nearer than this one's; ``None``
            where it was not looked for.
    """

    def __init__(
        self,
        table: QTable,
        query: str,
        planes: UInt8[np.ndarray, "source height width"],
        draw: Callable[[], Figure],
        unusual: float | None = None,
    ) -> None:
        self.query, self.unusual, self.gallery = query, unusual, draw
        self._planes, self._n_queries = planes, len(planes) - len(table)
        note = f"{len(table)} sources, most similar first"
        if self.unusual is not None:
            note += (
                f"; {100 * self.unusual:.0f} % of the index have a nearer neighbour than this has"
            )
        super().__init__(table, f"Like {query}", note)

    def _strip(self, n: int) -> str:
        """Show what was asked for, framed, and the answers beside it."""
        names = [self.query] if self._n_queries == 1 else [""] * self._n_queries
        captions = [[name, "asked for"] for name in names] + self._captions(n)
        pictures = [thumbnails.address(one) if one.any() else None for one in self._planes]
        return notebook.strip(pictures, captions, self._n_queries)


def search(
    index: Any,  # noqa: ANN401  (an index or its place, an ImageSet or what datasets.load takes)
    query: Any,  # noqa: ANN401  (a name, file, position, image, or several)
    n_neighbours: int = 11,
    *,
    unlike: Any = (),  # noqa: ANN401
    **settings: Any,  # noqa: ANN401  (the fields of SearchSettings)
) -> Kin:
    """Find the sources that look most like one source, or like several and unlike others.

    Args:
        index: What ``skylobe.index`` made, or its folder or address; or an ``ImageSet``, which is embedded
            now.
        query: Id of a source, path of an image file, position in any notation, ``SkyCoord``, cut-out, or
            ``ImageSet`` of one image; several as a list.
        n_neighbours: How many to give; a source is not its own neighbour, and entries at one place count
            once.
        unlike: Sources, given alike, that what is found should not look like.
        **settings: ``where`` (a condition such as ``"label = 'FRI'"``), ``cone`` and ``cone_radius``
            (degrees), ``sizes``, ``same_source``, ``size`` (a ``Quantity``, or arcsec), ``survey``,
            ``service``, ``mosaics``, ``base_url``, ``resolve``, ``model``: the fields of
            ``search.settings.SearchSettings``.

    Raises:
        DataError: If a query is neither a source nor a file nor a position.
        UnavailableError: If an image is needed and cannot be fetched.
        ConfigError: If no source passes the filters, or there is no such setting.

    >>> import tempfile
    >>> from skylobe.images import datasets
    >>> from skylobe.search.indexing import index
    >>> row, column = np.mgrid[-40:40, -40:40]
    >>> sky = [np.exp(-((column - x) ** 2 + row**2) / 30) for x in (0, 1, 16)]
    >>> images = datasets.load(sky, pixel_scale=1.8, source_ids=["A", "B", "C"])
    >>> made = index(images, tempfile.mkdtemp() + "/mine", n_views=1)
    Embedding ...
    >>> search(made, "A", 2)["id"].tolist()
    ['B', 'C']
    """
    if not isinstance(settings.get("cone"), str | None):
        place = parse_position(settings["cone"])
        settings["cone"] = f"{place.ra.deg:.10f} {place.dec.deg:.10f}"
    asked = given(SearchSettings, settings, "search")
    like, others = _several(query), _several(unlike)
    if _is_set(index):
        return _in_set(index, like, others, n_neighbours, asked)
    opened = index if isinstance(index, SourceIndex) else SourceIndex(index, device=best_device())
    ways = doors(opened, asked)
    centre = None if asked.cone is None else parse_position(asked.cone, resolve=asked.resolve)
    positives, negatives = ([_query(ways, one) for one in some] for some in (like, others))
    whole = len(positives) == 1 and not negatives
    wanted = Wanted(asked.where, centre, asked.cone_radius, asked.sizes)
    found = answers.ask(
        opened,
        positives[0] if whole else combined(positives, negatives),
        n_neighbours,
        wanted,
        same_source=asked.same_source,
    )
    planes = np.concatenate([found.query.images, opened.thumbnails(found.rows)])
    draw = partial(pictures.gallery, opened, found)
    return Kin(found.table(opened), found.query.name, planes, draw, found.unusual)


def doors(opened: SourceIndex, settings: WaySettings) -> Doors:
    """Open the ways into an index; the model is loaded when an image is embedded first."""

    def load() -> Model:
        noted = opened.note.model
        if settings.model is None and is_elsewhere(noted):
            raise ConfigError(
                f"{opened.place}: was made by {noted}, which is on a model hub, and an index has nothing "
                f"fetched that you did not name; give model={noted!r}."
            )
        loaded = load_model(settings.model or noted, device=best_device())
        opened.require(loaded)
        return loaded

    fetch = None if settings.survey is None else _fetcher(settings.survey, settings)
    return Doors(opened, load, fetch, settings.same_source, settings.resolve)


def _fetcher(survey: str, settings: WaySettings) -> Callable[[SkyCoord], Cutout]:
    """Make the function that fetches the image of a position."""
    return partial(
        fetching.fetch,
        survey=survey,
        size=settings.size,
        service=settings.service,
        mosaics=settings.mosaics,
        base_url=settings.base_url,
    )


def _several(query: Any) -> list[Any]:  # noqa: ANN401
    return list(query) if isinstance(query, list | tuple) else [query]


def _is_set(index: Any) -> bool:  # noqa: ANN401
    """Tell images from an index: a folder or an address is an index's."""
    return not isinstance(index, SourceIndex | str | Path)


def _query(ways: Doors, one: Any) -> Query:  # noqa: ANN401
    if isinstance(one, str):
        return ways.query(one)
    if isinstance(one, Path):
        return ways.query(str(one))
    if isinstance(one, Cutout | ImageSet):
        model = ways.load_model()
        return of_image(ways.index, images_for(model.preprocessing, one), model)
    return ways.at(parse_position(one, resolve=ways.resolve))


def _in_set(
    index: Any,  # noqa: ANN401  (whatever datasets.load takes)
    like: list[Any],
    unlike: list[Any],
    n: int,
    asked: SearchSettings,
) -> Kin:
    """Search in a set that has no index."""
    others = (unlike, asked.where, asked.cone, asked.sizes, asked.survey)
    if any(others) or len(like) != 1 or not isinstance(like[0], str | Path):
        raise ConfigError(
            "Filters, several queries and positions need an index; make one with "
            "skylobe.index(out=FOLDER) and name it with index=FOLDER."
        )
    model = as_model(asked.model or DEFAULT_MODEL)
    image_set = images_for(model.preprocessing, index, skip_broken=True)
    similarity.insist_on_query(image_set, str(like[0]))
    if asked.embeddings is None:
        vectors = embed(model, image_set, n_views=asked.n_views, progress=True)
    else:
        path = Path(asked.embeddings)
        vectors = similarity.stored_embeddings(path, image_set, model, asked.n_views)
    found = similarity.search(image_set, vectors, str(like[0]), model, n)
    rows = found.neighbours.rows[0]
    table = QTable({"rank": np.arange(1, len(rows) + 1)})
    facts = image_set.select(rows).to_table()
    table["id"], table["similarity"] = facts["id"], found.neighbours.similarity[0].astype(float)
    for name in facts.colnames[1:]:
        table[name] = facts[name]
    planes = np.concatenate([cut_thumbnails(found.query), cut_thumbnails(image_set.select(rows))])
    draw = partial(similarity.draw_gallery, image_set, found)
    return Kin(table, str(found.query.source_ids[0]), planes, draw)

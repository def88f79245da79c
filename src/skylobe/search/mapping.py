"""An index to its map, what can be read from its embeddings, and the picture of both."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from skylobe.core import notebook, plotting
from skylobe.core.settings import given
from skylobe.core.vectors import as_unit
from skylobe.models.embed import embed
from skylobe.models.inputs import images_for
from skylobe.search import latent_map, pictures, placing, readout, rows
from skylobe.search.indexing import open_index
from skylobe.search.map_record import LatentMap
from skylobe.search.searching import doors
from skylobe.search.settings import MapSettings, WaySettings
from skylobe.search.store import SourceIndex


@dataclass(frozen=True)
class Drawn:
    """A map, and what was measured on the way.

    Args:
        made: The map.
        placing_error: Share of the map's width by which a source is placed wrongly.
        readings: How well properties can be read from the embeddings, a line each.
        figure: Its picture.
    """

    made: LatentMap
    placing_error: float
    readings: tuple[str, ...]
    figure: Figure | None

    @property
    def facts(self) -> dict[str, str]:
        """Name the numbers, as they are shown."""
        return {
            "sources": f"{len(self.made):,}",
            "variance kept": (
                f"{100 * self.made.variance_kept:.2f} % in {len(self.made.axes)} components"
            ),
            "placing error": f"{100 * self.placing_error:.2f} % of the map's width",
            "read from the embeddings": (
                "; ".join(self.readings) or "nothing that enough sources have"
            ),
        }

    def _repr_html_(self) -> str:
        shown = ""
        if self.figure is not None:
            address = plotting.to_data_uri(self.figure)
            shown = f'<img src="{address}" alt="" style="max-width: 46rem; width: 100%">'
        return notebook.frame(
            "Map", self.facts["sources"] + " sources", shown, notebook.facts(self.facts)
        )


def draw_map(
    index: SourceIndex | str | Path,
    out: str | Path | None = None,
    *,
    over: Any = None,  # noqa: ANN401  (whatever datasets.load takes)
    **settings: Any,  # noqa: ANN401  (the fields of MapSettings)
) -> Drawn:
    """Map an index in two dimensions, and measure what can be read from its embeddings.

    Args:
        index: What ``skylobe.index`` made, or its folder or address; the map is kept there.
        out: Picture to write: PNG, PDF or SVG. Without it and without ``over`` nothing is drawn.
        over: Labelled images to draw over the map, placed among their neighbours; or whatever
            ``skylobe.load`` takes.
        **settings: ``colour``, ``method``, ``again``, ``read``, ``model`` and ``seed``: the fields of
            ``search.settings.MapSettings``.

    Raises:
        ConfigError: If there is no such column or setting, or it is known of no source.
        StorageError: If another process changes the index, or the map cannot be written.
    """
    asked = given(MapSettings, settings, "map")
    if out is not None:
        plotting.insist_on_picture(Path(out))
    opened = index if isinstance(index, SourceIndex) else open_index(index)
    made = latent_map.of_index(opened, method=asked.method, again=asked.again, seed=asked.seed)
    own = opened.rows_of(made.ids.tolist())
    numbers = {said(name): opened.column(name)[own].astype(float) for name in asked.read}
    labels = opened.column("label")[own]
    found = readout.read_all(opened.vectors(own), numbers, labels, opened.positions[own])
    readings = tuple(str(one) for one in found)
    figure = None
    if over is not None:
        figure = _over(opened, made, over, asked, readings)
    elif out is not None and asked.colour == "label":
        figure = pictures.by_class(made, made.points, labels, rest="no label", readings=readings)
    elif out is not None:
        values = opened.column(asked.colour)[own].astype(float)
        figure = pictures.by_number(made, values, name=said(asked.colour), readings=readings)
    if out is not None and figure is not None:
        plotting.save(figure, Path(out))
    return Drawn(made, placing.placing_error(made, opened), readings, figure)


def _over(
    opened: SourceIndex,
    made: LatentMap,
    over: Any,  # noqa: ANN401  (whatever datasets.load takes)
    asked: MapSettings,
    readings: tuple[str, ...],
) -> Figure:
    """Embed a labelled set, place it on a map and draw both."""
    model = doors(opened, WaySettings(model=asked.model)).load_model()
    image_set = images_for(model.preprocessing, over)
    vectors = embed(model, image_set, n_views=opened.note.n_views, progress=True)
    unit: NDArray[np.float32] = as_unit(vectors.vectors, vectors.source_ids)
    points, rest = placing.place(made, opened, unit), ", ".join(opened.note.data)
    return pictures.by_class(made, points, rows.labels(image_set), rest=rest, readings=readings)


def said(column: str) -> str:
    """Write a column's name as it is spoken.

    >>> said("size_arcsec"), said("redshift")
    ('size (arcsec)', 'redshift')
    """
    name, _, unit = column.rpartition("_")
    return f"{name.replace('_', ' ')} (arcsec)" if unit == "arcsec" else column

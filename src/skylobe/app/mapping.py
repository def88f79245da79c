"""The latent map as pictures: drawn by Datashader for the part that is looked at, in any number of points.

Nothing is kept per visitor: a drawing depends on its request alone.
"""

import io
import threading
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt32
from matplotlib import colormaps
from matplotlib.colors import to_hex
from matplotlib.path import Path as Outline
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from skylobe.app.schema import Colour
from skylobe.core.errors import ConfigError
from skylobe.core.extras import optional
from skylobe.core.units import unit_of
from skylobe.search import latent_map, placing
from skylobe.search.map_record import LatentMap
from skylobe.search.store import SourceIndex

Extent = tuple[float, float, float, float]  # x0, x1, y0, y1
DENSITY = "density"
LARGEST_POINT = 4  # pixels around a point's own, where there are few
ROOM = 0.12  # share of a picture that its points may cover by being drawn larger
CLASSES = ("#56b4e9", "#e0601e", "#00c08b", "#f0e442", "#d56fa3", "#e69f00", "#b8a1ff", "#9aa5b5")
REST, REST_COLOUR = "other or unknown", "#6b7688"
HIGH, LOW = 98, 2  # per cent of the values between the ends of the colours
WIDE = 20  # ratio of the ends above which the logarithm is coloured
PICTURES_KEPT = 64
FRAMES_KEPT = 3  # columns whose points lie ready to be drawn: 12 bytes a point
MARGIN = 0.03
SIGNS = {"arcsec": "″", "deg": "°"}


class MapView:
    """The map of an index, ready to be drawn and pointed at.

    Args:
        index: Whose map.
        made: The map; sources that are no longer in the index are not shown.
    """

    def __init__(self, index: SourceIndex, made: LatentMap) -> None:
        self.index, self.made = index, made
        self.rows = index.rows_of(made.ids.tolist())
        self.points = np.asarray(made.points, dtype=np.float32)
        self._drawing = threading.Lock()  # a drawing uses what memory and processors there are
        self.frame = lru_cache(FRAMES_KEPT)(self._frame)
        self.draw = lru_cache(PICTURES_KEPT)(self._draw)

    @classmethod
    def of(cls, index: SourceIndex) -> "MapView":
        """Take the map that is kept with an index, sources added since placed among the others.

        Raises:
            DataError: If there is none.
        """
        kept = LatentMap.load(index.folder)
        return cls(index, latent_map.of_index(index, method=kept.method))

    @property
    def columns(self) -> list[str]:
        """What the points can be coloured by."""
        kinds = self.index.columns
        few = [name for name, kind in kinds.items() if kind != "text" or name in ("label", "split")]
        return [DENSITY, *(name for name in ("size_arcsec", "label") if name in few)] + [
            name for name in few if name not in ("size_arcsec", "label")
        ]

    @cached_property
    def first_colour(self) -> str:
        """The column that tells most at first sight: the class, else the size, else how many."""
        if (self.index.column("label") != "").any():
            return "label"
        sizes = self.index.column("size_arcsec").astype(np.float64)
        return "size_arcsec" if np.isfinite(sizes).any() else DENSITY

    @cached_property
    def extent(self) -> Extent:
        """The part of the plane that holds all points, with a margin."""
        low, high = self.points.min(0), self.points.max(0)
        room = MARGIN * np.maximum(high - low, 1e-6)
        (x0, y0), (x1, y1) = low - room, high + room
        return float(x0), float(x1), float(y0), float(y1)

    @cached_property
    def _by_row(self) -> NDArray[np.float32]:
        places = np.full((len(self.index), 2), np.nan, dtype=np.float32)
        places[self.rows] = self.points
        return places

    @cached_property
    def _tree(self) -> cKDTree:
        # ten million points are sorted in seconds this way, instead of in a minute
        return cKDTree(self.points, balanced_tree=False, compact_nodes=False)

    def places(self, rows: Int[np.ndarray, " row"]) -> Float[np.ndarray, "row 2"]:
        """Give rows' points, NaN where the map does not show one."""
        return np.asarray(self._by_row[rows])

    def place(self, vector: Float[np.ndarray, " feature"]) -> Float[np.ndarray, " 2"]:
        """Place a query among its neighbours, as ``placing.place`` does."""
        mapped = np.isfinite(self._by_row[:, 0])
        among = None if mapped.all() else mapped
        found = self.index.search(vector[None], placing.PLACING + 1, among=among)
        points = self._by_row[found.rows].astype(np.float64)
        similarity = found.similarity.astype(np.float64)
        return np.asarray(placing.among_neighbours(points, similarity)[0])

    def nearest(self, x: float, y: float, radius: float) -> int | None:
        """Give the row of the nearest point within a radius, in the map's own units."""
        distance, at = self._tree.query((x, y), distance_upper_bound=radius)
        return int(self.rows[at]) if np.isfinite(distance) else None

    def inside(self, polygon: Float[np.ndarray, "vertex 2"]) -> Int[np.ndarray, " row"]:
        """Give the rows inside a polygon, the most central first."""
        low, high = polygon.min(0), polygon.max(0)
        near = np.flatnonzero(((self.points >= low) & (self.points <= high)).all(1))
        hit = near[Outline(polygon).contains_points(self.points[near])]
        if not len(hit):
            return np.empty(0, dtype=np.int64)
        off = np.linalg.norm(self.points[hit] - self.points[hit].mean(0), axis=1)
        return np.asarray(self.rows[hit[np.argsort(off, kind="stable")]])

    def colour(self, column: str) -> Colour:
        """Say how a column is coloured.

        Raises:
            ConfigError: If the map cannot be coloured by it.
        """
        if column not in self.columns:
            raise ConfigError(f"No column {column!r}; choose {', '.join(self.columns)}.")
        if column == DENSITY:
            return Colour(
                column=column, kind="density", colours=_scale("cividis"), names=["few", "many"]
            )
        _, names, ends = self.frame(column)
        if names:
            shown = [*CLASSES[: len(names) - 1], REST_COLOUR]
            return Colour(column=column, kind="class", colours=shown, names=names)
        said = [f"{one:.3g}" for one in ends]
        unit = SIGNS.get(str(unit_of(column)), "")
        return Colour(
            column=column, kind="number", colours=_scale("viridis"), names=said, unit=unit
        )

    def _frame(self, column: str) -> tuple[Any, list[str], tuple[float, float]]:
        """Lay a column's points out for drawing: the table, its classes, or the ends of its scale."""
        import pandas  # comes with datashader

        table = {"x": self.points[:, 0], "y": self.points[:, 1]}
        if column == DENSITY:
            return pandas.DataFrame(table), [], (0.0, 0.0)
        values = self.index.column(column)[self.rows]
        if self.index.columns[column] == "number":
            numbers, ends = _scaled(values.astype(np.float64), column)
            return pandas.DataFrame(table | {"colour": numbers}), [], ends
        texts = values.astype(str)
        found, counts = np.unique(texts[texts != ""], return_counts=True)
        names = [*found[np.argsort(-counts, kind="stable")][: len(CLASSES)].tolist(), REST]
        codes = np.full(len(texts), len(names) - 1, dtype=np.int8)
        for code, name in enumerate(names[:-1]):
            codes[texts == name] = code
        table["colour"] = pandas.Categorical.from_codes(codes, names)
        return pandas.DataFrame(table), names, (0.0, 0.0)

    def _draw(self, column: str, extent: Extent, width: int, height: int) -> bytes:
        """Draw a part of the map: a PNG whose background is clear.

        Args:
            column: That colours it.
            extent: The part.
            width: Pixels.
            height: Pixels.

        Raises:
            ConfigError: If the part is empty, or the map cannot be coloured so.
        """
        x0, x1, y0, y1 = extent
        if not (x0 < x1 and y0 < y1):
            raise ConfigError("The part of the map is empty; give x0 < x1 and y0 < y1.")
        legend = self.colour(column)
        shader, shade = optional("datashader"), optional("datashader.transfer_functions")
        with self._drawing:
            frame, names, _ = self.frame(column)
            canvas = shader.Canvas(width, height, x_range=(x0, x1), y_range=(y0, y1))
            if legend.kind == "density":
                drawn = canvas.points(frame, "x", "y", shader.count())
                picture = shade.shade(drawn, cmap=legend.colours, how="eq_hist", min_alpha=140)
            elif legend.kind == "class":
                drawn = canvas.points(frame, "x", "y", shader.by("colour", shader.count()))
                key = dict(zip(names, legend.colours, strict=True))
                picture = shade.shade(drawn, color_key=key, how="eq_hist", min_alpha=220)
            else:
                drawn = canvas.points(frame, "x", "y", shader.mean("colour"))
                picture = shade.shade(drawn, cmap=legend.colours, how="linear", span=(0, 1))
            picture = shade.spread(picture, px=_point_size(np.asarray(picture.data)))
            file = io.BytesIO()
            picture.to_pil().save(file, "PNG", compress_level=1)
        return file.getvalue()

    def warm(self) -> None:
        """Draw once in each way: the first time Datashader compiles what it needs, for seconds."""
        kinds = {self.colour(one).kind: one for one in (DENSITY, "size_arcsec", "label")}
        x0, x1, y0, y1 = self.extent
        nearly_empty = (
            x0,
            x0 + (x1 - x0) / 1000,
            y0,
            y0 + (y1 - y0) / 1000,
        )  # points are spread there
        for column in kinds.values():
            for extent in (nearly_empty, self.extent):
                self.draw(column, extent, 256, 256)


def _point_size(picture: UInt32[np.ndarray, "height width"]) -> int:
    """Choose how far each point is spread: the fewer there are, the larger they may be."""
    share = max(np.count_nonzero(picture >> 24) / picture.size, 1e-9)  # the uppermost byte is alpha
    return int(np.clip((np.sqrt(ROOM / share) - 1) / 2, 0, LARGEST_POINT).round())


def _scaled(
    values: Float[np.ndarray, " point"], column: str
) -> tuple[Float[np.ndarray, " point"], tuple[float, float]]:
    """Bring numbers to 0–1 between their usual ends, by logarithm where they are wide apart."""
    known = np.isfinite(values)
    if not known.any():
        raise ConfigError(f"{column} is known of no source; choose another column.")
    low, high = np.percentile(values[known], (LOW, HIGH))
    ends = float(low), float(high)
    if low > 0 and high / low > WIDE:
        with np.errstate(divide="ignore", invalid="ignore"):
            values, low, high = np.log(values), np.log(low), np.log(high)
    width = high - low if high > low else 1.0
    # a point beyond the ends takes the colour of the end
    return ((values - low) / width).clip(0, 1).astype(np.float32), ends


def _scale(name: str) -> list[str]:
    return [to_hex(one) for one in colormaps[name](np.linspace(0.25, 1, 16))]

"""Maps and answers to figures."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy.table import QTable
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, ScalarFormatter
from numpy.typing import NDArray

from skylobe.core import plotting
from skylobe.core.errors import ConfigError
from skylobe.images.gallery import gallery as draw_gallery
from skylobe.models.settings import GALLERY_GRID
from skylobe.search.answers import Answers
from skylobe.search.map_record import LatentMap
from skylobe.search.store import SourceIndex

GREY = "#b8b8b8"
POINTS_AT_FULL_SIZE = 2000  # more are drawn smaller
TICKS = (1, 2, 5, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 1000)
RARE = 0.05  # share of the sources below which a class is drawn large, and last
TURNS = 8  # in which classes are drawn, so that none hides the others
HIGH, LOW = 98, 2  # per cent of the values between the ends of the colour bar


def by_number(
    made: LatentMap,
    values: Float[np.ndarray, " source"],
    *,
    name: str,
    readings: Sequence[str] = (),
    logarithm: bool = True,
) -> Figure:
    """Draw a map coloured by a number, such as the angular size.

    Args:
        made: The map.
        values: One per point, NaN where unknown: those points are grey and lie below.
        name: Of the number, with its unit, on the colour bar.
        readings: Lines beside the picture: how well properties can be read from the embedding.
        logarithm: Colour by the logarithm.

    Raises:
        ConfigError: If the number is known of no source.

    Source: paper, Fig. 2.
    """
    known = np.isfinite(values) & ((values > 0) if logarithm else True)
    if not known.any():
        raise ConfigError(f"{name} is known of no source; choose another column.")
    figure, panel = _canvas(made, readings)
    order = np.random.default_rng(0).permutation(np.flatnonzero(known))  # none lies always on top
    x, y = made.points.T
    panel.scatter(x[~known], y[~known], s=_size(made), c=GREY, lw=0)
    low, high = np.percentile(values[known], (LOW, HIGH))
    shown = panel.scatter(
        x[order], y[order], s=_size(made), c=values[order], lw=0, cmap="viridis",
        norm="log" if logarithm and low < high else "linear", vmin=low, vmax=high,
    )  # fmt: skip
    bar = figure.colorbar(shown, ax=panel, shrink=0.75, extend="both", pad=0.01)
    bar.set_label(name)
    bar.outline.set_visible(False)
    if logarithm:
        bar.set_ticks([one for one in TICKS if low <= one <= high])
        bar.ax.yaxis.set_minor_locator(NullLocator())
        bar.ax.yaxis.set_major_formatter(ScalarFormatter())
    return figure


def by_class(
    made: LatentMap,
    points: Float[np.ndarray, "labelled 2"],
    classes: NDArray[np.str_],
    *,
    rest: str = "corpus",
    readings: Sequence[str] = (),
) -> Figure:
    """Draw labelled sources over a map.

    Args:
        made: The map; its points are grey and lie below, unless the labelled ones are all of them.
        points: Places of the labelled sources, the map's own or placed on it.
        classes: Class of each, empty for those that are not drawn.
        rest: What the legend calls the sources of the map.
        readings: Lines beside the picture.

    Source: paper, Fig. 3.
    """
    figure, panel = _canvas(made, readings)
    names = [one for one in sorted(set(classes.tolist())) if one]
    if len(points) != len(made) or "" in classes:
        x, y = made.points.T
        panel.scatter(x, y, s=_size(made), c=GREY, lw=0, zorder=1, label=f"{rest} ({len(made):,})")
    looks: list[dict[str, Any]] = [
        {
            "c": plotting.COLOURS[n % 6],
            "marker": plotting.MARKERS[n % 6],
            "lw": 0.2,
            "edgecolors": "white",
        }
        for n in range(len(names))
    ]
    rows_of = {name: np.flatnonzero(classes == name) for name in names}
    for turn in range(TURNS):
        for name, look in zip(names, looks, strict=True):
            rows = rows_of[name]
            is_rare = len(rows) < RARE * len(points)
            x, y = points[rows[turn::TURNS]].T
            label = None if turn else f"{name} ({len(rows):,})"
            panel.scatter(
                x, y, s=(4.5 if is_rare else 1.8) * _size(made), label=label,
                zorder=3 if is_rare else 2, **look,
            )  # fmt: skip
    panel.legend(loc="upper left", frameon=False, fontsize=9, markerscale=1.4, handletextpad=0.2)
    return figure


def gallery(index: SourceIndex, answers: Answers) -> Figure:
    """Draw a query and its answers with their names, similarity and, if known, class."""
    images = np.concatenate([answers.query.images, index.thumbnails(answers.rows)])
    captions = ["query"] * len(answers.query.images)
    if len(captions) == 1:
        captions = [f"{_short(answers.query.name)}\nquery"]
    labels = index.column("label")
    for row, similarity in zip(answers.rows, answers.similarity, strict=True):
        facts = ", ".join(filter(None, (str(labels[row]), f"S = {similarity:.3f}")))
        captions.append(f"{_short(str(index.ids[row]))}\n{facts}")
    return draw_gallery(
        images, captions, pixel_scale=GALLERY_GRID.pixel_scale,
        n_queries=len(answers.query.images),
    )  # fmt: skip


def lonely(index: SourceIndex, table: QTable) -> Figure:
    """Draw outliers, the loneliest first, with their mean similarity to their neighbours."""
    names = [str(one) for one in table["id"]]
    captions = [
        f"{_short(name)}\nmean S = {value:.3f}"
        for name, value in zip(names, table["mean_similarity"], strict=True)
    ]
    images = index.thumbnails(index.rows_of(names))
    return draw_gallery(images, captions, pixel_scale=GALLERY_GRID.pixel_scale, n_queries=0)


def _short(name: str) -> str:
    """Shorten a name that would run into its neighbour's."""
    return name if len(name) <= 24 else f"{name[:23]}…"


def _canvas(made: LatentMap, readings: Sequence[str]) -> tuple[Figure, Axes]:
    """Lay out the panel: equal axes without numbers, for they mean nothing; the readings below."""
    figure = Figure(figsize=(7.6, 6.2), layout="constrained", dpi=150)
    panel = figure.subplots()
    panel.set(xticks=[], yticks=[], aspect="equal")
    panel.spines[["top", "right", "bottom", "left"]].set_visible(False)
    kept = f"{len(made.axes)} principal components keep {100 * made.variance_kept:.1f} % of the variance"
    told = ["Read from the embedding, not from the picture:", *readings] if readings else []
    text = "\n".join([f"{made.method.upper()} of {len(made):,} sources; {kept}.", *told])
    figure.supxlabel(text, fontsize=8, color=plotting.INK, x=0.02, ha="left")
    return figure, panel


def _size(made: LatentMap) -> float:
    """Give points an area that keeps crowds readable."""
    return float(np.clip(9 * np.sqrt(POINTS_AT_FULL_SIZE / len(made)), 0.5, 9))

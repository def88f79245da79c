"""Images side by side, with scale bar and compass."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from skylobe.core.plotting import COLOURS, INK
from skylobe.images.stretch import stretch


def gallery(
    images: Shaped[np.ndarray, "source height width"],
    captions: Sequence[str],
    *,
    pixel_scale: float | None = None,
    n_columns: int = 6,
    n_queries: int = 1,
) -> Figure:
    """Draw sources side by side, such as a query and its neighbours.

    Args:
        images: Queries first, if there are any; values 0–1 or 0–255, first row southernmost.
        captions: A line or two under each image.
        pixel_scale: Arcsec per pixel, for the scale bar; ``None`` draws none.
        n_columns: Images per row.
        n_queries: Images at the front that are framed as queries.
    """
    n_columns = min(n_columns, len(images))
    n_rows = -(-len(images) // n_columns)
    figure = Figure(figsize=(1.9 * n_columns, 2.3 * n_rows), layout="constrained", dpi=150)
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for panel in panels[len(images) :]:
        panel.set_visible(False)
    for number, (panel, image, caption) in enumerate(zip(panels, images, captions, strict=False)):
        peak = max(float(image.max()), 1e-9)
        shown = stretch(image / peak)
        panel.imshow(shown, origin="lower", cmap="inferno", vmin=0, vmax=1)
        panel.set(xticks=[], yticks=[])
        panel.set_xlabel(caption, fontsize=7.5, color=INK)
        is_query = number < n_queries
        for edge in panel.spines.values():
            edge.set(color=COLOURS[1] if is_query else "#999999", linewidth=3 if is_query else 0.6)
    if pixel_scale is not None:
        _scale_bar(panels[0], images.shape[-1], pixel_scale)
        _compass(panels[0])
    return figure


def _scale_bar(panel: Axes, width_pix: int, pixel_scale: float) -> None:
    """Draw a bar of a round number of arcseconds in the lower left corner."""
    length = next(
        (one for one in (60, 30, 10, 5) if one < 0.5 * width_pix * pixel_scale), pixel_scale
    )
    start, height = 0.06 * width_pix, 0.07 * width_pix
    panel.plot([start, start + length / pixel_scale], [height, height], color="white", lw=2)
    panel.text(start, 1.5 * height, f"{length:g}″", color="white", fontsize=7, va="bottom")


def _compass(panel: Axes) -> None:
    """Mark north and east in the upper right corner."""
    arrow: dict[str, Any] = {
        "arrowstyle": "<-",
        "color": "white",
        "lw": 1,
        "shrinkA": 0,
        "shrinkB": 0,
    }
    text: dict[str, Any] = {"color": "white", "fontsize": 6.5, "ha": "center", "va": "center"}
    for name, place in (("N", (0.9, 0.96)), ("E", (0.68, 0.76))):
        panel.annotate(
            name, (0.9, 0.76), place, "axes fraction", "axes fraction", arrowprops=arrow, **text
        )

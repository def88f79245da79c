"""A cut-out to a picture to look at: in units of its noise, north up, with angles along the axes."""

import numpy as np
from matplotlib.colors import AsinhNorm
from matplotlib.figure import Figure

from skylobe.sky.background import noise_level
from skylobe.sky.cutout import Cutout
from skylobe.sky.surveys import SURVEYS

LINEAR = 3.0  # σ; what is fainter is shown in proportion, what is brighter is compressed
LEAST_TOP = 10.0  # σ; a picture without a source is not stretched until its noise looks like one
BOTTOM = -3.0  # σ


def picture(cutout: Cutout) -> Figure:
    """Draw a cut-out.

    Args:
        cutout: In any linear unit; blank pixels are left grey.
    """
    finite = np.isfinite(cutout.pixels)
    sigma = noise_level(cutout.pixels) if finite.any() else 0.0
    shown = cutout.pixels / (sigma or 1.0)
    top = max(float(shown[finite].max(initial=0.0)), LEAST_TOP)
    height, width = (n * cutout.pixel_scale / 2 for n in shown.shape)
    figure = Figure(figsize=(5.2, 4.4), layout="constrained", dpi=150)
    panel = figure.subplots()
    panel.set_facecolor("0.6")
    drawn = panel.imshow(
        shown,
        origin="lower",
        cmap="inferno",
        norm=AsinhNorm(LINEAR, vmin=BOTTOM, vmax=top),
        extent=(width, -width, -height, height),
        interpolation="nearest",
    )
    ticks = [tick for tick in (-3, 0, 3, 10, 30, 100, 300, 1000, 3000, 10_000) if tick <= top]
    bar = figure.colorbar(drawn, ax=panel, ticks=ticks, format="%g")
    unit = f" (σ = {sigma * 1e3:.3g} mJy/beam)" if sigma else ""
    bar.set_label(f"brightness in σ{unit}")
    there = cutout.position.icrs
    where = there.to_string("hmsdms", sep=":", precision=1)
    known = SURVEYS.get(cutout.survey)
    survey = cutout.survey if known is None else known.title
    panel.set_title(f"{cutout.source_id}, {survey}\n{where}", fontsize=9)
    panel.set(xlabel="east of the centre (arcsec)", ylabel="north of the centre (arcsec)")
    return figure

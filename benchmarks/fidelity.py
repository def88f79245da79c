"""Compare rendered fields with real ones: 658 FR-DEEP cut-outs of FIRST, and of NVSS.

Each field is drawn from the components of FIRST, without noise, at the centre that its file states and
with the beam the survey has there, and correlated with the real cut-out pixel by pixel. Noise alone keeps
that below 1, so each field's ceiling is given beside it: the correlation that a perfect rendering would
have with this real picture.

Run: ``python benchmarks/fidelity.py --write docs/rendering.md`` (two minutes, mostly to read the files).
Writes the section of the page and ``figures/rendering.png`` beside it; without ``--write`` it only prints.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from astropy.coordinates import SkyCoord
from matplotlib.axes import Axes
from matplotlib.colors import AsinhNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray
from scipy.ndimage import shift

from skylobe.core import downloads, pages, plotting
from skylobe.core.version import versions
from skylobe.images.datasets import first_catalogue, frdeep
from skylobe.images.files import read_image
from skylobe.sky.background import noise_level
from skylobe.sky.rendering.components import Components
from skylobe.sky.rendering.layouts import first_beam
from skylobe.sky.rendering.render import FieldRenderer
from skylobe.sky.settings import RenderConfig

PERCENTILES = (5, 25, 50, 75, 95)
NVSS_PIX = 18  # 270″, the field of the FIRST cut-outs
WIDTH, SCALE = 150, 1.8
SECTION = "fidelity"
SEAM = "TXS 1445+167, FR II"  # two rows of the real cut-out, right through the source, are empty
SCALE_BAR = 60.0  # arcsec


@dataclass(frozen=True)
class Fields:
    """Real cut-outs beside their renderings.

    Args:
        names: Of the sources.
        real: Jy/beam, ``(source, height, width)``.
        drawn: Jy/beam, likewise.
        noise: Jy/beam. σ of each real picture.
    """

    names: list[str]
    real: NDArray[np.float32]
    drawn: NDArray[np.float32]
    noise: NDArray[np.float64]

    @property
    def correlation(self) -> NDArray[np.float64]:
        """Of the pixels of each field."""
        return correlations(self.drawn, self.real)

    @property
    def ceiling(self) -> NDArray[np.float64]:
        """What the noise would leave of the correlation of a perfect rendering."""
        return np.asarray(np.sqrt(np.clip(1 - self.noise**2 / self.real.var((1, 2)), 0, 1)))

    @property
    def missing(self) -> NDArray[np.float64]:
        """Share of the flux above 3σ that the rendering lacks."""
        is_bright = self.real > 3 * self.noise[:, None, None]
        real, drawn = ((one * is_bright).sum((1, 2)) for one in (self.real, self.drawn))
        return np.asarray(1 - drawn / real)


def correlations(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
    """Correlate pictures pixel by pixel, one number for each pair."""
    pairs = zip(first, second, strict=True)
    return np.array([np.corrcoef(one.ravel(), other.ravel())[0, 1] for one, other in pairs])


def read(survey: str) -> tuple[list[str], NDArray[np.float32], SkyCoord]:
    """Read names, pixels and centres of a survey's cut-outs."""
    folder = downloads.require(f"frdeep/{survey}", home=frdeep.HOME)
    paths = sorted(folder.glob("*.fits.fz"))
    files = [read_image(path) for path in paths]
    pixels = np.stack([file.pixels for file in files]).astype(np.float32)
    names = [path.name.removesuffix(".fits.fz").replace("_", ", FR ") for path in paths]
    return names, pixels, SkyCoord([file.position for file in files])


def first_fields(parts: Components) -> Fields:
    """Render the FIRST cut-outs, each with the survey's beam at its declination."""
    names, real, places = read("FIRST")
    beams, drawn = first_beam(places.ra.deg, places.dec.deg), np.empty_like(real)
    for beam in {(float(one[0]), float(one[1]), float(one[2])) for one in beams}:
        rows = (beams == beam).all(1)
        renderer = FieldRenderer(parts, RenderConfig(WIDTH, SCALE, beam, noise=None))
        drawn[rows] = renderer.render(places[rows], torch.Generator()).numpy()
    return Fields(names, real, drawn, np.array([noise_level(one) for one in real]))


def nvss_fields(parts: Components) -> Fields:
    """Render the middle of the NVSS cut-outs from the components of FIRST."""
    names, whole, places = read("NVSS")
    edge = (whole.shape[1] - NVSS_PIX) // 2
    real = whole[:, edge : edge + NVSS_PIX, edge : edge + NVSS_PIX]
    renderer = FieldRenderer(parts, RenderConfig(NVSS_PIX, 15.0, 45.0, noise=None))
    drawn = renderer.render(places, torch.Generator()).numpy()
    return Fields(names, real, drawn, np.array([noise_level(one) for one in whole]))


def best_shift(drawn: NDArray[np.float32], real: NDArray[np.float32]) -> tuple[float, float]:
    """Give the shift in rows and columns, below a pixel and a half, at which two pictures agree best."""
    product = np.fft.fft2(real) * np.fft.fft2(drawn).conj()
    agreement = np.fft.ifft2(product).real
    middle = np.unravel_index(np.argmax(np.roll(agreement, (1, 1), (0, 1))[:3, :3]), (3, 3))
    row, column = (int(one) - 1 for one in middle)
    return (
        row + _vertex(*(agreement[row + step, column] for step in (-1, 0, 1))),
        column + _vertex(*(agreement[row, column + step] for step in (-1, 0, 1))),
    )


def _vertex(before: float, here: float, after: float) -> float:
    """Find the top of the parabola through three neighbouring values."""
    return float(np.clip((before - after) / (2 * (before - 2 * here + after)), -0.5, 0.5))


def row_of(title: str, values: NDArray[np.float64]) -> str:
    """Give a row of percentiles."""
    cells = " | ".join(f"{value:.3f}" for value in np.percentile(values, PERCENTILES))
    return f"| {title} | {len(values)} | {cells} |"


def report(first: Fields, nvss: Fields, moves: NDArray[np.float64]) -> str:
    """Make the section."""
    found, ceiling, missing = first.correlation, first.ceiling, first.missing
    moved = np.stack([shift(one, by, order=3) for one, by in zip(first.drawn, moves, strict=True)])
    is_bright = first.real.max((1, 2)) > 50 * first.noise
    rows = [
        row_of("**FIRST, pixel correlation**", found),
        row_of("ceiling set by the noise", ceiling),
        row_of(
            "correlation, each shifted by its best fraction of a pixel",
            correlations(moved, first.real),
        ),
        row_of("correlation, brightest pixel above 50σ", found[is_bright]),
        row_of("correlation, brightest pixel below 50σ", found[~is_bright]),
        row_of("share of the flux above 3σ that is missing", missing),
        row_of("**NVSS from FIRST's components, pixel correlation**", nvss.correlation),
        row_of("share of NVSS's flux above 3σ that is missing", nvss.missing),
    ]
    head = " | ".join(f"{one}th" if one != 50 else "median" for one in PERCENTILES)
    used = ", ".join(f"{name} {version}" for name, version in versions().items())
    return f"""| | fields | {head} |
|---|---|{"---|" * len(PERCENTILES)}
{chr(10).join(rows)}

{conclusions(first, moves)}

{failures(first)}

Command: `python benchmarks/fidelity.py --write docs/rendering.md`. Software: {used}."""


def conclusions(first: Fields, moves: NDArray[np.float64]) -> str:
    """Say what the failures have in common and where the cut-outs really are."""
    found, gap = first.correlation, first.ceiling - first.correlation
    bad = found < 0.9
    noisy = bad & (gap < 0.1)
    diffuse = bad & ~noisy & (first.missing > 0.2)
    return f"""{bad.sum()} of {len(found)} fields are below 0.9: {noisy.sum()} of them within 0.1 of what
their noise allows, {diffuse.sum()} lack more than a fifth of the flux above 3σ (diffuse emission that no
component describes), {(bad & ~noisy & ~diffuse).sum()} has the flux but not the shape: two rows of the
real cut-out, right through the source, are empty. The best shifts are spread evenly over half a pixel to
either side (standard deviation {moves.std():.2f} pixels, {moves.std() * SCALE:.2f}″): the cut-outs were
taken at the nearest whole pixel of the survey's images, and their headers do not say so."""


def failures(first: Fields, count: int = 12) -> str:
    """List the fields with the widest gap to their ceiling."""
    gap = first.ceiling - first.correlation
    lines = [
        "The twelve fields furthest below their ceiling:\n",
        "| field | correlation | ceiling | brightest pixel | flux missing |",
        "|---|---|---|---|---|",
    ]
    for row in np.argsort(-gap)[:count]:
        peak = 1e3 * first.real[row].max()
        lines.append(
            f"| {first.names[row]} | {first.correlation[row]:.2f} | {first.ceiling[row]:.2f} | "
            f"{peak:.1f} mJy/beam | {100 * first.missing[row]:.0f} % |"
        )
    return "\n".join(lines)


def chosen(first: Fields) -> list[tuple[str, int]]:
    """Choose fields for the figure: extended ones at and above the median, then failures."""
    found, gap = first.correlation, first.ceiling - first.correlation
    extent = (first.real > 3 * first.noise[:, None, None]).sum((1, 2))
    shown = []
    for title, level in (("good", 90), ("median", 50)):
        near = np.argsort(np.abs(found - np.percentile(found, level)))[:25]
        shown.append((title, int(near[np.argmax(extent[near])])))
    is_diffuse = (first.missing > 0.2) & (
        first.ceiling > 0.5
    )  # fainter ones show nothing but noise
    diffuse = [int(row) for row in np.argsort(-gap) if is_diffuse[row]][:2]
    shown += [("diffuse emission", row) for row in diffuse]
    return [*shown, ("flawed cut-out", first.names.index(SEAM))]


def figure(first: Fields) -> Figure:
    """Draw real, rendered and residual pictures under one another, in units of each field's noise."""
    fields = chosen(first)
    drawing = Figure(figsize=(12.4, 7.6), layout="constrained", dpi=100)
    panels = drawing.subplots(3, len(fields), sharex=True, sharey=True)
    bright, apart = AsinhNorm(3, -3, 300), AsinhNorm(3, -100, 100)
    for column, (title, row) in enumerate(fields):
        real, drawn = (one[row] / first.noise[row] for one in (first.real, first.drawn))
        shown = [
            _show(panels[0, column], real, bright, "inferno"),
            _show(panels[1, column], drawn, bright, "inferno"),
            _show(panels[2, column], real - drawn, apart, "RdBu_r"),
        ]
        name = f"{first.names[row]}\ncorrelation {first.correlation[row]:.2f}"
        panels[0, column].set_title(title, fontsize=12, fontweight="bold")
        panels[1, column].set_title(name, fontsize=9.5)
    _decorate(panels)
    ticks = {0: [-3, 0, 3, 10, 30, 100, 300], 2: [-100, -30, -10, -3, 0, 3, 10, 30, 100]}
    for first_row, rows in ((0, panels[:2]), (2, panels[2:])):
        bar = drawing.colorbar(shown[first_row], ax=rows, shrink=0.85, aspect=28, pad=0.01)
        bar.set_ticks(
            ticks[first_row],
            labels=[f"{tick:+d}" if first_row and tick else f"{tick}" for tick in ticks[first_row]],
        )
        bar.minorticks_off()
        bar.set_label("brightness in σ of the noise", fontsize=9)
    return drawing


def _show(panel: Axes, picture: NDArray[np.float32], norm: AsinhNorm, colours: str) -> AxesImage:
    edge = WIDTH * SCALE / 2
    panel.set_xticks((100, 0, -100))
    panel.set_yticks((-100, 0, 100))
    panel.tick_params(labelsize=8)
    return panel.imshow(
        picture, origin="lower", norm=norm, cmap=colours, extent=(edge, -edge, -edge, edge)
    )


def _decorate(panels: NDArray[np.object_]) -> None:
    """Name rows and axes; put a scale bar and the compass on the first picture."""
    for panel, name in zip(panels[:, 0], ("real", "rendered", "real − rendered"), strict=True):
        panel.set_ylabel(name, fontsize=12, fontweight="bold")
    for panel in panels[2]:
        panel.set_xlabel("arcsec east of the centre", fontsize=8.5)
    panel, light = panels[0, 0], {"color": "white", "fontsize": 9}
    panel.plot((118, 118 - SCALE_BAR), (-112, -112), color="white", linewidth=2)
    panel.text(118 - SCALE_BAR / 2, -106, "1′", ha="center", va="bottom", **light)
    for step, letter in (((0, 34), "N"), ((34, 0), "E")):
        tip = (-112 + step[0], -118 + step[1])
        arrow = {"arrowstyle": "-", "color": "white"}
        panel.annotate("", tip, (-112, -118), arrowprops=arrow)
        panel.text(
            tip[0] + step[0] / 4, tip[1] + step[1] / 4, letter, ha="center", va="center", **light
        )


def main() -> None:
    """Print the section, and write it where it belongs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", type=Path, metavar="PAGE")
    page = parser.parse_args().write
    parts = first_catalogue.components()
    first, nvss = first_fields(parts), nvss_fields(parts)
    moves = np.array([best_shift(*pair) for pair in zip(first.drawn, first.real, strict=True)])
    text = report(first, nvss, moves)
    print(text)
    if page is not None:
        pages.write_section(page, SECTION, text)
        plotting.save(figure(first), page.parent / "figures" / "rendering.png")


if __name__ == "__main__":
    main()

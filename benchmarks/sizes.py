"""Compare sizes measured on pictures with the catalogues' sizes of the same sources.

The rule that says which islands belong to a source is chosen on every other one of the FR-DEEP fields of
FIRST that Radio Galaxy Zoo gives a size for, and judged on the rest. MiraBest's own cut-outs are a second
set that nothing is chosen on.

Run: ``python benchmarks/sizes.py --write`` (about one minute) with ``SKYLOBE_MIRROR`` set to a folder that
holds frdeep/, mirabest/, first/ and rgz/. Writes ``docs/sizes.md`` and its figure; without ``--write`` it
prints.
"""

import argparse
import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from matplotlib.figure import Figure
from scipy.spatial.distance import pdist

from skylobe.core import downloads, pages, plotting
from skylobe.core.errors import DataError
from skylobe.images.datasets import first_catalogue, rgz
from skylobe.images.files import read_image
from skylobe.images.sizes import SizeRule, measure_many, source_pixels
from skylobe.sky.cutout import Cutout
from skylobe.sky.rendering.components import Components

DOCS = Path(__file__).resolve().parents[1] / "docs"
RADIUS = 15 * u.arcsec  # between a field's centre and the catalogued position
CLOSE = 0.25  # of a size: what counts as agreeing once the median ratio is taken out
HEAD = """| sources | number | none measured | measured / catalogued, median | scatter | agreeing |
|---|---|---|---|---|---|"""
RULES = [
    SizeRule(peak_sigma=sigma, peak_share=share, reach=reach)
    for reach, share, sigma in itertools.product(
        (20.0, 30.0, 40.0, 60.0), (0.0, 0.05, 0.1), (4.0, 5.0)
    )
]


@dataclass(frozen=True)
class Agreement:
    """How measured sizes compare with catalogued ones."""

    count: int
    missing: int
    median: float
    scatter: float
    close: float

    def row(self, name: str) -> str:
        """Write it as a row of the table."""
        return (
            f"| {name} | {self.count} | {self.missing} | {self.median:.3f} | "
            f"{100 * (10**self.scatter - 1):.1f} % | {100 * self.close:.0f} % |"
        )


def compare(measured: np.ndarray, catalogued: np.ndarray) -> Agreement:
    """Give the median ratio, the robust scatter in dex, and the share that agrees."""
    found = np.isfinite(measured)
    ratio = np.log10(measured[found] / catalogued[found])
    apart = np.abs(ratio - np.median(ratio))
    return Agreement(
        count=len(measured),
        missing=int((~found).sum()),
        median=float(10 ** np.median(ratio)),
        scatter=float(1.4826 * np.median(apart)),
        close=float(np.mean(apart < np.log10(1 + CLOSE))),
    )


def cutouts_of(folder: Path) -> list[tuple[Path, Cutout]]:
    """Read a folder of FIRST fields; those without pixels are left out."""
    found = []
    for path in sorted(folder.iterdir()):
        try:
            image = read_image(path)
        except DataError:
            continue
        if image.position is not None and image.pixel_scale is not None:
            one = Cutout(image.pixels, image.position, image.pixel_scale, "first", path.name)
            found.append((path, one))
    return found


def frdeep() -> tuple[list[Cutout], np.ndarray]:
    """Pair FR-DEEP's fields with the sizes of Radio Galaxy Zoo."""
    folder = downloads.require("frdeep/FIRST", home="FR-DEEP v2")
    cutouts = [one for _, one in cutouts_of(folder)]
    sources = rgz.positions()
    sources = sources.select(np.isfinite(sources.sizes))
    row, apart, _ = SkyCoord([one.position for one in cutouts]).match_to_catalog_sky(
        sources.positions
    )
    near = np.flatnonzero(apart < RADIUS)
    return [cutouts[i] for i in near], sources.sizes[row[near]]


def mirabest() -> tuple[list[Cutout], np.ndarray]:
    """Pair MiraBest's cut-outs with the sizes in their file names."""
    folder = downloads.require("mirabest/fits_sample", home="MiraBest")
    pairs = cutouts_of(folder)
    sizes = np.array([float(path.stem.rsplit("_", 1)[1]) for path, _ in pairs])
    return [one for _, one in pairs], sizes


def separation(cutout: Cutout, rule: SizeRule, components: Components) -> float:
    """Give the longest distance in arcsec between FIRST components inside the source's islands."""
    there = cutout.position
    near = np.abs(components.dec - there.dec.deg) < 0.1
    x, y = cutout.wcs.wcs_world2pix(components.ra[near], components.dec[near], 0)
    row, column = np.rint(np.nan_to_num([y, x], nan=-1)).astype(int)
    height, width = cutout.pixels.shape
    on = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    on[on] = source_pixels(cutout, rule)[row[on], column[on]]
    places = np.stack([x[on], y[on]], axis=1)
    return float(pdist(places).max() * cutout.pixel_scale) if len(places) > 1 else 0.0


def mirabest_report(rule: SizeRule) -> str:
    """Say what MiraBest's sizes, which are of two kinds, say about ours."""
    cutouts, sizes = mirabest()
    first_kind = np.array([one.source_id.startswith("1") for one in cutouts])
    components = first_catalogue.components()
    apart = np.array([separation(one, rule, components) for one in cutouts])
    same = np.abs(apart / sizes - 1) < 0.02
    ratio = measure_many(cutouts, rule)[first_kind] / sizes[first_kind]
    others, agree = int((~first_kind).sum()), int(same[~first_kind].sum())
    short = int((ratio < 0.5).sum())
    return f"""**MiraBest's sample, nothing chosen on it.** Its sizes are of two kinds. For FRII and
hybrids they are the longest distance between the source's components in FIRST's catalogue. Taken between
the components inside the islands that the rule chose, that distance is the same within 2 % for {agree} of
{others}: the rule chose the same parts. For FRI the sizes are of the whole emission; measured / catalogued
has the median {np.median(ratio):.2f} over {len(ratio)} sources, and {short} come out at less than half:
wide, faint tails fall below 3σ of FIRST, or lie beyond reach."""


def choose(cutouts: list[Cutout], sizes: np.ndarray) -> tuple[SizeRule, list[Agreement]]:
    """Take the rule with which most sources agree, of equals the one that scatters least."""
    found = [compare(measure_many(cutouts, rule), sizes) for rule in RULES]
    order = [(round(one.close, 3), -one.scatter) for one in found]
    return RULES[order.index(max(order))], found


def figure(measured: np.ndarray, catalogued: np.ndarray, chosen: np.ndarray) -> Figure:
    """Draw measured against catalogued sizes."""
    drawn = Figure(figsize=(5.2, 5.0), dpi=150, layout="constrained")
    panel = drawn.subplots()
    for part, name, place in ((chosen, "rule chosen on these", 0), (~chosen, "judged on these", 1)):
        panel.plot(
            catalogued[part],
            measured[part],
            plotting.MARKERS[place],
            ms=4,
            alpha=0.7,
            color=plotting.COLOURS[place],
            label=name,
            mew=0,
        )
    ends = np.array([20.0, 220.0])
    panel.plot(ends, ends, color=plotting.INK, lw=1, label="equal")
    panel.set(xscale="log", yscale="log", xlim=ends, ylim=(15, 250))
    ticks = [20, 30, 50, 100, 200]
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_ticks(ticks, [str(one) for one in ticks])
        axis.set_ticks([], minor=True)
    panel.set_xlabel("Radio Galaxy Zoo (arcsec)")
    panel.set_ylabel("measured on the picture (arcsec)")
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False, fontsize=9, loc="upper left")
    return drawn


def report() -> tuple[str, Figure]:
    """Make the section and its figure."""
    cutouts, sizes = frdeep()
    chosen = np.arange(len(cutouts)) % 2 == 0
    rule, tried = choose(
        [one for one, at in zip(cutouts, chosen, strict=True) if at], sizes[chosen]
    )
    measured = measure_many(cutouts, rule)
    lines = [
        compare(measured[chosen], sizes[chosen]).row(
            "FR-DEEP, every other field: rule chosen here"
        ),
        compare(measured[~chosen], sizes[~chosen]).row("**FR-DEEP, the rest: judged here**"),
    ]
    large = ~chosen & (sizes > 60)
    lines.append(compare(measured[large], sizes[large]).row("FR-DEEP, the rest, above 60″"))
    shares = [one.close for one in tried]
    text = f"""The rule with most agreement of {len(RULES)} tried: pixels above {rule.n_sigma:g}σ;
islands with a peak above {rule.peak_sigma:g}σ and above {100 * rule.peak_share:g} % of the brightest,
whose nearest pixel is within {rule.reach:g}″ of the centre.
Over the rules tried, between {100 * min(shares):.0f} % and {100 * max(shares):.0f} % of the sizes agree.

{HEAD}
{chr(10).join(lines)}

Agreeing: within {100 * CLOSE:.0f} % once the median ratio is taken out. Scatter: 1.4826 times the median
absolute deviation of the logarithm of the ratio.

![Sizes measured on FIRST pictures against those of Radio Galaxy Zoo](figures/sizes.png)

{mirabest_report(rule)}

Command: `python benchmarks/sizes.py --write`."""
    return text, figure(measured, sizes, chosen)


def main() -> None:
    """Print the comparison, and write it where it belongs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    text, drawn = report()
    print(text)
    if options.write:
        pages.write_section(DOCS / "sizes.md", "sizes", text)
        plotting.save(drawn, DOCS / "figures" / "sizes.png")


if __name__ == "__main__":
    main()

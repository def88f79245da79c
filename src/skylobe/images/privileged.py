"""What only a catalogue knows of a source, as targets for an encoder that sees it through noise and beam.

Two kinds: measures of shape (``morphology``) of the field without noise at the survey's own beam, and
quantities of its components: how far they reach, how many they are, how the flux is shared, how they are
bent. None has a label in it, and a view tells each of them at best in part.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from skylobe.core import paths, storage
from skylobe.images.morphology import measure
from skylobe.sky.rendering.ellipses import FWHM
from skylobe.sky.rendering.groups import Groups, enlarged
from skylobe.sky.rendering.view_draws import Draws
from skylobe.sky.rendering.view_grids import FIELD
from skylobe.sky.rendering.view_settings import PLAIN
from skylobe.sky.rendering.views import Sketcher, brightest_outside, paint

Targets = Float[Tensor, "source target"]
SpanTargets = Float[Tensor, "span source target"]
Parts = Float[Tensor, "source part"]

BEAM, PIXEL, WIDTH_PIX = 5.4, 1.8, 70  # arcsec, arcsec, pixels: FIRST's, as the encoder's angle
MOST_PARTS = 12  # brightest components that are looked at
COUNTED = 0.03  # of the brightest component's peak; fainter ones do not count
CORE = 6.0  # arcsec
LIMIT = 5.0  # standard deviations
BATCH = 256
VERSION = 1


def targets(groups: Groups, name: str, spans: Sequence[float] = (1.0,)) -> SpanTargets:
    """Give each source its targets at each span, each with mean 0 and variance 1, within ±5.

    Args:
        groups: The sources.
        name: Names the files in the cache; what it names must not change.
        spans: Angles that are shown, over 126″.
    """
    found = torch.stack([_measured(groups, name, span) for span in spans])
    spread, mean = torch.std_mean(found, (0, 1))
    return found.sub_(mean).div_(spread.clamp(min=1e-6)).clamp_(-LIMIT, LIMIT)


def _measured(groups: Groups, name: str, span: float) -> Targets:
    """Describe all sources as they are shown at a span, or read it from the cache."""
    shown = name if span == 1 else f"{name}-{span:g}"
    kept = paths.cache_dir() / "privileged" / f"{shown}-{VERSION}.npy"
    if not kept.exists():
        nearer = groups if span == 1 else enlarged(groups, np.full(len(groups), 1 / span))
        with groups.device:
            rows = torch.arange(len(groups)).split(BATCH)
            _write(kept, torch.cat([describe(nearer, some) for some in rows]))
    return torch.from_numpy(np.load(kept)).float()


def _write(path: Path, values: Tensor) -> None:
    with storage.write_atomically(path) as temporary, temporary.open("wb") as file:
        np.save(file, values.half().cpu().numpy())


@torch.no_grad()
def describe(groups: Groups, sources: Tensor) -> Targets:
    """Measure some sources: shape first, components behind it."""
    still = _at_rest(len(sources))
    spots = Sketcher(groups, PLAIN).spots(sources, still, torch.Generator(groups.device))
    pictures = paint(spots, len(sources), width_pix=WIDTH_PIX, pixel=PIXEL)
    peak = torch.maximum(pictures.amax((1, 2)), brightest_outside(spots, len(sources)))
    images = (pictures / peak.clamp(min=1e-12)[:, None, None])[:, None]
    return torch.cat([measure(images), component_quantities(groups, sources)], 1)


def _at_rest(count: int) -> Draws:
    """Show sources as they are, through FIRST's beam."""
    zeros, variance = torch.zeros(count), torch.full((count,), (BEAM / FWHM) ** 2)
    beam = torch.stack([variance, variance, zeros], 1)
    maps, shift = torch.eye(2).expand(count, 2, 2), torch.zeros(count, 2)
    return Draws(maps, shift, beam, zeros + BEAM, zeros, zeros.bool(), zeros)


def component_quantities(groups: Groups, sources: Tensor) -> Targets:
    """Describe the components that the encoder sees of each source by eighteen numbers.

    Whatever needs more components than there are is 0.
    """
    place, flux, moments = _brightest(groups, sources)
    peak = flux / (moments[..., 0] * moments[..., 1] - moments[..., 2] ** 2).sqrt()
    counts = peak > COUNTED * peak.amax(1, keepdim=True).clamp(min=1e-30)
    flux, peak = flux * counts, peak * counts
    total = flux.sum(1, keepdim=True).clamp(min=1e-30)
    share = flux / total
    return torch.cat(
        [
            _shares(share, peak, counts),
            _along_the_axis(place, share, moments),
            _ends(place, share, peak, counts, moments),
        ],
        1,
    )


def _brightest(groups: Groups, sources: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Tabulate the brightest components in sight: places, fluxes (0 for none), moments with the beam."""
    field, rows = groups.pairs(sources)
    inside = groups.places[rows].abs().amax(1) < FIELD / 2
    field, rows = field[inside], rows[inside]
    variance = (BEAM / FWHM) ** 2
    moments = groups.moments[rows] + torch.tensor([variance, variance, 0.0])
    peak = groups.flux[rows] / (moments[:, 0] * moments[:, 1] - moments[:, 2] ** 2).sqrt()
    order = peak.argsort(descending=True, stable=True)
    order = order[field[order].argsort(stable=True)]
    first = torch.searchsorted(field, field)
    rank = torch.arange(len(field)) - first
    fits = rank < MOST_PARTS
    slots, taken = field[fits] * MOST_PARTS + rank[fits], order[fits]
    shape = len(sources) * MOST_PARTS
    place, flux = torch.zeros(shape, 2), torch.zeros(shape)
    beam = torch.tensor([variance, variance, 0.0]).repeat(shape, 1)
    place[slots], flux[slots] = groups.places[rows[taken]], groups.flux[rows[taken]]
    beam[slots] = moments[taken]
    return (
        place.view(-1, MOST_PARTS, 2),
        flux.view(-1, MOST_PARTS),
        beam.view(-1, MOST_PARTS, 3),
    )


def _shares(share: Parts, peak: Parts, counts: Bool[Tensor, "source part"]) -> Targets:
    """How many components, and how flux and peaks are shared among the three brightest."""
    brightest = peak[:, :1].clamp(min=1e-30)
    columns = [counts.sum(1, keepdim=True).float().clamp(min=1).log()]
    columns += [share[:, :1], share.amax(1, keepdim=True)]
    columns += [peak[:, one : one + 1] / brightest for one in (1, 2)]
    columns += [(share**2).sum(1, keepdim=True)]
    return torch.cat(columns, 1)


def _along_the_axis(place: Tensor, share: Parts, moments: Tensor) -> Targets:
    """Spread, roundness, lopsidedness and bright ends of the flux along its major axis."""
    centre = (share[..., None] * place).sum(1, keepdim=True)
    x, y = (place - centre).unbind(-1)
    to_east = (share * (x * x + moments[..., 0])).sum(1)
    to_north = (share * (y * y + moments[..., 1])).sum(1)
    mixed = (share * (x * y + moments[..., 2])).sum(1)
    half, apart = (to_east + to_north) / 2, torch.hypot((to_east - to_north) / 2, mixed)
    angle = torch.atan2(2 * mixed, to_east - to_north)[:, None] / 2
    along = x * angle.cos() + y * angle.sin()
    spread = (half + apart).clamp(min=1e-3).sqrt()[:, None]
    along = along / spread
    minor = (half - apart).clamp(min=1e-3).sqrt()[:, None] / spread
    width = (share * (moments[..., 0] + moments[..., 1])).sum(1, keepdim=True).clamp(min=1e-3)
    columns = [spread.log(), minor, (share * along.sign()).sum(1, keepdim=True).abs()]
    columns += [
        (share * along**3).sum(1, keepdim=True).abs(),
        (share * along**4).sum(1, keepdim=True),
    ]
    return torch.cat([*columns, width.log()], 1)


def _ends(place: Tensor, share: Parts, peak: Parts, counts: Tensor, moments: Tensor) -> Targets:
    """What lies between the two components furthest apart: extent, hot spots, core, bend."""
    between = (place[:, :, None] - place[:, None]).norm(dim=-1)
    between = between * (counts[:, :, None] & counts[:, None])
    extent, which = between.flatten(1).max(1)
    one, other = which // MOST_PARTS, which % MOST_PARTS
    rows = torch.arange(len(place))
    ends = place[rows, one], place[rows, other]
    middle = (ends[0] + ends[1]) / 2
    size = (extent + FWHM * moments[rows, one, :2].mean(1).sqrt())[:, None]
    hot = (place[:, 0] - place[:, 1]).norm(dim=1, keepdim=True) * counts[:, 1:2] / size
    core = (share * ((place - middle[:, None]).norm(dim=-1) < CORE)).sum(1, keepdim=True)
    offset = (share[..., None] * place).sum(1) - middle
    brightest = (place[:, 0] - middle).norm(dim=1, keepdim=True) / size
    return torch.cat(
        [
            size.log(),
            hot,
            core,
            offset.norm(dim=1, keepdim=True) / size,
            brightest,
            _bend(place, peak, counts, one, other),
        ],
        1,
    )


def _bend(
    place: Tensor, peak: Parts, counts: Tensor, one: Tensor, other: Tensor
) -> Float[Tensor, "source 1"]:
    """Give the angle by which the ends deviate from a line, seen from the rest (1 − |cos| style, 0–2)."""
    rows = torch.arange(len(place))
    rest = peak * counts
    rest[rows, one], rest[rows, other] = 0.0, 0.0
    total = rest.sum(1, keepdim=True)
    pivot = (rest[..., None] * place).sum(1) / total.clamp(min=1e-30)
    arms = [place[rows, end] - pivot for end in (one, other)]
    lengths = (arms[0].norm(dim=1) * arms[1].norm(dim=1)).clamp(min=1.0)
    cosine = (arms[0] * arms[1]).sum(1) / lengths
    return torch.where(total[:, 0] > 0, 1 + cosine, 0.0)[:, None]

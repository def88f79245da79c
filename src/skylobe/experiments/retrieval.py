"""Figure 6: from one hybrid source to its kin, as a picture and as numbers.

Every labelled source is a query once, among all others: MiraBest (confident sources and the hybrids) and
those of ``first_galaxies`` that MiraBest does not hold. Entries at the query's own place never count. The
picture searches the rendered corpus as well, whose sources have no
classes and therefore cannot be counted.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from astropy import units as u
from jaxtyping import Float
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from skylobe.core.vectors import as_unit
from skylobe.experiments.pool import GRID, MIRABEST_PARTS, N_RENDERED, Pool, load_pool
from skylobe.experiments.scale import Scale
from skylobe.experiments.tables import Report, markdown
from skylobe.images import gallery
from skylobe.images.datasets import rgz_rendered
from skylobe.images.image_set import ImageSet
from skylobe.images.morphology import measure
from skylobe.images.stretch import SHAPES
from skylobe.models.embed import embed
from skylobe.models.embeddings import Embeddings
from skylobe.models.loading import untrained
from skylobe.models.model import Model
from skylobe.models.prepare import prepare, regrid
from skylobe.search.exact import Index
from skylobe.sky.matching import pairs

TITLE = "Figure 6: from one hybrid to its kin"
SHOWN = 8  # neighbours, as in the paper's figure
N_VIEWS, N_DRAWS = 8, 2000
N_COMPONENTS = 50
UNTRAINED, N_UNTRAINED = "untrained", 5  # networks, whose scores are averaged
SAME_PLACE = 10 * u.arcsec
Vectors = Float[np.ndarray, "source feature"]
Values = Float[np.ndarray, " query"]


def ways_of(model: Model, images: ImageSet) -> dict[str, Vectors]:
    """Compare sources in several ways: by the model, and by what needs no training."""
    pixels = _stretched(images)
    shapes = StandardScaler().fit_transform(_shapes(images))
    components = PCA(min(N_COMPONENTS, len(images)), random_state=0).fit_transform(pixels)
    networks = {f"{UNTRAINED} {seed}": untrained(model, seed) for seed in range(N_UNTRAINED)}
    embedded = {
        name: embed(one, images, n_views=N_VIEWS, progress=True).vectors
        for name, one in {model.name: model, **networks}.items()
    }
    made = embedded | {
        "measures of shape": shapes,
        f"{components.shape[1]} components": components,
        "pixels": pixels,
    }
    return {name: np.asarray(one, dtype=np.float32) for name, one in made.items()}


def _stretched(images: ImageSet) -> Vectors:
    """Give the stretched central pixels, the mean picture taken off."""
    stretch = replace(GRID, softening=SHAPES)
    values = prepare(images.images, stretch, pixel_scale=images.pixel_scale).flatten(1).numpy()
    return np.asarray(values - values.mean(0))


def _shapes(images: ImageSet) -> Vectors:
    central = prepare(images.images, GRID, pixel_scale=images.pixel_scale)
    return torch.cat([measure(part) for part in central.split(256)]).numpy()


def similarities(vectors: Vectors, pool: Pool) -> Float[np.ndarray, "query source"]:
    """Give the cosine of each pair; −∞ between a source and what is at its own place."""
    unit = as_unit(vectors, pool.images.source_ids)
    found = unit @ unit.T
    np.fill_diagonal(found, -np.inf)
    one, other = pairs(pool.positions, SAME_PLACE).T
    found[one, other] = found[other, one] = -np.inf
    return np.asarray(found)


def precision(
    similarity: Float[np.ndarray, "query source"], kinds: NDArray[np.str_], count: int = SHOWN
) -> Values:
    """Give the share of each query's nearest that are of its kind."""
    nearest = np.argpartition(-similarity, count, axis=1)[:, :count]
    return np.asarray((kinds[nearest] == kinds[:, None]).mean(1))


def average_precision(
    similarity: Float[np.ndarray, "query source"], kinds: NDArray[np.str_]
) -> Values:
    """Give each query's precision, averaged over the ranks of all others of its kind."""
    found = np.zeros(len(kinds))
    for row, values in enumerate(similarity):
        order = np.argsort(-values, kind="stable")
        order = order[np.isfinite(values[order])]
        hits = kinds[order] == kinds[row]
        if hits.any():
            found[row] = (np.cumsum(hits)[hits] / (np.flatnonzero(hits) + 1)).mean()
    return found


Score = Callable[[Float[np.ndarray, "query source"], NDArray[np.str_]], Values]
SCORES: dict[str, Score] = {
    f"Precision of the first {SHOWN}": precision,
    "Mean average precision": average_precision,
}


def with_interval(values: Values, *, sign: bool = False) -> str:
    """Write a mean with its 95 % interval over draws of the queries."""
    draws = np.random.default_rng(0).choice(values, (N_DRAWS, len(values))).mean(1)
    low, high = np.percentile(draws, [2.5, 97.5])
    form = "+.3f" if sign else ".3f"
    return f"{values.mean():{form}} ({low:{form}} to {high:{form}})"


def tabulate(ways: dict[str, Vectors], pool: Pool, score: Score) -> str:
    """Tabulate a score by kind of query, and the paired gain over untrained networks."""
    values = _of_networks(
        {name: score(similarities(vectors, pool), pool.kinds) for name, vectors in ways.items()}
    )
    trained = next(iter(values))
    rows = []
    for kind in sorted(set(pool.kinds), key=lambda one: (pool.kinds == one).sum()):
        own = pool.kinds == kind
        cells = [with_interval(one[own]) for one in values.values()]
        gain = with_interval((values[trained] - values[UNTRAINED])[own], sign=True)
        rows.append([kind, str(own.sum()), f"{(own.sum() - 1) / (len(own) - 1):.3f}", *cells, gain])
    return markdown(["query", "sources", "chance", *values, f"{trained} − {UNTRAINED}"], rows)


def _of_networks(values: dict[str, Values]) -> dict[str, Values]:
    """Replace what the untrained networks score by their mean."""
    twins = [one for name, one in values.items() if name.startswith(UNTRAINED)]
    others = {name: one for name, one in values.items() if not name.startswith(UNTRAINED)}
    return others | {UNTRAINED: np.mean(twins, axis=0)}


def draw(model: Model, pool: Pool, ways: dict[str, Vectors]) -> tuple[Figure, str]:
    """Draw a hybrid and its nearest in the pool and the rendered corpus.

    Returns:
        The picture, and the name of its query: the hybrid whose average precision is the median.
    """
    hybrids = np.flatnonzero(pool.kinds == "Hybrid")
    scores = average_precision(similarities(ways[model.name], pool), pool.kinds)[hybrids]
    row = int(hybrids[np.argsort(scores, kind="stable")[len(hybrids) // 2]])
    corpus = regrid(
        rgz_rendered.load(n_sources=N_RENDERED, beams=(5.4,)),
        GRID.pixel_scale,
        pool.images.images.shape[-1],
    )
    rendered = embed(model, corpus, n_views=N_VIEWS, progress=True).vectors
    vectors = np.concatenate([ways[model.name], rendered])
    ids = np.concatenate([pool.images.source_ids, corpus.source_ids])
    found = Index(Embeddings(vectors, ids, model.name, N_VIEWS)).search(
        vectors[row : row + 1], SHOWN + 1
    )
    rows, cosines = found.rows[0][1:], found.similarity[0][1:]
    kinds = np.concatenate([pool.kinds, np.full(len(corpus), "rendered")])
    pictures = torch.cat([pool.images.images, corpus.images])[[row, *rows.tolist()]]
    shown = prepare(pictures, GRID, pixel_scale=GRID.pixel_scale)[:, 0].numpy()
    captions = [f"{_place(ids[row])}\n{kinds[row]}, query"] + [
        f"{_place(ids[one])}\n{kinds[one]}, S = {cosine:.3f}"
        for one, cosine in zip(rows, cosines, strict=True)
    ]
    figure = gallery.gallery(shown, captions, pixel_scale=GRID.pixel_scale, n_columns=3)
    return figure, str(ids[row])


def _place(source_id: str) -> str:
    """Take the place out of MiraBest's names, which are too long for a caption; leave others alone."""
    parts = source_id.split("_")
    return parts[1] if len(parts) == MIRABEST_PARTS else source_id


def measure_all(model: Model, scale: Scale) -> Report:
    """Measure and draw; a trial (``scale.max_images``) takes that many sources of each set.

    Source: paper, Section 3.3 and Figure 6.
    Deviation: the paper shows one picture; here every query is counted too.
    """
    pool = load_pool(scale.max_images)
    ways = ways_of(model, pool.images)
    tables = [f"**{name}**\n\n{tabulate(ways, pool, score)}" for name, score in SCORES.items()]
    figure, query = draw(model, pool, ways)
    text = [
        f"{len(pool.images):,} sources, each a query among the others; a hit is a source of the query's "
        "kind. Brackets are 95 % over draws of the queries. Chance is the share of the kind among the "
        "others. *Untrained* is the mean of five networks.",
        *tables,
        f"The picture shows {query}, the hybrid of median average precision, and its {SHOWN} nearest of "
        f"these and {N_RENDERED:,} rendered fields, none of which is near an evaluated source.",
    ]
    return Report("\n\n".join(text), {"figure6": figure})

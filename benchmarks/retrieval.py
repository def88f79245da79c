"""Measure how many of the nearest sources share a source's class, against simpler ways to compare.

Every source of ``first_galaxies`` is a query once; entries within 10″ of it never count. Ways: the shipped
model and the same network untrained (eight views each), pixels of the central 126″ (stretched), and 50
principal components of these. Intervals are 95 % over draws of the queries of a class.

Run: ``python benchmarks/retrieval.py`` (two minutes), or with ``--write`` to put it into docs/search.md.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from astropy import units as u
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from skylobe import results
from skylobe.checkpoint import load_model, versions
from skylobe.datasets import first_galaxies
from skylobe.embedding import embed
from skylobe.evaluation import untrained
from skylobe.index import Index
from skylobe.normalise import as_float, centre
from skylobe.records import Embeddings, ImageSet
from skylobe.sky.catalogues import pairs

PAGE = Path(__file__).parents[1] / "docs" / "search.md"
NEIGHBOURS, N_VIEWS, N_DRAWS, CROP_PIX = 8, 8, 1000, 70


def pixels_of(images: ImageSet) -> NDArray[np.float32]:
    """Give the stretched central pixels, the mean picture taken off."""
    central = np.stack([centre(one[0].numpy(), CROP_PIX) for one in images.images])
    values = torch.arcsinh(as_float(torch.from_numpy(central)) / 0.05).flatten(1).numpy()
    return np.asarray(values - values.mean(0), dtype=np.float32)


def precision(vectors: NDArray[np.float32], images: ImageSet) -> NDArray[np.float64]:
    """Give the share of each source's nearest that have its class, none of them at its own place."""
    assert images.labels is not None
    assert images.positions is not None
    near = pairs(images.positions, 10 * u.arcsec)
    own = {(a, b) for pair in near.tolist() for a, b in (pair, pair[::-1])}
    found = Index(Embeddings(vectors, images.source_ids, "tried")).search(
        vectors, NEIGHBOURS + 1 + len(near)
    )
    shares = []
    for row, others in enumerate(found.rows.tolist()):
        kept = [one for one in others if one != row and (row, one) not in own][:NEIGHBOURS]
        shares.append((images.labels[kept] == images.labels[row]).mean())
    return np.array(shares)


def interval(values: NDArray[np.float64], rng: np.random.Generator) -> str:
    """Write a mean with its interval over draws of the values."""
    draws = rng.choice(values, (N_DRAWS, len(values))).mean(1)
    low, high = np.percentile(draws, [2.5, 97.5])
    return f"{values.mean():.2f} ({low:.2f}–{high:.2f})"


def table() -> str:
    """Measure every way and lay the table out."""
    images, model = first_galaxies.load(), load_model("skylobe-fast")
    assert images.labels is not None
    pixels = pixels_of(images)
    ways = {
        "`skylobe-fast`": embed(model, images, n_views=N_VIEWS, progress=True).vectors,
        "untrained": embed(untrained(model), images, n_views=N_VIEWS, progress=True).vectors,
        "50 components": PCA(50, random_state=0).fit_transform(pixels).astype(np.float32),
        "pixels": pixels,
    }
    shares = {name: precision(vectors, images) for name, vectors in ways.items()}
    rng = np.random.default_rng(0)
    lines = [
        f"| class | sources | share of the set | {' | '.join(ways)} |",
        "|---|---|---|" + "---|" * len(ways),
    ]
    for number, name in enumerate(images.class_names):
        rows = images.labels == number
        cells = [interval(values[rows], rng) for values in shares.values()]
        lines.append(f"| {name} | {rows.sum()} | {rows.mean():.0%} | {' | '.join(cells)} |")
    cells = [interval(values, rng) for values in shares.values()]
    lines.append(f"| all | {len(images)} | 100 % | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table, or write it into the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="put it into docs/search.md")
    options = parser.parse_args()
    software = ", ".join(f"{key} {value}" for key, value in versions().items())
    text = (
        f"Share of the {NEIGHBOURS} nearest that have the query's class (95 % over draws of queries); "
        f"entries at its own place never count.\n\n{table()}\n\n"
        f"Command: `python benchmarks/retrieval.py --write`. Software: {software}."
    )
    print(text)
    if options.write:
        results.write_section(PAGE, "retrieval", text)


if __name__ == "__main__":
    main()

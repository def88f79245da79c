"""Measure how well one picture is recognised in two places, and how often strangers are taken for one.

Two trials: real galaxies against themselves turned by any angle, shifted by up to three pixels, with other
noise; and MiraBest against ``first_galaxies``, which show 814 sources in common, thresholded differently.

Run: ``python benchmarks/same_pictures.py`` (half a minute).
"""

import numpy as np
import torch
from astropy import units as u
from scipy.ndimage import rotate, shift
from torch import Tensor

from skylobe.images.datasets import first_galaxies, mirabest
from skylobe.images.normalise import centre
from skylobe.images.same_pictures import LEAST_SIZE_PIX, same_pictures, upright
from skylobe.sky.matching import cross_match

N_GALAXIES = 250
WIDTH_PIX = 110


def turned(images: Tensor, seed: int = 0) -> Tensor:
    """Turn, shift and add noise."""
    rng = np.random.default_rng(seed)
    moved = []
    for image in images[:, 0].float().numpy():
        other = rotate(image, rng.uniform(0, 360), reshape=False, order=1)
        other = shift(other, rng.uniform(-3, 3, 2), order=1) + rng.normal(0, 2, image.shape)
        moved.append(np.clip(other, 0, 255).astype(np.uint8))
    return torch.from_numpy(np.stack(moved))[:, None]


def cut(images: Tensor) -> Tensor:
    """Keep the central square."""
    return torch.from_numpy(np.stack([centre(one[0].numpy(), WIDTH_PIX) for one in images]))[
        :, None
    ]


def report(title: str, first: Tensor, second: Tensor, own: set[tuple[int, int]]) -> None:
    """Print how many of the true pairs, and how many others, are found between two lists."""
    n = len(first)
    pairs = {tuple(pair) for pair in same_pictures(torch.cat([first, second])).tolist()}
    found = len(own & pairs)
    others = len(pairs - own)
    possible = (n + len(second)) * (n + len(second) - 1) // 2 - len(own)
    print(f"{title}: {found} of {len(own)} recognised ({found / len(own):.0%});")
    print(
        f"  {others:,} of {possible:,} pairs of strangers taken for one ({others / possible:.2%})"
    )


def main() -> None:
    """Run both trials."""
    galaxies, labelled = first_galaxies.load(), mirabest.load()
    images = cut(galaxies.images)
    shaped = upright(images)[1] >= LEAST_SIZE_PIX
    some = images[shaped][:N_GALAXIES]
    own = {(row, row + len(some)) for row in range(len(some))}
    report("turned, shifted, other noise", some, turned(some), own)
    rows, others, _ = cross_match(labelled.positions, galaxies.positions, 30 * u.arcsec)
    others_of = cut(labelled.images)
    big = (upright(others_of)[1] >= LEAST_SIZE_PIX).numpy()
    kept = big[rows] & shaped.numpy()[others]
    pairs = zip(rows[kept].tolist(), (others[kept] + len(labelled)).tolist(), strict=True)
    report("MiraBest and first_galaxies", others_of, images, set(pairs))


if __name__ == "__main__":
    main()

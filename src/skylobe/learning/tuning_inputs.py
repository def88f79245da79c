"""Labelled images to what fine-tuning draws its views from: images, or what frozen blocks made of them."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from skylobe.images.image_set import ImageSet
from skylobe.learning.network import Network
from skylobe.learning.settings import ViewConfig
from skylobe.models.prepare import dihedral_views, prepare
from skylobe.models.settings import Preprocessing


@torch.no_grad()
def cache_maps(
    network: Network, images: Float[Tensor, "source span height width"], *, batch_size: int = 128
) -> Float[Tensor, "source 8 _c _h _w"]:
    """Run the blocks below ``network.first`` once, on the eight dihedral views of each image."""
    parts = [
        torch.stack(
            [
                network.encoder.run_blocks(view, 0, network.first).float()
                for view in dihedral_views(batch)
            ],
            dim=1,
        )
        for batch in images.split(batch_size)
    ]
    return torch.cat(parts)


def one_view_each(
    maps: Float[Tensor, "batch 8 _c _h _w"], generator: torch.Generator
) -> Float[Tensor, "batch _c _h _w"]:
    """Draw one of the eight views of each source."""
    drawn = torch.randint(8, (len(maps),), generator=generator).to(maps.device)
    return maps[torch.arange(len(maps), device=maps.device), drawn]


def view_config(views: ViewConfig, preprocessing: Preprocessing) -> ViewConfig:
    """Cut views from the angle that the encoder sees, as wide in pixels as its grid."""
    shrink = preprocessing.pixel_scale / preprocessing.image_scale
    crop = round(preprocessing.crop_pix * shrink)
    width = None if crop == preprocessing.crop_pix else preprocessing.crop_pix
    return replace(views, crop_pix=crop, width_pix=width)


def on_views_grid(image_set: ImageSet, preprocessing: Preprocessing) -> Tensor:
    """Give the images at the scale that views are drawn on; those of other scales are resampled."""
    scale = preprocessing.image_scale
    if image_set.pixel_scale is None or np.isclose(image_set.pixel_scale, scale, rtol=1e-3):
        return image_set.images
    # √2: a square that is turned must stay inside the image
    angle = preprocessing.crop_pix * preprocessing.pixel_scale * max(preprocessing.spans) * 2**0.5
    grid = replace(
        preprocessing, pixel_scale=scale, crop_pix=2 * -(-round(angle) // round(2 * scale)),
        mean=0.0, std=1.0,
    )  # fmt: skip
    return prepare(image_set.images, grid, pixel_scale=image_set.pixel_scale)

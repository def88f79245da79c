"""Image sets to embeddings: frozen encoder, evaluation mode, one view or eight."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from rich.progress import track
from torch import Tensor

from skylobe.core.errors import ConfigError, DataError
from skylobe.images.cutting import fitted
from skylobe.models.embeddings import Embeddings, write_embeddings
from skylobe.models.encoder import Encoder
from skylobe.models.inference import fastest
from skylobe.models.inputs import images_for
from skylobe.models.loading import as_model
from skylobe.models.model import Model
from skylobe.models.prepare import dihedral_views, prepare_views
from skylobe.models.settings import N_VIEWS

FULL_PASS = 128  # views; fewer leave a CPU's multipliers idle


def embed(
    model: Model | str | Path,
    images: Any,  # noqa: ANN401  (whatever datasets.load takes)
    *,
    n_views: int = 1,
    out: str | Path | None = None,
    batch_size: int = 256,
    progress: bool = False,
) -> Embeddings:
    """Give each source its embedding.

    On a CPU the features are those of ``inference.fastest``, so vectors made on two processors may differ
    by a cosine of up to 0.001.

    Args:
        model: Encoder with its preprocessing; computed where the encoder's weights are. Or its name.
        images: ``ImageSet`` of any width, or whatever ``skylobe.load`` takes; they are brought to the
            encoder's scaling and grid first. Files that cannot be used are left out, and logged.
        n_views: 1 uses each image as it is; 8 averages over its quarter turns and mirror images, shared
            among the angles (``Preprocessing.spans``) that the model looks through. With one angle the
            embedding does not depend on turns; with several hardly (cosine above 0.99).
        out: Parquet file to write as well: ``source_id``, ``embedding``, and ``label``, ``ra``, ``dec``
            where known.
        batch_size: Images per pass.
        progress: Show a progress bar.

    Raises:
        DataError: If the set is empty, or physical without a pixel scale.
        ConfigError: If ``n_views`` is neither 1 nor 8, or the images were made with another scaling.

    >>> from skylobe.images import datasets
    >>> row, column = np.mgrid[-40:40, -40:40]
    >>> image_set = datasets.load(np.exp(-(row**2 + column**2) / 30), pixel_scale=1.8)
    >>> embed("skylobe-base", image_set)
    Embeddings(1 vectors of 512 numbers by skylobe-base, one view)
    """
    if n_views not in (1, 8):
        raise ConfigError(f"n_views is {n_views}; choose 1 or 8.")
    model = as_model(model)
    image_set = images_for(model.preprocessing, images, skip_broken=True)
    if len(image_set) == 0:
        raise DataError(f"{image_set.name}: no images to embed; check the split and the selection.")
    image_set = fitted(image_set, model.preprocessing.scaling)
    device = next(model.encoder.parameters()).device
    encoder = fastest(model.encoder)
    batches = image_set.images.split(batch_size)
    parts = [
        features(
            encoder,
            prepare_views(
                batch.to(device),
                model.preprocessing,
                pixel_scale=image_set.pixel_scale,
                n_views=n_views,
            ),
            n_views=n_views,
        ).cpu()
        for batch in track(batches, description="Embedding", disable=not progress)
    ]
    vectors = torch.cat(parts).numpy().astype(np.float32)
    embeddings = Embeddings(vectors, image_set.source_ids, model.name, n_views)
    if out is not None:
        write_embeddings(Path(out), embeddings, image_set)
    return embeddings


@torch.inference_mode()
def features(
    encoder: Encoder, images: Float[Tensor, "batch span height width"], *, n_views: int = 1
) -> Float[Tensor, "batch feature"]:
    """Compute features in evaluation mode, in the encoder's precision, leaving it as it was.

    Args:
        encoder: The network; ``inference.fastest`` makes a faster one of it.
        images: As ``prepare_views`` gives them for so many views.
        n_views: 1 or 8; the views of few images go through the network together.
    """
    was_training = encoder.training
    encoder.eval()
    images = images.to(encoder.conv1.weight.dtype).to(memory_format=torch.channels_last)
    views = torch.cat(dihedral_views(images)) if n_views == N_VIEWS else images
    passes = views.split(max(len(images), FULL_PASS))
    found = torch.cat([encoder(one).float() for one in passes])
    encoder.train(was_training)
    return torch.unflatten(found, 0, (n_views, -1)).mean(0)

"""A small index with positions, labels, a model and a map."""

from dataclasses import replace

import numpy as np
from astropy.coordinates import SkyCoord

from conftest import lobes
from search.making import small_model
from skylobe.models import model as checkpoint
from skylobe.models.embed import embed
from skylobe.search import latent_map
from skylobe.search.store import SourceIndex

N = 60


def make_index(kept):
    """Make an index in a folder, beside its model, and give its own folder."""
    images = replace(
        lobes(N),
        positions=SkyCoord(np.full(N, 10.0), 20.0 + np.arange(N), unit="deg"),
        columns={"size_arcsec": np.linspace(10, 90, N), "flux": np.full(N, np.nan)},
    )
    model = small_model()
    checkpoint.save_model(model, kept / "small")
    index = SourceIndex.create(kept / "index", images, embed(model, images), model)
    latent_map.of_index(index, method="pca")
    return kept / "index"


def name(row):
    """The id of a row."""
    return f"synthetic-{row}"

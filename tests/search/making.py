"""A small model, and vectors that need none."""

from functools import cache

import numpy as np

from skylobe.models.embeddings import Embeddings
from skylobe.models.encoder import build_encoder
from skylobe.models.model import Model
from skylobe.models.settings import EncoderConfig, Preprocessing


@cache
def small_model(seed=1):
    encoder = build_encoder(EncoderConfig(depth=14, stem="fast", width=8), seed=seed).eval()
    return Model("small", encoder, Preprocessing(crop_pix=64))


def embeddings_of(image_set, seed=0, width=16):
    """Random vectors with the names of a set."""
    vectors = np.random.default_rng(seed).normal(size=(len(image_set), width))
    return Embeddings(vectors.astype(np.float32), image_set.source_ids, "small")

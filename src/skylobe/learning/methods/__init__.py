"""Methods of self-supervised training behind one interface; which one is a setting.

Each file is one method: the objective that ``OBJECTIVE`` names, found by the name of the field of
``PretrainConfig`` that holds its settings.
"""

import importlib

from torch import nn

from skylobe.learning.methods.method import Method, Objective
from skylobe.learning.settings import PretrainConfig
from skylobe.models.encoder import Encoder

__all__ = ["Method", "Objective", "build_method"]


def build_method(encoder: Encoder, config: PretrainConfig, *, n_measures: int = 0) -> Method:
    """Put an encoder into the method that a config names.

    Args:
        encoder: The network that is kept.
        config: Names the method and holds its settings.
        n_measures: Measures of shape that features are asked to know; 0 for none.
    """
    home = importlib.import_module(f"skylobe.learning.methods.{config.method}")
    morphology = nn.Linear(encoder.n_features, n_measures) if n_measures else None
    objective: Objective = home.OBJECTIVE(encoder, config.method_settings)
    return Method(encoder, objective, morphology, config.morphology_weight)

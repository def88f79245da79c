"""Methods of self-supervised training behind one interface; which one is a setting."""

from skylobe.learning.methods.byol import Byol
from skylobe.learning.methods.lejepa import Lejepa
from skylobe.learning.methods.method import Method
from skylobe.learning.methods.vicreg import Vicreg
from skylobe.learning.settings import PretrainConfig
from skylobe.models.encoder import Encoder

__all__ = ["Byol", "Lejepa", "Method", "Vicreg", "build_method"]


def build_method(encoder: Encoder, config: PretrainConfig, *, n_measures: int = 0) -> Method:
    """Put an encoder into the method that a config names.

    Args:
        encoder: The network that is kept.
        config: Names the method and holds its settings.
        n_measures: Measures of shape that features are asked to know; 0 for none.
    """
    weight = config.morphology_weight
    if config.method == "vicreg":
        return Vicreg(encoder, config.vicreg, n_measures=n_measures, morphology_weight=weight)
    if config.method == "lejepa":
        return Lejepa(encoder, config.lejepa, n_measures=n_measures, morphology_weight=weight)
    return Byol(encoder, config.byol, n_measures=n_measures, morphology_weight=weight)

"""LeJEPA: views predict their common centre, and embeddings are kept to an isotropic Gaussian.

No target network, no predictor, no stopped gradient.
Source: Balestriero & LeCun 2025 (arXiv:2511.08544): SIGReg and the prediction loss.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from skylobe.learning.method_settings import LejepaConfig
from skylobe.learning.methods.method import (
    N_GLOBAL,
    Features,
    Loss,
    Objective,
    Views,
    head,
    precise,
)
from skylobe.models.encoder import Encoder

Vectors = Float[Tensor, "batch projection"]
FURTHEST = 3.0  # of the frequencies at which characteristic functions are compared
N_FREQUENCIES = 17


class Lejepa(Objective):
    """A projector, and two terms on its output.

    Args:
        encoder: Whose features are compared.
        config: Widths, number of directions, weight of the regulariser.
    """

    def __init__(self, encoder: Encoder, config: LejepaConfig) -> None:
        super().__init__()
        self.config = config
        self.projector = head(encoder.n_features, config.hidden, config.projection)
        shape = (config.projection, config.n_directions)
        self.directions: Tensor
        self.register_buffer("directions", torch.zeros(shape), persistent=False)

    def begin_step(self, generator: torch.Generator) -> None:
        """Draw new directions, the same on every device."""
        drawn = torch.randn(self.directions.shape, generator=generator)
        self.directions.copy_(drawn / drawn.norm(dim=0))

    def compare(self, features: Sequence[Features], views: Sequence[Views]) -> Loss:
        """Weigh the distance to the centre of the whole views against the distance to a Gaussian."""
        vectors = torch.stack([precise(self.projector(one)) for one in features])
        centre = vectors[:N_GLOBAL].mean(0)
        prediction = (vectors - centre).square().mean()
        regular = torch.stack([gaussian_distance(one, self.directions) for one in vectors]).mean()
        share = self.config.regulariser
        return (1 - share) * prediction + share * regular


def gaussian_distance(
    vectors: Vectors, directions: Float[Tensor, "projection direction"]
) -> Float[Tensor, ""]:
    """Test how far vectors are from a standard normal along directions: Epps & Pulley 1983.

    The squared distance of characteristic functions, weighted by a Gaussian, times the batch.
    """
    frequency = torch.linspace(0, FURTHEST, N_FREQUENCIES, device=vectors.device)
    gaussian = (-frequency.square() / 2).exp()
    angle = (vectors @ directions)[..., None] * frequency
    gap = (angle.cos().mean(0) - gaussian).square() + angle.sin().mean(0).square()
    # even in frequency: twice the integral from 0
    return 2 * len(vectors) * torch.trapezoid(gap * gaussian, frequency, dim=-1).mean()


OBJECTIVE = Lejepa

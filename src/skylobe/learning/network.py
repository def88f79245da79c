"""An encoder with a head on it: which of its blocks are tuned, how fast, and several of them as one."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from skylobe.core.errors import DataError
from skylobe.learning.tuning_settings import FinetuneConfig
from skylobe.models.encoder import Encoder, build_encoder, pool
from skylobe.models.head import Head, build_head
from skylobe.models.model import Model


class Network(nn.Module):
    """An encoder with a head on it.

    Args:
        encoder: Images to features.
        head: Features to logits.
        first: Number of the encoder's block that ``forward`` begins with; those below it have been run.
    """

    def __init__(self, encoder: Encoder, head: Head, first: int = 0) -> None:
        super().__init__()
        self.encoder, self.head, self.first = encoder, head, first

    def forward(self, maps: Float[Tensor, "batch _c height width"]) -> Float[Tensor, "batch class"]:
        """Give the logits of images, or of what block ``first`` takes."""
        logits: Tensor = self.head(pool(self.encoder.run_blocks(maps, self.first)))
        return logits


def build_network(model: Model, n_classes: int, config: FinetuneConfig) -> Network:
    """Put a new head on a copy of the encoder, with only what will be tuned asking for gradients."""
    if config.init == "random":
        encoder = build_encoder(model.encoder.config, seed=config.seed)
    else:
        encoder = copy.deepcopy(model.encoder)
    head = build_head(config.head, encoder.n_features, n_classes, seed=config.seed)
    network = Network(encoder.to("cpu"), head)
    frozen = frozen_blocks(network, config)
    for block in frozen:
        block.requires_grad_(False)
    network.first = len(frozen) if config.cached else 0
    return network


def frozen_blocks(network: Network, config: FinetuneConfig) -> list[nn.Module]:
    """List the blocks below the tuned ones, stem first.

    Raises:
        DataError: If more blocks are asked for than there are.
    """
    blocks = network.encoder.blocks
    if config.n_blocks is None:
        return []
    if config.n_blocks > len(blocks):
        raise DataError(
            f"n_blocks is {config.n_blocks} and the encoder has {len(blocks)}; give {len(blocks)} or "
            "null for all."
        )
    return blocks[: len(blocks) - config.n_blocks]


def set_training(network: Network, config: FinetuneConfig) -> None:
    """Put the tuned part into training mode; frozen blocks stay in evaluation mode."""
    network.train()
    for block in frozen_blocks(network, config):
        block.eval()


def layer_learning_rates(n_blocks: int, lr: float, layer_decay: float) -> list[float]:
    """Give each tuned block its own learning rate, falling towards the input.

    Args:
        n_blocks: Blocks to tune, counted from the one below the head.
        lr: Rate of the head.
        layer_decay: Factor per block, in (0, 1].

    Returns:
        One rate per block, last block first; the first entry equals ``lr``.

    Source: paper, Section 2.6.2: LR_i = LR_base × ρ^i.

    >>> layer_learning_rates(3, lr=1.0, layer_decay=0.5)
    [1.0, 0.5, 0.25]
    """
    return [lr * layer_decay**depth for depth in range(n_blocks)]


def parameter_groups(
    network: Network, tensors: Mapping[str, Tensor], config: FinetuneConfig
) -> list[dict[str, Any]]:
    """Group what is trained by block: the head first, then the blocks from the top down.

    Args:
        network: Says which parameter is of which block.
        tensors: The parameters to train by their name in ``network``, stacked or not.
        config: Gives layer decay and initialisation.

    Returns:
        Groups for an optimiser; ``scale`` is the group's learning rate over that of the head.
    """
    blocks = network.encoder.blocks
    tuned = blocks[len(frozen_blocks(network, config)) :]
    decay = 1.0 if config.init == "random" else config.layer_decay
    scales = [1.0, *layer_learning_rates(len(tuned), 1.0, decay)]
    units = [network.head, *reversed(tuned)]
    names = {id(one): name for name, one in network.named_parameters()}
    return [
        {"params": [tensors[names[id(p)]] for p in unit.parameters()], "scale": scale}
        for unit, scale in zip(units, scales, strict=True)
    ]


Forward = Callable[[Tensor], Tensor]


def stack(networks: Sequence[Network]) -> tuple[dict[str, Tensor], Forward]:
    """Give what changes in training by name, and the function from views to logits of all networks.

    Frozen parts are alike in all networks and are kept once.
    """
    first = networks[0]
    if len(networks) == 1:

        def alone(views: Tensor) -> Tensor:
            single = views[0].contiguous(memory_format=torch.channels_last)
            return torch.unsqueeze(first(single), 0)

        return dict(first.named_parameters()), alone
    parameters, buffers = stack_module_state(list(networks))
    trained = {name for name, one in first.named_parameters() if one.requires_grad}
    frozen = [name for name, one in first.named_modules() if not one.training]
    still = {n: b for n, b in first.named_buffers() if n.rpartition(".")[0] in frozen}
    still |= {n: p for n, p in first.named_parameters() if n not in trained}
    moving = {n: one for n, one in {**parameters, **buffers}.items() if n not in still}
    for name in trained:
        moving[name] = moving[name].detach().requires_grad_()
    shell = copy.deepcopy(first).to("meta")

    def one_of_many(own: dict[str, Tensor], views: Tensor) -> Tensor:
        logits: Tensor = functional_call(shell, (own, still), (views,))
        return logits

    def together(views: Tensor) -> Tensor:
        logits: Tensor = torch.vmap(one_of_many)(moving, views)
        return logits

    return moving, together

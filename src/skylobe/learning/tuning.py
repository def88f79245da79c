"""The loop of fine-tuning: a step, early stopping, the state from which a killed training goes on."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from skylobe.core import storage
from skylobe.core.errors import CheckpointError, TrainingError
from skylobe.core.fingerprints import fingerprint
from skylobe.images.image_set import ImageSet
from skylobe.learning.labels import class_weights, labels_of
from skylobe.learning.network import Network, parameter_groups, set_training, stack
from skylobe.learning.schedule import Plan, batch_sources, learning_rate, mix_seeds
from skylobe.learning.settings import FinetuneConfig, ViewConfig
from skylobe.learning.views import make_views
from skylobe.models.embed import dihedral_views
from skylobe.models.precision import computes_in_bf16
from skylobe.models.prepare import prepare, standardise
from skylobe.models.settings import Preprocessing

STATE_FILE = "finetuning.pt"
MOMENTUM = 0.9


class Loop:
    """The training of one network, or of several of one shape as one.

    Args:
        networks: Trained in place; ``write_back`` ends that when there are several.
        sets: Labelled images, one set per network, all of one length.
        preprocessing: The encoder's grid and standardisation.
        configs: One per network, alike but for the seed.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        sets: Sequence[ImageSet],
        preprocessing: Preprocessing,
        configs: Sequence[FinetuneConfig],
    ) -> None:
        config = configs[0]
        self.config, self.preprocessing = config, preprocessing
        self.seeds = [one.seed for one in configs]
        self.device = choose_device(config)
        self.networks = [network.to(self.device) for network in networks]
        for network in networks:
            set_training(network, config)
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.plan = Plan.of_finetuning(len(sets[0]), config)
        self.views = view_config(config.views, preprocessing)
        self.in_bf16 = computes_in_bf16(config.precision, self.device)
        self.data = [fingerprint(one.images) for one in sets]
        self.inputs = [self._load(one) for one in sets]
        self.labels = [torch.from_numpy(labels_of(one)).to(self.device) for one in sets]
        self.weights = [class_weights(labels_of(one), sets[0], config) for one in sets]
        self.tensors, self.forward = stack(self.networks)
        groups = parameter_groups(networks[0], self.tensors, config)
        self.optimiser = _optimiser(groups, config)
        self.step = 0

    def _load(self, image_set: ImageSet) -> Tensor:
        """Put on the device what views are drawn from: images, or what the frozen blocks made of them."""
        if not self.config.cached:
            return _on_views_grid(image_set, self.preprocessing).to(self.device)
        images = prepare(
            image_set.images, self.preprocessing, pixel_scale=image_set.pixel_scale
        ).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.in_bf16):
            return cache_maps(self.networks[0], images)

    def train_step(self) -> Tensor:
        """Do one step and return the loss of each network, still on the device."""
        rows = [batch_sources(self.step, self.plan, seed) for seed in self.seeds]
        rate = learning_rate(self.step, self.plan)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["scale"]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.in_bf16):
            logits = self.forward(self._draw_views(rows))
        losses = torch.stack(
            [
                functional.cross_entropy(
                    one.float(),
                    labels[mine.to(self.device)],
                    weight=weight.to(self.device),
                    label_smoothing=self.config.label_smoothing,
                )
                for one, labels, weight, mine in zip(
                    logits, self.labels, self.weights, rows, strict=True
                )
            ]
        )
        self.optimiser.zero_grad()
        losses.sum().backward()
        self.optimiser.step()
        self.step += 1
        return losses.detach()

    def _draw_views(self, rows: Sequence[Tensor]) -> Float[Tensor, "run batch _c height width"]:
        generators = [
            torch.Generator().manual_seed(mix_seeds(seed, self.step, 1)) for seed in self.seeds
        ]
        chosen = [one[mine.to(self.device)] for one, mine in zip(self.inputs, rows, strict=True)]
        if self.config.cached:
            return torch.stack(
                [_one_view_each(*pair) for pair in zip(chosen, generators, strict=True)]
            )
        views = make_views(torch.cat(chosen), self.views, *generators)
        return torch.unflatten(standardise(views, self.preprocessing), 0, (len(rows), -1))

    def write_back(self) -> None:
        """Give each network its own share of the stacked parameters and statistics."""
        if len(self.networks) == 1:
            return
        with torch.no_grad():
            for number, network in enumerate(self.networks):
                own = {**dict(network.named_parameters()), **dict(network.named_buffers())}
                for name, stacked in self.tensors.items():
                    own[name].copy_(stacked[number])

    def state(self) -> dict[str, Any]:
        """Collect all that a later process needs to go on."""
        return {
            "step": self.step,
            "plan": vars(self.plan),
            "seeds": self.seeds,
            "config": repr(self.config),
            "labels": [one.tolist() for one in self.labels],
            "images": self.data,
            "networks": [network.state_dict() for network in self.networks],
            "optimiser": self.optimiser.state_dict(),
        }


@torch.no_grad()
def cache_maps(
    network: Network, images: Float[Tensor, "source 1 height width"], *, batch_size: int = 128
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


def _one_view_each(
    maps: Float[Tensor, "batch 8 _c _h _w"], generator: torch.Generator
) -> Float[Tensor, "batch _c _h _w"]:
    """Draw one of the eight views of each source."""
    drawn = torch.randint(8, (len(maps),), generator=generator).to(maps.device)
    return maps[torch.arange(len(maps), device=maps.device), drawn]


def _optimiser(groups: list[dict[str, Any]], config: FinetuneConfig) -> torch.optim.Optimizer:
    if config.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=1.0, momentum=MOMENTUM, weight_decay=config.weight_decay)
    return torch.optim.AdamW(groups, lr=1.0, weight_decay=config.weight_decay, fused=True)


def choose_device(config: FinetuneConfig) -> torch.device:
    """Take the device asked for; ``auto`` takes a GPU if there is one."""
    if config.accelerator != "auto":
        return torch.device(config.accelerator)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def view_config(views: ViewConfig, preprocessing: Preprocessing) -> ViewConfig:
    """Cut views from the angle that the encoder sees, as wide in pixels as its grid."""
    shrink = preprocessing.pixel_scale / preprocessing.image_scale
    crop = round(preprocessing.crop_pix * shrink)
    width = None if crop == preprocessing.crop_pix else preprocessing.crop_pix
    return replace(views, crop_pix=crop, width_pix=width)


def _on_views_grid(image_set: ImageSet, preprocessing: Preprocessing) -> Tensor:
    """Give the images at the scale that views are drawn on; those of other scales are resampled."""
    scale = preprocessing.image_scale
    if image_set.pixel_scale is None or np.isclose(image_set.pixel_scale, scale, rtol=1e-3):
        return image_set.images
    # √2: a square that is turned must stay inside the image
    angle = preprocessing.crop_pix * preprocessing.pixel_scale * 2**0.5
    grid = replace(
        preprocessing, pixel_scale=scale, crop_pix=2 * -(-round(angle) // round(2 * scale)),
        mean=0.0, std=1.0,
    )  # fmt: skip
    return prepare(image_set.images, grid, pixel_scale=image_set.pixel_scale)


class Best:
    """The weights with the lowest validation loss so far, and how long ago that was."""

    def __init__(
        self, validation: ImageSet | None, preprocessing: Preprocessing, config: FinetuneConfig
    ) -> None:
        self.validation, self.preprocessing, self.config = validation, preprocessing, config
        self.loss, self.epoch = float("inf"), 0
        self.state: dict[str, Tensor] = {}

    def exhausted(self, loop: Loop) -> bool:
        """Look once per epoch; tell whether patience has run out."""
        epoch, rest = divmod(loop.step * loop.plan.batch_size, loop.plan.n_sources)
        if rest >= loop.plan.batch_size or self.validation is None:
            return False
        network = loop.networks[0]
        images = prepare(
            self.validation.images, self.preprocessing, pixel_scale=self.validation.pixel_scale
        )
        network.eval()
        with torch.inference_mode():
            # not network(images): its first blocks may have been run beforehand in training
            logits = network.head(network.encoder(images.to(loop.device))).cpu()
        set_training(network, self.config)
        loss = float(functional.cross_entropy(logits, torch.from_numpy(labels_of(self.validation))))
        if loss < self.loss:
            self.loss, self.epoch = loss, epoch
            self.state = copy.deepcopy(network.state_dict())
        return epoch - self.epoch >= (self.config.patience or 0)

    def restore(self, network: Network) -> None:
        """Put the best weights into the network, if there was anything to judge them by."""
        if self.state:
            network.load_state_dict(self.state)


def insist_finite(loss: Tensor, step: int) -> None:
    """Refuse to go on with a loss that is no number.

    Raises:
        TrainingError: If it is not finite.
    """
    if not bool(torch.isfinite(loss).all()):
        raise TrainingError(
            f"The loss is no longer a number at step {step}; lower lr and start in a new folder."
        )


def save(loop: Loop, best: Best, folder: Path) -> None:
    """Write the training state, complete or not at all."""
    with storage.write_atomically(folder / STATE_FILE) as path:
        torch.save({**loop.state(), "best": (best.loss, best.epoch, best.state)}, path)


def resume(loop: Loop, best: Best, folder: Path | None) -> None:
    """Take up the training state of the folder, if there is one.

    Raises:
        CheckpointError: If it belongs to other settings or cannot be read.
    """
    if folder is None or not (folder / STATE_FILE).exists():
        return
    path = folder / STATE_FILE
    try:
        state = torch.load(path, map_location=loop.device, weights_only=True)
    except Exception as error:
        raise CheckpointError(
            f"{path}: the training state cannot be read ({type(error).__name__}); delete the file to "
            "start again."
        ) from None
    fresh = loop.state()
    if any(
        state.get(part) != fresh[part] for part in ("plan", "seeds", "config", "labels", "images")
    ):
        raise CheckpointError(
            f"{path}: belongs to a training with other labels, images or settings; choose a new folder."
        )
    loop.step = state["step"]
    best.loss, best.epoch, best.state = state["best"]
    loop.networks[0].load_state_dict(state["networks"][0])
    loop.optimiser.load_state_dict(state["optimiser"])

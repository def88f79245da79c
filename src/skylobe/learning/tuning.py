"""A fine-tuning: its step, when it stops early, the state from which it goes on when it was killed."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from skylobe.core.errors import TrainingError
from skylobe.core.fingerprints import fingerprint
from skylobe.images.image_set import ImageSet
from skylobe.learning.labels import class_weights, labels_of
from skylobe.learning.network import Network, parameter_groups, set_training, stack
from skylobe.learning.schedule import Plan, batch_sources, learning_rate, mix_seeds
from skylobe.learning.state import read_state, write_state
from skylobe.learning.stopping import Best
from skylobe.learning.tuning_inputs import cache_maps, on_views_grid, one_view_each, view_config
from skylobe.learning.tuning_settings import FinetuneConfig
from skylobe.learning.views import make_views
from skylobe.models.precision import computes_in_bf16
from skylobe.models.prepare import at_span, prepare_views, standardise
from skylobe.models.settings import Preprocessing

STATE_FILE = "finetuning.pt"
CHECK_EVERY = 50  # steps; reading the loss waits for the device
SAVE_EVERY = 200  # steps
MOMENTUM = 0.9


class Loop:
    """The training of one network, or of several of one shape as one.

    Args:
        networks: Trained in place; ``write_back`` ends that when there are several.
        sets: Labelled images, one set per network, all of one length.
        preprocessing: The encoder's grid and standardisation.
        configs: One per network, alike but for the seed.
        best: Judges the first network once an epoch; by default nothing does.
        folder: Where the state is kept; ``None`` keeps none.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        sets: Sequence[ImageSet],
        preprocessing: Preprocessing,
        configs: Sequence[FinetuneConfig],
        best: Best | None = None,
        folder: Path | None = None,
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
        # a batch is shown one of the angles that the finished classifier looks through
        self.views = [
            view_config(config.views, at_span(preprocessing, span))
            for span in (preprocessing.spans if config.n_views > 1 else (1.0,))
        ]
        self.in_bf16 = computes_in_bf16(config.precision, self.device)
        self.data = [fingerprint(one.images) for one in sets]
        self.inputs = [self._load(one) for one in sets]
        self.labels = [torch.from_numpy(labels_of(one)).to(self.device) for one in sets]
        self.weights = [class_weights(labels_of(one), sets[0], config) for one in sets]
        self.tensors, self.forward = stack(self.networks)
        groups = parameter_groups(networks[0], self.tensors, config)
        self.optimiser = _optimiser(groups, config)
        self.best, self.folder = best or Best(None, preprocessing, config), folder
        self.show: Callable[[int], None] = lambda step: None
        self.step = 0

    def _load(self, image_set: ImageSet) -> Tensor:
        """Put on the device what views are drawn from: images, or what the frozen blocks made of them."""
        if not self.config.cached:
            return on_views_grid(image_set, self.preprocessing).to(self.device)
        images = prepare_views(
            image_set.images,
            self.preprocessing,
            pixel_scale=image_set.pixel_scale,
            n_views=self.config.n_views,
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
                [one_view_each(*pair) for pair in zip(chosen, generators, strict=True)]
            )
        views = make_views(torch.cat(chosen), self.views[self.step % len(self.views)], *generators)
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

    def check(self, loss: Tensor) -> None:
        """Refuse to go on with a loss that is no number, and show how far the training is.

        Raises:
            TrainingError: If it is not finite.
        """
        if not bool(torch.isfinite(loss).all()):
            raise TrainingError(
                f"The loss is no longer a number at step {self.step}; lower lr and start in a new "
                "folder."
            )
        self.show(self.step)

    def is_done(self) -> bool:
        """Judge once per epoch, if there is something to judge by; tell whether patience has run out."""
        epoch, rest = divmod(self.step * self.plan.batch_size, self.plan.n_sources)
        is_new = rest < self.plan.batch_size
        if self.config.patience is None or self.best.validation is None or not is_new:
            return False
        self.best.look(self.networks[0], epoch)
        return self.best.is_exhausted(epoch)

    def is_due(self) -> bool:
        """Save every so many steps, where there is a folder."""
        return self.step % SAVE_EVERY == 0

    def save(self) -> None:
        """Write the training state, complete or not at all; without a folder nothing is kept."""
        if self.folder is None:
            return
        best = (self.best.loss, self.best.epoch, self.best.weights)
        state = {
            "step": self.step,
            **self._binding(),
            "networks": [network.state_dict() for network in self.networks],
            "optimiser": self.optimiser.state_dict(),
            "best": best,
        }
        write_state(self.folder / STATE_FILE, state)

    def resume(self) -> None:
        """Take up the training state of the folder, if there is one.

        Raises:
            CheckpointError: If it belongs to other settings or cannot be read.
        """
        if self.folder is None:
            return
        state = read_state(self.folder / STATE_FILE, self._binding(), self.device)
        if state is None:
            return
        self.step = state["step"]
        self.best.loss, self.best.epoch, self.best.weights = state["best"]
        self.networks[0].load_state_dict(state["networks"][0])
        self.optimiser.load_state_dict(state["optimiser"])

    def _binding(self) -> dict[str, Any]:
        """Name what a state must have been written with to be gone on from."""
        return {
            "plan": vars(self.plan),
            "seeds": self.seeds,
            "config": repr(self.config),
            "labels": [one.tolist() for one in self.labels],
            "images": self.data,
        }


def _optimiser(groups: list[dict[str, Any]], config: FinetuneConfig) -> torch.optim.Optimizer:
    if config.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=1.0, momentum=MOMENTUM, weight_decay=config.weight_decay)
    return torch.optim.AdamW(groups, lr=1.0, weight_decay=config.weight_decay, fused=True)


def choose_device(config: FinetuneConfig) -> torch.device:
    """Take the device asked for; ``auto`` takes a GPU if there is one."""
    if config.accelerator != "auto":
        return torch.device(config.accelerator)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")

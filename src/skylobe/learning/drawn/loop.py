"""A training on drawn views that goes on for as long as it is let: step, average, log, checkpoint, resume.

The learning rate is constant after a warm-up, and what is kept is an average of the weights over the last
part of the training, so that it can be stopped at any time and gone on with for ever.
"""

import json
import math
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from skylobe.core import storage
from skylobe.core.errors import CheckpointError, CollapseError
from skylobe.core.settings import from_dict, to_dict
from skylobe.learning.drawn.averaging import EVERY, first_average, update_average
from skylobe.learning.drawn.feed import Batch, DrawnFeed
from skylobe.learning.drawn.settings import DrawnConfig
from skylobe.learning.drawn.starting import first_encoder
from skylobe.learning.journal import journal
from skylobe.learning.methods import Method
from skylobe.learning.methods.lejepa import Lejepa
from skylobe.learning.schedule import mix_seeds
from skylobe.learning.state import is_finite, read_state, write_state
from skylobe.models.precision import computes_in_bf16
from skylobe.models.prepare import standardise
from skylobe.models.settings import Preprocessing
from skylobe.sky.rendering.view_grids import FIELD

STATE_FILE = "training.pt"
LOG_EVERY = 50  # steps
STATISTICS_STEPS = 40  # steps beyond any training whose views give mean and standard deviation
BEYOND = 2**40


class DrawnTrainer:
    """One training in one folder.

    Args:
        feed: Gives the batches.
        config: Everything else.
        folder: Logs and training state.
        device: Where the network is trained; the feed draws where its sources are.
    """

    def __init__(
        self,
        feed: DrawnFeed,
        config: DrawnConfig,
        folder: Path,
        device: torch.device | str = "cpu",
    ) -> None:
        self.feed, self.config, self.folder = feed, config, folder
        self.device = torch.device(device)
        self.preprocessing = grid_of(feed)
        self.method = self._build(feed.targets.shape[1])
        self.average = first_average(self.method.encoder)
        self.optimiser = torch.optim.SGD(
            self.method.parameters(),
            lr=config.lr,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            fused=True,
        )
        self.step = 0

    def _build(self, n_targets: int) -> Method:
        config = self.config
        encoder = first_encoder(config)
        if self.device.type == "cpu":
            encoder.quicken()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            targets = torch.nn.Linear(encoder.n_features, n_targets)
            objective = Lejepa(encoder, config.lejepa)
        method = Method(encoder, objective, targets, config.target_weight).to(self.device)
        return method.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    @property
    def images_seen(self) -> int:
        """Sources shown so far, each in two views."""
        return self.step * self.config.batch_size

    def run(
        self, *, until: int, minutes: float = math.inf, checkpoint_minutes: float = 2.5
    ) -> None:
        """Go on from the last checkpoint.

        Args:
            until: Step to stop at, with a checkpoint.
            minutes: Time after which to stop, likewise.
            checkpoint_minutes: Time between two checkpoints.

        Raises:
            CheckpointError: If the folder holds another training.
            CollapseError: If the loss is no longer a number.
        """
        self.resume()
        began = saved = time.monotonic()
        first = self.step
        with journal(self.folder, self.step, active=True) as note:
            while self.step < until and time.monotonic() - began < 60 * minutes:
                loss = self.train_step()
                if self.step % LOG_EVERY == 0:
                    rate = (self.step - first) * self.config.batch_size / (time.monotonic() - began)
                    note(self.step, self._values(loss) | {"images_per_second": rate})
                if time.monotonic() - saved > 60 * checkpoint_minutes:
                    self.save()
                    saved = time.monotonic()
        self.save()

    def train_step(self) -> Tensor:
        """Do one step and return its loss."""
        config = self.config
        for group in self.optimiser.param_groups:
            group["lr"] = config.rate_at(self.step)
        generator = torch.Generator().manual_seed(mix_seeds(config.seed, self.step, 2))
        self.method.begin_step(generator)
        self.method.train()
        self.optimiser.zero_grad()
        loss = self._loss(self.feed.batch(self.step))
        loss.backward()
        self.optimiser.step()
        self.step += 1
        if self.step % EVERY == 0:
            update_average(self.average, self.method.encoder, self.step // EVERY)
        return loss.detach()

    def _loss(self, batch: Batch) -> Tensor:
        """Compare the views of each source; both pass the encoder together, as they come from one sky."""
        with self._autocast():
            features = self.method.encoder(self._shown(batch.views)).chunk(2)
            loss = self.method.objective.compare(features, batch.views.chunk(2))
            assert self.method.morphology is not None
            targets = batch.targets.to(self.device)
            errors = [
                functional.mse_loss(self.method.morphology(one).float(), targets)
                for one in features
            ]
            return loss + self.config.target_weight * torch.stack(errors).mean()

    def _shown(self, views: Tensor) -> Tensor:
        shown = standardise(views.to(self.device), self.preprocessing)
        return shown.contiguous(memory_format=torch.channels_last)

    def _autocast(self) -> torch.autocast:
        wanted = computes_in_bf16(self.config.precision, self.device)
        return torch.autocast(self.device.type, torch.bfloat16, enabled=wanted)

    def _values(self, loss: Tensor) -> dict[str, float]:
        value = float(loss)
        if not math.isfinite(value):
            raise CollapseError(
                f"The loss is {value} at step {self.step}; the state saved before is kept in "
                f"{self.folder}. Lower lr and start in a new folder."
            )
        return {"loss": value, "images_seen": float(self.images_seen)}

    def save(self) -> None:
        """Write the training state, complete or not at all."""
        state = {
            "step": self.step,
            "config": json.dumps(to_dict(self.config), sort_keys=True),
            "method": self.method.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average,
        }
        if not is_finite(state):
            raise CollapseError(f"{self.folder}: a weight is no longer a number; the state stays.")
        write_state(self.folder / STATE_FILE, state)

    def resume(self) -> None:
        """Take up the training state of the folder, if there is one.

        Raises:
            CheckpointError: If it belongs to other settings or cannot be read.
        """
        state = read_state(self.folder / STATE_FILE, {}, self.device)
        if state is None:
            storage.write_json(self.folder / "config.json", to_dict(self.config))
            return
        if from_dict(DrawnConfig, json.loads(state["config"])) != self.config:
            raise CheckpointError(
                f"{self.folder}: holds a training with other settings; choose a new folder, or give "
                "the settings in its config.json."
            )
        self.step = state["step"]
        self.method.load_state_dict(state["method"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average = state["average"]


def grid_of(feed: DrawnFeed) -> Preprocessing:
    """Describe what the encoder sees, and measure mean and standard deviation on drawn views."""
    views = [feed.batch(BEYOND + step).views for step in range(STATISTICS_STEPS)]
    values = torch.cat(views).double().cpu()
    width = feed.config.draw.view_pix
    plain = Preprocessing(survey="VLA FIRST (rendered)", pixel_scale=FIELD / width, crop_pix=width)
    return replace(plain, mean=float(values.mean()), std=float(values.std()))

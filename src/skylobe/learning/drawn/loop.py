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
from skylobe.core.settings import to_dict
from skylobe.learning import running
from skylobe.learning.drawn.averaging import EVERY, first_average, update_average
from skylobe.learning.drawn.feed import Batch, DrawnFeed
from skylobe.learning.drawn.settings import DrawnConfig
from skylobe.learning.journal import Journal, journal
from skylobe.learning.methods import Method
from skylobe.learning.methods.lejepa import Lejepa
from skylobe.learning.schedule import mix_seeds
from skylobe.learning.starting import first_encoder
from skylobe.learning.state import is_finite, read_state, write_state
from skylobe.models.encoder import Encoder
from skylobe.models.loading import load_model
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
        self.method = self._build(feed.targets.shape[-1])
        self.average = first_average(self.method.encoder)
        self.optimiser = torch.optim.SGD(
            self.method.parameters(),
            lr=config.lr,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            fused=True,
        )
        self.step = self._first = 0
        self._began = self._saved = time.monotonic()
        self._seconds = self._checkpoint_seconds = math.inf
        self._note: Journal = lambda step, values: None

    def _build(self, n_targets: int) -> Method:
        config = self.config
        encoder = self._first_encoder()
        if self.device.type == "cpu":
            encoder.quicken()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            targets = torch.nn.Linear(encoder.n_features, n_targets)
            objective = Lejepa(encoder, config.lejepa)
        method = Method(encoder, objective, targets, config.target_weight).to(self.device)
        return method.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def _first_encoder(self) -> Encoder:
        config = self.config
        start = None if config.start is None else load_model(config.start)
        own = self.preprocessing.pixel_scale
        is_half = start is not None and math.isclose(start.preprocessing.pixel_scale, 2 * own)
        return first_encoder(config.encoder, config.seed, start, on_half_pixels=is_half)

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
        self._began = self._saved = time.monotonic()
        self._first, self._seconds = self.step, 60 * minutes
        self._checkpoint_seconds = 60 * checkpoint_minutes
        with journal(self.folder, self.step, active=True) as self._note:
            running.run(self, end=until, check_every=LOG_EVERY)

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

    def check(self, loss: Tensor) -> None:
        """Log the loss.

        Raises:
            CollapseError: If it is no longer a number.
        """
        value = float(loss)
        if not math.isfinite(value):
            raise CollapseError(
                f"The loss is {value} at step {self.step}; the state saved before is kept in "
                f"{self.folder}. Lower lr and start in a new folder."
            )
        shown = (self.step - self._first) * self.config.batch_size
        rate = shown / (time.monotonic() - self._began)
        values = {"loss": value, "images_seen": float(self.images_seen), "images_per_second": rate}
        self._note(self.step, values)

    def is_done(self) -> bool:
        """Tell whether the time is over."""
        return time.monotonic() - self._began > self._seconds

    def is_due(self) -> bool:
        """Tell whether it is time to save."""
        return time.monotonic() - self._saved > self._checkpoint_seconds

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
        self._saved = time.monotonic()

    def resume(self) -> None:
        """Take up the training state of the folder, if there is one.

        Raises:
            CheckpointError: If it belongs to other settings or cannot be read.
        """
        state = read_state(self.folder / STATE_FILE, {}, self.device)
        if state is None:
            storage.write_json(self.folder / "config.json", to_dict(self.config))
            return
        if DrawnConfig.of_record(json.loads(state["config"])) != self.config:
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
    plain = Preprocessing(
        survey="VLA FIRST (rendered)",
        pixel_scale=FIELD / width,
        crop_pix=width,
        spans=feed.config.draw.spans,
    )
    return replace(plain, mean=float(values.mean()), std=float(values.std()))

"""The one loop: batches of sources, two views, a loss, an update; logs, checkpoints, resuming.

Every random draw depends on the seed and the step alone, so a run that was killed goes on from its last
checkpoint exactly as if it had not been. The loop knows no file formats and no labels.
"""

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from skylobe.core.errors import CheckpointError, CollapseError
from skylobe.images.image_set import ImageSet
from skylobe.learning.devices import Part, compile_in_place, explained, launch, repeatable, send
from skylobe.learning.feeding import WINDOW, Feed, central, feed, fits, image_rows
from skylobe.learning.journal import Journal, journal, progress
from skylobe.learning.methods import Method
from skylobe.learning.monitor import Watch, monitor_steps
from skylobe.learning.schedule import Plan, batch_sources, learning_rate, mix_seeds
from skylobe.learning.settings import PretrainConfig, ViewConfig
from skylobe.learning.state import is_finite, read_state, write_state
from skylobe.learning.synchronised import synchronise_batch_norm
from skylobe.learning.views import draw_views
from skylobe.models.prepare import standardise
from skylobe.models.settings import Preprocessing

LOG_EVERY = 20  # steps; reading the loss waits for the device


class Trainer:
    """One pre-training run in one folder.

    Args:
        method: The networks and their loss; trained in place.
        corpus: Images; several images of one source are alternatives for its views.
        preprocessing: Mean and standard deviation that views are standardised with.
        config: Everything else.
        folder: Logs and training state.
        watch: Looks at the encoder now and then, told the width in pixels of the present views; its
            values are logged, and a ``spread`` below ``config.monitor.min_spread`` stops the run.
        measures: Standardised measures of shape per source, ``(source, measure)``, in the order in
            which sources first appear in the corpus.
    """

    def __init__(
        self,
        method: Method,
        corpus: ImageSet,
        preprocessing: Preprocessing,
        config: PretrainConfig,
        folder: Path,
        watch: Watch | None = None,
        measures: Tensor | None = None,
    ) -> None:
        train = config.train
        self.config, self.folder, self.preprocessing, self.watch = (
            config,
            folder,
            preprocessing,
            watch,
        )
        self.fabric = launch(train)
        self.part = Part(self.fabric.global_rank, self.fabric.world_size)
        self.images = central(corpus.images, config.views)
        self.rows, self.measures = image_rows(corpus), measures
        self.plan = Plan.of(len(self.rows), train)
        self.part.refuse_unequal(self.plan.batch_size)
        self.method = self._prepare(method)
        trained = [p for p in method.parameters() if p.requires_grad]
        optimiser = torch.optim.SGD(
            trained, lr=1.0, momentum=train.momentum, weight_decay=train.weight_decay, fused=True
        )
        self._step_module, self.optimiser = self.fabric.setup(method, optimiser)
        self.feed = self._feed(self._choose_window(corpus))
        self.step = 0
        self._clock = time.monotonic()
        self._saved: int | None = None

    def _prepare(self, method: Method) -> Method:
        """Give the networks their memory format, batch norm and compiled form."""
        train = self.config.train
        if train.channels_last:
            method = method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if train.batch_statistics == "synchronised" and self.part.n_devices > 1:
            synchronise_batch_norm(method)
        compile_in_place(method, self.fabric, wanted=train.compile)
        return method

    def _choose_window(self, corpus: ImageSet) -> int | None:
        """Keep the corpus on the device if it fits on all of them; else stream it."""
        asked = self.config.train.window
        fit = fits(corpus, self.config.views, self.fabric.device)
        return None if asked is None and self._agree(fit) else asked or WINDOW

    def _feed(self, window: int | None) -> Feed:
        seed, device = self.config.train.seed, self.fabric.device
        return feed(self.images, self.rows, self.plan, seed, device, self.part, window)

    def _agree(self, own: bool) -> bool:
        """Tell whether something holds on every device."""
        value = torch.tensor(float(own), device=self.fabric.device)
        return bool(self.fabric.all_reduce(value, reduce_op="min"))

    def run(self, *, stop_after: int | None = None) -> None:
        """Train from the last checkpoint, or from the start, to the end.

        Args:
            stop_after: Stop at this step, with a checkpoint; ``None`` goes to the end.

        Raises:
            CollapseError: If the features become constant or the loss is no longer a number.
            DeviceMemoryError: If the device's memory is full.
            ConfigError: If the step cannot be compiled.
        """
        self.resume()
        end = min(self.plan.n_steps, stop_after or self.plan.n_steps)
        marks = monitor_steps(self.plan.n_steps, self.config.monitor.every)
        active = self.fabric.is_global_zero
        self._clock = time.monotonic()
        with (
            explained(self.plan.batch_size, self._kept),
            repeatable(),
            journal(self.folder, self.step, active=active) as note,
            progress(self.step, self.plan, active=active) as show,
        ):
            while self.step < end:
                loss = self.train_step()
                if self.step % LOG_EVERY == 0 or self.step == end:
                    show(self._log_loss(loss, note))
                if self.step in marks and self.watch is not None:
                    self._look(note)
                if self._is_due():
                    self.save()
            self.save()

    def train_step(self) -> Tensor:
        """Do one step and return its loss, still on the device."""
        seed = self.config.train.seed
        views, measures = self.draw_views(), self._measures()
        self.method.begin_step(torch.Generator().manual_seed(mix_seeds(seed, self.step, 2)))
        lr = learning_rate(self.step, self.plan)
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        self.method.train()
        self.optimiser.zero_grad()  # before the loss: a recorded graph reuses their memory
        loss: Tensor = self._step_module(views, measures)
        self.fabric.backward(loss)
        self.optimiser.step()
        self.step += 1
        self.method.end_step(self.step / self.plan.n_steps)
        return loss.detach()

    def sources(self) -> Tensor:
        """List this device's share of this step's sources."""
        every = batch_sources(self.step, self.plan, self.config.train.seed, self.feed.window)
        return self.part.of(every)

    def _measures(self) -> Tensor | None:
        if self.measures is None:
            return None
        return send(self.measures[self.sources()], self.fabric.device)

    def draw_views(self) -> list[Tensor]:
        """Draw this step's standardised views of this device's sources: two, then small crops."""
        generator = torch.Generator().manual_seed(mix_seeds(self.config.train.seed, self.step, 1))
        shape = (2, self.plan.batch_size)
        picks = torch.randint(self.rows.shape[1], shape, generator=generator)
        first, second = self.feed.pairs(self.step, picks)
        views = draw_views(first, self._view_config(), generator, second=second, part=self.part)
        layout = torch.channels_last if self.config.train.channels_last else torch.contiguous_format
        return [
            standardise(one, self.preprocessing).contiguous(memory_format=layout) for one in views
        ]

    def _view_config(self) -> ViewConfig:
        """Give the views of this step the width of its stage."""
        views = self.config.views
        for stage in self.config.train.stages:
            if self.step < stage.until * self.plan.n_steps:
                return replace(views, width_pix=stage.width_pix)
        return views

    def _log_loss(self, loss: Tensor, note: Journal) -> dict[str, float]:
        over_devices: Any = self.fabric.all_reduce(loss, reduce_op="mean")
        value = float(over_devices)
        if not math.isfinite(value):
            raise self._diverged(f"The loss is {value}")
        values = {"loss": value, "lr": learning_rate(self.step - 1, self.plan)}
        note(self.step, values)
        return values | {"step": float(self.step)}

    def _diverged(self, what: str) -> CollapseError:
        return CollapseError(
            f"{what} at step {self.step}; {self._kept()}. Lower train.lr or lengthen the warm-up, "
            "and start in a new folder."
        )

    def _kept(self) -> str:
        """Say what remains of the run."""
        if self._saved is None:
            return "nothing was saved yet"
        return f"the training state of step {self._saved} is kept in {self.folder}"

    def _look(self, note: Journal) -> None:
        """Watch the encoder on one device; all devices hear the result, so that all stop together."""
        assert self.watch is not None
        views, values = self._view_config(), {}
        if self.fabric.is_global_zero:
            values = self.watch(self.method.encoder, views.width_pix or views.crop_pix)
        values = self.fabric.broadcast(values)
        note(self.step, values)
        spread, least = values.get("spread", math.inf), self.config.monitor.min_spread
        if not spread >= least:
            raise CollapseError(
                f"The features' spread is {spread:.4f} at step {self.step}, below {least:g}: every "
                "image gets the same embedding. Lower train.lr, raise byol.target_decay or "
                "train.batch_size, and start in a new folder."
            )

    def _is_due(self) -> bool:
        """Tell whether to save now; of several devices one looks at the clock, now and then."""
        due = time.monotonic() - self._clock > 60 * self.config.train.checkpoint_minutes
        if self.part.n_devices == 1:
            return due
        return self.step % LOG_EVERY == 0 and bool(self.fabric.broadcast(due))

    def save(self) -> None:
        """Write the training state, complete or not at all.

        Raises:
            CollapseError: If it holds what is not a number; the state saved before stays.
        """
        state = {
            "step": self.step,
            "plan": vars(self.plan),
            "window": self.feed.window,
            "method": self.method.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        if not self._agree(is_finite(state)):
            raise self._diverged("A weight is no longer a number")
        if self.fabric.is_global_zero:
            write_state(self.folder, state)
        self.fabric.barrier()
        self._clock, self._saved = time.monotonic(), self.step

    def resume(self) -> None:
        """Take up the training state of the folder, if there is one.

        Raises:
            CheckpointError: If it belongs to other settings or cannot be read.
        """
        state = read_state(self.folder, self.plan, self.fabric.device)
        if state is None:
            return
        self._take_up_order(state.get("window"))
        self.step = self._saved = state["step"]
        self.method.load_state_dict(state["method"])
        self.optimiser.load_state_dict(state["optimiser"])

    def _take_up_order(self, window: int | None) -> None:
        """Show the sources in the order in which the run was begun."""
        if window is None and self.feed.window is not None:
            raise CheckpointError(
                f"{self.folder}: was begun with the whole corpus on the device, where it does not fit "
                "now; go on on a device with more memory, or choose a new folder."
            )
        if window != self.feed.window:
            self.feed = self._feed(window)

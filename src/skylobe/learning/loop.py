"""The one loop: batches of sources, two views, a loss, an update; logs, checkpoints, resuming.

Every random draw depends on the seed and the step alone, so a run that was killed goes on from its last
checkpoint exactly as if it had not been. The loop knows no file formats and no labels.
"""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from skylobe.core.errors import CheckpointError, CollapseError
from skylobe.learning import running
from skylobe.learning.devices import Part, compile_in_place, explained, launch, repeatable
from skylobe.learning.journal import Journal, journal, progress
from skylobe.learning.methods import Method
from skylobe.learning.monitor import Watch, monitor_steps, refuse_collapse
from skylobe.learning.schedule import learning_rate, mix_seeds
from skylobe.learning.settings import PretrainConfig
from skylobe.learning.state import is_finite, read_state, write_state
from skylobe.learning.supply import Supply
from skylobe.learning.synchronised import synchronise_batch_norm

STATE_FILE = "training.pt"
LOG_EVERY = 20  # steps; reading the loss waits for the device


class Trainer:
    """One pre-training run in one folder.

    Args:
        method: The networks and their loss; trained in place.
        supply: Gives the views of each step.
        config: Everything else.
        folder: Logs and training state.
        watch: Looks at the encoder now and then, told the width in pixels of the present views; its
            values are logged, and a ``spread`` below ``config.monitor.min_spread`` stops the run.
    """

    def __init__(
        self,
        method: Method,
        supply: Supply,
        config: PretrainConfig,
        folder: Path,
        watch: Watch | None = None,
    ) -> None:
        train = config.train
        self.config, self.folder, self.watch = config, folder, watch
        self.fabric = launch(train)
        self.supply, self.plan = supply, supply.plan
        self.part = Part(self.fabric.global_rank, self.fabric.world_size)
        supply.put_on(self.fabric.device, self.part, self._agree)
        self.method = self._prepare(method)
        trained = [p for p in method.parameters() if p.requires_grad]
        optimiser = torch.optim.SGD(
            trained, lr=1.0, momentum=train.momentum, weight_decay=train.weight_decay, fused=True
        )
        self._step_module, self.optimiser = self.fabric.setup(method, optimiser)
        self.step = 0
        self._clock = time.monotonic()
        self._saved: int | None = None
        self._marks = monitor_steps(self.plan.n_steps, config.monitor.every)
        self._note: Journal = lambda step, values: None
        self._show: Callable[[dict[str, float]], None] = lambda values: None

    def _prepare(self, method: Method) -> Method:
        """Give the networks their memory format, batch norm and compiled form."""
        train = self.config.train
        if train.channels_last:
            method = method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if train.batch_statistics == "synchronised" and self.part.n_devices > 1:
            synchronise_batch_norm(method)
        compile_in_place(method, self.fabric, wanted=train.compile)
        return method

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
        active = self.fabric.is_global_zero
        self._clock = time.monotonic()
        with (
            explained(self.plan.batch_size, self._kept),
            repeatable(),
            journal(self.folder, self.step, active=active) as self._note,
            progress(self.step, self.plan, active=active) as self._show,
        ):
            end = min(self.plan.n_steps, stop_after or self.plan.n_steps)
            running.run(self, end=end, check_every=LOG_EVERY)

    def train_step(self) -> Tensor:
        """Do one step and return its loss, still on the device."""
        seed = self.config.train.seed
        views, measures = self.supply.views(self.step), self.supply.measures(self.step)
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

    def check(self, loss: Tensor) -> None:
        """Log and show the loss, averaged over the devices.

        Raises:
            CollapseError: If it is no longer a number.
        """
        over_devices: Any = self.fabric.all_reduce(loss, reduce_op="mean")
        value = float(over_devices)
        if not math.isfinite(value):
            raise self._diverged(f"The loss is {value}")
        values = {"loss": value, "lr": learning_rate(self.step - 1, self.plan)}
        self._note(self.step, values)
        self._show(values | {"step": float(self.step)})

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

    def is_done(self) -> bool:
        """Watch the encoder on one device, if it is time; all devices hear it, so that all stop together.

        Raises:
            CollapseError: If the features have become constant, or are no longer numbers.
        """
        if self.watch is None or self.step not in self._marks:
            return False
        views, values = self.supply.view_config(self.step), {}
        if self.fabric.is_global_zero:
            values = self.watch(self.method.encoder, views.width_pix or views.crop_pix)
        values = self.fabric.broadcast(values)
        self._note(self.step, values)
        if math.isnan(values.get("spread", 0.0)):  # seen before the loss is read
            raise self._diverged("A feature is no longer a number")
        refuse_collapse(values, self.step, self.config)
        return False

    def is_due(self) -> bool:
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
            **self._binding(),
            "window": self.supply.feed.window,
            "method": self.method.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        if not self._agree(is_finite(state)):
            raise self._diverged("A weight is no longer a number")
        if self.fabric.is_global_zero:
            write_state(self.folder / STATE_FILE, state)
        self.fabric.barrier()
        self._clock, self._saved = time.monotonic(), self.step

    def resume(self) -> None:
        """Take up the training state of the folder, if there is one.

        Raises:
            CheckpointError: If it belongs to other settings or cannot be read.
        """
        state = read_state(self.folder / STATE_FILE, self._binding(), self.fabric.device)
        if state is None:
            return
        self._take_up_order(state.get("window"))
        self.step = self._saved = state["step"]
        self.method.load_state_dict(state["method"])
        self.optimiser.load_state_dict(state["optimiser"])

    def _binding(self) -> dict[str, Any]:
        """Name what a state must have been written with to be gone on from."""
        return {"plan": vars(self.plan)}

    def _take_up_order(self, window: int | None) -> None:
        """Show the sources in the order in which the run was begun."""
        present = self.supply.feed.window
        if window is None and present is not None:
            raise CheckpointError(
                f"{self.folder}: was begun with the whole corpus on the device, where it does not fit "
                "now; go on on a device with more memory, or choose a new folder."
            )
        if window != present:
            self.supply.take_up(window)

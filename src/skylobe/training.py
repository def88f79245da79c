"""The one loop: batches of sources, two views, a loss, an update; logs, checkpoints, resuming.

Every random draw depends on the seed and the step alone, so a run that was killed goes on from its last
checkpoint exactly as if it had not been. The loop knows no file formats and no labels.
"""

import csv
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from skylobe import storage
from skylobe.augment import two_views
from skylobe.byol import Byol
from skylobe.config import Preprocessing, PretrainConfig, TrainConfig, ViewConfig
from skylobe.encoder import Encoder
from skylobe.errors import CheckpointError, CollapseError
from skylobe.normalise import standardise
from skylobe.precision import computes_in_bf16
from skylobe.records import ImageSet
from skylobe.schedule import Plan, batch_sources, learning_rate, mix_seeds

LOG_EVERY = 20  # steps; reading the loss waits for the device
STATE_FILE = "training.pt"

Watch = Callable[[Encoder, int], dict[str, float]]


def image_rows(image_set: ImageSet) -> Tensor:
    """Tabulate the images of each source: ``(source, image)``, repeated to the longest row."""
    rows: dict[str, list[int]] = {}
    for row, source_id in enumerate(image_set.source_ids.tolist()):
        rows.setdefault(source_id, []).append(row)
    width = max(map(len, rows.values()))
    return torch.tensor([(found * width)[:width] for found in rows.values()])


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
        method: Byol,
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
        self.fabric = _launch(train)
        if train.channels_last:
            method = method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.method = method
        trained = [p for p in method.parameters() if p.requires_grad]
        optimiser = torch.optim.SGD(
            trained, lr=1.0, momentum=train.momentum, weight_decay=train.weight_decay
        )
        self._step_module, self.optimiser = self.fabric.setup(method, optimiser)
        self.images = corpus.images.to(self.fabric.device)
        self.rows = image_rows(corpus)
        self.measures = None if measures is None else measures.to(self.fabric.device)
        self.plan = Plan.of(len(self.rows), train)
        self.step = 0

    def run(self, *, stop_after: int | None = None) -> None:
        """Train from the last checkpoint, or from the start, to the end.

        Args:
            stop_after: Stop at this step, with a checkpoint; ``None`` goes to the end.

        Raises:
            CollapseError: If the features become constant or the loss is no longer a number.
        """
        self.resume()
        end = min(self.plan.n_steps, stop_after or self.plan.n_steps)
        marks = monitor_steps(self.plan.n_steps, self.config.monitor.every)
        saved = time.monotonic()
        active = self.fabric.is_global_zero
        with (
            _journal(self.folder, self.step, active=active) as journal,
            _progress(self.step, self.plan, active=active) as show,
        ):
            while self.step < end:
                loss = self.train_step()
                if self.step % LOG_EVERY == 0 or self.step == end:
                    show(self._log_loss(loss, journal))
                if self.step in marks and self.watch is not None:
                    self._look(journal)
                if time.monotonic() - saved > 60 * self.config.train.checkpoint_minutes:
                    self.save()
                    saved = time.monotonic()
        self.save()

    def train_step(self) -> Tensor:
        """Do one step and return its loss, still on the device."""
        mine = self._sources()
        views = self.draw_views(mine)
        measures = None if self.measures is None else self.measures[mine.to(self.fabric.device)]
        lr = learning_rate(self.step, self.plan)
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        self.method.train()
        loss: Tensor = self._step_module(*views, measures)
        self.optimiser.zero_grad()
        self.fabric.backward(loss)
        self.optimiser.step()
        self.step += 1
        self.method.update_target(self.method.decay_at(self.step / self.plan.n_steps))
        return loss.detach()

    def _sources(self) -> Tensor:
        """List this device's share of this step's sources."""
        every = batch_sources(self.step, self.plan, self.config.train.seed)
        return every[self.fabric.global_rank :: self.fabric.world_size]

    def draw_views(self, mine: Tensor) -> tuple[Tensor, Tensor]:
        """Draw this step's two standardised views of the given sources."""
        rank = self.fabric.global_rank
        seed = mix_seeds(self.config.train.seed, self.step, rank + 1)
        generator = torch.Generator().manual_seed(seed)
        picks = torch.randint(self.rows.shape[1], (2, len(mine)), generator=generator)
        first, second = (
            self.images[self.rows[mine, pick].to(self.images.device)] for pick in picks
        )
        views = two_views(first, self._view_config(), generator, second=second)
        layout = torch.channels_last if self.config.train.channels_last else torch.contiguous_format
        return (
            standardise(views[0], self.preprocessing).contiguous(memory_format=layout),
            standardise(views[1], self.preprocessing).contiguous(memory_format=layout),
        )

    def _view_config(self) -> ViewConfig:
        """Give the views of this step the width of its stage."""
        views = self.config.views
        for stage in self.config.train.stages:
            if self.step < stage.until * self.plan.n_steps:
                return replace(views, width_pix=stage.width_pix)
        return views

    def _log_loss(self, loss: Tensor, journal: "Journal") -> dict[str, float]:
        value = float(loss)
        if not math.isfinite(value):
            raise CollapseError(
                f"The loss is {value} at step {self.step}; lower train.lr or lengthen the warm-up, "
                "and start in a new folder."
            )
        values = {"loss": value, "lr": learning_rate(self.step - 1, self.plan)}
        journal(self.step, values)
        return values | {"step": float(self.step)}

    def _look(self, journal: "Journal") -> None:
        assert self.watch is not None
        views = self._view_config()
        values = self.watch(self.method.encoder, views.width_pix or views.crop_pix)
        journal(self.step, values)
        spread, least = values.get("spread", math.inf), self.config.monitor.min_spread
        if not spread >= least:
            raise CollapseError(
                f"The features' spread is {spread:.4f} at step {self.step}, below {least:g}: every "
                "image gets the same embedding. Lower train.lr, raise byol.target_decay or "
                "train.batch_size, and start in a new folder."
            )

    def save(self) -> None:
        """Write the training state, complete or not at all."""
        if self.fabric.is_global_zero:
            state = {
                "step": self.step,
                "plan": vars(self.plan),
                "method": self.method.state_dict(),
                "optimiser": self.optimiser.state_dict(),
            }
            with storage.write_atomically(self.folder / STATE_FILE) as path:
                torch.save(state, path)
        self.fabric.barrier()

    def resume(self) -> None:
        """Take up the training state of the folder, if there is one.

        Raises:
            CheckpointError: If it belongs to other settings or cannot be read.
        """
        path = self.folder / STATE_FILE
        if not path.exists():
            return
        try:
            state = torch.load(path, map_location=self.fabric.device, weights_only=True)
        except Exception as error:
            raise CheckpointError(
                f"{path}: the training state cannot be read ({type(error).__name__}); "
                "delete the file to start again."
            ) from None
        if state["plan"] != vars(self.plan):
            raise CheckpointError(
                f"{path}: belongs to a run with another corpus or schedule; choose a new folder, or "
                "restore the settings in the folder's config.json."
            )
        self.step = state["step"]
        self.method.load_state_dict(state["method"])
        self.optimiser.load_state_dict(state["optimiser"])


def _launch(config: TrainConfig) -> Fabric:
    """Start Fabric in the precision that the device computes fastest in."""
    device = Fabric(accelerator=config.accelerator, devices=1).device
    precision: Any = "bf16-mixed" if computes_in_bf16(config.precision, device) else "32-true"
    fabric = Fabric(accelerator=config.accelerator, devices=config.devices, precision=precision)
    fabric.launch()
    return fabric


def monitor_steps(n_steps: int, every: float) -> set[int]:
    """List the steps after which the encoder is looked at; the last is always one."""
    looks = int(1 / every) if every > 0 else 0
    return {max(1, round(n_steps * every * look)) for look in range(1, looks + 1)} | {n_steps}


Journal = Callable[[int, dict[str, float]], None]


@contextmanager
def _journal(folder: Path, step: int, *, active: bool) -> Iterator[Journal]:
    """Log to ``log.csv`` and TensorBoard; entries after ``step`` are of a lost future and go."""
    if not active:
        yield lambda step, values: None
        return
    path = folder / "log.csv"
    kept = [["step", "name", "value"]]
    if path.exists():
        with path.open(newline="") as file:
            kept += [row for row in csv.reader(file) if row[0] != "step" and int(row[0]) <= step]
    with storage.write_atomically(path) as temporary, temporary.open("w", newline="") as file:
        csv.writer(file).writerows(kept)
    board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)
    with path.open("a", newline="", buffering=1) as file:
        writer = csv.writer(file)

        def write(step: int, values: dict[str, float]) -> None:
            for name, value in values.items():
                writer.writerow([step, name, f"{value:.6g}"])
                board.add_scalar(name, value, step)

        try:
            yield write
        finally:
            board.close()


@contextmanager
def _progress(
    step: int, plan: Plan, *, active: bool
) -> Iterator[Callable[[dict[str, float]], None]]:
    """Show step, loss, images per second and time left."""
    columns = (
        TextColumn("Pre-training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f} · {task.fields[rate]:.0f} images/s ·"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, disable=not active) as bar:
        task = bar.add_task("", total=plan.n_steps, completed=step, loss=math.nan, rate=0.0)
        started, first = time.monotonic(), step

        def show(values: dict[str, float]) -> None:
            done = int(values["step"])
            rate = (done - first) * plan.batch_size / max(1e-9, time.monotonic() - started)
            bar.update(task, completed=done, loss=values["loss"], rate=rate)

        yield show

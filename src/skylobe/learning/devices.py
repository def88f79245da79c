"""Where training computes: which devices, in which precision, and how tensors get there.

The loop asks here once, before its first step. One process drives one device; several are started by
``torchrun``, whose numbers of devices and machines then count.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from skylobe.core import locks
from skylobe.core.errors import ConfigError, DeviceMemoryError
from skylobe.learning.settings import TrainConfig
from skylobe.models.precision import computes_in_bf16


@dataclass(frozen=True)
class Part:
    """One device's share of a batch, which is dealt to the devices in turn.

    Args:
        rank: Number of this device.
        n_devices: Devices in all.
    """

    rank: int = 0
    n_devices: int = 1

    def of(self, batch: Tensor) -> Tensor:
        """Take this device's share of what belongs to a whole batch, along the last axis."""
        return batch[..., self.rank :: self.n_devices]

    def refuse_unequal(self, batch_size: int) -> None:
        """Insist on equal shares: gradients and batch statistics are averaged over devices.

        Raises:
            ConfigError: If the sources of a batch cannot be dealt evenly.
        """
        if batch_size % self.n_devices:
            raise ConfigError(
                f"A batch of {batch_size} sources cannot be dealt to {self.n_devices} devices; "
                "give a train.batch_size that can."
            )


ALONE = Part()


def launch(config: TrainConfig) -> Fabric:
    """Start Fabric in the precision that the device computes fastest in."""
    device = Fabric(accelerator=config.accelerator, devices=1).device
    precision: Any = "bf16-mixed" if computes_in_bf16(config.precision, device) else "32-true"
    here = int(os.environ.get("LOCAL_WORLD_SIZE", config.devices))
    everywhere = int(os.environ.get("WORLD_SIZE", here))
    fabric = Fabric(
        accelerator=config.accelerator,
        devices=here,
        num_nodes=max(1, everywhere // here),
        precision=precision,
    )
    fabric.launch()
    return fabric


@contextmanager
def in_turn(folder: Path) -> Iterator[None]:
    """Let the processes of one machine do something one after another, such as making the same files.

    Args:
        folder: A place that all of them see; made if there are several.
    """
    if int(os.environ.get("LOCAL_WORLD_SIZE", "1")) == 1:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with locks.lock(folder / ".turn", wait=True):
        yield


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a small tensor to a device without waiting for what the device still has to do.

    A GPU fetches page-locked memory by itself; from any other memory the host would wait for it.
    """
    if device.type != "cuda" or tensor.device.type == "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def available_bytes(device: torch.device) -> int:
    """Give a GPU's free memory, or the computer's memory for a CPU."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def compile_in_place(module: nn.Module, fabric: Fabric, *, wanted: bool | None) -> None:
    """Have a module's forward and backward pass compiled at its first call.

    On one GPU the kernels are recorded as CUDA graphs too. Between several processes they are not:
    what they exchange would be recorded with them.

    Args:
        module: Called with tensors of few distinct shapes, each of which is compiled anew.
        fabric: Tells device and number of processes.
        wanted: ``None`` compiles on a GPU only: a CPU may compile for minutes.
    """
    on_gpu = fabric.device.type == "cuda"
    if on_gpu if wanted is None else wanted:
        mode = "reduce-overhead" if on_gpu and fabric.world_size == 1 else "default"
        module.compile(mode=mode, dynamic=False)


@contextmanager
def repeatable() -> Iterator[None]:
    """Let a GPU's convolutions give the same numbers every time: no choice by trial, no atomics."""
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        yield


@contextmanager
def explained(batch_size: int, kept: Callable[[], str]) -> Iterator[None]:
    """Turn a device's complaints into a sentence with the remedy.

    Args:
        batch_size: Sources per step over all devices.
        kept: Says what remains of the run, in a clause.

    Raises:
        DeviceMemoryError: If its memory is full.
        ConfigError: If the step cannot be compiled.
    """
    try:
        yield
    except Exception as error:
        if _is_out_of_memory(error):
            raise DeviceMemoryError(
                f"The device's memory is full with batches of {batch_size} sources; {kept()}. Lower "
                "train.batch_size in a new folder, or start more processes with torchrun."
            ) from error
        if any(one.__name__ == "TorchDynamoException" for one in type(error).__mro__):
            raise ConfigError(
                f"The step cannot be compiled here ({type(error).__name__}); {kept()}. Run the same "
                "command with train.compile=False."
            ) from error
        raise


def _is_out_of_memory(error: Exception) -> bool:
    """Recognise a full GPU by its class and a full computer by torch's words."""
    full = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return full or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))

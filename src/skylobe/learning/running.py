"""What every training does besides its step: goes on to an end, looks now and then, saves, stops early.

Pre-training, training on drawn views and fine-tuning differ in their step and in what they look at; the
order in which things happen is here, once.
"""

from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Run(Protocol):
    """A training that ``run`` takes from where it is to an end."""

    step: int

    def train_step(self) -> Tensor:
        """Do one step; the loss stays on the device."""
        ...

    def check(self, loss: Tensor) -> None:
        """Wait for the device, refuse a loss that is no number, and show how far the training is."""
        ...

    def is_done(self) -> bool:
        """Look at what was learnt, if it is time to; tell whether to stop before the end."""
        ...

    def is_due(self) -> bool:
        """Tell whether it is time to save."""
        ...

    def save(self) -> None:
        """Write the state, complete or not at all."""
        ...


def run(training: Run, *, end: int, check_every: int) -> None:
    """Train to the end, and save there.

    Args:
        training: What to go on with.
        end: Step to stop at.
        check_every: Steps. Between two looks at the loss, for each waits for the device.
    """
    while training.step < end:
        loss = training.train_step()
        if training.step % check_every == 0 or training.step == end:
            training.check(loss)
        if training.is_done():
            training.check(loss)  # a loss that is no number never gets better either
            break
        if training.is_due():
            training.save()
    training.save()

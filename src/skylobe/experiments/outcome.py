"""What a training of an experiment gave, and on which hardware."""

import os
import platform
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray

from skylobe.scores.calibration import Calibration, reliability


@dataclass(frozen=True)
class Outcome:
    """What a training came to.

    Args:
        row: Row of the table.
        arm: Column.
        seed: Of everything.
        n_labels: Labels used.
        epochs: Passes over them.
        seconds: From images in memory to a classifier.
        hardware: What it ran on.
        temperature: Learnt from held-out labels; 1 where none were held out.
        threshold: Probability that a class needs to be in the 90 % conformal set; 0 admits every class.
        logits: Of each test source, by test set.
        labels: Class of each test source; −1 where it has none.
        novelty: Of each test source: above 1 it is more unusual than 95 % of the labelled ones.
    """

    row: str
    arm: str
    seed: int
    n_labels: int
    epochs: float
    seconds: float
    hardware: str
    temperature: float
    threshold: float
    logits: dict[str, list[list[float]]]
    labels: dict[str, list[int]]
    novelty: dict[str, list[float]]
    doubt: float = 0.0

    def wrong(self, test: str) -> NDArray[np.bool_]:
        """Mark the labelled sources of a test set that got another class than theirs."""
        truth = np.array(self.labels[test])
        wrong: NDArray[np.bool_] = np.array(self.logits[test]).argmax(1) != truth
        return wrong[truth >= 0]

    def error(self, test: str) -> float:
        """Per cent of a test set, counted on its own."""
        return float(100 * self.wrong(test).mean())

    def probabilities(
        self, test: str, *, calibrated: bool = True
    ) -> Float[np.ndarray, "source class"]:
        """Give the probabilities of each source."""
        kept = Calibration(self.temperature, doubt=self.doubt) if calibrated else Calibration()
        return kept.probabilities(np.array(self.logits[test]))

    def calibration_error(self, test: str, *, calibrated: bool = True) -> float:
        """Expected calibration error in per cent."""
        truth = np.array(self.labels[test])
        found = self.probabilities(test, calibrated=calibrated)[truth >= 0]
        return 100 * reliability(found, truth[truth >= 0]).error

    def abstains(self, test: str) -> NDArray[np.bool_]:
        """Mark the sources whose 90 % conformal set is not one class."""
        return np.asarray((self.probabilities(test) >= self.threshold).sum(1) != 1)

    def covered(self, test: str) -> NDArray[np.bool_]:
        """Mark the labelled sources whose true class is in the 90 % conformal set."""
        truth: Int[np.ndarray, " source"] = np.array(self.labels[test])
        rows = np.flatnonzero(truth >= 0)
        sure: NDArray[np.bool_] = self.probabilities(test)[rows, truth[rows]] >= self.threshold
        return sure


def hardware() -> str:
    """Name the processor, its threads in use, and the GPU if there is one."""
    if torch.cuda.is_available():
        return f"one {torch.cuda.get_device_name()}, torch {torch.__version__}"
    arithmetic = "bf16" if torch.cpu.get_capabilities().get("avx512_bf16") else "fp32"
    threads = torch.get_num_threads()
    return (
        f"{threads} thread{'s' if threads > 1 else ''} of a {os.cpu_count()}-core "
        f"{platform.machine()} CPU, {arithmetic}, torch {torch.__version__}"
    )

"""The name of a table or figure to its trainings, and those to its report."""

import importlib

from skylobe.core.errors import ConfigError
from skylobe.core.paths import cache_dir
from skylobe.experiments.registry import ROOMS, Name
from skylobe.experiments.scale import Scale
from skylobe.experiments.tables import Report, footing
from skylobe.experiments.trainings import run
from skylobe.models.model import Model


def reproduce(
    name: Name,
    model: Model,
    scale: Scale,
    *,
    together: bool = False,
    finished_only: bool = False,
    progress: bool = False,
) -> tuple[str, Report]:
    """Run an experiment, or what of it is not done yet.

    Args:
        name: Of a table or figure; some are made of the same trainings.
        model: What is fine-tuned; the baseline has its shape.
        scale: How much of it to run.
        together: Train the seeds of a cell as one, with stacked parameters: for a GPU.
        finished_only: Train nothing; report what is done.
        progress: Show a progress bar.

    Returns:
        Title, and the report.

    Raises:
        ConfigError: If only finished trainings are asked for and there are none.
    """
    room = importlib.import_module(f"skylobe.experiments.{ROOMS[name]}")
    if hasattr(room, "measure_all"):  # nothing is trained
        measured: Report = room.measure_all(model, scale)
        return room.TITLE, measured
    outcomes = run(
        room.trainings(model, scale),
        cache_dir() / "experiments",
        together=together,
        remember=name != "timings",
        finished_only=finished_only,
        progress=progress,
    )
    if not outcomes:
        raise ConfigError(f"No training of {name} is finished; leave out finished_only to begin.")
    made: Report = room.report(outcomes)
    return room.TITLE, Report(f"{made.text}\n\n{footing(outcomes)}", made.figures)

"""A classifier to what a notebook shows: what it tells apart, what it learnt from, when it abstains."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skylobe.core import notebook
from skylobe.scores.calibration import Calibration, caution

LEVELS = (0.8, 0.9, 0.95)  # of prediction sets
MARKED = 0.9  # the one that is drawn
N_BINS, WIDTH, HEIGHT = 20, 420, 90  # bars, and pixels


def classifier(
    class_names: Sequence[str],
    model: str,
    calibration: Calibration,
    provenance: Mapping[str, Any],
) -> str:
    """Show a classifier as HTML.

    Args:
        class_names: What it tells apart.
        model: What its encoder is, in a line.
        calibration: What held-out sources taught.
        provenance: Of the classifier.
    """
    learnt = f"{provenance.get('labels', '?')} labels of {provenance.get('data', 'an unknown set')}"
    return notebook.frame(
        f"Classifier: {' · '.join(class_names)}",
        f"learnt from {learnt}; {model}",
        _calibration(calibration, len(class_names)),
        notebook.facts(_told(provenance)),
    )


def _told(provenance: Mapping[str, Any]) -> dict[str, object]:
    """Name the settings that say most, and the command if there was one."""
    config = provenance.get("config", {})
    wanted = ("method", "n_blocks", "with_measures", "n_views", "epochs", "lr", "seed")
    told: dict[str, object] = {name: config[name] for name in wanted if name in config}
    versions = provenance.get("versions", {})
    if "skylobe" in versions:
        told["skylobe"] = versions["skylobe"]
    if "command" in provenance:
        told["command"] = provenance["command"]
    return told


def _calibration(calibration: Calibration, n_classes: int) -> str:
    scores = np.asarray(calibration.scores)
    if not len(scores):
        return (
            "<p>Not calibrated: no labels were kept out. Probabilities are as they come, and every source "
            "is abstained from.</p>"
        )
    doubt = caution(len(scores), n_classes)
    rows = [_level(calibration, level) for level in LEVELS]
    head = ("true class in the set", "a class is in it from a probability of")
    return (
        f"<h2>Calibrated on {len(scores):,} held-out labels, temperature "
        f"{notebook.number(calibration.temperature)}</h2>{f'<p>{doubt}</p>' if doubt else ''}"
        f"{_bars(1 - scores, calibration.threshold(MARKED))}{notebook.grid(head, rows)}"
    )


def _level(calibration: Calibration, level: float) -> tuple[str, str]:
    least = calibration.threshold(level)
    return (
        f"{100 * level:g} %",
        f"{least:.3f}" if least > 0 else "none: too few labels for this level",
    )


def _bars(probabilities: NDArray[np.float64], least: float) -> str:
    """Draw how probable the true class of each held-out source was, and from where it is in the set."""
    counts, _ = np.histogram(probabilities, bins=N_BINS, range=(0, 1))
    step, tall = WIDTH / N_BINS, max(int(counts.max()), 1)
    bars = "".join(
        f'<rect class="bar" x="{bar * step + 1:.1f}" y="{HEIGHT * (1 - count / tall):.1f}" '
        f'width="{step - 2:.1f}" height="{HEIGHT * count / tall:.1f}"><title>{count}</title></rect>'
        for bar, count in enumerate(counts.tolist())
    )
    ticks = "".join(
        f'<text x="{WIDTH * share:.0f}" y="{HEIGHT + 14}" text-anchor="{anchor}">{share:g}</text>'
        for share, anchor in ((0, "start"), (0.5, "middle"), (1, "end"))
    )
    at = WIDTH * least
    mark = (
        f'<line class="mark" x1="{at:.1f}" y1="0" x2="{at:.1f}" y2="{HEIGHT}" stroke-width="2" '
        f'stroke-dasharray="4 3"><title>in the set of {100 * MARKED:g} % from here</title></line>'
    )
    told = f"probability of the true class; dashed: from here in the set at {100 * MARKED:g} %"
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT + 34}" role="img" '
        f'aria-label="probabilities of the true class">{bars}{mark if least > 0 else ""}'
        f'<line x1="0" y1="{HEIGHT}" x2="{WIDTH}" y2="{HEIGHT}" stroke="#8888"/>{ticks}'
        f'<text x="{WIDTH / 2:.0f}" y="{HEIGHT + 29}" text-anchor="middle">{told}</text></svg>'
    )

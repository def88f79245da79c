"""The experiments by name."""

from typing import Literal

Name = Literal[
    "table6",
    "table7",
    "figure4",
    "figure5",
    "figure6",
    "figure7",
    "timings",
    "cross_validation",
]
ROOMS: dict[str, str] = {
    "table6": "label_curve",
    "figure4": "label_curve",
    "figure5": "label_curve",
    "table7": "cross_survey",
    "figure6": "retrieval",
    "figure7": "depth",
    "timings": "timings",
    "cross_validation": "cross_validation",
}

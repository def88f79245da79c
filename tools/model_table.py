"""Write the tables of docs/models.md: ``python tools/model_table.py docs/models.md``.

Errors are those of docs/results.md, which ``benchmarks/probe.py`` measured; what a network costs is
counted here.
"""

import sys
from pathlib import Path
from typing import Dict, List

import torch
from torch import nn

from skylobe.core import pages
from skylobe.models.loading import load_model, shipped_models
from skylobe.models.model import Model

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results.md"
COMMAND = "python tools/model_table.py docs/models.md"
HEADS = ("what is used", "36 labels", "145 labels", "667 labels", "test split")


def multiplications(model: Model) -> int:
    """Count the multiplications of one view: those of convolutions, which are nearly all."""
    counted = []

    def count(layer: nn.Module, given: object, made: torch.Tensor) -> None:
        assert isinstance(layer, nn.Conv2d)
        counted.append(made[0].numel() * layer.weight[0].numel())

    hooks = [
        one.register_forward_hook(count)
        for one in model.encoder.modules()
        if isinstance(one, nn.Conv2d)
    ]
    width = model.preprocessing.crop_pix
    with torch.inference_mode():
        model.encoder(torch.zeros(1, 1, width, width))
    for hook in hooks:
        hook.remove()
    return sum(counted)


def described(name: str) -> str:
    """Write a row on what a model is."""
    model = load_model(name)
    grid = model.preprocessing
    weights = sum(one.numel() for one in model.encoder.parameters())
    cells = [
        f"`{name}`",
        f"{grid.crop_pix} pixels, {grid.seen}",
        str(model.encoder.n_features),
        f"{weights / 1e6:.1f} million",
        f"{multiplications(model) / 1e6:.0f} million",
    ]
    return "| " + " | ".join(cells) + " |"


def measured(name: str) -> Dict[str, List[str]]:
    """Read a model's errors: by what was used, those of the stratified splits and of the test split."""
    start = f"<!-- scores of {name}: made by a command -->"
    section = RESULTS.read_text(encoding="utf-8").partition(start)[2].partition("<!-- end")[0]
    found: Dict[str, List[str]] = {}
    for line in section.splitlines():
        cells = [one.strip() for one in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 4 and cells[0] != "embedding":
            found.setdefault(cells[0], []).extend(cells[1:])
    return {what: [*one[:3], f"{one[4]} ({one[5]})"] for what, one in found.items() if len(one) > 5}


def table() -> str:
    """Lay out what the models are and how they do, beside what needs no training."""
    names = sorted(shipped_models(), key=lambda name: multiplications(load_model(name)))
    heads = ("model", "sees", "vector", "weights", "multiplications a view")
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|", *map(described, names)]
    lines += ["", "| " + " | ".join(HEADS) + " |", "|---" * len(HEADS) + "|"]
    for name in names:
        errors = measured(name)
        wanted = [f"{name}, 8 views", f"{name}, 8 views, and measures"]
        lines += [f"| {one} | {' | '.join(errors[one])} |" for one in wanted]
    for one in ("measures of shape alone", "untrained, 8 views"):
        lines.append(f"| *{one}* | {' | '.join(measured(names[0])[one])} |")
    lines += [
        "",
        "Linear probe on MiraBest's confident sources, errors in per cent: mean ± standard deviation over "
        "20 stratified splits; of the official test split of 104 sources with its 95 % interval.",
        "",
        f"Command: `{COMMAND}`, from the cards and [results.md](results.md).",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    pages.write_section(Path(sys.argv[1]), "models", table())

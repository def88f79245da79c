"""A training on drawn views to a model: the averaged encoder with preprocessing, record and card."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from skylobe.core.errors import CheckpointError
from skylobe.core.settings import to_dict
from skylobe.core.version import versions
from skylobe.learning import card
from skylobe.learning.drawn.feed import DrawnFeed
from skylobe.learning.drawn.loop import BEYOND, STATE_FILE, grid_of
from skylobe.learning.state import read_state
from skylobe.models.encoder import Encoder
from skylobe.models.loading import load_model
from skylobe.models.model import Model, weights_fingerprint
from skylobe.models.prepare import standardise
from skylobe.models.settings import Preprocessing

RECALIBRATION_STEPS = 30  # batches from which batch statistics are measured
CORPUS, SURVEY = "first_groups", "VLA FIRST (rendered)"


def finish(
    folder: Path, feed: DrawnFeed, *, name: str = "averaged", excludes: tuple[str, ...] = ()
) -> Model:
    """Make a model of what a training has come to so far; the training may go on beside it.

    Args:
        folder: Of the training.
        feed: As the training had it.
        name: Of the model.
        excludes: Sets whose sources the feed leaves out.

    Raises:
        CheckpointError: If the folder holds no training.
    """
    state = read_state(folder / STATE_FILE, {}, feed.device)
    if state is None:
        raise CheckpointError(
            f"{folder}: holds no training yet; start one with tools/train_drawn.py."
        )
    grid = grid_of(feed)
    is_cooled = feed.config.end is not None and state["step"] >= feed.config.end
    weights = encoder_weights(state["method"]) if is_cooled else state["average"]
    encoder = averaged_encoder(weights, feed, grid)
    record: dict[str, Any] = {
        "config": to_dict(feed.config),
        "versions": versions(),
        "corpus": {
            "name": CORPUS,
            "survey": SURVEY,
            "sources": len(feed.sketcher.groups),
            "excludes": list(excludes),
        },
        "steps": state["step"],
        "images_seen": state["step"] * feed.config.batch_size,
        **_beginning(feed.config.start),
    }
    model = Model(name=name, encoder=encoder, preprocessing=grid, provenance=record)
    return replace(model, card=card.join(card.header(model), describe(model)))


@torch.no_grad()
def averaged_encoder(
    average: dict[str, Tensor],
    feed: DrawnFeed,
    preprocessing: Preprocessing,
    n_batches: int = RECALIBRATION_STEPS,
) -> Encoder:
    """Give the averaged encoder, its batch statistics measured anew on drawn views.

    Args:
        average: Weights, as a training state holds them.
        feed: Draws the views, others than the training saw, and computes where it draws.
        preprocessing: As of ``grid_of``.
        n_batches: From how many batches.
    """
    encoder = Encoder(feed.config.encoder).to(feed.device)
    encoder.load_state_dict(average)
    norms = [one for one in encoder.modules() if isinstance(one, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over batches
    encoder.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for step in range(n_batches):
        encoder(standardise(feed.batch(BEYOND + step).views, preprocessing))
    for norm in norms:
        norm.momentum = 0.1
    return encoder.cpu().eval()


def encoder_weights(method: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take the encoder's weights out of a method's."""
    parts = (
        name.partition("encoder.") for name in method
    )  # "_encoder." before Method was one class
    marked = [(before + mark, rest) for before, mark, rest in parts if before in ("", "_") and mark]
    return {rest: method[mark + rest] for mark, rest in marked}


def describe(model: Model, *, hardware: str = "", choices: str = "", command: str = "") -> str:
    """Say in Markdown what a model trained on drawn views is and how it was made.

    Args:
        model: With the record that ``finish`` leaves.
        hardware: A sentence: on what, and how long.
        choices: A sentence: what was chosen by looking at which labels.
        command: That made it.
    """
    made = model.provenance
    shape, grid, config = model.encoder.config, model.preprocessing, made["config"]
    corpus, draw = made["corpus"], made["config"]["draw"]
    paragraphs = [
        f"# {model.name}",
        f"A ResNet-{shape.depth} with the {card.STEMS[shape.stem]} stem, pre-trained without labels for "
        f"images of radio galaxies. It turns an image of {grid.crop_pix * grid.pixel_scale:.0f}″ "
        f"({grid.crop_pix} pixels of {grid.pixel_scale:.4g}″) into a vector of "
        f"{model.encoder.n_features} numbers."
        + (f" Eight views share {_angles(grid)}." if len(grid.spans) > 1 else ""),
        "## What it was trained on",
        "**Views:** drawn anew at every step from the Gaussian components of the VLA FIRST catalogue "
        f"around {corpus['sources']:,} sources: those of Radio Galaxy Zoo DR1 larger than 25″ and all "
        "other extended groups of components. *Rendered*, never real: beams of "
        f"{draw['sharp'][0]:g}″ to {draw['coarse'][1]:g}″, noise of the beam or of real blank FIRST "
        "sky, components turned, moved and jittered. Diffuse emission that no component describes is "
        "missing.",
        f"**Left out:** everything within 150″ of a source of {', '.join(corpus['excludes'])}.",
        "**Method:** LeJEPA between two views of a source; besides, one linear layer predicts from the "
        f"features, weight {config['target_weight']:g}, what the catalogue knows: label-free measures "
        "of shape of the field without noise and quantities of its components "
        "(`skylobe.images.privileged`).",
        f"**How long:** {made['steps']:,} steps of {config['batch_size']:,} sources: "
        f"{made['images_seen']:,} images of sources, {2 * made['images_seen']:,} views, no two alike; "
        f"{_ending(config)}. {_before(made)}{hardware}".rstrip(),
        f"**Labels:** none was trained on. {choices}".rstrip(),
        f"**Again:** seed {config['seed']}; every setting is in `config.json`. "
        + (f"Command: `{command}`. " if command else "")
        + f"Software: {', '.join(f'{name} {one}' for name, one in made['versions'].items())}.",
    ]
    return "\n\n".join(paragraphs) + "\n"


def _angles(grid: Preprocessing) -> str:
    """Name the angles that eight views look through."""
    *first, last = (f"{span * grid.crop_pix * grid.pixel_scale:.0f}″" for span in grid.spans)
    return f"angles of {', '.join(first)} and {last}"


def _beginning(start: str | None) -> dict[str, Any]:
    """Write down the model that the training began with."""
    if start is None:
        return {}
    model = load_model(start)
    facts = {"name": model.name, "fingerprint": weights_fingerprint(model)}
    return {"start": facts | {"images_seen": model.provenance.get("images_seen", 0)}}


def _before(made: dict[str, Any]) -> str:
    """Say what came before the training."""
    if "start" not in made:
        return ""
    start = made["start"]
    return (
        f"It began with an earlier `{start['name']}` of {start['images_seen']:,} images (weights "
        f"{start['fingerprint'][:12]}), so that {start['images_seen'] + made['images_seen']:,} were "
        "seen in all. "
    )


def _ending(config: dict[str, Any]) -> str:
    """Say how the weights came to rest."""
    if config["cool_from"] is None:
        return "the weights are an average over about the last tenth of the steps"
    return f"over the last {config['cool_steps']:,} steps the learning rate fell to 0"

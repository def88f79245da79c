"""A model's card: what the record of its training says, in words, under the header that model hubs read.

Scores are not made here; ``benchmarks/probe.py`` measures those of shipped models and puts them in.
"""

from typing import Any

import yaml

from skylobe.core.settings import from_dict
from skylobe.learning.settings import PretrainConfig
from skylobe.models.model import Model

FENCE = "---\n"
TAGS = ["astronomy", "radio-astronomy", "radio-galaxies", "self-supervised-learning", "resnet"]
STEMS = {"fast": "7×7 stride 2", "paper": "3×3 stride 1"}


def split(text: str) -> tuple[dict[str, Any], str]:
    r"""Take a card apart into its header, empty if there is none, and its text.

    >>> split("---\nlicense: cc-by-4.0\n---\n# A\n")
    ({'license': 'cc-by-4.0'}, '# A\n')
    >>> split("# A\n")
    ({}, '# A\n')
    """
    if not text.startswith(FENCE) or f"\n{FENCE}" not in text:
        return {}, text
    header, _, body = text.removeprefix(FENCE).partition(f"\n{FENCE}")
    return dict(yaml.safe_load(header) or {}), body.lstrip("\n")


def join(header: dict[str, Any], body: str) -> str:
    """Put a card together."""
    written = yaml.safe_dump(header, sort_keys=False, allow_unicode=True)
    return f"{FENCE}{written}{FENCE}\n{body}"


def header(model: Model, *, licence: str | None = None) -> dict[str, Any]:
    """Give what model hubs want to know.

    Args:
        model: With the record of its training.
        licence: Of the weights, as hubs write it, such as ``cc-by-4.0``; left out if ``None``.
    """
    corpus = model.provenance.get("corpus", {}).get("name")
    return {
        "library_name": "skylobe",
        **({"license": licence} if licence else {}),
        "pipeline_tag": "image-feature-extraction",
        "tags": TAGS,
        **({"datasets": [corpus]} if corpus else {}),
    }


def with_scores(text: str, name: str, results: list[dict[str, Any]]) -> str:
    """Put a model's scores into the header of its card.

    Args:
        text: The card.
        name: Of the model.
        results: As hubs want them: ``task``, ``dataset``, ``metrics``.
    """
    found, body = split(text)
    return join(found | {"model-index": [{"name": name, "results": results}]}, body)


def describe(
    model: Model,
    *,
    about_corpus: str = "",
    hardware: str = "",
    choices: str = "",
    command: str = "",
) -> str:
    """Say in Markdown what a pre-trained model is and how it was made.

    Args:
        model: With the record that ``learning.pretrain`` leaves.
        about_corpus: Sentences on the images, which the record does not hold.
        hardware: A sentence: on what, and how long.
        choices: A sentence: what was chosen by looking at which labels.
        command: That made it.
    """
    made, grid = model.provenance, model.preprocessing
    config, corpus = from_dict(PretrainConfig, made["config"]), made["corpus"]
    stem = STEMS[model.encoder.config.stem]
    lines = [
        f"# {model.name}",
        f"A ResNet-{model.encoder.config.depth} with the {stem} stem, pre-trained without labels for "
        f"images of radio galaxies. It turns an image of {grid.crop_pix * grid.pixel_scale:.0f}″ "
        f"({grid.crop_pix} pixels of {grid.pixel_scale:.4g}″) into a vector of "
        f"{model.encoder.n_features} numbers.",
        "## What it was trained on",
        f"**Corpus:** `{corpus['name']}` ({corpus['survey']}): {corpus['sources']:,} sources, "
        f"{corpus['images']:,} images. {about_corpus}".rstrip(),
    ]
    if "start" in made:
        before = made["start"]
        lines.append(
            f"**Start:** the weights of `{before['name']}` ({before['fingerprint']}), which were trained "
            f"on `{before['corpus']}`."
        )
    if corpus.get("excludes"):
        lines.append(f"**Left out:** by position, all sources of {', '.join(corpus['excludes'])}.")
    lines += [
        f"**Method:** {_method(config, corpus)}",
        f"**How long:** {_length(made, config)} {hardware}".rstrip(),
        f"**Labels:** none was trained on. {_watched(made.get('monitor'))} {choices}".rstrip(),
        f"**Again:** seed {config.train.seed}; every setting is in `config.json`. "
        + (f"Command: `{command}`. " if command else "")
        + f"Software: {', '.join(f'{name} {one}' for name, one in made['versions'].items())}. "
        f"Fingerprint of the corpus (sha256): {corpus['sha256']}.",
    ]
    return "\n\n".join(lines) + "\n"


def _method(config: PretrainConfig, corpus: dict[str, Any]) -> str:
    """Say what was learnt from."""
    pair = (
        f"two views of a source, each of one of its {corpus['images'] // corpus['sources']} images by lot"
        if corpus["images"] > corpus["sources"]
        else "two random views of an image"
    )
    name = config.method_settings.title
    small = config.views.n_small
    crops = f", and {small} small crops of each" if small else ""
    weight = config.morphology_weight
    if not weight:
        return f"{name} between {pair}{crops}."
    return (
        f"{name} between {pair}{crops}; besides, one linear layer predicts label-free measures of shape "
        f"(`skylobe.morphology`) from the features, weight {weight:g}."
    )


def _length(made: dict[str, Any], config: PretrainConfig) -> str:
    """Say how many images were seen, and of what width."""
    train, views, seen = config.train, config.views, made["images_seen"]
    shown = 2 + views.n_small
    widths = [
        f"{one.width_pix} pixels up to {100 * one.until:g} % of the steps" for one in train.stages
    ]
    widths.append(f"{views.width_pix or views.crop_pix} pixels")
    return (
        f"{made['steps']:,} steps of {train.batch_size:,} sources: {seen:,} images of sources, "
        f"{shown * seen:,} views, {train.epochs:g} epochs; views of {', then '.join(widths)}."
    )


def _watched(monitor: str | None) -> str:
    """Say whose labels were looked at during training."""
    if monitor is None:
        return "None was looked at during training."
    return f"A linear probe and nearest neighbours on `{monitor}` were looked at during training."

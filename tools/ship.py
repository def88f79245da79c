"""Put a finished pre-training run into the package: fp16 weights, settings and an honest card.

Run: ``python tools/ship.py runs/skylobe-fast/model --hardware "2 cores of ..., 90 minutes"``, then
``python benchmarks/probe.py --write``, which puts the scores into the card.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from skylobe.checkpoint import Model, load_model, save_model
from skylobe.errors import SkylobeError

MODELS = Path(__file__).resolve().parents[1] / "src" / "skylobe" / "models"

CARD = """# {name}

A ResNet-{depth} with the {stem} stem, pre-trained without labels for images of radio galaxies. It
turns an image of {angle:.0f}″ ({crop} pixels of {scale:.3f}″) into a vector of 512 numbers.

## What it was trained on

- **Corpus:** `{corpus}`: {sources:,} fields at Radio Galaxy Zoo DR1 positions (sources larger than
  25″), each *rendered* twice from the Gaussian components of the VLA FIRST catalogue with
  beam-convolved noise, {images:,} images in all. No real image was used. Diffuse emission that no
  component describes is missing from them.
- **Left out:** every field within 150″ of a MiraBest, `first_galaxies` or FR-DEEP source.
- **Method:** BYOL between two rendered realisations of a source; besides, one linear layer predicts
  149 label-free measures of shape (`skylobe.morphology`) from the features, weight {weight:g}.
- **How long:** {steps:,} steps of {batch} sources: {seen:,} images of sources, {views:,} views,
  {epochs:g} epochs; views of 32 pixels for the first 82 % of the steps, then {crop}. {hardware}
- **What it was watched on:** the 729 confident training sources of MiraBest. The measures and the
  settings were chosen there; the official test split was used for no choice.
- **Seed:** {seed}. Command: `skylobe pretrain --recipe skylobe --corpus rgz_rendered --monitor_set
  mirabest --monitor_options.split train --monitor_options.subset confident --out runs/{name}`, then
  `tools/ship.py`. Software: {versions}. Corpus fingerprint (sha256): {sha256}.

## How it scores

<!-- scores: made by benchmarks/probe.py -->
<!-- end of scores -->

## What to use it for, and what not

Few-label classification, similarity search and a first look at VLA FIRST cut-outs, or at images of
a similar beam resampled to its grid (`skylobe.embed` does that from the pixel scale). With eight
views the vector does not depend on quarter turns and mirror images. It has not been tried on other
surveys, and it is small and briefly trained: for a particular task, compare it with the untrained
network, as the table above does.

## Terms

Weights: BSD-3-Clause, as the code. Cite Slijepcevic et al. 2024 for the method, Wong et al. 2025
(RGZ DR1) and Helfand et al. 2015 (FIRST) for the corpus.
"""


def card(model: Model, name: str, hardware: str) -> str:
    """Write the card from what the run recorded."""
    made: dict[str, Any] = model.provenance
    config, corpus, grid = made["config"], made["corpus"], model.preprocessing
    return CARD.format(
        name=name,
        depth=config["encoder"]["depth"],
        stem="7×7 stride 2" if config["encoder"]["stem"] == "fast" else "3×3 stride 1",
        angle=grid.crop_pix * grid.pixel_scale,
        crop=grid.crop_pix,
        scale=grid.pixel_scale,
        corpus=corpus["name"],
        sources=corpus["sources"],
        images=corpus["images"],
        sha256=corpus["sha256"],
        weight=config["byol"]["morphology_weight"],
        steps=made["steps"],
        batch=config["train"]["batch_size"],
        seen=made["images_seen"],
        views=2 * made["images_seen"],
        epochs=config["train"]["epochs"],
        seed=config["train"]["seed"],
        hardware=hardware,
        versions=", ".join(f"{key} {value}" for key, value in made["versions"].items()),
    )


def main() -> int:
    """Ship one model."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="the run's model folder")
    parser.add_argument("--name", default="skylobe-fast")
    parser.add_argument("--hardware", default="", help="a sentence: on what, and how long")
    options = parser.parse_args()
    try:
        model = load_model(options.folder)
        text = card(model, options.name, options.hardware)
        shipped = replace(model, name=options.name, card=text)
        folder = save_model(shipped, MODELS / options.name, half=True)
    except (SkylobeError, KeyError) as error:
        print(f"{options.folder}: cannot be shipped ({error}).", file=sys.stderr)
        return 1
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{folder.name}: {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

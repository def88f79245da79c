"""Put a finished pre-training run into the package: fp16 weights, settings and an honest card.

Run: ``python tools/ship.py runs/mine/model --name mine --hardware "2 cores of ..., 90 minutes."``, then
``python benchmarks/probe.py --model mine --write``, which puts the scores into the card.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from skylobe.core.errors import SkylobeError
from skylobe.learning import card
from skylobe.models.loading import load_model
from skylobe.models.model import Model, save_model

MODELS = Path(__file__).resolve().parents[1] / "src" / "skylobe" / "models"
LICENCE = "cc-by-4.0"

CORPORA = {  # what the record of a run does not say of them
    "rgz_rendered": "Fields at Radio Galaxy Zoo DR1 positions (sources larger than 25″), *rendered* "
    "from the Gaussian components of the VLA FIRST catalogue with beam-convolved noise, once with a beam "
    "of 5.4″ and once of 10″. No real image was used, and diffuse emission that no component describes "
    "is missing.",
}
CHOICES = (
    "The measures and the settings were chosen on MiraBest's 729 confident training sources; its test "
    "split was used for no choice."
)

REST = """
## How it scores

<!-- scores of {name}: made by a command -->
<!-- end of scores of {name} -->

Fine-tuned errors, and scores on other sets, with the commands that make them: `docs/results.md` in the
source of skylobe.

## What to use it for, and what not

Few-label classification, similarity search and a first look at cut-outs of the survey named above, or at
images of a similar beam resampled to its grid (`skylobe.embed` does that from the pixel scale). With eight
views the vector does not depend on quarter turns and mirror images. Before you rely on it for a task or a
survey, compare it there with the untrained network, as the table above does.

## Terms

Weights: [CC-BY-4.0](https://creativecommons.org/licenses/by/4.0/); name "The skylobe developers" and this
model. Cite Slijepcevic et al. 2024 for the method, Wong et al. 2025 (RGZ DR1) and Helfand et al. 2015
(FIRST) for the data.
"""


def write_card(model: Model, options: argparse.Namespace) -> str:
    """Write the card from what the run recorded and what its maker adds."""
    text = card.describe(
        model,
        about_corpus=options.about_corpus or CORPORA.get(model.provenance["corpus"]["name"], ""),
        hardware=options.hardware,
        choices=options.choices,
        command=options.command,
    )
    return card.join(card.header(model, licence=LICENCE), text + REST.format(name=model.name))


def parser() -> argparse.ArgumentParser:
    """Make the parser."""
    made = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    made.add_argument("folder", type=Path, help="the run's model folder")
    made.add_argument("--name", required=True)
    made.add_argument("--hardware", default="", help="a sentence: on what, and how long")
    made.add_argument("--about_corpus", default="", help="sentences on a corpus of your own")
    made.add_argument("--choices", default=CHOICES, help="what was chosen by which labels")
    made.add_argument("--command", default="", help="that made it")
    return made


def main() -> int:
    """Ship one model."""
    options = parser().parse_args()
    try:
        model = replace(load_model(options.folder), name=options.name)
        shipped = replace(model, card=write_card(model, options))
        folder = save_model(shipped, MODELS / options.name, half=True)
    except (SkylobeError, KeyError) as error:
        print(f"{options.folder}: cannot be shipped ({error}).", file=sys.stderr)
        return 1
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{folder.name}: {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

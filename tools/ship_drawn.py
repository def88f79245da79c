"""Put what a training on drawn views has come to into the package: fp16 weights, settings, an honest card.

Run: ``python tools/ship_drawn.py runs/base --hardware "One core of ..., three hours."``, then
``python benchmarks/probe.py --model skylobe-base --write``, which puts the scores into the card. ``--out``
writes a model folder somewhere else instead.
"""

import argparse
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

from skylobe.core.errors import SkylobeError
from skylobe.images.datasets import first_groups
from skylobe.learning import card
from skylobe.learning.drawn.feed import drawn_feed
from skylobe.learning.drawn.finish import describe, finish
from skylobe.learning.drawn.settings import DrawnConfig
from skylobe.models.model import read_json, save_model
from skylobe.models.precision import flush_denormals

MODELS = Path(__file__).resolve().parents[1] / "src" / "skylobe" / "models" / "shipped"
LICENCE = "cc-by-4.0"
CHOICES = (
    "What was chosen was chosen on a third of the sky, the choosing part of "
    "`benchmarks/representations.py`, and earlier on MiraBest's 729 confident training sources."
)


def rest_of_card(name: str) -> str:
    """Give the part of a card that all shipped models share, which ``ship.py`` holds."""
    spec = importlib.util.spec_from_file_location("ship", Path(__file__).with_name("ship.py"))
    assert spec is not None
    assert spec.loader is not None
    ship = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(ship)
    return str(ship.REST).format(name=name)


def parser() -> argparse.ArgumentParser:
    """Make the parser."""
    made = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    made.add_argument("folder", type=Path, help="of the training")
    made.add_argument("--name", default="skylobe-base")
    made.add_argument("--out", type=Path, help="folder of the model; by default the package's")
    made.add_argument("--device", default="cpu")
    made.add_argument("--hardware", default="", help="a sentence: on what, and how long")
    made.add_argument("--choices", default=CHOICES, help="what was chosen by which labels")
    made.add_argument("--command", default="python tools/train_drawn.py runs/base")
    return made


def main() -> int:
    """Ship one model."""
    options = parser().parse_args()
    try:
        config = DrawnConfig.of_record(read_json(options.folder / "config.json"))
        feed = drawn_feed(config, device=options.device)
        excludes = first_groups.load().excludes
        with flush_denormals():
            model = finish(options.folder, feed, name=options.name, excludes=excludes)
    except SkylobeError as error:
        print(f"{options.folder}: cannot be shipped ({error}).", file=sys.stderr)
        return 1
    words = {name: getattr(options, name) for name in ("hardware", "choices", "command")}
    text = describe(model, **words) + rest_of_card(options.name)
    whole = replace(model, card=card.join(card.header(model, licence=LICENCE), text))
    folder = save_model(whole, options.out or MODELS / options.name, half=True)
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{folder.name}: {model.provenance['images_seen']:,} images, {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

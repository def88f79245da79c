"""A model or classifier to one ONNX file, for software that has neither skylobe nor torch.

The file takes prepared images: what ``models.prepare`` does to the pixels is not in its graph but
stands, as numbers, in its metadata. The measures of shape cannot be written this way.
"""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from skylobe.classify.classifier import Classifier
from skylobe.core import storage
from skylobe.core.errors import ConfigError
from skylobe.core.extras import optional
from skylobe.core.settings import to_dict
from skylobe.models.encoder import Encoder
from skylobe.models.head import Head
from skylobe.models.inference import fold_batch_norm
from skylobe.models.model import Model
from skylobe.models.prepare import dihedral_views
from skylobe.scores.calibration import Calibration


class EncoderGraph(nn.Module):
    """What is written of a model: prepared images to embeddings, averaged over views.

    Args:
        encoder: Batch norm folded.
        n_views: 1 or 8.
    """

    def __init__(self, encoder: Encoder, n_views: int) -> None:
        super().__init__()
        self.encoder, self.n_views = encoder, n_views

    def forward(
        self, images: Float[Tensor, "batch span height width"]
    ) -> Float[Tensor, "batch feature"]:
        """Give each image its embedding."""
        if self.n_views == 1:
            found: Tensor = self.encoder(images)
            return found
        views = self.encoder(torch.cat(dihedral_views(images)))
        return torch.unflatten(views, 0, (self.n_views, -1)).mean(0)


class ClassifierGraph(nn.Module):
    """What is written of a classifier: prepared images to embeddings and calibrated probabilities.

    Args:
        embedding: Images to embeddings.
        head: Embeddings to logits.
        calibration: From logits to probabilities.
    """

    def __init__(self, embedding: EncoderGraph, head: Head, calibration: Calibration) -> None:
        super().__init__()
        self.embedding, self.head = embedding, head
        self.temperature, self.doubt = calibration.temperature, calibration.doubt

    def forward(
        self, images: Float[Tensor, "batch span height width"]
    ) -> tuple[Float[Tensor, "batch feature"], Float[Tensor, "batch class"]]:
        """Give each image its embedding and its probabilities."""
        embeddings = self.embedding(images)
        sure = torch.softmax(self.head(embeddings) / self.temperature, dim=1)
        return embeddings, (1 - self.doubt) * sure + self.doubt / sure.shape[1]


def export_onnx(made: Model | Classifier, path: Path, *, n_views: int | None = None) -> Path:
    """Write a model or classifier as an ONNX file in fp32, batch norm folded in.

    Its input ``images`` is ``(batch, span, crop, crop)`` as ``prepare_views`` gives it, for any batch;
    its output ``embeddings`` is ``(batch, feature)``, and of a classifier ``probabilities`` is ``(batch,
    class)``, calibrated. Metadata: ``skylobe.model``, ``skylobe.version``, ``skylobe.n_views``,
    ``skylobe.preprocessing`` and ``skylobe.class_names``, the last two as JSON.

    Args:
        made: Stays as it is.
        path: File to write, complete or not at all; ends in ``.onnx``.
        n_views: 1, or 8 to average over quarter turns and mirror images in the graph. A classifier's
            own by default, else 1.

    Raises:
        ConfigError: If the ending or ``n_views`` is another one, or the classifier reads measures of
            shape.
        MissingExtraError: If the packages of the extra ``onnx`` are not installed.
    """
    if path.suffix != ".onnx":
        raise ConfigError(f"{path}: not a name for an ONNX file; give one that ends in .onnx.")
    classifier = made if isinstance(made, Classifier) else None
    model = made.model if isinstance(made, Classifier) else made
    if n_views is None:
        n_views = classifier.n_views if classifier else 1
    _refuse(classifier, n_views)
    embedding = EncoderGraph(fold_batch_norm(model.encoder).cpu(), n_views)
    graph: nn.Module = embedding
    outputs = ["embeddings"]
    metadata = {
        "skylobe.model": model.name,
        "skylobe.version": version("skylobe"),
        "skylobe.n_views": str(n_views),
        "skylobe.preprocessing": json.dumps(to_dict(model.preprocessing)),
    }
    if classifier is not None:
        graph = ClassifierGraph(embedding, classifier.head, classifier.calibration)
        outputs.append("probabilities")
        metadata["skylobe.class_names"] = json.dumps(classifier.class_names)
    spans = len(model.preprocessing.spans) if n_views > 1 else 1
    width = model.preprocessing.crop_pix
    _write(graph.eval(), (spans, width, width), outputs, metadata, path)
    return path


def _refuse(classifier: Classifier | None, n_views: int) -> None:
    """Refuse what the graph cannot compute, or would compute in another way than the classifier."""
    if n_views not in (1, 8):
        raise ConfigError(f"n_views is {n_views}; choose 1 or 8.")
    if classifier is None:
        return
    if classifier.with_measures:
        raise ConfigError(
            "This classifier reads measures of shape, which an ONNX file cannot compute; make one "
            "without them: skylobe.finetune(settings.with_measures=False)."
        )
    if n_views != classifier.n_views:
        raise ConfigError(
            f"The classifier was fitted to embeddings of {classifier.n_views} views and n_views is "
            f"{n_views}; leave n_views out."
        )


def _write(
    graph: nn.Module,
    shape: tuple[int, int, int],
    outputs: list[str],
    metadata: dict[str, str],
    path: Path,
) -> None:
    """Trace a graph with two images, which stand for any number, and write it."""
    optional("onnx")
    optional("onnxscript")
    with _quiet():
        program = torch.onnx.export(
            graph,
            (torch.zeros(2, *shape),),
            dynamo=True,
            input_names=["images"],
            output_names=outputs,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    assert program is not None
    program.model.metadata_props.update(metadata)
    with storage.write_atomically(path) as temporary:
        program.save(temporary, external_data=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks on itself and on torchvision's absence from the user."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)

"""Early stopping: the best weights so far, judged on labels that were kept out."""

import copy

import torch
from torch import Tensor
from torch.nn import functional

from skylobe.images.image_set import ImageSet
from skylobe.learning.labels import labels_of
from skylobe.learning.network import Network, set_training
from skylobe.learning.tuning_settings import FinetuneConfig
from skylobe.models.prepare import prepare
from skylobe.models.settings import Preprocessing


class Best:
    """The weights with the lowest validation loss so far, and how long ago that was.

    Args:
        validation: Labelled images that are not trained on; ``None`` judges nothing.
        preprocessing: Of the encoder.
        config: Gives the patience, and which blocks are tuned.
    """

    def __init__(
        self, validation: ImageSet | None, preprocessing: Preprocessing, config: FinetuneConfig
    ) -> None:
        self.validation, self.preprocessing, self.config = validation, preprocessing, config
        self.loss, self.epoch = float("inf"), 0
        self.weights: dict[str, Tensor] = {}

    def look(self, network: Network, epoch: int) -> None:
        """Judge the network as it is after an epoch, and keep its weights if they are the best."""
        loss = self._loss_of(network)
        if loss < self.loss:
            self.loss, self.epoch = loss, epoch
            self.weights = copy.deepcopy(network.state_dict())

    def is_exhausted(self, epoch: int) -> bool:
        """Tell whether patience has run out."""
        return self.config.patience is not None and epoch - self.epoch >= self.config.patience

    def _loss_of(self, network: Network) -> float:
        assert self.validation is not None
        device = next(network.parameters()).device
        images = prepare(
            self.validation.images, self.preprocessing, pixel_scale=self.validation.pixel_scale
        )
        network.eval()
        with torch.inference_mode():
            # not network(images): its first blocks may have been run beforehand in training
            logits = network.head(network.encoder(images.to(device))).cpu()
        set_training(network, self.config)
        labels = torch.from_numpy(labels_of(self.validation))
        return float(functional.cross_entropy(logits, labels))

    def restore(self, network: Network) -> None:
        """Put the best weights into the network, if there was anything to judge them by."""
        if self.weights:
            network.load_state_dict(self.weights)

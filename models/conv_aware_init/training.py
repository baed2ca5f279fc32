"""Training that is judged by the loss, too, and may learn from soft targets."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad import functional as F
from minigrad import nn, no_grad, tensor
from models.experiments.data import Part
from models.experiments.loop import EVALUATION_BATCH, Training


@dataclass
class LossTraining(Training):
    """A training whose record has the loss of validation and test part.

    Losses are means of cross-entropy in nats, without weight decay. Another network
    overrides criterion and predictions.

    Attributes:
        evaluation_batch: examples that are evaluated at once.
    """

    evaluation_batch: int = EVALUATION_BATCH

    def criterion(self, outputs: Any, labels: Any, reduction: str = "mean") -> Any:
        """Cross-entropy of outputs (N, K, ...) against labels (N, ...), in nats.

        labels: an array of integers in [0, K), or of probabilities (N, K, ...).
        """
        return F.cross_entropy(outputs, tensor(labels), reduction=reduction)

    def predictions(self, outputs: Any) -> Any:
        """Labels (N, ...) that an array of outputs (N, K, ...) predicts."""
        return outputs.argmax(1)

    def loss(self, images: Any, labels: Any) -> Any:
        """Mean of criterion over a batch, a scalar tensor."""
        return self.criterion(self.outputs(images), labels)

    def measure(self, name: str, part: Part) -> dict[str, Any]:
        """Loss and accuracy, in percent of the labels, in evaluation mode."""
        self.model.eval()
        total, correct = 0.0, 0
        with no_grad():
            for start in range(0, len(part.labels), self.evaluation_batch):
                window = slice(start, start + self.evaluation_batch)
                labels = part.labels[window]
                outputs = self.outputs(part.images[window])
                total += self.criterion(outputs, labels, "sum").item()
                correct += int((self.predictions(outputs.numpy()) == labels).sum())
        return {
            f"{name}_loss": total / part.labels.size,
            f"{name}_accuracy": 100 * correct / part.labels.size,
        }


class WithTargets(nn.Module):
    """A network and its soft targets, as a checkpoint holds them."""

    def __init__(self, model: nn.Module, soft_target: nn.SoftTarget) -> None:
        self.model, self.soft_target = model, soft_target


@dataclass
class SoftTargetTraining(LossTraining):
    """A training whose targets are mixed with what the network predicts.

    Before the epochs that nn.SoftTarget names, the network in evaluation mode sees all
    training examples, without augmentation.

    Attributes:
        soft_target: of the training examples, in their order; None for their labels.
    """

    soft_target: nn.SoftTarget | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._saved = self.model
        if self.soft_target is not None:
            self._saved = WithTargets(self.model, self.soft_target)

    @property
    def saved(self) -> nn.Module:
        """The network, with the soft targets if there are any."""
        return self._saved

    def training_part(self, epoch: int) -> Part:
        """Training examples with the targets of an epoch: labels (N,) or (N, K)."""
        part, soft = self.examples.train, self.soft_target
        if soft is None:
            return part
        if soft.due(epoch):
            soft.update(self.probabilities(part.images))
        return Part(part.images, soft.targets(epoch))

    def probabilities(self, images: Any) -> Any:
        """What the network predicts of images (N, C, H, W): an array (N, K) float32."""
        self.model.eval()
        parts: list[Any] = []
        with no_grad():
            for start in range(0, len(images), self.evaluation_batch):
                window = slice(start, start + self.evaluation_batch)
                parts.append(F.softmax(self.outputs(images[window]), 1).numpy())
        return np.concatenate(parts)

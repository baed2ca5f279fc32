"""The loss of a minibatch as a function of all parameters, as estimators want it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad import functional as F
from minigrad import nn, no_grad, tensor
from minigrad.backend import to_backend
from models.gradient_adapter.estimators import Floats

WITH_BACKWARD = 3
"""Losses that forward and backward together count as: backward takes two products of
matrices where forward takes one."""


class Batch:
    """The mean loss of a minibatch as a function of all parameters of a network.

    Attributes:
        theta: the parameters (N,), in the order of model.parameters().
        losses: how many were computed, a backward pass counted as two.
    """

    def __init__(self, model: nn.Module, x: Any, labels: Any) -> None:
        """Take a sequential model of Linear layers; x (B, D), labels (B,)."""
        self._model: Any = model
        self._x, self._labels = tensor(x), tensor(labels)
        self._parts = list(model.parameters())
        self.theta: Floats = np.concatenate(
            [part.numpy().ravel() for part in self._parts]
        )
        self.losses, self._total = 0, 0.0

    @property
    def mean_loss(self) -> float:
        """Mean of all losses computed so far, in nats."""
        return self._total / self.losses

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the parameters: weight (n_out, n_in), bias (n_out,), and so on."""
        return [part.shape for part in self._parts]

    @property
    def widths(self) -> list[int]:
        """Number of outputs of each Linear layer."""
        return [shape[0] for shape in self.shapes[::2]]

    def write(self, theta: Floats) -> None:
        """Give the network parameters (N,)."""
        for part, piece in zip(self._parts, self._split(theta), strict=True):
            part.data[...] = to_backend(piece, part.backend)

    def set_gradient(self, gradient: Floats) -> None:
        """Put the parameters back to theta and give them a gradient (N,)."""
        self.write(self.theta)
        for part, piece in zip(self._parts, self._split(gradient), strict=True):
            part.grad = tensor(piece)

    def _split(self, vector: Floats) -> list[Floats]:
        pieces: list[Floats] = []
        start = 0
        for part in self._parts:
            pieces.append(vector[start : start + part.size].reshape(part.shape))
            start += part.size
        return pieces

    def loss(self, theta: Floats) -> float:
        """Compute the loss with other parameters (N,), in nats."""
        self.write(theta)
        with no_grad():
            value = F.cross_entropy(self._model(self._x), self._labels).item()
        return self._count(value, 1)

    def run(self, noises: Sequence[Floats] | None) -> tuple[Floats, list[Floats]]:
        """Compute each example's loss with noise on nets; see estimators.Run."""
        remaining = iter(noises or ())
        h, given = self._x, list[Floats]()
        with no_grad():
            for layer in self._model:
                if isinstance(layer, nn.Linear):
                    given.append(h.numpy())
                h = layer(h)
                if noises and isinstance(layer, nn.Linear):
                    h = h + tensor(next(remaining))
            losses = F.cross_entropy(h, self._labels, reduction="none").numpy()
        self._count(float(losses.mean()), 1)
        return losses, given

    def backward(self) -> Floats:
        """Gradient (N,) of the loss at theta that the backward pass gives."""
        for part in self._parts:
            part.grad = None
        loss = F.cross_entropy(self._model(self._x), self._labels)
        loss.backward()
        self._count(loss.item(), WITH_BACKWARD)
        return np.concatenate([part.grad.numpy().ravel() for part in self._parts])

    def _count(self, loss: float, times: int) -> float:
        self.losses += times
        self._total += times * loss
        return loss

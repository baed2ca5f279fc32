"""Losses as modules: called with predictions x and targets t.

reduction is "mean" (over all elements or examples), "sum" or "none".
"""

from __future__ import annotations

from typing import Any

from minigrad import functional as F
from minigrad.nn.module import Module
from minigrad.tape import Tensor


class CrossEntropyLoss(Module):
    """Cross-entropy of logits x (N, K) and labels t (N,) or probabilities t (N, K).

    In nats. Rows with the label ignore_index count neither in the sum nor in the mean;
    label_smoothing in [0, 1] moves that much of each target to all K classes evenly.

    >>> from minigrad import nn, tensor
    >>> round(nn.CrossEntropyLoss()(tensor([[0.0, 0.0]]), tensor([1])).item(), 4)
    0.6931
    """

    def __init__(
        self,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        self.ignore_index, self.reduction = ignore_index, reduction
        self.label_smoothing = label_smoothing

    def forward(self, x: Tensor, t: Any) -> Tensor:
        """Score logits x against targets t."""
        return F.cross_entropy(
            x,
            t,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class MSELoss(Module):
    """Squared error (x - t)**2.

    >>> from minigrad import nn, tensor
    >>> nn.MSELoss()(tensor([1.0, 2.0]), tensor([1.0, 4.0])).item()
    2.0
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        self.reduction = reduction

    def forward(self, x: Tensor, t: Any) -> Tensor:
        """Score x against t of the same shape."""
        return F.mse_loss(x, t, reduction=self.reduction)


class BCEWithLogitsLoss(Module):
    """Binary cross-entropy of logits x and targets t in [0, 1], in nats.

    >>> from minigrad import nn, tensor
    >>> round(nn.BCEWithLogitsLoss()(tensor([0.0]), tensor([1.0])).item(), 4)
    0.6931
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        self.reduction = reduction

    def forward(self, x: Tensor, t: Any) -> Tensor:
        """Score logits x against t of the same shape."""
        return F.binary_cross_entropy_with_logits(x, t, reduction=self.reduction)


class HuberLoss(Module):
    """d**2 / 2 where |d| <= delta, else delta * (|d| - delta / 2), with d = x - t.

    >>> from minigrad import nn, tensor
    >>> nn.HuberLoss()(tensor([1.0, 5.0]), tensor([0.0, 0.0])).item()
    2.5
    """

    def __init__(self, *, reduction: str = "mean", delta: float = 1.0) -> None:
        self.reduction, self.delta = reduction, delta

    def forward(self, x: Tensor, t: Any) -> Tensor:
        """Score x against t of the same shape."""
        return F.huber_loss(x, t, reduction=self.reduction, delta=self.delta)

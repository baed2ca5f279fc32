"""Losses as modules: called with predictions x and targets t.

reduction is "mean" (over all elements or examples), "sum" or "none". Names and defaults
are PyTorch's; see minigrad.functional.losses on what is missing.
"""

from __future__ import annotations

from typing import Any

from minigrad import functional as F
from minigrad.functional._inputs import as_tensor
from minigrad.nn.module import Buffer, Module
from minigrad.tape import Tensor


def _class_weights(weight: Any) -> Buffer | None:
    return None if weight is None else Buffer(as_tensor(weight).data, "weight")


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


class NLLLoss(Module):
    """Negative log-likelihood of log-probabilities x (N, K) at labels t (N,), in nats.

    weight (K,), a buffer, weighs the classes; rows with the label ignore_index weigh 0.

    >>> from minigrad import nn, tensor
    >>> nn.NLLLoss()(tensor([[-1.0, -0.5]]), tensor([1])).item()
    0.5
    """

    def __init__(
        self,
        weight: Any = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> None:
        self.weight = _class_weights(weight)
        self.ignore_index, self.reduction = ignore_index, reduction

    def forward(self, x: Tensor, t: Any) -> Tensor:
        """Score log-probabilities x against labels t."""
        return F.nll_loss(
            x,
            t,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
        )


class KLDivLoss(Module):
    """Kullback-Leibler divergence of a target t from log-probabilities x, in nats.

    reduction may be "batchmean", too, which is the divergence of distributions (N, K);
    "mean" divides by N * K. log_target says that t holds logarithms.

    >>> from minigrad import nn, tensor
    >>> loss = nn.KLDivLoss(reduction="batchmean")
    >>> round(loss(tensor([[0.5, 0.5]]).log(), tensor([[1.0, 0.0]])).item(), 4)
    0.6931
    """

    def __init__(self, *, reduction: str = "mean", log_target: bool = False) -> None:
        self.reduction, self.log_target = reduction, log_target

    def forward(self, x: Tensor, t: Any) -> Tensor:
        """Score log-probabilities x against t of the same shape."""
        return F.kl_div(x, t, reduction=self.reduction, log_target=self.log_target)


class HingeLoss(Module):
    """max(0, margin - t x) for targets t of -1 or 1.

    >>> from minigrad import nn, tensor
    >>> nn.HingeLoss()(tensor([0.5, 0.5]), tensor([1, -1])).item()
    1.0
    """

    def __init__(self, margin: float = 1.0, *, reduction: str = "mean") -> None:
        self.margin, self.reduction = margin, reduction

    def forward(self, x: Tensor, t: Any) -> Tensor:
        """Score x against t of the same shape."""
        return F.hinge_loss(x, t, margin=self.margin, reduction=self.reduction)


class HingeEmbeddingLoss(Module):
    """Distances x of pairs that are alike (t = 1), max(0, margin - x) of others (-1).

    >>> from minigrad import nn, tensor
    >>> nn.HingeEmbeddingLoss()(tensor([0.5, 0.5]), tensor([1, -1])).item()
    0.5
    """

    def __init__(self, margin: float = 1.0, *, reduction: str = "mean") -> None:
        self.margin, self.reduction = margin, reduction

    def forward(self, x: Tensor, t: Any) -> Tensor:
        """Score x against t of the same shape."""
        return F.hinge_embedding_loss(
            x, t, margin=self.margin, reduction=self.reduction
        )


class MultiMarginLoss(Module):
    """Multi-class hinge loss of scores x (N, K) and labels t (N,).

    The sum over rivals k of max(0, margin - x_t + x_k)**p / K, p 1 or 2, times the
    weight (K,) of class t, a buffer.

    >>> from minigrad import nn, tensor
    >>> nn.MultiMarginLoss()(tensor([[1.0, 0.5]]), tensor([0])).item()
    0.25
    """

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Any = None,
        *,
        reduction: str = "mean",
    ) -> None:
        self.p, self.margin, self.reduction = p, margin, reduction
        self.weight = _class_weights(weight)

    def forward(self, x: Tensor, t: Any) -> Tensor:
        """Score x against labels t."""
        return F.multi_margin_loss(
            x, t, self.p, self.margin, self.weight, reduction=self.reduction
        )

"""Losses that are 0 once a prediction is right by a margin.

Names, arguments and definitions are PyTorch's; `hinge_loss`, which PyTorch has not, is
that of support vector machines. Slopes at the kinks are 0. reduction "mean" divides the
sum of the losses by their number, "sum" does not, "none" keeps one per element or
example.
"""

from __future__ import annotations

from typing import Any

from minigrad.errors import ShapeError, got
from minigrad.functional._inputs import as_tensor
from minigrad.functional.losses import class_weights
from minigrad.functional.shaping import reshape
from minigrad.kernels import margin_losses
from minigrad.tape import Tensor, apply


def hinge_loss(
    input: Any, target: Any, margin: float = 1.0, *, reduction: str = "mean"
) -> Tensor:
    """Take max(0, margin - target * input), for a target of -1 or 1.

    Raises ShapeError unless both have the same shape, and ArgumentError for other
    targets; to look for them waits for a device.

    >>> from minigrad.tape import tensor
    >>> hinge_loss(tensor([0.5, 0.5, 3.0]), [1, -1, 1], reduction="none").tolist()
    [0.5, 1.5, 0.0]
    """
    t = as_tensor(target)
    kernel = margin_losses.HINGE_KERNEL
    return apply(kernel, as_tensor(input), t, margin=margin, reduction=reduction)


def hinge_embedding_loss(
    input: Any, target: Any, margin: float = 1.0, *, reduction: str = "mean"
) -> Tensor:
    """Take input where target is 1, and max(0, margin - input) where it is -1.

    input holds distances of pairs, alike (1) or not (-1). Raises what hinge_loss does.

    >>> from minigrad.tape import tensor
    >>> x = tensor([0.5, 0.25, 3.0])
    >>> hinge_embedding_loss(x, [1, -1, -1], reduction="none").tolist()
    [0.5, 0.75, 0.0]
    """
    t = as_tensor(target)
    kernel = margin_losses.HINGE_EMBEDDING_KERNEL
    return apply(kernel, as_tensor(input), t, margin=margin, reduction=reduction)


def multi_margin_loss(
    input: Any,
    target: Any,
    p: int = 1,
    margin: float = 1.0,
    weight: Any = None,
    *,
    reduction: str = "mean",
) -> Tensor:
    """Ask each label's score to exceed those of all rivals by margin.

    The loss of an example is the sum over the rivals k of w * max(0, margin - x_t +
    x_k)**p / K, w the weight of its label t. The terms are `rivals` and `target`.

    Args:
        input: scores (N, K) or (K,) of K classes.
        target: integer labels (N,) or () in [0, K).
        p: 1 or 2.
        margin: what a rival is kept away by.
        weight: of each class (K,); the divisor of "mean" is N all the same.
        reduction: "mean", "sum" or "none".

    Raises ShapeError if shapes disagree, ArgumentError for another p, BadIndexError for
    a label out of range; to look for one waits for a device.

    >>> from minigrad.tape import tensor
    >>> multi_margin_loss(tensor([[1.0, 0.5, -2.0]]), [0]).tolist()
    0.1666666716337204
    """
    x, t = as_tensor(input), as_tensor(target)
    single = x.ndim == 1
    if x.ndim not in (1, 2) or t.shape != x.shape[:-1]:
        rule = f"that of input {x.shape}, (N, K) or (K,), without K"
        raise ShapeError(got("multi_margin_loss", "target has shape", t.shape, rule))
    if single:
        x, t = reshape(x, (1, *x.shape)), Tensor(t.data.reshape(1))
    y = apply(
        margin_losses.MULTI_MARGIN_KERNEL,
        x,
        t,
        class_weights(x, weight),
        p=p,
        margin=margin,
        reduction=reduction,
    )
    return reshape(y, ()) if single and y.ndim else y

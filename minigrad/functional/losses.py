"""Losses of tensors, with PyTorch's names and definitions.

Options that PyTorch calls deprecated (size_average, reduce) are missing; what comes
after them there is keyword-only.

reduction "mean" divides the sum of the losses by their number, "sum" does not, "none"
keeps one per example or element.
"""

from __future__ import annotations

import math
from operator import index
from typing import Any

from minigrad.backend import array_module
from minigrad.errors import ArgumentError, DTypeError, ShapeError, got
from minigrad.functional._inputs import as_tensor
from minigrad.functional.shaping import reshape, transpose
from minigrad.kernels import cross_entropy as cross_entropy_kernels
from minigrad.kernels import divergences, losses
from minigrad.tape import Tensor, apply


def cross_entropy(
    input: Any,
    target: Any,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Score logits against labels, or against probabilities; in nats.

    The terms are `prediction`, the softmax of input, and `target`.

    Args:
        input: logits (N, K), (N, K, ...) or (K,) over K classes.
        target: integer labels in [0, K), of input's shape without K; or probabilities
            of input's shape, which may need a gradient.
        ignore_index: a label that counts neither in the sum nor in the mean's divisor.
        reduction: "mean" over labels (or over distributions), "sum" or "none".
        label_smoothing: part of the target, in [0, 1], that is spread over all classes.

    Classes are not weighed; for that, take nll_loss of log_softmax(input, 1). Raises
    ShapeError if shapes disagree and for the mean of an empty batch, BadIndexError for
    a label out of range, and ArgumentError for a mean over ignored labels only; to look
    for these waits for a device.

    >>> from minigrad.tape import tensor
    >>> round(cross_entropy(tensor([[2.0, 0.0], [0.0, 1.0]]), [0, 0]).item(), 4)
    0.7201
    """
    input, target = as_tensor(input), as_tensor(target)
    soft = target.dtype.kind in "fc"
    shape = input.shape[:1] + input.shape[2:] if input.ndim > 1 else ()
    if soft and target.shape == shape != input.shape:
        rule = f"integers for labels of shape {shape}"
        found, remedy = target.dtype, 'cast them with .to("int64")'
        raise DTypeError(got("cross_entropy", "target has dtype", found, rule, remedy))
    if input.ndim == 0 or target.shape != (input.shape if soft else shape):
        rule = f"{shape} or, as probabilities, {input.shape}"
        raise ShapeError(got("cross_entropy", "target has shape", target.shape, rule))
    x = _rows(input)
    if soft:
        y = apply(
            cross_entropy_kernels.SOFTMAX_CROSS_ENTROPY_SOFT_KERNEL,
            x,
            _rows(target),
            reduction=reduction,
            label_smoothing=label_smoothing,
        )
    else:
        y = apply(
            cross_entropy_kernels.SOFTMAX_CROSS_ENTROPY_KERNEL,
            x,
            target.data.reshape(-1),
            reduction=reduction,
            label_smoothing=label_smoothing,
            ignore_index=_label("cross_entropy", ignore_index),
        )
    return y if y.ndim == 0 or y.shape == shape else reshape(y, shape)


def _label(name: str, ignore_index: Any) -> int | None:
    """Return ignore_index; raise ArgumentError if no label could be equal to it."""
    try:
        return None if ignore_index is None else index(ignore_index)
    except TypeError:
        rule = "an int or None"
        raise ArgumentError(
            got(name, "ignore_index", repr(ignore_index), rule)
        ) from None


def _rows(x: Tensor) -> Tensor:
    """Bring the classes to the end and everything else into one axis: (rows, K)."""
    if x.ndim == 2:
        return x
    if x.ndim > 2:
        # (N, K, ...) -> (N, ..., K)
        x = transpose(x, (0, *range(2, x.ndim), 1))
    return reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


def nll_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Score log-probabilities against labels; in nats.

    Args:
        input: log-probabilities (N, K), (N, K, ...) or (K,) over K classes.
        target: integer labels in [0, K), of input's shape without K.
        weight: of each class (K,); "mean" divides by the sum of the labels' weights.
        ignore_index: a label that weighs 0.
        reduction: "mean", "sum" or "none".

    Raises ShapeError if shapes disagree and for the mean of an empty batch,
    BadIndexError for a label out of range, and ArgumentError for a mean over labels
    that all weigh 0; to look for these waits for a device.

    >>> from minigrad.tape import tensor
    >>> nll_loss(tensor([[-1.0, -0.5], [-2.0, -0.25]]), [0, 1]).item()
    0.625
    """
    input, target = as_tensor(input), as_tensor(target)
    shape = input.shape[:1] + input.shape[2:] if input.ndim > 1 else ()
    if input.ndim == 0 or target.shape != shape:
        raise ShapeError(got("nll_loss", "target has shape", target.shape, shape))
    x = _rows(input)
    y = apply(
        divergences.NLL_KERNEL,
        x,
        target.data.reshape(-1),
        class_weights(x, weight),
        reduction=reduction,
        ignore_index=_label("nll_loss", ignore_index),
    )
    return y if y.ndim == 0 or y.shape == shape else reshape(y, shape)


def class_weights(x: Tensor, weight: Any) -> Tensor:
    """Return the weights of x's classes (K,), 1 each if weight is None."""
    if weight is not None:
        return as_tensor(weight)
    return Tensor(array_module(x.data).ones(x.shape[-1:], x.dtype))


def kl_div(
    input: Any, target: Any, *, reduction: str = "mean", log_target: bool = False
) -> Tensor:
    """Measure how far target is from input: target * (log target - input); in nats.

    The terms of target are `through_weight` and `through_ratio`. Where a target is 0
    the loss is 0, and its slope in the target is taken to be -input.

    Args:
        input: logarithms of probabilities.
        target: probabilities of the same shape, or their logarithms.
        reduction: "batchmean" divides the sum by the length of the first axis, which
            is the divergence of distributions (N, K); "mean" by the number of elements,
            "sum" by nothing; "none" gives one loss an element.
        log_target: whether target holds logarithms.

    Raises ShapeError unless both have the same shape.

    >>> from minigrad.tape import tensor
    >>> x = tensor([[0.5, 0.5]]).log()
    >>> round(kl_div(x, tensor([[1.0, 0.0]]), reduction="batchmean").item(), 4)
    0.6931
    """
    kernel = divergences.KL_DIV_KERNEL
    if log_target:
        kernel = divergences.KL_DIV_LOG_TARGET_KERNEL
    return apply(kernel, input, target, reduction=reduction)


def mse_loss(input: Any, target: Any, *, reduction: str = "mean") -> Tensor:
    """Square input - target; "mean" is over all elements.

    Raises ShapeError unless both have the same shape.

    >>> from minigrad.tape import tensor
    >>> mse_loss(tensor([1.0, 2.0]), tensor([1.0, 4.0])).item()
    2.0
    """
    return apply(losses.SQUARED_ERROR_KERNEL, input, target, reduction=reduction)


def huber_loss(
    input: Any, target: Any, *, reduction: str = "mean", delta: float = 1.0
) -> Tensor:
    """Take d**2 / 2 of d = input - target, beyond delta delta * (|d| - delta / 2).

    Raises ShapeError unless both have the same shape, ArgumentError unless delta > 0.

    >>> from minigrad.tape import tensor
    >>> huber_loss(tensor([1.0, 2.0]), tensor([0.0, 4.0]), reduction="none").tolist()
    [0.5, 1.5]
    """
    return apply(losses.HUBER_KERNEL, input, target, delta=delta, reduction=reduction)


def binary_cross_entropy_with_logits(
    input: Any, target: Any, *, reduction: str = "mean"
) -> Tensor:
    """Score logits of "yes" against probabilities of "yes" in [0, 1]; in nats.

    The terms are `prediction`, the sigmoid of input, and `target`. Raises ShapeError
    unless both have the same shape.

    >>> from minigrad.tape import tensor
    >>> loss = binary_cross_entropy_with_logits(tensor([0.0]), tensor([1.0]))
    >>> round(loss.item(), 4)
    0.6931
    """
    return apply(losses.BCE_WITH_LOGITS_KERNEL, input, target, reduction=reduction)

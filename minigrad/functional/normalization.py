"""Functions that normalise: by batch, by example, by group of channels, by length.

Names, arguments and defaults are PyTorch's, but for `axis`. x has a float dtype; the
result has its shape and dtype unless stated. A weight of None counts as ones, a bias of
None as zeros. Where statistics are part of the function, the gradient of x has the
terms `direct`, `through_mean` and `through_var`.
"""

from __future__ import annotations

import math
from typing import Any

from minigrad.backend import array_module
from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.functional._inputs import as_tensor
from minigrad.kernels import batch_norm as batch_norm_kernels
from minigrad.kernels import cosine_similarity as cosine_kernel
from minigrad.kernels import group_norm as group_norm_kernel
from minigrad.kernels import layer_norm as layer_norm_kernel
from minigrad.kernels import local_response_norm as local_response_kernel
from minigrad.kernels import normalize as normalize_kernel
from minigrad.kernels._arguments import is_real, real, shape_of
from minigrad.tape import Tensor, apply, expect_writeable
from minigrad.typing import Array, Shape


def batch_norm(
    x: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise x (N, C, ...) per channel, scale by weight (C,), shift by bias (C,).

    Args:
        x: any number of axes behind the channels.
        running_mean: (C,); updated in place in training. May be None in training.
        running_var: (C,), likewise, with the unbiased variance of the batch.
        weight: (C,) or None.
        bias: (C,) or None.
        training: whether to normalise by the mean and biased variance of the batch,
            and not by the running ones.
        momentum: weight of the batch in the running statistics, in [0, 1].
        eps: is added to the variance.

    Raises ShapeError for fewer than two values a channel in training, ArgumentError
    for running statistics that are missing, GraphError if a live graph needs them.

    >>> from minigrad.tape import tensor
    >>> y = batch_norm(tensor([[1.0], [3.0]]), None, None, training=True)
    >>> [round(row[0], 3) for row in y.tolist()]
    [-1.0, 1.0]
    """
    x = as_tensor(x)
    _expect_statistics(running_mean, running_var, training)
    weight, bias = _affine(x, x.shape[1:2], weight, bias)
    if not training:
        kernel = batch_norm_kernels.EVAL_KERNEL
        return apply(kernel, x, weight, bias, running_mean, running_var, eps=eps)
    if running_mean is None:
        return apply(batch_norm_kernels.TRAIN_KERNEL, x, weight, bias, eps=eps).y
    running = as_tensor(running_mean).data, as_tensor(running_var).data
    momentum = _share(momentum)
    found = apply(batch_norm_kernels.TRAIN_KERNEL, x, weight, bias, eps=eps)
    _expect_running(x, *running)
    count = x.shape[0] * math.prod(x.shape[2:])
    unbiased = found.var.data * (count / (count - 1))
    for array, new in zip(running, (found.mean.data, unbiased), strict=True):
        array *= 1 - momentum
        array += (new * momentum).astype(array.dtype)
    return found.y


def _expect_statistics(mean: Any, var: Any, training: bool) -> None:
    """Raise ArgumentError for statistics of which one is missing, or both are."""
    if (mean is None) != (var is None):
        given = "running_mean" if var is None else "running_var"
        rule = "both running_mean and running_var, or neither"
        raise ArgumentError(got("batch_norm", "given only", given, rule))
    if mean is None and not training:
        rule = "a tensor in evaluation; pass training=True to use the batch's"
        raise ArgumentError(got("batch_norm", "running_mean", None, rule))


def _expect_running(x: Tensor, mean: Array, var: Array) -> None:
    """Raise unless the running statistics fit x and may be written."""
    for name, array in (("running_mean", mean), ("running_var", var)):
        if array.shape != x.shape[1:2]:
            rule = f"{x.shape[1:2]}, the channels of x {x.shape}"
            raise ShapeError(got("batch_norm", f"{name} has shape", array.shape, rule))
        expect_writeable(array, f"batch_norm: {name}")


def _share(momentum: Any) -> float:
    """Return momentum; raise ArgumentError unless it is in [0, 1]."""
    momentum = real("batch_norm", "momentum", momentum)
    if not 0 <= momentum <= 1:
        rule = "0 <= momentum <= 1"
        raise ArgumentError(got("batch_norm", "momentum", momentum, rule))
    return momentum


def _affine(x: Tensor, shape: Shape, weight: Any, bias: Any) -> tuple[Any, Any]:
    """Put ones and zeros of shape where weight and bias are None."""
    xp = array_module(x.data)
    return (
        xp.ones(shape, x.dtype) if weight is None else weight,
        xp.zeros(shape, x.dtype) if bias is None else bias,
    )


def layer_norm(
    x: Any,
    normalized_shape: Any,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise x (..., *normalized_shape) over its last axes; biased variance + eps.

    weight and bias have normalized_shape, or are None. Raises ShapeError if the last
    axes of x are others.

    >>> from minigrad.tape import tensor
    >>> [round(y, 3) for y in layer_norm(tensor([1.0, 3.0]), 2).tolist()]
    [-1.0, 1.0]
    """
    x, shape = as_tensor(x), shape_of("layer_norm", normalized_shape)
    weight, bias = _affine(x, shape, weight, bias)
    if as_tensor(weight).shape != shape:
        rule = f"normalized_shape {shape}"
        found = as_tensor(weight).shape
        raise ShapeError(got("layer_norm", "weight has shape", found, rule))
    return apply(layer_norm_kernel.KERNEL, x, weight, bias, eps=eps)


def group_norm(
    x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    """Normalise x (N, C, ...) over num_groups groups of channels of each example.

    weight and bias are (C,) or None. Raises ArgumentError if num_groups does not
    divide C.

    >>> from minigrad.tape import tensor
    >>> y = group_norm(tensor([[1.0, 3.0, 5.0, 5.0]]), 2)
    >>> [round(v, 3) for v in y.tolist()[0]]
    [-1.0, 1.0, 0.0, 0.0]
    """
    x = as_tensor(x)
    weight, bias = _affine(x, x.shape[1:2], weight, bias)
    kernel = group_norm_kernel.KERNEL
    return apply(kernel, x, weight, bias, num_groups=num_groups, eps=eps)


def local_response_norm(
    x: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """Divide x (N, C, ...) by (k + alpha * mean of squares of size channels) ** beta.

    The terms are `direct` and `through_sum`. Raises ArgumentError unless size >= 1.

    >>> from minigrad.tape import tensor
    >>> y = local_response_norm(tensor([[[2.0, 0.0, 1.0]]]), 1, alpha=1.0, beta=1.0)
    >>> [round(v, 3) for v in y.reshape(-1).tolist()]
    [0.4, 0.0, 0.5]
    """
    kernel = local_response_kernel.KERNEL
    return apply(kernel, as_tensor(x), size=size, alpha=alpha, beta=beta, k=k)


def normalize(x: Any, p: float = 2.0, axis: int = 1, eps: float = 1e-12) -> Tensor:
    """Divide x by its Euclidean norm along axis, or by eps where that is greater.

    The terms are `direct` and `through_norm`. Raises ArgumentError unless p is 2.

    >>> from minigrad.tape import tensor
    >>> [round(y, 4) for y in normalize(tensor([3.0, 4.0]), axis=0).tolist()]
    [0.6, 0.8]
    """
    if not is_real(p) or p != 2:
        rule = "2, the Euclidean norm"
        raise ArgumentError(got("normalize", "p", repr(p), rule))
    return apply(normalize_kernel.KERNEL, as_tensor(x), axis=axis, eps=eps)


def cosine_similarity(x1: Any, x2: Any, axis: int = 1, eps: float = 1e-8) -> Tensor:
    """Take the cosine, in [-1, 1], of the angle between x1 and x2 along axis.

    x1 and x2 broadcast; axis is one of their common shape and is not in the result.
    Norms below eps count as eps. The terms are `direct` and `through_norm`.

    >>> from minigrad.tape import tensor
    >>> y = cosine_similarity(tensor([3.0, 4.0]), tensor([0.0, 2.0]), axis=0)
    >>> round(y.item(), 4)
    0.8
    """
    x1, x2 = as_tensor(x1), as_tensor(x2)
    return apply(cosine_kernel.KERNEL, x1, x2, axis=axis, eps=eps)

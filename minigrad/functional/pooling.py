"""Pooling: each window of an image or a sequence becomes one number.

Images are (N, C, H, W) or (C, H, W), sequences (N, C, L) or (C, L). Names, arguments
and defaults are PyTorch's. An argument is one int, or one for each spatial axis; stride
None is kernel_size; padding is at most half of the window; in ceil_mode the last window
may stick out at the end. All raise ShapeError if x has other axes or is smaller than
the window, and ArgumentError for numbers that are too small or too large.
"""

from __future__ import annotations

from typing import Any, Final

from minigrad.errors import ShapeError, got
from minigrad.functional._inputs import as_tensor
from minigrad.kernels import Kernel, avg_pool, max_pool
from minigrad.tape import Tensor, apply

_LENGTHS: Final = {1: "L", 2: "H, W"}


def _pool(name: str, kernel: Kernel, x: Any, axes: int, **params: Any) -> Tensor:
    """Run kernel on x, which has so many spatial axes, with or without a batch."""
    x = as_tensor(x)
    if x.ndim == axes + 2:
        return apply(kernel, x, **params)
    if x.ndim != axes + 1:
        rule = f"(N, C, {_LENGTHS[axes]}) or (C, {_LENGTHS[axes]})"
        raise ShapeError(got(name, "x has shape", x.shape, rule))
    y = apply(kernel, x.reshape(1, *x.shape), **params)
    return y.reshape(*y.shape[1:])


def _max(name: str, x: Any, axes: int, *numbers: Any) -> Tensor:
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
    params = dict(zip(names, numbers, strict=True))
    return _pool(name, max_pool.MAX_POOL_KERNEL, x, axes, **params)


def max_pool1d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """Take the greatest element of each window of sequences x; see max_pool2d.

    >>> from minigrad.tape import tensor
    >>> max_pool1d(tensor([[1.0, 3.0, 2.0, 0.0]]), 2).tolist()
    [[3.0, 2.0]]
    """
    return _max("max_pool1d", x, 1, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """Take the greatest element of each window of images x.

    The first of equal elements, row by row, gets the gradient. Padding counts as -inf:
    it is never chosen. Where there is a NaN, y is NaN, and the first element of the
    window gets the gradient.

    >>> from minigrad.tape import tensor
    >>> x = tensor([[[1.0, 3.0], [3.0, 2.0]]], requires_grad=True)
    >>> max_pool2d(x, 2).sum().backward()
    >>> x.grad.tolist()
    [[[0.0, 1.0], [0.0, 0.0]]]
    """
    return _max("max_pool2d", x, 2, kernel_size, stride, padding, dilation, ceil_mode)


def avg_pool1d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """Average over each window of sequences x; see avg_pool2d.

    >>> from minigrad.tape import tensor
    >>> avg_pool1d(tensor([[1.0, 3.0, 2.0, 0.0]]), 2).tolist()
    [[2.0, 1.0]]
    """
    return _pool(
        "avg_pool1d",
        avg_pool.AVG_POOL_KERNEL,
        x,
        1,
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
    )


def avg_pool2d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Average over each window of images x.

    Args:
        x: images.
        kernel_size: height and width of the window.
        stride: from one window to the next.
        padding: zeros on every side.
        ceil_mode: whether the last window may stick out; what does never counts.
        count_include_pad: whether the padding counts in the divisor.
        divisor_override: the divisor, instead of the number of elements.

    >>> from minigrad.tape import tensor
    >>> avg_pool2d(tensor([[[1.0, 3.0], [3.0, 2.0]]]), 2).tolist()
    [[[2.25]]]
    """
    return _pool(
        "avg_pool2d",
        avg_pool.AVG_POOL_KERNEL,
        x,
        2,
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
        divisor_override=divisor_override,
    )


def adaptive_max_pool1d(x: Any, output_size: Any) -> Tensor:
    """Take the greatest elements of output_size windows that cover sequences x.

    >>> from minigrad.tape import tensor
    >>> adaptive_max_pool1d(tensor([[1.0, 3.0, 2.0]]), 2).tolist()
    [[3.0, 3.0]]
    """
    kernel = max_pool.ADAPTIVE_MAX_POOL_KERNEL
    return _pool("adaptive_max_pool1d", kernel, x, 1, output_size=output_size)


def adaptive_max_pool2d(x: Any, output_size: Any) -> Tensor:
    """Take the greatest elements of windows that cover images x.

    output_size is how many windows there are, (rows, columns) or one int for both; None
    keeps an axis, 1 reduces it to one number. Ties are as in max_pool2d.

    >>> from minigrad.tape import tensor
    >>> adaptive_max_pool2d(tensor([[[1.0, 3.0], [3.0, 2.0]]]), (None, 1)).tolist()
    [[[3.0], [3.0]]]
    """
    kernel = max_pool.ADAPTIVE_MAX_POOL_KERNEL
    return _pool("adaptive_max_pool2d", kernel, x, 2, output_size=output_size)


def adaptive_avg_pool1d(x: Any, output_size: Any) -> Tensor:
    """Average over output_size windows that cover sequences x.

    >>> from minigrad.tape import tensor
    >>> adaptive_avg_pool1d(tensor([[1.0, 3.0, 2.0]]), 2).tolist()
    [[2.0, 2.5]]
    """
    kernel = avg_pool.ADAPTIVE_AVG_POOL_KERNEL
    return _pool("adaptive_avg_pool1d", kernel, x, 1, output_size=output_size)


def adaptive_avg_pool2d(x: Any, output_size: Any) -> Tensor:
    """Average over windows that cover images x; output_size as in adaptive_max_pool2d.

    >>> from minigrad.tape import tensor
    >>> adaptive_avg_pool2d(tensor([[[1.0, 3.0], [3.0, 2.0]]]), 1).tolist()
    [[[2.25]]]
    """
    kernel = avg_pool.ADAPTIVE_AVG_POOL_KERNEL
    return _pool("adaptive_avg_pool2d", kernel, x, 2, output_size=output_size)

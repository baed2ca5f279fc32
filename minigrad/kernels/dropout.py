"""Dropout: y = x * mask / keep_prob, so that the mean of y is x ("inverted" dropout).

The mask is an input, drawn by the caller: one element each, or one for a whole channel
by the shape (N, C, 1, 1). The same mask gates the gradient.

Source: Srivastava et al. 2014, JMLR 15, section 10 on scaling in training.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy
from numpy import ndarray

from minigrad.backend import BLOCK, THRESHOLD, elementwise, memory_order, parallel_for
from minigrad.kernels._drawn import fitting, scale_of
from minigrad.kernels._spec import Kernel, expect_float
from minigrad.typing import Array, Result


class Saved(NamedTuple):
    """The mask, and 1 / keep_prob (0 where nothing is kept)."""

    mask: Array
    scale: float


@elementwise
def _masked(xp: Any, x: Array, mask: Array, scale: float, **out: Array) -> Array:
    return xp.multiply(x * mask, scale, **out)


def _gated(x: Array, mask: Array, scale: float) -> Array:
    if mask.shape == x.shape:
        return _masked(x, mask, scale)
    # Scaling the few factors first leaves one pass over x.
    factor = mask.astype(x.dtype) * scale
    if type(x) is ndarray and x.size >= THRESHOLD:
        return _in_slices(x, factor)
    return x * factor


def _in_slices(x: ndarray, factor: ndarray) -> ndarray:
    """Multiply on all threads: in slices of the axis that is outermost in memory.

    4M float32 by the factors of (N, C, 1, 1): 0.8 ms against 1.35.
    """
    y = numpy.empty_like(x)
    axis = memory_order(x)[0]
    length = x.shape[axis]
    step = max(1, length * BLOCK // x.size)
    every = (x, numpy.broadcast_to(factor, x.shape), y)
    xs, factors, ys = (numpy.moveaxis(array, axis, 0) for array in every)

    def body(index: int) -> None:
        part = slice(index * step, (index + 1) * step)
        numpy.multiply(xs[part], factors[part], out=ys[part])

    parallel_for(-(-length // step), body)
    return y


def forward(x: Array, mask: Array, *, keep_prob: float) -> Result:
    """Keep x where mask is True or 1, divided by keep_prob; 0 elsewhere.

    mask broadcasts to the shape of x. keep_prob in [0, 1]; 0 makes y zero.
    """
    expect_float("dropout", x=x)
    saved = Saved(fitting("dropout", "mask", mask, x), scale_of("dropout", keep_prob))
    return _gated(x, *saved), saved


KERNEL = Kernel(
    name="dropout",
    forward=forward,
    terms={
        "x": lambda dy, saved: {"direct": _gated(dy, *saved)},
        "mask": None,
    },
)

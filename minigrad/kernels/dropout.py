"""Dropout: y = x * mask / keep_prob, so that the mean of y is x ("inverted" dropout).

The mask is an input, drawn by the caller: one element each, or one for a whole channel
by the shape (N, C, 1, 1). The same mask gates the gradient.

Source: Srivastava et al. 2014, JMLR 15, section 10 on scaling in training.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy

from minigrad.backend import elementwise
from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.kernels._arguments import is_real
from minigrad.kernels._spec import Kernel, expect_float
from minigrad.typing import Array, Result


class Saved(NamedTuple):
    """The mask, and 1 / keep_prob (0 where nothing is kept)."""

    mask: Array
    scale: float


@elementwise
def _masked(xp: Any, x: Array, mask: Array, scale: float, **out: Array) -> Array:
    return xp.multiply(x * mask, scale, **out)


def forward(x: Array, mask: Array, *, keep_prob: float) -> Result:
    """Keep x where mask is True or 1, divided by keep_prob; 0 elsewhere.

    mask broadcasts to the shape of x. keep_prob in [0, 1]; 0 makes y zero.
    """
    expect_float("dropout", x=x)
    if not (is_real(keep_prob) and 0 <= keep_prob <= 1):
        rule = "0 <= keep_prob <= 1"
        raise ArgumentError(got("dropout", "keep_prob", repr(keep_prob), rule))
    if mask.shape != x.shape:
        _expect_fitting(x, mask)
    if mask.dtype.kind != "b" and mask.dtype != x.dtype:
        # An integer or wider mask would widen y.
        mask = mask.astype(x.dtype)
    scale = 1 / keep_prob if keep_prob else 0.0
    return _masked(x, mask, scale), Saved(mask, scale)


def _expect_fitting(x: Array, mask: Array) -> None:
    try:
        fits = numpy.broadcast_shapes(x.shape, mask.shape) == x.shape
    except ValueError:
        fits = False
    if not fits:
        rule = f"one that broadcasts to {x.shape}, the shape of x"
        raise ShapeError(got("dropout", "mask has shape", mask.shape, rule))


KERNEL = Kernel(
    name="dropout",
    forward=forward,
    terms={
        "x": lambda dy, saved: {"direct": _masked(dy, *saved)},
        "mask": None,
    },
)

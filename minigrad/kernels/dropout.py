"""Dropout: y = x * mask / keep_prob, so that the mean of y is x ("inverted" dropout).

The mask is an input, drawn by the caller: one element each, or one for a whole channel
by the shape (N, C, 1, 1). The same mask gates the gradient.

Source: Srivastava et al. 2014, JMLR 15, section 10 on scaling in training.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from minigrad.backend import elementwise
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


@elementwise
def _times(xp: Any, x: Array, factor: Array, **out: Array) -> Array:
    return xp.multiply(x, factor, **out)


def _gated(x: Array, mask: Array, scale: float) -> Array:
    if mask.shape == x.shape:
        return _masked(x, mask, scale)
    # Scaling the few factors first leaves one pass over x.
    return _times(x, mask.astype(x.dtype) * scale)


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

"""The bias of a convolution, in the memory (*S, N, O) of its result."""

from __future__ import annotations

import math

import numpy

from minigrad.backend import BLOCK, array_module, parallel_for
from minigrad.typing import Array


def add_bias(y: Array, b: Array) -> None:
    """Add b (O,) to y (*S, N, O) in place."""
    xp = array_module(y, b)
    if not y.size:
        return
    # One row a pixel: N copies of b make the inner loop N times as long.
    line = xp.tile(b, y.shape[-2])
    rows = y.reshape(-1, line.size)
    step = max(1, BLOCK // line.size) if xp is numpy else len(rows)

    def body(index: int) -> None:
        part = rows[index * step : (index + 1) * step]
        part += line

    parallel_for(-(-len(rows) // step), body)


def bias_gradient(dy: Array) -> Array:
    """Sum dy (*S, N, O) to (O,)."""
    xp = array_module(dy)
    # Not -1 for the pixels: with no images NumPy could not tell how many there are.
    rows = dy.reshape(math.prod(dy.shape[:-2]), dy.shape[-2] * dy.shape[-1])
    # Not a sum over axis 0: the product with ones is a BLAS call, which is faster.
    line = xp.ones(len(rows), dy.dtype) @ rows
    return line.reshape(dy.shape[-2:]).sum(axis=0)

"""What kernels ask of masks and noise, which their callers draw."""

from __future__ import annotations

import numpy

from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.kernels._arguments import is_real
from minigrad.typing import Array


def fitting(name: str, what: str, drawn: Array, x: Array) -> Array:
    """Return drawn in the dtype of x, or as it is if boolean.

    Raises ShapeError unless it broadcasts to the shape of x.
    """
    if drawn.shape != x.shape:
        try:
            fits = numpy.broadcast_shapes(x.shape, drawn.shape) == x.shape
        except ValueError:
            fits = False
        if not fits:
            rule = f"one that broadcasts to {x.shape}, the shape of x"
            raise ShapeError(got(name, f"{what} has shape", drawn.shape, rule))
    if drawn.dtype.kind != "b" and drawn.dtype != x.dtype:
        # Integers or wider floats would widen y.
        return drawn.astype(x.dtype)
    return drawn


def scale_of(name: str, keep_prob: float) -> float:
    """Return 1 / keep_prob, and 0 where nothing is kept; check keep_prob."""
    if not (is_real(keep_prob) and 0 <= keep_prob <= 1):
        rule = "0 <= keep_prob <= 1"
        raise ArgumentError(got(name, "keep_prob", repr(keep_prob), rule))
    return 1 / keep_prob if keep_prob else 0.0

"""What reductions and losses share: exact sums of float16, PyTorch's reductions."""

from __future__ import annotations

from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.typing import Array, Axis, Shape

REDUCTIONS = ("mean", "sum", "none")


def total(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """Add over axis; float16 gives float32, since a sum in float16 sticks at 2048."""
    dtype = "float32" if x.dtype.char == "e" else None
    return x.sum(axis=axis, dtype=dtype, keepdims=keepdims)


def share(name: str, reduction: str, shape: Shape, count: int) -> float:
    """Return what one of count losses weighs in the result: 1 / count or 1.

    Raises ArgumentError for an unknown reduction, ShapeError for the mean of nothing;
    shape is that of the input, for the message.
    """
    if reduction == "mean":
        if count == 0:
            rule = "at least one element; the mean of an empty batch does not exist"
            raise ShapeError(got(name, "x has shape", shape, rule))
        return 1 / count
    expect_reduction(name, reduction)
    return 1.0


def expect_reduction(name: str, reduction: str, *more: str) -> None:
    """Raise ArgumentError unless reduction is one of PyTorch's three, or of more."""
    known = (*REDUCTIONS, *more)
    if reduction not in known:
        rule = " or ".join(map(repr, known))
        raise ArgumentError(got(name, "reduction", repr(reduction), rule))


def reduced(losses: Array, reduction: str, weight: float) -> Array:
    """Sum weight * losses over all axes, unless reduction is "none"."""
    if reduction == "none":
        return losses
    # Weighted before it is cast: the sum of 65,520 ones is infinite in float16.
    y = total(losses) * weight
    return y.astype(losses.dtype) if y.dtype != losses.dtype else y

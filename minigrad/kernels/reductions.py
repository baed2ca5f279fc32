"""Reductions over axes: sum, mean, max, prod, logsumexp.

    sum: y = sum_i x_i    mean: y = sum_i x_i / n    prod: y = product_i x_i
    max: y = max_i x_i    logsumexp: y = ln sum_i e**x_i

All take axis (an int, a tuple, or None for all axes) and keepdims as NumPy does. An
empty axis sums to 0 and multiplies to 1; mean, max and logsumexp refuse it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from minigrad.backend import array_module
from minigrad.errors import ShapeError, got
from minigrad.kernels._arguments import axes_of
from minigrad.kernels._reduction import total
from minigrad.kernels._spec import Kernel
from minigrad.typing import Array, Axis, Module, Result, Shape, Terms


class SavedShape(NamedTuple):
    """Shape of y with the reduced axes kept as 1, and how many elements each y has."""

    kept: Shape
    number: int


class SavedInput(NamedTuple):
    """x, the reduced axes (none negative), and the shape of y with them kept as 1."""

    x: Array
    axes: tuple[int, ...]
    kept: Shape


class SavedMax(NamedTuple):
    """x, y with the reduced axes kept as 1, and those axes (none negative)."""

    x: Array
    y: Array
    axes: tuple[int, ...]


class SavedExponents(NamedTuple):
    """x, and with the reduced axes as 1: what was taken off it, and sum e**(x - shift).

    The sum is 1 where it would be 0.
    """

    x: Array
    shift: Array
    exponentials: Array


def _expect_elements(name: str, x: Array, axes: tuple[int, ...]) -> None:
    for axis in axes:
        if x.shape[axis] == 0:
            rule = f"at least one element along axis {axis}"
            raise ShapeError(got(name, "x has shape", x.shape, rule))


def _kept(x: Array, axes: tuple[int, ...]) -> Shape:
    """Return the shape of x with axes as 1."""
    return tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))


def _without(y: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    """Drop the axes that were kept as 1, unless they are wanted."""
    if keepdims:
        return y
    shape = tuple(size for axis, size in enumerate(y.shape) if axis not in axes)
    return y.reshape(shape)


def sum_(x: Array, *, axis: Axis = None, keepdims: bool = False) -> Result:
    """Add the elements over axis; float16 is added in float32."""
    axes = axes_of("sum", x, axis)
    y = total(x, axes, keepdims)
    if x.dtype.char == "e":
        y = y.astype(x.dtype)
    return y, SavedShape(_kept(x, axes), 1)


def mean(x: Array, *, axis: Axis = None, keepdims: bool = False) -> Result:
    """Average the elements over axis; integers give floats."""
    axes = axes_of("mean", x, axis)
    _expect_elements("mean", x, axes)
    number = math.prod(x.shape[axis] for axis in axes)
    y = total(x, axes, keepdims) / number
    if x.dtype.char == "e":
        y = y.astype(x.dtype)
    return y, SavedShape(_kept(x, axes), number)


def max_(x: Array, *, axis: Axis = None, keepdims: bool = False) -> Result:
    """Take the greatest element over axis; NaN if one is NaN."""
    xp = array_module(x)
    axes = axes_of("max", x, axis)
    _expect_elements("max", x, axes)
    y = xp.max(x.real, axis=axes, keepdims=True)
    if x.dtype.kind == "c":
        # The mean of those with the greatest real part: equal shares at a tie.
        greatest = x.real >= y
        total = xp.sum(xp.where(greatest, x, 0), axis=axes, keepdims=True)
        y = total / xp.sum(greatest, axis=axes, keepdims=True)
    return _without(y, axes, keepdims), SavedMax(x, y, axes)


def _max_terms(dy: Array, saved: SavedMax) -> Terms:
    """Share dy equally among the elements that are the maximum."""
    xp = array_module(dy)
    # Not x == y: where the maximum is NaN that finds none and divides by 0.
    greatest = ~(saved.x.real < saved.y.real)
    count = xp.sum(greatest, axis=saved.axes, keepdims=True).astype(dy.dtype)
    return {"direct": xp.where(greatest, dy.reshape(saved.y.shape) / count, 0)}


def prod(x: Array, *, axis: Axis = None, keepdims: bool = False) -> Result:
    """Multiply the elements over axis."""
    xp = array_module(x)
    axes = axes_of("prod", x, axis)
    y = xp.prod(x, axis=axes, keepdims=keepdims)
    return y, SavedInput(x, axes, _kept(x, axes))


def _before(xp: Module, rows: Array) -> Array:
    """Multiply, for each element of rows (..., n), all that stand before it."""
    ones = xp.ones((*rows.shape[:-1], 1), rows.dtype)
    return xp.cumprod(xp.concatenate([ones, rows], axis=-1), axis=-1)[..., :-1]


def _prod_terms(dy: Array, saved: SavedInput) -> Terms:
    """Send dy times the product of all the others.

    That is y / x_i only where x_i is not 0, so it is built from the products of those
    before and those after the element.
    """
    xp = array_module(dy)
    x, axes = saved.x, saved.axes
    order = (*(axis for axis in range(x.ndim) if axis not in axes), *axes)
    moved = x.transpose(order)
    split = x.ndim - len(axes)
    count = math.prod(moved.shape[split:])
    rows = moved.reshape(*moved.shape[:split], count)  # (rest..., n)
    after = _before(xp, rows[..., ::-1])[..., ::-1]
    others = (_before(xp, rows) * after).reshape(moved.shape)
    back = sorted(range(x.ndim), key=order.__getitem__)
    return {"direct": dy.reshape(saved.kept) * others.transpose(back)}


def logsumexp(x: Array, *, axis: Axis = None, keepdims: bool = False) -> Result:
    """Compute ln sum e**x over axis without overflow; -inf if all elements are -inf."""
    xp = array_module(x)
    axes = axes_of("logsumexp", x, axis)
    _expect_elements("logsumexp", x, axes)
    peak = xp.max(x.real, axis=axes, keepdims=True)
    # Where all are -inf, x - peak would be inf - inf.
    shift = xp.where(xp.isfinite(peak), peak, 0)
    exponentials = total(xp.exp(x - shift), axes, keepdims=True)
    empty = exponentials.real == 0
    exponentials = xp.where(empty, 1, exponentials)
    y = xp.where(empty, -math.inf, xp.log(exponentials) + shift)
    if x.dtype.char == "e":
        y = y.astype(x.dtype)
    return _without(y, axes, keepdims), SavedExponents(x, shift, exponentials)


def _logsumexp_terms(dy: Array, saved: SavedExponents) -> Terms:
    """Send dy times the share e**x_i / sum e**x_j; 0 where all elements are -inf."""
    xp = array_module(dy)
    x, shift, exponentials = saved
    # Not exp(x - y): y holds ln(total) only to the precision of a much larger shift.
    return {"direct": dy.reshape(shift.shape) / exponentials * xp.exp(x - shift)}


SUM_KERNEL = Kernel(
    name="sum",
    forward=sum_,
    # Kernel repeats it along the axes that are 1.
    terms={"x": lambda dy, saved: {"direct": dy.reshape(saved.kept)}},
)
MEAN_KERNEL = Kernel(
    name="mean",
    forward=mean,
    terms={"x": lambda dy, saved: {"direct": dy.reshape(saved.kept) / saved.number}},
)
MAX_KERNEL = Kernel(name="max", forward=max_, terms={"x": _max_terms})
PROD_KERNEL = Kernel(name="prod", forward=prod, terms={"x": _prod_terms})
LOGSUMEXP_KERNEL = Kernel(
    name="logsumexp", forward=logsumexp, terms={"x": _logsumexp_terms}
)

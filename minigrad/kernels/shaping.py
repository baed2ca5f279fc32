"""Moving elements without computing: reshape, transpose, expand, cast, and selections.

Where NumPy gives a view, y shares memory with x. Every rule is the one term `direct`,
the adjoint of the move: each element of dy goes back to where it came from, and what
came several times adds up.
"""

from __future__ import annotations

import math
from types import EllipsisType
from typing import Any, Final, NamedTuple

import numpy

from minigrad.backend import (
    array_module,
    in_c_order,
    is_array,
    memory_order,
    scatter_add,
)
from minigrad.errors import BadIndexError, DTypeError, ShapeError, got
from minigrad.kernels._arguments import axis_of, integers, real, shape_of
from minigrad.kernels._indices import add_rows, expect_within
from minigrad.kernels._spec import NOTHING, Kernel
from minigrad.typing import Array, DType, Result, Shape, Terms


class SavedReshape(NamedTuple):
    """The shape of x, and its axes as they lie in memory; None if in C order."""

    shape: Shape
    order: tuple[int, ...] | None


class SavedAxes(NamedTuple):
    """The permutation that undoes the forward one."""

    back: tuple[int, ...]


class SavedParts(NamedTuple):
    """For each input, the slices of y that it fills."""

    parts: tuple[tuple[slice, ...], ...]


class SavedIndex(NamedTuple):
    """Shape of x, the index as a tuple, and whether it may name a position twice."""

    shape: Shape
    where: tuple[Any, ...]
    repeats: bool


class SavedTake(NamedTuple):
    """The integer index (...), the axis it selects from, and the shape of x."""

    where: Array
    axis: int
    shape: Shape


def reshape(x: Array, *, shape: Shape) -> Result:
    """Give the elements of x another shape; one length may be -1."""
    shape = shape_of("reshape", shape)
    known = math.prod(size for size in shape if size != -1)
    free = shape.count(-1)
    # Beside a 0 no length follows for -1.
    fits = x.size == known if not free else known != 0 and x.size % known == 0
    if free > 1 or min(shape, default=1) < -1 or not fits:
        rule = f"{x.size} elements, as x {x.shape} has"
        raise ShapeError(got("reshape", "shape", shape, rule))
    order = None if x.flags.c_contiguous else memory_order(x)
    return _reshaped(x, shape), SavedReshape(x.shape, order)


def _reshaped(x: Array, shape: Shape) -> Array:
    """Reshape x, by a view where its memory allows, else by a fast copy."""
    if type(x) is numpy.ndarray and not x.flags.c_contiguous:
        try:
            return numpy.reshape(x, shape, copy=False)
        except (ValueError, TypeError):
            # A copy is needed, or this is NumPy 2.0, which knows no such argument.
            x = in_c_order(x)
    return x.reshape(shape)


def _reshape_terms(dy: Array, saved: SavedReshape) -> Terms:
    """Give dy the shape of x, and its order in memory."""
    dx, order = _reshaped(dy, saved.shape), saved.order
    if order is None:
        return {"direct": dx}
    back = sorted(range(len(order)), key=order.__getitem__)
    return {"direct": in_c_order(dx.transpose(order)).transpose(back)}


def transpose(x: Array, *, axes: tuple[int, ...] | None = None) -> Result:
    """Permute the axes of x, by default reverse them."""
    if axes is None:
        axes = tuple(range(x.ndim))[::-1]
    axes = integers("transpose", "axes", axes)
    order = tuple(axis + x.ndim if axis < 0 else axis for axis in axes)
    if sorted(order) != list(range(x.ndim)):
        rule = f"each of the {x.ndim} axes of x {x.shape} once"
        raise ShapeError(got("transpose", "axes", axes, rule))
    back = tuple(sorted(range(x.ndim), key=order.__getitem__))
    return x.transpose(order), SavedAxes(back)


def expand(x: Array, *, shape: Shape) -> Result:
    """Repeat x along axes of length 1 and new ones in front; -1 keeps a length."""
    shape = shape_of("expand", shape)
    lead = len(shape) - x.ndim
    have = (1,) * lead + x.shape
    full = tuple(
        old if new == -1 and place >= lead else new
        for place, (old, new) in enumerate(zip(have, shape, strict=False))
    )
    fits = all(
        new >= 0 and old in (1, new) for old, new in zip(have, full, strict=False)
    )
    if lead < 0 or not fits:
        rule = f"a shape that x {x.shape} broadcasts to"
        raise ShapeError(got("expand", "shape", shape, rule))
    return array_module(x).broadcast_to(x, full), NOTHING


def concat(*x: Array, axis: int = 0) -> Result:
    """Join arrays that agree in all other axes along axis."""
    first = x[0]
    axis = axis_of("concat", first, axis)
    parts: list[tuple[slice, ...]] = []
    start = 0
    for place, array in enumerate(x):
        rest = array.shape[:axis] + array.shape[axis + 1 :]
        if (
            array.ndim != first.ndim
            or rest != first.shape[:axis] + first.shape[axis + 1 :]
        ):
            rule = f"that of x0 {first.shape} in all axes but {axis}"
            raise ShapeError(got("concat", f"x{place} has shape", array.shape, rule))
        stop = start + array.shape[axis]
        parts.append((slice(None),) * axis + (slice(start, stop),))
        start = stop
    return array_module(*x).concatenate(x, axis=axis), SavedParts(tuple(parts))


def pad(x: Array, *, widths: tuple[tuple[int, int], ...], value: float = 0.0) -> Result:
    """Put (before, after) elements of value around x, one pair an axis."""
    if len(widths) != x.ndim or any(min(pair) < 0 for pair in widths):
        rule = f"a pair (before, after) of at least 0 for each axis of x {x.shape}"
        raise ShapeError(got("pad", "widths", widths, rule))
    value = real("pad", "value", value)
    sides = list(zip(x.shape, widths, strict=True))
    shape = tuple(before + size + after for size, (before, after) in sides)
    inner = tuple(slice(before, before + size) for size, (before, _) in sides)
    # Not xp.pad: full_like keeps the order of the axes in memory.
    y = array_module(x).full_like(x, value, shape=shape)
    y[inner] = x
    return y, SavedParts((inner,))


def getitem(x: Array, *, index: Any) -> Result:
    """Select from x as NumPy does; index arrays live on the backend of x.

    An index out of range raises BadIndexError. Index arrays on a device are looked at
    for it, which waits for the device, since CuPy wraps them round.
    """
    given: tuple[Any, ...] = index if isinstance(index, tuple) else (index,)
    parts = tuple([_frozen(x, part) for part in given])
    repeats = any(is_array(part) and part.dtype.kind in "iu" for part in parts)
    if repeats and array_module(x) is not numpy:
        _expect_inside(x, parts)
    try:
        y = x[parts]
    except IndexError as error:
        text = f"getitem: {error}, expected an index into shape {x.shape}"
        raise BadIndexError(text) from None
    return y, SavedIndex(x.shape, parts, repeats)


def _expect_inside(x: Array, parts: tuple[Any, ...]) -> None:
    """Do for arrays of integers on a device what NumPy does by itself."""
    used = [_axes_used(part) for part in parts]
    axis = 0
    for part, axes in zip(parts, used, strict=True):
        if part is Ellipsis:
            axes = x.ndim - sum(used)
        elif is_array(part) and part.dtype.kind in "iu" and axis < x.ndim:
            size = x.shape[axis]
            rule = f"-{size} to {size - 1}, the positions along axis {axis} of x"
            expect_within("getitem", "index has", part, -size, size, rule)
        axis += axes


def _axes_used(part: Any) -> int:
    """Count the axes of x that a part of an index selects from."""
    if is_array(part) and part.dtype.kind == "b":
        return part.ndim
    return int(not isinstance(part, bool | numpy.bool_ | type(None) | EllipsisType))


_ONE_PLACE: Final = (int, slice, type(None), EllipsisType, numpy.generic)
"""Parts of an index that name no position twice."""


def _frozen(x: Array, part: Any) -> Any:
    """Copy an index array, since its owner may write to it before backward."""
    if isinstance(part, _ONE_PLACE):
        return part
    if is_array(part):
        return array_module(x, part).array(part)
    try:
        # Lists, tuples, ranges. Of nothing NumPy would make an array of floats.
        return array_module(x).asarray(part, dtype=None if len(part) else "int64")
    except (TypeError, ValueError):
        rule = "integers, slices, None, ... or arrays of integers or booleans"
        raise BadIndexError(got("getitem", "index", repr(part), rule)) from None


def _getitem_terms(dy: Array, saved: SavedIndex) -> Terms:
    """Put dy where it was read; a position read twice gets both."""
    if saved.repeats:
        return {"direct": _add_up(dy, saved.where, saved.shape)}
    # zeros_like keeps the order of the axes in memory where their number is the same.
    dx = array_module(dy).zeros_like(dy, shape=saved.shape)
    dx[saved.where] = dy
    return {"direct": dx}


def take(x: Array, index: Array, *, axis: int = 0) -> Result:
    """Select the positions index (...), integers, along axis of x.

    The axes of index replace the axis. Negative positions count from the end. Raises
    BadIndexError for one out of range, on a device too, where that waits for it once.
    """
    xp = array_module(x, index)
    axis = axis_of("take", x, axis)
    if index.dtype.kind not in "iu":
        raise DTypeError(got("take", "index has dtype", index.dtype, "integers"))
    size = x.shape[axis]
    rule = f"-{size} to {size - 1}, the positions along axis {axis} of x {x.shape}"
    expect_within("take", "index has", index, -size, size, rule)
    # NumPy before 2.1 takes no uint64.
    index = index.astype("int64", copy=False)
    return xp.take(x, index, axis=axis), SavedTake(index, axis, x.shape)


def _take_terms(dy: Array, saved: SavedTake) -> Terms:
    """Add dy up at the positions it was read from."""
    index = (slice(None),) * saved.axis + (saved.where,)
    return {"direct": _add_up(dy, index, saved.shape)}


def _add_up(dy: Array, index: tuple[Any, ...], shape: Shape) -> Array:
    """Add dy into zeros of shape at index, which may name a position many times."""
    if len(index) == 1 and len(shape) > 1 and dy.dtype.kind in "fc":
        return add_rows(dy, index[0] % max(shape[0], 1), shape[0])
    dx = array_module(dy).zeros_like(dy, shape=shape)
    scatter_add(dx, index, dy)
    return dx


def cast(x: Array, *, dtype: DType) -> Result:
    """Convert x to dtype; a complex x stays complex where dtype is a float."""
    target = numpy.dtype(dtype)
    if x.dtype.kind == "c" and target.kind == "f":
        target = numpy.result_type(target, "complex64")
    return x.astype(target, copy=False), NOTHING


RESHAPE_KERNEL = Kernel(
    name="reshape",
    forward=reshape,
    terms={"x": _reshape_terms},
    aliases=True,
)
TRANSPOSE_KERNEL = Kernel(
    name="transpose",
    forward=transpose,
    terms={"x": lambda dy, saved: {"direct": dy.transpose(saved.back)}},
    aliases=True,
)
EXPAND_KERNEL = Kernel(
    name="expand",
    forward=expand,
    # Kernel sums what was repeated.
    terms={"x": lambda dy, saved: {"direct": dy}},
    aliases=True,
)
CONCAT_KERNEL = Kernel(
    name="concat",
    forward=concat,
    terms={"x": lambda dy, saved, index: {"direct": dy[saved.parts[index]]}},
    variadic=True,
)
PAD_KERNEL = Kernel(
    name="pad",
    forward=pad,
    terms={"x": lambda dy, saved: {"direct": dy[saved.parts[0]]}},
)
GETITEM_KERNEL = Kernel(
    name="getitem", forward=getitem, terms={"x": _getitem_terms}, aliases=True
)
TAKE_KERNEL = Kernel(name="take", forward=take, terms={"x": _take_terms, "index": None})
CAST_KERNEL = Kernel(
    name="cast",
    forward=cast,
    # Kernel casts back to the dtype of x.
    terms={"x": lambda dy, saved: {"direct": dy}},
    aliases=True,
)

"""Tensors in other shapes: joined, padded, selected. Every element keeps its value.

Where NumPy gives a view, the result shares memory with x.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import index as as_index
from typing import Any

import numpy

from minigrad.backend import is_array
from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.functional._inputs import as_tensor
from minigrad.kernels import shaping
from minigrad.kernels._arguments import axis_among
from minigrad.tape import Tensor, apply, tensor
from minigrad.typing import Shape


def reshape(x: Any, shape: Shape) -> Tensor:
    """Give the elements of x another shape; one length may be -1.

    Raises ShapeError if the number of elements differs.

    >>> from minigrad.tape import tensor
    >>> reshape(tensor([1.0, 2.0, 3.0, 4.0]), (2, -1)).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    return apply(shaping.RESHAPE_KERNEL, x, shape=shape)


def transpose(x: Any, axes: tuple[int, ...] | None = None) -> Tensor:
    """Permute the axes of x; with no axes, reverse them.

    Raises ShapeError unless axes names each axis once.

    >>> from minigrad.tape import tensor
    >>> transpose(tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[1.0, 3.0], [2.0, 4.0]]
    """
    return apply(shaping.TRANSPOSE_KERNEL, x, axes=axes)


def expand(x: Any, shape: Shape) -> Tensor:
    """Repeat x along axes of length 1 and new ones in front; -1 keeps a length.

    No memory is copied. Raises ShapeError if x does not broadcast to shape.

    >>> from minigrad.tape import tensor
    >>> expand(tensor([[1.0], [2.0]]), (-1, 3)).tolist()
    [[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]
    """
    return apply(shaping.EXPAND_KERNEL, x, shape=shape)


def concat(tensors: Iterable[Any], axis: int = 0) -> Tensor:
    """Join tensors along an axis they have; all other axes must agree.

    Raises ShapeError if they do not, or if there is nothing to join.

    >>> from minigrad.tape import tensor
    >>> concat([tensor([1.0, 2.0]), tensor([3.0])]).tolist()
    [1.0, 2.0, 3.0]
    """
    return apply(shaping.CONCAT_KERNEL, *_parts("concat", tensors), axis=axis)


def stack(tensors: Iterable[Any], axis: int = 0) -> Tensor:
    """Join tensors of one shape along a new axis, which y has at position axis.

    Raises ShapeError if the shapes differ, or if there is nothing to join.

    >>> from minigrad.tape import tensor
    >>> stack([tensor([1.0, 2.0]), tensor([3.0, 4.0])], axis=1).tolist()
    [[1.0, 3.0], [2.0, 4.0]]
    """
    parts = _parts("stack", tensors)
    shape = parts[0].shape
    for place, part in enumerate(parts):
        if part.shape != shape:
            what = f"tensor {place} has shape"
            raise ShapeError(got("stack", what, part.shape, f"{shape}, as tensor 0"))
    ndim = len(shape) + 1
    place = axis_among("stack", axis, ndim, "axes that the result has")
    longer = (*shape[:place], 1, *shape[place:])
    return concat([reshape(part, longer) for part in parts], axis=place)


def _parts(name: str, tensors: Iterable[Any]) -> list[Tensor]:
    """Collect what is to be joined; of one tensor or array, its rows."""
    given: object = tensors
    if not isinstance(given, Iterable | Tensor) or isinstance(given, str):
        rule = "a list of tensors"
        raise ArgumentError(got(name, "tensors are", repr(given), rule))
    parts = [as_tensor(part) for part in tensors]
    if not parts:
        raise ShapeError(got(name, "tensors", "()", "at least one"))
    return parts


def pad(x: Any, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Tensor:
    """Put (before, after) elements of value around x: one pair an axis, in order.

    Raises ShapeError unless there is a pair of numbers of at least 0 for each axis.

    >>> from minigrad.tape import tensor
    >>> pad(tensor([[1.0, 2.0]]), [(0, 1), (1, 0)]).tolist()
    [[0.0, 1.0, 2.0], [0.0, 0.0, 0.0]]
    """
    try:
        pairs = tuple((as_index(before), as_index(after)) for before, after in widths)
    except (TypeError, ValueError):
        rule = "a pair (before, after) of ints for each axis"
        raise ShapeError(got("pad", "widths", repr(widths), rule)) from None
    return apply(shaping.PAD_KERNEL, x, widths=pairs, value=value)


def take(x: Any, index: Any, axis: int = 0) -> Tensor:
    """Select the positions index, integers of any shape or lists, along axis of x.

    The axes of index stand where the axis was; negative positions count from the end; a
    position named twice gets the sum of both gradients. A position out of range raises
    BadIndexError (an ArgumentError and an IndexError).

    >>> from minigrad.tape import tensor
    >>> take(tensor([10.0, 20.0, 30.0]), tensor([2, 0, -1])).tolist()
    [30.0, 10.0, 30.0]
    """
    if not isinstance(index, Tensor) and not is_array(index):
        # Of an empty list tensor would make floats.
        index = tensor(index, dtype=None if numpy.size(index) else "int64")
    return apply(shaping.TAKE_KERNEL, x, index, axis=axis)

"""Tensors in other shapes: joined, padded, selected. Every element keeps its value.

Where NumPy gives a view, the result shares memory with x.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minigrad.errors import ShapeError, got
from minigrad.kernels import shaping
from minigrad.tape import Tensor, apply
from minigrad.typing import Shape


def reshape(x: Any, shape: Shape) -> Tensor:
    """Give the elements of x another shape; one length may be -1.

    Raises ShapeError if the number of elements differs.

    >>> from minigrad.tape import tensor
    >>> reshape(tensor([1.0, 2.0, 3.0, 4.0]), (2, -1)).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    return apply(shaping.RESHAPE_KERNEL, x, shape=tuple(shape))


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
    return apply(shaping.EXPAND_KERNEL, x, shape=tuple(shape))


def concat(tensors: Sequence[Any], axis: int = 0) -> Tensor:
    """Join tensors along an axis they have; all other axes must agree.

    Raises ShapeError if they do not, or if there is nothing to join.

    >>> from minigrad.tape import tensor
    >>> concat([tensor([1.0, 2.0]), tensor([3.0])]).tolist()
    [1.0, 2.0, 3.0]
    """
    _expect_any("concat", tensors)
    return apply(shaping.CONCAT_KERNEL, *tensors, axis=axis)


def stack(tensors: Sequence[Any], axis: int = 0) -> Tensor:
    """Join tensors of one shape along a new axis, which y has at position axis.

    Raises ShapeError if the shapes differ, or if there is nothing to join.

    >>> from minigrad.tape import tensor
    >>> stack([tensor([1.0, 2.0]), tensor([3.0, 4.0])], axis=1).tolist()
    [[1.0, 3.0], [2.0, 4.0]]
    """
    _expect_any("stack", tensors)
    shape: Shape = tensors[0].shape
    for place, tensor in enumerate(tensors):
        if tensor.shape != shape:
            what = f"tensor {place} has shape"
            raise ShapeError(got("stack", what, tensor.shape, f"{shape}, as tensor 0"))
    ndim = len(shape) + 1
    if not -ndim <= axis < ndim:
        rule = f"one of the {ndim} axes that the result has"
        raise ShapeError(got("stack", "axis", axis, rule))
    place = axis % ndim
    longer = (*shape[:place], 1, *shape[place:])
    return concat([reshape(tensor, longer) for tensor in tensors], axis=place)


def _expect_any(name: str, tensors: Sequence[Any]) -> None:
    if not tensors:
        raise ShapeError(got(name, "tensors", "()", "at least one"))


def pad(x: Any, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Tensor:
    """Put (before, after) elements of value around x: one pair an axis, in order.

    Raises ShapeError unless there is a pair of numbers of at least 0 for each axis.

    >>> from minigrad.tape import tensor
    >>> pad(tensor([[1.0, 2.0]]), [(0, 1), (1, 0)]).tolist()
    [[0.0, 1.0, 2.0], [0.0, 0.0, 0.0]]
    """
    pairs = tuple((before, after) for before, after in widths)
    return apply(shaping.PAD_KERNEL, x, widths=pairs, value=value)


def take(x: Any, index: Any, axis: int = 0) -> Tensor:
    """Select the positions index, integers of any shape, along axis of x.

    The axes of index stand where the axis was; negative positions count from the end; a
    position named twice gets the sum of both gradients. A position out of range raises
    BadIndexError (an ArgumentError and an IndexError) on NumPy and gives NaN on CuPy.

    >>> from minigrad.tape import tensor
    >>> take(tensor([10.0, 20.0, 30.0]), tensor([2, 0, -1])).tolist()
    [30.0, 10.0, 30.0]
    """
    return apply(shaping.TAKE_KERNEL, x, index, axis=axis)

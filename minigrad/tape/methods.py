"""The methods of a tensor, with NumPy's names: each is one kernel, called directly."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, Self

from minigrad.backend import array_module
from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.kernels import activations as act
from minigrad.kernels import elementary as ele
from minigrad.kernels import reductions as red
from minigrad.kernels import shaping
from minigrad.kernels._arguments import axis_of
from minigrad.tape.values import Values, expect_dtype
from minigrad.typing import Axis, Shape


class Methods(Values):
    """What can be computed from one tensor by name."""

    __slots__ = ()

    apply: ClassVar[Callable[..., Any]]
    """Runs a kernel on tensors; the tensor class brings it."""

    wrap: ClassVar[Callable[..., Any]]
    """Makes a tensor that needs no gradient of an array; likewise."""

    # -- shape -------------------------------------------------------------------------

    def __getitem__(self, index: Any) -> Self:
        """Select elements with NumPy's basic and advanced indexing."""
        return self.apply(shaping.GETITEM_KERNEL, self, index=plain_index(index))

    def reshape(self, *shape: int | Shape) -> Self:
        """Give the elements another shape; one length may be -1."""
        return self.apply(shaping.RESHAPE_KERNEL, self, shape=_flat(shape))

    def flatten(self, start_axis: int = 0) -> Self:
        """Merge all axes from start_axis on into one."""
        axes = range(-self.ndim, max(self.ndim, 1))
        if start_axis not in axes:
            rule = f"{axes.start} to {axes.stop - 1}"
            raise ArgumentError(got("flatten", "start_axis", start_axis, rule))
        kept, merged = self.shape[:start_axis], self.shape[start_axis:]
        return self.reshape(*kept, math.prod(merged))

    def transpose(self, *axes: int | Shape) -> Self:
        """Permute the axes; with no argument, reverse them."""
        return self.apply(shaping.TRANSPOSE_KERNEL, self, axes=_flat(axes) or None)

    @property
    def T(self) -> Self:  # noqa: N802 (NumPy's name)
        """The tensor with its axes reversed."""
        return self.transpose()

    def expand(self, *shape: int | Shape) -> Self:
        """Repeat along axes of length 1, and along new ones in front, to shape."""
        return self.apply(shaping.EXPAND_KERNEL, self, shape=_flat(shape))

    # -- reductions --------------------------------------------------------------------

    def sum(self, axis: Axis = None, keepdims: bool = False) -> Self:
        """Sum over axis (default: all)."""
        return self.apply(red.SUM_KERNEL, self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> Self:
        """Average over axis (default: all)."""
        return self.apply(red.MEAN_KERNEL, self, axis=axis, keepdims=keepdims)

    def max(self, axis: Axis = None, keepdims: bool = False) -> Self:
        """Take the greatest over axis; ties share the gradient equally."""
        return self.apply(red.MAX_KERNEL, self, axis=axis, keepdims=keepdims)

    def prod(self, axis: Axis = None, keepdims: bool = False) -> Self:
        """Multiply over axis (default: all)."""
        return self.apply(red.PROD_KERNEL, self, axis=axis, keepdims=keepdims)

    def argmax(self, axis: int | None = None) -> Self:
        """Return the position of the greatest over axis; needs no gradient."""
        xp = array_module(self.data)
        if axis is not None:
            axis = axis_of("argmax", self.data, axis)
        if not self.size:
            raise ShapeError(got("argmax", "shape", self.shape, "some elements"))
        return self.wrap(xp.asarray(xp.argmax(self.data, axis=axis)))

    # -- elementary functions ----------------------------------------------------------

    def exp(self) -> Self:
        """Compute e to the power of each element."""
        return self.apply(ele.EXP_KERNEL, self)

    def log(self) -> Self:
        """Compute the natural logarithm."""
        return self.apply(ele.LOG_KERNEL, self)

    def sqrt(self) -> Self:
        """Compute the square root."""
        return self.apply(ele.SQRT_KERNEL, self)

    def square(self) -> Self:
        """Compute the square."""
        return self.apply(ele.SQUARE_KERNEL, self)

    def tanh(self) -> Self:
        """Compute the hyperbolic tangent."""
        return self.apply(act.TANH_KERNEL, self)

    def relu(self) -> Self:
        """Replace negative elements by 0; the derivative at 0 is 0."""
        return self.apply(act.RELU_KERNEL, self)

    def sigmoid(self) -> Self:
        """Compute 1 / (1 + exp(-x))."""
        return self.apply(act.SIGMOID_KERNEL, self)

    def astype(self, dtype: Any) -> Self:
        """Cast to dtype; gradients are cast back, and end at integers."""
        dtype = expect_dtype("astype", "dtype", dtype)
        if dtype.kind not in "fc":
            return self.wrap(self.data.astype(dtype))
        return self.apply(shaping.CAST_KERNEL, self, dtype=dtype)


def plain_index(index: Any) -> Any:
    """Take the arrays out of an index that may hold tensors."""
    if isinstance(index, tuple):
        return tuple(plain_index(part) for part in index)
    return index.data if isinstance(index, Values) else index


def _flat(numbers: tuple[Any, ...]) -> Shape:
    """Accept f(2, 3) and f((2, 3)) alike."""
    if len(numbers) == 1 and isinstance(numbers[0], tuple | list):
        return tuple(numbers[0])
    return numbers

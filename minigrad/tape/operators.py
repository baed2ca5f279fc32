"""The operators and methods of a tensor: each is one kernel, called directly."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Number
from typing import Any, ClassVar, Self

import numpy

from minigrad.backend import array_module, is_array
from minigrad.errors import (
    ArgumentError,
    BadIndexError,
    DTypeError,
    GraphError,
    ShapeError,
    got,
)
from minigrad.kernels import activations as act
from minigrad.kernels import arithmetic as ari
from minigrad.kernels import elementary as ele
from minigrad.kernels import matmul, shaping
from minigrad.kernels import reductions as red
from minigrad.tape.locks import expect_writeable
from minigrad.tape.modes import recording
from minigrad.tape.values import Values
from minigrad.typing import Axis, Shape

_UFUNCS = {
    numpy.add: ari.ADD_KERNEL,
    numpy.subtract: ari.SUB_KERNEL,
    numpy.multiply: ari.MUL_KERNEL,
    numpy.divide: ari.DIV_KERNEL,
    numpy.power: ari.POWER_KERNEL,
    numpy.maximum: ari.MAXIMUM_KERNEL,
    numpy.minimum: ari.MINIMUM_KERNEL,
    numpy.negative: ari.NEG_KERNEL,
    numpy.matmul: matmul.KERNEL,
    numpy.exp: ele.EXP_KERNEL,
    numpy.log: ele.LOG_KERNEL,
    numpy.sqrt: ele.SQRT_KERNEL,
    numpy.square: ele.SQUARE_KERNEL,
    numpy.absolute: ele.ABS_KERNEL,
    numpy.sin: ele.SIN_KERNEL,
    numpy.cos: ele.COS_KERNEL,
    numpy.reciprocal: ele.RECIPROCAL_KERNEL,
    numpy.tanh: act.TANH_KERNEL,
}


class Operators(Values):
    """What can be computed from a tensor; NumPy's names (axis, keepdims) throughout."""

    __slots__ = ()

    apply: ClassVar[Callable[..., Any]]
    """Runs a kernel on tensors; the tensor class brings it."""

    wrap: ClassVar[Callable[..., Any]]
    """Makes a tensor that needs no gradient of an array; likewise."""

    def __add__(self, other: Any) -> Self:
        """Add with broadcasting."""
        return self.apply(ari.ADD_KERNEL, self, other)

    def __radd__(self, other: Any) -> Self:
        """Add with broadcasting."""
        return self.apply(ari.ADD_KERNEL, other, self)

    def __sub__(self, other: Any) -> Self:
        """Subtract with broadcasting."""
        return self.apply(ari.SUB_KERNEL, self, other)

    def __rsub__(self, other: Any) -> Self:
        """Subtract with broadcasting."""
        return self.apply(ari.SUB_KERNEL, other, self)

    def __mul__(self, other: Any) -> Self:
        """Multiply elements with broadcasting."""
        return self.apply(ari.MUL_KERNEL, self, other)

    def __rmul__(self, other: Any) -> Self:
        """Multiply elements with broadcasting."""
        return self.apply(ari.MUL_KERNEL, other, self)

    def __truediv__(self, other: Any) -> Self:
        """Divide elements with broadcasting."""
        return self.apply(ari.DIV_KERNEL, self, other)

    def __rtruediv__(self, other: Any) -> Self:
        """Divide elements with broadcasting."""
        return self.apply(ari.DIV_KERNEL, other, self)

    def __pow__(self, other: Any) -> Self:
        """Raise to a power with broadcasting."""
        if isinstance(other, int | float) and other == 2:
            return self.square()  # A fifth of a general power's time.
        return self.apply(ari.POWER_KERNEL, self, other)

    def __rpow__(self, other: Any) -> Self:
        """Raise to a power with broadcasting."""
        return self.apply(ari.POWER_KERNEL, other, self)

    def __matmul__(self, other: Any) -> Self:
        """Multiply matrices (..., M, K) @ (..., K, N)."""
        return self.apply(matmul.KERNEL, self, other)

    def __rmatmul__(self, other: Any) -> Self:
        """Multiply matrices (..., M, K) @ (..., K, N)."""
        return self.apply(matmul.KERNEL, other, self)

    def __neg__(self) -> Self:
        """Negate."""
        return self.apply(ari.NEG_KERNEL, self)

    def __abs__(self) -> Self:
        """Take absolute values; the derivative at 0 is 0."""
        return self.apply(ele.ABS_KERNEL, self)

    def __iadd__(self, other: Any) -> Self:
        """Add in place where nothing is recorded, else make a new tensor."""
        return self._in_place(ari.ADD_KERNEL, other, "+=")

    def __isub__(self, other: Any) -> Self:
        """Subtract in place where nothing is recorded, else make a new tensor."""
        return self._in_place(ari.SUB_KERNEL, other, "-=")

    def __imul__(self, other: Any) -> Self:
        """Multiply in place where nothing is recorded, else make a new tensor."""
        return self._in_place(ari.MUL_KERNEL, other, "*=")

    def __itruediv__(self, other: Any) -> Self:
        """Divide in place where nothing is recorded, else make a new tensor."""
        return self._in_place(ari.DIV_KERNEL, other, "/=")

    def _in_place(self, kernel: Any, other: Any, sign: str) -> Self:
        other_tracked = isinstance(other, Values) and other.requires_grad
        if recording.get() and (self.requires_grad or other_tracked):
            if self.is_leaf and self.requires_grad:
                self._expect_no_history(sign)
            return self.apply(kernel, self, other)
        result = self.apply(kernel, self, other).data
        if result.shape != self.shape:
            raise ShapeError(got(sign, "result has shape", result.shape, self.shape))
        if result.dtype != self.dtype:
            raise DTypeError(got(sign, "result has dtype", result.dtype, self.dtype))
        self._write(..., result, sign)
        return self

    def copy_(self, values: Any) -> Self:
        """Overwrite the elements; raises GraphError if a live graph needs the old."""
        self._expect_no_history("copy_")
        self._write(..., values, "copy_")
        return self

    def __setitem__(self, index: Any, values: Any) -> None:
        """Overwrite elements in place, under the rules of copy_."""
        self._expect_no_history("setitem")
        self._write(index, values, "setitem")

    def _write(self, index: Any, values: Any, who: str) -> None:
        expect_writeable(self.data, who)
        source = values.data if isinstance(values, Values) else values
        try:
            self.data[plain_index(index)] = source
        except IndexError as error:
            rule = f"an index into shape {self.shape}"
            raise BadIndexError(f"{who}: {error}, expected {rule}") from None
        except (TypeError, ValueError) as error:
            rule = f"values that fit shape {self.shape} and dtype {self.dtype}"
            raise ShapeError(f"{who}: {error}, expected {rule}") from None

    def _expect_no_history(self, who: str) -> None:
        if self.requires_grad and recording.get():
            raise GraphError(
                f"{who}: {self._title()} requires a gradient, expected no in-place "
                "write while operations are recorded; use no_grad()"
            )

    def _compare(self, operator: Callable[..., Any], other: Any) -> Self:
        """Compare element by element; the boolean result needs no gradient."""
        array = other.data if isinstance(other, Values) else other
        if not is_array(array) and not isinstance(array, Number | numpy.bool_):
            return NotImplemented
        xp = array_module(self.data)
        try:
            return self.wrap(xp.asarray(operator(xp)(self.data, array)))
        except ValueError:
            shapes = f"{self.shape} and {xp.shape(array)}"
            rule = "shapes that broadcast"
            raise ShapeError(got("comparison", "shapes", shapes, rule)) from None

    def __lt__(self, other: Any) -> Self:
        """Compare element by element."""
        return self._compare(lambda xp: xp.less, other)

    def __le__(self, other: Any) -> Self:
        """Compare element by element."""
        return self._compare(lambda xp: xp.less_equal, other)

    def __gt__(self, other: Any) -> Self:
        """Compare element by element."""
        return self._compare(lambda xp: xp.greater, other)

    def __ge__(self, other: Any) -> Self:
        """Compare element by element."""
        return self._compare(lambda xp: xp.greater_equal, other)

    def __eq__(self, other: Any) -> Self:  # type: ignore[override]
        """Compare element by element; `is` tells whether two names are one tensor."""
        return self._compare(lambda xp: xp.equal, other)

    def __ne__(self, other: Any) -> Self:  # type: ignore[override]
        """Compare element by element."""
        return self._compare(lambda xp: xp.not_equal, other)

    __hash__ = Values.__hash__

    def __array_ufunc__(
        self, ufunc: Any, method: str, *inputs: Any, **options: Any
    ) -> Any:
        """Let `ndarray * Tensor` and `numpy.exp(tensor)` give a Tensor."""
        kernel = _UFUNCS.get(ufunc)
        if kernel is None or method != "__call__" or options:
            return NotImplemented
        return self.apply(kernel, *inputs)

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
        if numpy.dtype(dtype).kind not in "fc":
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

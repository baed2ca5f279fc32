"""The operators of a tensor: each is one kernel, called directly."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Number
from typing import Any, Self

import numpy

from minigrad.backend import array_module, is_array
from minigrad.errors import (
    BadIndexError,
    DTypeError,
    GraphError,
    ShapeError,
    got,
)
from minigrad.kernels import activations as act
from minigrad.kernels import arithmetic as ari
from minigrad.kernels import elementary as ele
from minigrad.kernels import matmul
from minigrad.tape.locks import expect_writeable
from minigrad.tape.methods import Methods, plain_index
from minigrad.tape.modes import recording
from minigrad.tape.values import Values

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


class Operators(Methods):
    """What can be computed with signs, in place or not."""

    __slots__ = ()

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

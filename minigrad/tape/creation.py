"""Making tensors from numbers, arrays and other libraries' memory."""

from __future__ import annotations

from typing import Any

import numpy

from minigrad.backend import current_backend, is_array, new_array
from minigrad.errors import DTypeError, ShapeError, got
from minigrad.tape.tensor import Tensor
from minigrad.tape.values import expect_dtype
from minigrad.typing import Array, DType


class Parameter(Tensor):
    """A leaf tensor that a module trains: it requires a gradient."""

    __slots__ = ()

    def __init__(
        self, data: Array, requires_grad: bool = True, name: str | None = None
    ) -> None:
        """Wrap an array without copying it."""
        super().__init__(data, requires_grad, name)


def tensor(
    values: Any,
    *,
    dtype: DType = None,
    requires_grad: bool = False,
    name: str | None = None,
) -> Tensor:
    """Make a tensor from numbers, nested lists or an array; the values are copied.

    Args:
        values: anything numpy.array takes, or a Tensor.
        dtype: default: that of an array; float32 for Python floats, int64 for ints.
        requires_grad: whether backward() should leave its gradient in `.grad`.
        name: what errors and reports call it.

    >>> tensor([1.0, 2.0], requires_grad=True)
    Tensor(shape=(2,), dtype=float32, backend=numpy, requires_grad (leaf), [1. 2.])
    """
    if isinstance(values, Tensor):
        values = values.data
    if dtype is not None:
        dtype = expect_dtype("tensor", "dtype", dtype)
    if dtype is None and not is_array(values):
        try:
            host = numpy.asarray(values)
        except ValueError:
            raise ShapeError(
                "tensor: nested lists, expected rows of equal length"
            ) from None
        dtype = "float32" if host.dtype == numpy.float64 else host.dtype
        if host.dtype.kind not in "biufc":
            raise DTypeError(
                got("tensor", "values of dtype", host.dtype, "numbers or booleans")
            )
    return Tensor(new_array(values, dtype), requires_grad, name)


def from_dlpack(source: Any) -> Tensor:
    """Wrap the memory of another library's array, without copying, by DLPack."""
    kind = source.__dlpack_device__()[0]
    on_device = int(kind) == 2  # kDLCUDA
    xp = current_backend().module if on_device else numpy
    return Tensor(xp.from_dlpack(source))

"""What a fused formula sees of a device array, and how NumPy is called on one.

CuPy traces a formula with stand-ins that know operators and little else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NoReturn

import numpy
from numpy import ndarray

from minigrad.errors import BackendError, got

NUMBERS: Final = bool | int | float | complex | numpy.generic


def refused(what: str) -> NoReturn:
    """Raise for something that needs the values on the host."""
    raise BackendError(
        got(
            "fake device",
            what,
            "of a device array",
            "no transfer to the host inside a computation",
            "use array functions, or .get() outside of kernels",
        )
    )


def numbers_only(*_: Any) -> NoReturn:
    """Raise for an operation on numbers inside a fused formula."""
    raise BackendError(
        "fake device: an operation on numbers only inside a fused formula, expected "
        "an array among the operands; CuPy computes it in float16, so do it outside"
    )


def unwrap(value: Any, seen: dict[int, Any]) -> Any:
    """Replace device arrays by their host arrays; seen finds the way back.

    Raises TypeError for host arrays, as CuPy does.
    """
    if isinstance(value, FusedNumber):
        return value.value
    if isinstance(value, FusedArray):
        seen[id(value.host)] = value
        return value.host
    if isinstance(value, ndarray):
        raise TypeError(f"Unsupported type {type(value)}: a host array on the device")
    if isinstance(value, tuple | list):
        return type(value)(unwrap(part, seen) for part in value)
    if isinstance(value, dict):
        return {key: unwrap(part, seen) for key, part in value.items()}
    return value


def wrap(value: Any, seen: dict[int, Any], into: type[FusedArray]) -> Any:
    """Replace host arrays by device arrays; scalars become 0-d arrays, as in CuPy."""
    if isinstance(value, ndarray | numpy.generic):
        known = seen.get(id(value))
        return into(numpy.asarray(value)) if known is None else known
    if isinstance(value, tuple | list):
        return type(value)(wrap(part, seen, into) for part in value)
    return value


def call(
    into: type[FusedArray], function: Callable[..., Any], *values: Any, **options: Any
) -> Any:
    """Call a NumPy function on device arrays; the results are of class into."""
    kinds = {type(value) for value in values}
    if FusedNumber in kinds and FusedArray not in kinds:
        numbers_only()
    seen: dict[int, Any] = {}
    result = function(*unwrap(values, seen), **unwrap(options, seen))
    return wrap(result, seen, into)


def binary(ufunc: numpy.ufunc, *, swap: bool = False) -> Callable[[Any, Any], Any]:
    """Make an operator of a ufunc of two arrays; swap: the reflected one."""

    def operate(self: Any, other: Any) -> Any:
        if not isinstance(other, FusedArray | FusedNumber | ndarray | NUMBERS):
            # Other classes, such as Tensor, may know what to do with us.
            return ufunc(other, self) if swap else ufunc(self, other)
        return call(type(self), ufunc, *((other, self) if swap else (self, other)))

    return operate


def in_place(ufunc: numpy.ufunc) -> Callable[[Any, Any], Any]:
    """Make an in-place operator of a ufunc."""

    def operate(self: Any, other: Any) -> Any:
        return call(type(self), ufunc, self, other, out=self)

    return operate


def unary(ufunc: numpy.ufunc) -> Callable[[Any], Any]:
    """Make an operator of a ufunc of one array."""
    return lambda self: call(type(self), ufunc, self)


def method(name: str) -> Callable[..., Any]:
    """Make the method that NumPy's arrays have under name."""

    def method(self: Any, *values: Any, **options: Any) -> Any:
        return call(type(self), getattr(ndarray, name), self, *values, **options)

    method.__name__ = name
    return method


def refusing(what: str) -> Callable[..., NoReturn]:
    """Make a method that always raises."""

    def refuse(self: Any, *_: Any) -> NoReturn:
        refused(what)

    return refuse


class FusedNumber:
    """What a formula sees inside `fuse` of a number: it combines with arrays only."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        """Stand for a Python or NumPy number."""
        self.value = value

    def _combine(self, other: Any) -> Any:
        return NotImplemented if isinstance(other, FusedArray) else numbers_only()

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _combine
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = _combine
    __mod__ = __rmod__ = __pow__ = __rpow__ = _combine
    __lt__ = __le__ = __gt__ = __ge__ = _combine
    __eq__ = __ne__ = _combine  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]

    __neg__ = __pos__ = __abs__ = __invert__ = numbers_only
    __bool__ = __int__ = __float__ = __index__ = numbers_only


class FusedArray:
    """What a formula sees inside `fuse`: operators, dtype, ndim, astype, copy."""

    __slots__ = ("host",)

    def __init__(self, host: ndarray) -> None:
        """Stand for a host array, without copying it."""
        self.host = host

    @property
    def dtype(self) -> Any:
        """NumPy dtype of the elements."""
        return self.host.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.host.ndim

    astype = method("astype")
    copy = method("copy")

    __neg__ = unary(numpy.negative)
    __invert__ = unary(numpy.invert)
    __add__ = binary(numpy.add)
    __radd__ = binary(numpy.add, swap=True)
    __iadd__ = in_place(numpy.add)
    __sub__ = binary(numpy.subtract)
    __rsub__ = binary(numpy.subtract, swap=True)
    __isub__ = in_place(numpy.subtract)
    __mul__ = binary(numpy.multiply)
    __rmul__ = binary(numpy.multiply, swap=True)
    __imul__ = in_place(numpy.multiply)
    __truediv__ = binary(numpy.true_divide)
    __rtruediv__ = binary(numpy.true_divide, swap=True)
    __itruediv__ = in_place(numpy.true_divide)
    __floordiv__ = binary(numpy.floor_divide)
    __rfloordiv__ = binary(numpy.floor_divide, swap=True)
    __mod__ = binary(numpy.remainder)
    __rmod__ = binary(numpy.remainder, swap=True)
    __pow__ = binary(numpy.power)
    __ipow__ = in_place(numpy.power)
    __and__ = binary(numpy.bitwise_and)
    __rand__ = binary(numpy.bitwise_and, swap=True)
    __iand__ = in_place(numpy.bitwise_and)
    __or__ = binary(numpy.bitwise_or)
    __ror__ = binary(numpy.bitwise_or, swap=True)
    __ior__ = in_place(numpy.bitwise_or)
    __xor__ = binary(numpy.bitwise_xor)
    __rxor__ = binary(numpy.bitwise_xor, swap=True)
    __lt__ = binary(numpy.less)
    __le__ = binary(numpy.less_equal)
    __gt__ = binary(numpy.greater)
    __ge__ = binary(numpy.greater_equal)
    __eq__ = binary(numpy.equal)  # type: ignore[assignment]
    __ne__ = binary(numpy.not_equal)  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]

    __bool__ = refusing("bool()")
    __int__ = refusing("int()")
    __float__ = refusing("float()")
    __complex__ = refusing("complex()")
    __index__ = refusing("use as an index")
    __iter__ = refusing("iteration")

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse to become a host array unasked."""
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.host!r})"

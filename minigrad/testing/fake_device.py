"""A stand-in for a GPU: GPU code is tested on machines that have none.

Arrays live on the host behind CuPy's manners (see `_fake_array`), and the module has
only the functions, and takes only the keywords, that CuPy has.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy
from numpy import ndarray

from minigrad.backend import Backend, is_array, registered
from minigrad.errors import BackendError
from minigrad.testing._cupy_names import Known, cupy_names
from minigrad.testing._fake_array import FakeArray, host_index
from minigrad.testing._fused_array import NUMBERS, FusedArray, FusedNumber, call, unwrap
from minigrad.typing import Module


@contextmanager
def fake_device() -> Generator[Backend]:
    """Make the backend "fake" known inside the block.

    >>> from minigrad.backend import new_array, use_backend
    >>> with fake_device(), use_backend("fake"):
    ...     new_array([1.0, 2.0]) + 1
    FakeArray(array([2., 3.]))
    """
    backend = _backend()
    if is_array(FakeArray(numpy.empty(0))):
        yield backend  # Known already: a block inside a block.
    else:
        with registered(backend):
            yield backend


@functools.cache
def _backend() -> Backend:
    names = cupy_names()
    module = _namespace("cupy", numpy, names["cupy"])
    special = importlib.import_module("scipy.special")
    for part in ("linalg", "fft"):
        setattr(module, part, _namespace(part, getattr(numpy, part), names[part]))
    tricks = numpy.lib.stride_tricks
    module.lib = ModuleType("fake cupy.lib")  # type: ignore[attr-defined]
    module.lib.stride_tricks = _namespace(  # type: ignore[attr-defined]
        "lib.stride_tricks", tricks, names["stride_tricks"]
    )
    return Backend(
        name="fake",
        module=module,
        array_type=FakeArray,
        to_host=FakeArray.get,
        from_host=lambda array: FakeArray(array.copy()),
        scatter_add=_scatter_add,
        special=lambda: _namespace("special", special, names["special"]),
        fuse=_fuse,
    )


def _namespace(label: str, host: Module, known: dict[str, Known]) -> ModuleType:
    """Build the part of CuPy that NumPy can stand in for."""
    module = ModuleType(f"fake {label} (what CuPy has)")
    for name, entry in known.items():
        if not hasattr(host, name):
            continue
        function = getattr(host, name)
        if entry.kind in ("type", "value"):
            setattr(module, name, function)
        elif isinstance(function, numpy.ufunc) and entry.kind == "ufunc":
            setattr(module, name, _Ufunc(function, entry))
        elif callable(function):
            setattr(module, name, _function(function, entry))
    for name, function in _SPECIAL_CASES.items():
        if label == "cupy":
            setattr(module, name, function)
    return module


def _expect_keywords(entry: Known, options: dict[str, Any]) -> None:
    unknown = [] if entry.keywords is None else set(options) - entry.keywords
    if unknown:
        raise TypeError(
            f"CuPy's {entry.name} takes no argument {', '.join(sorted(unknown))}"
        )


def _function(function: Callable[..., Any], entry: Known) -> Callable[..., Any]:
    @functools.wraps(function)
    def on_device(*values: Any, **options: Any) -> Any:
        _expect_keywords(entry, options)
        into = _class_of(values)
        if entry.kind != "fused" and into is FusedArray:
            raise BackendError(
                f"fake device: {entry.name} inside a fused formula, expected ufuncs "
                "and where; CuPy cannot fuse it"
            )
        return call(into, function, *values, **options)

    return on_device


def _class_of(values: Iterable[Any]) -> type[FusedArray]:
    """Tell what a function of values returns: what it was given."""
    return FusedArray if any(type(v) is FusedArray for v in values) else FakeArray


class _Ufunc:
    """A ufunc of the fake device."""

    def __init__(self, ufunc: numpy.ufunc, entry: Known) -> None:
        self.__name__ = entry.name
        self._ufunc = ufunc
        self._entry = entry

    def __call__(self, *values: Any, **options: Any) -> Any:
        _expect_keywords(self._entry, options)
        return call(_class_of(values), self._ufunc, *values, **options)

    def at(self, target: FakeArray, index: Any, values: Any) -> None:
        """Apply in place at index, counting duplicates."""
        place = host_index(index, target.shape)
        self._ufunc.at(target.host, place, unwrap(values, {}))

    def reduce(self, array: FakeArray, axis: Any = 0, **options: Any) -> Any:
        """Reduce along axis."""
        return call(FakeArray, self._ufunc.reduce, array, axis=axis, **options)

    def accumulate(self, array: FakeArray, axis: int = 0, **options: Any) -> Any:
        """Accumulate along axis."""
        return call(FakeArray, self._ufunc.accumulate, array, axis=axis, **options)

    def outer(self, a: Any, b: Any, **options: Any) -> Any:
        """Apply to all pairs."""
        return call(FakeArray, self._ufunc.outer, a, b, **options)


def _upload(value: Any, dtype: Any = None, copy: bool | None = None) -> FakeArray:
    """Make a device array of numbers, host arrays, device arrays or lists of them."""
    if isinstance(value, FakeArray):
        host = value.host.astype(dtype or value.dtype, copy=bool(copy))
        return value if host is value.host else FakeArray(host)
    if isinstance(value, list | tuple) and any(isinstance(v, FakeArray) for v in value):
        value = unwrap(value, {})
    return FakeArray(numpy.array(value, dtype=dtype))


def _array(obj: Any, dtype: Any = None, copy: bool | None = True) -> FakeArray:
    return _upload(obj, dtype, copy)


def _asarray(a: Any, dtype: Any = None) -> FakeArray:
    return _upload(a, dtype)


def _take(a: FakeArray, indices: Any, axis: Any = None, out: Any = None) -> Any:
    return a.take(indices, axis, out)


def _where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if not isinstance(condition, FusedArray):
        raise TypeError("CuPy's where takes a device array as condition")
    if x is None and y is None:
        return call(FakeArray, numpy.where, condition)
    return call(_class_of((condition, x, y)), numpy.where, condition, x, y)


def _asnumpy(a: Any) -> ndarray:
    return a.get() if isinstance(a, FakeArray) else numpy.asarray(a)


_SPECIAL_CASES: dict[str, Any] = {
    "array": _array,
    "asarray": _asarray,
    "asanyarray": _asarray,
    "asnumpy": _asnumpy,
    "ndarray": FakeArray,
    "take": _take,
    "where": _where,
}
"""What CuPy has and NumPy has not, or does differently."""


def _scatter_add(target: FakeArray, index: Any, values: Any) -> None:
    place = host_index(index, target.shape)
    numpy.add.at(target.host, place, unwrap(values, {}))


def _fuse(formula: Callable[..., Any]) -> Callable[..., Any]:
    """Show formula only what CuPy's fusion shows it."""

    @functools.wraps(formula)
    def fused(*values: Any) -> Any:
        for value in values:
            if not isinstance(value, FakeArray | NUMBERS):
                raise TypeError(f"Unsupported type {type(value)} in a fused formula")
        seen = [
            FusedArray(v.host) if isinstance(v, FakeArray) else FusedNumber(v)
            for v in values
        ]
        result = formula(*seen)
        if isinstance(result, tuple):
            return tuple(_unfused(part) for part in result)
        return _unfused(result)

    return fused


def _unfused(value: Any) -> Any:
    return FakeArray(value.host) if isinstance(value, FusedArray) else value

"""Which array library an array belongs to, and where new arrays are made.

A backend is a row of facts (`Backend`). NumPy's is always there, CuPy's is looked up
when first needed, and tests enter a stand-in for the length of a `with` block.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy
from numpy import ndarray

from minigrad.errors import BackendError
from minigrad.typing import Array, DType, Module

CUPY_REMEDY = (
    'install CuPy with `pip install "cupy-cuda12x[ctk]"` (CUDA 12) or '
    '`pip install "cupy-cuda13x[ctk]"` (CUDA 13)'
)


class Backend(NamedTuple):
    """What the engine needs to know about one array library."""

    name: str
    module: Module
    array_type: type
    to_host: Callable[[Array], ndarray]
    from_host: Callable[[ndarray], Array]
    scatter_add: Callable[[Array, Any, Array], None]
    """(target, index, values): target[index] += values, duplicates counted."""
    special: Callable[[], Module]
    """A module with erf, imported when first asked for."""
    fuse: Callable[[Callable[..., Array]], Callable[..., Array]]
    """Turns a formula over arrays into one kernel."""


def _numpy_special() -> Module:
    return importlib.import_module("scipy.special")


_NUMPY = Backend(
    name="numpy",
    module=numpy,
    array_type=ndarray,
    to_host=lambda array: array,
    from_host=lambda array: array,
    scatter_add=numpy.add.at,
    special=_numpy_special,
    fuse=lambda formula: formula,
)
_backends: dict[str, Backend] = {"numpy": _NUMPY}
_by_type: dict[type, Backend] = {ndarray: _NUMPY}
_selected: ContextVar[Backend | None] = ContextVar("minigrad_backend", default=None)


def array_module(*arrays: Array) -> Module:
    """Return numpy, cupy or the fake device's module: the one that arrays belong to.

    Raises BackendError if they belong to different ones or to none.
    """
    for array in arrays:
        if type(array) is not ndarray:
            return _common_backend(arrays).module
    return numpy


def backend_of(*arrays: Array) -> Backend:
    """Return the facts about the library that arrays belong to."""
    for array in arrays:
        if type(array) is not ndarray:
            return _common_backend(arrays)
    return _NUMPY


def _common_backend(arrays: tuple[Array, ...]) -> Backend:
    found = [_backend_of_one(array) for array in arrays]
    for other in found[1:]:
        if other is not found[0]:
            names = ", ".join(backend.name for backend in found)
            raise BackendError(
                f"arrays live on different backends ({names}), expected one; "
                'move them with .to("numpy") or .to("cupy")'
            )
    return found[0]


def _backend_of_one(array: Array) -> Backend:
    kind = type(array)
    backend = _by_type.get(kind)
    if backend is not None:
        return backend
    if isinstance(array, ndarray | numpy.generic):
        return _NUMPY
    if kind.__module__.partition(".")[0] == "cupy":
        return _find("cupy")
    raise BackendError(
        f"got a {kind.__name__}, expected an array of {', '.join(_backends)}; "
        "make one with minigrad.tensor(...)"
    )


def is_array(value: object) -> bool:
    """Tell whether value is an array of a backend that is loaded."""
    return type(value) in _by_type or isinstance(value, tuple(_by_type))


def is_backend_name(name: object) -> bool:
    """Tell whether name is that of a backend, installed or not."""
    return isinstance(name, str) and (name in _backends or name == "cupy")


def _find(name: str) -> Backend:
    if name in _backends:
        return _backends[name]
    if name == "cupy":
        backend = _load_cupy()
        _backends[name] = backend
        _by_type[backend.array_type] = backend
        return backend
    raise BackendError(f"backend {name!r}, expected 'numpy' or 'cupy'")


def _load_cupy() -> Backend:
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as error:
        raise BackendError(f"CuPy is not installed ({error}); {CUPY_REMEDY}") from error
    wheels = sorted(
        name
        for dist in importlib.metadata.distributions()
        if (name := dist.metadata["Name"] or "").startswith("cupy-cuda")
    )
    if len(wheels) > 1:
        raise BackendError(
            f"several CuPy wheels are installed ({', '.join(wheels)}), expected one; "
            f"run `pip uninstall {' '.join(wheels)}` and install one of them again"
        )
    try:
        count, reason = cupy.cuda.runtime.getDeviceCount(), "it counts no device"
    except cupy.cuda.runtime.CUDARuntimeError as error:
        count, reason = 0, str(error)
    if count == 0:
        raise BackendError(
            f"CuPy is installed but finds no GPU ({reason}); use the numpy backend, "
            "or check the driver with `nvidia-smi`"
        )
    return _cupy_backend(cupy)


def _cupy_backend(cupy: Module) -> Backend:
    return Backend(
        name="cupy",
        module=cupy,
        array_type=cupy.ndarray,
        to_host=cupy.asnumpy,
        from_host=cupy.asarray,
        scatter_add=lambda target, index, values: cupy.add.at(target, index, values),
        special=lambda: importlib.import_module("cupyx.scipy.special"),
        fuse=cupy.fuse,
    )


def current_backend() -> Backend:
    """Return the backend that new arrays are made on.

    It is the one of the innermost `use_backend`, else the one that the environment
    variable MINIGRAD_BACKEND names, else NumPy.
    """
    selected = _selected.get()
    if selected is not None:
        return selected
    return _find(os.environ.get("MINIGRAD_BACKEND") or "numpy")


@contextmanager
def use_backend(name: str) -> Generator[None]:
    """Make new arrays on backend name ("numpy" or "cupy") inside the block.

    Arrays that exist keep their place: move them with `Tensor.to`. Raises BackendError
    if CuPy or a GPU is missing.
    """
    token = _selected.set(_find(name))
    try:
        yield
    finally:
        _selected.reset(token)


@contextmanager
def registered(backend: Backend) -> Generator[Backend]:
    """Know backend inside the block only; for stand-ins such as the fake device."""
    backends, by_type = dict(_backends), dict(_by_type)
    _backends[backend.name] = backend
    _by_type[backend.array_type] = backend
    try:
        yield backend
    finally:
        # What was known before comes back: blocks may nest.
        _backends.clear()
        _backends.update(backends)
        _by_type.clear()
        _by_type.update(by_type)


def to_host(array: Array) -> ndarray:
    """Return array as a NumPy array; one that is on the host already is not copied."""
    return backend_of(array).to_host(array)


def to_backend(array: Array, name: str | None = None) -> Array:
    """Return array on backend name (default: the current one), copied only if it moves.

    Raises BackendError if that backend is not there.
    """
    target = current_backend() if name is None else _find(name)
    source = backend_of(array)
    if source is target:
        return array
    return target.from_host(source.to_host(array))


def new_array(value: object, dtype: DType = None) -> Array:
    """Make a new array from value on the current backend; the values are copied."""
    backend = current_backend()
    if is_array(value):
        moved = to_backend(value, backend.name)
        return backend.module.array(moved, dtype=dtype)
    return backend.from_host(numpy.array(value, dtype=dtype))


def scatter_add(target: Array, index: Any, values: Array) -> None:
    """Add values into target[index] in place; a position named twice gets both."""
    backend_of(target, values).scatter_add(target, index, values)


def special(*arrays: Array) -> Module:
    """Return the module with erf for arrays: scipy.special or cupyx.scipy.special."""
    return backend_of(*arrays).special()

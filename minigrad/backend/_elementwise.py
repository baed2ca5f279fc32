"""Formulas that are written once and evaluated the fast way of each backend.

On NumPy a chain of ufuncs writes every intermediate result to memory. Evaluated block
by block the intermediates stay in cache, and the blocks run on all threads. On CuPy the
same formula becomes one CUDA kernel.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy
from numpy import ndarray

from minigrad.backend._registry import backend_of
from minigrad.backend._threads import parallel_for
from minigrad.typing import Array

BLOCK = 1 << 17
"""Elements per block. Half of it loses to the interpreter lock (dy * (1 - y * y) on 4M
float32: 1.6 ms against 1.3), four times as much leaves a core's cache."""

THRESHOLD = 4 * BLOCK
"""Below this many elements handing blocks to threads costs more than it saves."""


def elementwise(formula: Callable[..., Array]) -> Callable[..., Array]:
    """Decorate a pure formula(xp, *arrays, **out), to be called as f(*arrays).

    The formula hands **out on to its last ufunc, which then writes where the result
    belongs instead of to a temporary; it may use only ufuncs and `where`. Arrays
    broadcast as in NumPy; Python scalars and 0-d arrays are passed on as they are.

    >>> import numpy
    >>> @elementwise
    ... def square_plus(xp, x, c, **out):
    ...     return xp.add(x * x, c, **out)
    >>> square_plus(numpy.arange(3.0), 1.0)
    array([1., 2., 5.])
    """
    fused: dict[str, Callable[..., Array]] = {}

    @functools.wraps(formula)
    def evaluate(*arrays: Any) -> Array:
        first = arrays[0]
        if type(first) is ndarray:
            if first.size >= THRESHOLD and first.dtype.kind == "f":
                return _blocked(formula, arrays)
            return formula(numpy, *arrays)
        backend = backend_of(first)
        if backend.name not in fused:

            @functools.wraps(formula)
            def on_device(*arrays: Any) -> Array:
                return formula(backend.module, *arrays)

            fused[backend.name] = backend.fuse(on_device)
        return fused[backend.name](*arrays)

    return evaluate


def memory_order(array: Array, axes: int | None = None) -> tuple[int, ...]:
    """Return the first axes (default: all) as they lie in memory, longest stride first.

    >>> import numpy
    >>> memory_order(numpy.zeros((2, 3, 4)).transpose(2, 0, 1))
    (1, 2, 0)
    """
    count = array.ndim if axes is None else axes
    return tuple(sorted(range(count), key=lambda axis: -array.strides[axis]))


def _blocked(formula: Callable[..., Array], arrays: tuple[Any, ...]) -> Array:
    """Evaluate on NumPy block by block if all arrays share one dense layout."""
    first: ndarray = arrays[0]
    order = memory_order(first)
    flat: list[ndarray | None] = []
    for array in arrays:
        if not isinstance(array, ndarray) or array.ndim == 0:
            flat.append(None)
        elif array.shape == first.shape and (
            (dense := array.transpose(order)).flags.c_contiguous
        ):
            flat.append(dense.reshape(-1))
        else:
            return formula(numpy, *arrays)

    def block(start: int, **out: ndarray) -> Array:
        parts = (
            array if line is None else line[start : start + BLOCK]
            for array, line in zip(arrays, flat, strict=True)
        )
        return formula(numpy, *parts, **out)

    head = block(0)
    result = numpy.empty(first.size, head.dtype)
    result[:BLOCK] = head

    def body(index: int) -> None:
        start = (index + 1) * BLOCK
        place = result[start : start + BLOCK]
        values = block(start, out=place)
        if values is not place:
            place[...] = values

    parallel_for(-(-first.size // BLOCK) - 1, body)
    # Back from memory order to the order of the input's axes.
    shape = [first.shape[axis] for axis in order]
    return result.reshape(shape).transpose(numpy.argsort(order))

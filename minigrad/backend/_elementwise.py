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
            if first.size >= THRESHOLD and first.dtype.kind in "fc":
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
    """Evaluate on NumPy block by block, where the result has the first array's shape.

    Arrays that share one dense layout are cut anywhere, others along the axis that is
    outermost in the first one's memory.
    """
    first: ndarray = arrays[0]
    order = memory_order(first)
    whole = [isinstance(array, ndarray) and array.ndim > 0 for array in arrays]
    lines = [
        array.transpose(order)
        for array, is_array in zip(arrays, whole, strict=True)
        if is_array and array.shape == first.shape
    ]
    if len(lines) == sum(whole) and all(line.flags.c_contiguous for line in lines):
        shape = [first.shape[axis] for axis in order]
        flat = iter([line.reshape(-1) for line in lines])
        parts = [next(flat) if found else None for found in whole]
        result = _in_steps(formula, arrays, parts, BLOCK)
        # Back from memory order to the order of the input's axes.
        return result.reshape(shape).transpose(numpy.argsort(order))
    axis = order[0]
    step = max(1, first.shape[axis] * BLOCK // first.size)
    fits = numpy.broadcast_shapes(*(numpy.shape(a) for a in arrays)) == first.shape
    if first.shape[axis] == 1 or not fits:
        return formula(numpy, *arrays)
    parts = [
        numpy.moveaxis(numpy.broadcast_to(array, first.shape), axis, 0)
        if found
        else None
        for array, found in zip(arrays, whole, strict=True)
    ]
    return numpy.moveaxis(_in_steps(formula, arrays, parts, step), 0, axis)


def _in_steps(
    formula: Callable[..., Array],
    arrays: tuple[Any, ...],
    parts: list[ndarray | None],
    step: int,
) -> Array:
    """Evaluate step entries of the first axis of parts at a time, on all threads.

    Where parts holds None, the formula gets what arrays holds, whole.
    """

    def block(start: int, **out: ndarray) -> Array:
        return formula(
            numpy,
            *(
                array if part is None else part[start : start + step]
                for array, part in zip(arrays, parts, strict=True)
            ),
            **out,
        )

    first = parts[0]
    assert first is not None
    head = block(0)
    result = numpy.empty_like(first, head.dtype)
    result[:step] = head

    def body(index: int) -> None:
        place = result[(index + 1) * step : (index + 2) * step]
        values = block((index + 1) * step, out=place)
        if values is not place:
            place[...] = values

    parallel_for(-(-len(first) // step) - 1, body)
    return result

"""The sums that measures are made of, taken block by block where arrays are large.

All run in float64 (complex128 for complex arrays). A float32 array as a whole, widened,
would go to memory and back for each sum; a block of it stays in cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy
from numpy import ndarray

from minigrad.backend import array_module, parallel_for, to_host
from minigrad.typing import Array

BLOCK: Final = 1 << 16
"""Elements a block: half a megabyte widened, so that a block and its terms stay in a
core's second cache. With a quarter of it threads hand over too often, which takes twice
as long."""


class Sums(NamedTuple):
    """Of one array a: <a, a>, <a, total>, sum |a|, how many elements are not 0."""

    square: float
    inner: float
    magnitude: float
    alive: float


Row = list[Array]
"""Numbers that add up over the blocks of an array: 0-d arrays."""


def square(dy: Any) -> Array:
    """Return the squared norm of dy, a 0-d array; dy may be a tuple of arrays."""
    parts = dy if isinstance(dy, tuple) else (dy,)
    with numpy.errstate(all="ignore"):
        return sum(_added(_squares, part)[0] for part in parts)


def of_parts(
    gradient: Array, edges: Sequence[Sequence[Array]], sources: Sequence[Array]
) -> Row:
    """Return the numbers of all `Sums`, one after the other, and two more.

    Sums of gradient; of each edge the sums of its terms' sum, and of each term; of each
    source. Last |gradient - all terms|**2 and |gradient - all sources|**2.
    """
    counts = [len(terms) for terms in edges]
    terms = [term for edge in edges for term in edge]
    # A lone term often is the gradient itself: then there is nothing to add up.
    same = [term is gradient for term in terms]
    others = [term for term, own in zip(terms, same, strict=True) if not own]

    def rows(total: Array, *arrays: Array) -> Row:
        rest = iter(arrays)
        found = [total if own else next(rest) for own in same]
        return _rows(total, _grouped(found, counts), list(rest))

    with numpy.errstate(all="ignore"):
        return _added(rows, gradient, *others, *sources)


def fetch(values: Row) -> list[float]:
    """Bring 0-d arrays to the host, all in one transfer."""
    xp = array_module(*(value for value in values if hasattr(value, "dtype")))
    if xp is numpy:
        return [float(value) for value in values]
    return to_host(
        xp.stack([xp.asarray(value, dtype="float64") for value in values])
    ).tolist()


def _grouped(flat: Sequence[Array], counts: Sequence[int]) -> list[list[Array]]:
    found = iter(flat)
    return [[next(found) for _ in range(count)] for count in counts]


def _squares(array: Array) -> Row:
    return [_dot(array, array)]


def _rows(
    total: Array, edges: Sequence[Sequence[Array]], sources: Sequence[Array]
) -> Row:
    """Sum widened arrays, or blocks of them; see of_parts."""
    rest = unclaimed = total
    row = of_total = _sums(total, total)
    for parts in edges:
        whole = sum(parts[1:], parts[0])
        rest = rest - whole
        each = [of_total if part is total else _sums(part, total) for part in parts]
        row = row + (each[0] if whole is parts[0] else _sums(whole, total))
        row = sum(each, row)
    for part in sources:
        unclaimed = unclaimed - part
        row = row + _sums(part, total)
    left = _dot(unclaimed, unclaimed) if sources else 0.0
    return [*row, _dot(rest, rest), left]


def _sums(array: Array, total: Array) -> Row:
    """Return the fields of `Sums` as 0-d arrays."""
    xp = array_module(array)
    square = _dot(array, array)
    return [
        square,
        square if array is total else _dot(array, total),
        xp.sum(xp.abs(array)),
        xp.count_nonzero(array),
    ]


def _dot(a: Array, b: Array) -> Array:
    return array_module(a).vdot(a, b).real


def _widened(array: Array) -> Array:
    return array.astype("complex128" if array.dtype.kind == "c" else "float64")


def _added(rows: Callable[..., Row], *arrays: Array) -> Row:
    """Call rows with widened arrays, in blocks if they are large, and add up."""
    first = arrays[0]
    if not isinstance(first, ndarray) or first.size < 4 * BLOCK:
        return rows(*map(_widened, arrays))
    # All in the order in which the first lies in memory: its blocks are then views.
    order = sorted(range(first.ndim), key=lambda axis: -abs(first.strides[axis]))
    flat = [array.transpose(order).reshape(-1) for array in arrays]
    starts = range(0, first.size, BLOCK)
    found: list[Row] = [[]] * len(starts)

    def body(index: int) -> None:
        part = slice(starts[index], starts[index] + BLOCK)
        found[index] = rows(*(_widened(array[part]) for array in flat))

    parallel_for(len(starts), body)
    return list(numpy.sum(found, axis=0))

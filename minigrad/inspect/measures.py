"""What is measured of a contribution to a gradient, and how.

All sums run in float64 (complex128 for complex arrays) on the device that holds the
arrays; what comes to the host is one short vector of numbers for each gradient. Squares
leave float64's range for elements beyond 1e154 or below 1e-162: such norms show as inf
or 0, while the fractions of zeros stay right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy

from minigrad.backend import array_module, to_host
from minigrad.typing import Array

NOISE: Final = 1000
"""A sum below NOISE machine epsilons of its parts has fewer than three true digits."""

_EPSILON: Final = {2: 2.0**-8, 4: 2.0**-23, 8: 2.0**-52}
"""By bytes of a real number; two bytes may be bfloat16, which has 8 bits."""


class Measures(NamedTuple):
    """What is known of one part of a gradient; None where it is not defined.

    Attributes:
        norm: Euclidean norm of the part.
        share: <part, total> / <total, total>; the shares of a gradient's terms sum to
            1. Below 0: the part works against the rest. None if the total is zero, not
            finite, or mere rounding noise (see NOISE).
        cosine: cosine of the angle between part and total; None where share is.
        cancellation: 1 - |sum of t| / sum of |t| over the terms t of the part: 0 if
            they all point one way (or there is one, or all are zero), 1 if they cancel.
            None if a norm is not finite.
        gain: |part| / |dy|, with the dy that arrived at the kernel that sent it; None
            for a total, and where dy is zero.
        dead: fraction of elements that are exactly 0, from 0 to 1; 0 without elements.
        finite: whether no element is infinite or NaN.
        mean_abs: mean of the elements' absolute values.
    """

    norm: float
    share: float | None
    cosine: float | None
    cancellation: float | None
    gain: float | None
    dead: float
    finite: bool
    mean_abs: float


class Arrived(NamedTuple):
    """An edge whose terms are to be measured.

    Attributes:
        number: of the call that sent them.
        input: which input of the call they are of.
        terms: name -> array.
        square: squared norm of the dy that came to the call, a 0-d array.
        idle: see `evidence.idle`.
    """

    number: int
    input: str
    terms: Mapping[str, Array]
    square: Array
    idle: Array | None


class Weighed(NamedTuple):
    """The measures of a gradient, of its edges, their terms, and of its sources.

    Attributes:
        total, edges, terms, sources: their measures, in the order given.
        idle: share of idle elements of each edge, or None.
        error: |sum of all terms - gradient| / (sum of |term| + |gradient before|).
        source_error: |sum of all sources - gradient| by the same measure.
    """

    total: Measures
    edges: list[Measures]
    terms: list[dict[str, Measures]]
    sources: dict[str, Measures]
    idle: list[float | None]
    error: float
    source_error: float


class _Sums(NamedTuple):
    """Of one array a: <a, a>, <a, total>, sum |a|, how many elements are not 0."""

    square: float
    inner: float
    magnitude: float
    alive: float


def epsilon(dtype: Any) -> float:
    """Return the spacing of numbers near 1 in dtype."""
    return _EPSILON[dtype.itemsize // (2 if dtype.kind == "c" else 1)]


def square(dy: Any) -> Array:
    """Return the squared norm of dy, a 0-d array; dy may be a tuple of arrays."""
    parts = [_widen(part) for part in (dy if isinstance(dy, tuple) else (dy,))]
    with numpy.errstate(all="ignore"):
        return sum(_dot(part, part) for part in parts)


def weigh(
    edges: Sequence[Arrived],
    gradient: Array,
    before: Array,
    sources: Mapping[str, Array],
) -> Weighed:
    """Measure what edges, and what sources, gave to gradient.

    before is the squared norm of what had been in gradient's place; the gradient's
    difference to it carries rounding errors of that size.
    """
    with numpy.errstate(all="ignore"):
        total = rest = unclaimed = _widen(gradient)
        rows = [_sums(total, total)]
        for edge in edges:
            # A lone term often is the gradient itself: then there is nothing to add up.
            parts = [total if t is gradient else _widen(t) for t in edge.terms.values()]
            whole = sum(parts[1:], parts[0])
            rest = rest - whole
            each = [rows[0] if p is total else _sums(p, total) for p in parts]
            rows += [each[0] if whole is parts[0] else _sums(whole, total), *each]
        for part in map(_widen, sources.values()):
            unclaimed = unclaimed - part
            rows.append(_sums(part, total))
        rows.append([_dot(rest, rest), _dot(unclaimed, unclaimed), before])
        rows.append([edge.square for edge in edges])
        rows.append([0.0 if edge.idle is None else edge.idle for edge in edges])
        numbers = _fetch([value for row in rows for value in row])
    return _read(edges, list(sources), numbers, gradient.size, epsilon(gradient.dtype))


def _widen(array: Array) -> Array:
    return array.astype("complex128" if array.dtype.kind == "c" else "float64")


def _dot(a: Array, b: Array) -> Array:
    return array_module(a).vdot(a, b).real


def _sums(array: Array, total: Array) -> list[Array]:
    """Return the fields of `_Sums` as 0-d arrays."""
    xp = array_module(array)
    return [
        _dot(array, array),
        _dot(array, total),
        xp.sum(xp.abs(array)),
        xp.count_nonzero(array),
    ]


def _fetch(values: list[Array]) -> list[float]:
    """Bring 0-d arrays to the host, all in one transfer."""
    xp = array_module(values[0])
    if xp is numpy:
        return [float(value) for value in values]
    return to_host(
        xp.stack([xp.asarray(value, dtype="float64") for value in values])
    ).tolist()


def _read(
    edges: Sequence[Arrived],
    sources: Sequence[str],
    numbers: list[float],
    size: int,
    eps: float,
) -> Weighed:
    """Turn the numbers that weigh has fetched into measures."""
    width = len(_Sums._fields)
    tail = len(numbers) - 3 - 2 * len(edges)
    sums = (_Sums(*numbers[at : at + width]) for at in range(0, tail, width))
    rest, unclaimed, before, *others = numbers[tail:]
    arrived, idle = others[: len(edges)], others[len(edges) :]
    total = next(sums)
    found = [(next(sums), {name: next(sums) for name in e.terms}) for e in edges]
    spreads = [sum(_root(part.square) for part in parts.values()) for _, parts in found]
    spread, norm = sum(spreads), _root(total.square)
    # Shares of what is mere rounding noise would mean nothing.
    reference = norm if norm > NOISE * eps * spread else 0.0
    scale = spread + _root(before)

    def measure(part: _Sums, spread: float, dy: float | None) -> Measures:
        return _measure(part, spread, dy, reference, size)

    def alone(part: _Sums, dy: float | None) -> Measures:
        return measure(part, _root(part.square), dy)

    return Weighed(
        measure(total, spread, None),
        [
            measure(whole, of_terms, dy)
            for (whole, _), of_terms, dy in zip(found, spreads, arrived, strict=True)
        ],
        [
            {name: alone(part, dy) for name, part in parts.items()}
            for (_, parts), dy in zip(found, arrived, strict=True)
        ],
        {name: alone(next(sums), None) for name in sources},
        [
            None if edge.idle is None else share
            for edge, share in zip(edges, idle, strict=True)
        ],
        _root(rest) / scale if edges and scale else 0.0,
        _root(unclaimed) / scale if sources and scale else 0.0,
    )


def _measure(
    sums: _Sums, spread: float, dy: float | None, reference: float, size: int
) -> Measures:
    """Measure one part; spread is the sum of its terms' norms."""
    norm = _root(sums.square)
    kept = _ratio(norm, spread) if spread else 1.0
    return Measures(
        norm=norm,
        share=_ratio(sums.inner, reference * reference),
        cosine=_ratio(sums.inner, norm * reference),
        # Rounding can make the sum a hair longer than its parts.
        cancellation=None if kept is None else max(0.0, 1 - kept),
        gain=None if dy is None else _ratio(norm, _root(dy)),
        dead=(size - sums.alive) / size if size else 0.0,
        # Elements that are finite sum to less than inf, up to 1e308 over their count.
        finite=math.isfinite(sums.magnitude),
        mean_abs=sums.magnitude / size if size else 0.0,
    )


def _root(value: float) -> float:
    """Return the square root; NaN stays."""
    return math.sqrt(value) if value >= 0 else math.nan


def _ratio(above: float, below: float) -> float | None:
    """Divide; None where the quotient is not a finite number."""
    if below == 0 or not (math.isfinite(above) and math.isfinite(below)):
        return None
    return above / below

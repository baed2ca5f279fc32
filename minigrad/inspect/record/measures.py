"""What is measured of a contribution to a gradient, and how.

Sums run in float64 (see `sums`) on the device that holds the arrays; what comes to the
host is one short vector of numbers for each gradient. Squares leave float64's range for
elements beyond 1e154 or below 1e-162: such norms show as inf or 0, while the fractions
of zeros stay right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy

from minigrad.inspect.record.sums import Sums, fetch, of_parts
from minigrad.typing import Array

NOISE: Final = 1000
"""A sum below NOISE machine epsilons of its parts has fewer than three true digits."""

CANCELLED: Final = 1e-5
"""A bias gets the sum of dy: with a gain below this it is what rounding left of it."""

_HALF: Final = 2.0**-8
"""Two bytes may be bfloat16, which has 8 bits."""


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
        source_error: |sum of all sources - gradient| / (the same + sum of |dy|).
        before: norm of what had been in the gradient's place.
    """

    total: Measures
    edges: list[Measures]
    terms: list[dict[str, Measures]]
    sources: dict[str, Measures]
    idle: list[float | None]
    error: float
    source_error: float
    before: float


def epsilon(dtype: Any) -> float:
    """Return the spacing of numbers near 1 in dtype."""
    if dtype.itemsize == 2:
        return _HALF
    return float(numpy.finfo(dtype).eps)


def greater(one: float, other: float) -> float:
    """Return the greater of two errors; NaN is greater than all."""
    return one if one > other or math.isnan(one) else other


def is_cancelled(name: str, gain: float | None) -> bool:
    """Tell whether what an input called name gets is a sum that has cancelled."""
    return name == "b" and gain is not None and gain < CANCELLED


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
    terms = [list(edge.terms.values()) for edge in edges]
    numbers = fetch(
        [
            *of_parts(gradient, terms, list(sources.values())),
            before,
            *(edge.square for edge in edges),
            *(0.0 if edge.idle is None else edge.idle for edge in edges),
        ]
    )
    return _read(edges, list(sources), numbers, gradient.size, epsilon(gradient.dtype))


def _read(
    edges: Sequence[Arrived],
    sources: Sequence[str],
    numbers: list[float],
    size: int,
    eps: float,
) -> Weighed:
    """Turn the numbers that weigh has fetched into measures."""
    width = len(Sums._fields)
    tail = len(numbers) - 3 - 2 * len(edges)
    read = (Sums(*numbers[at : at + width]) for at in range(0, tail, width))
    rest, unclaimed, before, *others = numbers[tail:]
    arrived, idle = others[: len(edges)], others[len(edges) :]
    total = next(read)
    found = [(next(read), {name: next(read) for name in e.terms}) for e in edges]
    spreads = [sum(_root(part.square) for part in parts.values()) for _, parts in found]
    spread, norm = sum(spreads), _root(total.square)
    # Shares of what is mere rounding noise would mean nothing.
    reference = norm if norm > NOISE * eps * spread else 0.0
    came = [_root(dy) for dy in arrived]
    pairs = zip(edges, came, strict=True)
    if edges and all(is_cancelled(edge.input, _ratio(norm, dy)) for edge, dy in pairs):
        reference = 0.0
    scale = spread + _root(before)

    def measure(part: Sums, spread: float, dy: float | None) -> Measures:
        return _measure(part, spread, dy, reference, size)

    def alone(part: Sums, dy: float | None) -> Measures:
        return measure(part, _root(part.square), dy)

    return Weighed(
        measure(total, spread, None),
        [
            measure(whole, of_terms, dy)
            for (whole, _), of_terms, dy in zip(found, spreads, came, strict=True)
        ],
        [
            {name: alone(part, dy) for name, part in parts.items()}
            for (_, parts), dy in zip(found, came, strict=True)
        ],
        {name: alone(next(read), None) for name in sources},
        [
            None if edge.idle is None else share
            for edge, share in zip(edges, idle, strict=True)
        ],
        _root(rest) / scale if edges and scale else 0.0,
        _root(unclaimed) / (scale + sum(came)) if sources and scale else 0.0,
        _root(before),
    )


def _measure(
    sums: Sums, spread: float, dy: float | None, reference: float, size: int
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
        gain=None if dy is None else _ratio(norm, dy),
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

"""Freeze probabilities of LayerOut, and draws of which units are frozen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy

from minigrad.errors import ArgumentError, got
from minigrad.kernels._arguments import is_real

_TRIES: Final = 1000
"""Draws before one unit is thawed by force: 0.99 ** 1000 is 4e-5."""


def increasing(count: int, low: float = 0.1, high: float = 0.9) -> tuple[float, ...]:
    """Freeze probabilities (K,) that rise with depth: late layers freeze more.

    The paper's dfreeze. One unit gets low. Raises ArgumentError for a count that is no
    integer >= 0, and unless 0 <= low <= high <= 1.

    >>> increasing(3)
    (0.1, 0.5, 0.9)
    """
    return _ramp("increasing", count, low, high)


def decreasing(count: int, low: float = 0.1, high: float = 0.9) -> tuple[float, ...]:
    """Freeze probabilities (K,) that fall with depth: early layers freeze more.

    The paper's efreeze. One unit gets low. Raises what increasing does.

    >>> decreasing(3)
    (0.9, 0.5, 0.1)
    """
    return _ramp("decreasing", count, low, high)[::-1]


def _ramp(who: str, count: int, low: float, high: float) -> tuple[float, ...]:
    """Space count numbers evenly from low to high."""
    count = whole(who, "count", count)
    # Written so that what is not a number fails, too.
    if not (is_real(low) and is_real(high) and 0 <= low <= high <= 1):
        rule = "0 <= low <= high <= 1"
        raise ArgumentError(got(who, "low and high are", (low, high), rule))
    return tuple(float(p) for p in numpy.linspace(low, high, count).round(12))


def joint_probability(frozen: Iterable[bool], v: Sequence[float]) -> float:
    """pi(s), the product of v_k where unit k is frozen and 1 - v_k where it is not.

    It does not exclude that all are frozen; see frozen_probability. Raises
    ArgumentError if s and v differ in length, or v is not in [0, 1].

    >>> joint_probability((True, False), (0.9, 0.2))
    0.7200000000000001
    """
    v = probabilities_of("joint_probability", v)
    s = tuple(frozen)
    if len(s) != len(v):
        found = f"{len(s)} and {len(v)}"
        rule = "the same"
        who = "joint_probability"
        raise ArgumentError(got(who, "the lengths of frozen and v are", found, rule))
    pairs = zip(s, v, strict=True)
    return math.prod(p if is_frozen else 1 - p for is_frozen, p in pairs)


def frozen_probability(v: Sequence[float]) -> tuple[float, ...]:
    """Probability (K,) that each unit is frozen, given that not all of them are.

    (v_i - P) / (1 - P), where P is the product of v. Raises ArgumentError if P is 1.

    >>> [round(p, 3) for p in frozen_probability((0.9, 0.5))]
    [0.818, 0.091]
    """
    v = probabilities_of("frozen_probability", v)
    everything = math.prod(v)
    if everything == 1:
        raise ArgumentError(complete("frozen_probability", v))
    return tuple((p - everything) / (1 - everything) for p in v)


def draw_frozen(v: Sequence[float], rng: numpy.random.Generator) -> tuple[bool, ...]:
    """Draw which units are frozen: each with its probability in v (K,), never all.

    Draws in which all are frozen are thrown away. Raises ArgumentError if v is not in
    [0, 1] or is nothing but ones.

    >>> from minigrad.random import generator
    >>> draw_frozen((0.0, 1.0, 0.5), generator(0, "frozen"))
    (False, True, False)
    """
    v = probabilities_of("draw_frozen", v)
    if all(p == 1 for p in v):
        raise ArgumentError(complete("draw_frozen", v))
    for _ in range(_TRIES):
        frozen = rng.random(len(v)) < v
        if not frozen.all():
            return tuple(frozen.tolist())
    weights = numpy.cumsum([1 - p for p in v])
    thawed = int(numpy.searchsorted(weights, rng.random() * weights[-1], side="right"))
    return tuple(place != thawed for place in range(len(v)))


def complete(who: str, v: Sequence[float]) -> str:
    """Word the error of probabilities that are nothing but ones."""
    rule = "one below 1, since a complete LayerOut, all layers frozen, learns nothing"
    return got(who, "v is", list(v), rule)


def whole(who: str, what: str, value: object) -> int:
    """Return value as an integer >= 0, or raise ArgumentError."""
    fits = isinstance(value, int | numpy.integer) and not isinstance(value, bool)
    if not fits or value < 0:  # type: ignore[operator]
        raise ArgumentError(got(who, what, repr(value), "an integer >= 0"))
    return int(value)  # type: ignore[call-overload]


def probabilities_of(who: str, v: Any) -> tuple[float, ...]:
    """Return v as Python numbers, or raise ArgumentError."""
    try:
        array = numpy.asarray(v, "float64")
    except (TypeError, ValueError):
        array = numpy.empty((0, 0))
    # Written so that what is not a number fails, too.
    if array.ndim != 1 or not ((array >= 0) & (array <= 1)).all():
        raise ArgumentError(got(who, "v is", repr(v), "probabilities (K,) in [0, 1]"))
    return tuple(float(p) for p in array)

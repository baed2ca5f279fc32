"""What must hold of recorded gradients, and the errors if it does not."""

from __future__ import annotations

import math

from minigrad.errors import ArgumentError, GradientCheckError, got
from minigrad.inspect.explain.tables import number
from minigrad.inspect.record.history import History
from minigrad.inspect.record.measures import epsilon
from minigrad.kernels._arguments import is_real


def conserved(history: History, tolerance: float | None) -> None:
    """Raise GradientCheckError if parts of a gradient do not sum to it."""
    if tolerance is not None and not (is_real(tolerance) and tolerance >= 0):
        rule = "a number, at least 0"
        raise ArgumentError(got("assert_conserved", "tolerance", repr(tolerance), rule))
    for name, (at, target, _) in history.worst.items():
        limit = tolerance
        if limit is None:
            # Half of the digits: what is worse is no rounding but a mistake.
            limit = math.sqrt(epsilon(target.dtype))
        # Written so that NaN fails.
        if target.error <= limit:
            continue
        if not target.measures.finite:
            raise GradientCheckError(
                f"assert_conserved: the gradient of `{name}` is not finite in pass "
                f"{at}, expected one that terms can sum to; assert_finite() names "
                "where that starts"
            )
        edges = ", ".join(edge.title for edge in target.edges)
        parts = "terms and sources" if target.sources else "terms"
        raise GradientCheckError(
            f"assert_conserved: the {parts} of `{name}` miss its gradient by "
            f"{number(target.error)} of their norms in pass {at}, expected at most "
            f"{number(limit)}; check the fused rules of {edges}"
        )


def finite(history: History) -> None:
    """Raise GradientCheckError at the first gradient that is not finite."""
    if history.fault is not None:
        at, target, sentence = history.fault
        raise GradientCheckError(
            f"assert_finite: pass {at} has an infinite or NaN gradient, expected none; "
            f"`{target.name}` {sentence}"
        )


def no_dead(history: History, limit: float) -> None:
    """Raise GradientCheckError if limit or more of a named gradient is exactly zero."""
    if not 0 < limit <= 1:
        raise ArgumentError(f"assert_no_dead: limit {limit}, expected in (0, 1]")
    for name, (at, target, sentence) in history.dead.items():
        dead = target.measures.dead
        if target.kind in ("parameter", "named") and dead >= limit:
            raise GradientCheckError(
                f"assert_no_dead: {number(100 * dead)} % of a gradient is zero in "
                f"pass {at}, expected less than {number(100 * limit)} %; "
                f"`{name}` {sentence}"
            )

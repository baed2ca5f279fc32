"""What must hold of recorded gradients, and the errors if it does not."""

from __future__ import annotations

import math
from collections.abc import Sequence

from minigrad.errors import ArgumentError, GradientCheckError
from minigrad.inspect import reasons
from minigrad.inspect.measures import epsilon
from minigrad.inspect.records import Pass
from minigrad.inspect.tables import number


def conserved(passes: Sequence[Pass], tolerance: float | None) -> None:
    """Raise GradientCheckError if the terms of a gradient do not sum to it."""
    for at, one in enumerate(passes, 1):
        for target in one.values():
            limit = tolerance
            if limit is None:
                # Half of the digits: what is worse is no rounding but a mistake.
                limit = math.sqrt(epsilon(target.dtype))
            # Written so that NaN fails.
            if not target.error <= limit:
                if not target.measures.finite:
                    raise GradientCheckError(
                        f"assert_conserved: the gradient of `{target.name}` is not "
                        f"finite in pass {at}, expected one that terms can sum to; "
                        "assert_finite() names where that starts"
                    )
                edges = ", ".join(edge.title for edge in target.edges)
                raise GradientCheckError(
                    f"assert_conserved: the terms of `{target.name}` miss its gradient "
                    f"by {number(target.error)} of their norms in pass {at}, expected "
                    f"at most {number(limit)}; check the fused rules of {edges}"
                )


def finite(passes: Sequence[Pass]) -> None:
    """Raise GradientCheckError at the first gradient that is not finite."""
    for at, one in enumerate(passes, 1):
        # In the order of backward, so that the first is nearest to the cause.
        for target in reversed(one.values()):
            if not target.measures.finite:
                raise GradientCheckError(
                    f"assert_finite: pass {at} has an infinite or NaN gradient, "
                    f"expected none; {reasons.explain(target.name, target, one)}"
                )


def no_dead(passes: Sequence[Pass], limit: float) -> None:
    """Raise GradientCheckError if limit or more of a named gradient is exactly zero."""
    if not 0 < limit <= 1:
        raise ArgumentError(f"assert_no_dead: limit {limit}, expected in (0, 1]")
    for at, one in enumerate(passes, 1):
        for target in one.values():
            dead = target.measures.dead
            if target.kind in ("parameter", "named") and dead >= limit:
                raise GradientCheckError(
                    f"assert_no_dead: {number(100 * dead)} % of a gradient is zero in "
                    f"pass {at}, expected less than {number(100 * limit)} %; "
                    f"{reasons.explain(target.name, target, one)}"
                )

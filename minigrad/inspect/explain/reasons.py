"""Why a gradient is what it is: one sentence with the evidence.

A verdict looks at the root mean square (rms) of the elements, because that is what a
step of an optimiser moves a weight by. The cause is looked for along the edges, from
the gradient back to what backward() was called on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from minigrad.inspect.explain.clauses import (
    HUGE,
    MOSTLY,
    TINY,
    arrived_at,
    cancels,
    place,
    rms,
    state_of,
    unseen,
)
from minigrad.inspect.explain.extremes import extreme
from minigrad.inspect.explain.tables import number as text
from minigrad.inspect.record.measures import epsilon, is_cancelled
from minigrad.inspect.record.records import Edge, Pass, Target

UNDERFLOW: Final = 1e-35
"""A norm below it is about to be 0 in float32, whose least normal number is 1e-38."""

_NO_INPUT: Final = "a weight gets nothing from inputs that are 0"
_NO_WEIGHT: Final = "nothing passes a weight of 0"
_NO_FACTOR: Final = "a factor gets nothing where the other one is 0"

HINTS: Final[Mapping[str, str]] = {
    "linear w": _NO_INPUT,
    "linear_no_bias w": _NO_INPUT,
    "conv2d w": _NO_INPUT,
    "linear x": _NO_WEIGHT,
    "linear_no_bias x": _NO_WEIGHT,
    "conv2d x": _NO_WEIGHT,
    "mul a": _NO_FACTOR,
    "mul b": _NO_FACTOR,
}
"""By kernel and input: how it makes zeros of a gradient that is not zero."""


def verdict(target: Target) -> str:
    """Return "not finite", "zero", "noise", "tiny", "huge" or "healthy"."""
    measures = target.measures
    if not measures.finite:
        return "not finite"
    if measures.dead == 1:
        return "zero"
    if cancels(measures, target.dtype) or _sum_cancels(target):
        return "noise"
    size = rms(target)
    if size < TINY and math.prod(target.shape):
        return "tiny"
    return "huge" if size > HUGE else "healthy"


def explain(target: Target, one: Pass, fault: str = "") -> str:
    """Say why target is what its verdict is in one pass: the sentence about it.

    fault is what the forward pass had that was not finite, "" if nothing was seen.
    """
    found = verdict(target)
    if found == "not finite":
        before = f"; before that, in forward, {fault}" if fault else ""
        return f"is not finite: {_origin_of_faults(target, one)}{before}."
    if found == "zero":
        return f"is exactly zero: {_origin_of_zeros(target, one)}."
    if found == "noise" and _sum_cancels(target):
        return (
            f"is rounding noise of norm {text(target.measures.norm)}: the sum over the "
            f"batch cancels in {', '.join(map(place, target.edges))}, as ahead of a "
            "normalisation."
        )
    if found == "noise":
        return (
            f"is rounding noise of norm {text(target.measures.norm)}: its terms "
            f"cancel, {_norms(target)}."
        )
    if found == "healthy":
        return f"is healthy: {_state(target)}."
    return f"is {found}: {extreme(target, one, tiny=found == 'tiny')}."


def _sum_cancels(target: Target) -> bool:
    """Tell whether a bias has nothing but what rounding left of its sums."""
    return bool(target.edges) and all(
        is_cancelled(edge.input, edge.measures.gain) for edge in target.edges
    )


def _norms(target: Target) -> str:
    """List the norms of all terms, with the edge of each if there are several."""
    several = len(target.edges) > 1
    return ", ".join(
        f"{edge.title + ' ' if several else ''}{term.name} {text(term.measures.norm)}"
        for edge in target.edges
        for term in edge.terms
    )


def _joint_norm(targets: list[Target]) -> str:
    return text(math.hypot(*(target.measures.norm for target in targets)))


def _origin_of_faults(target: Target, one: Pass) -> str:
    """Follow what is not finite to the kernel at which finite gradients arrived."""
    while target.edges:
        edge = next((e for e in target.edges if not e.measures.finite), None)
        if edge is None and not math.isfinite(target.before):
            return (
                f"the gradient that {target.name} held before this pass is not finite; "
                "call zero_grad()"
            )
        if edge is None:
            return (
                f"what comes over {_count(target)} into {target.name} is finite, but "
                f"the sum overflows {target.dtype}"
            )
        arrived = arrived_at(edge, one)
        faulty = [source for source in arrived if not source.measures.finite]
        if not arrived:
            return unseen(edge)
        if not faulty:
            terms = [term.name for term in edge.terms if not term.measures.finite]
            where = f"term {terms[0]}" if terms else "in the sum of its finite terms"
            return (
                f"it began in {place(edge)}, {where}, where a finite gradient of norm "
                f"{_joint_norm(arrived)} had arrived"
            )
        target = faulty[0]
    return f"backward() was called on {target.name} with a gradient that is not finite"


def _origin_of_zeros(target: Target, one: Pass) -> str:
    """Follow zeros to the kernel at which something else arrived."""
    while target.edges:
        alive = any(edge.measures.dead < 1 for edge in target.edges)
        if alive and _is_swallowed(target):
            return (
                f"{_norms(target)} came, and was lost in the rounding of the gradient "
                f"of norm {text(target.before)} that {target.name} held before this "
                "pass; call zero_grad()"
            )
        if alive:
            return f"the edges into {target.name} cancel, {_norms(target)}"
        edge = target.edges[0]
        arrived = arrived_at(edge, one)
        if not arrived:
            return unseen(edge)
        if any(source.measures.dead < 1 for source in arrived):
            return _maker_of_zeros(edge, arrived)
        target = arrived[0]
    return f"backward() was called on {target.name} with a gradient of zeros"


def _count(target: Target) -> str:
    count = len(target.edges)
    return "1 edge" if count == 1 else f"{count} edges"


def _is_swallowed(target: Target) -> bool:
    """Tell whether what came is less than the rounding of what was there before."""
    most = max(edge.measures.norm for edge in target.edges)
    return target.before * epsilon(target.dtype) > 0.1 * most


def _maker_of_zeros(edge: Edge, arrived: list[Target]) -> str:
    norm = _joint_norm(arrived)
    if any(term.measures.dead < 1 for term in edge.terms):
        terms = ", ".join(f"{t.name} {text(t.measures.norm)}" for t in edge.terms)
        return (
            f"the terms of {edge.title} cancel exactly, {terms}, where a gradient of "
            f"norm {norm} had arrived"
        )
    made = f"{place(edge)} made zeros of a gradient of norm {norm}"
    if edge.changed:
        return f"{made} (inspect.{edge.changed} did)"
    if all(source.measures.norm < UNDERFLOW for source in arrived):
        name = arrived[0].name
        return f"{made}: it underflows; ask why of `{name}` how it became so small"
    hint = state_of(edge, MOSTLY) or HINTS.get(f"{edge.kernel} {edge.input}")
    return f"{made} ({hint})" if hint else made


def _state(target: Target) -> str:
    measures = target.measures
    facts = (
        f"norm {text(measures.norm)}, rms {text(rms(target))}, "
        f"{text(100 * measures.dead)} % zeros"
    )
    if target.update == 0:
        facts += ", but the step does not move it (update / weight is 0)"
    if not target.edges:
        return f"{facts}; backward() was called on it"
    shares = [
        (term.measures.share or 0.0, f"{edge.title} {term.name}")
        for edge in target.edges
        for term in edge.terms
    ]
    share, where = max(shares, key=lambda pair: pair[0])
    if len(shares) == 1:
        return f"{facts}, all from {where}"
    return (
        f"{facts}; the greatest of its {len(shares)} shares, {text(share)}, is {where}"
    )

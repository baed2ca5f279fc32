"""Why a gradient is what it is: one sentence with the evidence.

A verdict looks at the root mean square (rms) of the elements, because that is what a
step of an optimiser moves a weight by. The cause is looked for along the edges, from
the gradient back to what backward() was called on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from minigrad.inspect.explain.tables import number as text
from minigrad.inspect.record.evidence import KNOWN
from minigrad.inspect.record.measures import NOISE, Measures, epsilon
from minigrad.inspect.record.records import Edge, Pass, Target
from minigrad.inspect.record.trace import Fault, at

TINY: Final = 1e-8
"""An rms below it is tiny: at rate 0.1 a float32 weight of 0.05, whose neighbours are
4e-9 away, no longer moves."""

HUGE: Final = 1e2
"""An rms above it is huge: at rate 1e-3 a step moves weights by 0.1, which is more than
most weights are."""

_NO_INPUT: Final = "a weight gets nothing from inputs that are 0"
_NO_FACTOR: Final = "a factor gets nothing where the other one is 0"

HINTS: Final[Mapping[str, str]] = {
    "linear w": _NO_INPUT,
    "linear_no_bias w": _NO_INPUT,
    "conv2d w": _NO_INPUT,
    "mul a": _NO_FACTOR,
    "mul b": _NO_FACTOR,
}
"""By kernel and input: how it makes zeros of a gradient that is not zero."""

SLOPES: Final[Mapping[str, str]] = {
    "sigmoid x": "the slope of sigmoid is at most 1/4",
    "tanh x": "the slope of tanh is below 1 everywhere but at 0",
}
"""By kernel and input: why it shrinks gradients, saturated or not."""

CANCELLED: Final = 1e-5
"""A bias gets the sum of dy: a gain below this is what rounding left of it."""

MOSTLY: Final = 0.5
"""Share of idle elements from which on they are said to be the reason."""


def verdict(target: Target) -> str:
    """Return "not finite", "zero", "noise", "tiny", "huge" or "healthy"."""
    measures = target.measures
    if not measures.finite:
        return "not finite"
    if measures.dead == 1:
        return "zero"
    if _cancels(measures, target.dtype):
        return "noise"
    size = _rms(target)
    if size < TINY and math.prod(target.shape):
        return "tiny"
    return "huge" if size > HUGE else "healthy"


def explain(target: Target, one: Pass, fault: Fault | None = None) -> str:
    """Say why target is what its verdict is in one pass: the sentence about it.

    fault is what the forward pass had that was not finite, if that was seen.
    """
    found = verdict(target)
    if found == "not finite":
        before = f"; before that, in forward, {fault.sentence}" if fault else ""
        return f"is not finite: {_origin_of_faults(target, one)}{before}."
    if found == "zero":
        return f"is exactly zero: {_origin_of_zeros(target, one)}."
    if found == "noise":
        return (
            f"is rounding noise of norm {text(target.measures.norm)}: its terms "
            f"cancel, {_norms(target)}."
        )
    if found == "healthy":
        return f"is healthy: {_state(target)}."
    return f"is {found}: {_extreme(target, one, tiny=found == 'tiny')}."


def _rms(target: Target) -> float:
    return target.measures.norm / math.sqrt(math.prod(target.shape) or 1)


def _cancels(measures: Measures, dtype: Any) -> bool:
    """Tell whether nothing but rounding is left of the terms' sum."""
    lost = measures.cancellation
    return lost is not None and 1 - lost <= NOISE * epsilon(dtype)


def _arrived(edge: Edge, one: Pass) -> list[Target]:
    """Return the gradients that arrived at the consumer, one for each result."""
    return [t for t in one.values() if edge.number in (t.number, t.parent)]


def _norms(target: Target) -> str:
    """List the norms of all terms, with the edge of each if there are several."""
    several = len(target.edges) > 1
    return ", ".join(
        f"{edge.title + ' ' if several else ''}{term.name} {text(term.measures.norm)}"
        for edge in target.edges
        for term in edge.terms
    )


def _unseen(edge: Edge) -> str:
    return (
        f"what arrived at {_place(edge)} was left out of the recording, which chooses "
        "by name, kernel or module"
    )


def _joint_norm(targets: list[Target]) -> str:
    return text(math.hypot(*(target.measures.norm for target in targets)))


def _origin_of_faults(target: Target, one: Pass) -> str:
    """Follow what is not finite to the kernel at which finite gradients arrived."""
    while target.edges:
        edge = next((e for e in target.edges if not e.measures.finite), None)
        if edge is None:
            return (
                f"the {len(target.edges)} edges into {target.name} are finite, but "
                f"their sum overflows {target.dtype}"
            )
        arrived = _arrived(edge, one)
        faulty = [source for source in arrived if not source.measures.finite]
        if not arrived:
            return _unseen(edge)
        if not faulty:
            terms = [term.name for term in edge.terms if not term.measures.finite]
            where = f"term {terms[0]}" if terms else "in the sum of its finite terms"
            return (
                f"it began in {_place(edge)}, {where}, where a finite gradient of norm "
                f"{_joint_norm(arrived)} had arrived"
            )
        target = faulty[0]
    return f"backward() was called on {target.name} with a gradient that is not finite"


def _origin_of_zeros(target: Target, one: Pass) -> str:
    """Follow zeros to the kernel at which something else arrived."""
    while target.edges:
        if any(edge.measures.dead < 1 for edge in target.edges):
            return f"the edges into {target.name} cancel, {_norms(target)}"
        edge = target.edges[0]
        arrived = _arrived(edge, one)
        if not arrived:
            return _unseen(edge)
        if any(source.measures.dead < 1 for source in arrived):
            return _maker_of_zeros(edge, arrived)
        target = arrived[0]
    return f"backward() was called on {target.name} with a gradient of zeros"


def _maker_of_zeros(edge: Edge, arrived: list[Target]) -> str:
    norm = _joint_norm(arrived)
    if any(term.measures.dead < 1 for term in edge.terms):
        terms = ", ".join(f"{t.name} {text(t.measures.norm)}" for t in edge.terms)
        return (
            f"the terms of {edge.title} cancel exactly, {terms}, where a gradient of "
            f"norm {norm} had arrived"
        )
    made = f"{_place(edge)} made zeros of a gradient of norm {norm}"
    hint = _state_of(edge, MOSTLY) or HINTS.get(f"{edge.kernel} {edge.input}")
    return f"{made} ({hint})" if hint else made


def _place(edge: Edge) -> str:
    return edge.title + at(edge.line)


def _state_of(edge: Edge, least: float) -> str:
    """Describe the state that lets the edge pass little on, if it holds for enough."""
    known = KNOWN.get(f"{edge.kernel} {edge.input}")
    if known is None or edge.idle is None or edge.idle < least:
        return ""
    return f"{known.verdict}: {text(100 * edge.idle)} % {known.words}"


def _extreme(target: Target, one: Pass, *, tiny: bool) -> str:
    """Name the edge of least or greatest gain on the path that contributes most."""
    bound = f"below {text(TINY)}" if tiny else f"above {text(HUGE)}"
    path, source = _path(target, one)
    facts = f"rms {text(_rms(target))}, {bound}; "
    if source is None:
        return f"{facts}{_unseen(path[-1])}"
    norm = text(source.measures.norm)
    facts += f"backward() started at {source.name} with norm {norm}"
    groups = _by_kernel(path)
    if not groups:
        return facts
    worst = (min if tiny else max)(groups, key=lambda group: group.product)
    (first, *rest) = sorted(
        worst.edges, key=lambda edge: edge.measures.gain or 1.0, reverse=not tiny
    )
    head = f"{facts}, and of the {len(path)} edges from there "
    size = "smallest" if tiny else "greatest"
    gain, why = text(first.measures.gain), _why(first, target.dtype)
    if not rest:
        return f"{head}{_place(first)} had the {size} gain, {gain}{why}"
    others = "".join(
        f", those of {group.kernel} {text(group.product)}"
        for group in groups
        if group is not worst
    )
    return (
        f"{head}the {len(worst.edges)} of {worst.kernel} have gains whose product is "
        f"{text(worst.product)}{others}; the {size}, {gain}, is that of "
        f"{_place(first)}{why}"
    )


def _path(target: Target, one: Pass) -> tuple[list[Edge], Target | None]:
    """Follow the greatest edges to what backward() was called on, if all are known."""
    path: list[Edge] = []
    while target.edges:
        path.append(max(target.edges, key=lambda edge: edge.measures.norm))
        arrived = _arrived(path[-1], one)
        if not arrived:
            return path, None
        target = max(arrived, key=lambda above: above.measures.norm)
    return path, target


class _Group(NamedTuple):
    """The edges of one kernel on a path, and the product of their gains."""

    kernel: str
    edges: list[Edge]
    product: float


def _by_kernel(path: list[Edge]) -> list[_Group]:
    edges: dict[str, list[Edge]] = {}
    for edge in path:
        if edge.measures.gain:
            edges.setdefault(edge.kernel, []).append(edge)
    return [
        _Group(kernel, own, math.prod(edge.measures.gain or 1.0 for edge in own))
        for kernel, own in edges.items()
    ]


def _why(edge: Edge, dtype: Any) -> str:
    """Say what made an edge's gain so small or great, as the end of a sentence."""
    if _cancels(edge.measures, dtype):
        return ", where its terms cancel"
    state = _state_of(edge, MOSTLY)
    if state:
        return f": {state}"
    if edge.input == "b" and (edge.measures.gain or 1.0) < CANCELLED:
        return ", for the sum over the batch cancels, as ahead of a normalisation"
    slope = SLOPES.get(f"{edge.kernel} {edge.input}")
    if slope:
        return f": {slope}"
    return f", with {text(100 * edge.measures.dead)} % zeros"


def _state(target: Target) -> str:
    measures = target.measures
    facts = (
        f"norm {text(measures.norm)}, rms {text(_rms(target))}, "
        f"{text(100 * measures.dead)} % zeros"
    )
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

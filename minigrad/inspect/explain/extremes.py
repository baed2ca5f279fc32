"""How a gradient became tiny or huge on its way back: the gains of the edges."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

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
from minigrad.inspect.explain.tables import number as text
from minigrad.inspect.record.records import Edge, Pass, Target

SLOPES: Final[Mapping[str, str]] = {
    "sigmoid x": "the slope of sigmoid is at most 1/4",
    "tanh x": "the slope of tanh is below 1 everywhere but at 0",
    "linear x": "that is what its weights make of a gradient",
    "linear_no_bias x": "that is what its weights make of a gradient",
    "conv2d x": "that is what its weights make of a gradient",
}
"""By kernel and input: why it shrinks, or stretches, gradients."""


def extreme(target: Target, one: Pass, *, tiny: bool) -> str:
    """Name the edge of least or greatest gain on the path that contributes most."""
    bound = f"below {text(TINY)}" if tiny else f"above {text(HUGE)}"
    path, source = _path(target, one)
    facts = f"rms {text(rms(target))}, {bound}; "
    if source is None:
        return f"{facts}{unseen(path[-1])}"
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
        return f"{head}{place(first)} had the {size} gain, {gain}{why}"
    others = ", ".join(
        f"{group.kernel} {text(group.product)}"
        for group in groups
        if group is not worst
    )
    return (
        f"{head}the {len(worst.edges)} of {worst.kernel} have gains whose product is "
        f"{text(worst.product)}, the {size} {gain} in {place(first)}{why}"
        + (f"; products of others: {others}" if others else "")
    )


def _path(target: Target, one: Pass) -> tuple[list[Edge], Target | None]:
    """Follow the greatest edges to what backward() was called on, if all are known."""
    path: list[Edge] = []
    while target.edges:
        path.append(max(target.edges, key=lambda edge: edge.measures.norm))
        arrived = arrived_at(path[-1], one)
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
    if cancels(edge.measures, dtype):
        return ", where its terms cancel"
    state = state_of(edge, MOSTLY)
    if state:
        return f": {state}"
    slope = SLOPES.get(f"{edge.kernel} {edge.input}")
    if slope:
        return f": {slope}"
    dead = edge.measures.dead
    return f", with {text(100 * dead)} % zeros" if dead else ""

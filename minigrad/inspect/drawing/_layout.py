"""Layers of boxes, and edges that go from earlier layers to later ones.

The picture has two axes: *along*, in which the layers come one by one, and *across*.
Boxes stand in even levels, the labels of edges in odd ones, so that nothing overlaps;
an edge over several levels holds a place in each.

Source: Sugiyama, Tagawa & Toda 1981, IEEE SMC 11 (2), with longest-path layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from minigrad.inspect.drawing._layering import (
    FLOW,
    SPACE,
    Item,
    Levels,
    Size,
    everything,
    order,
    place,
)


class Wire(NamedTuple):
    """An edge to lay out: places of its ends among the boxes, size of its label."""

    source: int
    target: int
    label: Size


class Point(NamedTuple):
    """A place in the picture, in pixels from its corner."""

    along: float
    across: float


class Layout(NamedTuple):
    """Where everything goes.

    Attributes:
        boxes, labels: corners with the least coordinates, in the order given.
        layers: layer of each box.
        routes: the corners of each edge; straight within a layer, bent between two.
        size: of the whole.
    """

    boxes: list[Point]
    labels: list[Point]
    layers: list[int]
    routes: list[list[Point]]
    size: Size


def lay_out(sizes: Sequence[Size], wires: Sequence[Wire]) -> Layout:
    """Place boxes of these sizes; wires must form no circle."""
    ranks = _ranks(len(sizes), wires)
    boxes = [
        Item(number, 2 * rank, size, True)
        for number, (rank, size) in enumerate(zip(ranks, sizes, strict=True))
    ]
    levels: Levels = [[] for _ in range(2 * max(ranks, default=0) + 1)]
    for item in boxes:
        levels[item.level].append(item)
    paths = [_path(wire, boxes, levels, len(boxes)) for wire in wires]
    for path in paths:
        if path[0].above:
            for item in path[1:-1]:
                item.pull = FLOW
    order(levels)
    place(levels)
    starts, ends, length = _along(levels)
    width = max(
        (item.centre + item.size.across / 2 for item in everything(levels)), default=0
    )
    ports = _ports(boxes, paths)
    return Layout(
        [_corner(item, starts, ends) for item in boxes],
        [_corner(path[-2], starts, ends) for path in paths],
        ranks,
        [
            _route(path, ports[at, 0], ports[at, 1], starts, ends)
            for at, path in enumerate(paths)
        ],
        Size(length, width),
    )


def _ranks(count: int, wires: Sequence[Wire]) -> list[int]:
    """Give each box its layer: the longest way to it; sources go to who needs them."""
    into: list[list[int]] = [[] for _ in range(count)]
    out: list[list[int]] = [[] for _ in range(count)]
    for source, target, _ in wires:
        into[target].append(source)
        out[source].append(target)
    missing = [len(sources) for sources in into]
    ready = [at for at in range(count) if not missing[at]]
    ranks = [0] * count
    for at in ready:
        for target in out[at]:
            ranks[target] = max(ranks[target], ranks[at] + 1)
            missing[target] -= 1
            if not missing[target]:
                ready.append(target)
    for at in range(count):
        if not into[at] and out[at]:
            ranks[at] = min(ranks[target] for target in out[at]) - 1
    return ranks


def _path(wire: Wire, boxes: list[Item], levels: Levels, number: int) -> list[Item]:
    """Lead wire through the levels; its label stands in front of its target."""
    source, target = boxes[wire.source], boxes[wire.target]
    path = [source]
    for level in range(source.level + 1, target.level):
        size = wire.label if level == target.level - 1 else Size(0, 0)
        item = Item(number, level, size, False)
        levels[level].append(item)
        path.append(item)
    path.append(target)
    for one, other in pairwise(path):
        one.below.append(other)
        other.above.append(one)
    return path


# -- places along, and the routes ------------------------------------------------------


def _along(levels: Levels) -> tuple[list[float], list[float], float]:
    """Return where each level starts and ends, and where the last one does."""
    starts: list[float] = []
    ends: list[float] = []
    edge = 0.0
    for level in levels:
        starts.append(edge)
        ends.append(edge + max((item.size.along for item in level), default=0))
        edge = ends[-1] + SPACE
    return starts, ends, ends[-1]


def _corner(item: Item, starts: list[float], ends: list[float]) -> Point:
    middle = (starts[item.level] + ends[item.level]) / 2
    return Point(middle - item.size.along / 2, item.centre - item.size.across / 2)


def _ports(boxes: list[Item], paths: list[list[Item]]) -> dict[tuple[int, int], float]:
    """Say where across each edge leaves its source (0) and enters its target (1)."""
    found: dict[tuple[int, int], float] = {}
    leaving: dict[int, list[int]] = {}
    entering: dict[int, list[int]] = {}
    for at, path in enumerate(paths):
        leaving.setdefault(path[0].number, []).append(at)
        entering.setdefault(path[-1].number, []).append(at)
    for side, beside, held in ((0, 1, leaving), (1, -2, entering)):
        for number, edges in held.items():
            box = boxes[number]
            edges.sort(key=lambda at, beside=beside: paths[at][beside].centre)
            apart = min(14.0, 0.7 * box.size.across / len(edges))
            for nth, at in enumerate(edges):
                found[at, side] = box.centre + (nth - (len(edges) - 1) / 2) * apart
    return found


def _route(
    path: list[Item], out: float, into: float, starts: list[float], ends: list[float]
) -> list[Point]:
    """List the corners from box to box: each layer is crossed in a straight line."""
    source, target = path[0], path[-1]
    first = _corner(source, starts, ends).along + source.size.along
    points = [Point(first, out), Point(ends[source.level], out)]
    for item in path[1:-1]:
        points.append(Point(starts[item.level], item.centre))
        points.append(Point(ends[item.level], item.centre))
    last = _corner(target, starts, ends).along
    return [*points, Point(starts[target.level], into), Point(last, into)]

"""The order of what stands in one layer, and its places across.

Source: Sugiyama, Tagawa & Toda 1981, IEEE SMC 11 (2): barycentres against crossings.
Places are those of the least squared distances to the neighbours that keep the order:
isotonic regression by pooling adjacent violators.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable
from itertools import pairwise
from typing import Final, NamedTuple

SPACE: Final = 22.0
"""Between two layers, and between two boxes of one, in pixels."""
SWEEPS: Final = 12
STRAIGHT: Final = 8.0
"""How much more it matters that long edges are straight than that they are short."""
FLOW: Final = 4.0
"""How much more it matters for edges between calls than for those from leaves."""


class Size(NamedTuple):
    """Lengths along and across, in pixels."""

    along: float
    across: float


class Item:
    """What holds a place in a layer: a box, or an edge on its way through."""

    __slots__ = (
        "above",
        "at",
        "below",
        "centre",
        "is_box",
        "level",
        "number",
        "pull",
        "size",
    )

    def __init__(self, number: int, level: int, size: Size, is_box: bool) -> None:
        self.number = number
        self.level = level
        self.size = size
        self.is_box = is_box
        self.above: list[Item] = []
        self.below: list[Item] = []
        self.at = 0
        self.pull = 1.0
        self.centre = 0.0


Levels = list[list[Item]]


def everything(levels: Levels) -> list[Item]:
    """List the items of all levels."""
    return [item for level in levels for item in level]


# -- the order in a layer --------------------------------------------------------------


def order(levels: Levels) -> None:
    """Sort every level so that few edges cross; the best of SWEEPS wins."""
    _number(levels)
    best, least = [list(level) for level in levels], _crossings(levels)
    for sweep in range(SWEEPS):
        if not least:
            break
        down = sweep % 2 == 0
        for level in levels if down else levels[::-1]:
            level.sort(key=_barycentre(down))
            for at, item in enumerate(level):
                item.at = at
        count = _crossings(levels)
        if count < least:
            best, least = [list(level) for level in levels], count
    levels[:] = best
    _number(levels)


def _number(levels: Levels) -> None:
    for level in levels:
        for at, item in enumerate(level):
            item.at = at


def _barycentre(down: bool) -> Callable[[Item], float]:
    def mean(item: Item) -> float:
        others = item.above if down else item.below
        return sum(other.at for other in others) / len(others) if others else item.at

    return mean


def _crossings(levels: Levels) -> int:
    """Count the pairs of edges that cross between neighbouring levels."""
    count = 0
    for level in levels:
        seen: list[int] = []
        for item in level:
            ends = sorted(other.at for other in item.below)
            count += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return count


# -- places across ---------------------------------------------------------------------


def place(levels: Levels) -> None:
    """Move every item as near to its neighbours as the order allows."""
    for level in levels:
        edge = 0.0
        for item in level:
            item.centre = edge + item.size.across / 2
            edge += item.size.across + SPACE
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for level in levels if down else levels[::-1]:
            _settle(level, lambda item, down=down: item.above if down else item.below)
    for level in levels:
        _settle(level, lambda item: item.above + item.below)
    least = min((i.centre - i.size.across / 2 for i in everything(levels)), default=0)
    for item in everything(levels):
        item.centre -= least


def _settle(level: list[Item], beside: Callable[[Item], list[Item]]) -> None:
    """Place level's items nearest to the mean of what is beside them, in order.

    Nearest by the sum of weighted squared distances, where edges that pass through
    weigh STRAIGHT times what others do.
    """
    offsets = [0.0]
    for one, other in pairwise(level):
        apart = SPACE if one.is_box or other.is_box else SPACE / 2
        offsets.append(offsets[-1] + (one.size.across + other.size.across) / 2 + apart)
    # Pools of items that touch: weighted sum of their wishes, weight, how many.
    pools: list[tuple[float, float, int]] = []
    for item, offset in zip(level, offsets, strict=False):
        others = beside(item)
        weights = [_weight(item, other) for other in others]
        total, weight = 1e-6 * (item.centre - offset), 1e-6
        for other, heavy in zip(others, weights, strict=True):
            total += heavy * (other.centre - offset)
            weight += heavy
        count = 1
        while pools and pools[-1][0] / pools[-1][1] > total / weight:
            more, heavy, size = pools.pop()
            total, weight, count = total + more, weight + heavy, count + size
        pools.append((total, weight, count))
    settled = [total / weight for total, weight, count in pools for _ in range(count)]
    for item, place, offset in zip(level, settled, offsets, strict=False):
        item.centre = place + offset


def _weight(one: Item, other: Item) -> float:
    if one.is_box or other.is_box:
        return (other if one.is_box else one).pull
    return STRAIGHT

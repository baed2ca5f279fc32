"""Linear maps that act on one spatial axis after the other.

Averages over windows and interpolation are such maps: on each axis positions of the
result are weighted sums of a few positions of x. The transposed map has the same links,
turned round, so forward and backward are one function.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

from minigrad.backend import array_module
from minigrad.kernels._layout import channels_second, spatial_first
from minigrad.kernels._windows import Link, Plan, clipped, in_blocks, steps
from minigrad.typing import Array, Module


def transform(x: Array, plans: tuple[Plan, ...], scale: Any = 1.0) -> Array:
    """Map x (N, C, *S) axis by axis to (N, C, *plan sizes), times scale.

    scale is a number, or (*plan sizes, 1) in memory order. float16 adds in float32.
    """
    xp = array_module(x)
    batch, channels, *old = x.shape
    source = spatial_first(x).reshape(*old, batch * channels)
    if x.dtype.char == "e":
        source = source.astype("float32")
    shape = tuple(plan.size for plan in plans)
    y = xp.empty((*shape, batch * channels), source.dtype)
    last = len(plans) - 1

    def body(start: int, stop: int, columns: slice) -> None:
        part, place = source[..., columns], y[start:stop, ..., columns]
        for axis, plan in enumerate((clipped(plans[0], start, stop), *plans[1:])):
            target = place
            if axis < last:
                lengths = (*part.shape[:axis], plan.size, *part.shape[axis + 1 :])
                target = xp.empty(lengths, part.dtype)
            _map_axis(xp, part, target, axis, plan)
            part = target
        if not isinstance(scale, float):
            place *= scale[start:stop]
        elif scale != 1:
            place *= scale

    in_blocks(xp, (y.shape, source.shape), body)
    y = channels_second(y.reshape(*shape, batch, channels))
    return y.astype(x.dtype) if y.dtype != x.dtype else y


def _map_axis(xp: Module, source: Array, target: Array, axis: int, plan: Plan) -> None:
    """Fill target, as long as plan says along axis, from source."""
    before = (slice(None),) * axis
    for position in plan.rest:
        target[(*before, position)] = 0
    # What goes to the same positions is added up there without a copy first.
    for positions, links in groupby(plan.links, key=_target):
        place = target[(*before, steps(positions))]
        total = None
        for link in links:
            part = source[(*before, steps(link.source))]
            if total is None and not link.fresh:
                total = place
            if link.weight != 1:
                free = place if total is None else None
                part = xp.multiply(part, link.weight, out=free)
            total = part if total is None else xp.add(total, part, out=place)
        if total is not place:
            place[...] = total


def _target(link: Link) -> range:
    return link.target

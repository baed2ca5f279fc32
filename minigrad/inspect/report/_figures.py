"""Pictures in a report: SVG that takes on the page's width, colours and letters.

Places across are percentages and places down are pixels, so that a picture gets wider
with its box while its letters and marks keep their size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from typing import Final

from minigrad.inspect.explain.tables import number
from minigrad.inspect.record.history import OverTime
from minigrad.inspect.report._facts import WORDS, Point, Scale, plural, words

HEIGHT: Final = 220
"""Of the picture of depth, in pixels, without its margins."""

LANE: Final = 28
"""Height of what is drawn below the scale, zeros, and above it, what is not finite."""

DENSE: Final = 120
"""Points from which on marks are small."""

_DOWN: Final = '<path d="M-5-4H5L0 5Z"/>'
_UP: Final = '<path d="M-5 4H5L0-5Z"/>'
_SHAPES: Final = {
    "not finite": '<path d="M-4-4 4 4M-4 4 4-4"/>',
    "zero": _DOWN,
    "tiny": _DOWN,
    "noise": _DOWN,
    "huge": _UP,
}
_OTHER: Final = '<path d="M0-5 5 0 0 5-5 0Z"/>'
_WEIGHT: Final = '<circle r="3"/>'
_VECTOR: Final = '<circle r="2.5" class="o"/>'


def depth(points: Sequence[Point], what: str, passes: int) -> str:
    """Draw the norms of points, which are called what, in forward order."""
    scale = Scale.of(
        norm for point in points for norm in (point.norm, point.low, point.high)
    )
    over = any(point.norm is None for point in points)
    under = any(norm == 0 for point in points for norm in (point.norm, point.low))
    ys = _Heights(scale, over)
    bottom = HEIGHT + LANE * (over + under)
    parts = [
        *_grid(ys, over, under, bottom),
        *_names(points, bottom),
        _curve(points, ys, bottom),
        *(_range(at, len(points), p, ys) for at, p in enumerate(points) if passes > 1),
        *(_mark(at, len(points), point, ys) for at, point in enumerate(points)),
    ]
    told = escape(_told(points, what, passes))
    style = "depth dense" if len(points) > DENSE else "depth"
    return (
        f'<figure><svg class="{style}" role="img" width="100%" height="{bottom + 46}">'
        f"<title>Gradient norms by depth: {plural(len(points), what)}</title>"
        f"<desc>{told}</desc>{''.join(parts)}</svg>"
        f"<figcaption>{_legend(points, what, passes)}<p>{told}</p></figcaption>"
        "</figure>"
    )


class _Heights:
    """Where norms lie from the top, in pixels."""

    def __init__(self, scale: Scale, over: bool) -> None:
        self.scale = scale
        self.top = LANE * over

    def of(self, norm: float | None) -> float:
        """Return the place of a norm: None above the scale, 0 below it."""
        if norm is None:
            return 10.0
        if norm <= 0:
            return self.top + HEIGHT + LANE - 10.0
        return self.level(self.scale.place(norm))

    def level(self, place: float) -> float:
        """Return the place of a part, from 0 to 1, of the scale."""
        return self.top + HEIGHT * (1 - place)


def _across(at: int, count: int) -> float:
    """Return the place of the at-th of count points, in percent of the width."""
    return 1 + 98 * (at + 0.5) / count


def _grid(ys: _Heights, over: bool, under: bool, bottom: int) -> list[str]:
    scale = ys.scale
    labels = [(ys.level(scale.level(one)), f"1e{one}") for one in scale.decades(8)]
    if over:
        labels.append((ys.of(None), "not finite"))
    if under:
        labels.append((ys.of(0), "0"))
    lines = [
        f'<line class="g" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="t" x="-8" y="{y + 4:.1f}">{text}</text>'
        for y, text in labels
    ]
    return [*lines, f'<line class="a" x2="100%" y1="{bottom}" y2="{bottom}"/>']


_SIDES: Final = ("first", "quarter", "half", "quarter", "last")


def _names(points: Sequence[Point], bottom: int) -> list[str]:
    """Name up to five places; narrow pages show three of them, or two."""
    last = len(points) - 1
    places = {round(last * at / 4): side for at, side in enumerate(_SIDES)}
    made: list[str] = []
    for at, side in places.items():
        name = points[at].name
        name = name if len(name) <= 20 else f"..{name[-18:]}"
        x = _across(at, len(points))
        made.append(
            f'<line class="a" x1="{x:.2f}%" x2="{x:.2f}%" y1="{bottom}" '
            f'y2="{bottom + 5}"/><text class="n {side}" x="{x:.2f}%" '
            f'y="{bottom + 19}">{escape(name)}</text>'
        )
    x = '<text class="n axis" x="50%" y="{}">forward order: input to loss</text>'
    return [*made, x.format(bottom + 38)]


def _curve(points: Sequence[Point], ys: _Heights, bottom: int) -> str:
    """Join the weights, or all points if there are none."""
    weights = any(point.weight for point in points)
    places = " ".join(
        f"{10 * _across(at, len(points)):.1f},{ys.of(point.norm):.1f}"
        for at, point in enumerate(points)
        if point.norm is not None and (point.weight or not weights)
    )
    return (
        f'<svg width="100%" height="{bottom}" viewBox="0 0 1000 {bottom}" '
        f'preserveAspectRatio="none"><polyline class="c" points="{places}"/></svg>'
    )


def _range(at: int, count: int, point: Point, ys: _Heights) -> str:
    """Draw what the norm of a point ranged over."""
    if point.low is None:
        return ""
    x = _across(at, count)
    return (
        f'<line class="r" x1="{x:.2f}%" x2="{x:.2f}%" y1="{ys.of(point.low):.1f}" '
        f'y2="{ys.of(point.high):.1f}"/>'
    )


def _mark(at: int, count: int, point: Point, ys: _Heights) -> str:
    x, y = _across(at, count), ys.of(point.norm)
    norm = "" if point.norm is None else f": {number(point.norm)}"
    verdict = "" if point.verdict == "healthy" else f", {_word(point.verdict)}"
    return (
        f'<svg x="{x:.2f}%" y="{y:.1f}"><g class="{_style(point.verdict)}">'
        f"<title>{escape(point.name)}{norm}{escape(verdict)}</title>{_shape(point)}"
        "</g></svg>"
    )


def _shape(point: Point) -> str:
    if point.verdict == "healthy":
        return _WEIGHT if point.weight else _VECTOR
    return _SHAPES.get(point.verdict, _OTHER)


def _style(verdict: str) -> str:
    return "k" if verdict == "healthy" else "k ill"


def _word(verdict: str) -> str:
    return WORDS.get(verdict, verdict)


def _legend(points: Sequence[Point], what: str, passes: int) -> str:
    """Explain the marks that are there."""
    found: dict[str, list[str]] = {}
    for point in points:
        style = _style(point.verdict)
        shape = f'<g class="{style}">{_shape(point)}</g>'
        kind = words(what, point.weight)
        word = kind if point.verdict == "healthy" else _word(point.verdict)
        told = found.setdefault(shape, [])
        if word not in told:
            told.append(word)
    if passes > 1 and any(point.low != point.high for point in points):
        found['<path class="r" d="M0-7V7"/>'] = ["least to greatest of the passes"]
    items = "".join(
        f'<li><svg width="14" height="14" viewBox="-7 -7 14 14">{shape}</svg> '
        f"{escape(', '.join(told))}</li>"
        for shape, told in found.items()
    )
    return f'<ul class="key">{items}</ul>'


def _told(points: Sequence[Point], what: str, passes: int) -> str:
    """Say in words what the picture shows."""
    known = [point for point in points if point.norm]
    mean = "Mean norms" if passes > 1 else "Norms"
    told: list[str] = []
    if known:
        least = min(known, key=lambda point: point.norm or 0)
        most = max(known, key=lambda point: point.norm or 0)
        told.append(
            f"{mean} above 0 lie between {number(least.norm)} ({least.name}) and "
            f"{number(most.norm)} ({most.name})."
        )
    weights = [point for point in known if point.weight]
    if len(weights) > 1:
        first, last = weights[0], weights[-1]
        ratio = number((first.norm or 0) / (last.norm or 1))
        told.append(
            f"The first weight above 0, {first.name}, has {ratio} times the norm of "
            f"the last, {last.name}."
        )
    for verdict in ("zero", "not finite"):
        count = sum(point.verdict == verdict for point in points)
        if count:
            told.append(f"{count} of {plural(len(points), what)}: {verdict}.")
    return " ".join(told)


# -- over time -------------------------------------------------------------------------

_WIDTH, _TALL, _MOST = 84, 18, 42


def spark(over_time: OverTime) -> str:
    """Draw the norm over the passes, on a log scale of its own; zeros lie below it.

    What is not finite interrupts the line. "" for fewer than two passes.
    """
    points = over_time.curves["norm"].points
    if len(points) < 2:
        return ""
    # From the last one back, so that it stays.
    step = -(-len(points) // _MOST)
    lines = "".join(
        f'<polyline points="{line}"/>' for line in _runs(points[::-1][::step][::-1])
    )
    return (
        f'<svg class="spark" role="img" aria-label="{_developed(over_time)}" '
        f'width="{_WIDTH}" height="{_TALL}">{lines}</svg>'
    )


def _developed(over_time: OverTime) -> str:
    sketch = over_time.sketches["norm"]
    if not sketch.count:
        return "norm never finite"
    faults = f"; {sketch.faults} times not finite" if sketch.faults else ""
    return (
        f"norm from {number(sketch.first)} to {number(sketch.last)}, between "
        f"{number(sketch.minimum)} and {number(sketch.maximum)}{faults}"
    )


def _runs(points: Sequence[tuple[int, float]]) -> Iterator[str]:
    """Yield the places of each run of finite points."""
    logs = [math.log(y) for _, y in points if 0 < y < math.inf] or [0.0]
    low, span = min(logs), max(logs) - min(logs)
    first, last = points[0][0], points[-1][0]

    def place(at: int, norm: float) -> str:
        x = 2 + (_WIDTH - 4) * (at - first) / (last - first)
        height = ((math.log(norm) - low) / span if span else 0.5) if norm else -0.2
        return f"{x:.0f},{3 + (_TALL - 8) * (1 - height):.1f}"

    for finite, run in groupby(points, key=lambda point: math.isfinite(point[1])):
        places = [place(*point) for point in run] if finite else []
        # A line of one point twice is a dot.
        if places:
            yield " ".join(places if len(places) > 1 else 2 * places)

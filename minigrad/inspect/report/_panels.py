"""The panels of a plot: norms by depth and over time, and shares of terms.

Heights are logarithms on a linear axis: powers of ten may be beyond the largest float.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from minigrad.inspect.explain.tables import number
from minigrad.inspect.record.records import Target
from minigrad.inspect.report._facts import (
    WORDS,
    Facts,
    Point,
    Scale,
    plural,
    points,
    words,
)

COLOURS: Final = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377")
"""Paul Tol's bright scheme: told apart by all readers, and in grey."""

OTHER: Final = "#BBBBBB"
ILL: Final = "#A6261D"
RANGE: Final = "#A9C4DF"

BEYOND: Final = 3.0
"""Share at which bars leave the picture: where terms cancel, shares have no bounds."""

DENSE: Final = 120
"""Points from which on marks are small."""

_MARKS: Final = {"not finite": "x", "zero": "v", "tiny": "v", "noise": "v", "huge": "^"}


def by_depth(axes: Any, facts: Facts, what: str, shown: list[Target]) -> None:
    """Draw the norms of shown, which are called what, in forward order."""
    drawn = points(facts, shown)
    scale = Scale.of(
        norm for point in drawn for norm in (point.norm, point.low, point.high)
    )
    places = [_height(point.norm, scale) for point in drawn]
    if facts.count > 1:
        for at, point in enumerate(drawn):
            if point.low is not None:
                ends = [_height(point.low, scale), _height(point.high, scale)]
                axes.plot([at, at], ends, color=RANGE, linewidth=2)
    weights = [at for at, point in enumerate(drawn) if point.weight]
    line = weights or range(len(drawn))
    axes.plot(line, [places[at] for at in line], color=COLOURS[0], linewidth=0.7)
    for kind, own in _kinds(drawn, what).items():
        edges = {} if kind.marker == "x" else {"edgecolors": kind.colour}
        axes.scatter(
            own,
            [places[at] for at in own],
            s=18 if len(drawn) < DENSE else 9,
            marker=kind.marker,
            color=kind.colour if kind.filled else "white",
            label=kind.label,
            linewidths=1.0,
            zorder=3,
            **edges,
        )
    _mark_heights(axes, drawn, scale)
    _name_places(axes, [point.name for point in drawn])
    means = f", means over {facts.count} passes" if facts.count > 1 else ""
    axes.set_title(f"Gradient norms by depth: {plural(len(drawn), what)}{means}")
    axes.set_xlabel("forward order: input to loss")
    axes.set_ylabel("‖∂L/∂x‖, units of L per unit of x")
    _beside(axes)


def _height(norm: float | None, scale: Scale) -> float:
    """Return a norm's log10: of zeros below the scale, of what is not finite above."""
    if norm is None:
        return scale.high + _lane(scale)
    return math.log10(norm) if norm > 0 else scale.low - _lane(scale)


def _lane(scale: Scale) -> float:
    """Return how many decades beyond the scale its lanes lie."""
    return 0.12 * (scale.high - scale.low)


class _Kind(NamedTuple):
    """What marks look like, and what they are called."""

    label: str
    marker: str
    colour: str
    filled: bool


def _kinds(drawn: Sequence[Point], what: str) -> dict[_Kind, list[int]]:
    """Sort places by how they are drawn, what is healthy first."""
    found: dict[_Kind, list[int]] = {
        _Kind(words(what, weight), "o", COLOURS[0], weight): []
        for weight in (True, False)
    }
    for at, point in enumerate(drawn):
        verdict = point.verdict
        kind = _Kind(words(what, point.weight), "o", COLOURS[0], point.weight)
        if verdict != "healthy":
            marker = _MARKS.get(verdict, "D")
            kind = _Kind(WORDS.get(verdict, verdict), marker, ILL, True)
        found.setdefault(kind, []).append(at)
    return {kind: own for kind, own in found.items() if own}


def _mark_heights(axes: Any, drawn: Sequence[Point], scale: Scale) -> None:
    """Label decades, and the lanes of zeros and of what is not finite if in use."""
    ticks = {float(one): f"1e{one}" for one in scale.decades(8)}
    low, high = scale.low - _lane(scale) / 2, scale.high + _lane(scale) / 2
    if any(norm == 0 for point in drawn for norm in (point.norm, point.low)):
        ticks[_height(0.0, scale)] = "0"
        low -= _lane(scale)
    if any(point.norm is None for point in drawn):
        ticks[_height(None, scale)] = "not finite"
        high += _lane(scale)
    axes.set_ylim(low, high)
    axes.set_yticks(list(ticks), list(ticks.values()))
    axes.grid(axis="y", alpha=0.3)


def _name_places(axes: Any, names: Sequence[str]) -> None:
    last = len(names) - 1
    places = sorted({0, last // 2, last})
    axes.set_xticks(places, [_short(names[at], 24) for at in places])
    axes.set_xlim(-0.5 - 0.01 * last, last + 0.5 + 0.01 * last)


def _short(name: str, most: int) -> str:
    return name if len(name) <= most else f"..{name[2 - most :]}"


def shares(axes: Any, split: Sequence[Target], count: int) -> None:
    """Stack the shares of each gradient's terms, negative ones to the left of 0.

    split are some of count gradients.
    """
    styles = _styles(split)
    seen: dict[str, Any] = {}
    least, most = 0.0, 1.0
    for row, target in enumerate(split):
        ends = {True: 0.0, False: 0.0}
        for label, share in _parts(target):
            style: dict[str, Any] = styles.get(label, {"color": OTHER})
            bar = axes.barh(row, share, left=ends[share >= 0], height=0.7, **style)
            ends[share >= 0] += share
            seen.setdefault(label if label in styles else "others", bar)
        least, most = min(least, ends[False]), max(most, ends[True])
        _tell_beyond(axes, row, ends)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlim(1.03 * max(least, -BEYOND), 1.03 * min(most, BEYOND))
    axes.set_yticks(range(len(split)), [_short(one.name, 36) for one in split])
    axes.set_ylim(max(len(split), 4) - 0.4, -0.6)
    axes.grid(axis="x", alpha=0.3)
    some = f"{len(split)} of " if len(split) < count else ""
    axes.set_title(f"Shares of the terms of {some}{plural(count, 'gradient')}")
    axes.set_xlabel("share of the gradient; the shares of a gradient sum to 1")
    order = [label for label in (*styles, "others") if label in seen]
    _beside(axes, handles=[seen[label] for label in order], labels=order)


def _styles(split: Sequence[Target]) -> dict[str, dict[str, Any]]:
    """Give the terms with the greatest shares colours, and hatches if they are many."""
    sizes: dict[str, float] = {}
    for target in split:
        for label, share in _parts(target):
            # One gradient whose terms cancel must not outweigh all others.
            sizes[label] = sizes.get(label, 0.0) + min(abs(share), 1.0)
    order = sorted(sizes, key=lambda label: -sizes[label])
    looks = [
        {"color": colour, "hatch": hatch, "edgecolor": "white", "linewidth": 0.5}
        for hatch in ("", "////")
        for colour in COLOURS
    ]
    return dict(zip(order, looks, strict=False))


def _tell_beyond(axes: Any, row: int, ends: dict[bool, float]) -> None:
    """Write where bars end that leave the picture."""
    for right, end in ends.items():
        if abs(end) > BEYOND:
            axes.text(
                BEYOND if right else -BEYOND,
                row,
                f"to {number(end)} " if right else f" to {number(end)}",
                ha="right" if right else "left",
                va="center",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
            )


def _parts(target: Target) -> list[tuple[str, float]]:
    """Return label and share of each term; none where shares are not defined."""
    return [
        (f"{edge.kernel} ({edge.input}) {term.name}", share)
        for edge in target.edges
        for term in edge.terms
        if (share := term.measures.share) is not None
    ]


def over_time(axes: Any, facts: Facts, shown: Sequence[Target]) -> None:
    """Draw the norm of each of shown over the passes."""
    curves = {
        target.name: facts.over_time[target.name].curves["norm"].points
        for target in shown
    }
    scale = Scale.of(norm for curve in curves.values() for _, norm in curve)
    for at, (name, curve) in enumerate(curves.items()):
        axes.plot(
            [x for x, _ in curve],
            # What is not finite interrupts the line.
            [_height(y, scale) if math.isfinite(y) else math.nan for _, y in curve],
            color=COLOURS[at % len(COLOURS)],
            linestyle=("-", "--")[at % 2],
            linewidth=1.2,
            marker="o" if len(curve) < 30 else None,
            markersize=3,
            label=_short(name, 28),
        )
    ticks = {float(one): f"1e{one}" for one in scale.decades(8)}
    if any(norm == 0 for curve in curves.values() for _, norm in curve):
        ticks[_height(0.0, scale)] = "0"
    axes.set_yticks(list(ticks), list(ticks.values()))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(axis="y", alpha=0.3)
    axes.set_title(f"Gradient norms over {facts.count} passes")
    axes.set_xlabel("backward pass")
    axes.set_ylabel("‖∂L/∂x‖, units of L per unit of x")
    _beside(axes)


def _beside(axes: Any, **options: Any) -> None:
    """Put the legend to the right of the axes, where no data is."""
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), **options)

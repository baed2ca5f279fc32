"""A recording as a figure: norms by depth and over time, and shares of terms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from minigrad.errors import ArgumentError
from minigrad.files import PathLike
from minigrad.inspect.record.records import Target
from minigrad.inspect.report import _panels as panels
from minigrad.inspect.report._facts import Facts, Recorded, gather, through_depth
from minigrad.inspect.report.figure import drawn, expect_ending

BARS: Final = 24
"""Gradients whose shares are drawn, at most; of more, some at even distances."""

CURVES: Final = 6
"""Gradients whose norm over time is drawn, at most; of more, the same."""


def plot(
    flow: Recorded, path: PathLike | None = None, names: Iterable[str] | None = None
) -> Any:
    """Draw flow; write it to path in one piece, or return Matplotlib's Figure.

    Drawn are norms by depth on a log scale, shares of the terms of gradients that have
    several and, after several passes, norms over time.

    Args:
        flow: what was recorded.
        path: of the file to write, ending in .png, .svg or .pdf; None returns the
            figure.
        names: of the gradients to draw, as `print(flow)` lists them; default: norms of
            the parameters, shares of all gradients.

    Raises GraphError without a backward pass and for an unknown name, ArgumentError for
    no names, for what is no path and for other endings, BackendError without
    Matplotlib, FileFormatError if path cannot be written.
    """
    expect_ending(path)
    flow._expect_passes("plot")
    facts = gather(flow)
    what, shown = through_depth(facts)
    split = [target for target in facts.targets.values() if _terms(target) > 1]
    if names is not None:
        shown = _chosen(flow, names)
        what, split = "gradient", [one for one in shown if _terms(one) > 1]
    bars = _spread(split, BARS)
    heights = [3.0]
    heights += [1.1 + 0.2 * max(len(bars), 4)] * bool(bars)
    heights += [2.8] * (facts.count > 1)

    def draw(figure: Any) -> None:
        _draw(figure, heights, facts, what, shown, bars, len(split))

    return drawn(draw, (9.0, sum(heights)), path)


def _chosen(flow: Recorded, names: Iterable[str]) -> list[Target]:
    """Return the gradients called names, in forward order."""
    listed = [names] if isinstance(names, str) else names
    found = {flow.into(name).name for name in listed}
    if not found:
        raise ArgumentError("plot: names is empty, expected a name at least, or None")
    return [target for name, target in flow.targets.items() if name in found]


def _terms(target: Target) -> int:
    return sum(len(edge.terms) for edge in target.edges)


def _spread(targets: Sequence[Target], most: int) -> list[Target]:
    """Return at most `most` of targets, the first and the last among them."""
    last = len(targets) - 1
    if last < most:
        return list(targets)
    return [targets[round(last * at / (most - 1))] for at in range(most)]


def _draw(
    figure: Any,
    heights: list[float],
    facts: Facts,
    what: str,
    shown: list[Target],
    bars: list[Target],
    count: int,
) -> None:
    """Draw one panel above the other; bars are some of count gradients."""
    rows: Any = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)
    axes = [row[0] for row in rows]
    panels.by_depth(axes[0], facts, what, shown)
    if bars:
        panels.shares(axes[1], bars, count)
    if facts.count > 1:
        panels.over_time(axes[-1], facts, _spread(shown, CURVES))

"""A recording as a figure: norms by depth and over time, and shares of terms.

Matplotlib is imported when a figure is drawn, and pyplot is not: no window system, no
global state.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterable, Sequence
from typing import Any, Final

from minigrad.errors import ArgumentError, BackendError, got
from minigrad.files import PathLike, expect_path, write_whole
from minigrad.inspect.record.records import Target
from minigrad.inspect.report import _panels as panels
from minigrad.inspect.report._facts import Facts, Recorded, gather, through_depth

BARS: Final = 24
"""Gradients whose shares are drawn, at most; of more, some at even distances."""

CURVES: Final = 6
"""Gradients whose norm over time is drawn, at most; of more, the same."""

_METADATA: Final[dict[str, dict[str, Any]]] = {
    ".png": {"Software": None},
    ".svg": {"Creator": None, "Date": None},
    ".pdf": {"Creator": None, "Producer": None, "CreationDate": None},
}
"""What files of these endings leave out, the time and the version of Matplotlib: the
same recording gives the same bytes."""

_STYLE: Final[dict[Any, Any]] = {
    "figure.dpi": 120,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "legend.frameon": False,
    # Else names of shapes in an SVG are drawn at random.
    "svg.hashsalt": "minigrad",
}


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
    ending = None if path is None else _ending(path)
    flow._expect_passes("plot")
    facts = gather(flow)
    what, shown = through_depth(facts)
    split = [target for target in facts.targets.values() if _terms(target) > 1]
    if names is not None:
        shown = _chosen(flow, names)
        what, split = "gradient", [one for one in shown if _terms(one) > 1]
    figure = _drawn(facts, what, shown, split)
    if path is None or ending is None:
        return figure
    buffer = io.BytesIO()
    with _module("matplotlib").rc_context(_STYLE):
        figure.savefig(buffer, format=ending[1:], metadata=_METADATA[ending])
    write_whole("plot", path, buffer.getvalue())
    return None


def _ending(path: PathLike) -> str:
    """Return how path ends, which says what is written; raise for what is not known."""
    ending = expect_path("plot", path).suffix.lower()
    if ending not in _METADATA:
        rule = "a name that ends in .png, .svg or .pdf"
        raise ArgumentError(got("plot", "path", repr(str(path)), rule))
    return ending


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


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise BackendError(
            f"plot: matplotlib is not installed ({error}), expected it for drawing; "
            "run `pip install matplotlib`"
        ) from error


def _drawn(facts: Facts, what: str, shown: list[Target], split: list[Target]) -> Any:
    """Draw one panel above the other, each as high as what is in it needs."""
    heights = [3.0]
    bars = _spread(split, BARS)
    heights += [1.1 + 0.2 * max(len(bars), 4)] * bool(bars)
    heights += [2.8] * (facts.count > 1)
    with _module("matplotlib").rc_context(_STYLE):
        figure = _module("matplotlib.figure").Figure(
            figsize=(9.0, sum(heights)), layout="constrained"
        )
        _module("matplotlib.backends.backend_agg").FigureCanvasAgg(figure)
        rows: Any = figure.subplots(
            len(heights), 1, squeeze=False, height_ratios=heights
        )
        drawn = [row[0] for row in rows]
        panels.by_depth(drawn[0], facts, what, shown)
        if bars:
            panels.shares(drawn[1], bars, len(split))
        if facts.count > 1:
            panels.over_time(drawn[-1], facts, _spread(shown, CURVES))
    return figure

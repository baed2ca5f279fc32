"""Figures of recordings: an empty one, and how one is written.

Matplotlib is imported when a figure is drawn, and pyplot is not: no window system, no
global state.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable
from typing import Any, Final

from minigrad.errors import ArgumentError, BackendError, got
from minigrad.files import PathLike, expect_path, write_whole

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


def expect_ending(path: PathLike | None) -> None:
    """Raise ArgumentError unless path is None, or ends in .png, .svg or .pdf."""
    if path is not None and _ending(path) not in _METADATA:
        rule = "a name that ends in .png, .svg or .pdf"
        raise ArgumentError(got("plot", "path", repr(str(path)), rule))


def drawn(
    draw: Callable[[Any], None], size: tuple[float, float], path: PathLike | None
) -> Any:
    """Let draw fill a new figure; write it to path in one piece, or return it.

    size: width and height in inches. Raises ArgumentError as expect_ending does,
    BackendError without Matplotlib, FileFormatError if path cannot be written.
    """
    expect_ending(path)
    with _module("matplotlib").rc_context(_STYLE):
        figure = _module("matplotlib.figure").Figure(figsize=size, layout="constrained")
        _module("matplotlib.backends.backend_agg").FigureCanvasAgg(figure)
        draw(figure)
        if path is None:
            return figure
        buffer, ending = io.BytesIO(), _ending(path)
        figure.savefig(buffer, format=ending[1:], metadata=_METADATA[ending])
    write_whole("plot", path, buffer.getvalue())
    return None


def _ending(path: PathLike) -> str:
    return expect_path("plot", path).suffix.lower()


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise BackendError(
            f"plot: matplotlib is not installed ({error}), expected it for drawing; "
            "run `pip install matplotlib`"
        ) from error

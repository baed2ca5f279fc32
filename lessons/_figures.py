"""Figures as SVG that lies in a page and takes on its colours, light or dark."""

import html
import io
import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

import matplotlib
from cycler import cycler
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from models.experiments.figures import COLOURS

_INK: Final = "#010203"
"""Drawn for the page's own text colour; no other thing has this colour."""

_STYLE: Final[dict[Any, Any]] = {
    # 6 inches shrink to a telephone's width with letters that can be read.
    "figure.figsize": (6.0, 3.4),
    "font.size": 11,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _INK,
    "grid.alpha": 0.15,
    "svg.fonttype": "path",
    **dict.fromkeys(
        (
            "text.color",
            "axes.edgecolor",
            "axes.labelcolor",
            "xtick.color",
            "ytick.color",
        ),
        _INK,
    ),
}


@contextmanager
def drawing(salt: str) -> Generator[None]:
    """Let pyplot draw for a page; figures left open are closed.

    The ids in the SVG follow from salt. From now on pyplot opens no window.
    """
    before = set(plt.get_fignums())
    plt.switch_backend("agg")
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": salt}):
        try:
            yield
        finally:
            for number in set(plt.get_fignums()) - before:
                plt.close(number)


def take() -> list[Figure]:
    """Return pyplot's open figures in their order, and close them."""
    figures = [plt.figure(number) for number in plt.get_fignums()]
    for figure in figures:
        plt.close(figure)
    return figures


def is_drawn(value: object) -> bool:
    """Tell whether value is part of a figure, or a list with one: seen, not told."""
    parts: Any = value if isinstance(value, list | tuple) else [value]
    return any(type(part).__module__.startswith("matplotlib.") for part in parts)


def to_svg(figure: Figure, prefix: str) -> str:
    """Return a figure as an HTML element; its label is the caption.

    prefix keeps the ids of several figures in one page apart.
    """
    buffer = io.StringIO()
    # Neither a date nor versions: the same figure gives the same bytes.
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<style type=\"text/css\">.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    svg = svg.replace(_INK, "currentColor")
    caption = html.escape(str(figure.get_label()))
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{caption}"', 1)
    told = f"\n<figcaption>{caption}</figcaption>" if caption else ""
    return f"<figure>\n{svg}{told}\n</figure>"

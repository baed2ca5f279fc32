"""Drawing with Matplotlib, imported when a figure is drawn."""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from models.experiments.claims import Record
from models.experiments.results import write_whole

# Paul Tol's bright scheme: told apart by all readers, and in grey.
COLOURS = (
    *("#4477AA", "#EE6677", "#228833", "#CCBB44"),
    *("#66CCEE", "#AA3377", "#BBBBBB", "#000000"),
)
STYLE: Any = {
    "figure.dpi": 120,
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.alpha": 0.3,
    "legend.frameon": False,
}


def save_figure(
    path: Path, draw: Callable[[Any], None], size: tuple[float, float]
) -> None:
    """Let draw fill a new figure of size (inches), and write it as PNG."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)  # Not pyplot: no window system, no global state.
        draw(figure)
        write_whole(path, lambda place: figure.savefig(place, format="png"))


def band(
    axes: Any,
    curves: Sequence[Sequence[float]],
    *,
    colour: str,
    label: str | None = None,
    alpha: float = 0.15,
) -> None:
    """Draw the mean of curves by epoch, and a band from the lowest to the highest.

    curves: one for each seed; a number an epoch, up to the end of the shortest.
    """
    points = list(zip(*curves, strict=False))
    epochs = range(1, len(points) + 1)
    axes.plot(epochs, list(map(statistics.fmean, points)), color=colour, label=label)
    ends = list(map(min, points)), list(map(max, points))
    axes.fill_between(epochs, *ends, color=colour, alpha=alpha, linewidth=0)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("epoch")


def compare(
    axes: Any,
    labels: list[str],
    published: list[tuple[float, float]],
    measured: list[tuple[float, float]],
) -> None:
    """Draw (mean, std) of each label twice, side by side: published and measured."""
    places = list(range(len(labels)))
    for shift, points, marker, colour, name in (
        (-0.12, published, "s", "#777777", "published"),
        (0.12, measured, "o", COLOURS[0], "measured"),
    ):
        axes.errorbar(
            [place + shift for place in places],
            [mean for mean, _ in points],
            yerr=[std for _, std in points],
            fmt=marker,
            color=colour,
            capsize=3,
            label=name,
        )
    axes.set_xticks(places, labels)
    axes.set_xlim(-0.5, len(labels) - 0.5)


def by_epoch(arm: str, name: str, records: Sequence[Record]) -> list[list[float]]:
    """Read a number of every epoch of an arm, one list for each seed."""
    histories = [record["arms"][arm]["history"] for record in records]
    return [[epoch[name] for epoch in history] for history in histories]


def legend_below(axes: Any, columns: int = 3) -> None:
    """Put the legend where no number can be."""
    place: Any = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.13)}
    axes.legend(fontsize=8, ncols=columns, columnspacing=1.0, **place)

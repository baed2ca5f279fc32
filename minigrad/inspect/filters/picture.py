"""|cos| of the kernels of a block as a figure: distributions and mean matrices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy
from numpy import ndarray

from minigrad.files import PathLike
from minigrad.inspect.explain.tables import number
from minigrad.inspect.filters._cosines import (
    Cosines,
    directions,
    mean_gram,
    within,
)
from minigrad.inspect.filters._kernels import SENSES, WORDS, blocks_of
from minigrad.inspect.report._panels import COLOURS
from minigrad.inspect.report.figure import drawn

MATRICES: Final = 5
"""Weights whose matrices are drawn, at most: the first."""

BOUNDS: Final = numpy.linspace(0, 1, 1001)
"""On |cos|, at which a curve has its points, up to the first with no pair above it."""


class Drawn(NamedTuple):
    """Kernels (F, S, *k), how many of a filter make a block, and |cos| in blocks."""

    kernels: ndarray
    rows: int
    within: Mapping[str, Cosines]

    def blocks(self, sense: str) -> list[ndarray]:
        """Return the blocks of directions in a sense, see blocks_of."""
        return blocks_of(directions(SENSES[sense](self.kernels)), self.rows)


def plot(weights: Mapping[str, Drawn], path: PathLike | None) -> Any:
    """Draw weights by name; write the figure to path, or return it.

    Above stands how |cos| of the kernels of a block is distributed, in half spectrum
    and in space; below, for each weight, its mean for every pair of kernels.
    """

    def draw(figure: Any) -> None:
        above, below = figure.subfigures(2, 1, height_ratios=(1, 1.1))
        sides = zip(above.subplots(1, len(SENSES), sharey=True), SENSES, strict=True)
        for axes, sense in sides:
            _distributions(axes, weights, sense)
        _matrices(below, dict(list(weights.items())[:MATRICES]))

    return drawn(draw, (9.0, 6.4), path)


def _distributions(axes: Any, weights: Mapping[str, Drawn], sense: str) -> None:
    """Draw the share of pairs whose |cos| is above a bound, a line for each weight."""
    for at, (name, weight) in enumerate(weights.items()):
        bounds, shares = _curve(weight.blocks(sense))
        axes.plot(
            bounds,
            100 * shares,
            color=COLOURS[at % len(COLOURS)],
            linestyle=("-", "--", ":")[at // len(COLOURS) % 3],
            label=f"{name}: mean {number(weight.within[sense].mean)}",
        )
    axes.set_title(f"Kernels of a block, in {WORDS[sense]}")
    axes.set_xlabel("bound on |cos|")
    axes.set_ylabel("pairs above it, %" if sense == "half" else "")
    axes.set_xlim(-0.02, 1.02)
    axes.legend()


def _curve(blocks: list[ndarray]) -> tuple[ndarray, ndarray]:
    """Return bounds and the share of pairs whose |cos| is a bound or more, 1 to 0.

    Of the last bound, 1, pairs of parallel kernels are left out.
    """
    counts = numpy.zeros(len(BOUNDS) - 1, int)
    for values in within(blocks):
        counts += numpy.histogram(values, len(counts), (0, 1))[0]
    above = numpy.append(counts[::-1].cumsum()[::-1], 0)
    end = numpy.count_nonzero(above) + 1
    return BOUNDS[:end], above[:end] / max(above[0], 1)


def _matrices(figure: Any, weights: Mapping[str, Drawn]) -> None:
    """Draw mean |cos| of kernel i and kernel j of a block; the diagonal is left out."""
    cells = [(name, sense) for sense in SENSES for name in weights]
    grams = [mean_gram(weights[name].blocks(sense)[0]) for name, sense in cells]
    for gram in grams:
        numpy.fill_diagonal(gram, numpy.nan)
    # One kernel a block has no pair.
    top = max([1e-3, *(numpy.nanmax(gram) for gram in grams if len(gram) > 1)])
    lines = 1 if len(weights) == 1 else len(SENSES)
    table = figure.subplots(lines, len(cells) // lines, squeeze=False)
    image: Any = None
    for axes, (name, sense), gram in zip(table.flat, cells, grams, strict=True):
        image = axes.imshow(gram, cmap="cividis", vmin=0, vmax=top)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_title(name if sense == "half" or lines == 1 else "")
        axes.set_ylabel(WORDS[sense] if name == next(iter(weights)) else "")
    figure.colorbar(image, ax=table, label="mean |cos| of kernels i and j", shrink=0.8)

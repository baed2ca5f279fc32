"""The panels of a plot: mean squares by depth, and spectra of Jacobians.

Heights are logarithms on a linear axis: mean squares may be beyond the largest float.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy

from minigrad.inspect.propagation.signals import Layer, Signal
from minigrad.inspect.report._panels import COLOURS

NAMED: Final = 12
"""Layers whose names are written below the axis, at most; of more, some."""


def by_depth(axes: Any, signals: Sequence[tuple[str, Signal]]) -> None:
    """Draw variance and mean square of named signals, and of their gradients."""
    curves = {
        "variance of the signal": [one.moments.variance for _, one in signals],
        "mean square of the signal": [one.moments.square for _, one in signals],
        "mean square of the gradient": [one.gradient_square for _, one in signals],
    }
    for at, (label, values) in enumerate(curves.items()):
        heights = [_height(value) for value in values]
        look: Any = {"color": COLOURS[at], "marker": "oDs"[at], "markersize": 4}
        axes.plot(heights, label=label, **look)
    last = len(signals) - 1
    count = min(len(signals), NAMED)
    places = sorted({round(last * at / max(count - 1, 1)) for at in range(count)})
    axes.set_xticks(places, [signals[at][0] for at in places], rotation=30, ha="right")
    axes.set_ylabel("log10")
    axes.grid(axis="y", alpha=0.3)
    axes.set_title("Signals and their gradients by depth")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def spectra(axes: Any, layers: Sequence[Layer]) -> None:
    """Draw the singular values of each layer's Jacobian, the largest first."""
    for at, layer in enumerate(layers):
        values = layer.singular_values
        assert values is not None
        heights = [_height(value) for value in values.tolist()]
        axes.plot(
            (numpy.arange(len(heights)) + 0.5) / max(len(heights), 1),
            heights,
            color=COLOURS[at % len(COLOURS)],
            linestyle=("-", "--", ":")[at // len(COLOURS) % 3],
            label=layer.title,
        )
    axes.set_xlabel("share of the singular values that are larger")
    axes.set_ylabel("log10")
    axes.grid(axis="y", alpha=0.3)
    axes.set_title("Singular values of Jacobians dy/dx at one example")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _height(value: float | None) -> float:
    """Return log10; of what is 0, not finite or not there NaN, which leaves a gap."""
    there = value is not None and math.isfinite(value) and value > 0
    return math.log10(value) if there and value is not None else math.nan

"""The panels of bpga.fig3: curves that the engine computes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.experiments.claims import Record
from models.experiments.figures import COLOURS
from models.gradient_adapter.fig3_claims import MAIN, NAMES, of
from models.gradient_adapter.fig3_measures import slope_of, value_of

STYLES = dict(zip(NAMES, ("-", "-", "-", "--", "--", "--", "-.", ":"), strict=True))
SHADES = dict(zip(NAMES, COLOURS, strict=True))
SIGN = "#333333"
WIDE: Any = {
    "identity": {"linewidth": 6, "alpha": 0.35},
    "hardtanh": {"linewidth": 3},
}
"""Lines that others lie on."""


def draw(figure: Any, records: Sequence[Record]) -> None:
    """Draw Fig. 3, Fig. 4, the further adapters, and the derivatives of all."""
    (a, b), (c, d) = figure.subplots(2, 2)
    _draw_hardtanh(a)
    a.set_title("(a) Fig. 3: Htanh and its derivative")
    _draw_functions(b, MAIN)
    b.set_title("(b) Fig. 4: I, Htanh and tanh")
    _draw_functions(c, [arm for arm in NAMES if arm not in MAIN])
    c.set_title("(c) further adapters")
    _draw_slopes(d, records)
    d.set_title("(d) derivatives, and their means over N(0, 1)")
    for axes in (a, b, c, d):
        axes.set_xlabel("x")


def _without_jumps(x: Any, y: Any) -> Any:
    """Break the line where y jumps."""
    y = y.astype("float64")
    y[1:][np.abs(np.diff(y)) > 10 * (x[1] - x[0])] = np.nan
    return y


def _draw_hardtanh(axes: Any) -> None:
    x = np.linspace(-3, 3, 6001)
    axes.plot(x, value_of("hardtanh", x), color=COLOURS[0], label="Htanh(x)")
    slope = _without_jumps(x, slope_of("hardtanh", x))
    axes.plot(x, slope, "--", color=COLOURS[1], label="Htanh'(x)")
    ends = np.array([-1.0, 1.0])
    axes.plot(ends, slope_of("hardtanh", ends), "o", color=COLOURS[1], markersize=4)
    axes.plot(ends, [0, 0], "o", color=COLOURS[1], markersize=4, fillstyle="none")
    axes.set_ylabel("g(x), g'(x)")
    axes.legend(loc="upper left")


def _draw_functions(axes: Any, arms: Sequence[str]) -> None:
    x = np.linspace(-3, 3, 601)
    for sides in (x < 0, x > 0):
        label = "sign" if sides[0] else None
        y = np.sign(x[sides])
        axes.plot(x[sides], y, ":", color=SIGN, label=label, zorder=3)
    for arm in arms:
        y = value_of(arm, x)
        axes.plot(
            x,
            y,
            STYLES[arm],
            color=SHADES[arm],
            label=NAMES[arm],
            **WIDE.get(arm, {}),
        )
    axes.set_ylim(-2.1, 2.1)
    axes.set_ylabel("g(x)")
    axes.legend(loc="upper left", fontsize=9)


def _draw_slopes(axes: Any, records: Sequence[Record]) -> None:
    x = np.linspace(-4, 4, 8001)
    for arm in NAMES:
        quantity = of(arm, "float64.mean_slope")
        mean = np.mean([quantity.of(record) for record in records])
        axes.plot(
            x,
            _without_jumps(x, slope_of(arm, x)),
            STYLES[arm],
            color=SHADES[arm],
            label=f"{NAMES[arm]}, {mean:.2f}",
            **WIDE.get(arm, {}),
        )
    axes.set_ylim(-0.05, 1.95)
    axes.set_ylabel("g'(x)")
    axes.legend(
        loc="upper center", fontsize=9, ncols=2, title=f"mean slope, n = {len(records)}"
    )

"""The panels of gaaf.fig4: curves that the engine computes, with K = 10,000."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.kernels.gaaf import shifted_sigmoid
from models.experiments.claims import Record
from models.experiments.figures import COLOURS
from models.gaaf.fig4_claims import of
from models.gaaf.measures.sawtooth import (
    BINADES,
    TERMS,
    sawtooth,
    shape_of,
    terms_of,
    values,
)

K = 1e4
TERM_NAMES = ("phi', activation", "s, acceleration", "g s', shape")
SHIFT = -1.0
"""Of the other sigmoid that Fig. 5 can be read as."""


def draw(figure: Any, records: Sequence[Record]) -> None:
    """Draw g, the shapes, phi_new on phi, its slope by terms, and float32's limits."""
    (a, b, c), (d, e, f) = figure.subplots(2, 3)
    _draw_sawtooth(a)
    _draw_shapes(b)
    _draw_functions(c)
    places = ((d, "d", "tanh", "tanh"), (e, "e", "relu", "ReLU, a = 4"))
    for axes, place, arm, title in places:
        _draw_terms(axes, arm)
        axes.set_title(f"({place}) slope of phi_new, {title}")
    e.set_ylim(d.get_ylim())
    _draw_values(f, records)


def _draw_sawtooth(axes: Any) -> None:
    x = np.linspace(-2.5 / K, 2.5 / K, 1001)
    y = sawtooth(x, K)
    # No line down the jumps.
    y[1:][np.diff(y) < 0] = np.nan
    axes.plot(x * K, y * K, color=COLOURS[0])
    axes.axhline(1, color="#777777", linestyle="--", label="bound of the paper, 1 / K")
    axes.axhline(-1, color="#777777", linestyle="--")
    axes.set_ylim(-1.3, 1.9)
    axes.set_xlabel("x (1 / K = 0.0001)")
    axes.set_ylabel("g(x) (1 / K)")
    axes.set_title("(a) acceleration function g, slope 1")
    axes.legend(loc="upper center")


def _draw_shapes(axes: Any) -> None:
    x = np.linspace(-8, 8, 401)
    # An activation of any kind: the acceleration term is s alone.
    for colour, style, shape, label in (
        (COLOURS[0], "-", shape_of("tanh"), "tanh: exp(-x² / 3)"),
        (COLOURS[1], "-", shape_of("relu"), "ReLU: sigmoid(x + 4)"),
        (COLOURS[1], ":", shifted_sigmoid(SHIFT), "ReLU: sigmoid(x - 1)"),
        (COLOURS[2], "--", shape_of("sigmoid"), "sigmoid: exp(-x² / 12)"),
    ):
        s = terms_of("tanh", x, K, shape)["acceleration"]
        axes.plot(x, s, style, color=colour, label=label)
    axes.set_ylim(-0.05, 1.75)
    axes.set_xlabel("x")
    axes.set_ylabel("s(x)")
    axes.set_title("(b) shapes s")
    axes.legend(loc="upper left", fontsize=9)


def _draw_functions(axes: Any) -> None:
    wide = np.linspace(-3, 3, 601)
    new, plain, _ = values("tanh", wide, K)
    axes.plot(wide, plain, color=COLOURS[0], linewidth=5, alpha=0.4, label="phi = tanh")
    axes.plot(wide, new, color=COLOURS[1], linewidth=1, label="phi_new")
    axes.set_ylim(-1.1, 1.1)
    axes.set_xlabel("x")
    axes.set_ylabel("phi(x), phi_new(x)")
    axes.set_title("(c) value: the same to the eye")
    axes.legend(loc="upper left")
    inset = axes.inset_axes((0.58, 0.12, 0.4, 0.42))
    near = 1 + np.linspace(0, 4 / K, 801)
    new, plain, _ = values("tanh", near, K)
    new[1:][np.diff(new) < 0] = np.nan
    start = plain[0]
    inset.plot(K * (near - 1), K * (plain - start), color=COLOURS[0], alpha=0.4, lw=3)
    inset.plot(K * (near - 1), K * (new - start), color=COLOURS[1], linewidth=1)
    inset.set_title("four teeth at x = 1 (1 / K)", fontsize=8)
    inset.tick_params(labelsize=7)
    inset.set_xticks(range(5))


def _draw_terms(axes: Any, arm: str) -> None:
    x = np.linspace(-8, 8, 801)
    terms = terms_of(arm, x, K)
    axes.stackplot(
        x,
        *(terms[name] for name in TERMS),
        labels=TERM_NAMES,
        colors=(COLOURS[0], COLOURS[1], COLOURS[2]),
        alpha=0.75,
    )
    largest = np.abs(terms["shape"]).max()
    axes.set_ylim(0, 2.9)
    axes.set_xlabel("x")
    axes.set_ylabel("slope")
    axes.legend(loc="upper left", title=f"|g s'| is at most {largest:.0e}", fontsize=9)


def _draw_values(axes: Any, records: Sequence[Record]) -> None:
    starts = [2.0**exponent for exponent in BINADES]
    for seed, record in enumerate(records):
        counts = [of("tanh", f"float32.values.{e}").of(record) for e in BINADES]
        axes.stairs(
            counts,
            [*starts, 2 * starts[-1]],
            color=COLOURS[0],
            label=None if seed else f"float32, n = {len(records)}",
        )
    until = of("tanh", "float32.changes_until").of(records[0])
    axes.axvline(
        until, color=COLOURS[1], linestyle="--", label=f"constant from {until:.0f} on"
    )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("|x|")
    axes.set_ylabel("different values of g")
    axes.set_title("(f) control: what float32 leaves of g")
    axes.legend(loc="lower left")

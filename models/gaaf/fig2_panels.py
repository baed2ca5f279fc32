"""The panels of gaaf.fig2."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.kernels.gaaf import GAUSSIAN
from models.experiments.claims import Record
from models.experiments.figures import COLOURS
from models.experiments.verdicts import mean_and_std
from models.gaaf.common import LAYERS
from models.gaaf.fig2_claims import SHAKEN, VARIANCE, of
from models.gaaf.measures.saturation import EDGES, PASSES, shaken_slope, slope
from models.gaaf.measures.sawtooth import terms_of

MARKERS = ("s", "o", "^")
PARTS = (
    ("start", COLOURS[0], "start: larger loss"),
    ("rest", COLOURS[4], "masks, weights on the way"),
    ("slope", COLOURS[1], "slopes"),
)
SATURATED = (
    ("arriving", COLOURS[3], "what arrives at the unit"),
    ("slope", COLOURS[1], None),
)


def draw(figure: Any, records: Sequence[Record]) -> None:
    """Draw the sketch as curves, slope and gradient by |z0|, and parts as bars."""
    (a, b), (c, d) = figure.subplots(2, 2)
    _draw_sketch(a)
    _draw_slopes(b, records)
    _draw_gradients(c, records)
    _draw_parts(d, records)


def _draw_sketch(axes: Any) -> None:
    z = np.linspace(-6, 6, 241)
    axes.plot(z, slope(z), color=COLOURS[0], label="tanh'(z), no variance")
    axes.plot(
        z,
        shaken_slope(z, VARIANCE),
        color=COLOURS[1],
        label=f"mean of tanh'(z + e), variance {VARIANCE}",
    )
    shape = terms_of("tanh", z, 1e4, GAUSSIAN)["acceleration"]
    axes.plot(z, shape, ":", color=COLOURS[2], label="GAAF's s(z) = exp(-z² / 3)")
    at, spread = 3.0, VARIANCE**0.5
    axes.errorbar(
        [at],
        [slope(np.array([at]))[0]],
        xerr=spread,
        fmt="o",
        color="black",
        capsize=3,
        label="a saturated net, ± 1 std",
    )
    axes.set_yscale("log")
    axes.set_ylim(1e-5, 60)
    axes.set_xlabel("net z")
    axes.set_ylabel("slope")
    axes.set_title("(a) Fig. 2: variance moves a net to the left or right")
    axes.legend(loc="upper center", ncols=2, fontsize=8)


def _bins(title: str, layer: str, name: str, records: Sequence[Record]) -> Any:
    """Mean over the seeds in which the bin is not empty; nan where none is."""
    arms = [record["arms"]["dropout"][title][layer]["bins"][name] for record in records]
    table = np.array(arms, "float64")
    found = ~np.isnan(table)
    sums = np.where(found, table, 0).sum(axis=0)
    return np.where(found.any(axis=0), sums, np.nan) / np.maximum(found.sum(axis=0), 1)


def _draw_slopes(axes: Any, records: Sequence[Record]) -> None:
    z = np.linspace(EDGES[0], EDGES[-1], 121)
    axes.plot(z, slope(z), color="#777777", label="tanh'(z0)")
    middles = 0.5 * (EDGES[1:] + EDGES[:-1])
    for layer, marker, colour in zip(LAYERS, MARKERS, COLOURS, strict=False):
        still = _bins("still", layer, "slope", records)
        masked = _bins("masked", layer, "slope", records)
        axes.plot(middles, still, marker, markerfacecolor="none", color=colour)
        axes.plot(middles, masked, marker, color=colour, label=f"{layer}, masks")
    axes.plot([], [], "o", markerfacecolor="none", color="black", label="no masks")
    axes.set_yscale("log")
    axes.set_xlabel("|z0|, net without masks")
    axes.set_ylabel("mean tanh'(z)")
    axes.set_title(f"(b) slope in the trained network, n = {len(records)}")
    axes.legend(fontsize=9)


def _draw_gradients(axes: Any, records: Sequence[Record]) -> None:
    middles = 0.5 * (EDGES[1:] + EDGES[:-1])
    for layer, marker, colour in zip(LAYERS, MARKERS, COLOURS, strict=False):
        for title, style, fill in (("still", "--", "none"), ("masked", "-", colour)):
            axes.plot(
                middles,
                _bins(title, layer, "gradient", records),
                style + marker,
                color=colour,
                markerfacecolor=fill,
                label=f"{layer}, {'masks' if title == 'masked' else 'no masks'}",
            )
    axes.set_yscale("log")
    axes.set_xlabel("|z0|, net without masks")
    axes.set_ylabel("mean |dL/dz| (nats per unit of net)")
    axes.set_title(f"(c) gradient that reaches nets, {PASSES} masks")
    axes.legend(ncols=3, fontsize=8, loc="lower left")


def _draw_parts(axes: Any, records: Sequence[Record]) -> None:
    labels = [f"{layer}\nall units" for layer in LAYERS]
    for place, layer in enumerate(LAYERS):
        parts = [(f"split.{layer}.{name}", *rest) for name, *rest in PARTS]
        _bar(axes, place, parts, records, named=not place)
    for place, layer in enumerate(SHAKEN, len(LAYERS)):
        labels.append(f"{layer}\n|z0| > 2")
        parts = [
            (f"parts.{layer}.saturated.{name}", *rest) for name, *rest in SATURATED
        ]
        _bar(axes, place, parts, records, named=place == len(LAYERS))
    axes.plot([], [], "D", color="black", label="sum, ± 1 std")
    axes.axhline(0, color="black", linewidth=0.8)
    axes.axvline(len(LAYERS) - 0.5, 0, 0.72, color="#777777", linewidth=0.8, ls=":")
    axes.set_xticks(range(len(labels)), labels)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.35 * (high - low))
    axes.set_ylabel("ln(mean |dL/dz| with / without masks)")
    axes.set_title("(d) what raises the gradient")
    axes.legend(ncols=2, fontsize=8, loc="upper center")


def _bar(
    axes: Any, place: int, parts: Sequence[Any], records: Sequence[Record], named: bool
) -> None:
    """Stack the parts, those above zero upwards, the others downwards."""
    ends = [0.0, 0.0]
    for metric, colour, label in parts:
        height, _ = mean_and_std([of(metric).of(record) for record in records])
        side = int(height < 0)
        axes.bar(
            place,
            height,
            0.55,
            ends[side],
            color=colour,
            label=label if named else None,
        )
        ends[side] += height
    totals = [sum(of(m).of(record) for m, *_ in parts) for record in records]
    mean, std = mean_and_std(totals)
    axes.errorbar(place, mean, yerr=std, fmt="D", color="black", capsize=3)

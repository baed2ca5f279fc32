"""The panels of cai.bounds: what is orthogonal, what is noise, what is bounded."""

import statistics
from collections.abc import Sequence
from typing import Any

from models.conv_aware_init.bounds_arms import SIZES
from models.conv_aware_init.bounds_claims import of
from models.conv_aware_init.bounds_measures import CURVE
from models.experiments.claims import Record
from models.experiments.figures import COLOURS

BEFORE, CAI, HE, WHOLE = COLOURS[1], COLOURS[0], COLOURS[3], COLOURS[2]
SENSES = {"half": "half spectrum", "space": "space"}


def draw(figure: Any, records: Sequence[Record]) -> None:
    """Draw |cos| in both senses, then noise, means of taps and bounds, by size."""
    (a, b, c), (d, e, f) = figure.subplots(2, 3)
    _draw_curves(a, records)
    a.set_title("(a) 3x3: pairs in a block, half spectrum")
    for axes, sense, letter in ((b, "half", "b"), (c, "space", "c")):
        _draw_cosines(axes, records, sense)
        axes.set_title(f"({letter}) kernels of a block, {SENSES[sense]}")
    _draw_noise(d, records)
    d.set_title("(d) noise of std 0.05 in the variance")
    _draw_means(e, records)
    e.set_title("(e) eq. 12: means of taps, before noise")
    _draw_bounds(f, records)
    f.set_title("(f) Theorem 1, eqs. 9-11: greatest values")


def _by_size(records: Sequence[Record], arm: str, metric: str) -> list[float]:
    """Means over records, a number for each size."""
    quantities = [of(arm, f"sizes.{key}.{metric}") for key in SIZES]
    return [statistics.fmean(q.of(record) for record in records) for q in quantities]


def _sizes(axes: Any) -> None:
    axes.set_xticks(range(len(SIZES)), list(SIZES), rotation=45)
    axes.set_xlabel("size of kernels")


def _dots(
    axes: Any, values: Sequence[float], label: str, colour: str, mark: str = "o"
) -> None:
    axes.plot(range(len(values)), values, mark, color=colour, label=label, markersize=5)


def _draw_curves(axes: Any, records: Sequence[Record]) -> None:
    for arm, key, label, colour in (
        ("cai", "clean_half", "CAI before noise", BEFORE),
        ("cai", "half", "CAI", CAI),
        ("he_normal", "half", "He normal", HE),
        ("complex", "half", "whole spectra", WHOLE),
    ):
        curves = [record["arms"][arm]["history"][key] for record in records]
        mean = [100 * statistics.fmean(point) for point in zip(*curves, strict=True)]
        axes.plot(CURVE, mean, color=colour, label=label)
    axes.plot([0, 0, 1], [100, 0, 0], ":", color="black", label="if orthogonal")
    axes.set_xlabel("bound on |cos|")
    axes.set_ylabel("pairs above it, %")
    axes.legend()


def _draw_cosines(axes: Any, records: Sequence[Record], sense: str) -> None:
    _dots(axes, _by_size(records, "he_normal", sense), "He normal", HE)
    _dots(axes, _by_size(records, "cai", sense), "CAI", CAI)
    before = _by_size(records, "cai", f"clean_{sense}")
    _dots(axes, before, "CAI before noise", BEFORE)
    _dots(axes, _by_size(records, "complex", sense), "whole spectra", WHOLE, "x")
    # What the paper states as 0, where the reader looks first.
    place = list(SIZES).index("3x3")
    axes.annotate(
        f"3x3: {before[place]:.2f}, not 0",
        (place, before[place]),
        (0.3, -30),
        textcoords="offset points",
        ha="center",
        fontsize=8,
        color=BEFORE,
    )
    _sizes(axes)
    axes.set_ylabel("mean |cos|")
    axes.legend()


def _draw_noise(axes: Any, records: Sequence[Record]) -> None:
    places = range(len(SIZES))
    shares = [100 * share for share in _by_size(records, "cai", "noise")]
    formula = [100 * share for share in _by_size(records, "cai", "noise_formula")]
    axes.bar(places, shares, color=CAI, alpha=0.6, label="measured")
    _dots(axes, formula, "formula", "black", "_")
    _sizes(axes)
    axes.set_ylabel("share, %")
    axes.legend()


def _draw_means(axes: Any, records: Sequence[Record]) -> None:
    for arm, label, colour, mark in (
        ("own_spd", "LAPACK's signs, positive definite", COLOURS[5], "s"),
        ("own_eigh", "LAPACK's signs, eigenvectors", COLOURS[4], "^"),
        ("own_svd", "LAPACK's signs, SVD", COLOURS[1], "v"),
        ("cai", "random signs, SVD: chance", CAI, "o"),
    ):
        _dots(axes, _by_size(records, arm, "clean_tap_mean"), label, colour, mark)
    _sizes(axes)
    axes.set_yscale("log")
    axes.set_ylabel("greatest |mean| of a tap, std")
    axes.legend(fontsize=8)


def _draw_bounds(axes: Any, records: Sequence[Record]) -> None:
    for metric, label, colour, mark in (
        ("entry", "|Q|", COLOURS[0], "o"),
        ("tap", "|a| before noise", COLOURS[1], "s"),
        ("tap_per_mean", "|a| / mean |A|", COLOURS[2], "^"),
        ("mean_per_max", "mean |A| / max |A|", COLOURS[3], "v"),
    ):
        quantities = [of("cai", f"sizes.{key}.{metric}") for key in SIZES]
        greatest = [max(q.of(record) for record in records) for q in quantities]
        _dots(axes, greatest, label, colour, mark)
    axes.axhline(1, color="black", linestyle=":", label="bound")
    _sizes(axes)
    axes.set_ylim(0, 1.08)
    axes.legend(fontsize=8, loc="lower left")

"""The panels of bpga.stochastic."""

import statistics
from collections.abc import Sequence
from typing import Any

from models.experiments.claims import Quantity, Record
from models.experiments.figures import COLOURS
from models.experiments.verdicts import mean_and_std
from models.gradient_adapter.stochastic_claims import (
    at_step,
    exponent_of,
    of_size,
    quality,
)
from models.gradient_adapter.stochastic_measures import (
    COSTED,
    ESTIMATORS,
    SIZES,
    STEPS,
)
from models.gradient_adapter.stochastic_training import ARMS

COLOUR_OF = dict(zip(ARMS, COLOURS, strict=False))
DASHED = ("spsa_gains",)


def draw(figure: Any, records: Sequence[Record]) -> None:
    """Draw accuracy by steps and by losses, cost by size, and what estimates are."""
    (a, b, c), (d, e, f) = figure.subplots(2, 3)
    _draw_accuracy(a, records, by_losses=False)
    _draw_accuracy(b, records, by_losses=True)
    _draw_cost(c, records)
    _draw_cosines(d, records)
    _draw_steps(e, records, ("differences", "spsa"))
    _draw_steps(f, records, ("differences_output", "spsa_output"))
    a.set_title("(a) equal steps")
    b.set_title("(b) equal numbers of losses")
    c.set_title("(c) cost of one gradient")
    d.set_title("(d) estimates below the signs")
    e.set_title("(e) the same by step")
    f.set_title("(f) output layer, by step")
    handles, labels = a.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    n = len(records)
    figure.suptitle(f"n = {n}" + (": means, bars one std" if n > 1 else ""), size=10)


def _draw_accuracy(axes: Any, records: Sequence[Record], *, by_losses: bool) -> None:
    for arm, colour in COLOUR_OF.items():
        runs = [record["arms"][arm] for record in records]
        times = runs[0]["cost"]["losses"] if by_losses else 1
        curves = [_to_the_end(run) for run in runs]
        axes.plot(
            [times * step for step, _ in curves[0]],
            [
                statistics.fmean(value for _, value in points)
                for points in zip(*curves, strict=True)
            ],
            "--" if arm in DASHED else "-",
            color=colour,
            label=ARMS[arm].label,
        )
    axes.set_xscale("log")
    axes.set_ylim(0, 100)
    axes.set_xlabel("losses of a minibatch" if by_losses else "steps")
    axes.set_ylabel("test accuracy (%)")


def _to_the_end(run: Any) -> list[Any]:
    """[step, accuracy] pairs of a training, its last step among them."""
    points = run["curve"]
    last = [run["steps"], run["last_test_accuracy"]]
    return points if points[-1] == last else [*points, last]


def _draw_cost(axes: Any, records: Sequence[Record]) -> None:
    counts = [of_size(size, "weights").of(records[0]) for size in SIZES]
    for name in COSTED:
        power = statistics.fmean(exponent_of(name).of(record) for record in records)
        axes.plot(
            counts,
            [of_size(size, f"{name}.operations").of(records[0]) for size in SIZES],
            marker="o",
            color=COLOUR_OF[name],
            # SPSA and node perturbation cost the same.
            linestyle=":" if name == "node" else "-",
            label=f"{ARMS[name].label}: N^{power:.2f}",
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(None, 100 * axes.get_ylim()[1])
    axes.set_xticks(counts, [f"{count:.0f}" for count in counts])
    axes.minorticks_off()
    axes.set_xlabel("number of parameters N")
    axes.set_ylabel("multiply-adds per example")
    axes.legend(loc="upper left", fontsize=8)


def _draw_cosines(axes: Any, records: Sequence[Record]) -> None:
    for index, name in enumerate(ESTIMATORS):
        bars = ((-0.2, "cosine", 1.0), (0.2, "mean_cosine", 0.4))
        # Where nothing is random, one is all.
        bars = bars if ARMS[name].perturbs else ((0.0, "cosine", 1.0),)
        for shift, metric, fill in bars:
            mean, std = _spread(quality(name, metric), records)
            axes.bar(
                index + shift,
                mean,
                0.38,
                yerr=std,
                capsize=2,
                color=COLOUR_OF[name],
                alpha=fill,
            )
    axes.axhline(0, color="#777777", linewidth=0.8)
    axes.set_ylim(None, 1.05)
    axes.set_xticks(
        range(len(ESTIMATORS)),
        [_with_variance(name, records) for name in ESTIMATORS],
        fontsize=7.5,
    )
    axes.set_ylabel("cosine with smoothed slope")
    axes.set_xlabel("dark: one; light: mean of N, with variance of one")


_SHORT = {"bpga": "BPGA", "differences": "weight\ndiff.", "node": "node"}


def _with_variance(name: str, records: Sequence[Record]) -> str:
    """Short label, and variance of one estimate over the squared slope."""
    mean, _ = _spread(quality(name, "variance"), records)
    label = _SHORT.get(name, ARMS[name].label)
    return f"{label}\nvar.\n{mean:.0f}" if ARMS[name].perturbs else label


def _draw_steps(axes: Any, records: Sequence[Record], metrics: tuple[str, str]) -> None:
    for metric, name in zip(metrics, ("differences", "spsa"), strict=True):
        label = ARMS[name].label
        label = f"{label}, mean of N" if name == "spsa" else label
        _line(axes, metric, label, COLOUR_OF[name], records)
    if metrics[0] == "differences":
        _line(axes, "seen", "parameters with an effect (share)", "#777777", records)
    axes.axhline(0, color="#777777", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xlim(STEPS[0] / 2, STEPS[-1] * 2)
    axes.set_ylim(-0.2, 1.5)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes.set_xlabel("step of the perturbation")
    target = "smoothed slope" if metrics[0] == "differences" else "slope of the loss"
    axes.set_ylabel(f"cosine with {target}")
    axes.legend(loc="upper left", fontsize=8)


def _line(
    axes: Any, metric: str, label: str, colour: str, records: Sequence[Record]
) -> None:
    spreads = [_spread(at_step(metric, step), records) for step in STEPS]
    means, stds = zip(*spreads, strict=True)
    axes.errorbar(
        STEPS, means, yerr=stds, fmt="o-", color=colour, capsize=2, label=label
    )


def _spread(quantity: Quantity, records: Sequence[Record]) -> tuple[float, float]:
    return mean_and_std([quantity.of(record) for record in records])

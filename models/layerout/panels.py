"""Panels that the experiments share: accuracies, curves by epoch, savings."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from models.experiments.claims import Quantity, Record
from models.experiments.figures import COLOURS, band, by_epoch, legend_below
from models.experiments.verdicts import mean_and_std_of
from models.layerout.arms import Arm, nothing
from models.layerout.tables import Published

SHARES = {
    "frozen_share": "parameters frozen",
    "saved_share": "backward's multiply-adds saved",
    "seconds": "backward's seconds saved",
}


def accuracies_and_savings(
    figure: Any,
    arms: Mapping[str, Arm],
    records: Sequence[Record],
    published: Published,
    curves: Sequence[str] | None = None,
) -> None:
    """Draw accuracies, test accuracy by epoch, and what freezing saved, side by side.

    curves: the arms whose epochs are drawn; by default those that were published.
    """
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.1, 1, 1.1))
    draw_accuracies(left, arms, records, published)
    shown = [arm for arm in arms if arm in (curves or published)]
    draw_epochs(middle, {arm: arms[arm] for arm in shown}, records)
    frozen = {arm: made for arm, made in arms.items() if made.v not in (None, nothing)}
    draw_savings(right, frozen, records)


def draw_accuracies(
    axes: Any, arms: Mapping[str, Arm], records: Sequence[Record], published: Published
) -> None:
    """Draw accuracies of the last epoch and the highest, beside the published ones."""
    places = range(len(arms))
    series = (
        ("last_test_accuracy", "last epoch", "o", COLOURS[0], 0.15),
        ("best_test_accuracy", "highest", "^", COLOURS[4], -0.15),
    )
    for metric, label, marker, colour, shift in series:
        values = [mean_and_std_of(Quantity(arm, metric, ""), records) for arm in arms]
        axes.errorbar(
            [mean for mean, _ in values],
            [place + shift for place in places],
            xerr=[std for _, std in values],
            fmt=marker,
            color=colour,
            capsize=3,
            label=f"{label}, measured",
        )
    known = [place for place, arm in enumerate(arms) if arm in published]
    numbers = [published[arm] for arm in arms if arm in published]
    axes.plot(numbers, known, "s", color="#777777", label="highest, published")
    axes.set_yticks(places, [made.label for made in arms.values()], fontsize=8)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("test accuracy (%)")
    axes.set_title(f"Mean and std, n = {len(records)}")
    legend_below(axes)


def draw_epochs(axes: Any, arms: Mapping[str, Arm], records: Sequence[Record]) -> None:
    """Draw test accuracy by epoch: mean, and from the lowest to the highest seed."""
    lows: list[float] = []
    highs: list[float] = []
    for number, (arm, made) in enumerate(arms.items()):
        curves = by_epoch(arm, "test_accuracy", records)
        band(axes, curves, colour=COLOURS[number % len(COLOURS)], label=made.label)
        means = [statistics.fmean(values) for values in zip(*curves, strict=False)]
        lows += means[len(means) // 4 :]
        highs += map(max, curves)
    # Where networks begin would leave no room for where they end.
    axes.set_ylim(min(lows) - 2, max(highs) + 1)
    axes.set_ylabel("test accuracy (%)")
    axes.set_title("By epoch; band: all seeds")
    legend_below(axes, columns=2)


def draw_savings(axes: Any, arms: Mapping[str, Arm], records: Sequence[Record]) -> None:
    """Draw what freezing saves of an epoch behind the warm-up, in three units."""
    height = 0.25
    for number, (name, label) in enumerate(SHARES.items()):
        values = [_share(arm, name, records) for arm in arms]
        places = [place + (number - 1) * height for place in range(len(arms))]
        axes.barh(places, values, height, color=COLOURS[number], label=label)
    axes.set_yticks(
        range(len(arms)), [made.label for made in arms.values()], fontsize=8
    )
    axes.invert_yaxis()
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel("%, mean over epochs behind the warm-up")
    axes.set_title("Three shares that are not the same")
    legend_below(axes)


def draw_kept(axes: Any, records: Sequence[Record], arm: str) -> None:
    """Draw blocks by epoch: that run for a test image, and up to the policy."""
    for name, label, colour in (
        ("kept", "blocks that run", COLOURS[0]),
        ("decided", "blocks up to the policy", COLOURS[6]),
    ):
        curves = by_epoch(arm, name, records)
        band(axes, curves, colour=colour, label=label, alpha=0.2)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("blocks, mean over test images")
    axes.set_title("BlockDrop's policy")
    legend_below(axes)


def _share(arm: str, name: str, records: Sequence[Record]) -> float:
    if name != "seconds":
        return mean_and_std_of(Quantity(arm, name, ""), records)[0]
    ratio = Quantity(arm, "backward_seconds", "", per="baseline")
    return 100 * (1 - mean_and_std_of(ratio, records)[0])

"""Panels that the experiments share: accuracies, curves by epoch, savings."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from models.experiments.claims import Quantity, Record
from models.experiments.figures import COLOURS
from models.experiments.verdicts import mean_and_std
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
        values = [_mean_std(Quantity(arm, metric, ""), records) for arm in arms]
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
    _legend_below(axes)


def draw_epochs(axes: Any, arms: Mapping[str, Arm], records: Sequence[Record]) -> None:
    """Draw test accuracy by epoch: mean, and from the lowest to the highest seed."""
    lows: list[float] = []
    highs: list[float] = []
    for number, (arm, made) in enumerate(arms.items()):
        curves = [
            [epoch["test_accuracy"] for epoch in record["arms"][arm]["history"]]
            for record in records
        ]
        by_epoch = list(zip(*curves, strict=False))
        epochs = range(1, len(by_epoch) + 1)
        colour = COLOURS[number % len(COLOURS)]
        means = [statistics.fmean(values) for values in by_epoch]
        lows += means[len(means) // 4 :]
        axes.plot(epochs, means, color=colour, label=made.label)
        ends = [min(values) for values in by_epoch], [max(v) for v in by_epoch]
        axes.fill_between(epochs, *ends, color=colour, alpha=0.15, linewidth=0)
        highs += ends[1]
    # Where networks begin would leave no room for where they end.
    axes.set_ylim(min(lows) - 2, max(highs) + 1)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("epoch")
    axes.set_ylabel("test accuracy (%)")
    axes.set_title("By epoch; band: all seeds")
    _legend_below(axes, columns=2)


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
    _legend_below(axes)


def draw_kept(axes: Any, records: Sequence[Record], arm: str) -> None:
    """Draw the blocks that run for a test image by epoch, and the accuracy above."""
    histories = [record["arms"][arm]["history"] for record in records]
    epochs = range(1, len(histories[0]) + 1)
    for name, label, number in (
        ("kept", "blocks that run", 0),
        ("decided", "blocks up to the policy", 6),
    ):
        by_epoch = list(
            zip(*([e[name] for e in one] for one in histories), strict=True)
        )
        means = [statistics.fmean(values) for values in by_epoch]
        ends = [min(values) for values in by_epoch], [max(v) for v in by_epoch]
        axes.plot(epochs, means, color=COLOURS[number], label=label)
        axes.fill_between(epochs, *ends, color=COLOURS[number], alpha=0.2, linewidth=0)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("epoch")
    axes.set_ylabel("blocks, mean over test images")
    axes.set_title("BlockDrop's policy")
    _legend_below(axes)


def _legend_below(axes: Any, columns: int = 3) -> None:
    """Put the legend where no number can be."""
    place: Any = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.13)}
    axes.legend(fontsize=8, ncols=columns, columnspacing=1.0, **place)


def _share(arm: str, name: str, records: Sequence[Record]) -> float:
    if name != "seconds":
        return _mean_std(Quantity(arm, name, ""), records)[0]
    ratio = Quantity(arm, "backward_seconds", "", per="baseline")
    return 100 * (1 - _mean_std(ratio, records)[0])


def _mean_std(quantity: Quantity, records: Sequence[Record]) -> tuple[float, float]:
    return mean_and_std([quantity.of(record) for record in records])

"""Figures 1 and 2: loss and accuracy by epoch, one line for each initialization."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from models.conv_aware_init.images import Arm
from models.experiments.claims import Record
from models.experiments.figures import COLOURS, band, by_epoch


def draw(
    figure: Any,
    arms: Mapping[str, Arm],
    records: Sequence[Record],
    pairs: Sequence[tuple[str, str]],
) -> None:
    """Draw test loss and accuracy by epoch, and paired differences of the loss."""
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 1.1))
    _draw_epochs(left, arms, records, "test_loss", "test loss (nats)")
    _draw_epochs(middle, arms, records, "test_accuracy", "test accuracy (%)")
    _draw_differences(right, arms, records, pairs)
    lines, labels = left.get_legend_handles_labels()
    figure.legend(
        lines, labels, loc="outside lower center", ncols=min(len(arms), 4), fontsize=8
    )


def _draw_epochs(
    axes: Any,
    arms: Mapping[str, Arm],
    records: Sequence[Record],
    name: str,
    words: str,
) -> None:
    """Draw a number by epoch: mean, and from the lowest to the highest seed."""
    for number, (arm, made) in enumerate(arms.items()):
        curves, colour = by_epoch(arm, name, records), COLOURS[number % len(COLOURS)]
        band(axes, curves, colour=colour, label=made.label, alpha=0.08)
    axes.set_ylabel(words)
    axes.set_title(f"Mean and range over seeds, n = {len(records)}")


def _draw_differences(
    axes: Any,
    arms: Mapping[str, Arm],
    records: Sequence[Record],
    pairs: Sequence[tuple[str, str]],
) -> None:
    """Draw by epoch how far below another arm's the loss of CAI is, seed by seed."""
    widest = 0.0
    for number, (one, other) in enumerate(pairs):
        ours, theirs = (by_epoch(arm, "test_loss", records) for arm in (one, other))
        curves = [
            [a - b for a, b in zip(*both, strict=True)]
            for both in zip(ours, theirs, strict=True)
        ]
        means = [statistics.fmean(values) for values in zip(*curves, strict=True)]
        words = f"{arms[one].label} - {arms[other].label}"
        colour = COLOURS[number % len(COLOURS)]
        epochs = range(1, len(means) + 1)
        for curve in curves:
            axes.plot(epochs, curve, color=colour, alpha=0.25, linewidth=0.7)
            widest = max(widest, *map(abs, curve[1:]), *map(abs, means))
        axes.plot(epochs, means, color=colour, label=words, linewidth=2)
    axes.axhline(0, color="black", linewidth=0.8)
    # Single first epochs differ by so much that nothing else would be seen.
    axes.set_ylim(-1.1 * widest, 1.1 * widest)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("epoch")
    axes.set_ylabel("difference of test losses (nats)")
    axes.set_title("Below 0: CAI is better; thin: single seeds")
    axes.legend(fontsize=7)

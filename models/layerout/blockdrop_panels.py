"""The figure: accuracy and blocks by epoch, with the phases, and use of each block."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from models.experiments.claims import Quantity, Record
from models.experiments.figures import COLOURS
from models.experiments.verdicts import mean_and_std
from models.layerout.blockdrop_claims import ARM

Epoch = Mapping[str, Any]


def draw(figure: Any, records: Sequence[Record]) -> None:
    """Draw test accuracy, blocks that run, and how often each block does."""
    left, middle, right = figure.subplots(1, 3)
    pretrained = _mean("pretrained_accuracy", records)
    _curve(left, lambda epoch: epoch["test_accuracy"], records, COLOURS[0])
    left.axhline(pretrained, linestyle="--", color="black", label="pretrained, all")
    left.set_ylim(bottom=pretrained - 8, top=min(100.5, pretrained + 4))
    left.set_ylabel("test accuracy (%)")
    left.set_title(f"Accuracy, n = {len(records)}; band: all seeds")
    _curve(middle, lambda epoch: epoch["kept"], records, COLOURS[1], "run for an image")
    _curve(middle, lambda epoch: epoch["decided"], records, "#999999", "decided")
    blocks = _mean("blocks", records)
    middle.axhline(blocks, linestyle="--", color="black", label="all")
    middle.set_ylim(0, blocks * 1.1)
    middle.set_ylabel("blocks")
    middle.set_title("Blocks that run")
    for axes in (left, middle):
        _phases(axes, records)
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(fontsize=8, loc="lower right")
    _usage(right, records)


def _mean(metric: str, records: Sequence[Record]) -> float:
    return mean_and_std([Quantity(ARM, metric, "").of(one) for one in records])[0]


def _histories(records: Sequence[Record]) -> list[Sequence[Epoch]]:
    return [record["arms"][ARM]["history"] for record in records]


def _curve(
    axes: Any,
    value: Callable[[Epoch], float],
    records: Sequence[Record],
    colour: str,
    label: str | None = None,
) -> None:
    """Draw the mean over seeds, and a band from the lowest to the highest."""
    curves = [[value(epoch) for epoch in history] for history in _histories(records)]
    by_epoch = list(zip(*curves, strict=True))
    epochs = range(1, len(by_epoch) + 1)
    axes.plot(epochs, list(map(statistics.fmean, by_epoch)), color=colour, label=label)
    lows, highs = list(map(min, by_epoch)), list(map(max, by_epoch))
    axes.fill_between(epochs, lows, highs, color=colour, alpha=0.15, linewidth=0)


def _phases(axes: Any, records: Sequence[Record]) -> None:
    """Shade every second phase, and write its name above."""
    names = [epoch["phase"] for epoch in _histories(records)[0]]
    for number, name in enumerate(dict.fromkeys(names)):
        first = names.index(name) + 0.5
        last = first + names.count(name)
        if number % 2:
            axes.axvspan(first, last, color="#000000", alpha=0.05, linewidth=0)
        place = ((first + last) / 2, 0.98)
        where = axes.get_xaxis_transform()
        axes.text(*place, name, transform=where, ha="center", va="top", fontsize=8)


def _usage(axes: Any, records: Sequence[Record]) -> None:
    """Draw for each block the share of images that it runs for."""
    uses = [record["arms"][ARM]["usage"] for record in records]
    by_block = [
        mean_and_std([100 * share for share in s]) for s in zip(*uses, strict=True)
    ]
    axes.bar(
        range(1, len(by_block) + 1),
        [mean for mean, _ in by_block],
        yerr=[std for _, std in by_block],
        color=COLOURS[1],
        capsize=2,
    )
    axes.set_ylim(0, 105)
    axes.set_xlabel("block")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_ylabel("test images that it runs for (%)")
    axes.set_title("Use of each block")

"""The figure: accuracy and blocks by epoch, with the phases, and use of each block."""

from collections.abc import Sequence
from typing import Any

from models.experiments.claims import Quantity, Record
from models.experiments.figures import COLOURS, band, by_epoch
from models.experiments.verdicts import mean_and_std, mean_and_std_of
from models.layerout.blockdrop_claims import ARM


def draw(figure: Any, records: Sequence[Record]) -> None:
    """Draw test accuracy, blocks that run, and how often each block does."""
    left, middle, right = figure.subplots(1, 3)
    pretrained = _mean("pretrained_accuracy", records)
    band(left, by_epoch(ARM, "test_accuracy", records), colour=COLOURS[0])
    left.axhline(pretrained, linestyle="--", color="black", label="pretrained, all")
    left.set_ylim(bottom=pretrained - 8, top=min(100.5, pretrained + 4))
    left.set_ylabel("test accuracy (%)")
    left.set_title(f"Accuracy, n = {len(records)}; band: all seeds")
    kept, decided = (by_epoch(ARM, name, records) for name in ("kept", "decided"))
    band(middle, kept, colour=COLOURS[1], label="run for an image")
    band(middle, decided, colour="#999999", label="decided")
    blocks = _mean("blocks", records)
    middle.axhline(blocks, linestyle="--", color="black", label="all")
    middle.set_ylim(0, blocks * 1.1)
    middle.set_ylabel("blocks")
    middle.set_title("Blocks that run")
    for axes in (left, middle):
        _phases(axes, records)
        axes.legend(fontsize=8, loc="lower right")
    _usage(right, records)


def _mean(metric: str, records: Sequence[Record]) -> float:
    return mean_and_std_of(Quantity(ARM, metric, ""), records)[0]


def _phases(axes: Any, records: Sequence[Record]) -> None:
    """Shade every second phase, and write its name above."""
    names = [epoch["phase"] for epoch in records[0]["arms"][ARM]["history"]]
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

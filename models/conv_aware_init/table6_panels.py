"""The panels of Table 6 and Figure 3: loss by epoch, and gaps to CAI."""

from collections.abc import Sequence
from typing import Any

from models.conv_aware_init.initializers import INITIALIZERS
from models.conv_aware_init.table6_claims import ARMS, OTHERS, PUBLISHED, UNIFORM
from models.experiments.claims import Quantity, Record
from models.experiments.figures import (
    COLOURS,
    band,
    by_epoch,
    compare,
    legend_below,
)
from models.experiments.verdicts import mean_and_std_of

REFERENCES = (
    ("unigram_loss", "entropy of the samples"),
    ("bigram_loss", "pairs of samples"),
)


def draw(figure: Any, records: Sequence[Record]) -> None:
    """Draw test loss by epoch, and how much lower CAI's ends than the others'."""
    left, right = figure.subplots(1, 2, width_ratios=(1.3, 1))
    draw_epochs(left, records)
    draw_gaps(right, records)


def draw_epochs(axes: Any, records: Sequence[Record]) -> None:
    """Draw test loss by epoch: mean, range over seeds, and what needs no network."""
    for number, arm in enumerate(ARMS):
        curves = by_epoch(arm, "test_loss", records)
        band(axes, curves, colour=COLOURS[number], label=INITIALIZERS[arm].label)
    levels = [(UNIFORM, "ln 256")]
    for metric, words in REFERENCES:
        level, _ = mean_and_std_of(Quantity("cai", metric, ""), records)
        levels.append((level, words))
    for level, words in levels:
        axes.axhline(level, color="#777777", linewidth=0.8, linestyle="--")
        axes.annotate(
            words,
            (1, level),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="bottom",
            fontsize=8,
        )
    axes.set_ylabel("test cross-entropy (nats)")
    axes.set_title(f"Mean and range over seeds, n = {len(records)}")
    legend_below(axes)


def draw_gaps(axes: Any, records: Sequence[Record]) -> None:
    """Draw the loss of each arm less CAI's, published and measured."""
    published = [(PUBLISHED[arm] - PUBLISHED["cai"], 0.0) for arm in OTHERS]
    gaps = [Quantity(arm, "last_test_loss", "", minus="cai") for arm in OTHERS]
    measured = [mean_and_std_of(gap, records) for gap in gaps]
    labels = [INITIALIZERS[arm].label.replace(", ", ",\n") for arm in OTHERS]
    compare(axes, labels, published, measured)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_ylabel("test cross-entropy less CAI's (nats), last epoch")
    axes.set_title("Above 0: CAI is better")
    axes.legend(fontsize=8)

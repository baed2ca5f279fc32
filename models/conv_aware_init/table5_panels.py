"""The figure of Table 5: accuracies beside the published ones, losses by epoch."""

from collections.abc import Sequence
from typing import Any

from models.conv_aware_init.table5_claims import ACCURACY, accuracy
from models.conv_aware_init.text_arms import ARMS, CAI, NETWORKS
from models.experiments.claims import Record
from models.experiments.figures import COLOURS, band, by_epoch, compare
from models.experiments.verdicts import mean_and_std_of

SHORT = {
    "orthogonal_03": "orthogonal\n0.3",
    "uniform_005": "uniform\n0.05",
    "normal_03": "normal\n0.3",
    CAI: "CAI",
}


def draw(figure: Any, records: Sequence[Record]) -> None:
    """Draw for each network the accuracies, and below them the losses by epoch."""
    above, below = figure.subplots(2, len(NETWORKS))
    for accuracies, losses, network in zip(above, below, NETWORKS, strict=True):
        arms = [arm for arm, made in ARMS.items() if made.network == network]
        _draw_accuracies(accuracies, arms, records)
        accuracies.set_title(NETWORKS[network].label)
        _draw_losses(losses, arms, records)
    above[0].set_ylabel("test accuracy (%)")
    above[0].legend(fontsize=8)
    below[0].set_ylabel("loss (nats)")
    below[-1].legend(fontsize=8)


def _draw_accuracies(axes: Any, arms: list[str], records: Sequence[Record]) -> None:
    """Draw published points, without a spread, and measured ones, mean and std."""
    compare(
        axes,
        [SHORT[ARMS[arm].initializer] for arm in arms],
        [(ACCURACY[arm], 0.0) for arm in arms],
        [mean_and_std_of(accuracy(arm), records) for arm in arms],
    )


def _draw_losses(axes: Any, arms: list[str], records: Sequence[Record]) -> None:
    """Draw the test loss of each arm: mean, and from the lowest to the highest seed."""
    for number, arm in enumerate(arms):
        curves = by_epoch(arm, "test_loss", records)
        label = ARMS[arm].start_label
        band(axes, curves, colour=COLOURS[number], label=label, alpha=0.12)
    axes.set_title(f"test loss: mean and range, n = {len(records)}", fontsize=9)

"""What layerout.cost shows: tables of shares, measured and by formula, and a figure."""

from collections.abc import Mapping, Sequence
from typing import Any

from models.experiments.claims import Quantity, Record
from models.experiments.data import of_copies
from models.experiments.figures import COLOURS
from models.experiments.tables import Table
from models.experiments.verdicts import mean_and_std_of, mean_std_of
from models.layerout import panels
from models.layerout.arms import Arm
from models.layerout.cifar_claims import VGG_FROZEN
from models.layerout.table1_claims import FROZEN
from models.layerout.tables import saved_seconds

NETWORKS = {
    "mnist": "the paper's network for MNIST",
    "vgg16": "the paper's VGG-16, 10 classes",
    "dense": "the fully connected network trained here",
}
STRATEGIES = {
    "random": "LayerOut with random v",
    "dfreeze": "LayerOut-dfreeze",
    "efreeze": "LayerOut-efreeze",
}
PUBLISHED: Mapping[tuple[str, str], tuple[float, ...]] = {
    ("mnist", "random"): (FROZEN["since_start"], FROZEN["warm_up"]),
    ("mnist", "dfreeze"): (FROZEN["dfreeze"],),
    ("mnist", "efreeze"): (FROZEN["efreeze"],),
    ("vgg16", "dfreeze"): (VGG_FROZEN["cifar10"]["dfreeze"],),
    ("vgg16", "efreeze"): (VGG_FROZEN["cifar10"]["efreeze"],),
}
"""Parameters frozen in an epoch, in percent: Tables 1 and 2."""


# -- tables ----------------------------------------------------------------------------


def measured(arms: Mapping[str, Arm], records: Sequence[Record]) -> Table:
    """Make the table of the three shares and accuracy, measured."""
    shares = ("frozen_share", "expected_share", "saved_share", "step_share")
    rows = tuple(
        (
            made.label,
            *(mean_std_of(Quantity(arm, one, ""), records, ".1f") for one in shares),
            saved_seconds(arm, records),
            mean_std_of(Quantity(arm, "backward_seconds", ""), records),
            mean_std_of(Quantity(arm, "late_test_accuracy", ""), records),
        )
        for arm, made in arms.items()
    )
    header = (
        "method",
        "parameters frozen %",
        "expected",
        "multiply-adds of backward saved %",
        "of a whole step %",
        "seconds of backward saved %",
        "seconds of backward",
        "test accuracy %, last 5 epochs",
    )
    title = (
        "An epoch behind the warm-up, and what the network learned: mean (std) over "
        f"n = {len(records)}"
    )
    return Table(title + of_copies(records), header, rows)


def beforehand(records: Sequence[Record]) -> Table:
    """Make the table of what strategies freeze and save on average, by formula."""
    shares = records[0]["arms"]["baseline"]["expected"]
    rows = tuple(
        _row(network, strategy, shares[network][strategy])
        for network in NETWORKS
        for strategy in STRATEGIES
    )
    header = (
        "network",
        "strategy",
        "parameters frozen %, published",
        "expected",
        "multiply-adds of backward saved %, expected",
        "if batch norms train on",
        "of a whole step %, expected",
        "if batch norms train on",
    )
    title = "What an epoch behind the warm-up saves on average, by formula"
    return Table(title, header, rows)


def _row(network: str, strategy: str, share: Mapping[str, float]) -> tuple[str, ...]:
    published = PUBLISHED.get((network, strategy), ())
    normed = network == "vgg16"  # The others have no batch norm.

    def live(name: str) -> str:
        return f"{share[name]:.2f}" if normed else "-"

    return (
        NETWORKS[network],
        STRATEGIES[strategy],
        " / ".join(f"{number:.2f}" for number in published) or "-",
        f"{share['frozen']:.2f}",
        f"{share['saved']:.2f}",
        live("saved_live"),
        f"{share['step']:.2f}",
        live("step_live"),
    )


# -- figure ----------------------------------------------------------------------------


def draw(figure: Any, arms: Mapping[str, Arm], records: Sequence[Record]) -> None:
    """Draw the three shares of every arm, and accuracy against seconds of backward."""
    left, right = figure.subplots(1, 2)
    frozen = {arm: made for arm, made in arms.items() if made.v is not None}
    panels.draw_savings(left, frozen, records)
    _draw_price(right, arms, records)


def _draw_price(axes: Any, arms: Mapping[str, Arm], records: Sequence[Record]) -> None:
    for number, (arm, made) in enumerate(arms.items()):
        seconds, spread = mean_and_std_of(
            Quantity(arm, "backward_seconds", ""), records
        )
        accuracy, std = mean_and_std_of(
            Quantity(arm, "late_test_accuracy", ""), records
        )
        axes.errorbar(
            seconds,
            accuracy,
            xerr=spread,
            yerr=std,
            fmt="o",
            color=COLOURS[number],
            capsize=3,
            label=made.label,
        )
    axes.set_xlim(left=0)
    axes.set_xlabel("seconds of backward, an epoch behind the warm-up")
    axes.set_ylabel("test accuracy (%), last 5 epochs")
    axes.set_title(f"Mean and std, n = {len(records)}")
    axes.legend(fontsize=8)

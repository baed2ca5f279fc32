"""Tables that the experiments share: accuracies, and what freezing saved."""

from collections.abc import Mapping, Sequence

from models.experiments.claims import Quantity, Record
from models.experiments.data import of_copies
from models.experiments.tables import Table
from models.experiments.verdicts import mean_std, mean_std_of
from models.layerout.arms import Arm

Published = Mapping[str, float]
"""Arm -> number."""


def accuracies(
    title: str, arms: Mapping[str, Arm], records: Sequence[Record], published: Published
) -> Table:
    """Test accuracy by arm: published, highest, of the last and of the best epoch."""
    rows: list[tuple[str, ...]] = []
    for arm, made in arms.items():
        metrics = ("best_test_accuracy", "last_test_accuracy", "test_accuracy")
        rows.append(
            (
                made.label,
                f"{published[arm]:.2f}" if arm in published else "-",
                *(mean_std_of(Quantity(arm, name, ""), records) for name in metrics),
                mean_std_of(Quantity(arm, "last_train_loss", ""), records, ".4f"),
            )
        )
    header = (
        "method",
        "highest, published",
        "highest, measured",
        "last epoch",
        "best validation epoch",
        "training loss, last epoch",
    )
    n = len(records)
    words = f"{title}, test accuracy %: mean (std); measured over n = {n}"
    return Table(words + of_copies(records), header, tuple(rows))


def savings(
    arms: Mapping[str, Arm], records: Sequence[Record], published: Published
) -> Table:
    """What freezing saved, in three units that are not the same."""
    rows = tuple(
        (
            made.label,
            f"{published[arm]:.2f}" if arm in published else "-",
            mean_std_of(Quantity(arm, "frozen_share", ""), records, ".1f"),
            mean_std_of(Quantity(arm, "expected_share", ""), records, ".1f"),
            mean_std_of(Quantity(arm, "frozen_share_all", ""), records, ".1f"),
            mean_std_of(Quantity(arm, "saved_share", ""), records, ".1f"),
            saved_seconds(arm, records),
            mean_std_of(Quantity(arm, "backward_seconds", ""), records),
        )
        for arm, made in arms.items()
    )
    header = (
        "method",
        "parameters frozen %, published",
        "measured",
        "expected",
        "over all epochs",
        "multiply-adds of backward saved %",
        "seconds of backward saved %",
        "seconds of backward",
    )
    title = (
        f"What an epoch behind the warm-up saves, mean (std) over n = {len(records)}"
    )
    return Table(title, header, rows)


def saved_seconds(arm: str, records: Sequence[Record]) -> str:
    """Percent of the baseline's seconds of backward that an arm saved: mean (std)."""
    if arm == "baseline":
        return "-"
    ratio = Quantity(arm, "backward_seconds", "", per="baseline")
    return mean_std([100 * (1 - ratio.of(record)) for record in records], ".0f")

"""Tables of accuracies and losses by initialization, and of paired differences."""

import statistics
from collections.abc import Mapping, Sequence

from models.conv_aware_init.images import Arm
from models.experiments.claims import Quantity, Record
from models.experiments.data import of_copies
from models.experiments.tables import Table
from models.experiments.verdicts import mean_std_of

Published = Mapping[str, Mapping[str, float]]
"""Metric -> arm -> number."""
FORMS = {"last_test_accuracy": ".2f", "last_test_loss": ".4f"}


def accuracies(
    title: str, arms: Mapping[str, Arm], records: Sequence[Record], published: Published
) -> Table:
    """Loss and accuracy of each arm: published, median, mean (std), best epoch."""
    rows: list[tuple[str, ...]] = []
    for arm, made in arms.items():
        cells = [made.label]
        for metric, form in FORMS.items():
            number = published.get(metric, {}).get(arm)
            cells += ["-" if number is None else format(number, form)]
            cells += [median_of(arm, metric, records, form)]
            cells += [mean_std_of(Quantity(arm, metric, ""), records, form)]
        best = ("best_test_accuracy", "test_accuracy", "best_test_epoch")
        cells += [mean_std_of(Quantity(arm, name, ""), records) for name in best]
        rows.append(tuple(cells))
    header = (
        "initialization",
        *("accuracy %, published", "median", "mean (std)"),
        *("loss, published", "median", "mean (std)"),
        *(
            "highest accuracy",
            "accuracy, best validation epoch",
            "epoch of the highest",
        ),
    )
    words = (
        f"{title}: test accuracy and cross-entropy (nats) of the last epoch, "
        f"n = {len(records)}"
    )
    return Table(words + of_copies(records), header, tuple(rows))


def median_of(arm: str, metric: str, records: Sequence[Record], form: str) -> str:
    """Word the median of a metric over records."""
    values = [Quantity(arm, metric, "").of(record) for record in records]
    return format(statistics.median(values), form)


def differences(
    arms: Mapping[str, Arm], records: Sequence[Record], pairs: Sequence[tuple[str, str]]
) -> Table:
    """What one arm has more than another under the same seeds, and how often."""
    rows = tuple(
        (
            f"{arms[one].label} - {arms[other].label}",
            mean_std_of(Quantity(one, "last_test_accuracy", "", minus=other), records),
            _wins(one, other, "last_test_accuracy", 1, records),
            *(
                mean_std_of(Quantity(one, metric, "", minus=other), records, ".4f")
                for metric in ("last_test_loss", "mean_test_loss")
            ),
            _wins(one, other, "last_test_loss", -1, records),
        )
        for one, other in pairs
    )
    header = (
        "difference under the same seed, mean (std)",
        *("accuracy, points", "seeds in which it is more accurate"),
        *("loss, last epoch", "loss, mean over epochs"),
        "seeds in which its last loss is lower",
    )
    return Table(f"Paired differences, n = {len(records)}", header, rows)


def _wins(
    one: str, other: str, metric: str, sign: int, records: Sequence[Record]
) -> str:
    values = [Quantity(one, metric, "", minus=other).of(record) for record in records]
    return f"{sum(sign * value > 0 for value in values)} of {len(values)}"

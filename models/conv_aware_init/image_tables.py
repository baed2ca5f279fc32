"""Tables of accuracies and losses by initialization, and of paired differences."""

import statistics
from collections.abc import Mapping, Sequence

from models.conv_aware_init import paired
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
    worded = [
        paired.Pair(f"{arms[one].label} - {arms[other].label}", one, other)
        for one, other in pairs
    ]
    compared = (paired.ACCURACY, paired.LOSS, paired.SPEED)
    return paired.differences(worded, compared, records)

"""Table 5 beside what was measured, what the searches chose, paired differences."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

from models.conv_aware_init.table5_claims import ACCURACY, accuracy
from models.conv_aware_init.text_arms import ARMS, CAI, NETWORKS, RIVALS, name_of
from models.experiments.claims import Quantity, Record
from models.experiments.tables import Table
from models.experiments.verdicts import mean_std, mean_std_of


def tables(records: Sequence[Record]) -> list[Table]:
    """Table 5, measured beside published; single arms; CAI against each rival."""
    return [_accuracies(records), _details(records), _differences(records)]


def _accuracies(records: Sequence[Record]) -> Table:
    rows = tuple(
        (
            ARMS[name_of("embed_conv", start)].start_label,
            *(
                cell
                for network in NETWORKS
                for cell in _three(name_of(network, start), records)
            ),
        )
        for start in (*RIVALS, CAI)
    )
    columns = ("published", "median", "mean (std)")
    header = (
        "initialization",
        *(f"{made.label}, {word}" for made in NETWORKS.values() for word in columns),
    )
    title = (
        "Table 5, test accuracy % in the epoch of the lowest validation loss, "
        f"n = {len(records)}"
    )
    return Table(title, header, rows)


def _three(arm: str, records: Sequence[Record]) -> tuple[str, str, str]:
    """Published, median, and mean (std) of an arm; "-" where there is no such arm."""
    if arm not in ARMS:
        return "-", "-", "-"
    values = [accuracy(arm).of(record) for record in records]
    return f"{ACCURACY[arm]:.2f}", f"{statistics.median(values):.2f}", mean_std(values)


def _details(records: Sequence[Record]) -> Table:
    rows = tuple(
        (
            made.label,
            *(
                mean_std_of(Quantity(arm, name, ""), records, ".4f")
                for name in ("validation_loss", "test_loss")
            ),
            _listed(records, arm, "best_epoch", "d"),
            mean_std_of(Quantity(arm, "last_test_accuracy", ""), records),
            _listed(records, arm, "setting.learning_rate", ".2g"),
            _listed(records, arm, "setting.batch_size", "d"),
            _listed(records, arm, "setting.drop_prob", ".2f"),
            _listed(records, arm, "setting.recurrent_drop_prob", ".2f")
            if "lstm" in made.network
            else "-",
        )
        for arm, made in ARMS.items()
    )
    header = (
        "network, initialization",
        *("validation loss (nats)", "test loss", "best epoch, by seed"),
        "test accuracy % of the last epoch",
        *("learning rate, by seed", "batch", "dropout", "recurrent dropout"),
    )
    title = f"Each arm, and the settings that its searches chose, n = {len(records)}"
    return Table(title, header, rows)


def _listed(records: Sequence[Record], arm: str, path: str, form: str) -> str:
    """Word a number of every seed."""
    values: list[Any] = []
    for record in records:
        value: Any = record["arms"][arm]
        for name in path.split("."):
            value = value[name]
        values.append(value)
    return ", ".join(format(value, form) for value in values)


def _differences(records: Sequence[Record]) -> Table:
    rows: list[tuple[str, ...]] = []
    for network in (name for name in NETWORKS if name_of(name, CAI) in ARMS):
        for rival in RIVALS:
            one, other = name_of(network, CAI), name_of(network, rival)
            points, losses = (
                [Quantity(one, name, "", minus=other).of(record) for record in records]
                for name in ("test_accuracy", "test_loss")
            )
            wins = sum(value > 0 for value in points)
            words = f"{NETWORKS[network].label}: CAI - {ARMS[other].start_label}"
            cells = mean_std(points), f"{wins} of {len(points)}"
            p = f"{sign_test(points):.2g}"
            rows.append((words, *cells, p, mean_std(losses, ".4f")))
    header = (
        "difference under the same seed, mean (std)",
        *("test accuracy, points", "seeds in which CAI is more accurate"),
        *("p of the sign test, one-sided", "test loss (nats)"),
    )
    return Table(f"Paired differences, n = {len(records)}", header, tuple(rows))


def sign_test(values: Sequence[float]) -> float:
    """p-value of the one-sided sign test that values are above 0; zeros do not count.

    >>> sign_test([0.3, 0.1, 0.2]), sign_test([0.3, -0.1, 0.0])
    (0.125, 0.75)
    """
    signs = [value > 0 for value in values if value]
    n, wins = len(signs), sum(signs)
    return sum(math.comb(n, count) for count in range(wins, n + 1)) / 2**n

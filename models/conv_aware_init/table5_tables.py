"""Table 5 beside what was measured, what the searches chose, paired differences."""

import statistics
from collections.abc import Sequence
from typing import Any

from models.conv_aware_init import paired
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
    pairs = [
        paired.Pair(
            f"{NETWORKS[network].label}: CAI - {ARMS[other].start_label}",
            name_of(network, CAI),
            other,
        )
        for network in NETWORKS
        for other in (name_of(network, rival) for rival in RIVALS)
        if name_of(network, CAI) in ARMS
    ]
    compared = (
        paired.Compared("test_accuracy", "test accuracy, points", ".2f", 1),
        paired.Compared("test_loss", "test loss, nats", ".4f", -1),
        paired.SPEED,
    )
    return paired.differences(pairs, compared, records)

"""Differences between two arms under the same seeds, as tables show them."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from models.experiments.claims import Quantity, Record
from models.experiments.tables import Table
from models.experiments.verdicts import mean_std


class Compared(NamedTuple):
    """A metric that arms are compared by.

    Attributes:
        metric: its name.
        words: what tables call the difference, with its unit.
        form: format of a number.
        better: 1 if the larger one is better, -1 if the smaller.
    """

    metric: str
    words: str
    form: str
    better: int


ACCURACY = Compared("last_test_accuracy", "test accuracy, last epoch, points", ".2f", 1)
LOSS = Compared("last_test_loss", "test loss, last epoch, nats", ".4f", -1)
SPEED = Compared("mean_test_loss", "test loss, mean over epochs, nats", ".4f", -1)


class Pair(NamedTuple):
    """Two arms, the one that is looked at first."""

    words: str
    one: str
    other: str


def differences(
    pairs: Sequence[Pair], compared: Sequence[Compared], records: Sequence[Record]
) -> Table:
    """What one arm has more than another, seed by seed, and how often it is better."""
    rows = tuple(
        (pair.words, *(cell for how in compared for cell in _cells(pair, how, records)))
        for pair in pairs
    )
    header = ["difference under the same seed"]
    for how in compared:
        header += [f"{how.words}: mean (std)", "better in", "p, sign test"]
    title = f"Paired differences, n = {len(records)}; p is one-sided"
    return Table(title, tuple(header), rows)


def _cells(
    pair: Pair, how: Compared, records: Sequence[Record]
) -> tuple[str, str, str]:
    quantity = Quantity(pair.one, how.metric, "", minus=pair.other)
    values = [how.better * quantity.of(record) for record in records]
    shown = mean_std([how.better * value for value in values], how.form)
    wins = sum(value > 0 for value in values)
    return shown, f"{wins} of {len(values)}", f"{sign_test(values):.2g}"


def sign_test(values: Sequence[float]) -> float:
    """p-value of the one-sided sign test that values are above 0; zeros do not count.

    >>> sign_test([0.3, 0.1, 0.2]), sign_test([0.3, -0.1, 0.0])
    (0.125, 0.75)
    """
    signs = [value > 0 for value in values if value]
    n, wins = len(signs), sum(signs)
    return sum(math.comb(n, count) for count in range(wins, n + 1)) / 2**n

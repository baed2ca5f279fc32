"""Numbers by epoch, few enough to stand in a summary, and what is read from them.

A curve is {"epoch": [1, 2, ...], name: [its number after or in that epoch, ...], ...}.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from models.experiments.metrics import History

Points = Mapping[str, Sequence[float]]
ROWS = 40
"""At most so many epochs of a training are kept."""


def kept_epochs(count: int, rows: int = ROWS) -> list[int]:
    """Choose epochs of 1 to count: all, or growing steps, as curves are steep at first.

    >>> kept_epochs(3), kept_epochs(100, 8)
    ([1, 2, 3], [1, 2, 4, 7, 14, 27, 52, 100])
    """
    if count <= rows:
        return list(range(1, count + 1))
    steps = (round(count ** (row / (rows - 1))) for row in range(rows))
    return sorted(set(steps))


def curve(
    history: History, columns: Mapping[str, Callable[[Mapping[str, Any]], float]]
) -> dict[str, list[float]]:
    """Collect columns, name -> how to read it from an epoch's record."""
    epochs = kept_epochs(len(history))
    found: dict[str, list[float]] = {"epoch": list(epochs)}
    for name, read in columns.items():
        found[name] = [read(history[epoch - 1]) for epoch in epochs]
    return found


def at_epoch(points: Points, name: str, epoch: float) -> float:
    """Interpolate a column between epochs; beyond the last one, that one's number.

    Before the first epoch it is nan.
    """
    epochs, values = points["epoch"], points[name]
    if epoch >= epochs[-1]:
        return values[-1]
    for (left, y), (right, next_y) in pairwise(zip(epochs, values, strict=True)):
        if left <= epoch < right:
            return y + (next_y - y) * (epoch - left) / (right - left)
    return math.nan


def at_loss(points: Points, name: str, loss: float) -> float:
    """Interpolate a column, > 0, where train_loss first falls to loss, both in logs.

    It is nan if the loss of the first epoch is already lower, or none is so low.
    """
    losses, values = points["train_loss"], points[name]
    if losses[0] == loss:
        return values[0]
    if losses[0] < loss:
        return math.nan
    for (left, y), (right, next_y) in pairwise(zip(losses, values, strict=True)):
        if right <= loss:
            share = math.log(left / loss) / math.log(left / right)
            return y * (next_y / y) ** share
    return math.nan

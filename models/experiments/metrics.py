"""Numbers read from a training's history of epochs.

A history is a list of records, one an epoch, each {"train_loss": mean cross-entropy in
nats, "validation_accuracy": %, "test_accuracy": %, ...}. Epochs count from 1.
"""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

History = Sequence[Mapping[str, Any]]

FITTED = 1e-3
"""Below this mean training loss, in nats, a network is said to fit its training set."""


def best_epoch(history: History, name: str = "validation_accuracy") -> int:
    """The first epoch with the highest value of name.

    >>> best_epoch([{"a": 1.0}, {"a": 2.0}, {"a": 2.0}], "a")
    2
    """
    values = [record[name] for record in history]
    return values.index(max(values)) + 1


def is_over(history: History, epochs: int, patience: int | None) -> bool:
    """Whether all epochs are done, or the best one is patience epochs ago."""
    if len(history) >= epochs:
        return True
    if patience is None or not history:
        return False
    return len(history) - best_epoch(history) >= patience


def summarize(history: History) -> dict[str, Any]:
    """What tables and claims are made of."""
    best = best_epoch(history)
    fitted = (i for i, record in enumerate(history, 1) if record["train_loss"] < FITTED)
    return {
        "epochs_run": len(history),
        "best_epoch": best,
        "validation_accuracy": history[best - 1]["validation_accuracy"],
        "test_accuracy": history[best - 1]["test_accuracy"],
        "best_test_accuracy": max(record["test_accuracy"] for record in history),
        "best_test_epoch": best_epoch(history, "test_accuracy"),
        "last_test_accuracy": history[-1]["test_accuracy"],
        "last_train_loss": history[-1]["train_loss"],
        "fitted_epoch": next(fitted, None),
        "training_seconds": sum(record["seconds"] for record in history),
    }


def averages(history: History, name: str) -> dict[str, float]:
    """Mean over the epochs of a record that maps names to numbers.

    >>> averages([{"g": {"layer1": 1.0}}, {"g": {"layer1": 3.0}}], "g")
    {'layer1': 2.0}
    """
    return {
        key: statistics.fmean(record[name][key] for record in history)
        for key in history[0][name]
    }

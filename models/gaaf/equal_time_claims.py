"""What sections 4 and 5 state of the speed of GAAF, and what decides it."""

import math
from dataclasses import dataclass

from models.experiments.claims import Claim, Near, Ordered, Quantity, Record
from models.gaaf.arms import LABELS
from models.gaaf.common import DECISIVE
from models.gaaf.measures.curves import at_epoch

AFTER = (5, 10, 20)
"""Epochs after which networks are compared."""
LEVELS = (50, 60, 70, 80, 90, 95, 96, 97, 98)
"""Validation accuracies, in %, of which the epoch that reaches them is noted."""
NOTICEABLE = 0.12
"""Points that Table 4 has GAAF above the base; a smaller lead counts against it."""
SOONER = 169 / 114
"""Table 4: epochs of dropout over epochs of GAAF."""


def total_seconds(record: Record, arm: str) -> float:
    """What all epochs of a network take, by the median of its epochs."""
    metrics = record["arms"][arm]
    return metrics["epoch_seconds"] * metrics["epochs_run"]


def fastest_seconds(record: Record) -> float:
    """When the first network of a seed is done, if all start together."""
    return min(total_seconds(record, arm) for arm in record["arms"])


def common_level(record: Record) -> int | None:
    """The highest of LEVELS that all networks of a seed reach, or None."""
    reached = (
        level
        for level in reversed(LEVELS)
        if all(arm["reached"][str(level)] for arm in record["arms"].values())
    )
    return next(reached, None)


@dataclass(frozen=True)
class InTimeOf(Quantity):
    """A column of the arm's curve, metric, once as much time has passed.

    Attributes:
        base_epochs: as the base needs for so many epochs; None: as the fastest network
            needs for all of its epochs.
    """

    base_epochs: int | None = None

    def of(self, record: Record) -> float:
        """Read the number from one seed's record; nan within the first epoch."""
        arms = record["arms"]
        if self.base_epochs is None:
            seconds = fastest_seconds(record)
        else:
            seconds = arms["base"]["epoch_seconds"] * self.base_epochs
        epoch = seconds / arms[self.arm]["epoch_seconds"]
        return at_epoch(arms[self.arm]["curve"], self.metric, epoch)


@dataclass(frozen=True)
class ToCommonLevel(Quantity):
    """Epochs until common_level, nan without one; metric is "reached".

    Attributes:
        in_seconds: give the time that these epochs take.
    """

    in_seconds: bool = False

    def of(self, record: Record) -> float:
        """Read the number from one seed's record."""
        level, metrics = common_level(record), record["arms"][self.arm]
        if level is None:
            return math.nan
        epochs = metrics[self.metric][str(level)]
        return epochs * (metrics["epoch_seconds"] if self.in_seconds else 1.0)


def after(arm: str, epochs: int) -> Quantity:
    """Test accuracy after so many epochs, in %."""
    return Quantity(arm, f"after.{epochs}", f"{LABELS[arm]} after {epochs}")


def in_time_of(arm: str, base_epochs: int | None) -> Quantity:
    """Test accuracy after as much time as the base needs for so many epochs, in %."""
    when = "at the end" if base_epochs is None else f"in {base_epochs}"
    label = f"{LABELS[arm]} {when}"
    return InTimeOf(arm, "test_accuracy", label, base_epochs=base_epochs)


def epochs_to_level(arm: str) -> Quantity:
    """Epochs until the level that all networks reach."""
    return ToCommonLevel(arm, "reached", LABELS[arm])


def seconds_to_level(arm: str) -> Quantity:
    """Seconds until the level that all networks reach."""
    return ToCommonLevel(arm, "reached", LABELS[arm], in_seconds=True)


def epoch_seconds(arm: str, per: str | None = None) -> Quantity:
    """Median time of an epoch in seconds, or its ratio to that of another arm."""
    label = LABELS[arm] if per is None else f"{LABELS[arm]} / {LABELS[per]}"
    return Quantity(arm, "epoch_seconds", label, per=per)


def _ahead(other: str) -> Ordered:
    pairs = tuple((after(other, count), after("gaaf", count)) for count in AFTER)
    return Ordered(pairs, (NOTICEABLE,) * len(AFTER))


def _ahead_in_time(other: str) -> Ordered:
    times = (*AFTER[:-1], None)
    pairs = tuple((in_time_of(other, n), in_time_of("gaaf", n)) for n in times)
    return Ordered(pairs, (NOTICEABLE,) * len(times))


_FASTER = "section 4: `the same effect as dropout but it converges faster`"
_EPOCHS = "section 5.1: `less training epochs than the dropout model`"
_CONTROL = "beyond the paper"
_LISTED = ", ".join(map(str, AFTER[:-1]))

CLAIMS = (
    Claim(
        f"after {_LISTED} and {AFTER[-1]} epochs GAAF is more accurate than dropout "
        "(%)",
        "-",
        _FASTER,
        _ahead("dropout"),
        **DECISIVE,
    ),
    Claim(
        f"control: after {_LISTED} and {AFTER[-1]} epochs GAAF is more accurate than "
        "the base (%)",
        "-",
        _CONTROL,
        _ahead("base"),
        **DECISIVE,
    ),
    Claim(
        f"in the time of {_LISTED} epochs of the base, and when the fastest network is "
        "done, GAAF is more accurate than dropout (%)",
        "-",
        "section 4: `reduce training time while achieving dropout effect`",
        _ahead_in_time("dropout"),
        **DECISIVE,
    ),
    Claim(
        f"control: in the time of {_LISTED} epochs of the base, and when the fastest "
        "network is done, GAAF is more accurate than the base (%)",
        "-",
        _CONTROL,
        _ahead_in_time("base"),
        **DECISIVE,
    ),
    Claim(
        "GAAF reaches the validation accuracy that all reach in fewer epochs than "
        "dropout",
        "114 (24.8) < 169 (9.7) epochs to converge",
        _EPOCHS,
        Ordered(
            ((epochs_to_level("gaaf"), epochs_to_level("dropout")),),
            (SOONER,),
            logarithmic=True,
        ),
        form=".1f",
        **DECISIVE,
    ),
    Claim(
        "GAAF reaches the validation accuracy that all reach in less time than dropout "
        "(s)",
        "-",
        "section 4: `dropout takes a lot of time to train`",
        Ordered(
            ((seconds_to_level("gaaf"), seconds_to_level("dropout")),),
            (SOONER,),
            logarithmic=True,
        ),
        form=".1f",
        **DECISIVE,
    ),
    Claim(
        "control: an epoch of GAAF takes as long as one of the base (ratio, within "
        "0.25)",
        "-",
        _CONTROL,
        Near(epoch_seconds("gaaf", "base"), 1.0, 0.25),
        **DECISIVE,
    ),
)

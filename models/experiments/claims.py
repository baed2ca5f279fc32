"""Claims: what a paper states, and the relation that a reproduction must show.

A claim is fixed in code before anything is run: the published numbers with their
source, the relation, and at which scale it can be decided. See
models.experiments.verdicts for the tests.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Record = Mapping[str, Any]
"""One seed's results: {"seed": int, "arms": {arm: {metric: number or nested}}}."""


@dataclass(frozen=True)
class Quantity:
    """One number per seed.

    Attributes:
        arm: whose metric it is.
        metric: its name; dots lead into nested metrics, "gradient_batch.layer1".
        label: how tables call it.
        per: if given, the number is divided by the same metric of this arm.
        minus: if given, the same metric of this arm is subtracted.
        ceiling: name of a metric that the number cannot exceed; where it gets there,
            it is a lower bound of what it would be without.
    """

    arm: str
    metric: str
    label: str
    per: str | None = None
    ceiling: str | None = None
    minus: str | None = None

    def at_ceiling(self, record: Record) -> bool:
        """Whether the number of this record is a lower bound."""
        if self.ceiling is None:
            return False
        return self.of(record) >= _read(record["arms"][self.arm], self.ceiling)

    def of(self, record: Record) -> float:
        """Read the number from one seed's record."""
        value = _read(record["arms"][self.arm], self.metric)
        if self.minus is not None:
            value -= _read(record["arms"][self.minus], self.metric)
        if self.per is None:
            return value
        return value / _read(record["arms"][self.per], self.metric)


def _read(metrics: Mapping[str, Any], path: str) -> float:
    value: Any = metrics
    for name in path.split("."):
        value = value[name]
    return float(value)


Side = Quantity | float


def value_of(side: Side, record: Record) -> float:
    """Read a side of a relation: a quantity of the record, or a constant."""
    return side.of(record) if isinstance(side, Quantity) else side


@dataclass(frozen=True)
class Ordered:
    """In each pair the first is smaller than the second.

    Attributes:
        pairs: (smaller, larger); either may be a constant.
        effects: the published larger - smaller (larger / smaller if logarithmic), one
            a pair; a smaller effect than this counts against the claim.
        logarithmic: whether ratios are compared, not differences.
    """

    pairs: tuple[tuple[Side, Side], ...]
    effects: tuple[float, ...]
    logarithmic: bool = False

    def excess(self, index: int, record: Record) -> float:
        """How much the pair's second is above its first, in this record."""
        smaller, larger = (value_of(side, record) for side in self.pairs[index])
        if self.logarithmic:
            return math.log(larger) - math.log(smaller)
        return larger - smaller

    def effect(self, index: int) -> float:
        """The published excess of a pair."""
        effect = self.effects[index]
        return math.log(effect) if self.logarithmic else effect

    def quantities(self) -> tuple[Quantity, ...]:
        """What is measured, each once, in the order of the pairs."""
        sides = (side for pair in self.pairs for side in pair)
        return tuple(dict.fromkeys(s for s in sides if isinstance(s, Quantity)))


@dataclass(frozen=True)
class Near:
    """A quantity lies within a tolerance of a target.

    Attributes:
        quantity: what is measured.
        target: a published number, or another quantity.
        tolerance: largest difference that still counts as agreement.
    """

    quantity: Quantity
    target: Side
    tolerance: float

    def excess(self, record: Record) -> float:
        """How far the quantity is above its target, in this record."""
        return self.quantity.of(record) - value_of(self.target, record)

    def quantities(self) -> tuple[Quantity, ...]:
        """What is measured."""
        sides = (self.quantity, self.target)
        return tuple(side for side in sides if isinstance(side, Quantity))


@dataclass(frozen=True)
class Claim:
    """A statement of a paper.

    Attributes:
        name: the statement, in words.
        published: the numbers, as the paper prints them.
        source: table, section or equation.
        relation: what must hold over the seeds.
        presets: where it can be decided, smallest first; empty for every preset.
        datasets: likewise.
        form: format of one measured number.
    """

    name: str
    published: str
    source: str
    relation: Ordered | Near
    presets: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    form: str = ".2f"

    def decided_by(self) -> str:
        """The options of the least run that decides the claim."""
        choices = (("--preset", self.presets), ("--dataset", self.datasets))
        return " ".join(f"{option} {names[0]}" for option, names in choices if names)

    def decidable(self, preset: str, dataset: str) -> bool:
        """Whether a run at this scale can decide the claim."""
        return (not self.presets or preset in self.presets) and (
            not self.datasets or dataset in self.datasets
        )

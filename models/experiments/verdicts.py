"""Verdicts: t-tests over seeds, at the 5 % level, fixed before the run.

Arms share their seeds (initial weights, order of examples), so differences are paired.

- An ordering is `reproduced` if every pair's mean excess is above 0, each by a
  one-sided test at 5 %; all must pass, so the whole keeps that level. Else it is `not
  reproduced` if some pair's excess is below the published effect, by a one-sided test
  at 5 % divided by the number of pairs: the seeds sufficed to see the effect, and it is
  not there.
- An agreement is `reproduced` if both one-sided tests at 5 % place the mean difference
  inside the tolerance (equivalence test), `not reproduced` if one, at 2.5 %, places it
  outside.
- What neither decides is `inconclusive (n too small)`: more seeds would tell.
- A number at its ceiling is a lower bound. Where one is the smaller of a pair, or would
  count against the claim as the larger, it is `not run at this scale`.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from models.experiments.claims import Claim, Near, Ordered, Quantity, Record, Side

LEVEL = 0.05
CUT_OFF = "a number is at its ceiling, as training ended; longer training would tell"


class Verdict(StrEnum):
    """What a run says about a claim."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not reproduced"
    INCONCLUSIVE = "inconclusive (n too small)"
    NOT_RUN = "not run at this scale"


@dataclass(frozen=True)
class Decision:
    """A claim's verdict, the measured numbers as text, and the test in words."""

    claim: Claim
    numbers: str
    seeds: int
    verdict: Verdict
    test: str

    @property
    def measured(self) -> str:
        """The numbers, and over how many seeds they were taken."""
        return f"{self.numbers}, n = {self.seeds}"


def decide(
    claim: Claim, records: Sequence[Record], preset: str, dataset: str
) -> Decision:
    """Decide a claim from one record a seed."""
    numbers, seeds = _numbers(claim, records), len(records)
    if not claim.decidable(preset, dataset):
        return Decision(claim, numbers, seeds, Verdict.NOT_RUN, "")
    if seeds < 2:
        text = "one seed has no spread to test against"
        return Decision(claim, numbers, seeds, Verdict.INCONCLUSIVE, text)
    if isinstance(claim.relation, Ordered):
        verdict, test = _ordered(claim.relation, records)
    else:
        verdict, test = _near(claim.relation, records)
    return Decision(claim, numbers, seeds, verdict, test)


def p_above(values: Sequence[float], bound: float) -> float:
    """p-value of the one-sided t-test that the mean of values is above bound.

    On paired differences this is the paired t-test. Values without spread decide by
    their sign alone: 0 above the bound, 1 below it, 0.5 on it.

    >>> round(p_above([1.0, 2.0, 3.0], 0.0), 4), p_above([1.0, 1.0], 0.0)
    (0.0371, 0.0)
    """
    mean = statistics.fmean(values)
    # The t-statistic of equal values is rounding noise divided by rounding noise.
    if max(values) - min(values) <= 1e-12 * max(abs(mean), abs(bound)):
        return 0.5 if mean == bound else float(mean < bound)
    from scipy import stats  # Half a second, which no worker process should spend.

    result: Any = stats.ttest_1samp(values, bound, alternative="greater")
    return float(result.pvalue)


def p_below(values: Sequence[float], bound: float) -> float:
    """p-value of the one-sided t-test that the mean of values is below bound."""
    return p_above([-value for value in values], -bound)


def _p(value: float) -> str:
    """Word a p-value; smaller ones are not worth telling apart."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}"


def _ordered(relation: Ordered, records: Sequence[Record]) -> tuple[Verdict, str]:
    count = len(relation.pairs)
    smaller, larger = (
        any(_at_ceiling(pair[side], records) for pair in relation.pairs)
        for side in (0, 1)
    )
    if smaller:
        return Verdict.NOT_RUN, CUT_OFF
    p_for: list[float] = []
    p_against: list[float] = []
    for index in range(count):
        excess = [relation.excess(index, record) for record in records]
        if not all(map(math.isfinite, excess)):
            return Verdict.INCONCLUSIVE, "a number is undefined"
        p_for.append(p_above(excess, 0))
        p_against.append(p_below(excess, relation.effect(index)))
    test = f"one-sided paired t-test over {len(records)} seeds, "
    if max(p_for) < LEVEL:
        return Verdict.REPRODUCED, test + _p(max(p_for))
    if larger:
        return Verdict.NOT_RUN, CUT_OFF
    if min(p_against) < LEVEL / count:
        return Verdict.NOT_REPRODUCED, (
            test + f"{_p(max(p_for))}; effect below the published one, "
            f"{_p(min(p_against))}"
        )
    return Verdict.INCONCLUSIVE, test + _p(max(p_for))


def _at_ceiling(side: Side, records: Sequence[Record]) -> bool:
    return isinstance(side, Quantity) and any(map(side.at_ceiling, records))


def _near(relation: Near, records: Sequence[Record]) -> tuple[Verdict, str]:
    excess = [relation.excess(record) for record in records]
    low, high = -relation.tolerance, relation.tolerance
    p_inside = max(p_above(excess, low), p_below(excess, high))
    p_outside = min(p_below(excess, low), p_above(excess, high))
    test = (
        f"equivalence t-test over {len(records)} seeds, tolerance "
        f"{relation.tolerance:g}, {_p(p_inside)}"
    )
    if p_inside < LEVEL:
        return Verdict.REPRODUCED, test
    if p_outside < LEVEL / 2:
        return Verdict.NOT_REPRODUCED, test + f"; outside, {_p(p_outside)}"
    return Verdict.INCONCLUSIVE, test


def mean_std(values: Sequence[float], form: str = ".2f") -> str:
    """Word a mean and the sample standard deviation: `98.23 (0.075)`, as papers do.

    >>> mean_std([1.0, 2.0, 3.0]), mean_std([1.0])
    ('2.00 (1.00)', '1.00')
    """
    mean, std = mean_and_std(values)
    if len(values) < 2:
        return format(mean, form)
    return f"{format(mean, form)} ({format(std, form)})"


def mean_std_of(
    quantity: Quantity, records: Sequence[Record], form: str = ".2f"
) -> str:
    """Word mean and standard deviation of a quantity; `-` if it is undefined."""
    values = [quantity.of(record) for record in records]
    return mean_std(values, form) if all(map(math.isfinite, values)) else "-"


def mean_and_std_of(
    quantity: Quantity, records: Sequence[Record]
) -> tuple[float, float]:
    """Mean and sample standard deviation of a quantity over records."""
    return mean_and_std([quantity.of(record) for record in records])


def mean_and_std(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation; that of one value is 0."""
    std = statistics.stdev(values) if len(values) > 1 else 0.0
    return statistics.fmean(values), std


def _numbers(claim: Claim, records: Sequence[Record]) -> str:
    parts = [
        f"{quantity.label} {_summary(quantity, records, claim.form)}"
        for quantity in claim.relation.quantities()
    ]
    return ", ".join(parts)


def _summary(quantity: Quantity, records: Sequence[Record], form: str) -> str:
    values = [quantity.of(record) for record in records]
    if not all(math.isfinite(value) for value in values):
        return "undefined"
    bound = any(quantity.at_ceiling(record) for record in records)
    return mean_std(values, form) + (" or more" if bound else "")

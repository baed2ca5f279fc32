"""Eqs. 7, 8 and Fig. 4 (Figs. 4, 5 of the journal version): g, s and phi_new.

The paper states that |g| < 1/K, that its gradient is 1 almost everywhere whatever x is,
and that phi_new differs from phi by less than 1/K, which is negligible (what it does to
test accuracy is a claim of gaaf.table4). It draws g and the two shapes s, and gives no
formula for s: an "exponential" for tanh, here exp(-x^2 / 3), and a "shifted sigmoid"
for ReLU, here sigmoid(x + 4), both read off the figure; Fig. 5 can also be read as
sigmoid(x - 1). The sigmoid is a third activation, for which the paper draws no shape.

Nothing is trained. Measured is what the engine computes at random points, |x| from
1e-4 to 1e4, in float64 and float32. Controls: the sharp bound s / 2K; the slope over
whole teeth, which is phi' alone; the third term g s'; and float32, where g is constant
from |x| = 2^23 / K = 839 on, though the gradient does not change with that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minigrad import functional as F
from minigrad import tensor
from minigrad.backend import use_backend
from minigrad.inspect import gradient_flow
from minigrad.random import generator
from models.experiments.claims import Record
from models.experiments.config import Preset
from models.experiments.experiment import Experiment, Explanation
from models.experiments.pool import Hooks, Job
from models.experiments.tables import Table
from models.experiments.verdicts import mean_std
from models.gaaf.common import PAPER
from models.gaaf.fig4_claims import CLAIMS, LARGEST, NAMES, of
from models.gaaf.fig4_panels import draw
from models.gaaf.measures import sawtooth

INNER = 5.0
"""Shares of the terms are taken over |x| < INNER, where nets are."""
DTYPES = ("float64", "float32")


@dataclass(frozen=True)
class PointsConfig:
    """One scale: how many points.

    Attributes:
        dataset: "points": random numbers.
        points: at which functions are compared.
        numbers: in each binade, among which the values of g are counted.
        frequency: K.
        epochs: none, as nothing is trained.
    """

    dataset: str = "points"
    points: int = 20_000
    numbers: int = 2**16
    frequency: float = 10_000.0
    epochs: int = 0


PRESETS = {
    "tiny": Preset(PointsConfig(), 3, "seconds, offline"),
    "small": Preset(PointsConfig(points=200_000, numbers=2**19), 3, "ten times more"),
    "full": Preset(PointsConfig(points=2_000_000, numbers=2**22), 3, "minutes"),
}


def prepare(config: PointsConfig) -> None:
    """There are no data that could be missing."""


def train(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Evaluate an activation at the points of a seed; nothing is trained.

    Returns for each dtype what sawtooth.size, sum_error and resolution give, and what
    slopes, gains and shares give in float64.
    """
    config: PointsConfig = job.config
    arm, k = job.arm, config.frequency
    x = sawtooth.random_points(job.seed, config.points, LARGEST)
    inner = generator(job.seed, "inner").uniform(-INNER, INNER, config.points)
    with use_backend(job.backend):
        result: dict[str, Any] = {
            dtype: {
                **sawtooth.size(arm, x.astype(dtype), k),
                "sum_error": sawtooth.sum_error(arm, x.astype(dtype), k, job.seed),
                **sawtooth.resolution(k, dtype, job.seed, config.numbers),
            }
            for dtype in DTYPES
        }
        result |= sawtooth.slopes(arm, x, k)
        result |= sawtooth.gains(arm, x, k)
        result["shares"] = sawtooth.shares(sawtooth.terms_of(arm, inner, k))
    return {**result, "training_seconds": 0.0}


# -- tables ----------------------------------------------------------------------------


def tables(records: Sequence[Record]) -> list[Table]:
    """The numbers of each activation, and how many values g has in float32."""
    return [_functions(records), _values(records)]


def _functions(records: Sequence[Record]) -> Table:
    header = (
        "phi",
        "s",
        "dtype",
        "|phi_new - phi| K, published",
        "greatest measured",
        "beyond s / 2K, last places",
        "|mean slope - phi'|",
        "sum of terms, roundings",
        "share of phi'",
        "share of s",
        "share of g s'",
    )
    rows = tuple(_row(arm, dtype, records) for arm in NAMES for dtype in DTYPES)
    title = (
        f"Eqs. 7, 8 at random points, |x| up to 1e4; shares for |x| < {INNER:g}; mean "
        f"(std) over n = {len(records)}"
    )
    return Table(title, header, rows)


def _row(arm: str, dtype: str, records: Sequence[Record]) -> tuple[str, ...]:
    def measured(metric: str, form: str) -> str:
        return mean_std([of(arm, metric).of(record) for record in records], form)

    double = dtype == "float64"
    return (
        NAMES[arm],
        sawtooth.shape_of(arm).name,
        dtype,
        "< 1",
        measured(f"{dtype}.difference", ".4f"),
        measured(f"{dtype}.beyond_bound", ".2f"),
        measured("mean_slope_error", ".1e") if double else "-",
        measured(f"{dtype}.sum_error", ".1f"),
        *(
            measured(f"shares.{term}", form) if double else "-"
            for term, form in zip(sawtooth.TERMS, (".3f", ".3f", ".1e"), strict=True)
        ),
    )


def _values(records: Sequence[Record]) -> Table:
    rows: list[tuple[str, ...]] = []
    for exponent in sawtooth.BINADES:
        metric = f"float32.values.{exponent}"
        found = [of("tanh", metric).of(record) for record in records]
        rows.append(
            (
                f"{2.0**exponent:g} to {2.0 ** (exponent + 1):g}",
                mean_std(found, ".0f"),
            )
        )
    title = f"Values of g in float32, found at random |x|, n = {len(records)}"
    return Table(title, ("|x|", "different values of g"), tuple(rows))


# -- the terms at some points ----------------------------------------------------------


def explain(config: PointsConfig, checkpoints: Mapping[str, Path]) -> Explanation:
    """Show the terms of gradients of 1 that arrive at phi_new at x = -4, -3, ..., 4."""
    # A third into a tooth, where g is not 0.
    points = np.arange(-4.0, 5.0) + 1 / (3 * config.frequency)
    leaves = {arm: tensor(points, requires_grad=True) for arm in NAMES}
    total: Any = sum(
        F.gaaf(leaf, arm, k=config.frequency).sum() for arm, leaf in leaves.items()
    )
    with gradient_flow(names=leaves) as flow:
        total.backward()
    found = [_share_of_acceleration(flow.into(arm)) for arm in NAMES]
    return Explanation(
        "\n\n".join(flow.into(arm).table() for arm in NAMES),
        f"Over x = -4, -3, ..., 4 the acceleration term, s(x), supplies "
        f"{', '.join(found)} of the slope of phi_new for {', '.join(NAMES.values())}.",
        flow,
    )


def _share_of_acceleration(target: Any) -> str:
    (edge,) = target.edges
    terms = {term.name: term.measures for term in edge.terms}
    return f"{100 * (terms['acceleration'].share or 0.0):.0f} %"


FIG4 = Experiment(
    id="gaaf.fig4",
    aliases=("gaaf.eq7",),
    recipe="gaaf.points",
    title="the sawtooth g, the shapes s, and the terms of phi_new's slope",
    paper=PAPER,
    presets=PRESETS,
    datasets=("points",),
    published_datasets=("points",),
    arms=tuple(NAMES),
    claims=CLAIMS,
    prepare=prepare,
    train=train,
    tables=tables,
    draw=draw,
    figure_size=(12, 7.2),
    explain=explain,
)

"""Figs. 3 and 4, eqs. 6-8: adapters of sign and their derivatives.

The paper draws Htanh with its derivative (Fig. 3) and I, Htanh and tanh beside each
other (Fig. 4). It states which propositions they meet: 3.1, sign(g(x)) = sign(x), and
3.2, g ~ sign; that STE and SSTE are BPGA with I and Htanh; that Htanh disables units
and is not smooth, and that tanh does not and is. Five more adapters of the engine stand
beside.

Nothing is trained. Measured is what nn.Sign's function gives at random points, |x| from
1e-4 to 1e4, and at nets drawn from N(0, 1), in float64 and float32. The paper does not
say in what sense g is near sign: here |g| tends to one limit on both sides, and the
limit is reported. Controls: no adapter is near sign near 0; Htanh is nearer to it than
tanh everywhere; in float32 tanh's slope, too, is 0 far out.
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
from models.gradient_adapter.common import PAPER
from models.gradient_adapter.fig3_claims import (
    CLAIMS,
    DTYPES,
    MAIN,
    NAMES,
    of,
)
from models.gradient_adapter.fig3_measures import (
    at_nets,
    in_dtype,
    of_slope,
    propositions,
    random_points,
)
from models.gradient_adapter.fig3_panels import draw


@dataclass(frozen=True)
class PointsConfig:
    """One scale: how many points.

    Attributes:
        dataset: "points": random numbers.
        points: so many, and as many nets.
        epochs: none, as nothing is trained.
    """

    dataset: str = "points"
    points: int = 20_000
    epochs: int = 0


PRESETS = {
    "tiny": Preset(PointsConfig(), 3, "seconds, offline"),
    "small": Preset(PointsConfig(points=200_000), 3, "ten times more"),
    "full": Preset(PointsConfig(points=2_000_000), 3, "a hundred times more"),
}


def prepare(config: PointsConfig) -> None:
    """There are no data that could be missing."""


def train(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Evaluate an adapter at the points of a seed; nothing is trained.

    Returns for each dtype what in_dtype gives, and what at_nets, of_slope and
    propositions give.
    """
    config: PointsConfig = job.config
    x = random_points(job.seed, config.points)
    nets = generator(job.seed, "nets").standard_normal(config.points)
    with use_backend(job.backend):
        result: dict[str, Any] = {
            dtype: in_dtype(job.arm, x.astype(dtype), nets.astype(dtype), job.seed)
            for dtype in DTYPES
        }
        result |= at_nets(job.arm, nets) | of_slope(job.arm) | propositions(job.arm)
    return {**result, "training_seconds": 0.0}


# -- tables ----------------------------------------------------------------------------


def tables(records: Sequence[Record]) -> list[Table]:
    """What adapters are, and what they do to nets: a row for each adapter."""
    return [_functions(records), _nets(records)]


def _functions(records: Sequence[Record]) -> Table:
    header = (
        "g",
        "g'(0)",
        "limit of |g|",
        "Proposition 3.1",
        "3.2",
        "wrong signs",
        "|g' - differences|, float64",
        "float32",
        "change of g' per 0.001",
    )
    rows = tuple(
        (
            NAMES[arm],
            _first(records, arm, "slope_at_zero", ".3f"),
            _first(records, arm, "limit", ".4g"),
            _yes(records, arm, "keeps_sign"),
            _yes(records, arm, "saturates"),
            *(
                _greatest(records, arm, [f"{dtype}.{metric}" for dtype in dtypes], form)
                for metric, dtypes, form in (
                    ("wrong_signs", DTYPES, ".0f"),
                    ("slope_error", DTYPES[:1], ".0e"),
                    ("slope_error", DTYPES[1:], ".0e"),
                )
            ),
            _first(records, arm, "slope_jump", ".4f"),
        )
        for arm in NAMES
    )
    title = (
        f"Adapters at random points, |x| from 1e-4 to 1e4, and N(0, 1); greatest over "
        f"n = {len(records)}"
    )
    return Table(title, header, rows)


def _nets(records: Sequence[Record]) -> Table:
    header = (
        "g",
        "slope 0, %",
        "mean slope",
        "mean (sign(z) - g(z))^2",
        "slope 0 for |x| from 1e-4 to 1e4, float32, %",
        "from |x| =",
    )
    metrics = (
        ("float64.dead", ".1f"),
        ("float64.mean_slope", ".3f"),
        ("mse", ".3f"),
        ("float32.dead_far", ".1f"),
    )
    rows = tuple(
        (
            NAMES[arm],
            *(
                mean_std([of(arm, metric).of(record) for record in records], form)
                for metric, form in metrics
            ),
            _first(records, arm, "dead_from", ".6g"),
        )
        for arm in NAMES
    )
    title = f"Adapters of nets z from N(0, 1), mean (std) over n = {len(records)}"
    return Table(title, header, rows)


def _first(records: Sequence[Record], arm: str, metric: str, form: str) -> str:
    """Word what does not depend on the seed."""
    value = records[0]["arms"][arm][metric]
    return "-" if value is None else format(value, form)


def _yes(records: Sequence[Record], arm: str, metric: str) -> str:
    return "yes" if records[0]["arms"][arm][metric] else "no"


def _greatest(
    records: Sequence[Record], arm: str, metrics: Sequence[str], form: str
) -> str:
    found = (of(arm, metric).of(record) for metric in metrics for record in records)
    return format(max(found), form)


# -- the gradient at some points -------------------------------------------------------


def explain(config: PointsConfig, checkpoints: Mapping[str, Path]) -> Explanation:
    """Show what of gradients of 1 arrives below signs at x = -2, -1.5, ..., 2."""
    points = np.linspace(-2, 2, 9)
    leaves = {arm: tensor(points, requires_grad=True) for arm in MAIN}
    total: Any = sum(F.sign(leaf, arm).sum() for arm, leaf in leaves.items())
    with gradient_flow(names=leaves) as flow:
        total.backward()
    slopes = [leaf.grad.numpy() for leaf in leaves.values()]  # type: ignore[union-attr]
    means = ", ".join(f"{100 * slope.mean():.0f} %" for slope in slopes)
    dead = ", ".join(str(int((slope == 0).sum())) for slope in slopes)
    return Explanation(
        "\n\n".join(flow.into(arm).table() for arm in MAIN),
        f"Over x = -2, -1.5, ..., 2 a sign lets {means} of the gradient through, and "
        f"nothing at {dead} of 9 points, for {', '.join(NAMES[arm] for arm in MAIN)}.",
        flow,
    )


FIG3 = Experiment(
    id="bpga.fig3",
    aliases=("bpga.fig4",),
    recipe="bpga.points",
    title="adapters of sign and their derivatives",
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
    figure_size=(11, 7.6),
    explain=explain,
)

"""Fig. 2 and section 3.2: variance moves saturated nets to where there is gradient.

Fig. 2 sketches a net z where tanh' is almost 0: a variance moves it right, where there
is no gradient either, or left, where there is; "this phenomenon can explain the dropout
effect". The paper prints no numbers for it. Measured are (a) the sketch: the mean of
tanh'(z + e) for normal e with the variance of Table 3; (b) the trained networks: slope
and gradient of each net on training images, in 20 passes with masks and in one without,
by the value |z0| that the net has without masks; saturated is |z0| > 2.

Controls: the linear region, |z0| < 1, where variance lowers slopes; and whose gradient
it is. With masks a network also errs more, so more gradient starts at the logits. The
increase, ln(mean |dL/dz| with / without), is split exactly into the start, the slopes
on the way, and the masks and weights on the way (models.gaaf.measures.saturation). The
lesson dropout_gradient does so for digits, by norms of whole layers; there the part of
the slopes is below zero. Section 4 states what a smaller dropout rate does: a third
network has one.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.inspect import Flow, gradient_flow
from models.experiments.claims import Record
from models.experiments.experiment import Experiment, Explanation
from models.experiments.loop import Training
from models.experiments.pool import Hooks, Job
from models.experiments.tables import Table
from models.experiments.trained import record_flow
from models.experiments.verdicts import mean_std
from models.gaaf import common
from models.gaaf.arms import ARMS
from models.gaaf.common import LAYERS, PAPER, RECIPE, prepare, presets
from models.gaaf.fig2_claims import AT, CLAIMS, VARIANCE, of
from models.gaaf.fig2_panels import draw
from models.gaaf.measures.saturation import (
    GROUPS,
    PASSES,
    Means,
    Pass,
    by_bin,
    by_group,
    mean_over,
    own_slope,
    run,
    shaken_slope,
    slope,
    split,
)

PRESETS = presets()
IMAGES = 1024
"""So many training images are looked at, the first. A power of two: multiplied by it,
gradients of the mean loss become those of the sum without rounding."""
NAMES = {
    "all": "all",
    "linear": "|z0| < 1",
    "bent": "1 <= |z0| < 2",
    "saturated": "|z0| >= 2",
}


def train(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Train a network and measure the gradients that reach its nets."""
    return common.train(job, hooks, measure)


def measure(training: Training, job: Job) -> dict[str, Any]:
    """Measure slopes and gradients by |z0|; of dropout also with masks.

    Returns "still", see _summary; of dropout also "masked", the same with masks, what
    _compared gives, and "schematic", the slopes of the sketch.
    """
    images, labels = (part[:IMAGES] for part in training.examples.train)
    before = run(training, images, labels, masks=False)
    still = _summary(mean_over([before], before), before)
    if not ARMS[job.arm].dropout:
        return {"still": still}
    passes = (run(training, images, labels, masks=True) for _ in range(PASSES))
    masked = _summary(mean_over(passes, before), before)
    return {
        "still": still,
        "masked": masked,
        **_compared(still, masked),
        "schematic": schematic(),
    }


def _compared(still: Mapping[str, Any], masked: Mapping[str, Any]) -> dict[str, Any]:
    """Compare what _summary gave without and with masks.

    Returns by layer and group "parts", see saturation.own_slope, and "gain", that of
    the mean slope; by layer "split", see saturation.split, and "inward", the share of
    the slope of saturated units that comes of moves to smaller |z|.
    """
    found: dict[str, Any] = {"parts": {}, "gain": {}, "inward": {}}
    alls: dict[str, tuple[float, float]] = {}
    for layer in LAYERS:
        before, after = still[layer], masked[layer]
        parts = {group: own_slope(before[group], after[group]) for group in GROUPS}
        alls[layer] = parts["all"]
        found["parts"][layer] = {
            group: {"slope": of_slope, "arriving": of_arriving}
            for group, (of_slope, of_arriving) in parts.items()
        }
        found["gain"][layer] = {
            group: after[group]["slope"] - before[group]["slope"] for group in GROUPS
        }
        found["inward"][layer] = _inward(after["saturated"])
    start = math.log(masked["start"] / still["start"])
    return {**found, "split": split(start, alls)}


def _inward(saturated: Mapping[str, float]) -> float:
    return saturated["inward"] / (saturated["slope"] or 1.0)


def _summary(means: Means, before: Pass) -> dict[str, Any]:
    """Means of by_group, "bins" and "variance" by layer, and "start" and "loss"."""
    return {
        "start": means.start,
        "loss": means.loss,
        **{
            layer: {
                **by_group(means, layer, before.nets[layer]),
                "bins": by_bin(means, layer, before.nets[layer]),
                "variance": means.variances[layer],
            }
            for layer in LAYERS
        },
    }


def schematic() -> dict[str, dict[str, float]]:
    """Slopes of tanh at nets AT, as they are ("still") and with VARIANCE ("shaken")."""
    z = np.array(AT, "float64")
    found = {"still": slope(z), "shaken": shaken_slope(z, VARIANCE)}
    return {
        title: {str(at): float(value) for at, value in zip(AT, values, strict=True)}
        for title, values in found.items()
    }


# -- tables ----------------------------------------------------------------------------


def tables(records: Sequence[Record]) -> list[Table]:
    """Slopes and gradients by |z0|; what the increase is made of; the sketch."""
    return [_by_group(records), _parts(records), _sketch(records)]


def _mean(
    metric: str, form: str, records: Sequence[Record], arm: str = "dropout"
) -> str:
    quantity = of(metric, arm=arm)
    return mean_std([quantity.of(record) for record in records], form)


GROUP_HEADER = (
    "layer",
    "units and images",
    "share of all",
    "mean tanh' without masks",
    "with",
    "mean |dL/dz| without masks",
    "with",
    "ln with / without",
    "by the slope",
    "by what arrives",
    "mean |dL/dz| of base",
)


def _by_group(records: Sequence[Record]) -> Table:
    def row(layer: str, group: str) -> tuple[str, ...]:
        place = f"{layer}.{group}"
        total = [
            sum(
                of(f"parts.{place}.{part}").of(record) for part in ("slope", "arriving")
            )
            for record in records
        ]
        return (
            layer,
            NAMES[group],
            _mean(f"still.{place}.share", ".3f", records),
            _mean(f"still.{place}.slope", ".4f", records),
            _mean(f"masked.{place}.slope", ".4f", records),
            _mean(f"still.{place}.gradient", ".1e", records),
            _mean(f"masked.{place}.gradient", ".1e", records),
            mean_std(total, ".2f"),
            _mean(f"parts.{place}.slope", ".2f", records),
            _mean(f"parts.{place}.arriving", ".2f", records),
            _mean(f"still.{place}.gradient", ".1e", records, "base"),
        )

    title = (
        f"Nets of the trained dropout network on {IMAGES} training images, {PASSES} "
        f"passes with masks; z0 is a net without masks; mean (std) over n = "
        f"{len(records)}"
    )
    rows = tuple(row(layer, group) for layer in LAYERS for group in GROUPS)
    return Table(title, GROUP_HEADER, rows)


def _parts(records: Sequence[Record]) -> Table:
    names = ("total", "start", "slope", "rest")
    header = (
        "layer",
        "variance of nets",
        "ln with / without",
        "start: larger loss",
        "slopes, of this layer and above",
        "masks and weights on the way",
    )
    rows = tuple(
        (
            layer,
            _mean(f"masked.{layer}.variance", ".2f", records),
            *(_mean(f"split.{layer}.{name}", ".3f", records) for name in names),
        )
        for layer in LAYERS
    )
    losses = [_mean(f"{title}.loss", ".3f", records) for title in ("still", "masked")]
    title = (
        f"What raises the mean |dL/dz| of all units: parts of ln with / without masks; "
        f"the loss is {losses[0]} nats without, {losses[1]} with masks"
    )
    return Table(title, header, rows)


def _sketch(records: Sequence[Record]) -> Table:
    rows = tuple(
        (
            str(z),
            _mean(f"schematic.still.{z}", ".4f", records[:1]),
            _mean(f"schematic.shaken.{z}", ".4f", records[:1]),
        )
        for z in AT
    )
    title = "Fig. 2 as numbers: the slope of tanh at a net z"
    header = (
        "z",
        "tanh'(z)",
        f"mean over normal e of variance {VARIANCE}: tanh'(z + e)",
    )
    return Table(title, header, rows)


# -- one batch in full -----------------------------------------------------------------


def explain(config: Any, checkpoints: Mapping[str, Path]) -> Explanation:
    """Show what the masks change in the gradients of the dropout network of seed 0."""
    training = common.restore(config, "dropout", checkpoints["dropout"])
    flow = record_flow(training, config.batch_size)
    images, labels = (part[: config.batch_size] for part in training.examples.train)
    training.model.eval()
    with gradient_flow(training.model) as still:
        training.loss(images, labels).backward()
    start, end = (
        flow.into(name).measures.norm / still.into(name).measures.norm
        for name in ("output/linear#1", "layer1/linear#1")
    )
    return Explanation(
        common.flow_text(
            "Gradient flow of the trained dropout network, masks on", flow
        ),
        f"Masks multiply the gradient's norm by {start:.1f} at the logits and by "
        f"{end:.1f} at the nets of layer1; on the way, tanh of layer3, layer2, layer1 "
        f"lets {_gains(flow)} of the norm through with masks, {_gains(still)} without.",
        flow,
    )


def _gains(flow: Flow) -> str:
    edges = [flow.into(f"{layer}/linear#1").edges for layer in reversed(LAYERS)]
    return ", ".join(f"{100 * (edge.measures.gain or 0.0):.0f} %" for (edge,) in edges)


FIG2 = Experiment(
    id="gaaf.fig2",
    recipe=RECIPE,
    title="gradient through saturated nets, by masks, and where it comes from",
    paper=PAPER,
    presets=PRESETS,
    datasets=("digits", "mnist"),
    published_datasets=("mnist",),
    arms=("base", "dropout", "less_dropout"),
    claims=CLAIMS,
    prepare=prepare,
    train=train,
    tables=tables,
    draw=draw,
    figure_size=(12, 8.4),
    explain=explain,
)

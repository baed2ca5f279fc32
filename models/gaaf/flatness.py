"""Beyond the tables: does GAAF, does dropout, converge on a flat region?

Sections 1 and 5.2 say so: "the model converges on a flat region"; equal training and
better test accuracy "supports that GAAF converges on a flat region". The paper measures
no flatness. Here the networks of the MNIST tables are measured after their last epoch,
in evaluation: the greatest eigenvalue and the trace of the Hessian of the training
loss, and the rise of the loss along random directions, whose steps are relative to the
length of each filter ("filter", Li et al. 2018) or of each layer's weights ("layer").

An eigenvalue is no invariant: scaling the weights changes it though the function stays
alike, so the relative steps stand beside it. And cross-entropy is flat wherever a
network is sure and right: one whose training loss is near 0 has a small Hessian however
it got there. Controls for that: the training loss itself, eigenvalue divided by loss,
and the error rate along the directions, which knows no scale of logits.
"""

from collections.abc import Sequence
from typing import Any

from minigrad import functional as F
from minigrad import tensor
from models.experiments.claims import Record
from models.experiments.data import Part
from models.experiments.experiment import Experiment
from models.experiments.loop import Training
from models.experiments.pool import Hooks, Job
from models.experiments.tables import Table
from models.experiments.verdicts import mean_std
from models.gaaf import common
from models.gaaf.arms import LABELS
from models.gaaf.common import MAIN, PAPER, RECIPE, explain, prepare, presets
from models.gaaf.flatness_claims import CLAIMS, CURVES, RADIUS, of
from models.gaaf.flatness_panels import draw
from models.gaaf.measures.sharpness import (
    DIRECTIONS,
    RADII,
    along_random,
    curvature,
    without_acceleration,
)

PRESETS = presets()
HESSIAN_IMAGES = 1000
"""So many training images, the first, give the Hessian; at most a fifth of them."""
CURVE_IMAGES = 2000
"""So many training, and test, images give the loss along directions; at most half."""


def train(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Train a network and measure how sharp its minimum is."""
    return common.train(job, hooks, measure)


def measure(training: Training, job: Job) -> dict[str, Any]:
    """Measure a trained network.

    Returns "curvature" (see sharpness.curvature), "curves" (see along_random) by the
    names in CURVES, and of each the rise of loss and error at RADIUS: "loss_rise",
    "error_rise". train_error and test_error are those at radius 0, in %.
    """
    model: Any = without_acceleration(training.model)  # type: ignore[arg-type]
    first = _first(training.examples.train, HESSIAN_IMAGES, 5)
    x, t = tensor(training.as_input(first.images)), tensor(first.labels)
    parts = {
        "train": _first(training.examples.train, CURVE_IMAGES, 2),
        "test": _first(training.examples.test, CURVE_IMAGES, 2),
    }
    # Arms share their directions, as they share the order of examples.
    seeds = [DIRECTIONS * job.seed + index for index in range(DIRECTIONS)]
    curves = {
        name: along_random(training, model, parts[part], seeds, kind)
        for name, (kind, part) in CURVES.items()
    }
    at = RADII.index(RADIUS)
    return {
        "curvature": curvature(lambda: F.cross_entropy(model(x), t), model),
        "curves": curves,
        "loss_rise": {n: c["loss"][at] - c["loss"][0] for n, c in curves.items()},
        "error_rise": {n: c["error"][at] - c["error"][0] for n, c in curves.items()},
        "train_error": curves["filter_train"]["error"][0],
        "test_error": curves["filter_test"]["error"][0],
    }


def _first(part: Part, count: int, divisor: int) -> Part:
    count = min(count, len(part.labels) // divisor)
    return Part(part.images[:count], part.labels[:count])


# -- tables ----------------------------------------------------------------------------


def tables(records: Sequence[Record]) -> list[Table]:
    """The Hessian of each network, and what steps along random directions cost."""
    return [_hessians(records), _rises(records)]


def _mean(arm: str, metric: str, form: str, records: Sequence[Record]) -> str:
    return mean_std([of(arm, metric).of(record) for record in records], form)


def _hessians(records: Sequence[Record]) -> Table:
    columns = (
        ("training loss, nats", "curvature.loss", ".2e"),
        ("training error %", "train_error", ".2f"),
        ("test error %", "test_error", ".2f"),
        ("greatest eigenvalue", "curvature.top", ".3g"),
        ("trace", "curvature.trace", ".3g"),
        ("eigenvalue / loss", "curvature.top_per_loss", ".3g"),
        ("trace / loss", "curvature.trace_per_loss", ".3g"),
    )
    rows = tuple(
        (
            LABELS[arm],
            *(_mean(arm, metric, form, records) for _, metric, form in columns),
        )
        for arm in MAIN
    )
    title = (
        f"Hessian of the loss of up to {HESSIAN_IMAGES} training images, errors of up "
        f"to {CURVE_IMAGES}; mean (std) over n = {len(records)}; nothing published"
    )
    return Table(title, ("model", *(name for name, *_ in columns)), rows)


def _rises(records: Sequence[Record]) -> Table:
    header = (
        "model",
        "step relative to",
        "images",
        "rise of loss, nats",
        "of error, points",
    )
    rows = tuple(
        (
            LABELS[arm],
            f"each {kind}",
            part,
            _mean(arm, f"loss_rise.{name}", ".3f", records),
            _mean(arm, f"error_rise.{name}", ".2f", records),
        )
        for name, (kind, part) in CURVES.items()
        for arm in MAIN
    )
    title = (
        f"Steps of relative length {RADIUS} along {DIRECTIONS} random directions; mean "
        f"(std) over n = {len(records)}"
    )
    return Table(title, header, rows)


FLATNESS = Experiment(
    id="gaaf.flatness",
    recipe=RECIPE,
    title="how flat the minima of base, +dropout and +GAAF networks are",
    paper=PAPER,
    presets=PRESETS,
    datasets=("digits", "mnist"),
    published_datasets=("mnist",),
    arms=MAIN,
    claims=CLAIMS,
    prepare=prepare,
    train=train,
    tables=tables,
    draw=draw,
    figure_size=(11.5, 8),
    explain=explain,
)

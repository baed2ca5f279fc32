"""Beyond the paper: what the shape s(x) and the frequency K of GAAF do.

Section 4 states that s must be "defined properly" and be small far out, and that with
K = 10,000 the change of phi is negligible; section 5.1 expects another shape to push
the nets further into saturation. Neither is measured there. Here, on the first 10,000
images, where GAAF gains more than on all of them: narrower and wider shapes, another
family, none at all (s = 1); K from 10, where g is 0.05 high, to 10^8, where a float32
x K has no digits left for g, so that values are those of tanh, while g' = 1 by
definition.

A net is saturated if |z| > 2 (tanh' < 0.07), counted over all test images after the
last epoch. G is that of Table 2. The last columns of the first table are the test
accuracy after the last epoch with g(x) s(x) in the values, as in training, and without.

Controls, because GAAF also doubles the gradient where tanh does not saturate: the base
with all rates doubled, and with the rates that a factor of 2 for each tanh on the way
amounts to; GAAF with a shape that is 0 at 0, so that it adds where tanh is flat alone.
"""

from collections.abc import Sequence
from typing import Any

import numpy

from minigrad import nn
from models.experiments.claims import Quantity, Record
from models.experiments.experiment import Experiment
from models.experiments.figures import COLOURS
from models.experiments.loop import Training
from models.experiments.pool import Hooks, Job
from models.experiments.tables import Table
from models.experiments.verdicts import mean_and_std, mean_std_of
from models.gaaf import common
from models.gaaf.arms import LABELS
from models.gaaf.common import LAYERS, PAPER, RECIPE, explain, prepare, presets
from models.gaaf.measures.nodes import on_test_set, with_sawtooth
from models.gaaf.shapes_claims import CLAIMS, accuracy, saturated

SHAPES = ("narrow", "wide", "laplace", "one", "saturated")
FREQUENCIES = ("k10", "k100", "k1e8")
CONTROLS = ("rate2", "rate842")
ARMS = ("base", "gaaf", *SHAPES, *FREQUENCIES, *CONTROLS)
LIMIT = 2.0
"""Of |z|; beyond it a net is called saturated."""

PRESETS = presets(tiny={"epochs": 6}, small={"max_examples": 10_000, "epochs": 40})


def train(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Train a network and measure its nets."""
    return common.train(job, hooks, measure)


def measure(training: Training, job: Job) -> dict[str, Any]:
    """Count saturated nets; test a network of GAAF with the sawtooth in its values."""
    measured: dict[str, Any] = {
        "saturated": saturated_percent(on_test_set(training, *LAYERS))
    }
    if any(isinstance(module, nn.GAAF) for module in training.model.modules()):
        measured |= with_sawtooth(training)
    return measured


def saturated_percent(nets: dict[str, Any]) -> dict[str, float]:
    """Percent with |z| > LIMIT of the nets (N, J) of each layer, and of all of them."""
    inside = {layer: numpy.abs(z) > LIMIT for layer, z in nets.items()}
    count = sum(part.sum() for part in inside.values())
    total = sum(part.size for part in inside.values())
    shares = {layer: 100 * float(part.mean()) for layer, part in inside.items()}
    return {**shares, "all": 100 * float(count / total)}


def _gradient_ratio(arm: str, layer: str) -> Quantity:
    return Quantity(arm, f"gradient_batch.{layer}", "", per="base")


def tables(records: Sequence[Record]) -> list[Table]:
    """Accuracies, and where nets and gradients are, of all networks."""
    title = f"mean (std) over n = {len(records)}; K = 10,000 and c = 3 if not stated"
    return [
        Table(
            f"Shape and K, accuracy: {title}",
            (
                "model",
                "test accuracy %",
                "above the base",
                "best epoch",
                "last train loss",
                "last epoch, with g s",
                "without",
            ),
            tuple(_accuracies(arm, records) for arm in ARMS),
        ),
        Table(
            f"Shape and K, nets and gradients: {title}",
            (
                "model",
                "all nets, % with |z| > 2",
                *LAYERS,
                *(f"G of {layer} / base" for layer in LAYERS),
            ),
            tuple(_nets(arm, records) for arm in ARMS),
        ),
    ]


def _accuracies(arm: str, records: Sequence[Record]) -> tuple[str, ...]:
    has_sawtooth = "sawtooth_test_accuracy" in records[0]["arms"][arm]
    sawtooth = Quantity(arm, "sawtooth_test_accuracy", "")
    gain = mean_std_of(accuracy(arm, "base"), records, ".2f")
    return (
        LABELS[arm],
        mean_std_of(accuracy(arm), records, ".2f"),
        "-" if arm == "base" else gain,
        mean_std_of(Quantity(arm, "best_epoch", ""), records, ".1f"),
        mean_std_of(Quantity(arm, "last_train_loss", ""), records, ".1e"),
        mean_std_of(sawtooth, records, ".2f") if has_sawtooth else "-",
        mean_std_of(Quantity(arm, "last_test_accuracy", ""), records, ".2f"),
    )


def _nets(arm: str, records: Sequence[Record]) -> tuple[str, ...]:
    places = ("all", *LAYERS)
    ratios = (mean_std_of(_gradient_ratio(arm, x), records, ".2f") for x in LAYERS)
    return (
        LABELS[arm],
        *(mean_std_of(saturated(arm, place), records, ".1f") for place in places),
        *(("1",) * len(LAYERS) if arm == "base" else ratios),
    )


def draw(figure: Any, records: Sequence[Record]) -> None:
    """Accuracy, saturated nets and gradients of all networks, one a row."""
    left, middle, right = figure.subplots(1, 3, sharey=True)
    grey = "#555555"
    _dots(left, [accuracy(arm) for arm in ARMS], 0.0, grey, "o", records)
    for arm, style in (("base", ":"), ("gaaf", "--")):
        mean, _ = mean_and_std([accuracy(arm).of(record) for record in records])
        left.axvline(mean, color=grey, linestyle=style, linewidth=1, label=LABELS[arm])
    for index, (layer, colour) in enumerate(zip(LAYERS, COLOURS, strict=False)):
        shift, marker = 0.2 * (index - 1), "os^"[index]
        nets = [saturated(arm, layer) for arm in ARMS]
        gradients = [_gradient_ratio(arm, layer) for arm in ARMS]
        _dots(middle, nets, shift, colour, marker, records, label=layer)
        _dots(right, gradients, shift, colour, marker, records)
    left.set_yticks(range(len(ARMS)), [LABELS[arm] for arm in ARMS])
    left.set_ylim(len(ARMS) - 0.5, -0.5)  # The first one on top.
    left.set_xlabel("test accuracy (%)")
    left.set_title("At the best validation epoch")
    middle.set_xlabel("nets with |z| > 2 (%)")
    middle.set_title("Saturation, test images")
    right.set_xlabel("G / G of the base")
    right.set_title("Gradient, mean over training")
    right.set_xscale("log", base=2)
    right.xaxis.set_major_formatter("{x:g}")
    for axes in (left, middle, right):
        axes.grid(visible=True, axis="both")
    handles, labels = left.get_legend_handles_labels()
    more_handles, more_labels = middle.get_legend_handles_labels()
    figure.legend(
        [*handles, *more_handles],
        [*(f"accuracy of {label}" for label in labels), *more_labels],
        loc="outside lower center",
        ncols=len(handles) + len(more_handles),
    )


def _dots(
    axes: Any,
    quantities: Sequence[Quantity],
    shift: float,
    colour: str,
    marker: str,
    records: Sequence[Record],
    label: str | None = None,
) -> None:
    """Draw mean and std of each quantity, the first in row 0."""
    spreads = [
        mean_and_std([one.of(record) for record in records]) for one in quantities
    ]
    axes.errorbar(
        [mean for mean, _ in spreads],
        [row + shift for row in range(len(spreads))],
        xerr=[std for _, std in spreads],
        fmt=marker,
        markersize=4,
        capsize=2,
        color=colour,
        label=label,
    )


SHAPES_AND_K = Experiment(
    id="gaaf.shapes",
    recipe=RECIPE,
    title="the shape function and the frequency K of GAAF, and rates as a control",
    paper=PAPER,
    presets=PRESETS,
    datasets=("digits", "mnist"),
    published_datasets=("mnist",),
    arms=ARMS,
    claims=CLAIMS,
    prepare=prepare,
    train=train,
    tables=tables,
    draw=draw,
    figure_size=(12, 5.6),
    explain=explain,
)

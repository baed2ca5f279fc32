"""Table 1 and Fig. 1: correlations of nodes, trained without and with dropout.

Section 3.1 states that dropout raises correlations, and argues that avoided
co-adaptation is therefore not the best explanation of dropout. Counts cannot decide
that argument: the paper itself calls correlation no more than a necessary condition of
co-adaptation. The claims here are those about counts and about |r|.

Measured are the outputs of the hidden activations for all test images, in evaluation
mode, after the last epoch; the paper says "node values". Nodes that never vary are in
no pair. GAAF is a further row, of which the paper states nothing. Controls: nets in
place of node values; node values less their mean over the images of the same class,
because nodes that tell the same classes apart correlate without any co-adaptation; the
network before training, whose correlations are those of the images. Independent nodes
would have |r| of about 0.01 for 10,000 images, far below all thresholds.
"""

from collections.abc import Sequence
from typing import Any

import numpy

from models.experiments.claims import Record
from models.experiments.experiment import Experiment
from models.experiments.figures import COLOURS
from models.experiments.loop import Training
from models.experiments.pool import Hooks, Job
from models.experiments.tables import Table
from models.experiments.verdicts import mean_and_std, mean_std
from models.gaaf import common
from models.gaaf.arms import LABELS
from models.gaaf.common import LAYERS, MAIN, PAPER, RECIPE, explain, prepare, presets
from models.gaaf.measures.nodes import (
    R_EDGES,
    THRESHOLDS,
    above,
    correlations,
    density,
    on_test_set,
    within_classes,
)
from models.gaaf.table1_claims import CLAIMS, PAIRS, PUBLISHED, count

ACTIVATIONS = {
    "layer1": "activation1",
    "layer2": "activation2",
    "layer3": "activation3",
}
VALUES = {
    "nodes": "node values",
    "nets": "nets",
    "within_classes": "node values within classes",
    "untrained": "node values before training",
}
"""What is correlated -> how tables call it."""

PRESETS = presets()


def train(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Train a network and correlate its nodes."""
    return common.train(job, hooks, measure)


def measure(training: Training, job: Job) -> dict[str, Any]:
    """Correlate the nodes of a trained network; of base, also before training."""
    found = on_test_set(training, *LAYERS, *ACTIVATIONS.values())
    labels = training.examples.test.labels
    nodes = {layer: found[name] for layer, name in ACTIVATIONS.items()}
    rest = {layer: within_classes(h, labels) for layer, h in nodes.items()}
    values = {
        "nodes": nodes,
        "nets": {layer: found[layer] for layer in LAYERS},
        "within_classes": rest,
    }
    if job.arm == "base":
        # The arms start from the same weights, and do the same in evaluation mode.
        start = on_test_set(
            common.build(job.config, job.arm, job.seed), *ACTIVATIONS.values()
        )
        values["untrained"] = {
            layer: start[name] for layer, name in ACTIVATIONS.items()
        }
    drawn = ("nodes", "untrained")
    return {
        "correlations": {
            name: {
                layer: correlations(h, histogram=name in drawn)
                for layer, h in by_layer.items()
            }
            for name, by_layer in values.items()
        }
    }


def tables(records: Sequence[Record]) -> list[Table]:
    """Table 1 with measured rows below the published ones, and the controls."""
    counts = tuple(f"> {threshold}" for threshold in THRESHOLDS)
    rows = tuple(
        row
        for layer in reversed(LAYERS)
        for arm in MAIN
        for row in _rows(arm, layer, records)
    )
    controls = tuple(
        (VALUES[values], layer, LABELS[arm], *_cells(arm, layer, records, values))
        for values in VALUES
        if values != "nodes"
        for layer in reversed(LAYERS)
        for arm in (MAIN if values != "untrained" else ("base",))
    )
    seeds = f"mean (std) over n = {len(records)}"
    return [
        Table(
            f"Table 1: pairs of nodes by |r|; measured: {seeds}",
            ("layer", "model", "", *counts, "of pairs", "mean |r|"),
            rows,
        ),
        Table(
            f"Controls: pairs by |r|; {seeds}",
            ("of", "layer", "model", *counts, "of pairs", "mean |r|"),
            controls,
        ),
    ]


def _rows(arm: str, layer: str, records: Sequence[Record]) -> list[tuple[str, ...]]:
    measured = (layer, LABELS[arm], "measured", *_cells(arm, layer, records))
    if arm not in PUBLISHED:
        return [measured]
    counts = (str(count) for count in PUBLISHED[arm][layer])
    published = (layer, LABELS[arm], "published", *counts, str(PAIRS[layer]), "-")
    return [published, measured]


def _cells(
    arm: str, layer: str, records: Sequence[Record], values: str = "nodes"
) -> list[str]:
    found = [record["arms"][arm]["correlations"][values][layer] for record in records]

    def cell(name: str, form: str) -> str:
        return mean_std([one[name] for one in found], form)

    counts = [cell(above(threshold), ".0f") for threshold in THRESHOLDS]
    return [*counts, cell("pairs", ".0f"), cell("mean", ".3f")]


def draw(figure: Any, records: Sequence[Record]) -> None:
    """Density of r in each layer; below, pairs by |r|, published and measured."""
    axes = figure.subplots(2, len(LAYERS), sharey="row")
    for column, layer in enumerate(LAYERS):
        upper, lower = axes[:, column]
        _draw_densities(upper, layer, records)
        for arm, colour in zip(MAIN, COLOURS, strict=False):
            _draw_counts(lower, arm, layer, colour, records)
        upper.set_title(f"{layer}, {_pairs_text(layer, records)} pairs")
        upper.set_xlabel("Pearson's r of two nodes")
        lower.set_xlabel("threshold")
        lower.set_yscale("symlog", linthresh=1)
        lower.set_ylim(bottom=-0.3)
        lower.invert_xaxis()
    axes[0, 0].set_ylim(bottom=0)
    axes[0, 0].set_ylabel("density of r, band: seeds")
    axes[1, 0].set_ylabel("pairs with |r| > threshold")
    left = axes[1, 0]
    left.plot([], [], "s--", color="#777777", markerfacecolor="none", label="published")
    left.plot([], [], "o-", color="#777777", label="measured")
    lines = [*axes[0, 0].get_lines(), *left.get_lines()]
    named = [line for line in lines if not line.get_label().startswith("_")]
    figure.legend(handles=named, loc="outside lower center", ncols=len(named))


def _pairs_text(layer: str, records: Sequence[Record]) -> str:
    found = records[0]["arms"]["base"]["correlations"]["nodes"][layer]
    return f"{found['pairs']:,}"


def _draw_densities(axes: Any, layer: str, records: Sequence[Record]) -> None:
    middles = (R_EDGES[1:] + R_EDGES[:-1]) / 2
    drawn = [("base", "untrained", "#777777", "before training")]
    drawn += [
        (arm, "nodes", colour, LABELS[arm])
        for arm, colour in zip(MAIN, COLOURS, strict=False)
    ]
    for arm, values, colour, label in drawn:
        densities = [
            density(record["arms"][arm]["correlations"][values][layer])
            for record in records
        ]
        style = ":" if values == "untrained" else "-"
        mean = numpy.mean(densities, axis=0)
        axes.plot(middles, mean, color=colour, linestyle=style, label=label)
        low, high = numpy.min(densities, axis=0), numpy.max(densities, axis=0)
        axes.fill_between(middles, low, high, color=colour, alpha=0.2, linewidth=0)


def _draw_counts(
    axes: Any, arm: str, layer: str, colour: str, records: Sequence[Record]
) -> None:
    spreads = [
        mean_and_std([count(arm, layer, t).of(record) for record in records])
        for t in THRESHOLDS
    ]
    axes.errorbar(
        THRESHOLDS,
        [mean for mean, _ in spreads],
        yerr=[std for _, std in spreads],
        fmt="o-",
        capsize=3,
        color=colour,
    )
    if arm in PUBLISHED:
        axes.plot(
            THRESHOLDS,
            PUBLISHED[arm][layer],
            marker="s",
            linestyle="--",
            markerfacecolor="none",
            color=colour,
        )


TABLE1 = Experiment(
    id="gaaf.table1",
    aliases=("gaaf.fig1",),
    recipe=RECIPE,
    title="correlations of nodes of base, +dropout and +GAAF networks",
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
    figure_size=(11, 6.6),
    explain=explain,
)

"""Table 3 and eq. 6: the variance that dropout gives to nets.

Section 3.2 passes one batch of 128 images 20 times through an almost converged dropout
network, with fresh masks, and averages the variance of the nets in each layer. Measured
is the same, with ddof = 1, on a training batch drawn by the seed. The paper does not
say when a network has almost converged: here it is the last epoch, and preset small
trains longer than those of other tables, because the variances grow with the weights.
The formula of eq. 6 is in version B alone; version A has Var(z) > 0 in its place.

Eq. 6 has Var(z) for a fixed input x of the layer. Behind the first dropout that is all;
in higher layers x is random itself, and Var(z) = E[Var(z | x)] + Var(E[z | x]). Both
terms are measured in 500 passes: the first is eq. 6, averaged over x; the second is
what the paper calls the variance of lower layers transferred to the higher layer. Masks
are scaled by 1 / (1 - p), so eq. 6 has p / (1 - p) in place of p (1 - p); nets are the
same, as weights are smaller by 1 - p.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from minigrad.inspect import Flow, gradient_flow
from models.experiments.claims import Record
from models.experiments.experiment import Experiment, Explanation
from models.experiments.figures import COLOURS
from models.experiments.loop import Training
from models.experiments.pool import Hooks, Job
from models.experiments.tables import Table
from models.experiments.trained import record_flow
from models.experiments.verdicts import mean_and_std, mean_std
from models.gaaf import common
from models.gaaf.common import PAPER, RECIPE, prepare, presets
from models.gaaf.measures.variances import (
    BLOCKS,
    PASSES,
    all_blocks,
    draw_batch,
    some_nodes,
    summarize,
)
from models.gaaf.table3_claims import CLAIMS, NAMES, PUBLISHED, of

DRAWN = ("layer2", "layer3")
"""Layers whose nodes the figure shows."""

PRESETS = presets(small={"epochs": 80, "sample_every": 140})


def train(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Train a dropout network and measure how its nets vary."""
    return common.train(job, hooks, measure)


def measure(training: Training, job: Job) -> dict[str, Any]:
    """Measure the variances of the nets; of seed 0 also node by node."""
    images = draw_batch(training, job)
    blocks = all_blocks(training, images, job.config.drop_prob)
    measured: dict[str, Any] = {
        "net_variance": {layer: summarize(found) for layer, found in blocks.items()}
    }
    if job.seed == 0:
        measured["nodes"] = {layer: some_nodes(blocks[layer]) for layer in DRAWN}
    return measured


def tables(records: Sequence[Record]) -> list[Table]:
    """Table 3 beside what is measured, and the terms of the law of total variance."""
    runs = [record["arms"]["dropout"] for record in records]
    epochs = mean_std([run["epochs_run"] for run in runs], ".0f")
    loss = mean_std([run["last_train_loss"] for run in runs], ".3f")
    title = (
        f"Table 3: average net variance; measured: mean (std) over n = {len(records)} "
        f"after {epochs} epochs, training loss {loss} nats"
    )
    header = (
        "layer",
        "published",
        f"measured, {PASSES} passes",
        f"{PASSES * BLOCKS} passes",
        "standard error",
        "eq. 6: E[Var(z|x)]",
        "Var(E[z|x])",
        "eq. 6 / measured",
        "sum / measured",
        "rms error of nodes",
    )
    return [Table(title, header, tuple(_row(layer, records) for layer in NAMES))]


def _row(layer: str, records: Sequence[Record]) -> tuple[str, ...]:
    def measured(metric: str, form: str) -> str:
        return mean_std([of(layer, metric).of(record) for record in records], form)

    published = f"{PUBLISHED[layer]:.2f}" if PUBLISHED[layer] else "0"
    first = (
        NAMES[layer],
        published,
        measured("one_block", ".2f"),
        measured("variance", ".3f"),
        measured("error", ".4f"),
    )
    if layer == "layer1":
        return (*first, *("-",) * 5)
    return (
        *first,
        measured("eq6", ".3f"),
        measured("carried", ".3f"),
        measured("eq6_ratio", ".3f"),
        measured("sum_ratio", ".4f"),
        measured("node_error", ".4f"),
    )


def draw(figure: Any, records: Sequence[Record]) -> None:
    """Variance by layer, published and measured; eq. 6 against it, node by node."""
    left, *others = figure.subplots(1, 3)
    _draw_layers(left, records)
    nodes = records[0]["arms"]["dropout"]["nodes"]
    for axes, layer in zip(others, DRAWN, strict=True):
        _draw_nodes(axes, nodes[layer])
        axes.set_title(f"{NAMES[layer]}: {len(nodes[layer]['eq6'])} nodes, seed 0")
    handles = [
        part
        for axes in (left, others[1])
        for part in axes.get_legend_handles_labels()[0]
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def _draw_layers(axes: Any, records: Sequence[Record]) -> None:
    layers = tuple(reversed(NAMES))
    upper = [layer for layer in layers if layer != "layer1"]
    bottom = [0.0] * len(upper)
    for metric, colour, label in (
        ("eq6", COLOURS[0], "eq. 6"),
        ("carried", COLOURS[4], "handed on: Var(E[z|x])"),
    ):
        heights = [
            mean_and_std([of(layer, metric).of(record) for record in records])[0]
            for layer in upper
        ]
        places = [layers.index(layer) for layer in upper]
        axes.bar(places, heights, 0.5, bottom, color=colour, label=label)
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    spreads = [
        mean_and_std([of(layer, "one_block").of(record) for record in records])
        for layer in layers
    ]
    axes.errorbar(
        range(len(layers)),
        [mean for mean, _ in spreads],
        yerr=[std for _, std in spreads],
        fmt="o",
        capsize=3,
        color="black",
        label=f"measured, {PASSES} passes",
    )
    axes.plot(
        range(len(layers)),
        [PUBLISHED[layer] for layer in layers],
        "s",
        markerfacecolor="white",
        color="#777777",
        label="published",
    )
    axes.set_xticks(range(len(layers)), [NAMES[layer] for layer in layers])
    axes.set_ylabel("average variance of nets")
    axes.set_title("By layer")


def _draw_nodes(axes: Any, nodes: Mapping[str, Sequence[float]]) -> None:
    both = [a + b for a, b in zip(nodes["eq6"], nodes["carried"], strict=True)]
    measured = nodes["variance"]
    top = 1.05 * max(measured)
    axes.plot([0, top], [0, top], color="#777777", linewidth=1)
    axes.plot(nodes["eq6"], measured, ".", color=COLOURS[0], label="node, by eq. 6")
    axes.plot(
        both,
        measured,
        "o",
        markerfacecolor="none",
        color=COLOURS[1],
        label="node, by both terms",
    )
    axes.set_xlim(0, top)
    axes.set_ylim(0, top)
    axes.set_xlabel("variance by the formula")
    axes.set_ylabel(f"measured variance, {PASSES * BLOCKS} passes")


def explain(config: Any, checkpoints: Mapping[str, Path]) -> Explanation:
    """Show what the masks change in the gradients of the dropout network of seed 0."""
    training = common.restore(config, "dropout", checkpoints["dropout"])
    flow = record_flow(training, config.batch_size)
    images, labels = training.examples.train
    size = config.batch_size
    training.model.eval()
    with gradient_flow(training.model) as still:
        training.loss(images[:size], labels[:size]).backward()
    return Explanation(
        common.flow_text("Gradient flow of the trained dropout network", flow),
        f"With masks, tanh lets {_gains(flow)} of the gradient's norm through to the "
        f"nets of layer1, layer2, layer3; on the same images, {_gains(still)} without.",
        flow,
    )


def _gains(flow: Flow) -> str:
    edges = [flow.into(f"layer{number}/linear#1").edges for number in (1, 2, 3)]
    return ", ".join(f"{100 * (edge.measures.gain or 0.0):.0f} %" for (edge,) in edges)


TABLE3 = Experiment(
    id="gaaf.table3",
    aliases=("gaaf.eq6",),
    recipe=RECIPE,
    title="variance of nets by dropout, and eq. 6",
    paper=PAPER,
    presets=PRESETS,
    datasets=("digits", "mnist"),
    published_datasets=("mnist",),
    arms=("dropout",),
    claims=CLAIMS,
    prepare=prepare,
    train=train,
    tables=tables,
    draw=draw,
    figure_size=(12, 4.2),
    explain=explain,
)

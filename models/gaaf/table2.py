"""Table 2 and section 5.1: gradient information G_k (eq. 5) while networks train.

The paper's G averages over all iterations. Networks that fit their training set have
small gradients, so such a mean also compares how well they fit. Controls: the ratio to
the base in one and the same epoch, and at one and the same training loss, the lowest
that all networks reach, where G is read between epochs; that of noisy networks is, as
it was trained, with noise.

The three GAAF numbers are printed in section 5.1 without their layers: 1.15E-3,
6.43E-4, 1.78E-4. They are taken as layer1, layer2, layer3, because a stack of GAAF
layers amplifies gradients towards the input.

Beyond the paper's numbers: noisy activations, DropConnect and weight noise, which
sections 2.3 and 3.2 place beside dropout. DropConnect and weight noise are on layer2,
layer3 and output, as dropout is on their inputs. The weights that a batch drops count
with their gradient of 0. Where no G_sample is given, one noise for a whole batch leaves
no gradient of a single example.
"""

from collections.abc import Sequence
from typing import Any

from models.experiments.claims import Quantity, Record
from models.experiments.experiment import Experiment
from models.experiments.figures import COLOURS
from models.experiments.pool import Hooks, Job
from models.experiments.tables import Table
from models.experiments.verdicts import mean_and_std, mean_std_of
from models.gaaf import common
from models.gaaf.arms import LABELS
from models.gaaf.common import LAYERS, MAIN, PAPER, RECIPE, explain, prepare, presets
from models.gaaf.measures.curves import curve
from models.gaaf.table2_claims import (
    CLAIMS,
    NOISES,
    PUBLISHED,
    common_loss,
    gradient,
    published_ratio,
    ratio,
    ratio_at_common_loss,
    ratio_in_control_epoch,
)

ARMS = (*MAIN, *NOISES)
# Six networks: at 12 epochs, not 20, they take less than 10 minutes on two cores.
PRESETS = presets(small={"epochs": 12})


def train(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Train a network; keep its losses and gradients by epoch, for the control."""
    result = common.train(job, hooks)
    columns = {"train_loss": lambda epoch: epoch["train_loss"]}
    columns |= {layer: _gradient_of(layer) for layer in LAYERS}
    return {**result, "by_epoch": curve(result["history"], columns)}


def _gradient_of(layer: str) -> Any:
    return lambda epoch: epoch["gradient_batch"][layer]


def tables(records: Sequence[Record]) -> list[Table]:
    """Table 2 with measured columns beside the published ones."""
    rows = tuple(_row(arm, layer, records) for layer in LAYERS for arm in ARMS)
    title = (
        f"Table 2: G of each hidden layer, mean (std) over n = {len(records)}; "
        "ratios are to the base"
    )
    loss, _ = mean_and_std([common_loss(record) for record in records])
    header = (
        "layer",
        "model",
        "G published",
        "G_batch measured",
        "ratio published",
        "ratio measured",
        f"ratio in epoch {records[0]['arms']['base']['control_epoch']}",
        f"ratio at training loss {loss:.2g}",
        "G_sample measured",
    )
    return [Table(title, header, rows)]


def _row(arm: str, layer: str, records: Sequence[Record]) -> tuple[str, ...]:
    published, based = arm in PUBLISHED, arm == "base"
    with_samples = layer in records[0]["arms"][arm]["gradient_sample"]
    sample = Quantity(arm, f"gradient_sample.{layer}", "")

    def measured_ratio(quantity: Quantity) -> str:
        return "1" if based else mean_std_of(quantity, records, ".2f")

    return (
        layer,
        LABELS[arm],
        f"{PUBLISHED[arm][layer]:.2e}" if published else "-",
        mean_std_of(gradient(arm, layer), records, ".2e"),
        "1" if based else f"{published_ratio(arm, layer):.1f}" if published else "-",
        measured_ratio(ratio(arm, layer)),
        measured_ratio(ratio_in_control_epoch(arm, layer)),
        measured_ratio(ratio_at_common_loss(arm, layer)),
        mean_std_of(sample, records, ".2e") if with_samples else "-",
    )


def draw(figure: Any, records: Sequence[Record]) -> None:
    """G of each layer, published and measured; G of layer1 by epoch and by loss."""
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.3, 1, 1))
    for index, (arm, colour) in enumerate(zip(ARMS, COLOURS, strict=False)):
        _draw_layers(left, arm, 0.14 * (index - 2.5), colour, records)
        for seed, record in enumerate(records):
            history = record["arms"][arm]["history"]
            gradients = [epoch["gradient_batch"]["layer1"] for epoch in history]
            losses = [epoch["train_loss"] for epoch in history]
            label = None if seed else LABELS[arm]
            style = {"color": colour, "alpha": 0.7, "linewidth": 1.2}
            middle.plot(range(1, len(history) + 1), gradients, label=label, **style)
            right.plot(losses, gradients, **style)
    left.set_xticks(range(len(LAYERS)), LAYERS)
    left.set_ylabel("G (nats per unit of weight)")
    left.set_title("Mean over training")
    middle.set_xlabel("epoch")
    middle.xaxis.get_major_locator().set_params(integer=True)
    middle.set_ylabel("G of layer1 (nats per unit of weight)")
    middle.set_title("Layer1 by epoch, a line per seed")
    right.set_xlabel("training loss of the epoch (nats)")
    right.set_title("Control: layer1 by training loss")
    right.set_xscale("log")
    right.invert_xaxis()  # Training goes from left to right here, too.
    right.sharey(middle)
    for axes in (left, middle):
        axes.set_yscale("log")
    # The first marker of each kind stands for all of them.
    left.plot([], [], "s", color="#777777", markerfacecolor="none", label="published")
    left.plot([], [], "o", color="#777777", label="measured")
    lines = [*middle.get_lines(), *left.get_lines()]
    named = [line for line in lines if not line.get_label().startswith("_")]
    figure.legend(handles=named, loc="outside lower center", ncols=len(named))


def _draw_layers(
    axes: Any, arm: str, shift: float, colour: str, records: Sequence[Record]
) -> None:
    spreads = [
        mean_and_std([gradient(arm, layer).of(record) for record in records])
        for layer in LAYERS
    ]
    places = [place + shift for place in range(len(LAYERS))]
    if arm in PUBLISHED:
        axes.plot(
            [place - 0.04 for place in places],
            [PUBLISHED[arm][layer] for layer in LAYERS],
            marker="s",
            linestyle="",
            markerfacecolor="none",
            color=colour,
        )
    axes.errorbar(
        [place + 0.04 for place in places],
        [mean for mean, _ in spreads],
        yerr=[std for _, std in spreads],
        fmt="o",
        capsize=3,
        color=colour,
    )


TABLE2 = Experiment(
    id="gaaf.table2",
    recipe=RECIPE,
    title="gradient information per layer of networks with dropout, GAAF and noise",
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
    figure_size=(12, 4.6),
    explain=explain,
)

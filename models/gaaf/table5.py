"""Table 5 and section 5.2: top-1 accuracy on CIFAR-10, CIFAR-100 and SVHN.

The paper states four networks, ReLU or GAAF, without or with batch norm: GAAF gains in
all six comparisons, while it fits the training set as well as the base. It names no
optimiser and no rates; see models.gaaf.cnn for what is chosen, and why not SGD. The
epoch that is reported is the best on a validation part, which the paper does not name.

Section 5.2 also states that dropout hinders batch norm, and has no numbers for it: so
there are arms with dropout behind the hidden dense layers.

Controls: GAAF with a = -1, whose shape is low where a unit is off, and with half the
rate. The second table shows what the shift does: how much of the gradient goes to nets
whose units are off, and how far it turns the weights' gradient away from the loss's;
see models.gaaf.measures.dead_side. At the small scale training goes on until a base
network fits its few images, because the paper compares networks "after training".

That GAAF "converges on a flat region", as the paper infers here, is measured elsewhere.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from models.experiments.claims import Quantity, Record
from models.experiments.config import Preset
from models.experiments.data import of_copies
from models.experiments.experiment import Experiment
from models.experiments.figures import COLOURS, compare
from models.experiments.loop import Training
from models.experiments.pool import Hooks, Job
from models.experiments.tables import Table
from models.experiments.verdicts import mean_and_std, mean_std_of
from models.gaaf import cnn
from models.gaaf.cnn import ARMS, RECIPE, CnnConfig, prepare
from models.gaaf.common import PAPER
from models.gaaf.measures.dead_side import dead_side, explain
from models.gaaf.measures.nodes import with_sawtooth
from models.gaaf.table5_claims import (
    ACCURACY,
    CLAIMS,
    NAMES,
    WITHOUT,
    accuracy,
    gain,
    published,
    published_gain,
    ratio,
    train_accuracy,
)

PRESETS = {
    "tiny": Preset(
        CnnConfig(
            "digits",
            epochs=3,
            plan="tiny",
            hidden=(32,),
            svhn_plan="tiny",
            svhn_hidden=(32, 16),
            max_examples=512,
            max_test=320,
            image_size=8,
            batch_size=32,
            learning_rate=1e-3,
            halve_every=2,
        ),
        2,
        "seconds, offline",
    ),
    "small": Preset(
        CnnConfig(
            "cifar10",
            epochs=16,
            plan="tiny",
            hidden=(128,),
            svhn_hidden=(128, 64),
            max_examples=3960,
            max_test=1500,
            validation_share=1 / 11,
            batch_size=64,
            learning_rate=1e-3,
            halve_every=6,
            augment=False,
        ),
        3,
        "a part of CIFAR-10",
    ),
    "full": Preset(
        CnnConfig("cifar10", epochs=150, validation_share=0.04), 3, "the paper's"
    ),
}


def train(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Train a network, and measure where the gradient of GAAF goes."""
    return cnn.train(job, hooks, _measure)


def _measure(training: Training, job: Job) -> dict[str, Any]:
    measured: dict[str, Any] = {}
    if job.arm == "gaaf":
        measured |= with_sawtooth(training)
    return measured | dead_side(training, job.config.batch_size)


def _dataset(records: Sequence[Record]) -> str:
    return records[0]["arms"]["base"]["dataset"]


def tables(records: Sequence[Record]) -> list[Table]:
    """Table 5, measured beside published; gradients layer by layer."""
    return [_accuracies(records), _gradients(records)]


def _accuracies(records: Sequence[Record]) -> Table:
    dataset = _dataset(records)
    title = (
        f"Table 5, {NAMES.get(dataset, dataset)}: mean (std); measured over n = "
        f"{len(records)}{of_copies(records)}"
    )
    header = (
        "model",
        f"accuracy %, published for {NAMES[published(dataset)]}",
        "measured",
        "gain, published",
        "measured",
        "best test epoch",
        "training accuracy %",
    )
    return Table(title, header, tuple(_row(arm, dataset, records) for arm in ARMS))


def _row(arm: str, dataset: str, records: Sequence[Record]) -> tuple[str, ...]:
    number = ACCURACY[published(dataset)].get(arm)
    gains = ("-", "-")
    if arm in WITHOUT:
        points = published_gain(dataset, arm)
        text = "-" if math.isnan(points) else f"{points:+.2f}"
        gains = text, mean_std_of(gain(arm), records)
    return (
        ARMS[arm].label,
        "-" if number is None else f"{number:.2f}",
        mean_std_of(accuracy(arm), records),
        *gains,
        mean_std_of(Quantity(arm, "best_test_accuracy", ""), records),
        mean_std_of(train_accuracy(arm), records),
    )


SHIFTS = {"gaaf": "a = 4", "gaaf_a-1": "a = -1"}


def _gradients(records: Sequence[Record]) -> Table:
    title = (
        "G of each layer, mean over training, as ratio to the network with ReLU; and, "
        f"after it, the nets below 0, on one batch; mean over n = {len(records)}"
    )
    header = ["layer", "G of the base", "G / G, +GAAF", "G / G, +BN +GAAF"]
    for shift in SHIFTS.values():
        header += [f"nets < 0, {shift}", "their part of the gradient", "cosine"]
    base: Mapping[str, Any] = records[0]["arms"]["base"]
    rows = tuple(_layer(layer, records) for layer in base["gradient_batch"])
    return Table(title, tuple(header), rows)


def _layer(layer: str, records: Sequence[Record]) -> tuple[str, ...]:
    def measured(arm: str, name: str, form: str, unit: str = "") -> str:
        if layer not in records[0]["arms"][arm][name]:
            return "-"
        quantity = Quantity(arm, f"{name}.{layer}", "")
        mean = mean_and_std([quantity.of(record) for record in records])[0]
        return format(mean, form) + unit

    cells = [
        measured("base", "gradient_batch", ".2e"),
        *(
            mean_std_of(ratio(arm, layer), records, ".3g")
            for arm in ("gaaf", "bn_gaaf")
        ),
    ]
    for arm in SHIFTS:
        cells += [
            measured(arm, "nets_off", ".0f", " %"),
            measured(arm, "gradient_off", ".0f", " %"),
            measured(arm, "cosine", ".2f"),
        ]
    return (layer, *cells)


def draw(figure: Any, records: Sequence[Record]) -> None:
    """Accuracies and gains, published and measured; the training loss by epoch."""
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.3, 1.2, 1))
    dataset = _dataset(records)
    name = NAMES[published(dataset)]
    numbers = ACCURACY[published(dataset)]
    compare(
        left,
        _labels(ARMS),
        [(numbers.get(arm, math.nan), 0.0) for arm in ARMS],
        [_spread(accuracy(arm), records) for arm in ARMS],
    )
    left.set_ylabel("test accuracy (%)")
    left.set_title(f"{name} published, {NAMES.get(dataset, dataset)} measured")
    compare(
        middle,
        _labels(WITHOUT),
        [(published_gain(dataset, arm), 0.0) for arm in WITHOUT],
        [_spread(gain(arm), records) for arm in WITHOUT],
    )
    middle.axhline(0, color="#777777", linewidth=0.8)
    middle.set_ylabel("gain in test accuracy (points)")
    middle.set_title("Gain over base, or over +BN for what has it")
    for axes in (left, middle):
        axes.tick_params("x", labelsize=8)
    _draw_losses(right, records)
    figure.legend(
        *middle.get_legend_handles_labels(), loc="outside lower center", ncols=2
    )
    if of_copies(records):
        left.set_xlabel("measured on a copy of the published files")


def _labels(arms: Iterable[str]) -> list[str]:
    words = (ARMS[arm].label for arm in arms)
    return [one.replace(" +", "\n+").replace(", ", "\n") for one in words]


def _spread(quantity: Quantity, records: Sequence[Record]) -> tuple[float, float]:
    return mean_and_std([quantity.of(record) for record in records])


def _draw_losses(axes: Any, records: Sequence[Record]) -> None:
    for (arm, made), colour in zip(ARMS.items(), COLOURS, strict=True):
        for seed, record in enumerate(records):
            losses = [epoch["train_loss"] for epoch in record["arms"][arm]["history"]]
            axes.plot(
                range(1, len(losses) + 1),
                losses,
                color=colour,
                alpha=0.7,
                label=None if seed else made.label,
            )
    axes.set_yscale("log")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("epoch")
    axes.set_ylabel("training loss (nats)")
    axes.set_title("Training loss, a line per seed")
    axes.legend(fontsize=8)


TABLE5 = Experiment(
    id="gaaf.table5",
    recipe=RECIPE,
    title="accuracy of CNNs with ReLU or GAAF, without and with batch norm",
    paper=PAPER,
    presets=PRESETS,
    datasets=("digits", *NAMES),
    published_datasets=("cifar10", "cifar100", "svhn"),
    arms=tuple(ARMS),
    claims=CLAIMS,
    prepare=prepare,
    train=train,
    tables=tables,
    draw=draw,
    figure_size=(14, 4.4),
    explain=explain,
)

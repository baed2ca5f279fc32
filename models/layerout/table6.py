"""Table 6: LayerOut beside stochastic depth, BlockDrop, dropout and DropConnect.

The paper quotes three of its four rows from other papers, which trained other networks
in other ways: stochastic depth for 500 epochs, with Nesterov's momentum; its own row is
of a network of bottlenecks, 164 layers deep. So the numbers are not to be reached; what
is compared is their order. Here all methods get the same ResNet of basic blocks, with
zeros for new channels, the same images, rates and epochs, on CIFAR-10 (the table's
column for CIFAR-100 is left out):

| method | what differs from the baseline |
| --- | --- |
| dropout, DropConnect | half of the features, or of the weights, before the output |
| stochastic depth | survivals fall from 1 to 1/2 with depth |
| BlockDrop | further epochs: of a policy by curriculum, then of both together |
| LayerOut | a random v behind the warm-up |

BlockDrop's network is the baseline's when its policy begins to learn, so that its last
epochs are more training; its accuracy before them is shown, too. Its other accuracies
are those of the epochs in which network and policy train together.
"""

import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from minigrad import tensor
from models.experiments.claims import Quantity, Record
from models.experiments.experiment import Experiment, Explanation
from models.experiments.metrics import summarize
from models.experiments.pool import Hooks, Job
from models.experiments.tables import Table
from models.experiments.trained import train_and_measure
from models.experiments.verdicts import mean_std_of
from models.layerout import common, panels, training
from models.layerout import tables as shared
from models.layerout.arms import ARMS
from models.layerout.blockdrop.inference import multiply_adds
from models.layerout.blockdrop.training import BlockDropTraining
from models.layerout.common import PAPER, Checkpoints, prepare
from models.layerout.methods import (
    METHODS,
    PRESETS,
    MethodsConfig,
    build,
    build_block_drop,
)
from models.layerout.table6_claims import ACCURACY, CLAIMS

COUNTED = 200
"""Test images whose multiply-adds are counted, the first."""


def train(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Train a network by one method, and measure what it costs at test time."""
    if job.arm == "block_drop":
        return _train_block_drop(job, hooks)
    result = training.train(job, hooks, build, _measure)
    return result | {"pretrained_accuracy": result["last_test_accuracy"]}


def _train_block_drop(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Train in three phases; accuracies are those of the last, in which both train."""
    config: MethodsConfig = job.config
    alone = config.epochs + config.policy_epochs
    longer = replace(job, config=replace(config, epochs=alone + config.joint_epochs))

    def build(_: Any, arm: str, seed: int) -> BlockDropTraining:
        return build_block_drop(config, seed)

    result = train_and_measure(longer, hooks, build, _measure)
    history = result["history"]
    pretraining, joint = history[: config.epochs], history[alone:]
    whole = ("training_seconds", "epochs_run")
    return {
        **result,
        **summarize(joint),
        **{name: result[name] for name in whole},
        "official_files": common.examples_of(config).official,
        "pretrained_accuracy": pretraining[-1]["test_accuracy"],
        "kept_share": 100 * joint[-1]["kept"] / sum(config.blocks),
        "epoch_seconds": statistics.fmean(epoch["seconds"] for epoch in pretraining),
        "saved_share": 0.0,
    }


def _measure(made: Any, job: Job) -> dict[str, Any]:
    """Count the multiply-adds that a test image costs."""
    images = made.examples.test.images[:COUNTED]
    model = made.model.eval()
    return {"test_multiply_adds": multiply_adds(model, tensor(made.as_input(images)))}


# -- tables ----------------------------------------------------------------------------


def tables(records: Sequence[Record]) -> list[Table]:
    """Table 6, measured beside published, and what each method costs."""
    numbers = shared.accuracies("Table 6", METHODS, records, ACCURACY)
    # BlockDrop's loss is cross-entropy and its policy's; it is not to be compared.
    without = [row[:-1] for row in (numbers.header, *numbers.rows)]
    return [Table(numbers.title, without[0], tuple(without[1:])), _costs(records)]


def _costs(records: Sequence[Record]) -> Table:
    kept = mean_std_of(Quantity("block_drop", "kept_share", ""), records, ".0f")
    rows = tuple(
        (
            made.label,
            mean_std_of(_per_baseline(arm, "epoch_seconds"), records),
            mean_std_of(_per_baseline(arm, "training_seconds"), records),
            mean_std_of(Quantity(arm, "saved_share", ""), records, ".1f"),
            mean_std_of(_per_baseline(arm, "test_multiply_adds"), records),
            kept if arm == "block_drop" else "100",
            mean_std_of(Quantity(arm, "pretrained_accuracy", ""), records),
        )
        for arm, made in METHODS.items()
    )
    header = (
        "method",
        "seconds of an epoch / baseline's",
        "of the whole training / baseline's",
        "multiply-adds of backward saved by freezing %",
        "multiply-adds of a test image / baseline's",
        "blocks run at test time %",
        "test accuracy % behind the epochs that all methods have",
    )
    title = (
        f"What the methods cost, mean (std) over n = {len(records)}; seconds are with "
        "evaluation, an epoch is one with freezing, or of BlockDrop's pretraining"
    )
    return Table(title, header, rows)


def _per_baseline(arm: str, metric: str) -> Quantity:
    return Quantity(arm, metric, "", per="baseline")


def draw(figure: Any, records: Sequence[Record]) -> None:
    """Accuracies; by epoch; blocks that BlockDrop's policy keeps, by epoch."""
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.1, 1.2, 0.9))
    panels.draw_accuracies(left, METHODS, records, ACCURACY)
    panels.draw_epochs(middle, METHODS, records)
    panels.draw_kept(right, records, "block_drop")


def explain(config: MethodsConfig, checkpoints: Checkpoints) -> Explanation:
    """Look at the gradient of a trained network in an epoch of LayerOut."""
    made = build(config, "warm_up", 0)
    label = ARMS["warm_up"].label
    return training.explain(made, checkpoints["warm_up"], label)


TABLE6 = Experiment(
    id="layerout.table6",
    recipe="layerout.methods",
    title="LayerOut, stochastic depth, BlockDrop, dropout and DropConnect",
    paper=PAPER,
    presets=PRESETS,
    datasets=("digits", "cifar10"),
    published_datasets=("cifar10",),
    arms=tuple(METHODS),
    claims=CLAIMS,
    prepare=prepare,
    train=train,
    tables=tables,
    draw=draw,
    figure_size=(14, 5.4),
    explain=explain,
)

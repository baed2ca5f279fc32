"""Beyond the paper: what freezing saves, in parameters, multiply-adds and seconds.

The abstract says `up to 70% reduction in computation`; the tables give shares of the
parameters that are frozen. Here both stand side by side, with the seconds that backward
takes and the accuracy, for a fully connected network on MNIST. A second table has what
the strategies freeze and save on average in the paper's own networks: it follows from
their layers alone, and nothing has to be trained for it.

The network has its largest layer first, so efreeze, not dfreeze, freezes most of its
parameters. The paper has no probabilities for five units: those here fall from 0.9 to
0.1 in equal steps.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from minigrad import nn
from minigrad.random import Streams
from models.experiments.claims import Record
from models.experiments.config import Preset
from models.experiments.experiment import Experiment, Explanation
from models.experiments.pool import Hooks, Job
from models.experiments.tables import Table
from models.layerout import common, cost_panels, expectations, training
from models.layerout.arms import chosen
from models.layerout.common import PAPER, Checkpoints, TrainingConfig, prepare
from models.layerout.cost_claims import CLAIMS
from models.layerout.training import FreezingTraining
from models.networks.mlp import mlp

ARMS = chosen("baseline", "since_start", "warm_up", "dfreeze", "efreeze")
LATE = 5
"""Accuracy is the mean over so many epochs, the last."""


@dataclass(frozen=True, kw_only=True)
class CostConfig(TrainingConfig):
    """One scale of the experiment.

    Attributes:
        hidden: widths of the hidden layers.
    """

    hidden: tuple[int, ...] = (256, 256, 256, 256)
    image_size: int = 28
    shift: int = 0
    flip: bool = False


PRESETS = {
    "tiny": Preset(
        CostConfig(
            dataset="digits",
            epochs=8,
            warm_up=2,
            rates=((0, 0.02),),
            batch_size=32,
            hidden=(64, 64, 64, 64),
            max_examples=1000,
            image_size=8,
        ),
        2,
        "seconds, offline",
    ),
    "small": Preset(
        CostConfig(
            dataset="mnist",
            epochs=40,
            warm_up=8,
            rates=((0, 0.02),),
            max_examples=11_000,
            validation_share=1 / 11,
        ),
        3,
        "10,000 images of MNIST, minutes",
    ),
    "full": Preset(
        CostConfig(
            dataset="mnist",
            epochs=100,
            warm_up=20,
            rates=((0, 0.02),),
            validation_share=1 / 60,
        ),
        5,
        "all of MNIST, the paper's epochs",
    ),
}


def build(config: CostConfig, arm: str, seed: int) -> FreezingTraining:
    """Build the network of an arm, its optimiser and what freezes it, untrained."""
    examples = common.examples_of(config)
    return training.build(config, ARMS[arm], seed, _network(config, examples, seed))


def _network(config: CostConfig, examples: common.Examples, seed: int) -> nn.Module:
    layers = mlp(
        examples.train.images[0].size,
        config.hidden,
        examples.num_classes,
        activation=nn.ReLU,
        streams=Streams(seed),
        seed=seed,
    )
    return nn.Sequential({"flatten": nn.Flatten(), **dict(layers.named_children())})


def train(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Train a network, count what freezing saved, and say what that is called.

    Adds to training.train's metrics: "late_test_accuracy", in percent; "step_share":
    percent of a whole training step's multiply-adds saved; "overstated",
    "overstated_step": points by which frozen_share is above saved_share and above
    step_share; "trained_part": of the parameters, from 0 to 1. The baseline's hold
    "expected", shares by network and strategy; see expectations.expected.
    """
    result = training.train(job, hooks, build)
    examples = common.examples_of(job.config)
    network = _network(job.config, examples, job.seed)
    chain = expectations.chain_of(network, examples.train.images.shape[1:])
    frozen, saved = result["frozen_share"], result["saved_share"]
    step = saved * chain.backward_part
    late = [epoch["test_accuracy"] for epoch in result["history"][-LATE:]]
    added: dict[str, Any] = {
        "late_test_accuracy": statistics.fmean(late),
        "step_share": step,
        "overstated": frozen - saved,
        "overstated_step": frozen - step,
        "trained_part": 1 - frozen / 100,
    }
    if job.arm == "baseline":
        chains = {**expectations.published_chains(), "dense": chain}
        added["expected"] = {
            name: expectations.expectations(one) for name, one in chains.items()
        }
    return {**result, **added}


def tables(records: Sequence[Record]) -> list[Table]:
    """The three shares and accuracy, measured; and the shares by formula."""
    return [cost_panels.measured(ARMS, records), cost_panels.beforehand(records)]


def draw(figure: Any, records: Sequence[Record]) -> None:
    """Draw the three shares, and accuracy against seconds of backward."""
    cost_panels.draw(figure, ARMS, records)


def explain(config: CostConfig, checkpoints: Checkpoints) -> Explanation:
    """Look at the gradient of a trained network in an epoch of LayerOut-efreeze."""
    made = build(config, "efreeze", 0)
    return training.explain(made, checkpoints["efreeze"], "LayerOut-efreeze")


COST = Experiment(
    id="layerout.cost",
    recipe="layerout.cost",
    title="parameters frozen, work and seconds saved are three numbers",
    paper=PAPER,
    presets=PRESETS,
    datasets=("digits", "mnist"),
    published_datasets=("mnist",),
    arms=tuple(ARMS),
    claims=CLAIMS,
    prepare=prepare,
    train=train,
    tables=tables,
    draw=draw,
    figure_size=(12, 4.8),
    explain=explain,
)

"""Table 6: LayerOut beside stochastic depth, BlockDrop, dropout and DropConnect.

The paper quotes three of its four rows from other papers, which trained other networks
in other ways. Here all methods get the same ResNet of basic blocks, with zeros for new
channels, the same images, rates and epochs:

| method | what differs from the baseline |
| --- | --- |
| dropout, DropConnect | half of the features, or of the weights, before the output |
| stochastic depth | survivals fall from 1 to 1/2 with depth |
| BlockDrop | further epochs: of a policy by curriculum, then of both together |
| LayerOut | a random v behind the warm-up |

BlockDrop's network is the baseline's when its policy begins to learn, so that its last
epochs are more training; its accuracy before them is shown, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from minigrad import nn, tensor
from minigrad.random import Streams
from models.experiments.claims import Quantity, Record
from models.experiments.config import Preset
from models.experiments.experiment import Experiment, Explanation
from models.experiments.pool import Hooks, Job
from models.experiments.tables import Table
from models.experiments.trained import train_and_measure
from models.experiments.verdicts import mean_std_of
from models.layerout import common, panels, training
from models.layerout import tables as shared
from models.layerout.arms import ARMS, chosen
from models.layerout.blockdrop import training as blockdrop
from models.layerout.blockdrop.inference import BlockDropNet, multiply_adds
from models.layerout.blockdrop.policy import policy_net
from models.layerout.blockdrop.training import BlockDropTraining, Recipe
from models.layerout.common import PAPER, Checkpoints, TrainingConfig, prepare
from models.layerout.table6_claims import ACCURACY, CLAIMS
from models.layerout.training import FreezingTraining
from models.networks.resnet import ResNet, resnet

METHODS = chosen(
    *("baseline", "dropout", "drop_connect", "stochastic_depth", "block_drop"),
    "warm_up",
)
COUNTED = 200
"""Test images whose multiply-adds are counted."""
LAST_SURVIVAL = 0.5


@dataclass(frozen=True, kw_only=True)
class MethodsConfig(TrainingConfig):
    """One scale of Table 6.

    Attributes:
        blocks: basic blocks of each group.
        widths: filters of each group.
        policy_epochs, joint_epochs: of BlockDrop, behind the epochs of all methods.
        policy_batch, joint_batch: examples per step in them.
    """

    blocks: tuple[int, ...]
    widths: tuple[int, ...] = (16, 32, 64)
    policy_epochs: int
    joint_epochs: int
    policy_batch: int = 2048
    joint_batch: int = 256

    def recipe(self) -> Recipe:
        """How BlockDrop trains."""
        return Recipe(
            pretraining=self.epochs,
            policy=self.policy_epochs,
            policy_batch=self.policy_batch,
            joint_batch=self.joint_batch,
        )

    def with_policy(self) -> "MethodsConfig":
        """Return the configuration with all epochs of BlockDrop."""
        more = self.policy_epochs + self.joint_epochs
        return replace(self, epochs=self.epochs + more)


PRESETS = {
    "tiny": Preset(
        MethodsConfig(
            dataset="digits",
            epochs=4,
            warm_up=1,
            rates=((0, 0.05), (3, 0.005)),
            batch_size=32,
            max_examples=640,
            max_test=160,
            image_size=8,
            shift=1,
            flip=False,
            blocks=(1, 1, 1),
            widths=(4, 8, 8),
            policy_epochs=3,
            joint_epochs=1,
            policy_batch=64,
            joint_batch=64,
        ),
        2,
        "seconds, offline",
    ),
    "small": Preset(
        MethodsConfig(
            dataset="cifar10",
            epochs=16,
            warm_up=3,
            rates=((0, 0.01), (1, 0.1), (8, 0.01), (12, 0.001)),
            batch_size=64,
            max_examples=3300,
            max_test=1000,
            validation_share=1 / 11,
            image_size=16,
            shift=2,
            blocks=(2, 2, 2),
            widths=(8, 16, 32),
            policy_epochs=10,
            joint_epochs=4,
            policy_batch=128,
            joint_batch=64,
        ),
        3,
        "a small ResNet, a part of the images",
    ),
    "full": Preset(
        MethodsConfig(
            dataset="cifar10",
            epochs=164,
            warm_up=20,
            rates=((0, 0.01), (4, 0.1), (82, 0.01), (123, 0.001)),
            validation_share=1 / 50,
            blocks=(18, 18, 18),
            policy_epochs=5000,
            joint_epochs=2000,
        ),
        3,
        "ResNet-110; the paper quotes three of its rows",
    ),
}


# -- networks --------------------------------------------------------------------------


def network(config: MethodsConfig, arm: str, streams: Streams, seed: int) -> ResNet:
    """Build the ResNet of a method; all start from the same weights."""
    examples = common.examples_of(config)
    count = sum(config.blocks)
    random = arm == "stochastic_depth"
    model = resnet(
        config.blocks,
        widths=config.widths,
        in_channels=examples.train.images.shape[1],
        classes=examples.num_classes,
        survivals=nn.residual.linear_decay(count, LAST_SURVIVAL) if random else None,
        streams=streams,
        seed=seed,
    )
    parts = dict(model.head.named_children())
    if arm == "dropout":
        output = parts.pop("output")
        parts |= {"dropout": nn.Dropout(0.5, rng=streams), "output": output}
    if arm == "drop_connect":
        linear: Any = parts["output"]
        sizes = linear.in_features, linear.out_features
        parts["output"] = nn.DropConnectLinear(*sizes, p=0.5, rng=streams)
        parts["output"].load_state_dict(linear.state_dict())
    model.head = nn.Sequential(parts)
    return model


def build(config: MethodsConfig, arm: str, seed: int) -> FreezingTraining:
    """Build what trains the network of a method, but BlockDrop's."""
    streams = Streams(seed)
    model = network(config, arm, streams, seed)
    return training.build(config, METHODS[arm], seed, model, streams)


def build_block_drop(config: MethodsConfig, arm: str, seed: int) -> BlockDropTraining:
    """Build what trains the baseline's network, then a policy, then both."""
    recipe = replace(config, epochs=config.epochs - _more(config)).recipe()
    net = network(config, arm, Streams(seed), seed)
    channels = common.examples_of(config).train.images.shape[1]
    policy = policy_net(
        sum(config.blocks), in_channels=channels, widths=config.widths, seed=seed
    )
    return blockdrop.build(config, recipe, BlockDropNet(net, policy), seed)


def _more(config: MethodsConfig) -> int:
    return config.policy_epochs + config.joint_epochs


# -- training --------------------------------------------------------------------------


def train(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Train a network by one method, and measure what it costs at test time."""
    if job.arm == "block_drop":
        return _train_block_drop(job, hooks)
    result = training.train(job, hooks, build, _measure)
    return result | {"pretrained_accuracy": result["last_test_accuracy"]}


def _train_block_drop(job: Job, hooks: Hooks) -> dict[str, Any]:
    pretraining, count = job.config.epochs, sum(job.config.blocks)
    longer = replace(job, config=job.config.with_policy())
    result = train_and_measure(longer, hooks, build_block_drop, _measure)
    history = result["history"]
    first = history[:pretraining]
    return result | {
        "official_files": common.examples_of(job.config).official,
        "pretrained_accuracy": first[-1]["test_accuracy"],
        "kept_share": history[-1]["kept"] / count,
        "epoch_seconds": sum(epoch["seconds"] for epoch in first) / pretraining,
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
    return [
        shared.accuracies("Table 6", METHODS, records, ACCURACY),
        _costs(records),
    ]


def _costs(records: Sequence[Record]) -> Table:
    kept = mean_std_of(Quantity("block_drop", "kept_share", ""), records)
    rows = tuple(
        (
            made.label,
            mean_std_of(_per_baseline(arm, "epoch_seconds"), records),
            mean_std_of(Quantity(arm, "saved_share", ""), records, ".1f"),
            mean_std_of(_per_baseline(arm, "test_multiply_adds"), records),
            kept if arm == "block_drop" else "1",
            mean_std_of(Quantity(arm, "pretrained_accuracy", ""), records),
        )
        for arm, made in METHODS.items()
    )
    header = (
        "method",
        "seconds of a training epoch / baseline's",
        "multiply-adds of backward saved by freezing %",
        "multiply-adds of a test image / baseline's",
        "share of the blocks run",
        "test accuracy % behind the epochs that all methods have",
    )
    title = f"What the methods cost, mean (std) over n = {len(records)}"
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
    figure_size=(14, 4.8),
    explain=explain,
)

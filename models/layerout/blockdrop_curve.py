"""BlockDrop at work: accuracy and blocks that run, epoch by epoch.

Nothing of this is in the LayerOut paper, whose Table 6 only quotes BlockDrop's
accuracy. The ResNet is pretrained; then its policy learns by curriculum which blocks an
image needs; then both are trained together. The dashed line is what the pretrained
ResNet, with all blocks, gets right.

Controls with as many blocks for each image as the policy keeps: blocks at random, and
the first ones. Multiply-adds are counted from the kernels that ran, the policy's among
them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minigrad import no_grad
from minigrad.inspect import Flow
from minigrad.random import generator
from models.experiments import checkpoint
from models.experiments.claims import Quantity, Record
from models.experiments.config import Preset
from models.experiments.experiment import Experiment, Explanation
from models.experiments.pool import Hooks, Job
from models.experiments.tables import Table
from models.experiments.trained import record_flow, train_and_measure
from models.experiments.verdicts import mean_std_of
from models.layerout import common
from models.layerout.blockdrop.inference import (
    BlockDropNet,
    multiply_adds,
    skipping,
)
from models.layerout.blockdrop.policy import Decisions, policy_net
from models.layerout.blockdrop.reward import is_right
from models.layerout.blockdrop.training import BlockDropTraining, Recipe
from models.layerout.blockdrop.training import build as build_training
from models.layerout.blockdrop_claims import ARM, CLAIMS
from models.layerout.blockdrop_panels import draw
from models.layerout.common import TrainingConfig, prepare
from models.layerout.tables import of_copies
from models.networks.resnet import resnet

PAPER = (
    "Wu, Nagarajan, Kumar, Rennie, Davis, Grauman & Feris, BlockDrop: Dynamic "
    "Inference Paths in Residual Networks, 2018"
)
COUNTED = 500
"""Multiply-adds are those of the first so many test images."""
CHANCES = "add#1"
"""How a recording calls the probabilities that decisions are drawn with."""


@dataclass(frozen=True, kw_only=True)
class BlockDropConfig(TrainingConfig):
    """One scale of the experiment.

    Attributes:
        recipe: of the policy; rates, batch_size, momentum and weight_decay are those of
            the pretraining.
        blocks: basic blocks of each group of the ResNet.
        widths: of each group.
        policy_widths: of the policy's groups, of one block each.
        warm_up: has no meaning here.
    """

    recipe: Recipe
    blocks: tuple[int, ...] = (18, 18, 18)
    widths: tuple[int, ...] = (16, 32, 64)
    policy_widths: tuple[int, ...] = (16, 32, 64)
    warm_up: int = 0


_TINY = BlockDropConfig(
    dataset="digits",
    epochs=24,
    rates=((0, 0.05), (5, 0.005)),
    batch_size=32,
    max_examples=1415,
    image_size=8,
    shift=0,
    flip=False,
    blocks=(2, 2, 2),
    widths=(8, 16, 32),
    policy_widths=(4, 8, 8),
    recipe=Recipe(
        pretraining=7,
        policy=11,
        policy_batch=64,
        joint_batch=64,
        joint_rates=((0, 1e-3),),
        joint_gamma=2.0,
    ),
)
_SMALL = BlockDropConfig(
    dataset="mnist",
    epochs=45,
    rates=((0, 0.05), (8, 0.005)),
    batch_size=64,
    max_examples=5500,
    max_test=2000,
    validation_share=1 / 11,
    image_size=14,
    shift=0,
    flip=False,
    blocks=(3, 3, 3),
    widths=(8, 16, 32),
    policy_widths=(4, 8, 8),
    recipe=Recipe(
        pretraining=10,
        policy=25,
        policy_batch=64,
        joint_batch=64,
        joint_rates=((0, 1e-3),),
        joint_gamma=2.0,
    ),
)
_FULL = BlockDropConfig(
    dataset="cifar10",
    epochs=7164,
    rates=((0, 0.01), (1, 0.1), (82, 0.01), (123, 0.001)),
    weight_decay=1e-4,
    validation_share=1 / 50,
    recipe=Recipe(pretraining=164, policy=5000),
)
PRESETS = {
    "tiny": Preset(_TINY, 2, "seconds, offline"),
    "small": Preset(_SMALL, 3, "5,000 images of MNIST at half resolution, minutes"),
    "full": Preset(_FULL, 3, "the paper's ResNet-110 and epochs, on a GPU"),
}


def build(config: BlockDropConfig, arm: str, seed: int) -> BlockDropTraining:
    """Build a ResNet, its policy, and what trains them."""
    examples = common.examples_of(config)
    channels = examples.train.images.shape[1]
    net = resnet(
        config.blocks,
        widths=config.widths,
        shortcut="average",
        in_channels=channels,
        classes=examples.num_classes,
        seed=seed,
    )
    policy = policy_net(
        len(net.blocks), in_channels=channels, widths=config.policy_widths, seed=seed
    )
    nets = BlockDropNet(net, policy)
    return build_training(config, config.recipe, nets, seed)


def train(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Train a network by all phases, and measure what its policy does."""
    result = train_and_measure(job, hooks, build, measure)
    pretrained = result["history"][: job.config.recipe.pretraining][-1]
    before, after = pretrained["test_accuracy"], result["last_test_accuracy"]
    return {
        **result,
        "pretrained_accuracy": before,
        "accuracy_change": after - before,
        "official_files": common.examples_of(job.config).official,
    }


# -- what is measured ------------------------------------------------------------------


def measure(training: Any, job: Job) -> dict[str, Any]:
    """Count blocks and multiply-adds; compare with other ways to choose blocks.

    "kept", of "blocks"; "kept_share" in %; "usage": share of images by block; "paths":
    different decisions among the test images. "work": multiply-adds in % of the whole
    ResNet's, and "work_of_policy". "accuracy": in %, of the trained ResNet with blocks
    chosen otherwise.
    """
    training.enter(job.config.epochs - 1)
    nets, (images, labels) = training.nets, training.examples.test
    u = training.decisions(images)
    count, blocks = u.sum(axis=1), u.shape[1]
    rng = generator(job.seed, "blockdrop control")
    ways = {
        "policy": u,
        "all": np.ones_like(u),
        "random": rng.permuted(np.arange(blocks) < count[:, None], axis=1),
        "first": np.arange(blocks) < count[:, None],
    }
    x = training.tensor_of(images[:COUNTED])
    whole = multiply_adds(nets.net, x)
    return {
        "blocks": blocks,
        "kept": float(count.mean()),
        "kept_share": float(100 * count.mean() / blocks),
        "usage": u.mean(axis=0).tolist(),
        "paths": len(np.unique(u, axis=0)),
        "work": 100 * multiply_adds(nets, x) / whole,
        "work_of_policy": 100 * multiply_adds(nets.policy, x) / whole,
        "multiply_adds": whole,
        "accuracy": {
            name: accuracy(training, images, labels, way) for name, way in ways.items()
        },
    }


def accuracy(
    training: BlockDropTraining, images: Any, labels: Any, u: Decisions
) -> float:
    """Percentage of images (N, C, H, W) that the ResNet gets right under u (N, K)."""
    training.nets.eval()
    right = 0
    with no_grad():
        for start in range(0, len(labels), COUNTED):
            window = slice(start, start + COUNTED)
            x = training.tensor_of(images[window])
            logits = skipping(training.nets.net, x, u[window])
            right += int(is_right(logits, labels[window]).sum())
    return 100 * right / len(labels)


# -- how it is shown -------------------------------------------------------------------


def tables(records: Sequence[Record]) -> list[Table]:
    """What the policy keeps, and accuracy with blocks chosen by others."""
    rows = (
        ("test accuracy %, pretrained, all blocks", "pretrained_accuracy", ".2f"),
        ("test accuracy %, blocks of the policy", "accuracy.policy", ".2f"),
        ("- all blocks, trained jointly", "accuracy.all", ".2f"),
        ("- as many blocks, at random", "accuracy.random", ".2f"),
        ("- as many blocks, the first", "accuracy.first", ".2f"),
        ("blocks of the ResNet", "blocks", ".0f"),
        ("blocks kept for an image", "kept", ".2f"),
        ("different paths among test images", "paths", ".0f"),
        ("multiply-adds of the ResNet, all blocks", "multiply_adds", ".0f"),
        ("multiply-adds with the policy, % of these", "work", ".1f"),
        ("- the policy's own", "work_of_policy", ".1f"),
    )
    title = f"BlockDrop after its last epoch; mean (std) over n = {len(records)}"
    found = tuple(
        (words, mean_std_of(Quantity(ARM, metric, ""), records, form))
        for words, metric, form in rows
    )
    return [Table(title + of_copies(records), ("what", "measured"), found)]


def explain(config: BlockDropConfig, checkpoints: Mapping[str, Path]) -> Explanation:
    """Look at the gradient of joint training, and at what made the policy before it."""
    training = build(config, ARM, 0)
    checkpoint.restore(training, checkpoints[ARM])
    recipe = config.recipe
    behind = recipe.pretraining + recipe.policy
    training.enter(behind - 1)
    policy = record_flow(training, recipe.joint_batch)
    training.enter(behind)
    flow = record_flow(training, recipe.joint_batch)
    past = past_blocks(flow, training)
    listed = ", ".join(f"{100 * share:.0f} % (block {k})" for k, share in past.items())
    (edge,) = policy.into(CHANCES).edges
    terms = {term.name: 100 * (term.measures.share or 0.0) for term in edge.terms}
    parts = (
        "Gradient flow of joint training, at the trained network",
        str(flow),
        "The gradient of the probabilities when the policy alone trains",
        policy.into(CHANCES).table(),
    )
    return Explanation(
        "\n\n".join(parts),
        "In joint training this much of the gradient at a block's input comes past the "
        f"block, by its gate's term skipped: {listed}. When the policy alone trains, "
        f"{terms['reward']:.0f} % of its gradient are the reward's and "
        f"{terms['entropy']:.0f} % the entropy's.",
        flow,
    )


def past_blocks(flow: Flow, training: BlockDropTraining) -> dict[int, float]:
    """Share of the gradient at a block's input that comes by its gate's other side.

    By the block's number, from 1, for blocks whose shortcut is the identity.
    """
    shares: dict[int, float] = {}
    for k, block in enumerate(training.nets.net.blocks):
        if getattr(block, "shortcut", None) is None:
            name = f"gate#{k}" if k else "net.stem.activation/relu#1"
            edges = [edge for edge in flow.into(name).edges if edge.kernel == "gate"]
            shares[k + 1] = sum(edge.measures.share or 0.0 for edge in edges)
    return shares


BLOCKDROP = Experiment(
    id="layerout.blockdrop",
    recipe="layerout.blockdrop",
    title="accuracy and blocks that run while BlockDrop's policy learns",
    paper=PAPER,
    presets=PRESETS,
    datasets=("digits", "mnist", "cifar10"),
    published_datasets=("cifar10",),
    arms=(ARM,),
    claims=CLAIMS,
    prepare=prepare,
    train=train,
    tables=tables,
    draw=draw,
    figure_size=(12.5, 4.2),
    explain=explain,
)

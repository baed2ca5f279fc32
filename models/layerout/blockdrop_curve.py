"""BlockDrop at work: accuracy and blocks that run, epoch by epoch.

Nothing of this is in the LayerOut paper, whose Table 6 only quotes BlockDrop's
accuracy. The ResNet is pretrained; then its policy learns by curriculum which blocks an
image needs; then both are trained together. The dashed line is what the pretrained
ResNet, with all blocks, gets right.

Controls with as many blocks for each image as the policy keeps: blocks at random, and
the first ones. Multiply-adds are counted from the kernels that ran, the policy's among
them. The scaled presets charge a wrong prediction less (gamma) than the paper does: few
epochs and few blocks leave less to drop, and dropping one of them costs more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minigrad import no_grad
from minigrad.random import generator
from models.experiments.claims import Quantity, Record
from models.experiments.config import Preset
from models.experiments.data import of_copies
from models.experiments.experiment import Experiment, Explanation
from models.experiments.pool import Hooks, Job
from models.experiments.tables import Table
from models.experiments.trained import train_and_measure
from models.experiments.verdicts import mean_std_of
from models.layerout import blockdrop_flow, common
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
from models.networks.resnet import resnet

PAPER = (
    "Wu, Nagarajan, Kumar, Rennie, Davis, Grauman & Feris, BlockDrop: Dynamic "
    "Inference Paths in Residual Networks, 2018"
)
COUNTED = 500
"""Multiply-adds are those of the first so many test images."""


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
    epochs=30,
    rates=((0, 0.1), (7, 0.01)),
    batch_size=64,
    max_examples=1415,
    image_size=8,
    shift=1,
    flip=False,
    blocks=(2, 2, 2),
    widths=(8, 16, 32),
    policy_widths=(4, 8, 8),
    recipe=Recipe(
        pretraining=10,
        policy=8,
        policy_batch=64,
        joint_batch=64,
        policy_rate=3e-3,
        joint_rates=((0, 2e-3), (8, 2e-4)),
        gamma=0.5,
        joint_gamma=1.0,
    ),
)
_SMALL = BlockDropConfig(
    dataset="mnist",
    epochs=32,
    rates=((0, 0.1), (6, 0.01)),
    batch_size=64,
    max_examples=5500,
    max_test=2000,
    validation_share=1 / 11,
    image_size=14,
    shift=1,
    flip=False,
    blocks=(3, 3, 3),
    widths=(8, 16, 32),
    policy_widths=(4, 8, 8),
    recipe=Recipe(
        pretraining=8,
        policy=14,
        policy_batch=64,
        joint_batch=64,
        policy_rate=3e-3,
        joint_rates=((0, 2e-3), (7, 2e-4)),
        gamma=0.5,
        joint_gamma=1.0,
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
    x = training.tensor_of(images[:COUNTED])
    whole = multiply_adds(nets.net, x)
    return {
        "blocks": u.shape[1],
        "kept": float(u.sum(axis=1).mean()),
        "kept_share": float(100 * u.mean()),
        "usage": u.mean(axis=0).tolist(),
        "paths": len(np.unique(u, axis=0)),
        "work": 100 * multiply_adds(nets, x) / whole,
        "work_of_policy": 100 * multiply_adds(nets.policy, x) / whole,
        "multiply_adds": whole,
        "accuracy": {
            name: accuracy(training, images, labels, way)
            for name, way in ways(u, job.seed).items()
        },
    }


def ways(u: Decisions, seed: int) -> dict[str, Decisions]:
    """Decisions (N, K) of the policy, u, and others; all but "all" keep as many."""
    first = np.arange(u.shape[1]) < u.sum(axis=1, keepdims=True)
    rng = generator(seed, "blockdrop control")
    return {
        "policy": u,
        "all": np.ones_like(u),
        "random": rng.permuted(first, axis=1),
        "first": first,
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
    """Look at the gradients of joint training, and of the policy before it."""
    return blockdrop_flow.explain(build(config, ARM, 0), checkpoints[ARM])


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

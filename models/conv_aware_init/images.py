"""Wide residual networks on images, from each initialization: Tables 2, 3 and 4.

| paper | here |
| --- | --- |
| WRN-28-10; on SVHN "depth 18, widening 8", which is no depth: WRN-16-8 | the same |
| Nesterov's SGD, momentum 0.9, rate 0.01, L2 0.0005 | the same; decay of all weights |
| rates of WRN's script | x 0.2 at epochs 60, 120, 160 of 200 |
| SVHN: ReduceLROnPlateau, patience 5, factor 0.1, at least 0.0005 | the same |
| crops "without 4x4 padding", shifts, flips | up to 4 pixels of the mirrored border |
| validation on the official test part | a part of the training images; test beside it |
| median of 5 runs | mean, std and median over seeds, of the last epoch |

The paper does not say which loss it reports; here it is cross-entropy in nats, without
weight decay. It chose settings for each initialization by its test accuracy (n_b is 10
for He with SoftTarget, 5 for the others); here all arms have the same.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from datasets import as_float, augment
from minigrad import nn, optim
from minigrad.inspect import Flow
from minigrad.optim.lr_scheduler import ReduceLROnPlateau
from minigrad.random import Streams
from models.conv_aware_init.common import losses
from models.conv_aware_init.initializers import INITIALIZERS, start
from models.conv_aware_init.training import SoftTargetTraining
from models.experiments import checkpoint, data
from models.experiments.config import rate_at
from models.experiments.data import Examples, warn_of_copies
from models.experiments.experiment import Explanation
from models.experiments.pool import Hooks, Job
from models.experiments.trained import record_flow, train_and_measure
from models.networks.wide_resnet import WideResNet, wide_resnet

Checkpoints = Mapping[str, Path]
"""Arm -> checkpoint of seed 0."""


@dataclass(frozen=True)
class Arm:
    """A network to train: its initialization, and whether it has soft targets."""

    initializer: str
    soft: bool = False

    @property
    def label(self) -> str:
        """How tables call it."""
        label = INITIALIZERS[self.initializer].label
        return f"{label}, SoftTarget" if self.soft else label


@dataclass(frozen=True, kw_only=True)
class ImageConfig:
    """One scale of Tables 2 to 4.

    Attributes:
        dataset: a name in datasets.DATASETS.
        depth, width: of the wide residual network.
        dropout: between the convolutions of a block.
        epochs: so many.
        rates: learning rates, as (first epoch, counted from 0; rate).
        plateau: whether the rate falls when the validation accuracy does not rise.
        burn_in, beta, gamma: of SoftTarget, where an arm has it.
        batch_size, momentum, weight_decay: of SGD, with Nesterov's momentum.
        max_examples, max_test: take only so many images, the first; None for all.
        validation_share: of the training images, their end.
        image_size: height and width that images are resampled to.
        shift: pixels that a training image is shifted by at most, at random.
        flip: whether it is mirrored at random.
        normalise: by mean and deviation of each channel, or else to [0, 1] only.
        patience: None, as the paper never stops early.
    """

    dataset: str
    depth: int = 28
    width: int = 10
    dropout: float = 0.3
    epochs: int
    rates: tuple[tuple[int, float], ...]
    plateau: bool = False
    burn_in: int = 5
    beta: float = 0.05
    gamma: float = 0.5
    batch_size: int = 128
    momentum: float = 0.9
    weight_decay: float = 5e-4
    max_examples: int | None = None
    max_test: int | None = None
    validation_share: float = 1 / 50
    image_size: int = 32
    shift: int = 4
    flip: bool = True
    normalise: bool = True
    patience: None = None

    @property
    def learning_rate(self) -> float:
        """The first of the rates."""
        return self.rates[0][1]


# -- data ------------------------------------------------------------------------------


def examples_of(config: ImageConfig) -> Examples:
    """Load the images of a configuration, from files of any encoding."""
    return data.examples_of(config, any_files=True)


def prepare(config: ImageConfig) -> None:
    """Raise DataError if the data set is not there; say on stderr if it is a copy."""
    warn_of_copies(config.dataset, examples_of(config))


def augmentation(config: ImageConfig, images: Any, rng: numpy.random.Generator) -> Any:
    """Shift and mirror training images (N, C, H, W) uint8 at random."""
    if config.shift:
        images = augment.random_crop(images, rng, pad=config.shift, mode="reflect")
    return augment.random_flip(images, rng) if config.flip else images


# -- training --------------------------------------------------------------------------


def build(config: ImageConfig, arm: Arm, seed: int) -> SoftTargetTraining:
    """Build the network of an arm and what trains it, untrained.

    Arms of one seed differ in their first weights alone, and in their targets.
    """
    examples, streams = examples_of(config), Streams(seed)
    images, labels = examples.train
    model = wide_resnet(
        config.depth,
        config.width,
        in_channels=images.shape[1],
        classes=examples.num_classes,
        dropout=config.dropout,
        streams=streams,
        seed=seed,
    )
    start(model, INITIALIZERS[arm.initializer], seed)
    optimizer = _sgd(config, model)
    stats = augment.channel_stats(images) if config.normalise else None
    return SoftTargetTraining(
        model=model,
        optimizer=optimizer,
        streams=streams,
        examples=examples,
        batch_size=config.batch_size,
        seed=seed,
        as_input=functools.partial(_as_input, stats),
        augment=functools.partial(augmentation, config),
        rate=None if config.plateau else functools.partial(rate_at, config.rates),
        scheduler=_plateau(optimizer) if config.plateau else None,
        soft_target=_soft_target(config, labels, examples) if arm.soft else None,
    )


def _sgd(config: ImageConfig, model: nn.Module) -> optim.SGD:
    return optim.SGD(
        model.parameters(),
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        nesterov=True,
    )


def _as_input(stats: tuple[Any, Any] | None, images: Any) -> Any:
    return as_float(images) if stats is None else augment.normalise(images, *stats)


def _plateau(optimizer: optim.Optimizer) -> ReduceLROnPlateau:
    """Make the paper's schedule; Keras' patience of 5 is PyTorch's of 4."""
    return ReduceLROnPlateau(
        optimizer,
        mode="max",
        factor=0.1,
        patience=4,
        # Accuracies are in percent here, fractions in Keras.
        threshold=100 * 1e-4,
        threshold_mode="abs",
        min_lr=0.0005,
    )


def _soft_target(config: ImageConfig, labels: Any, examples: Examples) -> Any:
    return nn.SoftTarget(
        labels,
        examples.num_classes,
        burn_in=config.burn_in,
        beta=config.beta,
        gamma=config.gamma,
    )


def train(job: Job, hooks: Hooks, arms: Mapping[str, Arm]) -> dict[str, Any]:
    """Train the network of an arm; add losses in nats to its metrics."""

    def made(config: ImageConfig, arm: str, seed: int) -> SoftTargetTraining:
        return build(config, arms[arm], seed)

    result = train_and_measure(job, hooks, made)
    return {
        **result,
        **losses(result["history"]),
        "last_validation_loss": result["history"][-1]["validation_loss"],
        "official_files": examples_of(job.config).official,
    }


def explain(
    config: ImageConfig, checkpoints: Checkpoints, arms: Mapping[str, Arm], arm: str
) -> Explanation:
    """Look at the gradient of a trained network that began as arm says."""
    training = build(config, arms[arm], 0)
    checkpoint.restore(training, checkpoints[arm])
    flow, model = record_flow(training, training.batch_size), training.model
    assert isinstance(model, WideResNet)
    title = f"Gradient flow of the trained network, {arms[arm].label}"
    return Explanation(f"{title}\n\n{flow}", sentence(flow, model), flow)


def sentence(flow: Flow, model: WideResNet) -> str:
    """Say how much of the gradient passes the branch of each block by."""
    shares = shortcut_shares(flow, model)
    listed = ", ".join(
        f"{100 * share:.0f} % (block {k})" for k, share in shares.items()
    )
    norm = flow.into("stem.weight").measures.norm
    return (
        "This much of the gradient that comes back through a block takes its shortcut, "
        f"not its two convolutions: {listed}. The filters of the first convolution "
        f"receive a gradient of norm {norm:.2g}."
    )


def shortcut_shares(flow: Flow, model: WideResNet) -> dict[int, float]:
    """Share of the gradient, where a block's two ways meet, that the shortcut sent.

    By the block's number, from 1. The ways meet at the block's input, or behind its
    first relu if the shortcut is a convolution.
    """
    shares: dict[int, float] = {}
    for k, block in enumerate(model.blocks):
        plain = getattr(block, "shortcut", None) is None
        before = f"blocks.{k - 1}/add#1" if k else "stem/conv2d_no_bias#1"
        ways = flow.into(before if plain else f"blocks.{k}/relu#1").edges
        shares[k + 1] = sum(
            edge.measures.share or 0.0
            for edge in ways
            if (edge.kernel == "add" if plain else edge.module.endswith("shortcut"))
        )
    return shares

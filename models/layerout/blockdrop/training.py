"""Training in three phases: the ResNet, its policy by curriculum, then both.

| phase | trains | loss | blocks |
| --- | --- | --- | --- |
| pretraining | the ResNet | cross-entropy | all |
| policy | the policy | policy loss and entropy | of the last 1, 2, ..., K drawn |
| joint | both | cross-entropy and policy loss | drawn |

In phase "policy" the ResNet is in evaluation mode and only says whether an image is
classified right, so that blocks are really skipped; in phase "joint" they are gated.
The losses of phase "joint" have no parameter in common: the gates have no gradient. So
the sum of policy losses over the batch, which the paper takes, and their mean, which is
taken here, differ by a factor that Adam takes out.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from datasets import augment
from minigrad import functional as F
from minigrad import no_grad, optim, tensor
from minigrad.random import Streams
from minigrad.tape import Tensor
from models.experiments.config import rate_at
from models.experiments.loop import EVALUATION_BATCH, Training
from models.experiments.pool import Hooks
from models.layerout.arms import ARMS
from models.layerout.blockdrop.inference import BlockDropNet, gated, skipping
from models.layerout.blockdrop.phases import PhasedOptimizer
from models.layerout.blockdrop.policy import Decisions, bounded, drawn, forced
from models.layerout.blockdrop.reward import is_right, reward
from models.layerout.common import (
    TrainingConfig,
    augmentation,
    examples_of,
    statistics_of,
)

Phase = Literal["pretraining", "policy", "joint"]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How BlockDrop trains; the defaults are the paper's for CIFAR-10.

    Attributes:
        pretraining: epochs, the first, in which the ResNet trains alone.
        policy: epochs then in which the policy trains alone. All others are joint.
        policy_batch, joint_batch: examples per step.
        policy_rate: of Adam.
        joint_rates: likewise, as (first epoch, counted from 0 in the phase; rate).
        gamma, joint_gamma: what a wrong prediction costs.
        entropy_weight: in phase "policy".
        bound: a, the largest probability that a decision is drawn with.
    """

    pretraining: int
    policy: int
    policy_batch: int = 2048
    joint_batch: int = 256
    policy_rate: float = 1e-3
    joint_rates: tuple[tuple[int, float], ...] = ((0, 1e-4), (1600, 1e-5))
    gamma: float = 1.0
    joint_gamma: float = 10.0
    entropy_weight: float = 0.1
    bound: float = 0.8

    def phase(self, epoch: int) -> Phase:
        """Name the phase of an epoch, counted from 0."""
        if epoch < self.pretraining:
            return "pretraining"
        return "policy" if epoch < self.pretraining + self.policy else "joint"

    def decided(self, epoch: int, blocks: int) -> int:
        """Say how many of the last blocks the policy decides in an epoch.

        The first epoch of phase "policy" has one, each further epoch one more.
        """
        match self.phase(epoch):
            case "pretraining":
                return 0
            case "policy":
                return min(epoch - self.pretraining + 1, blocks)
            case "joint":
                return blocks

    def rate(self, epoch: int) -> float:
        """Learning rate in an epoch behind the pretraining, counted from 0."""
        if self.phase(epoch) == "policy":
            return self.policy_rate
        since = epoch - self.pretraining - self.policy
        return rate_at(self.joint_rates, since)


@dataclass(kw_only=True)
class BlockDropTraining(Training):
    """A training of a BlockDropNet, whose phase follows from the epoch.

    Attributes:
        nets: the model.
        recipe: how it trains.
        config: how the ResNet alone trains.
    """

    nets: BlockDropNet
    recipe: Recipe
    config: TrainingConfig
    phase: Phase = "pretraining"

    def enter(self, epoch: int) -> None:
        """Set phase, curriculum, optimizer and batches of an epoch, counted from 0."""
        recipe, self.phase = self.recipe, self.recipe.phase(epoch)
        self.nets.decided = recipe.decided(epoch, len(self.nets.net.blocks))
        assert isinstance(self.optimizer, PhasedOptimizer)
        self.optimizer.use(self.phase)
        sizes: dict[Phase, int] = {
            "pretraining": self.config.batch_size,
            "policy": recipe.policy_batch,
            "joint": recipe.joint_batch,
        }
        self.batch_size = sizes[self.phase]

    def run_epoch(self, epoch: int, hooks: Hooks) -> dict[str, Any]:
        """Train one epoch; add to its record the phase, and what the policy does.

        "decided": blocks that are up to the policy; "kept": blocks that run for a test
        image, on average.
        """
        self.enter(epoch)
        record = super().run_epoch(epoch, hooks)
        kept = self.decisions(self.examples.test.images).sum(axis=1).mean()
        return record | {
            "phase": self.phase,
            "decided": self.nets.decided,
            "kept": float(kept),
        }

    def decisions(self, images: Any) -> Decisions:
        """Decide (N, K) which blocks are kept at test time for images (N, C, H, W)."""
        self.nets.eval()
        shape = (len(images), len(self.nets.net.blocks))
        if not self.nets.decided:
            return np.ones(shape, bool)
        with no_grad():
            found = [
                self.nets.decide(self.nets.policy(self.tensor_of(images[window])))
                for window in _windows(len(images))
            ]
        return np.concatenate(found)

    def tensor_of(self, images: Any) -> Tensor:
        """Give images (N, C, H, W) uint8 as the model's input."""
        return tensor(self.as_input(images))

    def loss(self, images: Any, labels: Any) -> Any:
        """Loss of a batch in the present phase, a scalar tensor; nats."""
        x = self.tensor_of(images)
        if self.phase == "pretraining":
            return F.cross_entropy(self.nets.net(x), tensor(labels))
        rng = self.streams.next("blockdrop")
        step = policy_loss if self.phase == "policy" else joint_loss
        return step(self.nets, x, labels, self.recipe, rng)


def _windows(count: int) -> list[slice]:
    starts = range(0, count, EVALUATION_BATCH)
    return [slice(start, start + EVALUATION_BATCH) for start in starts]


def policy_loss(
    nets: BlockDropNet,
    x: Tensor,
    labels: Labels,
    recipe: Recipe,
    rng: np.random.Generator,
) -> Tensor:
    """Loss of the policy alone, a scalar, for decisions that are drawn with it.

    The ResNet is put into evaluation mode. Blocks before the nets.decided last run, and
    count in the reward.
    """
    nets.net.eval()
    q = nets.policy(x)
    chances = bounded(q, recipe.bound)
    u, expected = forced(drawn(chances, rng), nets.mask), nets.decide(q)
    with no_grad():
        rewards = [
            reward(way, is_right(skipping(nets.net, x, way), labels), recipe.gamma)
            for way in (u, expected)
        ]
    advantage = tensor(rewards[0] - rewards[1])
    return F.policy_loss(
        chances, tensor(u), advantage, tensor(nets.mask), recipe.entropy_weight
    )


def joint_loss(
    nets: BlockDropNet,
    x: Tensor,
    labels: Labels,
    recipe: Recipe,
    rng: np.random.Generator,
) -> Tensor:
    """Cross-entropy under decisions that are drawn, plus the policy's loss; a scalar.

    The reward to beat is that of a second pass without gradient, with the likelier
    decisions; batch norms see both passes.
    """
    q = nets.policy(x)
    chances = bounded(q, recipe.bound)
    u, expected = drawn(chances, rng), nets.decide(q)
    logits = gated(nets.net, x, u)
    with no_grad():
        baseline = gated(nets.net, x, expected)
    rewards = [
        reward(way, is_right(found, labels), recipe.joint_gamma)
        for way, found in ((u, logits), (expected, baseline))
    ]
    advantage = tensor(rewards[0] - rewards[1])
    score = F.policy_loss(chances, tensor(u), advantage)
    return F.cross_entropy(logits, tensor(labels)) + score


def build(
    config: TrainingConfig, recipe: Recipe, nets: BlockDropNet, seed: int
) -> BlockDropTraining:
    """Give a BlockDropNet its optimizers, its examples and its recipe."""
    stats = statistics_of(config)

    def rate(epoch: int) -> float:
        alone = recipe.phase(epoch) == "pretraining"
        return config.rate(epoch) if alone else recipe.rate(epoch)

    return BlockDropTraining(
        model=nets,
        nets=nets,
        optimizer=optimizer_of(config, nets),
        streams=Streams(seed),
        examples=examples_of(config),
        batch_size=config.batch_size,
        seed=seed,
        as_input=lambda images: augment.normalise(images, *stats),
        augment=augmentation(config, ARMS["baseline"], stats),
        rate=rate,
        recipe=recipe,
        config=config,
    )


def optimizer_of(config: TrainingConfig, nets: BlockDropNet) -> PhasedOptimizer:
    """Give SGD to the ResNet alone, Adam to the policy, and another Adam to both."""
    return PhasedOptimizer(
        {
            "pretraining": optim.SGD(
                nets.net.parameters(),
                lr=config.rate(0),
                momentum=config.momentum,
                weight_decay=config.weight_decay,
            ),
            "policy": optim.Adam(nets.policy.parameters()),
            "joint": optim.Adam(nets.parameters()),
        }
    )

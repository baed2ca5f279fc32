"""Training with gradients that are estimated from losses, or sent by an adapter.

All arms take the same minibatches, step by step. An epoch is so many losses: each step
of an arm takes as many as its estimator does, so that after equal epochs equal numbers
of losses were computed. Adapters, whose steps are cheap, end an epoch early.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad import nn, optim
from minigrad.random import Streams, generator
from models.experiments.data import examples_of
from models.experiments.loop import NoProbe, Training, as_rows
from models.experiments.pool import Hooks, Stopped
from models.gradient_adapter.estimators import (
    Floats,
    Gains,
    node_perturbation,
    spsa,
    weight_differences,
)
from models.gradient_adapter.stochastic_batch import WITH_BACKWARD, Batch
from models.networks.mlp import mlp

CLASSES = 10


@dataclass(frozen=True)
class StochasticConfig:
    """One scale of the experiment.

    Attributes:
        dataset: "mnist" or "digits".
        epochs: so many.
        losses: of a minibatch, that an epoch computes.
        most_steps: an epoch of an adapter has no more than these.
        points: pairs of losses that the slope of the smoothed loss is estimated from.
        hidden: widths of the hidden layers.
        widths: of the two hidden layers of three networks whose cost is measured.
        patience: None: no arm ends before its last epoch.
        max_examples, max_test: take only so many images, the first; None for all.
        validation_share: of the training images, their end.
        image_size: height and width that images are resampled to.
        batch_size: examples per step.
        learning_rate: of Adam, for adapters and weight differences.
        perturbation_rate: of Adam, for SPSA and node perturbation.
        gain: a of Spall's gains.
        step: by which weights are perturbed.
        node_noise: standard deviation of the noise on nets.
    """

    dataset: str
    epochs: int
    losses: int
    most_steps: int
    points: int
    hidden: tuple[int, ...] = (16, 16)
    widths: tuple[int, int, int] = (8, 16, 32)
    patience: int | None = None
    max_examples: int | None = None
    max_test: int | None = None
    validation_share: float = 1 / 6
    image_size: int = 8
    batch_size: int = 100
    learning_rate: float = 3e-2
    perturbation_rate: float = 3e-3
    gain: float = 0.3
    step: float = 0.1
    node_noise: float = 0.4


# -- arms ------------------------------------------------------------------------------

Estimate = Callable[[Batch, StochasticConfig, float, np.random.Generator], Floats]
"""(batch, configuration, step by which weights are perturbed, rng) -> gradient (N,)."""


def _backward(batch: Batch, config: Any, step: float, rng: Any) -> Floats:
    return batch.backward()


def _differences(batch: Batch, config: Any, step: float, rng: Any) -> Floats:
    return weight_differences(batch.loss, batch.theta, step)


def _spsa(batch: Batch, config: Any, step: float, rng: Any) -> Floats:
    return spsa(batch.loss, batch.theta, step, rng)


def _node(batch: Batch, config: StochasticConfig, step: float, rng: Any) -> Floats:
    found = node_perturbation(batch.run, batch.widths, config.node_noise, rng)
    return np.concatenate([piece.ravel() for layer in found for piece in layer])


@dataclass(frozen=True)
class Arm:
    """One way to get a gradient.

    Attributes:
        label: how tables call it.
        estimate: gives it.
        losses: number of parameters -> losses that it takes.
        adapter: of the signs.
        perturbs: whether all weights or nets are perturbed at once.
        gains: whether steps are gradient descent with Spall's gains, not Adam's.
    """

    label: str
    estimate: Estimate
    losses: Callable[[int], int]
    adapter: str = "tanh"
    perturbs: bool = False
    gains: bool = False


def _adapter(label: str, adapter: str) -> Arm:
    return Arm(label, _backward, lambda count: WITH_BACKWARD, adapter)


ARMS: Mapping[str, Arm] = {
    "ste": _adapter("STE", "identity"),
    "sste": _adapter("SSTE", "hardtanh"),
    "bpga": _adapter("BPGA tanh", "tanh"),
    "differences": Arm("weight differences", _differences, lambda count: 2 * count),
    "spsa": Arm("SPSA", _spsa, lambda count: 2, perturbs=True),
    "spsa_gains": Arm(
        "SPSA, Spall's gains", _spsa, lambda count: 2, perturbs=True, gains=True
    ),
    "node": Arm("node perturbation", _node, lambda count: 2, perturbs=True),
}


def network(
    config: StochasticConfig, adapter: str, seed: int, hidden: tuple[int, ...] = ()
) -> nn.Sequential:
    """Build the network of signs in float64, untrained.

    In float64 the difference of two losses is exact enough for steps of any size.
    hidden: other widths than those of the configuration.
    """
    return mlp(
        config.image_size**2,
        hidden or config.hidden,
        CLASSES,
        activation=lambda: nn.Sign(adapter),
        streams=Streams(seed),
        seed=seed,
    ).to("float64")


def as_doubles(images: Any) -> Any:
    """Images (N, C, H, W) uint8 as rows (N, C*H*W) in [0, 1], float64."""
    return as_rows(images).astype("float64")


def steps_of(config: StochasticConfig, arm: str, count: int) -> int:
    """Steps per epoch of an arm whose network has count parameters, at least 1."""
    made = ARMS[arm]
    steps = max(1, config.losses // made.losses(count))
    return min(steps, config.most_steps) if made.estimate is _backward else steps


def common_steps(config: StochasticConfig, count: int) -> int:
    """Steps that all arms take: as many as weight differences do in all epochs."""
    return config.epochs * steps_of(config, "differences", count)


# -- training --------------------------------------------------------------------------


class Progress(NoProbe):
    """Notes of an epoch: "steps", "losses" and the "curve", [step, accuracy] pairs."""

    def __init__(self) -> None:
        self.notes: dict[str, Any] = {"steps": 0, "losses": 0, "curve": []}

    def finish_epoch(self) -> dict[str, Any]:
        """Return the notes."""
        return self.notes


@dataclass(kw_only=True)
class EstimatedTraining(Training):
    """A network in training with the gradients of an arm.

    Batches and perturbations of an epoch come from seed and epoch alone.

    Attributes:
        config: of the experiment.
        arm: name in ARMS.
        steps: per epoch.
        common: step after which all arms are compared.
    """

    config: StochasticConfig
    arm: str
    steps: int
    common: int

    def _train(self, epoch: int, hooks: Hooks) -> float:
        """Return the mean of all losses that the epoch computed, in nats."""
        self.model.train()
        self.probe = progress = Progress()
        notes, total = progress.notes, 0.0
        images, labels = self.examples.train
        x = self.as_input(images)
        order = generator(self.seed, "minibatches", epoch)
        rng = generator(self.seed, "perturbations", epoch)
        for number in range(epoch * self.steps + 1, (epoch + 1) * self.steps + 1):
            if hooks.stopped():
                raise Stopped
            chosen = order.integers(len(labels), size=self.batch_size)
            batch = Batch(self.model, x[chosen], labels[chosen])
            self._step(batch, number, rng)
            notes["steps"] += 1
            notes["losses"] += batch.losses
            total += batch.mean_loss * batch.losses
            if number == self.common or is_noted(number):
                accuracy = self.accuracy(self.examples.test)
                notes["curve"].append([number, accuracy])
        return total / notes["losses"]

    def _step(self, batch: Batch, number: int, rng: np.random.Generator) -> None:
        made, step = ARMS[self.arm], self.config.step
        if made.gains:
            gains = self.gains()
            step = gains.step_at(number)
            self.optimizer.param_groups[0]["lr"] = gains.rate_at(number)
        batch.set_gradient(made.estimate(batch, self.config, step, rng))
        self.optimizer.step()

    def gains(self) -> Gains:
        """Spall's, for all steps of this training."""
        config = self.config
        return Gains(config.gain, config.step, config.epochs * self.steps / 10)


def is_noted(number: int) -> bool:
    """Whether the accuracy after a step is noted: 1, 2, 5, 10, 20, 50, ...

    >>> [number for number in range(1, 300) if is_noted(number)]
    [1, 2, 5, 10, 20, 50, 100, 200]
    """
    return str(number).rstrip("0") in ("1", "2", "5")


def build(config: StochasticConfig, arm: str, seed: int) -> EstimatedTraining:
    """Build the network of an arm and its optimiser; all start from equal weights."""
    made = ARMS[arm]
    model = network(config, made.adapter, seed)
    parameters = list(model.parameters())
    count = sum(part.size for part in parameters)
    rate = config.perturbation_rate if made.perturbs else config.learning_rate
    return EstimatedTraining(
        model=model,
        optimizer=(
            optim.SGD(parameters, lr=config.gain)
            if made.gains
            else optim.Adam(parameters, lr=rate)
        ),
        streams=Streams(seed),
        examples=examples_of(config),
        batch_size=config.batch_size,
        seed=seed,
        as_input=as_doubles,
        config=config,
        arm=arm,
        steps=steps_of(config, arm, count),
        common=common_steps(config, count),
    )

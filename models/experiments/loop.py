"""Training a classifier epoch by epoch, so that it can stop anywhere and go on."""

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import datasets
from datasets import Transform
from minigrad import functional as F
from minigrad import nn, no_grad, optim, tensor
from minigrad.errors import ArgumentError
from minigrad.optim.lr_scheduler import ReduceLROnPlateau
from minigrad.random import Streams
from models.experiments import checkpoint
from models.experiments.data import Examples, Part
from models.experiments.errors import RunError
from models.experiments.metrics import is_over
from models.experiments.pool import Hooks, Job, Stopped
from models.experiments.progress import EpochDone

EVALUATION_BATCH = 1000


def as_rows(images: Any) -> Any:
    """Images (N, C, H, W) uint8 as rows (N, C*H*W) in [0, 1]."""
    return datasets.as_float(datasets.flat(images))


class Probe(Protocol):
    """Measures gradients while a network trains."""

    def watch(self, iteration: int) -> AbstractContextManager[None]:
        """Surround the backward pass of an iteration, counted from 0 in its epoch."""
        ...

    def finish_epoch(self) -> dict[str, Any]:
        """Return the epoch's measures, by name, and start over."""
        ...


class NoProbe:
    """Measures nothing."""

    def watch(self, iteration: int) -> AbstractContextManager[None]:
        """Leave the backward pass alone."""
        return nullcontext()

    def finish_epoch(self) -> dict[str, Any]:
        """Return no measures."""
        return {}


@dataclass
class Training:
    """A network in training.

    All randomness comes from seed and streams: the order of epoch e is that of
    datasets.batches(seed=seed, epoch=e), masks come from streams.

    Attributes:
        as_input: images (N, C, H, W) uint8 -> what the model is given.
        augment: transforms training images; see datasets.Loader.
        rate: epoch, counted from 0, -> learning rate; None: the optimiser's own.
        scheduler: judges the validation accuracy of each epoch, and lowers the rate; in
            place of rate, which would set it anew.

    Raises ArgumentError if both are given.
    """

    model: nn.Module
    optimizer: optim.Optimizer
    streams: Streams
    examples: Examples
    batch_size: int
    seed: int
    probe: Probe = field(default_factory=NoProbe)
    as_input: Callable[[Any], Any] = as_rows
    augment: Transform | None = None
    rate: Callable[[int], float] | None = None
    scheduler: ReduceLROnPlateau | None = None

    def __post_init__(self) -> None:
        if self.rate is not None and self.scheduler is not None:
            raise ArgumentError(
                "Training: rate and scheduler are given, expected one of them, as both "
                "set the learning rate"
            )

    @property
    def saved(self) -> nn.Module:
        """What checkpoints hold the parameters and buffers of."""
        return self.model

    def run_epoch(self, epoch: int, hooks: Hooks) -> dict[str, Any]:
        """Train one epoch, counted from 0, and return its record; see metrics.

        Seconds are those of the processor, which do not depend on what runs beside.
        """
        started = time.process_time()
        train_loss = self._train(epoch, hooks)
        record: dict[str, Any] = {"train_loss": train_loss}
        if math.isfinite(train_loss):
            record |= self.probe.finish_epoch()
            record |= self.measure("validation", self.examples.validation)
            record |= self.measure("test", self.examples.test)
            if self.scheduler is not None:
                self.scheduler.step(record["validation_accuracy"])
        return record | {"seconds": time.process_time() - started}

    def _train(self, epoch: int, hooks: Hooks) -> float:
        """Return the mean over examples of the loss in nats, each before its step."""
        part, total = self.training_part(epoch), 0.0
        self.model.train()
        if self.rate is not None:
            self.optimizer.param_groups[0]["lr"] = self.rate(epoch)
        # No thread ahead: a training has one.
        loader = datasets.Loader(
            part, self.batch_size, seed=self.seed, transform=self.augment, ahead=0
        )
        for iteration, (images, labels) in enumerate(loader.epoch(epoch)):
            if hooks.stopped():
                raise Stopped
            loss = self.loss(images, labels)
            self.optimizer.zero_grad()
            with self.probe.watch(iteration):
                loss.backward()
            self.optimizer.step()
            total += loss.item() * len(labels)
        return total / len(part.labels)

    def training_part(self, epoch: int) -> Part:
        """Return the examples of an epoch, which is about to begin."""
        return self.examples.train

    def loss(self, images: Any, labels: Any) -> Any:
        """Mean cross-entropy of a batch, a scalar tensor in nats."""
        return F.cross_entropy(self.outputs(images), tensor(labels))

    def outputs(self, images: Any) -> Any:
        """Logits (N, K) of images (N, C, H, W) uint8."""
        return self.model(tensor(self.as_input(images)))

    def measure(self, name: str, part: Part) -> dict[str, Any]:
        """Measure the network on a part: what the record of an epoch says of it."""
        return {f"{name}_accuracy": self.accuracy(part)}

    def accuracy(self, part: Part, *, training: bool = False) -> float:
        """Percentage of examples whose largest output is the label's.

        The model is in evaluation mode, so dropout is off, unless training asks.
        """
        self.model.train(training)
        correct = 0
        with no_grad():
            for start in range(0, len(part.labels), EVALUATION_BATCH):
                window = slice(start, start + EVALUATION_BATCH)
                outputs = self.outputs(part.images[window]).numpy()
                correct += int((outputs.argmax(1) == part.labels[window]).sum())
        return 100 * correct / len(part.labels)


def fit(training: Training, job: Job, hooks: Hooks) -> list[dict[str, Any]]:
    """Train until the configuration says stop, from the checkpoint if there is one.

    Every epoch ends in a checkpoint, so that a killed run loses less than an epoch, and
    goes on to the same numbers. Raises RunError if the loss is no longer finite.
    """
    history = checkpoint.load(training, job)
    if history:
        hooks.report(_event(job, history, resumed=True))
    while not is_over(history, job.config.epochs, job.config.patience):
        record = training.run_epoch(len(history), hooks)
        history.append(record)
        _expect_finite(record["train_loss"], job, len(history))
        checkpoint.save(training, job, history)
        hooks.report(_event(job, history))
    return history


def _event(
    job: Job, history: list[dict[str, Any]], *, resumed: bool = False
) -> EpochDone:
    return EpochDone(
        arm=job.arm,
        seed=job.seed,
        epoch=len(history),
        epochs=job.config.epochs,
        train_loss=history[-1]["train_loss"],
        validation_accuracy=history[-1]["validation_accuracy"],
        resumed=resumed,
    )


def _expect_finite(loss: float, job: Job, epoch: int) -> None:
    if not math.isfinite(loss):
        raise RunError(
            f"{job.experiment}: the training loss of {job.arm}, seed {job.seed}, "
            f"became {loss} in epoch {epoch}; try a smaller learning_rate than "
            f"{job.config.learning_rate:g}, or find the first term that is not finite "
            "with minigrad.inspect.gradient_flow"
        )

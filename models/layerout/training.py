"""Training in which LayerOut freezes layers, and which says what that saved."""

import math
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import augment
from minigrad import nn, optim, tensor
from minigrad.errors import NonFiniteError
from minigrad.inspect import backward_cost
from minigrad.nn.freezing import LayerOut
from minigrad.random import Streams
from models.experiments import checkpoint
from models.experiments.errors import RunError
from models.experiments.experiment import Explanation
from models.experiments.loop import NoProbe, Training
from models.experiments.pool import Hooks, Job
from models.experiments.trained import (
    Build,
    Measure,
    record_flow,
    train_and_measure,
)
from models.layerout.arms import Arm
from models.layerout.common import (
    TrainingConfig,
    augmentation,
    examples_of,
    statistics_of,
)
from models.layerout.measures import savings

COUNTED = 2
"""Images of the pass that is counted; shares do not depend on how many."""


class BackwardClock(NoProbe):
    """Sums the seconds of the processor that backward passes take.

    On a device these are those of the calls alone: seconds are measured on NumPy.
    """

    def __init__(self) -> None:
        """Start from 0."""
        self.seconds = 0.0

    @contextmanager
    def watch(self, iteration: int) -> Generator[None]:
        """Surround the backward pass of an iteration."""
        started = time.process_time()
        yield
        self.seconds += time.process_time() - started

    def finish_epoch(self) -> dict[str, Any]:
        """Return the epoch's seconds, and start over."""
        seconds, self.seconds = self.seconds, 0.0
        return {"backward_seconds": seconds}


@dataclass
class FreezingTraining(Training):
    """A training in which LayerOut freezes layers.

    Attributes:
        layer_out: what freezes; None for a baseline.
    """

    layer_out: LayerOut | None = None

    def run_epoch(self, epoch: int, hooks: Hooks) -> dict[str, Any]:
        """Train one epoch; say beside its record what was frozen, and what stood still.

        "active": whether the warm-up is over; "frozen": places of the units that were
        frozen. Then, in percent, "frozen_share": their part of the parameters;
        "expected_share": what that is on average; "unchanged_share": the part that is
        the same, bit for bit, as before; "saved_share": the part of backward's
        multiply-adds that were not computed.
        """
        before = [parameter.data.copy() for parameter in self.model.parameters()]
        with self._freezing(epoch) as frozen:
            saved = self._saved_share() if any(frozen) else 0.0
            record = super().run_epoch(epoch, hooks)
        places = [place for place, is_frozen in enumerate(frozen) if is_frozen]
        if not math.isfinite(record["train_loss"]) and places:
            raise NonFiniteError(self._diverged(record["train_loss"], epoch, places))
        freeze = self.layer_out
        return record | {
            "active": freeze is None or epoch >= freeze.warm_up,
            "frozen": places,
            "frozen_share": 100 * freeze.frozen_share(epoch) if freeze else 0.0,
            "expected_share": 100 * freeze.expected_share(epoch) if freeze else 0.0,
            "unchanged_share": 100 * self._unchanged(before),
            "saved_share": 100 * saved,
        }

    def _freezing(self, epoch: int) -> AbstractContextManager[tuple[bool, ...]]:
        if self.layer_out is None:
            return nullcontext(())
        return self.layer_out.epoch(epoch, self.optimizer)

    def _saved_share(self) -> float:
        images = self.examples.train.images[:COUNTED]
        self.model.train()
        return backward_cost(self.model, tensor(self.as_input(images))).saved_share

    def _unchanged(self, before: list[Any]) -> float:
        parameters = list(self.model.parameters())
        still = sum(
            parameter.size
            for parameter, old in zip(parameters, before, strict=True)
            if bool((parameter.data == old).all())
        )
        return still / sum(parameter.size for parameter in parameters)

    def _diverged(self, loss: float, epoch: int, places: list[int]) -> str:
        assert self.layer_out is not None
        names = ", ".join(self.layer_out.units[place].name for place in places)
        return (
            f"the training loss became {loss} in epoch {epoch + 1}, in which {names} "
            "were frozen; try smaller rates, or find the first term that is not finite "
            "with minigrad.inspect.gradient_flow"
        )


def build(
    config: TrainingConfig,
    arm: Arm,
    seed: int,
    model: nn.Module,
    streams: Streams | None = None,
) -> FreezingTraining:
    """Give a network its optimiser, its examples and what freezes its layers.

    streams: those that the model draws from, if it does.
    """
    stats = statistics_of(config)
    optimizer = optim.SGD(
        model.parameters(),
        lr=config.rate(0),
        momentum=config.momentum,
        weight_decay=config.weight_decay,
    )
    return FreezingTraining(
        model=model,
        optimizer=optimizer,
        streams=streams or Streams(seed),
        examples=examples_of(config),
        batch_size=config.batch_size,
        seed=seed,
        probe=BackwardClock(),
        as_input=lambda images: augment.normalise(images, *stats),
        augment=augmentation(config, arm, stats),
        rate=config.rate,
        layer_out=arm.layer_out(model, config.warm_up, seed),
    )


def train(
    job: Job, hooks: Hooks, build: Build, measure: Measure | None = None
) -> dict[str, Any]:
    """Train a network; add to its metrics what freezing saved."""
    try:
        result = train_and_measure(job, hooks, build, measure)
    except NonFiniteError as error:
        who = f"{job.experiment}: {job.arm}, seed {job.seed}"
        raise RunError(f"{who}: {error}") from None
    official = examples_of(job.config).official
    return {**result, **savings(result["history"]), "official_files": official}


def explain(training: FreezingTraining, path: Path, arm: str) -> Explanation:
    """Look at the gradient of a trained network with the layers frozen of an epoch."""
    checkpoint.restore(training, path)
    layer_out = training.layer_out
    assert layer_out is not None
    number = _telling_epoch(layer_out)
    with layer_out.epoch(number) as frozen:
        flow = record_flow(training, training.batch_size)
        images = training.examples.train.images[: training.batch_size]
        cost = backward_cost(training.model, tensor(training.as_input(images)))
    names = [
        unit.name
        for unit, is_frozen in zip(layer_out.units, frozen, strict=True)
        if is_frozen
    ]
    title = f"Gradient flow of the trained network, {arm}, epoch {number + 1}"
    return Explanation(
        f"{title}\n\n{flow}\n\n{cost}",
        f"In epoch {number + 1} {_listed(names)} frozen: {100 * cost.frozen_share:.0f} "
        f"% of the parameters, and {100 * cost.saved_share:.0f} % of backward's "
        "multiply-adds are saved, while the gradient still flows through to the layers "
        "before that are not frozen.",
        flow,
    )


def _telling_epoch(layer_out: LayerOut) -> int:
    """Return an epoch in which a layer is frozen behind one that is not, if any."""
    epochs = range(layer_out.warm_up, layer_out.warm_up + 100)
    for epoch in epochs:
        frozen = layer_out.frozen(epoch)
        if any(frozen[frozen.index(False) :]):
            return epoch
    return epochs[0]


def _listed(names: list[str]) -> str:
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"

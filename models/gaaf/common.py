"""What the experiments of the GAAF paper share: the networks and how they train.

| paper | here |
| --- | --- |
| Layer1, Layer2, Layer3 | layer1, layer2, layer3: the hidden layers |
| phi, g, s | the terms of nn.GAAF: phi(x) + g(x) s(x) |
| K = 10,000 | frequency: 1 / period of the sawtooth g |
| c in s(x) = exp(-x^2 / c) | shape_scale |
| p | drop_prob, the probability to drop |
| G_k, eq. 5 | gradient_batch: mean abs dE/dW of the batch's mean loss E |
| G_k, eq. 5 | gradient_sample: mean over examples n of mean abs dE_n/dW |
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from minigrad import nn, optim
from minigrad.backend import array_module, use_backend
from minigrad.inspect import Flow, gradient_flow
from minigrad.kernels.gaaf import gaussian
from minigrad.random import Streams
from models.experiments import checkpoint
from models.experiments.data import Examples, load_examples
from models.experiments.experiment import Explanation
from models.experiments.loop import Training, accuracy, fit
from models.experiments.metrics import averages, summarize
from models.experiments.pool import Hooks, Job
from models.networks.mlp import mlp

PAPER = (
    "Hahn & Choi, Gradient Acceleration in Activation Functions, 2018, arXiv:1806.09783"
)
ARMS = ("base", "dropout", "gaaf")
LABELS: Mapping[str, str] = {"base": "base", "dropout": "+dropout", "gaaf": "+GAAF"}
LAYERS = ("layer1", "layer2", "layer3")
CLASSES = 10
LEGEND = """\
share: part of the total; terms sum to 1. cancel: part of the terms' norms that is lost
as they add up. dead %: elements that are exactly 0. Net: what a layer hands its
activation, x W + b."""


@dataclass(frozen=True)
class GaafConfig:
    """One scale of the MNIST experiments; what the paper leaves open is a default.

    Attributes:
        dataset: "mnist" or "digits".
        hidden: widths of layer1, layer2, layer3.
        epochs: at most so many.
        patience: stop when the best validation epoch is so long ago; None: never.
        max_examples: train on the first so many images; None for all.
        validation_share: share of the training images, their end, that decides which
            epoch is reported; 1/12 is the last 5,000 of MNIST. The paper names none.
        image_size: height and width that images are resampled to.
        batch_size: stated for Table 3.
        learning_rate: of SGD without momentum. The paper names neither; this gives
            the base rows of Tables 1 and 2 in order of magnitude, Adam does not.
        drop_prob: of the outputs of the hidden layers; "usually" 0.5, says the paper.
        frequency, shape_scale: K and c of GAAF. c is read off Fig. 5.
        sample_every: measure gradient_sample at every so many iterations; 0: never.
        control_epoch: where networks are compared after equally many steps.
    """

    dataset: str
    hidden: tuple[int, int, int]
    epochs: int
    patience: int | None = None
    max_examples: int | None = None
    validation_share: float = 1 / 12
    image_size: int = 28
    batch_size: int = 128
    learning_rate: float = 0.1
    drop_prob: float = 0.5
    frequency: float = 10_000.0
    shape_scale: float = 3.0
    sample_every: int = 0
    control_epoch: int = 20


def examples_of(config: GaafConfig) -> Examples:
    """Load the data set of a configuration."""
    return load_examples(
        config.dataset,
        config.image_size,
        config.validation_share,
        config.max_examples,
    )


def prepare(config: GaafConfig) -> None:
    """Raise DataError if the data set is not there."""
    examples_of(config)


def build(config: GaafConfig, arm: str, seed: int) -> Training:
    """Build the network of an arm, its optimiser and its probe, all untrained."""
    streams = Streams(seed)

    def activation() -> nn.Module:
        if arm != "gaaf":
            return nn.Tanh()
        return nn.GAAF("tanh", gaussian(config.shape_scale), config.frequency)

    model = mlp(
        config.image_size**2,
        config.hidden,
        CLASSES,
        activation=activation,
        drop_prob=config.drop_prob if arm == "dropout" else 0.0,
        streams=streams,
        seed=seed,
    )
    return Training(
        model=model,
        optimizer=optim.SGD(model.parameters(), lr=config.learning_rate),
        streams=streams,
        examples=examples_of(config),
        batch_size=config.batch_size,
        seed=seed,
        probe=GradientProbe(model, config.sample_every),
    )


class GradientProbe:
    """Measures G_k, the mean absolute gradient of each hidden layer's weights."""

    def __init__(self, model: nn.Sequential, sample_every: int) -> None:
        """Measure gradient_batch in each iteration, gradient_sample in some."""
        self._model = model
        self._weights = {layer: getattr(model, layer).weight for layer in LAYERS}
        self._sample_every = sample_every
        self._start_over()

    def _start_over(self) -> None:
        self._batch: dict[str, list[Any]] = {layer: [] for layer in LAYERS}
        self._sample: dict[str, list[float]] = {layer: [] for layer in LAYERS}

    @contextmanager
    def watch(self, iteration: int) -> Generator[None]:
        """Surround a backward pass."""
        if self._sample_every and iteration % self._sample_every == 0:
            with gradient_flow(self._model) as flow:
                yield
            self._see_samples(flow)
        else:
            yield
        for layer, weight in self._weights.items():
            xp = array_module(weight.data)
            self._batch[layer].append(xp.mean(xp.abs(weight.grad.data)))

    def _see_samples(self, flow: Flow) -> None:
        information = flow.gradient_information()
        for layer, values in self._sample.items():
            value = information[f"{layer}.weight"].sample
            assert value is not None  # Each layer is dense and used once.
            values.append(value)

    def finish_epoch(self) -> dict[str, Any]:
        """Return {measure: {layer: mean over the epoch's iterations}}."""
        measured = {"gradient_batch": self._batch, "gradient_sample": self._sample}
        means = {
            name: {
                layer: sum(map(float, values)) / len(values)
                for layer, values in by_layer.items()
                if values
            }
            for name, by_layer in measured.items()
        }
        self._start_over()
        return means


def train(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Train the network of a job and return its metrics and its history."""
    config: GaafConfig = job.config
    # What overflows is seen in the loss, where it raises an error that says more.
    with use_backend(job.backend), numpy.errstate(all="ignore"):
        training = build(config, job.arm, job.seed)
        history = fit(training, job, hooks)
        # nn.GAAF leaves g out of the value in evaluation; in training it is there.
        sawtooth = accuracy(training.model, training.examples.test, training=True)
    control_epoch = min(config.control_epoch, len(history))
    return {
        "config_hash": job.config_hash,
        **summarize(history),
        **({"sawtooth_test_accuracy": sawtooth} if job.arm == "gaaf" else {}),
        "gradient_batch": averages(history, "gradient_batch"),
        "gradient_sample": averages(history, "gradient_sample"),
        "control_epoch": control_epoch,
        "gradient_batch_control": history[control_epoch - 1]["gradient_batch"],
        "history": history,
    }


def explain(config: GaafConfig, checkpoints: Mapping[str, Path]) -> Explanation:
    """Show where the gradient of the trained GAAF network of seed 0 comes from."""
    training = build(config, "gaaf", 0)
    checkpoint.restore(training, checkpoints["gaaf"])
    images, labels = training.examples.train
    training.model.train()
    size = config.batch_size
    with gradient_flow(training.model) as flow:
        training.loss(images[:size], labels[:size]).backward()
    shares = [_share_of_acceleration(flow, number) for number in (1, 2, 3)]
    listed = ", ".join(f"{100 * share:.0f} %" for share in shares)
    nets = [flow.into(f"layer{number}/linear#1").table() for number in (1, 2, 3)]
    return Explanation(
        "\n\n".join(
            ["Gradient flow of the trained GAAF network", str(flow), *nets, LEGEND]
        ),
        f"The acceleration term, s(x), supplies {listed} of the gradient that reaches "
        "the nets of layer1, layer2, layer3; the rest is tanh's own derivative.",
        flow,
    )


def _share_of_acceleration(flow: Flow, number: int) -> float:
    (edge,) = flow.into(f"layer{number}/linear#1").edges
    terms = {term.name: term.measures for term in edge.terms}
    return terms["acceleration"].share or 0.0

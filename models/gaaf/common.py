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

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from minigrad import nn, optim
from minigrad.inspect import Flow
from minigrad.random import Streams
from models.experiments import checkpoint
from models.experiments.config import Preset
from models.experiments.data import examples_of
from models.experiments.experiment import Explanation
from models.experiments.loop import Training
from models.experiments.metrics import averages
from models.experiments.pool import Hooks, Job
from models.experiments.trained import Measure, record_flow, train_and_measure
from models.gaaf.arms import ARMS, activation_of
from models.gaaf.measures.probe import GradientProbe
from models.networks.mlp import mlp

PAPER = (
    "Hahn & Choi, Gradient Acceleration in Activation Functions, 2018, arXiv:1806.09783"
)
RECIPE = "gaaf.mlp"
MAIN = ("base", "dropout", "gaaf")
"""The arms of the paper."""
DECISIVE: Any = {"presets": ("small", "full"), "datasets": ("mnist",)}
"""Where claims about MNIST are decided."""
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
            Also of DropConnect's weights.
        noise_std: of weight noise.
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
    noise_std: float = 0.075
    frequency: float = 10_000.0
    shape_scale: float = 3.0
    sample_every: int = 0
    control_epoch: int = 20


def presets(
    *,
    seeds: int = 3,
    tiny: Mapping[str, Any] | None = None,
    small: Mapping[str, Any] | None = None,
) -> dict[str, Preset]:
    """Presets that experiments share, and with them the networks that they train.

    Args:
        seeds: of preset small.
        tiny: fields of that preset that are other than usual.
        small: likewise.
    """
    hidden = (512, 256, 256)
    configs = {
        "tiny": GaafConfig(
            "digits",
            hidden=(128, 64, 64),
            epochs=40,
            max_examples=1415,
            sample_every=10,
        ),
        "small": GaafConfig("mnist", hidden=hidden, epochs=20, sample_every=422),
        "full": GaafConfig(
            "mnist", hidden=hidden, epochs=250, patience=30, sample_every=422
        ),
    }
    configs["tiny"] = replace(configs["tiny"], **(tiny or {}))
    configs["small"] = replace(configs["small"], **(small or {}))
    return {
        "tiny": Preset(configs["tiny"], 3, "seconds, offline"),
        "small": Preset(configs["small"], seeds, "MNIST, minutes"),
        "full": Preset(configs["full"], 5, "the paper's"),
    }


def prepare(config: GaafConfig) -> None:
    """Raise DataError if the data set is not there."""
    examples_of(config)


def build(config: GaafConfig, arm: str, seed: int) -> Training:
    """Build the network of an arm, its optimiser and its probe, all untrained."""
    streams, made = Streams(seed), ARMS[arm]
    model = mlp(
        config.image_size**2,
        config.hidden,
        CLASSES,
        activation=activation_of(arm, config, streams),
        linear=made.linear(config, streams),
        drop_prob=config.drop_prob * made.dropout,
        streams=streams,
        seed=seed,
    )
    return Training(
        model=model,
        optimizer=_optimizer(model, config.learning_rate, made.rates),
        streams=streams,
        examples=examples_of(config),
        batch_size=config.batch_size,
        seed=seed,
        probe=GradientProbe(model, _hidden_weights(model), config.sample_every),
    )


def _optimizer(
    model: nn.Sequential, rate: float, factors: tuple[float, ...]
) -> optim.SGD:
    if set(factors) == {1}:
        return optim.SGD(model.parameters(), lr=rate)
    groups = [
        {"params": list(getattr(model, name).parameters()), "lr": rate * factor}
        for name, factor in zip((*LAYERS, "output"), factors, strict=True)
    ]
    return optim.SGD(groups, lr=rate)


def _hidden_weights(model: nn.Module) -> dict[str, tuple[str, Any]]:
    """Layer -> name and weight; a noisy layer keeps its weight one level deeper."""
    return {
        layer: (name, weight)
        for layer in LAYERS
        for name, weight in model.named_parameters()
        if name.startswith(f"{layer}.") and weight.ndim == 2
    }


def train(job: Job, hooks: Hooks, measure: Measure | None = None) -> dict[str, Any]:
    """Train the network of a job and return its metrics and its history."""
    result = train_and_measure(job, hooks, build, measure)
    history = result["history"]
    control_epoch = min(job.config.control_epoch, len(history))
    return {
        **result,
        "gradient_batch": averages(history, "gradient_batch"),
        "gradient_sample": averages(history, "gradient_sample"),
        "control_epoch": control_epoch,
        "gradient_batch_control": history[control_epoch - 1]["gradient_batch"],
    }


def restore(config: GaafConfig, arm: str, path: Path) -> Training:
    """Return the trained network of seed 0 whose checkpoint lies at path."""
    training = build(config, arm, 0)
    checkpoint.restore(training, path)
    return training


def explain(config: GaafConfig, checkpoints: Mapping[str, Path]) -> Explanation:
    """Show where the gradient of the trained GAAF network of seed 0 comes from."""
    flow = record_flow(restore(config, "gaaf", checkpoints["gaaf"]), config.batch_size)
    shares = [_share_of_acceleration(flow, number) for number in (1, 2, 3)]
    listed = ", ".join(f"{100 * share:.0f} %" for share in shares)
    return Explanation(
        flow_text("Gradient flow of the trained GAAF network", flow),
        f"The acceleration term, s(x), supplies {listed} of the gradient that reaches "
        "the nets of layer1, layer2, layer3; the rest is tanh's own derivative.",
        flow,
    )


def flow_text(title: str, flow: Flow) -> str:
    """Table of a network's gradients, and the terms of those of the nets."""
    nets = [flow.into(f"layer{number}/linear#1").table() for number in (1, 2, 3)]
    return "\n\n".join([title, str(flow), *nets, LEGEND])


def _share_of_acceleration(flow: Flow, number: int) -> float:
    (edge,) = flow.into(f"layer{number}/linear#1").edges
    terms = {term.name: term.measures for term in edge.terms}
    return terms["acceleration"].share or 0.0

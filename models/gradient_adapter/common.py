"""What the experiments of the gradient-adapter paper (BPGA) share.

| paper | here |
| --- | --- |
| I, Htanh, tanh | adapters "identity", "hardtanh", "tanh" of nn.Sign |
| STE, SSTE, BPGA with tanh | nn.Sign with these three |
| 784-500-500-10 | hidden, and the images' size |
| MSE-HLO | minigrad.inspect.mse_hlo |

The paper gives Adam's rate, the weight decay and the epochs. It leaves open the weights
at the start (here Glorot uniform, which it may mean by "normalized"), the size of
batches (100, as in the paper on DTP), and what the weight decay acts on: here on
weights, not on biases, and by way of the gradient, as in the code of FTP.
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
from models.experiments.trained import record_flow
from models.gradient_adapter.arms import ARMS
from models.networks.mlp import mlp

PAPER = (
    "Li, Ni, Sheng & Zhao, Gradient Adapter for Hard-Threshold Deep Neural Networks, "
    "2019"
)
DECISIVE: Any = {"presets": ("small", "full"), "datasets": ("mnist",)}
"""Where claims about MNIST are decided."""
CLASSES = 10
LEGEND = """\
share: part of the total; terms sum to 1. gain: the norm after the sign's backward over
that before it. dead %: elements that are exactly 0. Net: what a layer hands its
activation, x W + b."""


@dataclass(frozen=True)
class MnistConfig:
    """One scale of an MNIST experiment, but for its hidden layers.

    Attributes:
        dataset: "mnist" or "digits".
        epochs: so many.
        patience: stop when the best validation epoch is so long ago; None: never.
        max_examples: train on the first so many images; None for all.
        validation_share: share of the training images, their end, that accuracy is
            reported on beside the test set's; the paper names none.
        image_size: height and width that images are resampled to.
        batch_size: examples per step.
        learning_rate: of Adam.
        weight_decay: of the weights; biases have none.
    """

    dataset: str
    epochs: int
    patience: int | None = None
    max_examples: int | None = None
    validation_share: float = 1 / 12
    image_size: int = 28
    batch_size: int = 100
    learning_rate: float = 2.5e-4
    weight_decay: float = 5e-4


@dataclass(frozen=True, kw_only=True)
class MlpConfig(MnistConfig):
    """One scale of an MNIST experiment.

    Attributes:
        hidden: widths of the hidden layers.
    """

    hidden: tuple[int, ...] = (500, 500)


def presets(
    *,
    seeds: int = 3,
    tiny: Mapping[str, Any] | None = None,
    small: Mapping[str, Any] | None = None,
    full: Mapping[str, Any] | None = None,
) -> dict[str, Preset]:
    """Presets of the MNIST experiments; each takes fields that are other than usual."""
    configs = {
        "tiny": MlpConfig(
            "digits",
            epochs=12,
            hidden=(64, 64),
            max_examples=1415,
            batch_size=32,
            learning_rate=1e-3,
        ),
        "small": MlpConfig("mnist", epochs=12),
        "full": MlpConfig("mnist", epochs=200),
    }
    changes = {"tiny": tiny, "small": small, "full": full}
    made = {name: replace(configs[name], **(changes[name] or {})) for name in configs}
    return {
        "tiny": Preset(made["tiny"], 3, "seconds, offline"),
        "small": Preset(made["small"], seeds, "MNIST, minutes"),
        "full": Preset(made["full"], 5, "the paper's"),
    }


def prepare(config: Any) -> None:
    """Raise DataError if the data set is not there."""
    examples_of(config)


def build(config: Any, arm: str, seed: int) -> Training:
    """Build the network of an arm and its optimiser, untrained.

    All arms start from the same weights.
    """
    streams = Streams(seed)
    activations = iter(ARMS[arm].activations(len(config.hidden)))
    model = mlp(
        config.image_size**2,
        config.hidden,
        CLASSES,
        activation=lambda: next(activations),
        streams=streams,
        seed=seed,
    )
    return Training(
        model=model,
        optimizer=optimizer_of(model, config.learning_rate, config.weight_decay),
        streams=streams,
        examples=examples_of(config),
        batch_size=config.batch_size,
        seed=seed,
    )


def optimizer_of(model: nn.Module, rate: float, weight_decay: float) -> optim.Adam:
    """Give Adam, with weight decay in the gradient of what has more than one axis."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim == 1]},
    ]
    return optim.Adam(groups, lr=rate)


def restore(config: Any, arm: str, path: Path) -> Training:
    """Return the trained network of seed 0 whose checkpoint lies at path."""
    training = build(config, arm, 0)
    checkpoint.restore(training, path)
    return training


def explain(
    config: Any, checkpoints: Mapping[str, Path], arms: tuple[str, ...]
) -> Explanation:
    """Compare what the signs of trained networks let through, from above to below.

    The flow that is kept whole is that of the last arm, of seed 0.
    """
    texts, sentences = [], []
    flow: Flow | None = None
    for arm in arms:
        training = restore(config, arm, checkpoints[arm])
        flow = record_flow(training, config.batch_size)
        label = ARMS[arm].label
        texts.append(flow_text(f"Gradient flow of the trained network, {label}", flow))
        listed = ", ".join(f"{100 * gain:.0f} %" for gain in gains(flow))
        sentences.append(f"{label}: {listed}")
    assert flow is not None
    return Explanation(
        "\n\n".join(texts),
        "Of the gradient's norm the hidden activations let through, from the last to "
        f"the first: {'; '.join(sentences)}.",
        flow,
    )


def gains(flow: Flow) -> list[float]:
    """Norm below over norm above each hidden activation, from the last to the first."""
    edges = [flow.into(name).edges for name in reversed(_nets(flow))]
    return [edge.measures.gain or 0.0 for (edge,) in edges]


def _nets(flow: Flow) -> list[str]:
    """Names of the hidden layers' nets, in forward order."""
    return [
        name
        for name in flow.targets
        if name.startswith("layer") and name.endswith("/linear#1")
    ]


def flow_text(title: str, flow: Flow) -> str:
    """Table of a network's gradients, and the terms of those of the nets."""
    nets = [flow.into(name).table() for name in _nets(flow)]
    return "\n\n".join([title, str(flow), *nets, LEGEND])

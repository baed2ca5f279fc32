"""What the MNIST experiments compare: the base network, and one change in each arm."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from minigrad import nn
from minigrad.kernels.gaaf import LAPLACE, ONE, Curve, gaussian
from minigrad.random import Streams


def _tanh(config: Any, streams: Streams) -> nn.Module:
    return nn.Tanh()


def _gaaf(config: Any, streams: Streams) -> nn.Module:
    return nn.GAAF("tanh", gaussian(config.shape_scale), config.frequency)


def _noisy(config: Any, streams: Streams) -> nn.Module:
    return nn.NoisyActivation("tanh", rng=streams)


def _linear(config: Any, streams: Streams) -> Callable[[int, int], nn.Module]:
    return nn.Linear


def _drop_connect(config: Any, streams: Streams) -> Callable[[int, int], nn.Module]:
    def make(width: int, next_width: int) -> nn.Module:
        # One mask a batch: one for each example costs a hundred times the step.
        return nn.DropConnectLinear(
            width, next_width, config.drop_prob, per_example=False, rng=streams
        )

    return make


def _weight_noise(config: Any, streams: Streams) -> Callable[[int, int], nn.Module]:
    def make(width: int, next_width: int) -> nn.Module:
        return nn.WeightNoise(
            nn.Linear(width, next_width), config.noise_std, rng=streams
        )

    return make


def _shaped(shape: Curve, frequency: float | None = None) -> Any:
    def activation(config: Any, streams: Streams) -> nn.Module:
        return nn.GAAF("tanh", shape, frequency or config.frequency)

    return activation


def _saturated(xp: Any, x: Any) -> Any:
    t = xp.tanh(x)
    return xp.exp(x * x * (-1 / 3)) * (t * t)


def _saturated_slope(xp: Any, x: Any, s: Any) -> Any:
    t = xp.tanh(x)
    return xp.exp(x * x * (-1 / 3)) * (2 * t * (1 - t * t)) - x * (2 / 3) * s


SATURATED = Curve("saturated", _saturated, _saturated_slope)
"""exp(-x^2 / 3) (1 - tanh'(x)): 0 where tanh is steepest, 0.25 at 2, 0.43 at most."""


@dataclass(frozen=True)
class Arm:
    """One way to build and train the network.

    Attributes:
        label: how tables call it.
        activation: (config, streams) -> what stands behind each hidden layer.
        linear: (config, streams) -> what makes the layers that read hidden nodes.
        dropout: hidden nodes are dropped with so many times the configuration's p.
        rates: factors on the learning rate of layer1, layer2, layer3, output.
    """

    label: str
    activation: Callable[[Any, Streams], nn.Module] = _tanh
    linear: Callable[[Any, Streams], Callable[[int, int], nn.Module]] = _linear
    dropout: float = 0.0
    rates: tuple[float, float, float, float] = (1, 1, 1, 1)


ARMS: Mapping[str, Arm] = {
    "base": Arm("base"),
    "dropout": Arm("+dropout", dropout=1.0),
    "less_dropout": Arm("+dropout, p x 0.4", dropout=0.4),
    "gaaf": Arm("+GAAF", _gaaf),
    "noisy": Arm("noisy activation", _noisy),
    "drop_connect": Arm("DropConnect", linear=_drop_connect),
    "weight_noise": Arm("weight noise", linear=_weight_noise),
    # Shapes and frequencies of GAAF, see models.gaaf.shapes.
    "narrow": Arm("s = exp(-x^2)", _shaped(gaussian(1.0))),
    "wide": Arm("s = exp(-x^2 / 12)", _shaped(gaussian(12.0))),
    "laplace": Arm("s = exp(-|x|)", _shaped(LAPLACE)),
    "one": Arm("s = 1", _shaped(ONE)),
    "saturated": Arm("s = exp(-x^2 / 3) (1 - tanh')", _shaped(SATURATED)),
    "k10": Arm("K = 10", _shaped(gaussian(3.0), 10.0)),
    "k100": Arm("K = 100", _shaped(gaussian(3.0), 100.0)),
    "k1e8": Arm("K = 10^8", _shaped(gaussian(3.0), 1e8)),
    # Controls: GAAF's total slope at 0 is 2, so gradients double at each layer.
    "rate2": Arm("base, rate x 2", rates=(2, 2, 2, 2)),
    "rate842": Arm("base, rates x 8, 4, 2, 1", rates=(8, 4, 2, 1)),
}

LABELS: Mapping[str, str] = {name: arm.label for name, arm in ARMS.items()}


def activation_of(arm: str, config: Any, streams: Streams) -> Callable[[], nn.Module]:
    """Return what makes the activations of an arm."""
    return functools.partial(ARMS[arm].activation, config, streams)

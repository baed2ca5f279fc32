"""The convolutional network for MNIST of the LayerOut paper: strides, no padding.

Source: Goutam, Balasubramanian, Gera & Raghunatha Sarma 2020, LayerOut: Freezing Layers
in Deep Neural Networks, and the authors' code: 0.49 million parameters in five
convolutions and two dense layers, without pooling and batch norm.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from numpy.random import Generator

from minigrad import nn
from minigrad.errors import ArgumentError, got
from minigrad.random import generator

KERNEL_SIZE = 3
Start = Literal["glorot", "pytorch"]
"""How weights start: Glorot normal and biases 0, or as PyTorch's layers do."""


def strided_cnn(
    filters: Sequence[int] = (32, 64, 128, 64, 32),
    *,
    hidden: int = 1024,
    in_channels: int = 1,
    image_size: int = 32,
    classes: int = 10,
    activation: Callable[[], nn.Module] = nn.ReLU,
    start: Start = "glorot",
    seed: int,
) -> nn.Sequential:
    """Build x (N, in_channels, image_size, image_size) -> logits (N, classes).

    Modules: conv1, activation1, conv2, ..., flatten, dense1, dense_activation1, output.
    First weights depend on seed and on the layer's name alone.

    Args:
        filters: of each 3x3 convolution; every second has stride 2.
        hidden: width of the hidden dense layer.
        in_channels: channels of x.
        image_size: height and width of x.
        classes: number of logits.
        activation: makes the module behind each layer but the last.
        start: "glorot": weights Glorot normal, biases 0, as the paper says; "pytorch":
            both uniform in +-1 / sqrt(fan_in), as networks start in the authors' code.
        seed: weights are drawn from it.

    Raises ArgumentError for another start, and if the convolutions leave no pixel.

    >>> model = strided_cnn(seed=0)
    >>> sum(parameter.size for parameter in model.parameters())
    491114
    """
    if start not in ("glorot", "pytorch"):
        rule = "'glorot' or 'pytorch'"
        raise ArgumentError(got("strided_cnn", "start is", repr(start), rule))
    parts: dict[str, nn.Module] = {}
    width = _convolutions(parts, filters, in_channels, image_size, activation, seed)
    parts["flatten"] = nn.Flatten()
    parts["dense1"] = nn.Linear(width, hidden, rng=_draws(seed, "dense1"))
    parts["dense_activation1"] = activation()
    parts["output"] = nn.Linear(hidden, classes, rng=_draws(seed, "output"))
    if start == "glorot":
        for name, part in parts.items():
            if isinstance(part, nn.Conv2d | nn.Linear):
                _start_glorot(part, _draws(seed, name))
    return nn.Sequential(parts)


def _convolutions(
    parts: dict[str, nn.Module],
    filters: Sequence[int],
    channels: int,
    image_size: int,
    activation: Callable[[], nn.Module],
    seed: int,
) -> int:
    """Add convolutions and activations to parts; return the length of flat rows."""
    size = image_size
    for number, next_channels in enumerate(filters, 1):
        name, stride = f"conv{number}", 2 - number % 2
        rng = _draws(seed, name)
        parts[name] = nn.Conv2d(channels, next_channels, KERNEL_SIZE, stride, rng=rng)
        parts[f"activation{number}"] = activation()
        channels, size = next_channels, (size - KERNEL_SIZE) // stride + 1
    if size < 1:
        what = f"there are {len(filters)} convolutions for images of"
        rule = "at least 1 pixel to be left"
        raise ArgumentError(
            got("strided_cnn", what, f"{image_size}x{image_size}", rule,
                "give fewer filters or larger images")
        )  # fmt: skip
    return channels * size * size


def _draws(seed: int, name: str) -> Generator:
    return generator(seed, f"{name}.weight")


def _start_glorot(layer: nn.Conv2d | nn.Linear, rng: Generator) -> None:
    assert layer.bias is not None
    nn.init.xavier_normal_(layer.weight, rng=rng)
    nn.init.zeros_(layer.bias)

"""A convnet for hard thresholds: each pooling stands before its activation.

Source: Friesen & Domingos 2018, arXiv:1710.11573, the network "convnet4" of their
published code, which Li, Ni, Sheng & Zhao 2019 draw in Fig. 11. The code pads the first
convolution by 3, so that it makes 34x34 of 32x32 pixels, and the second by 2.
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal

from minigrad import nn
from minigrad.errors import ArgumentError
from minigrad.random import generator

KERNEL_SIZE = 5
FIRST_PADDING, PADDING = 3, 2
Start = Literal["glorot", "pytorch"]
"""How weights start: Glorot uniform and biases 0, or as PyTorch's layers do."""


def threshold_cnn(
    filters: Sequence[int] = (32, 64),
    *,
    in_channels: int = 3,
    image_size: int = 32,
    hidden: Sequence[int] = (1024,),
    classes: int = 10,
    activation: Callable[[], nn.Module] = nn.Sign,
    start: Start = "glorot",
    seed: int,
) -> nn.Sequential:
    """Build x (N, in_channels, image_size, image_size) -> logits (N, classes).

    Modules: conv1, pool1, activation1, conv2, ..., flatten, dense1, dense_activation1,
    ..., output. First weights depend on seed and on the layer's name alone.

    Args:
        filters: of each 5x5 convolution, behind which a 2x2 max pooling stands.
        in_channels: channels of x.
        image_size: height and width of x.
        hidden: widths of hidden dense layers.
        classes: number of logits.
        activation: makes the module behind each pooling and hidden dense layer.
        start: "glorot": weights Glorot uniform, biases 0; "pytorch": both uniform in
            +-1 / sqrt(fan_in), as PyTorch's layers start.
        seed: weights are drawn from it.

    Raises ArgumentError for another start, and if the poolings leave no pixel.
    """
    if start not in ("glorot", "pytorch"):
        raise ArgumentError(
            f"threshold_cnn: start is {start!r}, expected 'glorot' or 'pytorch'"
        )
    parts: dict[str, nn.Module] = {}
    width = _stages(parts, filters, in_channels, image_size, activation)
    for number, next_width in enumerate(hidden, 1):
        parts[f"dense{number}"] = nn.Linear(width, next_width)
        parts[f"dense_activation{number}"] = activation()
        width = next_width
    parts["output"] = nn.Linear(width, classes)
    for name, part in parts.items():
        if isinstance(part, nn.Conv2d | nn.Linear):
            _start(part, name, start, seed)
    return nn.Sequential(parts)


def _stages(
    parts: dict[str, nn.Module],
    filters: Sequence[int],
    channels: int,
    image_size: int,
    activation: Callable[[], nn.Module],
) -> int:
    """Add all up to flatten to parts, and return the length of its rows."""
    size, padding = image_size, FIRST_PADDING
    for number, next_channels in enumerate(filters, 1):
        parts[f"conv{number}"] = nn.Conv2d(
            channels, next_channels, KERNEL_SIZE, padding=padding
        )
        parts[f"pool{number}"] = nn.MaxPool2d(2)
        parts[f"activation{number}"] = activation()
        channels, size = next_channels, (size + 2 * padding - KERNEL_SIZE + 1) // 2
        padding = PADDING
    if size < 1:
        raise ArgumentError(
            f"threshold_cnn: there are {len(filters)} poolings for images of "
            f"{image_size}x{image_size}, expected at least 1 pixel to be left; give "
            "fewer filters"
        )
    parts["flatten"] = nn.Flatten()
    return channels * size * size


def _start(layer: nn.Conv2d | nn.Linear, name: str, start: Start, seed: int) -> None:
    weight, bias = layer.weight, layer.bias
    assert bias is not None
    rng = generator(seed, f"{name}.weight")
    if start == "glorot":
        nn.init.xavier_uniform_(weight, rng=rng)
        nn.init.zeros_(bias)
    else:
        bound = 1 / math.sqrt(math.prod(weight.shape[1:]))
        nn.init.uniform_(weight, -bound, bound, rng=rng)
        nn.init.uniform_(bias, -bound, bound, rng=generator(seed, f"{name}.bias"))

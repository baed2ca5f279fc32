"""Layers whose first weights depend on a seed and on the layer's name alone.

So two networks that differ elsewhere start from the same weights where they agree.
Weights are He normal (He et al. 2015, eq. 10: std sqrt(2 / fan_in)), biases 0. With
fan="fan_out" they keep the size of gradients instead (eq. 14: std sqrt(2 / fan_out)).
"""

from typing import Literal

from minigrad import nn
from minigrad.random import generator

Fan = Literal["fan_in", "fan_out"]


def conv3x3(
    name: str, channels: int, filters: int, *, stride: int = 1, bias: bool, seed: int
) -> nn.Conv2d:
    """Convolution (N, channels, H, W) -> (N, filters, H / stride, W / stride)."""
    return conv(name, channels, filters, 3, stride=stride, bias=bias, seed=seed)


def conv(
    name: str,
    channels: int,
    filters: int,
    kernel_size: int,
    *,
    stride: int = 1,
    bias: bool,
    fan: Fan = "fan_in",
    seed: int,
) -> nn.Conv2d:
    """Convolution of an odd kernel_size, padded so that stride 1 keeps H and W."""
    padding = kernel_size // 2
    layer = nn.Conv2d(channels, filters, kernel_size, stride, padding, bias=bias)
    _start(layer, name, seed, fan)
    return layer


def linear(
    name: str, width: int, next_width: int, *, bias: bool = True, seed: int
) -> nn.Linear:
    """Fully connected layer (N, width) -> (N, next_width)."""
    layer = nn.Linear(width, next_width, bias=bias)
    _start(layer, name, seed)
    return layer


def _start(
    layer: nn.Conv2d | nn.Linear, name: str, seed: int, fan: Fan = "fan_in"
) -> None:
    rng = generator(seed, f"{name}.weight")
    nn.init.kaiming_normal_(layer.weight, mode=fan, nonlinearity="relu", rng=rng)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)

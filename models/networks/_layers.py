"""Layers whose first weights depend on a seed and on the layer's name alone.

So two networks that differ elsewhere start from the same weights where they agree.
Weights are He normal (He et al. 2015, eq. 10: std sqrt(2 / fan_in)), biases 0.
"""

from minigrad import nn
from minigrad.random import generator


def conv3x3(
    name: str, channels: int, filters: int, *, stride: int = 1, bias: bool, seed: int
) -> nn.Conv2d:
    """Convolution (N, channels, H, W) -> (N, filters, H / stride, W / stride)."""
    layer = nn.Conv2d(channels, filters, 3, stride=stride, padding=1, bias=bias)
    _start(layer, name, seed)
    return layer


def linear(
    name: str, width: int, next_width: int, *, bias: bool = True, seed: int
) -> nn.Linear:
    """Fully connected layer (N, width) -> (N, next_width)."""
    layer = nn.Linear(width, next_width, bias=bias)
    _start(layer, name, seed)
    return layer


def _start(layer: nn.Conv2d | nn.Linear, name: str, seed: int) -> None:
    rng = generator(seed, f"{name}.weight")
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", rng=rng)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)

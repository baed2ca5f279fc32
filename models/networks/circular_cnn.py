"""A plain chain of convolutions on a torus, where every pixel has all its neighbours.

Zeros beyond the edges of small images would take a part of the signal at each layer;
where edges meet, a layer's gain is that of its weights alone.
"""

from collections.abc import Sequence

from minigrad import functional as F
from minigrad import nn
from minigrad.random import generator
from minigrad.tape import Tensor


class CircularConv2d(nn.Conv2d):
    """A 3x3 convolution of x (N, C, H, W) whose edges meet: y (N, F, H, W), no bias.

    >>> from minigrad import nn, tensor
    >>> layer = CircularConv2d(1, 1)
    >>> _ = nn.init.ones_(layer.weight)
    >>> layer(tensor([[[[0.0, 1.0, 2.0, 3.0]]]])).numpy().round(3)
    array([[[[12.,  9., 18., 15.]]]], dtype=float32)
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        """Make a layer with PyTorch's first weights."""
        super().__init__(in_channels, out_channels, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x behind a border of one pixel from the other side."""
        x = F.concat([x[:, :, -1:], x, x[:, :, :1]], 2)
        x = F.concat([x[..., -1:], x, x[..., :1]], 3)
        return super().forward(x)


def circular_cnn(
    channels: int, widths: Sequence[int], *, batch_norm: bool = False, seed: int
) -> nn.Sequential:
    """Build x (N, channels, H, W) -> y (N, widths[-1], H, W), a relu behind each layer.

    Modules: conv1, norm1 if batch_norm, relu1, conv2, ... First weights are He normal
    and depend on seed and on the layer's name alone.

    >>> model = circular_cnn(3, (8, 8), seed=0)
    >>> [name for name, _ in model.named_children()]
    ['conv1', 'relu1', 'conv2', 'relu2']
    """
    parts: dict[str, nn.Module] = {}
    for number, width in enumerate(widths, 1):
        conv = CircularConv2d(channels, width)
        rng = generator(seed, f"conv{number}.weight")
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu", rng=rng)
        parts[f"conv{number}"] = conv
        if batch_norm:
            parts[f"norm{number}"] = nn.BatchNorm2d(width)
        parts[f"relu{number}"] = nn.ReLU()
        channels = width
    return nn.Sequential(parts)

"""Wide residual networks: pre-activation blocks, few and wide, with dropout inside.

Source: Zagoruyko & Komodakis 2016, arXiv:1605.07146, table 1 and section 2.4. A 3x3
convolution, three groups of n blocks with 16k, 32k and 64k filters, of which the second
and third halve the image; then batch norm, relu, average, and a dense layer. The depth
is 6n + 4: the convolutions, three shortcuts of another shape among them.
"""

from collections.abc import Sequence

from minigrad import functional as F
from minigrad import nn
from minigrad.errors import ArgumentError, got
from minigrad.random import Streams
from minigrad.tape import Tensor
from models.networks._layers import conv, conv3x3, linear

WIDTHS = (16, 32, 64)
"""Filters of each group, in widening factors; the stem has the first."""


class WideBlock(nn.Module):
    """x (N, C, H, W) -> y (N, filters, H / stride, W / stride).

    o = relu(norm1(x)), y = conv2(dropout(relu(norm2(conv1(o))))) + x. Where the shape
    changes a 1x1 convolution of o stands for x.
    """

    def __init__(
        self,
        name: str,
        channels: int,
        filters: int,
        *,
        stride: int,
        dropout: float,
        streams: Streams | None,
        seed: int,
    ) -> None:
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = conv3x3(
            f"{name}.conv1", channels, filters, stride=stride, bias=False, seed=seed
        )
        self.norm2 = nn.BatchNorm2d(filters)
        self.dropout = nn.Dropout(dropout, rng=streams) if dropout else None
        self.conv2 = conv3x3(f"{name}.conv2", filters, filters, bias=False, seed=seed)
        self.shortcut = None
        if stride != 1 or channels != filters:
            self.shortcut = conv(
                *(f"{name}.shortcut", channels, filters, 1),
                stride=stride,
                bias=False,
                seed=seed,
            )

    def forward(self, x: Tensor) -> Tensor:
        """Compute y."""
        o = F.relu(self.norm1(x))
        y = F.relu(self.norm2(self.conv1(o)))
        if self.dropout is not None:
            y = self.dropout(y)
        return self.conv2(y) + (x if self.shortcut is None else self.shortcut(o))


class WideResNet(nn.Module):
    """Images (N, C, H, W) through stem, blocks in order, and head to (N, classes).

    Attributes:
        stem: the first convolution.
        blocks: each a WideBlock.
        head: norm; activation; pool, the average over all pixels; flatten; output.
    """

    def __init__(
        self, stem: nn.Module, blocks: Sequence[WideBlock], head: nn.Module
    ) -> None:
        self.stem, self.blocks, self.head = stem, nn.ModuleList(blocks), head

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits of x."""
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def wide_resnet(
    depth: int = 28,
    width: int = 10,
    *,
    in_channels: int = 3,
    classes: int = 10,
    dropout: float = 0.0,
    streams: Streams | None = None,
    seed: int,
) -> WideResNet:
    """Build x (N, in_channels, H, W) -> logits (N, classes); WRN-28-10 by default.

    Convolutions have no bias. Weights are He normal, the dense bias 0; they depend on
    seed and on the layer's name alone.

    Args:
        depth: 6n + 4, for n blocks in each of three groups.
        width: the widening factor k, at least 1.
        in_channels: channels of x.
        classes: number of logits.
        dropout: probability of dropping a number between the convolutions of a block.
        streams: masks are drawn from them; None for the default streams.
        seed: weights are drawn from it.

    Raises ArgumentError for another depth or width.

    >>> model = wide_resnet(10, 1, seed=0)
    >>> [name for name, _ in model.blocks[0].named_children()]
    ['norm1', 'conv1', 'norm2', 'conv2']
    >>> sum(parameter.size for parameter in model.parameters())
    77850
    """
    count = _blocks_of(depth)
    if width < 1:
        raise ArgumentError(got("wide_resnet", "width is", width, "at least 1"))
    channels, blocks = WIDTHS[0], list[WideBlock]()
    stem = conv3x3("stem", in_channels, channels, bias=False, seed=seed)
    for group, base in enumerate(WIDTHS):
        filters = width * base
        for place in range(count):
            block = WideBlock(
                *(f"blocks.{len(blocks)}", channels, filters),
                stride=2 if group and not place else 1,
                dropout=dropout,
                streams=streams,
                seed=seed,
            )
            blocks.append(block)
            channels = filters
    head = {
        "norm": nn.BatchNorm2d(channels),
        "activation": nn.ReLU(),
        "pool": nn.AdaptiveAvgPool2d(1),
        "flatten": nn.Flatten(),
        "output": linear("head.output", channels, classes, seed=seed),
    }
    return WideResNet(stem, blocks, nn.Sequential(head))


def _blocks_of(depth: int) -> int:
    """Blocks in each group; raises ArgumentError if depth is not 6n + 4."""
    count, rest = divmod(depth - 4, 6)
    if rest or count < 1:
        rule = "6n + 4 for some n >= 1, as 10, 16, 22 or 28"
        raise ArgumentError(got("wide_resnet", "depth is", depth, rule))
    return count

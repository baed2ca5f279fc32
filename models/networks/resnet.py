"""Residual networks for small images, with the activation behind the sum.

Source: He, Zhang, Ren & Sun 2016, arXiv:1512.03385, section 4.2: a 3x3 convolution and
groups of equal blocks, each group but the first halving the image. Shortcuts that
change shape are their option A ("pad") or B ("conv"), or pool the average, as Huang,
Sun, Liu, Sedra & Weinberger 2016, arXiv:1603.09382, do. Survivals are of the latter.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, get_args

from minigrad import functional as F
from minigrad import nn
from minigrad.errors import ArgumentError, got
from minigrad.random import Streams
from minigrad.tape import Tensor
from models.networks._layers import conv, linear

Block = Literal["basic", "bottleneck"]
"""Two 3x3 convolutions, or 1x1, 3x3 and 1x1 to four times the width."""
Shortcut = Literal["pad", "average", "conv"]
"""How a shortcut changes shape: by every second pixel and channels of zeros, by the
average of 2x2 pixels and channels of zeros, or by a 1x1 convolution and batch norm."""

EXPANSION: dict[Block, int] = {"basic": 1, "bottleneck": 4}
"""Channels that a block gives, in widths."""


class ResNet(nn.Module):
    """Images (N, C, H, W) through stem, blocks in order, and head to (N, classes).

    Attributes:
        stem: conv, norm, activation.
        blocks: each an nn.Residual of a branch conv1, norm1, activation1, conv2, ...,
            and of a shortcut where the shape changes; relu behind the sum.
        head: pool, the average over all pixels; flatten; output.
    """

    def __init__(
        self, stem: nn.Module, blocks: Sequence[nn.Residual], head: nn.Module
    ) -> None:
        self.stem, self.blocks, self.head = stem, nn.ModuleList(blocks), head

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits of x."""
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


class Subsample(nn.Module):
    """Keep every stride-th pixel of x (N, C, H, W), the first among them."""

    def __init__(self, stride: int) -> None:
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Return x (N, C, ceil(H / stride), ceil(W / stride))."""
        return x[:, :, :: self.stride, :: self.stride]

    def extra_repr(self) -> str:
        """Describe the stride."""
        return f"stride={self.stride}"


class ZeroChannels(nn.Module):
    """Put so many channels of zeros behind those of x (N, C, H, W)."""

    def __init__(self, count: int) -> None:
        self.count = count

    def forward(self, x: Tensor) -> Tensor:
        """Return x (N, C + count, H, W)."""
        return F.pad(x, ((0, 0), (0, self.count), (0, 0), (0, 0)))

    def extra_repr(self) -> str:
        """Describe the count."""
        return f"count={self.count}"


def resnet(
    blocks: Sequence[int] = (18, 18, 18),
    *,
    block: Block = "basic",
    widths: Sequence[int] = (16, 32, 64),
    shortcut: Shortcut = "pad",
    in_channels: int = 3,
    classes: int = 10,
    survivals: Sequence[float] | None = None,
    streams: Streams | None = None,
    seed: int,
) -> ResNet:
    """Build x (N, in_channels, H, W) -> logits (N, classes); ResNet-110 by default.

    Convolutions have no bias, batch norm stands behind each. Their weights are normal
    with variance 2 / (k * k * filters), He's fan_out; the dense layer's are He normal,
    its bias 0. They depend on seed and on the layer's name alone.

    Args:
        blocks: how many, of each group; the first of each group but the first has
            stride 2.
        block: their kind.
        widths: filters of the 3x3 convolutions, of each group; the first also of the
            stem.
        shortcut: what stands for the identity where the shape changes. Zeros come
            behind the channels that there are.
        in_channels: channels of x.
        classes: number of logits.
        survivals: of each block, see nn.Residual; None for blocks that always run.
        streams: what survives is drawn from them; None for the default streams.
        seed: weights are drawn from it.

    Raises ArgumentError for an unknown kind, for blocks, widths and survivals that do
    not match, and for a shortcut of zeros where channels become fewer.

    >>> model = resnet((1, 1, 1), seed=0)
    >>> [name for name, _ in model.blocks[1].branch.named_children()]
    ['conv1', 'norm1', 'activation1', 'conv2', 'norm2']
    >>> sum(parameter.size for parameter in model.parameters())
    75290
    """
    survivals = _checked(blocks, block, widths, shortcut, survivals)
    stem = {
        "conv": _conv("stem.conv", in_channels, widths[0], 3, seed=seed),
        "norm": nn.BatchNorm2d(widths[0]),
        "activation": nn.ReLU(),
    }
    channels, parts = widths[0], list[nn.Residual]()
    for group, (count, width) in enumerate(zip(blocks, widths, strict=True)):
        filters = width * EXPANSION[block]
        for place in range(count):
            name, stride = f"blocks.{len(parts)}", 2 if group and not place else 1
            branch = _branch(f"{name}.branch", block, channels, width, stride, seed)
            change = (channels, filters, stride)
            aside = _shortcut(f"{name}.shortcut", shortcut, *change, seed=seed)
            survival = survivals[len(parts)]
            parts.append(nn.Residual(branch, aside, nn.ReLU(), survival, rng=streams))
            channels = filters
    head = {
        "pool": nn.AdaptiveAvgPool2d(1),
        "flatten": nn.Flatten(),
        "output": linear("head.output", channels, classes, seed=seed),
    }
    return ResNet(nn.Sequential(stem), parts, nn.Sequential(head))


def _conv(
    name: str, channels: int, filters: int, size: int, stride: int = 1, *, seed: int
) -> nn.Conv2d:
    fan = "fan_out"
    return conv(
        name, channels, filters, size, stride=stride, bias=False, fan=fan, seed=seed
    )


def _branch(
    name: str, block: Block, channels: int, width: int, stride: int, seed: int
) -> nn.Sequential:
    """Make convolutions and norms, and activations between them."""
    if block == "basic":
        layers = ((3, width, stride), (3, width, 1))
    else:
        layers = ((1, width, 1), (3, width, stride), (1, width * EXPANSION[block], 1))
    parts: dict[str, nn.Module] = {}
    for number, (size, filters, step) in enumerate(layers, 1):
        if number > 1:
            parts[f"activation{number - 1}"] = nn.ReLU()
        part = f"conv{number}"
        parts[part] = _conv(f"{name}.{part}", channels, filters, size, step, seed=seed)
        parts[f"norm{number}"] = nn.BatchNorm2d(filters)
        channels = filters
    return nn.Sequential(parts)


def _shortcut(
    name: str, kind: Shortcut, channels: int, filters: int, stride: int, *, seed: int
) -> nn.Sequential | None:
    """Make what changes the shape as the branch does; None where none is needed."""
    if stride == 1 and channels == filters:
        return None
    if kind == "conv":
        weights = _conv(f"{name}.conv", channels, filters, 1, stride, seed=seed)
        return nn.Sequential({"conv": weights, "norm": nn.BatchNorm2d(filters)})
    parts: dict[str, nn.Module] = {}
    if stride > 1:
        # Images of odd size keep their last pixels, as behind a padded convolution.
        pool = nn.AvgPool2d(stride, ceil_mode=True)
        parts["stride"] = Subsample(stride) if kind == "pad" else pool
    if filters > channels:
        parts["channels"] = ZeroChannels(filters - channels)
    return nn.Sequential(parts)


def _checked(
    blocks: Sequence[int],
    block: str,
    widths: Sequence[int],
    shortcut: str,
    survivals: Sequence[float] | None,
) -> Sequence[float]:
    """Return the survival of each block; raise ArgumentError as resnet says."""
    for what, kind, kinds in (
        ("block", block, get_args(Block)),
        ("shortcut", shortcut, get_args(Shortcut)),
    ):
        if kind not in kinds:
            rule = " or ".join(map(repr, kinds))
            raise ArgumentError(got("resnet", f"{what} is", repr(kind), rule))
    if not blocks or min(blocks) < 1:
        rule = "at least one group of at least one block"
        raise ArgumentError(got("resnet", "blocks are", tuple(blocks), rule))
    if len(widths) != len(blocks):
        rule = f"one for each of {len(blocks)} groups"
        raise ArgumentError(got("resnet", "widths are", tuple(widths), rule))
    if shortcut != "conv" and any(a > b for a, b in pairwise(widths)):
        rule = f"none below the one before, as shortcut={shortcut!r} only adds channels"
        remedy = "pass shortcut='conv'"
        raise ArgumentError(got("resnet", "widths are", tuple(widths), rule, remedy))
    if survivals is None:
        return (1.0,) * sum(blocks)
    if len(survivals) != sum(blocks):
        rule = f"{sum(blocks)}, one for each block"
        what = "the number of survivals is"
        raise ArgumentError(got("resnet", what, len(survivals), rule))
    return survivals

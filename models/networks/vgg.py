"""VGG: 3x3 convolutions in stages, each stage ended by a max pooling that halves it.

Source: Simonyan & Zisserman 2015, arXiv:1409.1556, in the form used on 32x32 images:
hidden dense layers, if any, are narrower than 4096. A plan lists the filters of each
convolution, and "M" for a 2x2 max pooling.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from minigrad import nn
from minigrad.errors import ArgumentError
from minigrad.random import Streams
from models.networks._layers import conv3x3, linear

Plan = Sequence[int | Literal["M"]]

TINY: Plan = (16, 16, "M", 32, 32, "M")
SMALL: Plan = (32, 32, "M", 64, 64, "M", 128, 128, "M")
VGG10: Plan = (64, 64, "M", 128, 128, "M", *(256,) * 3, "M", *(512,) * 3, "M")
"""VGG-16 without its last three convolutions: ten of them."""
VGG16: Plan = (*VGG10, *(512,) * 3, "M")
"""The thirteen convolutions of VGG-16, which make 32x32 images 1x1. With batch_norm,
norm_bias, hidden=(4096, 4096), dense_activation=nn.Identity, dense_batch_norm=False, it
is the network of Goutam et al. 2020, LayerOut, as their code has it."""
FOUR_CONV: Plan = (32, 32, "M", 64, 64, "M")
"""Four convolutions, a pooling behind every second: with hidden=(512, 256), the network
for SVHN of Hahn & Choi 2018, arXiv:1806.09783, who name no widths."""


def vgg(
    plan: Plan,
    *,
    in_channels: int = 3,
    image_size: int = 32,
    hidden: Sequence[int] = (),
    classes: int = 10,
    activation: Callable[[], nn.Module] = nn.ReLU,
    dense_activation: Callable[[], nn.Module] | None = None,
    batch_norm: bool = False,
    dense_batch_norm: bool | None = None,
    norm_bias: bool = False,
    drop_prob: float = 0.0,
    streams: Streams | None = None,
    seed: int,
) -> nn.Sequential:
    """Build x (N, in_channels, image_size, image_size) -> logits (N, classes).

    Modules: conv1, (norm1,) activation1, ..., pool1, ..., flatten, dense1,
    (dense_norm1,) dense_activation1, (dropout1,) ..., output. Weights are He normal,
    biases 0; they depend on seed and on the layer's name alone.

    Args:
        plan: filters of each convolution, and "M" for each pooling; TINY, say.
        in_channels: channels of x.
        image_size: height and width of x.
        hidden: widths of hidden dense layers.
        classes: number of logits.
        activation: makes the module behind each convolution and hidden dense layer.
        dense_activation: the same for hidden dense layers, if theirs is another;
            nn.Identity for none.
        batch_norm: whether to normalise behind each convolution and hidden dense
            layer, which then has no bias, since the norm's own takes its place.
        dense_batch_norm: the same for hidden dense layers; None for as batch_norm says.
        norm_bias: whether layers that are normalised have a bias all the same.
        drop_prob: of the dropout behind each hidden dense layer; 0 for none.
        streams: masks are drawn from them; None for the default streams.
        seed: weights are drawn from it.

    Raises ArgumentError if the plan pools more often than image_size can be halved.
    """
    dense_activation = dense_activation or activation
    dense_batch_norm = batch_norm if dense_batch_norm is None else dense_batch_norm
    size = _last_size(plan, image_size)
    parts: dict[str, nn.Module] = {}
    channels = _stages(
        parts, plan, in_channels, activation, batch_norm, norm_bias, seed
    )
    parts["flatten"] = nn.Flatten()
    width = channels * size * size
    for number, next_width in enumerate(hidden, 1):
        name, bias = f"dense{number}", norm_bias or not dense_batch_norm
        parts[name] = linear(name, width, next_width, bias=bias, seed=seed)
        if dense_batch_norm:
            parts[f"dense_norm{number}"] = nn.BatchNorm1d(next_width)
        parts[f"dense_activation{number}"] = dense_activation()
        if drop_prob:
            parts[f"dropout{number}"] = nn.Dropout(drop_prob, rng=streams)
        width = next_width
    parts["output"] = linear("output", width, classes, seed=seed)
    return nn.Sequential(parts)


def _last_size(plan: Plan, image_size: int) -> int:
    """Return the height and width that the poolings leave."""
    pools = sum(part == "M" for part in plan)
    size = image_size >> pools
    if size < 1:
        raise ArgumentError(
            f"vgg: the plan has {pools} poolings for images of {image_size}x"
            f"{image_size}, expected at least 1 pixel to be left; take a shorter plan"
        )
    return size


def _stages(
    parts: dict[str, nn.Module],
    plan: Plan,
    channels: int,
    activation: Callable[[], nn.Module],
    batch_norm: bool,
    norm_bias: bool,
    seed: int,
) -> int:
    """Add convolutions and poolings to parts, and return the number of channels."""
    convs, pools, bias = 0, 0, norm_bias or not batch_norm
    for part in plan:
        if part == "M":
            pools += 1
            parts[f"pool{pools}"] = nn.MaxPool2d(2)
        else:
            convs += 1
            name = f"conv{convs}"
            parts[name] = conv3x3(name, channels, part, bias=bias, seed=seed)
            if batch_norm:
                parts[f"norm{convs}"] = nn.BatchNorm2d(part)
            parts[f"activation{convs}"] = activation()
            channels = part
    return channels

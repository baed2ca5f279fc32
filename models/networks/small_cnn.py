"""A small convolutional classifier without pooling: strides shrink the image."""

from collections.abc import Callable

from minigrad import nn
from minigrad.errors import ArgumentError
from models.networks._layers import conv3x3, linear

# (filters, stride)
_CONVS = ((32, 1), (32, 2), (64, 1), (64, 2), (64, 1))
_HIDDEN = 128


def small_cnn(
    *,
    in_channels: int = 1,
    image_size: int = 28,
    classes: int = 10,
    activation: Callable[[], nn.Module] = nn.ReLU,
    seed: int,
) -> nn.Sequential:
    """Build x (N, in_channels, image_size, image_size) -> logits (N, classes).

    Five 3x3 convolutions of 32, 32, 64, 64, 64 filters, the second and fourth of stride
    2, then dense layers of 128 and classes. Modules: conv1, activation1, ..., flatten,
    dense1, dense_activation1, output. Weights are He normal, biases 0; they depend on
    seed and on the layer's name alone. Raises ArgumentError if image_size is below 1.
    """
    if image_size < 1:
        raise ArgumentError(
            f"small_cnn: image_size is {image_size}, expected at least 1"
        )
    parts: dict[str, nn.Module] = {}
    channels, size = in_channels, image_size
    for number, (filters, stride) in enumerate(_CONVS, 1):
        name = f"conv{number}"
        parts[name] = conv3x3(
            name, channels, filters, stride=stride, bias=True, seed=seed
        )
        parts[f"activation{number}"] = activation()
        channels, size = filters, -(-size // stride)
    parts["flatten"] = nn.Flatten()
    parts["dense1"] = linear("dense1", channels * size * size, _HIDDEN, seed=seed)
    parts["dense_activation1"] = activation()
    parts["output"] = linear("output", _HIDDEN, classes, seed=seed)
    return nn.Sequential(parts)

"""Fully connected classifiers: layer1, layer2, ... and output."""

from collections.abc import Callable, Sequence

from minigrad import nn
from minigrad.random import Streams, generator


def mlp(
    in_features: int,
    hidden: Sequence[int],
    classes: int,
    *,
    activation: Callable[[], nn.Module],
    drop_prob: float = 0.0,
    streams: Streams,
    seed: int,
) -> nn.Sequential:
    """Build x (N, in_features) -> logits (N, classes).

    Modules: layer1, activation1, (dropout1,) layer2, ..., output. Weights are Glorot
    uniform, biases 0. They depend on seed and on the layer's name alone, so networks
    that differ in activation or dropout start from the same weights.

    Args:
        in_features: length of a row of x.
        hidden: widths of the hidden layers.
        classes: number of logits.
        activation: makes the module behind each hidden layer.
        drop_prob: of the dropout behind each activation; 0 for none.
        streams: masks are drawn from them.
        seed: weights are drawn from it.
    """
    parts: dict[str, nn.Module] = {}
    width = in_features
    for number, next_width in enumerate(hidden, 1):
        parts[f"layer{number}"] = _linear(f"layer{number}", width, next_width, seed)
        parts[f"activation{number}"] = activation()
        if drop_prob:
            parts[f"dropout{number}"] = nn.Dropout(drop_prob, rng=streams)
        width = next_width
    parts["output"] = _linear("output", width, classes, seed)
    return nn.Sequential(parts)


def _linear(name: str, width: int, next_width: int, seed: int) -> nn.Linear:
    layer = nn.Linear(width, next_width)
    nn.init.xavier_uniform_(layer.weight, rng=generator(seed, f"{name}.weight"))
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer

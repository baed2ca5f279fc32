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
    linear: Callable[[int, int], nn.Module] = nn.Linear,
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
        linear: makes layer2, ..., output, whose inputs are hidden nodes, of their
            numbers of inputs and outputs. Parameters of two axes are its weights, the
            others biases.
        drop_prob: of the dropout behind each activation; 0 for none.
        streams: masks are drawn from them.
        seed: weights are drawn from it.
    """
    parts: dict[str, nn.Module] = {}
    width = in_features
    for number, next_width in enumerate(hidden, 1):
        make = nn.Linear if number == 1 else linear
        parts[f"layer{number}"] = make(width, next_width)
        parts[f"activation{number}"] = activation()
        if drop_prob:
            parts[f"dropout{number}"] = nn.Dropout(drop_prob, rng=streams)
        width = next_width
    parts["output"] = linear(width, classes)
    for name, part in parts.items():
        if name.startswith(("layer", "output")):
            _start(part, name, seed)
    return nn.Sequential(parts)


def _start(layer: nn.Module, name: str, seed: int) -> None:
    for parameter in layer.parameters():
        if parameter.ndim == 2:
            rng = generator(seed, f"{name}.weight")
            nn.init.xavier_uniform_(parameter, rng=rng)
        else:
            nn.init.zeros_(parameter)

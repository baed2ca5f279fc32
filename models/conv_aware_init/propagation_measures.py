"""What cai.propagation measures of a network of convolutions at its first weights.

The signal is looked at before each relu: behind the convolution or, where there is one,
behind the batch norm. Its gradient is that of a normal gradient at the output.
"""

from typing import Any

import numpy as np

from minigrad import nn, tensor
from minigrad.inspect import Propagation, signal_propagation
from minigrad.random import generator
from models.conv_aware_init.initializers import start
from models.conv_aware_init.propagation_arms import ARMS, LSUV
from models.networks.circular_cnn import circular_cnn

SIZE = 4
"""Height and width of the images at which Jacobians are computed."""
SHARES = np.linspace(0, 1, 33)
"""Of all singular values, at which their curve is kept."""


def noise(seed: int, count: int, channels: int, size: int) -> Any:
    """Draw images (count, channels, size, size) of N(0, 1) numbers, float32."""
    shape = (count, channels, size, size)
    return generator(seed, "noise").standard_normal(shape).astype("float32")


def started(
    arm: str, x: Any, widths: tuple[int, ...], seed: int, *, batch_norm: bool = False
) -> nn.Sequential:
    """Build the network for images x (N, C, H, W), and start it as an arm says."""
    model = circular_cnn(x.shape[1], widths, batch_norm=batch_norm, seed=seed)
    initializer = ARMS[arm].initializer
    if initializer is not None:
        start(model, initializer, seed)
    else:
        nn.init.lsuv_(model, tensor(x), rng=generator(seed, LSUV))
    return model


def through(model: nn.Sequential, x: Any, seed: int) -> dict[str, Any]:
    """Send x and a gradient through a network, in training mode; its weights freeze.

    Returns "curves", by layer the "variance" of the signal and of its "gradient" the
    mean square; "first", "last": variances; "worst": greatest |variance - 1|;
    "gradient_ratio": mean square in the first layer by that in the last; "off", "dead":
    percent of the last relu's outputs that are 0, and of its units that are 0 for all
    examples.
    """
    # What weights get as gradients is not looked at, and takes as long as the rest.
    model.requires_grad_(False)
    found = signal_propagation(model, tensor(x), seed=seed)
    signals = [one.given for one in found.layers if one.kind == "ReLU"]
    variance = [one.moments.variance for one in signals if one is not None]
    gradient = [one.gradient_square or 0.0 for one in signals if one is not None]
    last = found.layers[-1].gave.moments
    return {
        "curves": {"variance": variance, "gradient": gradient},
        "first": variance[0],
        "last": variance[-1],
        "worst": max(abs(value - 1) for value in variance),
        "gradient_ratio": gradient[0] / gradient[-1] if gradient[-1] else np.nan,
        "off": 100 * last.zeros,
        "dead": 100 * last.dead,
    }


def constant_share(model: nn.Sequential) -> float:
    """Percent of the energy of kernels at frequency 0, over all layers but the first.

    (sum of taps)^2 / (9 * sum of squared taps): 100 / 9 for independent taps of mean 0.
    It is what a layer makes of a signal that does not vary in space.
    """
    constant, whole = 0.0, 0.0
    for module in list(model.children())[1:]:
        if isinstance(module, nn.Conv2d):
            taps = module.weight.numpy().astype("float64")
            constant += float((taps.sum((2, 3)) ** 2).sum()) / taps[0, 0].size
            whole += float((taps * taps).sum())
    return 100 * constant / whole


def spectra(arm: str, width: int, depth: int, seed: int) -> dict[str, Any]:
    """Singular values of the Jacobian of the middle layer, and of the whole network.

    The network is as wide everywhere, its input one image of N(0, 1). Returns for each
    what spectrum gives.
    """
    x = noise(seed, 1, width, SIZE)
    model = started(arm, x, (width,) * depth, seed)
    middle = f"conv{(depth + 1) // 2}"
    found: Propagation = signal_propagation(
        model, tensor(x), layers=middle, jacobian=(middle, ""), seed=seed
    )
    layer, network = found.layers
    assert layer.singular_values is not None
    assert network.singular_values is not None
    return {
        "layer": spectrum(layer.singular_values),
        "network": spectrum(network.singular_values),
    }


def spectrum(values: Any) -> dict[str, Any]:
    """Sum up singular values, falling.

    Returns "curves", them at SHARES; "square", their mean square; "spread", mean s^4 /
    (mean s^2)^2, 1 if all are equal; "off_one", greatest |s - 1|; "least", "greatest";
    "rank", percent of them that are not 0.
    """
    places = np.linspace(0, 1, len(values))
    squares = values * values
    mean = float(squares.mean())
    return {
        "curves": np.interp(SHARES, places, values).tolist(),
        "square": mean,
        "spread": float((squares * squares).mean()) / mean**2 if mean else np.nan,
        "off_one": float(np.abs(values - 1).max()),
        "least": float(values[-1]),
        "greatest": float(values[0]),
        "rank": 100 * float((values > 0).mean()),
    }

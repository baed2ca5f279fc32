"""How sharp the minimum of a trained network is, measured in three ways.

All of it is of the function that the network computes in evaluation: dropout is off,
and nn.GAAF is replaced by nn.Tanh. Its values are tanh's to the bit there, but its
backward has the acceleration term on top, and a Hessian taken through it would be the
derivative of a vector that is the gradient of no function.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from minigrad import functional as F
from minigrad import nn, tensor
from minigrad.inspect import Hessian, loss_curve, random_direction
from models.experiments.data import Part
from models.experiments.loop import Training

RADII = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)
"""Length of a step, relative to that of the weights: of a filter, or of a layer."""
DIRECTIONS = 4
"""Random ones, over which curves are averaged."""
SAMPLES = 6
"""Random vectors for the trace."""


def without_acceleration(model: nn.Sequential) -> nn.Sequential:
    """Return a network of the same parts, in evaluation mode, with tanh for GAAF.

    The parts are shared, so they are in evaluation mode afterwards, too.
    """
    parts = {
        name: nn.Tanh() if isinstance(part, nn.GAAF) else part
        for name, part in model.named_children()
    }
    return nn.Sequential(parts).eval()


def curvature(loss: Callable[[], Any], model: nn.Module) -> dict[str, float]:
    """Measure the Hessian of a loss by all parameters; loss() > 0 in nats.

    Returns the loss and its logarithm, the greatest eigenvalue and its residual, the
    trace and its standard error, and eigenvalue and trace divided by the loss.
    """
    hessian = Hessian(loss, model)
    top = hessian.eigenvalues(1, tolerance=1e-3)
    trace = hessian.trace(SAMPLES)
    value = float(top.values[0])
    return {
        "loss": hessian.loss,
        "log_loss": math.log(hessian.loss),
        "top": value,
        "residual": float(top.residuals[0]),
        "trace": trace.value,
        "trace_error": trace.error,
        "top_per_loss": value / hessian.loss,
        "trace_per_loss": trace.value / hessian.loss,
    }


class Curve(NamedTuple):
    """Loss (nats) and error rate (%) at RADII."""

    losses: ndarray
    errors: ndarray


def along(
    training: Training, model: nn.Module, part: Part, direction: dict[str, ndarray]
) -> Curve:
    """Compute loss and errors on a part of the data at steps along a direction."""
    x, t = tensor(training.as_input(part.images)), tensor(part.labels)
    errors: list[float] = []

    def loss() -> Any:
        logits = model(x)
        wrong = logits.numpy().argmax(axis=1) != part.labels
        errors.append(100 * float(wrong.mean()))
        return F.cross_entropy(logits, t)

    losses = loss_curve(loss, model, direction, RADII)
    return Curve(losses, np.array(errors))


def along_random(
    training: Training, model: nn.Module, part: Part, seeds: Sequence[int], kind: str
) -> dict[str, list[float]]:
    """Average curves over random directions of a kind; see inspect.random_direction.

    Returns "loss" and "error" at RADII, and "std", that of the loss over directions.
    """
    curves = [
        along(training, model, part, random_direction(model, seed, kind))
        for seed in seeds
    ]
    losses = np.array([curve.losses for curve in curves])
    errors = np.array([curve.errors for curve in curves])
    return {
        "loss": losses.mean(axis=0).tolist(),
        "std": losses.std(axis=0, ddof=1).tolist(),
        "error": errors.mean(axis=0).tolist(),
    }

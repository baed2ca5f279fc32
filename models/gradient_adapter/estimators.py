"""Gradients that are estimated from values of a loss alone, without a backward pass.

N is the number of parameters, J the loss, e_i the i-th unit vector, c a step:

| function | estimate | losses |
| --- | --- | --- |
| weight_differences | (J(theta + c e_i) - J(theta - c e_i)) / 2c, for each i | 2 N |
| spsa | (J(theta + c D) - J(theta - c D)) / 2c / D, D_i = +-1 | 2 |
| gaussian_smoothing | (J(theta + c u) - J(theta - c u)) / 2c u, u normal | 2 |
| node_perturbation | (J(z + xi) - J(z)) xi / var(xi), of nets z | 2 |
| score_function | (J - b) d log p(h) / dz, of nets z of random units h | 1 |

The first two estimate the slope of J and are off by O(c^2), times third derivatives;
the others are unbiased for that of the mean of J over their noise, which there is even
where J has jumps.

A forward pass takes O(N) operations, so the first takes O(N^2), the others O(N). What
they save is paid for in noise. For a linear J the variance of a component of spsa is
the sum of the squares of all other slopes, so that of the whole is (N - 1) |slope|^2.

Sources: Kiefer & Wolfowitz 1952 (differences); Spall 1992, "Multivariate stochastic
approximation using a simultaneous perturbation gradient approximation"; Fiete & Seung
2006, "Gradient learning in spiking neural networks by dynamic perturbation of
conductances"; Williams 1992 (score function); Bengio, Leonard & Courville 2013.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minigrad.errors import ArgumentError, ShapeError, got

Floats = npt.NDArray[np.floating]
Loss = Callable[[Floats], float]
"""theta (N,) -> loss. It must not keep theta, whose elements change between calls."""
Run = Callable[[Sequence[Floats] | None], tuple[Floats, Sequence[Floats]]]
"""Noise on the nets of each layer, (B, n_out) each, or None -> the loss of each of B
examples (B,), and what each layer was given, (B, n_in) each."""


def weight_differences(loss: Loss, theta: Floats, step: float) -> Floats:
    """Central differences of theta (N,), one parameter at a time: 2 N losses.

    Exact for quadratic losses. Raises ArgumentError unless step > 0.

    >>> weight_differences(lambda x: x[0] ** 2 + 3 * x[1], np.array([1.0, 5.0]), 0.5)
    array([2., 3.])
    """
    theta = _parameters("weight_differences", theta, step)
    slope = np.empty_like(theta)
    for index, value in enumerate(theta):
        theta[index] = value + step
        above = loss(theta)
        theta[index] = value - step
        slope[index] = (above - loss(theta)) / (2 * step)
        theta[index] = value
    return slope


def spsa(loss: Loss, theta: Floats, step: float, rng: np.random.Generator) -> Floats:
    """Perturb all of theta (N,) at once, by +-step each with equal odds: 2 losses.

    Unbiased for quadratic losses. Both losses are to be of the same examples. Raises
    ArgumentError unless step > 0.

    >>> loss = lambda x: 2 * x[0]
    >>> spsa(loss, np.array([1.0]), 0.5, np.random.default_rng(0))
    array([2.])
    """
    theta = _parameters("spsa", theta, step)
    signs = 2.0 * rng.integers(2, size=theta.size) - 1
    # 1 / D is D.
    return _pair(loss, theta, signs, step)


def gaussian_smoothing(
    loss: Loss, theta: Floats, step: float, rng: np.random.Generator
) -> Floats:
    """Perturb theta (N,) by step u, u standard normal: 2 losses.

    Unbiased for the slope of E J(theta + step u), which there is for losses with jumps
    too. Raises ArgumentError unless step > 0.
    """
    theta = _parameters("gaussian_smoothing", theta, step)
    return _pair(loss, theta, rng.standard_normal(theta.size), step)


def _pair(loss: Loss, theta: Floats, direction: Floats, step: float) -> Floats:
    rise = loss(theta + step * direction) - loss(theta - step * direction)
    return rise / (2 * step) * direction


def node_perturbation(
    run: Run, widths: Sequence[int], scale: float, rng: np.random.Generator
) -> list[tuple[Floats, Floats]]:
    """Perturb the nets of all layers, of widths n_out, for each example: 2 losses.

    Returns of each layer the gradients of weight (n_out, n_in) and bias (n_out,), for
    the mean loss over examples, with noise of standard deviation scale on all nets.
    Unbiased for that, as layers' inputs are those under noise. Raises ArgumentError
    unless scale > 0.
    """
    _expect_step("node_perturbation", "scale", scale)
    losses, _ = run(None)
    noises = [scale * rng.standard_normal((len(losses), width)) for width in widths]
    noisy, inputs = run(noises)
    change = ((noisy - losses) / (scale**2 * len(losses)))[:, None]  # (B, 1)
    found: list[tuple[Floats, Floats]] = []
    for noise, given in zip(noises, inputs, strict=True):
        dz = change * noise
        found.append((dz.T @ given, dz.sum(axis=0)))
    return found


def score_function(
    losses: Floats, h: Floats, z: Floats, baseline: float | Floats = 0.0
) -> Floats:
    """Gradient (B, D) at nets z of random units h, each example's own: 1 loss.

    A unit is +1 with probability sigmoid(2 z), else -1, so that its mean is tanh(z) and
    d log p(h) / dz = h - tanh(z). losses is (B,). Unbiased for the slope of the
    expected loss, whatever the baseline, () or (D,), if it does not depend on h.
    Raises ShapeError if shapes disagree.
    """
    if h.shape != z.shape or losses.shape != z.shape[:1]:
        rule = "h of the shape (B, D) of z and losses (B,)"
        found = f"{h.shape}, z {z.shape} and losses {losses.shape}"
        raise ShapeError(got("score_function", "h has shape", found, rule))
    return (losses[:, None] - baseline) * (h - np.tanh(z))


def best_baseline(losses: Floats, h: Floats, z: Floats) -> Floats:
    """Baseline (D,) with which score_function varies least, from examples of equal z.

    E[e^2 J] / E[e^2], e = h - tanh(z). From the very examples that it is used on, it
    is a little biased.
    """
    squared = np.square(h - np.tanh(z))
    return (squared * losses[:, None]).sum(axis=0) / squared.sum(axis=0)


@dataclass(frozen=True)
class Gains:
    """Spall's sequences: rate a / (A + k)^0.602 and step c / k^0.101, k from 1.

    The exponents are the smallest with which SPSA provably converges.

    Attributes:
        rate: a, of gradient descent.
        step: c, the first step of the perturbation.
        stability: A; a tenth of all steps, by custom.

    >>> gains = Gains(rate=1.0, step=0.1, stability=9.0)
    >>> round(gains.rate_at(1), 3), gains.step_at(1)
    (0.25, 0.1)
    """

    rate: float
    step: float
    stability: float = 0.0

    def rate_at(self, number: int) -> float:
        """Learning rate of step number, from 1."""
        return self.rate / (self.stability + number) ** 0.602

    def step_at(self, number: int) -> float:
        """Perturbation of step number, from 1."""
        return self.step / number**0.101


def _parameters(who: str, theta: Floats, step: float) -> Floats:
    """Copy theta, or raise ShapeError or ArgumentError."""
    if theta.ndim != 1:
        rule = "(N,), all parameters in one vector"
        raise ShapeError(got(who, "theta has shape", theta.shape, rule))
    _expect_step(who, "step", step)
    return theta.copy()


def _expect_step(who: str, what: str, step: float) -> None:
    if not step > 0:
        raise ArgumentError(got(who, what, step, "a number above 0"))

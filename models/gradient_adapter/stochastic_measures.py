"""What bpga.stochastic measures: cost, variance and direction of estimators.

Directions are held against the slope of the smoothed loss, E J(theta + s u) with u
standard normal and s the step of the perturbation: J itself has no slope below a sign.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.random import generator
from models.experiments.data import examples_of
from models.experiments.pool import Job
from models.gradient_adapter.estimators import (
    Floats,
    gaussian_smoothing,
    spsa,
    weight_differences,
)
from models.gradient_adapter.measures.estimators import adapted, cosine
from models.gradient_adapter.measures.smoothed import (
    CHUNKS,
    Reference,
    compare,
    reference_of,
)
from models.gradient_adapter.stochastic_batch import Batch
from models.gradient_adapter.stochastic_training import (
    ARMS,
    EstimatedTraining,
    StochasticConfig,
    as_doubles,
    network,
)

ESTIMATORS = ("ste", "sste", "bpga", "differences", "spsa", "node")
COSTED = ("bpga", "differences", "spsa", "node")
SIZES = ("little", "middle", "large")
"""Names of the networks whose cost is measured, by config.widths."""
STEPS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
IMAGES = 200
"""So many training images, the first, give the loss at the common network."""
DRAWS = 200
"""Of SPSA, for its variance by size of the network."""
TIMED = 5
"""Estimates whose time is taken."""


def key_of(step: float) -> str:
    """Name of a step in records, without a dot.

    >>> key_of(0.1), key_of(1.0)
    ('1e-01', '1e+00')
    """
    return f"{step:.0e}"


def compared(training: EstimatedTraining, job: Job) -> dict[str, Any]:
    """Compare estimators at the trained network, and their cost by size.

    Returns "reference_error" (see smoothed.Reference), "estimators" and "by_step" (see
    below), "sizes" by name, and "exponents", with which cost grows with N.
    """
    images, labels = training.examples.train
    x = training.as_input(images[:IMAGES])
    batch = Batch(training.model, x, labels[:IMAGES])
    hidden = slice(0, hidden_count(batch))
    rng = generator(job.seed, "smoothed loss")
    slopes = smoothed(batch, job.config.step, job.config.points, rng)
    below, whole = reference_of(slopes[:, hidden]), reference_of(slopes)
    found = {
        "weights": batch.theta.size,
        "reference_error": below.error,
        "estimators": {
            name: _quality(name, training, batch, job, below, whole)
            for name in ESTIMATORS
        },
        "by_step": {
            key_of(step): by_step(batch, step, below, generator(job.seed, "by step"))
            for step in STEPS
        },
    }
    batch.write(batch.theta)
    sizes = {
        name: sized(job.config, width, job.seed)
        for name, width in zip(SIZES, job.config.widths, strict=True)
    }
    return {**found, "sizes": sizes, "exponents": exponents(list(sizes.values()))}


def hidden_count(batch: Batch) -> int:
    """Number of parameters that lie below a sign: all but the output layer's."""
    return batch.theta.size - batch.shapes[-2][0] * (batch.shapes[-2][1] + 1)


def smoothed(
    batch: Batch, scale: float, pairs: int, rng: np.random.Generator
) -> Floats:
    """Estimate the slope of the smoothed loss CHUNKS times, (CHUNKS, N)."""
    size = max(1, pairs // CHUNKS)
    found = np.zeros((CHUNKS, batch.theta.size))
    for chunk in found:
        for _ in range(size):
            chunk += gaussian_smoothing(batch.loss, batch.theta, scale, rng)
    return found / size


def _quality(
    name: str,
    training: EstimatedTraining,
    batch: Batch,
    job: Job,
    below: Reference,
    whole: Reference,
) -> dict[str, float]:
    """Take as many draws of an estimate as cost 2 N losses, one where none is random.

    Returns "draws"; "cosine", with the slope of the smoothed loss below the signs, mean
    over draws, and "mean_cosine", of their mean; "variance", of the whole estimate by
    the squared norm of that slope.
    """
    made, config = ARMS[name], job.config
    rng = generator(job.seed, f"draws of {name}")
    count = batch.theta.size if made.perturbs else 1
    batch.write(batch.theta)
    with adapted(training.model, made.adapter):
        draws = [made.estimate(batch, config, config.step, rng) for _ in range(count)]
    hidden = slice(0, below.slope.size)
    mean = np.mean(draws, axis=0)
    cosines = [compare(draw[hidden], below)["cosine"] for draw in draws]
    return {
        "draws": count,
        "cosine": float(np.mean(cosines)),
        "mean_cosine": compare(mean[hidden], below)["cosine"],
        "variance": variance(draws) / whole.norm**2,
    }


def variance(draws: Sequence[Floats]) -> float:
    """Sum over components of the sample variance; 0 of a single draw."""
    return float(np.var(draws, axis=0, ddof=1).sum()) if len(draws) > 1 else 0.0


def by_step(
    batch: Batch, step: float, below: Reference, rng: np.random.Generator
) -> dict[str, float]:
    """Weight differences, and the mean of N draws of SPSA, with one size of step.

    Returns "seen", the share of parameters below the signs that change the loss when
    they move by +-step; the cosines of both with the slope of the smoothed loss there,
    "differences" and "spsa"; and at the output layer, where the loss has a slope, the
    cosines with that, "differences_output" and "spsa_output", and the error of weight
    differences by the slope's norm, "output_error".
    """
    hidden = below.slope.size
    batch.write(batch.theta)
    exact = batch.backward()[hidden:]
    differences = weight_differences(batch.loss, batch.theta, step)
    draws = [spsa(batch.loss, batch.theta, step, rng) for _ in range(batch.theta.size)]
    mean = np.mean(draws, axis=0)
    error = np.linalg.norm(differences[hidden:] - exact) / np.linalg.norm(exact)
    return {
        "seen": float((differences[:hidden] != 0).mean()),
        "differences": compare(differences[:hidden], below)["cosine"],
        "spsa": compare(mean[:hidden], below)["cosine"],
        "differences_output": cosine(differences[hidden:], exact),
        "spsa_output": cosine(mean[hidden:], exact),
        "output_error": float(error),
    }


# -- cost ------------------------------------------------------------------------------


def cost(name: str, batch: Batch, config: Any) -> dict[str, Any]:
    """Count and time an estimate.

    Returns "losses", multiply-adds per example, "operations", and "step_seconds" of the
    processor.
    """
    rng = generator(0, "cost")
    before, seconds = batch.losses, list[float]()
    for _ in range(1 if name == "differences" else TIMED):
        started = time.process_time()
        batch.write(batch.theta)
        ARMS[name].estimate(batch, config, config.step, rng)
        seconds.append(time.process_time() - started)
    batch.write(batch.theta)
    losses = (batch.losses - before) // len(seconds)
    weights = sum(rows * columns for rows, columns in batch.shapes[::2])
    return {
        "losses": losses,
        "operations": losses * weights,
        "step_seconds": float(np.median(seconds)),
    }


def sized(config: StochasticConfig, width: int, seed: int) -> dict[str, Any]:
    """Cost of estimators in an untrained network of two hidden layers of a width.

    Returns "weights", N; the costs by estimator; "variance", that of SPSA: (N - 1)
    |slope|^2 if the loss were linear.
    """
    images, labels = examples_of(config).train
    x = as_doubles(images[: config.batch_size])
    model = network(config, "tanh", seed, hidden=(width, width))
    batch = Batch(model, x, labels[: config.batch_size])
    costs = {name: cost(name, batch, config) for name in COSTED}
    rng = generator(seed, "variance by size")
    draws = [spsa(batch.loss, batch.theta, config.step, rng) for _ in range(DRAWS)]
    return {"weights": batch.theta.size, **costs, "variance": variance(draws)}


def exponents(sizes: Sequence[Any]) -> dict[str, float]:
    """Powers of N with which operations, and SPSA's "variance", grow over sizes."""
    weights = [size["weights"] for size in sizes]
    found = {
        name: exponent(weights, [size[name]["operations"] for size in sizes])
        for name in COSTED
    }
    variances = [size["variance"] for size in sizes]
    return {**found, "variance": exponent(weights, variances)}


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Power p of values ~ sizes^p, by least squares of logarithms.

    >>> round(exponent([1, 2, 4], [3, 12, 48]), 6)
    2.0
    """
    x, y = np.log(sizes), np.log(values)
    x = x - x.mean()
    return float((x * y).sum() / (x * x).sum())

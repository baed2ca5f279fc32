"""Measures of the nodes of a trained network over the test images.

h (N, J) are the values of J nodes for N images, on the host.
"""

from collections.abc import Mapping
from typing import Any

import numpy
from numpy import ndarray

from minigrad.backend import to_host
from minigrad.inspect import node_correlations, outputs
from models.experiments.loop import Training

THRESHOLDS = (0.9, 0.8, 0.7, 0.6, 0.5)
"""Of |r|, in Table 1."""
R_EDGES = numpy.linspace(-1, 1, 81)
"""Of the histogram of r."""


def on_test_set(training: Training, *paths: str) -> dict[str, ndarray]:
    """Return path of a module -> its outputs (N, J) for all N test images.

    The network is put into evaluation mode, so dropout is off.
    """
    with outputs(training.model, *paths) as seen:
        training.accuracy(training.examples.test)
    return {
        path: numpy.concatenate([to_host(batch) for batch in batches])
        for path, batches in seen.items()
    }


def with_sawtooth(training: Training) -> dict[str, float]:
    """Test a network of GAAF with g in its values, in percent.

    nn.GAAF leaves g out of the value in evaluation; in training it is there.
    """
    test = training.examples.test
    return {"sawtooth_test_accuracy": training.accuracy(test, training=True)}


def above(threshold: float) -> str:
    """Name the count of pairs with |r| > threshold.

    >>> above(0.9)
    'above90'
    """
    return f"above{round(100 * threshold)}"


def correlations(h: ndarray, *, histogram: bool = False) -> dict[str, Any]:
    """Measure r of all pairs of nodes of h (N, J).

    Returns the number of pairs and of the constant nodes, which are in no pair; the
    pairs with |r| above each threshold; the mean of |r|; if asked, the histogram of r.
    """
    found = node_correlations(h)
    r = found.coefficients
    counts = {above(threshold): found.num_above(threshold) for threshold in THRESHOLDS}
    mean = float(numpy.abs(r).mean()) if len(r) else 0.0
    measured = {"pairs": len(r), "constant": found.constant, **counts, "mean": mean}
    if histogram:
        measured["histogram"] = numpy.histogram(r, R_EDGES)[0].tolist()
    return measured


def density(measured: Mapping[str, Any]) -> ndarray:
    """Density of r, by bin of the histogram that correlations returned."""
    counts = numpy.array(measured["histogram"])
    return counts / (max(measured["pairs"], 1) * numpy.diff(R_EDGES))


def within_classes(h: ndarray, labels: ndarray) -> ndarray:
    """Return h (N, J) less each node's mean over the images of the same label (N,)."""
    rest = h.astype("float64")
    for label in numpy.unique(labels):
        rest[labels == label] -= rest[labels == label].mean(axis=0)
    return rest

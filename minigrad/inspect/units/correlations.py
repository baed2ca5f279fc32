"""How alike the values of the nodes of a layer are.

Source: Hahn & Choi 2019, "Understanding Dropout as an Optimization Trick",
arXiv:1806.09783, table 1 and figure 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy
from numpy import ndarray

from minigrad.backend import array_module, to_host
from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.inspect.units._values import finite_values
from minigrad.kernels._arguments import is_real


@dataclass(frozen=True, eq=False)
class Correlations:
    """Pearson's r of every pair of nodes that vary.

    Attributes:
        coefficients: r in [-1, 1] of the pairs i < j, in the order (0, 1), (0, 2), ...,
            (1, 2), ...; one axis, float64, on the host.
        constant: how many nodes do not vary, for which r is not defined: no pair is
            one of theirs.
    """

    coefficients: ndarray
    constant: int

    def num_above(self, threshold: float) -> int:
        """Count the pairs with |r| > threshold."""
        if not is_real(threshold):
            found = repr(threshold)
            raise ArgumentError(got("num_above", "threshold", found, "a number"))
        return int(numpy.count_nonzero(numpy.abs(self.coefficients) > threshold))

    def __repr__(self) -> str:
        pairs = f"{len(self.coefficients)} pairs"
        return f"<Correlations: {pairs}, {self.constant} constant nodes>"


def node_correlations(h: Any) -> Correlations:
    """Correlate the values of nodes over inputs: h (N, J), an array or a Tensor.

    h has the values of J nodes for N inputs; r is computed in float64. Raises
    ShapeError unless h has two axes and N >= 2, ArgumentError where h is not finite.

    >>> import numpy
    >>> from minigrad import inspect
    >>> h = numpy.array([[0, 1, 5], [1, 0, 5], [2, 0, 5]])
    >>> found = inspect.node_correlations(h)
    >>> found.coefficients.round(3), found.constant, found.num_above(0.8)
    (array([-0.866]), 1, 1)
    """
    who = "node_correlations"
    h = finite_values(who, "h", h)
    if h.ndim != 2 or len(h) < 2:
        raise ShapeError(got(who, "h has shape", h.shape, "(N, J) with N >= 2"))
    xp = array_module(h)
    low, high = h.min(axis=0), h.max(axis=0)
    # Not by the variance: the mean of equal numbers may be off by a rounding.
    varies = low != high
    # From 0 to 1, so that no square leaves float64's range, and that what varies in the
    # last digits of large values is not lost. Halves, as the range itself may overflow.
    low, high = low[varies] / 2, high[varies] / 2
    z = (h[:, varies] / 2 - low) / (high - low)
    z = z - z.mean(axis=0)
    z = z / xp.sqrt((z * z).sum(axis=0))
    r = to_host(xp.clip(z.T @ z, -1, 1))
    pairs = numpy.triu(numpy.ones(r.shape, bool), 1)
    return Correlations(r[pairs], h.shape[1] - len(r))

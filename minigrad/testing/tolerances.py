"""The one table of how closely two computations must agree."""

from __future__ import annotations

from typing import Any, Final

import numpy

COMPLEX_STEP: Final = 1e-9
"""Of sum |term * v|: complex step against terms, both float64. Rounding alone leaves
about 1e-15; the rest is room for formulas that lose digits, such as tanh near 1."""

CENTRAL: Final = 1e-6
"""Of sum |term * v|: 4th-order central difference, step 1e-3, against terms."""

ROUNDINGS: Final = 64
"""Roundings, in units of eps, by which two evaluations of one formula may differ."""


def eps(dtype: Any) -> float:
    """Return the distance from 1 to the next number of dtype.

    >>> eps("float32")
    1.1920928955078125e-07
    """
    return float(numpy.finfo(dtype).eps)

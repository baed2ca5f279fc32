"""Derivatives of a function of arrays, taken without its backward.

Complex step: f(x + i h v) = f(x) + i h J v + O(h**2), so Im f / h is J v; nothing is
subtracted, so h = 1e-30 is exact to rounding (Squire & Trapp 1998, SIAM Rev. 40(1)).
It needs an analytic f. Where there is none, a central difference of order 4:
J v = (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / (12 h) + O(h**4).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import numpy
from numpy import ndarray
from numpy.exceptions import ComplexWarning

from minigrad.testing._values import largest, leaves

STEP: Final = 1e-30
CENTRAL_STEP: Final = 1e-3
"""Truncation h**4 and rounding eps / h are both about 1e-13 for inputs of order 1."""

KINK: Final = 1e-7
"""Stencils that disagree by more, relative to the largest slope, straddle a kink."""

Function = Callable[..., Any]
"""Arrays -> an array, or a tuple of them."""


class Slope(NamedTuple):
    """A directional derivative J v, one array an output."""

    parts: tuple[ndarray, ...]
    method: str
    kinked: bool = False
    why: str = ""
    """Why it is not by complex step."""

    def along(self, dy: Any) -> float:
        """Return <dy, J v>."""
        return sum(
            float(numpy.sum(weight * part))
            for weight, part in zip(leaves(dy), self.parts, strict=True)
        )


def moved(arrays: Sequence[ndarray], index: int, step: ndarray) -> list[ndarray]:
    """Return arrays with step added to the one at index."""
    result = list(arrays)
    result[index] = numpy.asarray(result[index] + step)
    return result


@contextmanager
def strictly_complex() -> Generator[None]:
    """Make an error of a cast to real numbers, which drops J v; nothing else warns."""
    with numpy.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", ComplexWarning)
        yield


def complex_step(
    f: Function, arrays: Sequence[ndarray], index: int, v: ndarray
) -> Slope | str:
    """Return J v for the input at index, or why f does not take complex input.

    All floats become complex, as f may demand one dtype of them.
    """
    wide = [a.astype(complex) if a.dtype.kind == "f" else a for a in arrays]
    with strictly_complex():
        try:
            y = leaves(f(*moved(wide, index, 1j * STEP * v)))
        except (TypeError, ComplexWarning) as error:
            return f"{type(error).__name__}: {error}"
    if all(part.dtype.kind != "c" for part in y):
        return "the result for complex input is real"
    return Slope(tuple(part.imag / STEP for part in y), "complex step")


def central_difference(
    f: Function, arrays: Sequence[ndarray], index: int, v: ndarray
) -> Slope:
    """Return J v for the input at index; kinked if other stencils disagree.

    A kink at the point itself, where a central difference is blind, shows between the
    two one-sided slopes; one beside it shows between two steps.
    """

    def at(t: float) -> tuple[ndarray, ...]:
        return leaves(f(*moved(arrays, index, t * CENTRAL_STEP * v)))

    values = [at(t) for t in (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)]
    parts: list[ndarray] = []
    kinked = False
    for line in zip(*values, strict=True):
        y = [numpy.asarray(value, numpy.float64) for value in line]
        fine, others = _stencils(y)
        size = largest(fine) + 1e-3 * largest(y[3])
        gap = max(largest(other - fine) for other in others)
        kinked = kinked or not gap <= KINK * size
        parts.append(fine)
    return Slope(tuple(parts), "central difference", kinked)


def _stencils(y: Sequence[ndarray]) -> tuple[ndarray, tuple[ndarray, ...]]:
    """Return the central slope of step h / 2, and three others, of y at 7 points."""
    fine = (8 * (y[4] - y[2]) - (y[5] - y[1])) / (6 * CENTRAL_STEP)
    coarse = (8 * (y[5] - y[1]) - (y[6] - y[0])) / (12 * CENTRAL_STEP)
    # Cubic through 0, h / 2, h, 2 h: weights of its slope at 0, times h.
    ahead = (-21 * y[3] + 32 * y[4] - 12 * y[5] + y[6]) / (6 * CENTRAL_STEP)
    behind = (21 * y[3] - 32 * y[2] + 12 * y[1] - y[0]) / (6 * CENTRAL_STEP)
    return fine, (coarse, ahead, behind)


def slope(f: Function, arrays: Sequence[ndarray], index: int, v: ndarray) -> Slope:
    """Return J v by complex step where f is analytic, else by central difference."""
    found = complex_step(f, arrays, index, v)
    if isinstance(found, Slope):
        return found
    return central_difference(f, arrays, index, v)._replace(why=found)


def jacobian(f: Function, arrays: Sequence[ndarray], index: int) -> list[ndarray]:
    """Return df/dx of the input at index, one (*y.shape, *x.shape) array an output."""
    x = arrays[index]
    columns: list[tuple[ndarray, ...]] = []
    for place in range(x.size):
        v = numpy.zeros(x.shape)
        v.reshape(-1)[place] = 1.0
        columns.append(slope(f, arrays, index, v).parts)
    outputs: list[ndarray] = []
    for parts in zip(*columns, strict=True):
        stacked = numpy.stack(parts, axis=-1)
        outputs.append(stacked.reshape(*parts[0].shape, *x.shape))
    return outputs

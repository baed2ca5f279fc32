"""What is measured of a signal between layers, and of a layer by what it changes.

Mean squares say how large a signal is: behind a layer y = W x with weights of mean 0
and variance v the variance is fan_in * v * E[x^2], whatever the mean of x is. Source:
He, Zhang, Ren & Sun 2015, "Delving Deep into Rectifiers", arXiv:1502.01852, eqs. 6-14.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy
from numpy import ndarray

from minigrad.backend import array_module
from minigrad.inspect.record.records import Target
from minigrad.inspect.record.sums import fetch
from minigrad.typing import Array, Shape


class Moments(NamedTuple):
    """Of all elements of a signal, in float64.

    Attributes:
        mean: their mean.
        variance: mean of (x - mean)^2.
        square: mean of x^2.
        zeros: share that is exactly 0, from 0 to 1; behind a relu the units that are
            off.
        dead: share of units, places of one example, that are 0 for all examples.
    """

    mean: float
    variance: float
    square: float
    zeros: float
    dead: float


def moments(x: Array) -> Moments:
    """Measure x (N, ...), examples along the first axis; NaN without elements."""
    xp = array_module(x)
    if not x.size:
        return Moments(*[numpy.nan] * len(Moments._fields))
    with numpy.errstate(all="ignore"):
        wide = x.astype("float64")
        mean = xp.mean(wide)
        centred = wide - mean
        silent = x == 0
        dead = xp.all(silent, axis=0) if x.ndim else silent
        found = (
            mean,
            xp.mean(centred * centred),
            xp.mean(wide * wide),
            xp.mean(silent.astype("float64")),
            xp.mean(dead.astype("float64")),
        )
    return Moments(*fetch([xp.asarray(value) for value in found]))


class Signal(NamedTuple):
    """What a layer is given or gives, and the gradient that comes back to it.

    Attributes:
        shape: (N, ...).
        moments: of its elements.
        gradient: the record of its gradient, with the edges and named terms that it is
            the sum of; None if none came.
    """

    shape: Shape
    moments: Moments
    gradient: Target | None

    @property
    def gradient_square(self) -> float | None:
        """Mean square of the gradient's elements: their variance, as if of mean 0."""
        if self.gradient is None:
            return None
        size = max(numpy.prod(self.gradient.shape, dtype=int), 1)
        return float(self.gradient.measures.norm**2 / size)


class Layer(NamedTuple):
    """One call of a module.

    Attributes:
        path, kind: path in the model, "" for the model itself; class.
        call: which of its calls, from 1.
        given: the first tensor that it was called with; None if that holds no floats.
        gave: the first tensor that it returned.
        singular_values: those of its Jacobian dy/dx at one example, falling, float64 on
            the host; None unless they were asked for.
    """

    path: str
    kind: str
    call: int
    given: Signal | None
    gave: Signal
    singular_values: ndarray | None

    @property
    def title(self) -> str:
        """The path, or the class of the model itself; `#2` behind a second call."""
        name = self.path or self.kind
        return name if self.call == 1 else f"{name}#{self.call}"

    @property
    def gain(self) -> float | None:
        """Mean square of what it gave / of what it was given; None if undefined."""
        if self.given is None:
            return None
        return _ratio(self.gave.moments.square, self.given.moments.square)

    @property
    def gradient_gain(self) -> float | None:
        """The same of gradients, backward: at what it was given / at what it gave.

        What other layers send to what it was given is counted, too.
        """
        if self.given is None:
            return None
        return _ratio(self.given.gradient_square, self.gave.gradient_square)


def _ratio(above: float | None, below: float | None) -> float | None:
    if above is None or below is None or not numpy.isfinite([above, below]).all():
        return None
    return above / below if below > 0 else None

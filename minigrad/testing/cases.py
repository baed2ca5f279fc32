"""What a kernel is checked on: arrays drawn from one seed, and parameters.

An input is described by a domain and its axes: `positive(3, "D")`. Axes are lengths, or
letters that `kernel_cases` gives lengths to. A case prints as the line that makes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy

from minigrad.backend import backend_of, to_backend
from minigrad.errors import ArgumentError, got
from minigrad.typing import Array, Shape


class Input(NamedTuple):
    """How one array is drawn: the domain's name, its axes and its limits."""

    domain: str
    axes: tuple[int | str, ...]
    low: float | None = None
    high: float | str | None = None

    def __repr__(self) -> str:
        words = [repr(axis) for axis in self.axes]
        limits = {"low": self.low, "high": self.high}
        words += [f"{name}={v!r}" for name, v in limits.items() if v is not None]
        return f"{self.domain}({', '.join(words)})"


def normal(*axes: int | str) -> Input:
    """Draw from the standard normal distribution; float64.

    >>> Case.draw(0, x=normal(2)).arrays[0].round(3)
    array([ 0.126, -0.132])
    """
    return Input("normal", axes)


def positive(*axes: int | str) -> Input:
    """Draw evenly from [0.5, 2]; float64.

    >>> Case.draw(0, x=positive(2)).arrays[0].round(3)
    array([1.455, 0.905])
    """
    return Input("positive", axes)


def away_from_zero(*axes: int | str) -> Input:
    """Draw evenly from [-2, -0.5] and [0.5, 2]; float64.

    >>> Case.draw(0, x=away_from_zero(2)).arrays[0].round(3)
    array([-1.455, -0.905])
    """
    return Input("away_from_zero", axes)


def between(*axes: int | str, low: float, high: float) -> Input:
    """Draw evenly from [low, high); float64.

    >>> Case.draw(0, x=between(2, low=0.0, high=0.1)).arrays[0].round(3)
    array([0.064, 0.027])
    """
    return Input("between", axes, low, high)


def integers(*axes: int | str, high: int | str, low: int = 0) -> Input:
    """Draw integers from [low, high); high may be a letter: that axis's length; int64.

    >>> Case.draw(0, t=integers(4, high=3)).arrays[0]
    array([2, 1, 1, 0])
    """
    return Input("integers", axes, low, high)


def booleans(*axes: int | str) -> Input:
    """Draw True and False with equal chance; bool.

    >>> Case.draw(0, mask=booleans(3)).arrays[0]
    array([ True,  True,  True])
    """
    return Input("booleans", axes)


def _values(rng: numpy.random.Generator, source: Input) -> numpy.ndarray:
    shape: Any = source.axes
    low, high = source.low, source.high
    match source.domain:
        case "normal":
            values: Any = rng.standard_normal(shape)
        case "positive":
            values = rng.uniform(0.5, 2.0, shape)
        case "away_from_zero":
            values = rng.uniform(0.5, 2.0, shape) * rng.choice([-1.0, 1.0], shape)
        case "between":
            values = rng.uniform(low, high, shape)  # type: ignore[arg-type]
        case "integers":
            values = rng.integers(low, high, shape)  # type: ignore[call-overload]
        case "booleans":
            values = rng.integers(0, 2, shape).astype(bool)
        case other:
            rule = "normal, positive, away_from_zero, between, integers or booleans"
            raise ArgumentError(got("Case.draw", "domain", repr(other), rule))
    return numpy.asarray(values)


@dataclass(frozen=True, repr=False)
class Case:
    """One point at which a kernel is checked.

    Attributes:
        arrays: the kernel's inputs in order; float64, int64 or bool, on the host.
        params: keyword arguments of the kernel.
        seed: what cotangents and directions are drawn from.
        recipe: input name -> how it was drawn; empty for arrays made by hand.
    """

    arrays: tuple[numpy.ndarray, ...]
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    seed: int = 0
    recipe: Mapping[str, Input] = field(default_factory=dict[str, Input])

    @classmethod
    def draw(
        cls, seed: int, *, params: Mapping[str, Any] | None = None, **inputs: Input
    ) -> Self:
        """Draw the arrays of inputs, in the order given, from default_rng(seed).

        >>> Case.draw(7, x=normal(2, 3), mask=booleans(3))
        Case.draw(7, x=normal(2, 3), mask=booleans(3))
        """
        return cls(_drawn(seed, inputs), dict(params or {}), seed, inputs)

    def cotangent(self, y: Any) -> Any:
        """Draw dy from the seed: normal, of y's shape, dtype and backend, never ones.

        A NamedTuple of several outputs gives a NamedTuple of cotangents.
        """
        rng = numpy.random.default_rng((self.seed, 1))
        if isinstance(y, tuple):
            return type(y)(*(_like(rng, part) for part in y))  # type: ignore[call-arg]
        return _like(rng, y)

    def __repr__(self) -> str:
        params = f", params={dict(self.params)!r}" if self.params else ""
        if self.recipe and self._is_as_drawn():
            drawn = ", ".join(f"{name}={how!r}" for name, how in self.recipe.items())
            return f"Case.draw({self.seed}{params}, {drawn})"
        arrays = ", ".join(_literal(array) for array in self.arrays)
        return f"Case(({arrays},){params}, seed={self.seed})"

    def _is_as_drawn(self) -> bool:
        """Tell whether the recipe still gives the arrays: they may be replaced."""
        pairs = zip(_drawn(self.seed, self.recipe), self.arrays, strict=False)
        return all(numpy.array_equal(one, other) for one, other in pairs)


def _drawn(seed: int, recipe: Mapping[str, Input]) -> tuple[numpy.ndarray, ...]:
    rng = numpy.random.default_rng(seed)
    return tuple(_values(rng, source) for source in recipe.values())


def _like(rng: numpy.random.Generator, y: Array) -> Array:
    values = numpy.asarray(rng.standard_normal(y.shape)).astype(y.dtype)
    return to_backend(values, backend_of(y).name)


def _literal(array: numpy.ndarray) -> str:
    if array.size > 64:
        return f"<{array.dtype} array of shape {array.shape}>"
    text = f"numpy.array({array.tolist()!r}, {str(array.dtype)!r})"
    return f"{text}.reshape({array.shape})" if array.size == 0 else text


def shapes_of(inputs: Mapping[str, Input]) -> dict[str, Shape]:
    """Return the shapes of inputs whose axes are all lengths."""
    return {name: tuple(map(int, how.axes)) for name, how in inputs.items()}

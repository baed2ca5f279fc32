"""Says what is probably wrong with a gradient, from the true Jacobian.

Each guess is a hypothesis about the mistake that predicts every element of the gradient
for several cotangents; only one that does so to six digits is said.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy
from numpy import ndarray

from minigrad.testing._values import largest, magnitude, total

AGREE: Final = 1e-6
"""Of the largest magnitude: a guess that fits no better is no explanation."""


@dataclass(frozen=True)
class Evidence:
    """What several cotangents gave for one input x at one point.

    Attributes:
        terms: name -> (R, *x.shape), one row a cotangent.
        cotangents: R tuples, one array an output.
        jacobians: one (*y.shape, *x.shape) array an output.
        arrays: name -> array: the inputs, and what was saved.
    """

    terms: Mapping[str, ndarray]
    cotangents: Sequence[tuple[ndarray, ...]]
    jacobians: Sequence[ndarray]
    arrays: Mapping[str, ndarray]

    def pulled(self, cotangents: Sequence[tuple[ndarray, ...]]) -> ndarray:
        """Return the true gradient (R, *x.shape) for other cotangents."""
        return numpy.stack([self._pull(dy) for dy in cotangents])

    def _pull(self, dy: tuple[ndarray, ...]) -> ndarray:
        parts = zip(dy, self.jacobians, strict=True)
        return numpy.asarray(sum(numpy.tensordot(d, j, d.ndim) for d, j in parts))

    @property
    def gradient(self) -> ndarray:
        """The true gradient (R, *x.shape)."""
        return self.pulled(self.cotangents)

    @property
    def found(self) -> ndarray:
        """The sum of the terms (R, *x.shape)."""
        return total(self.terms)

    def explains(self, guess: ndarray, wanted: ndarray) -> bool:
        """Tell whether guess equals wanted to six digits of what is at stake."""
        scale = max(largest(magnitude(self.terms)), largest(self.gradient))
        return guess.shape == wanted.shape and largest(guess - wanted) <= AGREE * scale


def likely_cause(evidence: Evidence) -> str:
    """Return the first guess that explains the found gradient, in words."""
    guesses = (
        _zeros,
        _factor,
        _one_term,
        _transposed,
        _summed_too_little,
        _summed_too_much,
    )
    for guess in guesses:
        said = guess(evidence)
        if said:
            return said
    return _missing_path(evidence)


def _zeros(e: Evidence) -> str:
    return "" if e.found.any() else "zeros are returned where the gradient is not zero"


def _fit(wanted: ndarray, given: ndarray) -> float:
    """Return the c for which c * given is closest to wanted."""
    square = float(numpy.sum(given * given))
    return float(numpy.sum(wanted * given)) / square if square else 0.0


def _factor(e: Evidence) -> str:
    """Guess found = c * gradient."""
    gradient, found = e.gradient, e.found
    c = _fit(found, gradient)
    if not e.explains(c * gradient, found) or not c:
        return ""
    if gradient.size <= 4 and not _is_simple(c):
        # One number in four cotangents is a multiple of anything.
        return ""
    sign = "wrong sign" if c < 0 else ""
    if abs(abs(c) - 1) < AGREE:
        return sign
    size = abs(c)
    text = (
        f"{size:.6g} times too large" if size > 1 else f"{1 / size:.6g} times too small"
    )
    return " and ".join(filter(None, [sign, text + _known_length(e, size)]))


def _is_simple(c: float) -> bool:
    """Tell whether c is an integer or one over an integer."""
    size = max(abs(c), 1 / abs(c))
    return abs(size - round(size)) < AGREE * size


def _known_length(e: Evidence, size: float) -> str:
    """Name the axis whose length the factor is."""
    count = max(size, 1 / size)
    owners = [("x", e.found.shape[1:])]
    owners += [("y", d.shape) for d in e.cotangents[0]]
    for owner, shape in owners:
        for axis, length in enumerate(shape):
            if length > 1 and abs(count - length) < AGREE * length:
                verb = "a sum where a mean" if size > 1 else "a mean where a sum"
                whose = "the input" if owner == "x" else "the output"
                return (
                    f", {length} being the length of axis {axis} of {whose}: "
                    f"perhaps {verb} belongs"
                )
    return ""


def _one_term(e: Evidence) -> str:
    """Guess that one term is off by a factor, the others right."""
    if len(e.terms) < 2:
        return ""
    rest = e.gradient - e.found
    for name, term in e.terms.items():
        c = _fit(rest, term)
        if not c or not e.explains(c * term, rest):
            continue
        right = 1 + c
        if abs(right) < AGREE:
            return f"term {name} should not be there: without it the gradient is right"
        if abs(right + 1) < AGREE:
            return f"term {name} has the wrong sign"
        if right > 1:
            return f"term {name} is {right:.6g} times too small"
        return f"term {name} must be multiplied by {right:.6g}"
    return ""


def rearranged(array: ndarray) -> Iterator[tuple[str, ndarray]]:
    """Yield array (R, *x.shape) with axes of x permuted or reversed, and how."""
    axes = range(1, array.ndim)
    if array.ndim <= 5:
        for order in itertools.permutations(axes):
            if order != tuple(axes):
                listed = tuple(axis - 1 for axis in order)
                yield (
                    f"transposed: its axes come in the order {listed}",
                    array.transpose(0, *order),
                )
    for axis in axes:
        yield f"reversed along axis {axis - 1}", numpy.flip(array, axis)
        yield f"shifted by one along axis {axis - 1}", numpy.roll(array, 1, axis)
        yield f"shifted by one along axis {axis - 1}", numpy.roll(array, -1, axis)


def _transposed(e: Evidence) -> str:
    gradient, found = e.gradient, e.found
    for how, array in rearranged(found):
        if e.explains(array, gradient):
            return f"the gradient is {how}"
    if len(e.terms) > 1:
        for name, term in e.terms.items():
            wanted = gradient - (found - term)
            for how, array in rearranged(term):
                if e.explains(array, wanted):
                    return f"term {name} is {how}"
    return ""


def _summed_too_little(e: Evidence) -> str:
    """Guess that only one slice of an axis of dy arrives."""
    first = e.cotangents[0]
    # Of one output alone, or of all of them alike.
    several = [(output,) for output in range(len(first))]
    for outputs in (*several, tuple(range(len(first)))):
        for axis, length in enumerate(first[outputs[0]].shape):
            for entry in {0, length - 1} if length > 1 else ():
                only = [_sliced(row, outputs, axis, entry) for row in e.cotangents]
                if e.explains(e.pulled(only), e.found):
                    return (
                        f"a sum over axis {axis} of dy is missing: only entry {entry} "
                        "of it arrives"
                    )
    return ""


def _sliced(
    dy: tuple[ndarray, ...], outputs: tuple[int, ...], axis: int, entry: int
) -> tuple[ndarray, ...]:
    """Zero dy except for one entry along axis of each of outputs that has the axis."""
    kept = tuple(numpy.zeros_like(part) for part in dy)
    place = (slice(None),) * axis + (slice(entry, entry + 1),)
    for output in outputs:
        if axis < dy[output].ndim:
            kept[output][place] = dy[output][place]
    return kept


def _summed_too_much(e: Evidence) -> str:
    """Guess that it was summed or averaged over an axis that the input has."""
    gradient, found = e.gradient, e.found
    for axis in range(1, gradient.ndim):
        if gradient.shape[axis] == 1:
            continue
        for verb, merge in (("summed", numpy.sum), ("averaged", numpy.mean)):
            merged = merge(gradient, axis=axis, keepdims=True)
            if e.explains(numpy.broadcast_to(merged, gradient.shape), found):
                return f"it is {verb} over axis {axis - 1}, which the input has"
    return ""


def _missing_path(e: Evidence) -> str:
    """Describe what is missing: constant along an axis, or parallel to an array."""
    rest = e.gradient - e.found
    head = f"a term of norm {numpy.linalg.norm(rest[0]):.3g} is missing"
    for axis in reversed(range(1, rest.ndim)):
        if rest.shape[axis] < 2:
            continue
        mean = numpy.mean(rest, axis=axis, keepdims=True)
        if e.explains(numpy.broadcast_to(mean, rest.shape), rest):
            return (
                f"{head}: it is constant along axis {axis - 1}, as a path through a "
                "mean or sum is"
            )
    for axis in reversed(range(1, rest.ndim)):
        if rest.shape[axis] < 3:
            continue
        for name, array in e.arrays.items():
            if array.shape != rest.shape[1:]:
                continue
            square = numpy.sum(array * array, axis=axis - 1, keepdims=True)
            along = numpy.sum(rest * array, axis=axis, keepdims=True) / (
                square + 1e-300
            )
            if e.explains(along * array, rest):
                return (
                    f"{head}: along axis {axis - 1} it is parallel to {name}, as a "
                    f"path through a norm or variance is"
                )
    return f"{head}, or one of the terms is wrong"

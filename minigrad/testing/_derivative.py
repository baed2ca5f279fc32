"""Law 1: what claims to be a gradient is that of the function it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy
from numpy import ndarray

from minigrad.errors import GradientCheckError
from minigrad.testing._diagnosis import Evidence, likely_cause
from minigrad.testing._values import leaves, magnitude, total
from minigrad.testing.cases import Case
from minigrad.testing.differences import (
    Function,
    Slope,
    central_difference,
    complex_step,
    jacobian,
)
from minigrad.testing.tolerances import CENTRAL, COMPLEX_STEP, ROUNDINGS, eps

REDRAWS: Final = 20
"""Points tried before a kink at every one of them is reported instead of a verdict."""

JACOBIAN_LIMIT: Final = 1 << 20
"""Elements of the Jacobian up to which a failure is explained; 8 MB, under a second."""

COTANGENTS: Final = 4
"""Cotangents that an explanation must fit: one number alone is a multiple of any."""


@dataclass(frozen=True)
class Claim:
    """That terms sum to the gradient of <dy, f> by the input at index.

    Attributes:
        name: the input's name.
        index: its position among arrays.
        case: arrays (floats as float64) and seed.
        f: arrays -> y.
        terms: (arrays, dy) -> {term: array of the input's shape}.
        fail: words a failure from a sentence, a cause and details.
        held: arrays by name that a missing term may be parallel to.
        cancels: whether the terms show their cancellation; if not, the products in
            <dy, J v> say how large roundings may be.
    """

    name: str
    index: int
    case: Case
    f: Function
    terms: Callable[[Sequence[ndarray], Any], Mapping[str, ndarray]]
    fail: Callable[[str, str, Sequence[str]], GradientCheckError]
    held: Mapping[str, ndarray]
    cancels: bool = True


class Verdict(NamedTuple):
    """How one input's derivative was taken, and what is to be said about it."""

    method: str
    redraws: int = 0
    said: str = ""


def check_claim(claim: Claim) -> Verdict:
    """Compare <dy, J v> with <sum of terms, v>; raise GradientCheckError on failure.

    Where f is not analytic and a kink lies within the step, other points near by are
    tried; if all have kinks, the verdict says so and nothing is raised.
    """
    arrays = claim.case.arrays
    rng = numpy.random.default_rng((claim.case.seed, 2, claim.index))
    v = numpy.asarray(rng.standard_normal(arrays[claim.index].shape))
    found = complex_step(claim.f, arrays, claim.index, v)
    if isinstance(found, Slope):
        _compare(claim, arrays, v, found)
        return Verdict(found.method)
    said = f"it takes no complex input ({found})"
    for redraw in range(REDRAWS + 1):
        slope = central_difference(claim.f, arrays, claim.index, v)
        if not slope.kinked:
            _compare(claim, arrays, v, slope)
            return Verdict(slope.method, redraw, said)
        arrays = tuple(nudged(array, rng) for array in claim.case.arrays)
    return Verdict("kinks everywhere", REDRAWS, f"{said}; every point tried has a kink")


def nudged(array: ndarray, rng: numpy.random.Generator) -> ndarray:
    """Move floats by a few per cent, which leaves positive ones positive."""
    if array.dtype.kind != "f":
        return array
    return array * (1 + 0.03 * numpy.asarray(rng.standard_normal(array.shape)))


def _compare(claim: Claim, arrays: Sequence[ndarray], v: ndarray, slope: Slope) -> None:
    dy = claim.case.cotangent(claim.f(*arrays))
    terms = claim.terms(arrays, dy)
    expected, found = slope.along(dy), float(numpy.sum(total(terms) * v))
    scale = float(numpy.sum(magnitude(terms) * numpy.abs(v)))
    if not claim.cancels:
        parts = zip(leaves(dy), slope.parts, strict=True)
        scale += sum(float(numpy.sum(numpy.abs(d * part))) for d, part in parts)
    # Both sides may vanish exactly, where only the roundings of the products are left.
    squares = sum(float(numpy.sum(part * part)) for part in leaves(dy))
    floor = ROUNDINGS * eps("float64") * (squares * float(numpy.sum(v * v))) ** 0.5
    factor = CENTRAL if slope.method == "central difference" else COMPLEX_STEP
    if not abs(expected - found) <= factor * scale + floor:
        raise _refusal(claim, arrays, v, slope, expected, found)


def _refusal(
    claim: Claim,
    arrays: Sequence[ndarray],
    v: ndarray,
    slope: Slope,
    expected: float,
    found: float,
) -> GradientCheckError:
    """Word the disagreement, with the true gradient and the likely cause."""
    x, y = arrays[claim.index], claim.f(*arrays)
    what = (
        f"input {claim.name}: <sum of its terms, v> is {found:.6g}, "
        f"expected <dy, J v> = {expected:.6g}"
    )
    details = [
        f"<dy, J v> by {slope.method}: {expected:.15g}",
        f"<sum of terms, v>: {found:.15g}",
        f"input {claim.name} {x.shape}, float64, backend numpy",
    ]
    if x.size * sum(part.size for part in leaves(y)) > JACOBIAN_LIMIT:
        return claim.fail(what, "not sought: the case is too large", details)
    evidence = _evidence(claim, arrays, y)
    details += _measured(evidence)
    if slope.method == "complex step":
        slope = central_difference(claim.f, arrays, claim.index, v)
        gap = abs(slope.along(claim.case.cotangent(y)) - found)
        if gap <= CENTRAL * (1 + abs(found)):
            cause = (
                "forward is not analytic (abs, conj, real or var of a complex array?): "
                "a central difference agrees with the terms, the complex step does not"
            )
            return claim.fail(what, cause, details)
    return claim.fail(what, likely_cause(evidence), details)


def _evidence(claim: Claim, arrays: Sequence[ndarray], y: Any) -> Evidence:
    """Gather the terms for several cotangents, the first being the case's own."""
    seeds = [claim.case.seed + shift for shift in range(COTANGENTS)]
    cotangents = [replace(claim.case, seed=seed).cotangent(y) for seed in seeds]
    rows = [claim.terms(arrays, dy) for dy in cotangents]
    return Evidence(
        terms={term: numpy.stack([row[term] for row in rows]) for term in rows[0]},
        cotangents=[leaves(dy) for dy in cotangents],
        jacobians=jacobian(claim.f, arrays, claim.index),
        arrays=claim.held,
    )


def _measured(evidence: Evidence) -> list[str]:
    """List the norm of each term, and the element that is most wrong."""
    lines = [
        f"norm of term {term}: {numpy.linalg.norm(rows[0]):.6g}"
        for term, rows in evidence.terms.items()
    ]
    gradient, found = evidence.gradient[0], evidence.found[0]
    gap = numpy.nan_to_num(numpy.abs(found - gradient), nan=numpy.inf)
    worst = numpy.unravel_index(int(numpy.argmax(gap)), gradient.shape)
    place = [int(position) for position in worst]
    return [
        *lines,
        f"worst element {place}: {found[worst]:.9g}, expected {gradient[worst]:.9g}",
    ]

"""Law 7: rules are analytic, so that complex step differentiates the gradient, too.

What a rule gives at x + ihv has to be what forward's formula gives there: then Im / h
of the gradient is its derivative along v, and second order needs no further rule. It is
compared with a central difference, to six digits, and by the symmetry of second
derivatives, <u, H v> = <v, H u>, to nine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy
from numpy import ndarray
from numpy.exceptions import ComplexWarning

from minigrad.kernels._spec import NotAGradient
from minigrad.testing._derivative import REDRAWS, nudged
from minigrad.testing._laws import compare
from minigrad.testing._subject import Outcome, Subject
from minigrad.testing._values import largest, leaves, magnitude, mapped, total
from minigrad.testing.differences import STEP, strictly_complex
from minigrad.testing.tolerances import CENTRAL, COMPLEX_STEP, ROUNDINGS, eps

NEAR: Final = 1e-6
"""Step of the central difference: truncation NEAR**2 and rounding eps / NEAR are both
far below CENTRAL, and few kinks lie within it. It must be shorter than from one kink to
the next."""

CAUSE: Final = (
    "the rule is not analytic: it takes abs, conj, real, imag or a comparison of whole "
    "complex numbers, or a path for real arrays computes something else"
)


class Direction(NamedTuple):
    """What every array moves along, zeros for those that stay, and what dy does."""

    arrays: list[Any]
    dy: Any


def check_analytic(
    subject: Subject, reference: Outcome, dy: Any, slack: dict[int, float]
) -> str:
    """Compare gradients at complex inputs with derivatives of those at real ones.

    Returns why that could not be done, or "".
    """
    rng = numpy.random.default_rng((subject.case.seed, 4))
    arrays = subject.arrays
    one, two = (_direction(subject, dy, rng) for _ in range(2))
    found = _off_axis(subject, arrays, dy, one)
    real = Outcome(
        tuple(map(numpy.real, found.y)),
        {at: _real(terms) for at, terms in found.terms.items()},
        _real(found.totals),
        found.spreads,
    )
    # Real parts are off by h**2 times second derivatives, also where they are to be 0.
    room = {key: move + STEP for key, move in slack.items()}
    compare(subject, real, reference, "float64", "complex input against real", room)
    _expect_fused(subject, found)
    _expect_symmetry(subject, dy, one, two, found)
    for _ in range(REDRAWS + 1):
        if _has_derivative(subject, arrays, dy, one, found):
            return ""
        arrays = tuple(nudged(array, rng) for array in arrays)
        found = _off_axis(subject, arrays, dy, one)
    return "its derivative was not checked: every point tried has a kink"


def _direction(subject: Subject, dy: Any, rng: numpy.random.Generator) -> Direction:
    """Draw a direction of the checked inputs and dy."""

    def draw(array: ndarray) -> ndarray:
        return numpy.asarray(rng.standard_normal(array.shape))

    arrays: list[Any] = [
        draw(array) if at in subject.checked else numpy.zeros(array.shape)
        for at, array in enumerate(subject.arrays)
    ]
    return Direction(arrays, mapped(draw, dy))


def _moved(
    arrays: Sequence[ndarray], dy: Any, direction: Direction, step: complex
) -> tuple[list[ndarray], Any]:
    """Return arrays and dy, moved by step along direction; integers stay."""

    def move(array: ndarray, v: ndarray) -> ndarray:
        return numpy.asarray(array + step * v) if array.dtype.kind == "f" else array

    pairs = zip(arrays, direction.arrays, strict=True)
    return [move(array, v) for array, v in pairs], mapped(move, dy, direction.dy)


def _off_axis(
    subject: Subject, arrays: Sequence[ndarray], dy: Any, direction: Direction
) -> Outcome:
    """Evaluate at x + ihv, where a cast to real numbers is an error."""
    with strictly_complex():
        try:
            return subject.evaluate(*_moved(arrays, dy, direction, 1j * STEP))
        except (TypeError, ComplexWarning) as error:
            raise subject.fail(
                "the rules raise for complex input, expected what forward takes: "
                f"{type(error).__name__}: {error}",
                CAUSE,
            ) from error


def _real(values: dict[Any, ndarray]) -> dict[Any, ndarray]:
    return {key: numpy.real(value) for key, value in values.items()}


def _slope(value: ndarray) -> ndarray:
    return numpy.imag(value) / STEP


def _expect_fused(subject: Subject, found: Outcome) -> None:
    """`fused` must equal the terms' sum off the real axis as on it."""
    for index in subject.checked:
        terms = {term: _slope(v) for term, v in found.terms[index].items()}
        gap = largest(_slope(found.totals[index]) - total(terms))
        if not gap <= COMPLEX_STEP * (1 + largest(magnitude(terms))):
            raise subject.fail(
                f"fused gradient of input {subject.names[index]} is off by {gap:.3g} "
                "in its derivative by complex step, expected the sum of the terms",
                "the fused rule is not analytic, or the terms are not",
            )


def _expect_symmetry(
    subject: Subject, dy: Any, one: Direction, two: Direction, found: Outcome
) -> None:
    """The second derivatives of <dy, y> by all inputs and dy must be symmetric."""
    across = _off_axis(subject, subject.arrays, dy, two)
    (left, size), (right, other) = (
        _product(subject, dy, here, there, outcome)
        for here, there, outcome in ((two, one, found), (one, two, across))
    )
    # Both may vanish, where only roundings of the sums are left.
    floor = ROUNDINGS * eps("float64") * sum(found.spreads.values())
    floor *= sum(float(numpy.sum(numpy.abs(u))) for u in (*one.arrays, *two.arrays))
    if not abs(left - right) <= COMPLEX_STEP * (size + other) + floor:
        raise subject.fail(
            f"<u, H v> is {left:.15g} and <v, H u> {right:.15g}, expected the same "
            "for the second derivatives H of <dy, y>",
            CAUSE,
        )


def _product(
    subject: Subject, dy: Any, u: Direction, v: Direction, at_v: Outcome
) -> tuple[float, float]:
    """Return <u, H v>, and the same of the magnitudes of all terms."""
    y = at_v.y
    surrogate = subject.kernel.gradient_of
    if surrogate is not None and not isinstance(surrogate, NotAGradient):
        with strictly_complex():
            arrays, _ = _moved(subject.arrays, dy, v, 1j * STEP)
            y = leaves(surrogate(*arrays, **subject.params))
    whole = size = 0.0
    for at in subject.checked:
        terms = {term: _slope(value) for term, value in at_v.terms[at].items()}
        whole += float(numpy.sum(u.arrays[at] * _slope(at_v.totals[at])))
        size += float(numpy.sum(numpy.abs(u.arrays[at]) * magnitude(terms)))
    for s, part in zip(leaves(u.dy), y, strict=True):
        whole += float(numpy.sum(s * _slope(part)))
        size += float(numpy.sum(numpy.abs(s * _slope(part))))
    return whole, size


def _has_derivative(
    subject: Subject,
    arrays: Sequence[ndarray],
    dy: Any,
    direction: Direction,
    found: Outcome,
) -> bool:
    """Compare Im / h with a central difference; False where that meets a kink."""
    ahead, behind = (
        subject.evaluate(*_moved(arrays, dy, direction, step)) for step in (NEAR, -NEAR)
    )
    smooth = True
    for index in subject.checked:
        # Of what is summed, not of the sum, which may vanish but for its roundings.
        size = found.spreads[index]
        lines = (_gradients(subject, index, it) for it in (ahead, behind, found))
        for (what, after), (_, before), (_, here) in zip(*lines, strict=True):
            wanted = (after - before) / (2 * NEAR)
            gap = numpy.abs(_slope(here) - wanted)
            off = ~(gap <= CENTRAL * (size + largest(wanted)))
            # Where slopes to both sides differ by as much, it is a kink's doing.
            bend = numpy.abs(after + before - 2 * numpy.real(here)) / NEAR
            if (off & ~(bend >= gap)).any():
                raise subject.fail(
                    f"{what} has by complex step a derivative that is off by "
                    f"{largest(gap):.3g}, expected that of a central difference",
                    CAUSE,
                )
            smooth = smooth and not off.any()
    return smooth


def _gradients(
    subject: Subject, index: int, outcome: Outcome
) -> Iterator[tuple[str, ndarray]]:
    """Walk over the terms of an input and their sum, named as errors name them."""
    name = subject.names[index]
    for term, value in outcome.terms[index].items():
        yield f"term {term} of input {name}", value
    yield f"the gradient of input {name}", outcome.totals[index]

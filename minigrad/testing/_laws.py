"""The laws besides purity and derivatives: what a kernel must not depend on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy
from numpy import ndarray

from minigrad.errors import GraphError
from minigrad.testing._subject import Outcome, Subject, spread
from minigrad.testing._values import cast, largest, leaves, mapped, total
from minigrad.testing.tolerances import COMPLEX_STEP, ROUNDINGS, eps

Y: Final = -1
"""Key of y among the inputs' positions, in what `sensitivity` returns."""


def check_refusals(subject: Subject) -> None:
    """An input without a rule must raise GraphError when asked for its gradient."""
    y, record = subject.run(subject.arrays)
    dy = subject.case.cotangent(y)
    for name, rule in subject.kernel.terms.items():
        if rule is not None:
            continue
        try:
            subject.kernel.backward_terms(name, dy, record)
        except GraphError:
            continue
        raise subject.fail(f"input {name} has no rule, expected GraphError")


def check_linear(subject: Subject, index: int) -> None:
    """Every term must be linear in dy, and `fused` must equal the terms' sum."""
    kernel, name = subject.kernel, subject.names[index]
    y, record = subject.run(subject.arrays)
    first = subject.case.cotangent(y)
    second = mapped(lambda d: d[..., ::-1] if d.ndim else 2 * d, first)
    mixed = mapped(lambda a, b: numpy.asarray(b - 1.5 * a), first, second)
    one = kernel.backward_terms(name, first, record)
    _expect_finite(subject, name, y, one)
    two = kernel.backward_terms(name, second, record)
    both = kernel.backward_terms(name, mixed, record)
    if not list(one) == list(two) == list(both):
        raise subject.fail(
            f"the terms of input {name} are {list(one)}, then {list(two)} and "
            f"{list(both)}, expected the same names in the same order"
        )
    shape = record.shapes[index]
    sizes = [
        spread(subject.rule(index, dy, record), shape) for dy in (first, second, mixed)
    ]
    scale = sum(sizes)
    for term, value in both.items():
        gap = largest(value - (two[term] - 1.5 * one[term]))
        if not gap <= COMPLEX_STEP * scale:
            raise subject.fail(
                f"term {term} of input {name} is off by {gap:.3g} for a sum of two "
                "cotangents, expected a term linear in dy",
                f"term {term} depends on dy nonlinearly, or is not zero for dy = 0",
            )
    gap = largest(kernel.gradient(index, first, record) - total(one))
    if not gap <= COMPLEX_STEP * sizes[0]:
        raise subject.fail(
            f"fused gradient of input {name} is off by {gap:.3g}, "
            "expected the sum of the terms",
            "the fused rule computes something else than the terms do",
        )


def _expect_finite(
    subject: Subject, name: str, y: Any, terms: Mapping[str, ndarray]
) -> None:
    if not all(numpy.isfinite(part).all() for part in leaves(y)):
        return
    for term, value in terms.items():
        if not numpy.isfinite(value).all():
            raise subject.fail(
                f"term {term} of input {name} has elements that are not finite, "
                "expected finite ones where y is finite"
            )


def check_single(subject: Subject) -> None:
    """The float32 kernel must stay within 64 eps of the float64 one."""
    arrays = [cast(array, "float32") for array in subject.arrays]
    exact = [cast(array, "float64") for array in arrays]
    y = subject.run(exact)[0]
    dy = mapped(lambda d: cast(d, "float32"), subject.case.cotangent(y))
    wide_dy = mapped(lambda d: cast(d, "float64"), dy)
    found = subject.evaluate(arrays, dy)
    reference = subject.evaluate(exact, wide_dy)
    for part, wide in zip(found.y, reference.y, strict=True):
        if part.dtype != cast(wide, "float32").dtype:
            raise subject.fail(
                f"y is {part.dtype} for float32 input, expected float32",
                "a float64 array or NumPy scalar takes part; use a Python number",
            )
    _check_raw_dtypes(subject, arrays, dy)
    slack = sensitivity(subject, exact, wide_dy, reference)
    compare(subject, found, reference, "float32", "float32 against float64", slack)


def _check_raw_dtypes(subject: Subject, arrays: Sequence[ndarray], dy: Any) -> None:
    """Rules themselves must stay in float32: casting back hides a slow float64 path."""
    record = subject.run(arrays)[1]
    for index in subject.checked:
        for term, value in subject.rule(index, dy, record).items():
            if value.dtype != numpy.float32:
                raise subject.fail(
                    f"term {term} of input {subject.names[index]} is {value.dtype} "
                    "for float32 input, expected float32",
                    "a float64 array or NumPy scalar takes part; use a Python number",
                )


def _reversed(array: ndarray) -> ndarray:
    flipped = (slice(None, None, -1),) * array.ndim
    return array[flipped].copy()[flipped] if array.ndim else array


def _strided(array: ndarray) -> ndarray:
    wide = numpy.zeros([2 * length for length in array.shape], array.dtype)
    every = (slice(None, None, 2),) * array.ndim
    wide[every] = array
    return wide[every] if array.ndim else array


LAYOUTS: Final[dict[str, Callable[[ndarray], ndarray]]] = {
    "reversed": _reversed,
    "strided": _strided,
    "column-order": lambda array: array.copy(order="F"),
}


def check_layouts(
    subject: Subject, reference: Outcome, dy: Any, slack: Mapping[int, float]
) -> None:
    """Views that are reversed, strided or in column order must change nothing."""
    for layout, lay in LAYOUTS.items():
        arrays = [lay(array) for array in subject.arrays]
        found = subject.evaluate(arrays, mapped(lay, dy))
        what = f"{layout} arrays against dense ones"
        compare(subject, found, reference, "float64", what, slack)


def check_backend(
    subject: Subject,
    reference: Outcome,
    dy: Any,
    slack: Mapping[int, float],
    backend: str,
) -> None:
    """Another backend must give what NumPy gives."""
    try:
        found = subject.evaluate(subject.arrays, dy, backend)
    except (TypeError, AttributeError, IndexError) as error:
        raise subject.fail(
            f"raises on the backend {backend!r}, expected what numpy gives: {error}",
            "a function, keyword, conversion or host array that CuPy does not take",
        ) from error
    compare(subject, found, reference, "float64", f"{backend} against numpy", slack)


def sensitivity(
    subject: Subject, arrays: Sequence[ndarray], dy: Any, reference: Outcome
) -> dict[int, float]:
    """Measure how far results move when every number moves by one float32 eps.

    A formula that cancels inside may lose that much, and no more. Keys are the inputs'
    positions, and Y.
    """
    rng = numpy.random.default_rng((subject.case.seed, 3))

    def nudge(array: ndarray) -> ndarray:
        if array.dtype.kind != "f":
            return array
        noise = numpy.asarray(rng.standard_normal(array.shape))
        return array * (1 + eps("float32") * noise)

    near = subject.evaluate([nudge(a) for a in arrays], mapped(nudge, dy))
    pairs = zip(near.y, reference.y, strict=True)
    moves = {Y: max((_gap(a, b) for a, b in pairs), default=0.0)}
    for index in subject.checked:
        moves[index] = _gap(near.totals[index], reference.totals[index])
    return moves


def _gap(found: ndarray, wanted: ndarray) -> float:
    """Return the largest difference; infinities and NaN in the same place are equal."""
    if found.dtype.kind not in "fc":
        return 0.0 if numpy.array_equal(found, wanted) else numpy.inf
    same = (found == wanted) | (numpy.isnan(found) & numpy.isnan(wanted))
    with numpy.errstate(invalid="ignore"):
        return largest(numpy.where(same, 0, found - wanted))


def compare(
    subject: Subject,
    found: Outcome,
    reference: Outcome,
    dtype: str,
    against: str,
    slack: Mapping[int, float],
) -> None:
    """Raise unless found equals reference within roundings of dtype.

    They count in units of sum |term|, before any sum, and of what `sensitivity`
    measured.
    """

    def limit(size: float, key: int) -> float:
        return ROUNDINGS * eps(dtype) * (size + slack[key] / eps("float32"))

    def expect(what: str, value: ndarray, wanted: ndarray, most: float) -> None:
        if value.shape != wanted.shape:
            gap: Any = f"of shape {value.shape}, not {wanted.shape}"
        elif (off := _gap(value, wanted)) <= most:
            return
        else:
            gap = f"off by {off:.3g}"
        raise subject.fail(f"{what} is {gap} ({against}), expected at most {most:.3g}")

    for value, wanted in zip(found.y, reference.y, strict=True):
        expect("y", value, wanted, limit(largest(wanted), Y))
    for index in subject.checked:
        name = subject.names[index]
        terms, right = found.terms[index], reference.terms[index]
        if list(terms) != list(right):
            listed = f"input {name} has terms {list(terms)} ({against})"
            raise subject.fail(f"{listed}, expected {list(right)}")
        most = limit(reference.spreads[index], index)
        for term, value in terms.items():
            expect(f"term {term} of input {name}", value, right[term], most)
        expect(
            f"the gradient of input {name}",
            found.totals[index],
            reference.totals[index],
            most,
        )

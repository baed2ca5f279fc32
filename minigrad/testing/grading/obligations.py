"""The laws that a kernel file is graded by, in plain words, and how each is checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy
from numpy import ndarray

from minigrad.kernels import Kernel
from minigrad.testing._analytic import check_analytic
from minigrad.testing._derivative import check_claim
from minigrad.testing._laws import (
    check_backend,
    check_layouts,
    check_linear,
    check_single,
    sensitivity,
)
from minigrad.testing._purity import _check_terms, check_purity
from minigrad.testing._subject import Outcome, Subject
from minigrad.testing._values import leaves
from minigrad.testing.differences import complex_step
from minigrad.testing.fake_device import fake_device

MOOT: Final = "nothing is claimed"
"""Returned by the check of a law that does not concern the kernel."""


class Law(NamedTuple):
    """A law of a kernel.

    Attributes:
        check: (subject, index) -> None, raising where it is broken; or why it could not
            be decided, MOOT if there is nothing to. index is None for y.
        of_y: what it says of the result of forward; None if nothing.
        of_input: what it says of an input's rule.
        when_raised: the likely cause if the kernel raises an exception there.
    """

    check: Callable[[Subject, Any], str | None]
    of_y: str | None
    of_input: str
    when_raised: str = ""


def _kind(value: Any) -> str:
    name = "array" if isinstance(value, ndarray) else type(value).__name__
    article = "an" if name[0] in "aeiou" else "a"
    return "None" if value is None else f"{article} {name}"


def _runs(subject: Subject, index: int | None) -> None:
    if index is None:
        _expect_result(subject)
        return
    y, record = subject.run(subject.arrays)
    terms = subject.rule(index, subject.case.cotangent(y), record)
    if not isinstance(terms, dict):
        raise subject.fail(
            f"the rule of {subject.names[index]} returns {_kind(terms)}, "
            'expected its terms in a dict such as {"direct": dx}'
        )
    _check_terms(subject, index, terms, record, [])


def _expect_result(subject: Subject) -> None:
    """Raise unless forward returns (y, saved), and y is made of finite floats."""
    _expect_floats(subject)
    result: Any = subject.kernel.forward(*subject.arrays, **subject.params)
    if not isinstance(result, tuple) or len(result) != 2:
        raise subject.fail(
            f"forward returns {_kind(result)}, expected (y, saved): "
            "the result, and what the rules need of it"
        )
    y: Any = result[0]
    if isinstance(y, tuple) and not hasattr(y, "_fields"):
        raise subject.fail("y is a tuple, expected an array or a NamedTuple of arrays")
    for part in leaves(y):
        if not isinstance(part, ndarray):
            raise subject.fail(f"y is {_kind(part)}, expected an array")
        if part.dtype.kind != "f":
            raise subject.fail(f"y is of dtype {part.dtype}, expected floats")
        if not numpy.isfinite(part).all():
            raise subject.fail(
                "y has elements that are not finite (inf or nan)",
                "forward does not take such inputs, or divides by zero; "
                "INPUTS can say from where they are drawn, such as positive(...)",
            )
    subject.run(subject.arrays)


def _expect_floats(subject: Subject) -> None:
    """Raise if an input that has a rule is not drawn as floats."""
    kernel = subject.kernel
    rules = kernel.rules * (len(subject.names) if kernel.variadic else 1)
    for name, rule, array in zip(subject.names, rules, subject.arrays, strict=True):
        if rule is not None and array.dtype.kind != "f":
            raise subject.fail(
                f"{name} is drawn as {array.dtype} and has a rule, "
                "expected floats, or None for its rule"
            )


def _pure(subject: Subject, index: int | None) -> None:
    check_purity(subject)


def _gradient(subject: Subject, index: int) -> str | None:
    claim = subject.claim(index)
    if claim is None:
        return MOOT
    verdict = check_claim(claim)
    return verdict.said if verdict.method == "kinks everywhere" else None


def _complex(subject: Subject, index: int) -> str | None:
    """Check law 7 where forward itself takes complex numbers."""
    claim = subject.claim(index)
    if claim is None:
        return MOOT
    v = numpy.ones_like(subject.arrays[index])
    if isinstance(complex_step(claim.f, subject.arrays, index, v), str):
        return MOOT
    return check_analytic(subject, *_reference(subject)) or None


def _linear(subject: Subject, index: int) -> None:
    check_linear(subject, index)


def _single(subject: Subject, index: int | None) -> None:
    check_single(subject)


def _reference(subject: Subject) -> tuple[Outcome, Any, dict[int, float]]:
    dy = subject.case.cotangent(subject.run(subject.arrays)[0])
    reference = subject.evaluate(subject.arrays, dy)
    return reference, dy, sensitivity(subject, subject.arrays, dy, reference)


def _layouts(subject: Subject, index: int | None) -> None:
    check_layouts(subject, *_reference(subject))


def _device(subject: Subject, index: int | None) -> None:
    with fake_device():
        check_backend(subject, *_reference(subject), "fake")


LAWS: Final[dict[str, Law]] = {
    "runs": Law(
        _runs,
        "forward runs and returns (y, saved)",
        "its rule runs and returns terms by name",
    ),
    "pure": Law(
        _pure,
        "forward changes none of its inputs and repeats itself",
        "its rule changes nothing it is given and repeats itself",
    ),
    "linear": Law(_linear, None, "its terms grow in proportion to dy"),
    "gradient": Law(
        _gradient,
        None,
        "its terms add up to the gradient",
        "forward is run on complex numbers here, which give the exact derivative",
    ),
    "complex": Law(
        _complex,
        None,
        "its rule takes complex numbers, as second derivatives need",
        "rule and forward are run on complex numbers here",
    ),
    "float32": Law(
        _single,
        "y is the same in float32, but for roundings",
        "its terms are the same in float32, but for roundings",
        "the arrays are float32 here",
    ),
    "layouts": Law(
        _layouts,
        "how the inputs lie in memory changes nothing",
        "how arrays lie in memory changes nothing",
        "the arrays are views here: reversed, strided or in column order",
    ),
    "gpu": Law(
        _device,
        "forward would run on a GPU",
        "its rule would run on a GPU",
        "a function that takes NumPy arrays only; take it from xp = array_module(x)",
    ),
}
"""In the order in which they are checked."""

OF_Y: Final = tuple(law for law, how in LAWS.items() if how.of_y is not None)
"""The laws that are about y, too."""


def guarded(kernel: Kernel) -> Kernel:
    """Hand kernel copies of all that it is given: what it writes into is lost."""

    def wrapped(rule: Callable[..., Any]) -> Callable[..., Any]:
        return lambda dy, saved, *at: rule(_copied(dy), _copied(saved), *at)

    def forward(*arrays: Any, **params: Any) -> Any:
        y, saved = kernel.forward(*map(_copied, arrays), **params)
        return _copied(y), saved

    terms = {name: rule and wrapped(rule) for name, rule in kernel.terms.items()}
    fused = {name: wrapped(rule) for name, rule in kernel.fused.items()}
    return replace(kernel, forward=forward, terms=terms, fused=fused)


def _copied(value: Any) -> Any:
    if hasattr(value, "_fields"):
        return type(value)(*map(_copied, value))
    return value.copy() if hasattr(value, "dtype") else value

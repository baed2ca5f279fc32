"""What check_kernel accepts, and in what words it refuses."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from minigrad.backend import array_module
from minigrad.errors import ArgumentError, GradientCheckError
from minigrad.kernels._spec import NOT_A_GRADIENT, NOTHING, Kernel
from minigrad.kernels.arithmetic import MUL_KERNEL
from minigrad.testing import Case, check_kernel, normal, positive

CASE = Case.draw(3, x=normal(3, 4))


class Saved(NamedTuple):
    x: np.ndarray


class Parts(NamedTuple):
    square: np.ndarray
    total: np.ndarray


def unary(forward, rule, **options):
    return Kernel(name="toy", forward=forward, terms={"x": rule}, **options)


def square(x):
    return x * x, Saved(x)


def square_terms(dy, saved):
    return {"direct": 2 * dy * saved.x}


SQUARE = unary(square, square_terms)


def refusal(kernel, case=CASE, **options):
    with pytest.raises(GradientCheckError) as caught:
        check_kernel(kernel, case, **options)
    return str(caught.value)


def test_a_right_kernel_is_reported_by_input():
    report = check_kernel(MUL_KERNEL, Case.draw(0, a=normal(2, 3), b=normal(3)))
    assert report.methods == {"a": "complex step", "b": "complex step"}
    assert str(report) == "mul: a by complex step\nmul: b by complex step"


def test_parameters_are_taken_from_the_case_and_from_the_call():
    def forward(x, *, power, factor):
        return factor * x**power, (x, power, factor)

    def rule(dy, saved):
        x, power, factor = saved
        return {"direct": dy * factor * power * x ** (power - 1)}

    case = Case.draw(0, params={"power": 3, "factor": 1.0}, x=normal(4))
    check_kernel(unary(forward, rule), case, factor=2.0)


def test_only_the_inputs_asked_for_are_checked():
    wrong = {**MUL_KERNEL.terms, "b": lambda dy, saved: {"direct": -dy * saved.a}}
    kernel = replace(MUL_KERNEL, terms=wrong)
    case = Case.draw(0, a=normal(3), b=normal(3))
    assert set(check_kernel(kernel, case, inputs=["a"]).methods) == {"a"}
    with pytest.raises(ArgumentError, match="input 'c', expected a differentiable"):
        check_kernel(kernel, case, inputs=["c"])


def test_several_outputs_are_checked_together():
    def forward(x):
        xp = array_module(x)
        return Parts(x * x, xp.asarray(xp.sum(x))), Saved(x)

    def rule(dy, saved):
        return {"square": 2 * dy.square * saved.x, "total": dy.total + 0 * saved.x}

    check_kernel(unary(forward, rule), CASE)
    said = refusal(unary(forward, lambda dy, s: {"square": 2 * dy.square * s.x}))
    assert "it is constant along axis 1" in said


def test_a_variadic_kernel_is_checked_at_every_input():
    def forward(*x):
        return sum(part * part for part in x), x

    def rule(dy, saved, index):
        return {"direct": 2 * dy * saved[index]}

    case = Case.draw(0, x0=normal(3), x1=normal(3), x2=normal(3))
    kernel = unary(forward, rule, variadic=True)
    assert list(check_kernel(kernel, case).methods) == ["x0", "x1", "x2"]

    def wrong(dy, saved, index):
        return {"direct": 2 * dy * saved[0]}

    assert "toy: input x1:" in refusal(replace(kernel, terms={"x": wrong}), case)


def test_a_surrogate_is_held_to_the_function_it_names():
    def sign(x):
        xp = array_module(x)
        return xp.where(x.real > 0, 1.0, -1.0).astype(x.dtype), Saved(x)

    straight = unary(
        sign, lambda dy, saved: {"direct": dy}, gradient_of=lambda x: x + 0
    )
    assert check_kernel(straight, CASE).methods == {"x": "complex step"}
    assert "wrong sign" in refusal(replace(straight, gradient_of=lambda x: -x))


def test_a_rule_that_is_no_gradient_is_held_to_the_other_laws():
    kernel = unary(square, lambda dy, saved: {"direct": dy}, gradient_of=NOT_A_GRADIENT)
    assert check_kernel(kernel, CASE).methods == {"x": "not a gradient"}
    bent = replace(kernel, terms={"x": lambda dy, saved: {"direct": dy * dy}})
    assert "linear in dy" in refusal(bent)


def test_where_forward_takes_no_complex_input_differences_are_used_and_said():
    def magnitude(x):
        xp = array_module(x)
        return xp.abs(x), Saved(x)

    def rule(dy, saved):
        return {"direct": dy * array_module(dy).sign(saved.x)}

    report = check_kernel(unary(magnitude, rule), CASE)
    assert report.methods == {"x": "central difference"}
    assert report.said["x"] == (
        "it takes no complex input (the result for complex input is real)"
    )
    assert "wrong sign" in refusal(
        unary(magnitude, lambda dy, s: {"direct": -rule(dy, s)["direct"]})
    )


def test_a_kink_is_drawn_again_and_said_and_is_no_failure():
    def magnitude(x):
        xp = array_module(x)
        return xp.abs(x - 1.0), Saved(x)

    def rule(dy, saved):
        return {"direct": dy * array_module(dy).sign(saved.x - 1.0)}

    report = check_kernel(unary(magnitude, rule), Case((np.array([1.0, 2.0]),)))
    assert report.methods == {"x": "central difference"}
    assert report.redraws >= 1


def test_kinks_everywhere_are_said_and_are_no_failure():
    def stairs(x):
        xp = array_module(x)
        return xp.floor(x * 1e4) / 1e4, Saved(x)

    report = check_kernel(
        unary(stairs, lambda dy, saved: {"direct": dy}), CASE, single=False
    )
    assert report.methods == {"x": "kinks everywhere"}
    assert report.said["x"].endswith("every point tried has a kink")


def test_a_forward_that_is_not_analytic_is_named_as_the_cause():
    def norm(x):
        xp = array_module(x)
        return x * xp.conj(x), Saved(x)

    assert "likely cause: forward is not analytic" in refusal(unary(norm, square_terms))


def test_an_input_without_a_rule_must_refuse():
    class Lenient(Kernel):
        def backward_terms(self, name, dy, record):
            return {} if name == "mask" else super().backward_terms(name, dy, record)

    kernel = Lenient(
        name="toy",
        forward=lambda x, mask: (x * mask, Saved(mask)),
        terms={"x": lambda dy, saved: {"direct": dy * saved.x}, "mask": None},
    )
    case = Case.draw(0, x=normal(3), mask=normal(3))
    assert "input mask has no rule, expected GraphError" in refusal(kernel, case)


def test_a_zero_gradient_is_accepted():
    kernel = unary(lambda x: (0 * x, NOTHING), lambda dy, saved: {"direct": 0 * dy})
    check_kernel(kernel, CASE)


def test_a_gradient_that_cancels_exactly_is_accepted():
    def forward(x):
        return x - x, NOTHING

    check_kernel(unary(forward, lambda dy, saved: {"plus": dy, "minus": -dy}), CASE)


def test_cancellation_between_terms_does_not_excuse_a_wrong_one():
    # Two terms of norm 3e3 whose sum is 1e-3 of that: an error of 1e-6 of it shows.
    def rule(dy, saved):
        return {"plus": 1e3 * dy, "minus": -(1e3 - 1 + 1e-5) * dy}

    assert "<sum of its terms, v>" in refusal(unary(lambda x: (x + 0, NOTHING), rule))


def test_a_refusal_says_what_was_measured():
    said = refusal(unary(square, lambda dy, s: {"one": dy * s.x, "two": 2 * dy * s.x}))
    for words in (
        "toy: input x: <sum of its terms, v> is",
        "likely cause: 1.5 times too large",
        "<dy, J v> by complex step:",
        "input x (3, 4), float64, backend numpy",
        "norm of term one:",
        "norm of term two:",
        "worst element [",
        "seed 3",
    ):
        assert words in said


def test_a_refusal_ends_in_lines_that_repeat_it():
    kernel = replace(SQUARE, terms={"x": lambda dy, s: {"direct": 3 * dy * s.x}})
    case = Case.draw(9, params={}, x=positive(2, 3))
    lines = [line.strip() for line in refusal(kernel, case).split("\n")]
    repeat = lines[lines.index("seed 9; to repeat it:") + 1 :]
    assert repeat[-1] == "check_kernel(kernel, Case.draw(9, x=positive(2, 3)))"
    with pytest.raises(GradientCheckError, match=r"1\.5 times too large"):
        exec("\n".join([repeat[0], repeat[-1]]), {"kernel": kernel})


def test_a_refusal_of_a_kernel_of_the_library_imports_it():
    # What a law of a kernel in its module says: MUL_KERNEL itself, at a bad case.
    huge = Case((np.full(2, 1e20), np.full(2, 1e20)))
    with (
        np.errstate(over="ignore", invalid="ignore"),
        pytest.raises(
            GradientCheckError,
            match=r"from minigrad\.kernels\.arithmetic import MUL_KERNEL",
        ),
    ):
        check_kernel(MUL_KERNEL, huge)

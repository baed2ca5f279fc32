"""The laws besides the first derivative, each broken on purpose."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from minigrad.backend import array_module, current_backend
from minigrad.errors import GradientCheckError
from minigrad.kernels._spec import NOTHING, Kernel
from minigrad.testing import Case, check_kernel, normal

CASE = Case.draw(3, x=normal(3, 4))


class Saved(NamedTuple):
    x: np.ndarray


def unary(forward, rule, **options):
    return Kernel(name="toy", forward=forward, terms={"x": rule}, **options)


def square(x):
    return x * x, Saved(x)


def square_terms(dy, saved):
    return {"direct": 2 * dy * saved.x}


SQUARE = unary(square, square_terms)


def refusal(kernel):
    with pytest.raises(GradientCheckError) as caught:
        check_kernel(kernel, CASE)
    return str(caught.value)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,), (1, 1)])
def test_odd_shapes_pass(shape):
    check_kernel(SQUARE, Case.draw(0, x=normal(*shape)))


def test_a_kernel_that_depends_on_layout_is_refused():
    def forward(x):
        factor = 1.0 if x.flags.c_contiguous else 2.0
        return factor * x, Saved(x * 0 + factor)

    said = refusal(unary(forward, lambda dy, s: {"direct": dy * s.x}))
    assert "arrays against dense ones" in said


def test_a_kernel_that_depends_on_the_backend_is_refused():
    def forward(x):
        factor = 1.0 if array_module(x) is np else 2.0
        return factor * x, Saved(x * 0 + factor)

    assert "fake against numpy" in refusal(
        unary(forward, lambda dy, s: {"direct": dy * s.x})
    )


def test_a_kernel_that_asks_for_the_current_backend_is_refused():
    def forward(x):
        return x + current_backend().module.ones(x.shape), NOTHING

    said = refusal(unary(forward, lambda dy, saved: {"direct": dy}))
    assert "expected the data to decide" in said


@pytest.mark.parametrize(
    "transfer",
    [
        lambda x: float(x.sum()),
        lambda x: x.sum().item(),
        lambda x: x.sum() > 0 and x,
        lambda x: np.asarray(x)[0, 0],
        lambda x: sum(row for row in x)[0],
        lambda x: array_module(x).einsum_path,
    ],
    ids=["float", "item", "branch", "asarray", "iteration", "not in CuPy"],
)
def test_a_kernel_that_a_gpu_would_not_run_is_refused(transfer):
    def forward(x):
        transfer(x)
        return x * x, Saved(x)

    assert "raises on the backend 'fake'" in refusal(unary(forward, square_terms))


def test_float64_in_y_is_refused_for_float32():
    def forward(x):
        return x * x * np.float64(1), Saved(x)

    assert "y is float64 for float32 input" in refusal(unary(forward, square_terms))


def test_a_formula_that_loses_float32_digits_is_refused():
    def forward(x):
        return (x + 1e6) - 1e6, NOTHING

    said = refusal(unary(forward, lambda dy, saved: {"direct": dy + 0}))
    assert "float32 against float64" in said


def test_float32_is_not_compared_where_the_call_says_so():
    def forward(x):
        return (x + 1e6) - 1e6, NOTHING

    kernel = unary(forward, lambda dy, saved: {"direct": dy + 0})
    check_kernel(kernel, CASE, single=False)


def test_a_term_of_a_shape_that_cannot_be_summed_is_refused():
    said = refusal(unary(square, lambda dy, s: {"direct": (2 * dy * s.x).T.copy()}))
    assert "term direct of input x has shape (4, 3)" in said
    assert "it is transposed" in said


def test_terms_must_be_arrays_with_names():
    assert "is a int, expected an array" in refusal(
        unary(square, lambda dy, saved: {"direct": 0})
    )
    assert "expected at least one, each a word" in refusal(
        unary(square, lambda dy, saved: {"2 x": 2 * dy * saved.x})
    )


def test_a_fused_rule_that_is_a_saved_array_is_refused():
    def fused(dy, saved):
        return saved.x

    kernel = replace(SQUARE, fused={"x": fused})
    assert "shares memory with input x" in refusal(kernel)


def test_an_error_of_the_kernel_itself_is_passed_on():
    def forward(x):
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        check_kernel(unary(forward, square_terms), CASE)


# -- rules off the real axis ----------------------------------------------------------


def cube(x):
    return x * x * x, Saved(x)


NOT_ANALYTIC = {
    "real": (square, lambda dy, s: 2 * dy * s.x.real),
    "conj": (square, lambda dy, s: 2 * dy * s.x.conj()),
    "conj of dy": (square, lambda dy, s: 2 * dy.conj() * s.x),
    "abs": (cube, lambda dy, s: 3 * dy * abs(s.x) ** 2),
    "half": (cube, lambda dy, s: 3 * dy * s.x * s.x.real),
}


@pytest.mark.parametrize(("forward", "rule"), NOT_ANALYTIC.values(), ids=NOT_ANALYTIC)
def test_a_rule_that_is_not_analytic_is_refused(forward, rule):
    # On real numbers each of them is right.
    said = refusal(unary(forward, lambda dy, s: {"direct": rule(dy, s)}))
    assert "the rule is not analytic" in said


def test_the_term_that_is_not_analytic_is_named():
    def terms(dy, saved):
        return {"one": dy * saved.x, "other": dy * saved.x.real}

    said = refusal(unary(square, terms))
    assert "term other of input x has by complex step a derivative that is off" in said


def test_a_fused_rule_that_is_not_analytic_is_refused():
    kernel = replace(SQUARE, fused={"x": lambda dy, s: 2 * dy * s.x.real})
    said = refusal(kernel)
    assert "fused gradient of input x is off by" in said
    assert "in its derivative by complex step, expected the sum of the terms" in said


def test_a_rule_that_takes_no_complex_numbers_is_refused():
    def terms(dy, saved):
        xp = array_module(saved.x)
        return {"direct": 2 * dy * saved.x + 0 * xp.floor(saved.x)}

    said = refusal(unary(square, terms))
    assert "the rules raise for complex input" in said


def test_a_rule_that_casts_to_real_numbers_is_refused():
    def terms(dy, saved):
        return {"direct": 2 * dy * saved.x.astype("float64").astype(dy.dtype)}

    said = refusal(unary(square, terms))
    assert "the rules raise for complex input" in said
    assert "ComplexWarning" in said


def test_a_path_for_real_arrays_must_compute_the_same():
    def terms(dy, saved):
        factor = 2.0 if saved.x.dtype.kind == "f" else 2.0000001
        return {"direct": factor * dy * saved.x}

    assert "(complex input against real)" in refusal(unary(square, terms))


def test_second_derivatives_that_are_not_symmetric_are_refused():
    # Right on the real axis, and off it to six digits: only <u, H v> shows the rest.
    def terms(dy, saved):
        x, xp = saved.x, array_module(dy)
        if x.dtype.kind == "c":
            x = x + 1e-7j * xp.concatenate([x.imag[1:], x.imag[:1]])
        return {"direct": 2 * dy * x}

    assert "expected the same for the second derivatives" in refusal(
        unary(square, terms)
    )


def test_a_surrogate_is_held_to_its_own_second_derivatives():
    def sign(x):
        return array_module(x).sign(x.real), Saved(x)

    def soft(x):
        return array_module(x).tanh(x)

    def terms(dy, saved):
        y = array_module(dy).tanh(saved.x)
        return {"surrogate": dy * (1 - y * y)}

    def not_analytic(dy, saved):
        y = array_module(dy).tanh(saved.x.real)
        return {"surrogate": dy * (1 - y * y)}

    report = check_kernel(unary(sign, terms, gradient_of=soft), CASE)
    assert report.methods == {"x": "complex step"}
    assert not report.said
    said = refusal(unary(sign, not_analytic, gradient_of=soft))
    assert "the rule is not analytic" in said


def saw(frequency):
    """Make a kernel whose slope is 1 / frequency times a sawtooth of that frequency."""

    def teeth(x):
        return x * frequency - array_module(x).floor((x * frequency).real)

    def forward(x):
        tooth = teeth(x)
        whole = array_module(x).floor((x * frequency).real)
        return (whole + tooth * tooth) / (2 * frequency**2), Saved(tooth / frequency)

    return unary(forward, lambda dy, saved: {"direct": dy * saved.x})


def test_a_jump_within_the_step_leads_to_another_point():
    # Not on the jump itself, where slopes to one side are left.
    x = np.array([0.3, 0.5 + 4e-7])
    report = check_kernel(saw(2.0), Case((x,)), single=False)
    assert not report.said


def test_jumps_at_every_point_are_reported():
    report = check_kernel(saw(1e5), Case.draw(0, x=normal(300)), single=False)
    assert report.methods == {"x": "complex step"}
    assert "second order: its derivative was not checked" in str(report)


def test_a_forward_that_takes_no_complex_numbers_is_not_held_to_it():
    def floor(x):
        xp = array_module(x)
        return x * x + 0 * xp.floor(x), Saved(x)

    report = check_kernel(unary(floor, square_terms), CASE)
    assert report.methods == {"x": "central difference"}
    assert "second order" not in report.said

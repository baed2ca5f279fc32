"""The laws besides the derivative, each broken on purpose."""

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

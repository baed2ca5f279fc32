"""check_function: backward() through a function of tensors."""

import numpy as np
import pytest

from minigrad.errors import ArgumentError, GradientCheckError
from minigrad.kernels._spec import NOTHING, Kernel
from minigrad.tape import apply
from minigrad.testing import check_function

X = np.array([[0.5, -1.0, 2.0], [1.5, 0.3, -0.7]])


def halved(x):
    """A kernel whose rule forgets the factor of its forward."""
    kernel = Kernel(
        name="halved",
        forward=lambda x: (0.5 * x, NOTHING),
        terms={"x": lambda dy, saved: {"direct": dy}},
    )
    return apply(kernel, x)


def test_a_chain_is_checked_by_complex_step_at_every_input():
    report = check_function(lambda x, w: ((x @ w).tanh() * x.sum()).exp(), X, X.T)
    assert set(report.methods.values()) == {"complex step"}
    assert list(report.methods) == ["x0", "x1"]


def test_integers_are_passed_on_and_not_differentiated():
    report = check_function(lambda x, i: x * 2.0 + i.astype(x.dtype), X, [1, 2, 3])
    assert list(report.methods) == ["x0"]


def test_a_wrong_rule_is_found_through_the_tape():
    with pytest.raises(GradientCheckError, match="2 times too large"):
        check_function(lambda x: halved(x).tanh() + x * 0.0, X)


def test_the_refusal_names_the_function_and_the_seed():
    def broken(x):
        return halved(x)

    with pytest.raises(GradientCheckError) as caught:
        check_function(broken, X, seed=11)
    assert str(caught.value).startswith("broken: input x0: <sum of its terms, v> is")
    assert "seed 11" in str(caught.value)


def test_a_path_cut_by_detach_is_found():
    with pytest.raises(GradientCheckError, match="zeros are returned"):
        check_function(lambda x: x.detach().tanh(), X)


def test_an_input_that_is_not_used_has_a_zero_gradient():
    check_function(lambda x, unused: x.tanh(), X, X)


def test_what_takes_no_complex_input_is_checked_by_differences():
    def forward(x):
        return x * x + 0 * np.floor(x), (x,)

    kernel = Kernel("square", forward, {"x": lambda dy, s: {"direct": 2 * dy * s[0]}})
    report = check_function(lambda x: apply(kernel, x), X)
    assert report.methods == {"x0": "central difference"}
    assert "TypeError" in report.said["x0"]


def test_a_function_must_return_a_tensor():
    with pytest.raises(ArgumentError, match=r"returned.*expected a Tensor"):
        check_function(lambda x: x.data, X)

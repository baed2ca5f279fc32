"""The likely cause that a refusal names is the bug that was made."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from minigrad.backend import array_module
from minigrad.errors import GradientCheckError
from minigrad.kernels._spec import NOTHING, Kernel
from minigrad.kernels.arithmetic import ADD_KERNEL, MUL_KERNEL
from minigrad.testing import Case, check_kernel, normal

LAYER = Case.draw(1, x=normal(5, 4), gamma=normal(4))
BIAS = Case.draw(1, a=normal(6, 4), b=normal(4))
SQUARE = Case.draw(1, a=normal(4, 4), b=normal(4, 4))


class Saved(NamedTuple):
    x_hat: np.ndarray
    inv_std: np.ndarray
    gamma: np.ndarray


def layer_norm(x, gamma):
    xp = array_module(x, gamma)
    centred = x - xp.mean(x, axis=-1, keepdims=True)
    inv_std = 1 / xp.sqrt(xp.mean(centred * centred, axis=-1, keepdims=True) + 1e-5)
    x_hat = centred * inv_std
    return gamma * x_hat, Saved(x_hat, inv_std, gamma)


def x_terms(dy, saved):
    xp = array_module(dy)
    direct = dy * saved.gamma * saved.inv_std
    projection = xp.mean(direct * saved.x_hat, axis=-1, keepdims=True)
    return {
        "direct": direct,
        "through_mean": -xp.mean(direct, axis=-1, keepdims=True),
        "through_var": -saved.x_hat * projection,
    }


LAYER_NORM = Kernel(
    name="layer_norm",
    forward=layer_norm,
    terms={"x": x_terms, "gamma": lambda dy, saved: {"direct": dy * saved.x_hat}},
)


def cause(kernel, case, name, change):
    """Return what check_kernel says of kernel with change(terms, dy) for an input."""
    original = kernel.terms[name]

    def rule(dy, saved):
        return change(original(dy, saved), dy)

    with pytest.raises(GradientCheckError) as caught:
        check_kernel(replace(kernel, terms={**kernel.terms, name: rule}), case)
    return str(caught.value).split("\n")[0].partition("likely cause: ")[2]


def test_the_kernels_themselves_pass():
    check_kernel(LAYER_NORM, LAYER)
    check_kernel(ADD_KERNEL, BIAS)


def without(name):
    return lambda terms, dy: {n: v for n, v in terms.items() if n != name}


def scaled(name, factor):
    def change(terms, dy):
        return {n: v * (factor if n == name else 1.0) for n, v in terms.items()}

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without("through_mean"), "is missing: it is constant along axis 1"),
        (without("through_var"), "is missing: along axis 1 it is parallel to x_hat"),
        (without("direct"), "is missing, or one of the terms is wrong"),
        (scaled("through_mean", -1.0), "term through_mean has the wrong sign"),
        (scaled("through_var", 2.0), "term through_var must be multiplied by 0.5"),
        (scaled("direct", 0.25), "term direct is 4 times too small"),
        (
            lambda terms, dy: {**terms, "extra": dy},
            "term extra should not be there: without it the gradient is right",
        ),
        (
            lambda terms, dy: {**terms, "through_var": terms["through_var"][::-1]},
            "term through_var is reversed along axis 0",
        ),
        (lambda terms, dy: {n: v * -3.0 for n, v in terms.items()}, "wrong sign and 3"),
    ],
    ids=[
        "mean lost",
        "variance lost",
        "direct lost",
        "sign of one",
        "one doubled",
        "one quartered",
        "one too many",
        "one reversed",
        "all by -3",
    ],
)
def test_a_term_of_layer_norm_is_blamed(change, said):
    assert said in cause(LAYER_NORM, LAYER, "x", change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda dy: -dy, "wrong sign"),
        (lambda dy: 2 * dy, "2 times too large"),
        (lambda dy: dy / 3, "3 times too small"),
        (lambda dy: 0 * dy, "zeros are returned where the gradient is not zero"),
        (
            lambda dy: dy.mean(axis=0),
            "6 times too small, 6 being the length of axis 0 of the output: "
            "perhaps a mean where a sum belongs",
        ),
        (
            lambda dy: dy[0] + 0,
            "a sum over axis 0 of dy is missing: only entry 0 of it arrives",
        ),
        (
            lambda dy: dy[-1] + 0,
            "a sum over axis 0 of dy is missing: only entry 5 of it arrives",
        ),
        (
            lambda dy: dy.sum(axis=0) * 0 + dy.sum(),
            "it is summed over axis 0, which the input has",
        ),
        (
            lambda dy: dy.sum(axis=0) * 0 + dy.sum() / 4,
            "it is averaged over axis 0, which the input has",
        ),
        (lambda dy: dy.sum(axis=0)[::-1], "the gradient is reversed along axis 0"),
        (
            lambda dy: np.roll(dy.sum(axis=0), 1),
            "the gradient is shifted by one along axis 0",
        ),
    ],
    ids=[
        "sign",
        "doubled",
        "third",
        "zeros",
        "mean",
        "first entry",
        "last entry",
        "summed",
        "averaged",
        "reversed",
        "shifted",
    ],
)
def test_the_gradient_of_a_bias_is_explained(change, said):
    found = cause(ADD_KERNEL, BIAS, "b", lambda terms, dy: {"direct": change(dy)})
    assert found == said


def test_a_transposed_gradient_is_named():
    found = cause(
        MUL_KERNEL, SQUARE, "a", lambda terms, dy: {"direct": terms["direct"].T}
    )
    assert found == "the gradient is transposed: its axes come in the order (1, 0)"


def test_a_single_number_is_no_multiple_of_anything():
    # One element, one cotangent entry: every wrong value is some multiple of the right
    # one, so only a simple factor is said.
    kernel = Kernel(
        name="toy",
        forward=lambda x: (x * 1.7, NOTHING),
        terms={"x": lambda dy, saved: {"direct": dy}},
    )
    with pytest.raises(GradientCheckError, match="or one of the terms is wrong"):
        check_kernel(kernel, Case.draw(0, x=normal(1)))
    doubled = replace(kernel, terms={"x": lambda dy, saved: {"direct": 3.4 * dy}})
    with pytest.raises(GradientCheckError, match="2 times too large"):
        check_kernel(doubled, Case.draw(0, x=normal(1)))


def test_a_term_that_is_not_finite_is_named():
    kernel = Kernel(
        name="toy",
        forward=lambda x: (x * 2.0, NOTHING),
        terms={"x": lambda dy, saved: {"direct": 2 * dy, "other": dy * np.nan}},
    )
    with pytest.raises(
        GradientCheckError,
        match="term other of input x has elements that are not finite",
    ):
        check_kernel(kernel, Case.draw(0, x=normal(3)))


def test_a_large_case_is_refused_without_an_explanation():
    wrong = {**ADD_KERNEL.terms, "a": lambda dy, saved: {"direct": 2 * dy}}
    kernel = replace(ADD_KERNEL, terms=wrong)
    case = Case.draw(0, a=normal(2000), b=normal(2000))
    with pytest.raises(GradientCheckError, match="the case is too large"):
        check_kernel(kernel, case)

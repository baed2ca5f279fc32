"""Gradients that vanish in the sum over a broadcast axis: right ones are not refused.

There only roundings are left, and no size that they could be small against but that of
what was summed.
"""

from dataclasses import replace

import numpy as np
import pytest

from minigrad.backend import array_module
from minigrad.kernels import Kernel
from minigrad.testing import normal
from minigrad.testing.grading.grade import grade
from minigrad.testing.grading.obligations import LAWS
from minigrad.testing.grading.recipe import cases, recipe_of


def centre(x, b):
    z = x + b
    return z - z.mean(axis=0), ()


def centre_terms(dy, saved):
    return {"all": dy - dy.mean(axis=0)}


def softmax(x, b):
    xp = array_module(x)
    z = x + b
    e = xp.exp(z - z.real.max(axis=-1, keepdims=True))
    y = e / e.sum(axis=-1, keepdims=True)
    return y, (y,)


def softmax_terms(dy, saved):
    (y,) = saved
    through_sum = -y * (dy * y).sum(axis=-1, keepdims=True)
    return {"direct": dy * y, "through_sum": through_sum}


CENTRE = Kernel("centre", centre, {"x": centre_terms, "b": centre_terms})
SOFTMAX = Kernel("softmax", softmax, {"x": softmax_terms, "b": softmax_terms})
SHIFTED = {"centre": (CENTRE, ("D",)), "softmax": (SOFTMAX, ("N", 1))}


def broken(kernel, axes, seed):
    """Return the laws of b that are not held at six cases."""
    inputs = {"x": normal("N", "D"), "b": normal(*axes)}
    recipe = recipe_of(kernel, "f.py", {"INPUTS": inputs})
    verdicts = list(grade(kernel, cases(recipe, seed, 6), "f.py"))
    assert {verdict.law for verdict in verdicts if verdict.input == "b"} == set(LAWS)
    return [(v.input, v.law) for v in verdicts if v.fault is not None]


@pytest.mark.parametrize(("kernel", "axes"), SHIFTED.values(), ids=SHIFTED)
def test_a_shift_that_changes_nothing_holds_every_law(kernel, axes):
    for seed in range(0, 240, 6):
        assert broken(kernel, axes, seed) == []


def of_b(kernel, rule):
    return replace(kernel, terms={**kernel.terms, "b": rule})


BUGS = [
    pytest.param("centre", lambda dy, s: {"all": dy}, "gradient", id="mean lost"),
    pytest.param(
        "centre",
        lambda dy, s: {"all": dy - (1 + 1e-8) * dy.mean(axis=0)},
        "gradient",
        id="mean off in the eighth digit",
    ),
    pytest.param(
        "centre",
        lambda dy, s: {"all": dy - dy.real.mean(axis=0)},
        "complex",
        id="mean of real parts",
    ),
    pytest.param(
        "centre",
        lambda dy, s: {"all": dy - dy.mean(axis=0) + 1e-3 * np.ones_like(dy)},
        "linear",
        id="constant",
    ),
    pytest.param(
        "softmax", lambda dy, s: {"direct": dy * s[0]}, "gradient", id="sum lost"
    ),
    pytest.param(
        "softmax",
        lambda dy, s: softmax_terms(dy.real, s),
        "complex",
        id="real parts of dy",
    ),
    pytest.param(
        "softmax",
        lambda dy, s: softmax_terms(dy.conj(), s),
        "complex",
        id="conjugate",
    ),
]


@pytest.mark.parametrize(("name", "rule", "law"), BUGS)
def test_a_bug_where_the_right_sum_is_zero_is_found(name, rule, law):
    kernel, axes = SHIFTED[name]
    assert ("b", law) in broken(of_b(kernel, rule), axes, 0)

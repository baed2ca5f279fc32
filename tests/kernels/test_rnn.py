"""Elman's network; what it shares with the others is in test_recurrent."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.errors import ArgumentError
from minigrad.kernels.rnn import RNN_KERNEL, RNN_MASKED_KERNEL
from minigrad.testing import (
    Case,
    between,
    booleans,
    check_kernel,
    kernel_cases,
    normal,
)

FUNCTIONS = {"tanh": np.tanh, "relu": lambda x: np.maximum(x, 0)}
AXES = {
    "x": ("T", "N", "I"),
    "h0": ("N", "H"),
    "w_ih": ("H", "I"),
    "w_hh": ("H", "H"),
    "b_ih": ("H",),
    "b_hh": ("H",),
}
# Near 1 a float32 tanh has no digits left for its slope.
INPUTS = {name: between(*axes, low=-0.7, high=0.7) for name, axes in AXES.items()}
PARAMS = {"nonlinearity": st.sampled_from(["tanh", "relu"]), "reverse": st.booleans()}


def draw(steps=5, seed=0):
    lengths = {"T": steps, "N": 3, "I": 2, "H": 4}
    shapes = {name: [lengths[a] for a in axes] for name, axes in AXES.items()}
    return Case.draw(seed, **{name: normal(*shape) for name, shape in shapes.items()})


@given(kernel_cases(params=PARAMS, **INPUTS))
def test_terms_sum_to_the_gradient(case):
    check_kernel(RNN_KERNEL, case)


@given(kernel_cases(params=PARAMS, **INPUTS, mask=booleans("T", "N")))
def test_terms_sum_to_the_gradient_with_a_mask(case):
    check_kernel(RNN_MASKED_KERNEL, case)


@pytest.mark.parametrize("nonlinearity", FUNCTIONS)
def test_forward_is_the_recursion_of_each_sequence(nonlinearity):
    x, h0, w_ih, w_hh, b_ih, b_hh = arrays = draw().arrays
    (y, last), _ = RNN_KERNEL.run(*arrays, nonlinearity=nonlinearity)
    f = FUNCTIONS[nonlinearity]
    for n in range(3):
        h = h0[n]
        for t in range(5):
            h = f(w_ih @ x[t, n] + b_ih + w_hh @ h + b_hh)
            assert_allclose(y[t, n], h, rtol=1e-12)
        assert_array_equal(last[n], y[-1, n])


def test_relu_has_slope_zero_at_zero():
    zeros = [np.zeros_like(array) for array in draw().arrays]
    y, record = RNN_KERNEL.run(*zeros, nonlinearity="relu")
    dy = type(y)(np.ones_like(y.y), np.ones_like(y.h))
    assert not RNN_KERNEL.backward("b_ih", dy, record).any()


def test_a_nan_stays_in_its_sequence_and_lasts():
    arrays = draw().arrays
    arrays[0][2, 1] = np.nan
    for nonlinearity in FUNCTIONS:
        y = RNN_KERNEL.run(*arrays, nonlinearity=nonlinearity)[0].y
        assert np.isnan(y[2:, 1]).all()
        assert np.isfinite(y[:2]).all()
        assert np.isfinite(y[:, [0, 2]]).all()


def test_another_nonlinearity_is_refused():
    with pytest.raises(ArgumentError, match="rnn: nonlinearity 'elu', expected 'tanh'"):
        RNN_KERNEL.run(*draw().arrays, nonlinearity="elu")

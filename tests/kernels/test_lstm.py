"""Long short-term memory; what it shares with the others is in test_recurrent."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.errors import ShapeError
from minigrad.kernels.lstm import (
    GATES,
    LSTM_DROPPED_KERNEL,
    LSTM_DROPPED_MASKED_KERNEL,
    LSTM_KERNEL,
    LSTM_MASKED_KERNEL,
)
from minigrad.testing import Case, booleans, check_kernel, normal


def draw(steps=5, count=3, inputs=2, units=2, seed=0):
    rows = 4 * units
    return Case.draw(
        seed,
        x=normal(steps, count, inputs),
        h0=normal(count, units),
        c0=normal(count, units),
        w_ih=normal(rows, inputs),
        w_hh=normal(rows, units),
        b_ih=normal(rows),
        b_hh=normal(rows),
    )


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gates(x, h, w_ih, w_hh, b_ih, b_hh):
    z = w_ih @ x + b_ih + w_hh @ h + b_hh
    i, f, g, o = z.reshape(4, -1)
    return sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)


def test_terms_sum_to_the_gradient():
    case = draw()
    assert set(check_kernel(LSTM_KERNEL, case).methods.values()) == {"complex step"}
    masked = Case.draw(1, **case.recipe, mask=booleans(5, 3))
    check_kernel(LSTM_MASKED_KERNEL, masked)
    dropped = Case.draw(2, **case.recipe, factor=normal(3, 2))
    check_kernel(LSTM_DROPPED_KERNEL, dropped)
    both = Case.draw(3, **dropped.recipe, mask=booleans(5, 3))
    check_kernel(LSTM_DROPPED_MASKED_KERNEL, both)


def test_forward_is_the_recursion_of_each_sequence():
    x, h0, c0, *weights = draw().arrays
    (y, h_last, c_last), _ = LSTM_KERNEL.run(x, h0, c0, *weights)
    for n in range(3):
        h, c = h0[n], c0[n]
        for t in range(5):
            i, f, g, o = gates(x[t, n], h, *weights)
            c = f * c + i * g
            h = o * np.tanh(c)
            assert_allclose(y[t, n], h, rtol=1e-12)
        assert_allclose(h_last[n], h, rtol=1e-12)
        assert_allclose(c_last[n], c, rtol=1e-12)


def test_carry_is_the_product_of_the_forget_gates():
    case = draw()
    x, h0, c0, *weights = case.arrays
    out, record = LSTM_KERNEL.run(x, h0, c0, *weights)
    dy = case.cotangent(out)
    carry = LSTM_KERNEL.backward_terms("c0", dy, record)["carry"]
    for n in range(3):
        h, c, kept, expected = h0[n], c0[n], np.ones(2), np.zeros(2)
        for t in range(5):
            i, f, g, o = gates(x[t, n], h, *weights)
            c, kept = f * c + i * g, kept * f
            # Out of the cell by h_t into y_t; what h_t does later is no carry.
            last = dy.y[t, n] + (dy.h[n] if t == 4 else 0)
            expected += kept * last * o * (1 - np.tanh(c) ** 2)
            h = o * np.tanh(c)
        assert_allclose(carry[n], expected + kept * dy.c[n], rtol=1e-12)


def test_a_factor_gates_what_enters_and_not_what_is_handed_on():
    x, h0, c0, *weights = draw().arrays
    factor = np.random.default_rng(1).integers(0, 2, (3, 2)) * 2.0
    (y, h_last, c_last), _ = LSTM_DROPPED_KERNEL.run(x, h0, c0, *weights, factor)
    for n in range(3):
        h, c = h0[n], c0[n]
        for t in range(5):
            i, f, g, o = gates(x[t, n], h * factor[n], *weights)
            c = f * c + i * g
            h = o * np.tanh(c)
            assert_allclose(y[t, n], h, rtol=1e-12)
        assert_allclose(h_last[n], h, rtol=1e-12)
        assert_allclose(c_last[n], c, rtol=1e-12)


def test_a_factor_of_zero_cuts_the_gradient_of_the_first_state():
    case = draw()
    factor = np.array([[0.0, 2.0], [2.0, 2.0], [0.0, 0.0]])
    y, record = LSTM_DROPPED_KERNEL.run(*case.arrays, factor)
    dh = LSTM_DROPPED_KERNEL.backward("h0", case.cotangent(y), record)
    assert_array_equal(dh == 0, factor == 0)


def test_open_forget_gates_carry_the_cell_and_its_gradient_unchanged():
    x, h0, c0, w_ih, w_hh, b_ih, b_hh = draw(40).arrays
    b_ih = b_ih + np.repeat([0.0, 100.0, 0.0, -100.0], 2)  # f = 1, o = 0
    b_ih[:2] = -100  # i = 0
    out, record = LSTM_KERNEL.run(x, h0, c0, w_ih, w_hh, b_ih, b_hh)
    dy = type(out)(np.zeros_like(out.y), np.zeros_like(out.h), np.ones_like(out.c))
    assert_array_equal(out.c, c0)
    assert_array_equal(LSTM_KERNEL.backward("c0", dy, record), dy.c)
    assert list(LSTM_KERNEL.backward_terms("c0", dy, record)) == ["carry", *GATES]


def test_huge_sums_saturate_the_gates_without_warnings():
    arrays = [array.astype("float32") for array in draw().arrays]
    arrays[0] *= 1e30
    y, record = LSTM_KERNEL.run(*arrays)
    assert np.isfinite(y.y).all()
    assert np.isfinite(LSTM_KERNEL.backward("h0", y, record)).all()


def test_a_cell_of_another_shape_is_refused():
    x, h0, c0, *weights = draw().arrays
    with pytest.raises(ShapeError, match=r"lstm: c0 has shape \(3, 1\), expected \(3,"):
        LSTM_KERNEL.run(x, h0, c0[:, :1], *weights)

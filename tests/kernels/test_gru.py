"""Gated recurrent units; what they share with the others is in test_recurrent."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.kernels.gru import GATES, GRU_KERNEL, GRU_MASKED_KERNEL
from minigrad.testing import Case, booleans, check_kernel, normal


def draw(steps=5, count=3, inputs=2, units=2, seed=0):
    rows = 3 * units
    return Case.draw(
        seed,
        x=normal(steps, count, inputs),
        h0=normal(count, units),
        w_ih=normal(rows, inputs),
        w_hh=normal(rows, units),
        b_ih=normal(rows),
        b_hh=normal(rows),
    )


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gates(x, h, w_ih, w_hh, b_ih, b_hh):
    r_x, z_x, n_x = (w_ih @ x + b_ih).reshape(3, -1)
    r_h, z_h, n_h = (w_hh @ h + b_hh).reshape(3, -1)
    r = sigmoid(r_x + r_h)
    return r, sigmoid(z_x + z_h), np.tanh(n_x + r * n_h)


def test_terms_sum_to_the_gradient():
    case = draw()
    assert set(check_kernel(GRU_KERNEL, case).methods.values()) == {"complex step"}
    masked = Case.draw(1, **case.recipe, mask=booleans(5, 3))
    check_kernel(GRU_MASKED_KERNEL, masked)


def test_forward_is_the_recursion_of_each_sequence():
    x, h0, *weights = draw().arrays
    (y, last), _ = GRU_KERNEL.run(x, h0, *weights)
    for n in range(3):
        h = h0[n]
        for t in range(5):
            _, z, new = gates(x[t, n], h, *weights)
            h = (1 - z) * new + z * h
            assert_allclose(y[t, n], h, rtol=1e-12)
        assert_allclose(last[n], h, rtol=1e-12)


def test_carry_is_the_product_of_the_update_gates():
    case = draw()
    x, h0, *weights = case.arrays
    out, record = GRU_KERNEL.run(x, h0, *weights)
    dy = case.cotangent(out)
    carry = GRU_KERNEL.backward_terms("h0", dy, record)["carry"]
    for n in range(3):
        kept, expected = np.ones(2), np.zeros(2)
        for t in range(5):
            before = out.y[t - 1, n] if t else h0[n]
            kept = kept * gates(x[t, n], before, *weights)[1]
            expected += kept * dy.y[t, n]
        assert_allclose(carry[n], expected + kept * dy.h[n], rtol=1e-12)


def test_open_update_gates_carry_the_state_and_its_gradient_unchanged():
    x, h0, w_ih, w_hh, b_ih, b_hh = draw(40).arrays
    b_ih[2:4] = 100  # z = 1
    out, record = GRU_KERNEL.run(x, h0, w_ih, w_hh, b_ih, b_hh)
    dy = type(out)(np.zeros_like(out.y), np.ones_like(out.h))
    assert_allclose(out.h, h0, rtol=1e-14)
    assert_array_equal(GRU_KERNEL.backward("h0", dy, record), dy.h)
    assert list(GRU_KERNEL.backward_terms("h0", dy, record)) == ["carry", *GATES]


def test_a_closed_reset_gate_forgets_the_state_in_the_new_gate():
    x, h0, w_ih, w_hh, b_ih, b_hh = draw().arrays
    b_ih[:2] = -200  # r = 0
    y, record = GRU_KERNEL.run(x, h0, w_ih, w_hh, b_ih, b_hh)
    terms = GRU_KERNEL.backward_terms("w_hh", y, record)
    assert_array_equal(terms["new_gate"], np.zeros_like(w_hh))
    assert terms["update_gate"].any()

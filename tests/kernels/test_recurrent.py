"""What all recurrent kernels share: masks, directions, one walk for all gradients."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.errors import DTypeError, ShapeError
from minigrad.kernels import _over_time as over
from minigrad.kernels.gru import GRU_KERNEL, GRU_MASKED_KERNEL
from minigrad.kernels.lstm import (
    LSTM_DROPPED_KERNEL,
    LSTM_DROPPED_MASKED_KERNEL,
    LSTM_KERNEL,
    LSTM_MASKED_KERNEL,
)
from minigrad.kernels.rnn import RNN_KERNEL, RNN_MASKED_KERNEL
from minigrad.testing import Case, between, booleans, check_kernel

GATES = {"rnn": 1, "gru": 3, "lstm": 4, "lstm_dropped": 4}
KERNELS = {
    "rnn": (RNN_KERNEL, RNN_MASKED_KERNEL),
    "gru": (GRU_KERNEL, GRU_MASKED_KERNEL),
    "lstm": (LSTM_KERNEL, LSTM_MASKED_KERNEL),
    "lstm_dropped": (LSTM_DROPPED_KERNEL, LSTM_DROPPED_MASKED_KERNEL),
}
every_kind = pytest.mark.parametrize("kind", GATES)


def draw(kind, steps=4, count=3, inputs=2, units=2, *, seed=0, mask=False, **params):
    """Draw a case for the kernel of a kind, with a mask or without."""
    rows = GATES[kind] * units
    states = ("h0", "c0") if kind.startswith("lstm") else ("h0",)
    shapes = {"x": (steps, count, inputs), **dict.fromkeys(states, (count, units))}
    shapes |= {"w_ih": (rows, inputs), "w_hh": (rows, units)}
    shapes |= {"b_ih": (rows,), "b_hh": (rows,)}
    if kind == "lstm_dropped":
        shapes["factor"] = (count, units)
    # Near 1 a float32 tanh has no digits left for its slope.
    arrays = {
        name: between(*shape, low=-0.7, high=0.7) for name, shape in shapes.items()
    }
    if mask:
        arrays["mask"] = booleans(steps, count)
    return KERNELS[kind][mask], Case.draw(seed, params=params, **arrays)


def gradients(kernel, case, dy, record):
    """Return every gradient by name."""
    return {
        name: kernel.backward(name, dy, record)
        for name, rule in kernel.terms.items()
        if rule is not None
    }


sizes = st.integers(1, 4)


@every_kind
def test_kernels_hold_to_every_law(kind):
    # Each example checks a dozen inputs and outputs by complex step.
    @settings(max_examples=max(1, settings().max_examples // 2))
    @given(
        sizes, sizes, sizes, sizes, st.booleans(), st.booleans(), st.integers(0, 2**32)
    )
    def hold(steps, count, inputs, units, mask, reverse, seed):
        shape = (steps, count, inputs, units)
        check_kernel(*draw(kind, *shape, seed=seed, mask=mask, reverse=reverse))

    hold()


@every_kind
@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_kernels_hold_to_every_law_where_threads_share_the_work(
    kind, mask, reverse, monkeypatch
):
    monkeypatch.setattr(over, "WORTHWHILE", 1)
    monkeypatch.setattr(over, "STRETCH", 2)
    monkeypatch.setattr(over, "BLOCK", 4)
    check_kernel(*draw(kind, 9, mask=mask, reverse=reverse))


@every_kind
def test_who_asks_first_changes_no_bit(kind, monkeypatch):
    monkeypatch.setattr(over, "STRETCH", 2)
    kernel, case = draw(kind, 21, 8, 32, 32)
    arrays = [array.astype("float32") for array in case.arrays]
    monkeypatch.setattr(over, "WORTHWHILE", 1)
    found = []
    for first in ("x", "w_hh", "b_ih"):
        y, record = kernel.run(*arrays)
        dy = case.cotangent(y)
        kernel.backward(first, dy, record)
        found.append(gradients(kernel, case, dy, record))
    for name, array in found[0].items():
        assert array.tobytes() == found[1][name].tobytes() == found[2][name].tobytes()


@every_kind
def test_an_error_on_the_other_thread_ends_the_walk(kind, monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(over, "WORTHWHILE", 1)
    monkeypatch.setattr(over, "project", fail)
    kernel, case = draw(kind, 12)
    with pytest.raises(MemoryError):
        kernel.run(*case.arrays)


@every_kind
@pytest.mark.parametrize("mask", [False, True])
def test_reverse_is_the_same_on_times_in_reverse(kind, mask):
    kernel, case = draw(kind, mask=mask)
    arrays = list(case.arrays)
    y, record = kernel.run(*arrays, reverse=True)
    dy = case.cotangent(y)
    found = gradients(kernel, case, dy, record)
    for at in (0, -1) if mask else (0,):
        arrays[at] = arrays[at][::-1]
    other, record = kernel.run(*arrays)
    assert_array_equal(y.y, other.y[::-1])
    assert_array_equal(y.h, other.h)
    expected = gradients(kernel, case, dy._replace(y=dy.y[::-1]), record)
    expected["x"] = expected["x"][::-1]
    for name, array in found.items():
        assert_allclose(array, expected[name], rtol=1e-12, atol=1e-12)


@every_kind
def test_a_masked_step_is_as_if_it_were_not_there(kind):
    kernel, case = draw(kind, 6, 1, mask=True)
    *arrays, _ = case.arrays
    seen = np.array([True, False, True, True, False, True])
    y, record = kernel.run(*arrays, seen[:, None])
    dy = case.cotangent(y)
    short = KERNELS[kind][0]
    other, known = short.run(arrays[0][seen], *arrays[1:])
    assert_array_equal(y.y[seen], other.y)
    assert not y.y[~seen].any()
    assert_array_equal(y.h, other.h)
    found = gradients(kernel, case, dy, record)
    expected = gradients(short, case, dy._replace(y=dy.y[seen]), known)
    assert not found["x"][~seen].any()
    found["x"] = found["x"][seen]
    for name, array in expected.items():
        assert_allclose(found[name], array, rtol=1e-12, atol=1e-12)


@every_kind
def test_a_sequence_without_a_step_hands_its_state_on(kind):
    kernel, case = draw(kind, mask=True)
    *arrays, _ = case.arrays
    mask = np.ones((4, 3), bool)
    mask[:, 1] = False
    y, record = kernel.run(*arrays, mask)
    dy = case.cotangent(y)
    assert_array_equal(y.h[1], arrays[1][1])
    terms = kernel.backward_terms("h0", dy, record)
    assert_array_equal(terms["carry"][1], dy.h[1])
    assert not any(terms[name][1].any() for name in terms if name != "carry")


@every_kind
def test_gradients_do_not_flow_against_time_or_between_sequences(kind):
    kernel, case = draw(kind)
    y, record = kernel.run(*case.arrays)
    dy = type(y)(*(np.zeros_like(part) for part in y))
    dy.y[1, 0] = 1
    dx = kernel.backward("x", dy, record)
    assert dx[:2, 0].all()
    assert not dx[2:].any()
    assert not dx[:, 1:].any()


@every_kind
def test_one_walk_serves_every_gradient_of_a_pass(kind):
    kernel, case = draw(kind)
    y, record = kernel.run(*case.arrays)
    first, second = (Case(case.arrays, seed=seed).cotangent(y) for seed in (1, 2))
    one = gradients(kernel, case, first, record)
    flow = record.saved.once.find(first, record.saved)
    assert gradients(kernel, case, first, record).keys() == one.keys()
    assert record.saved.once.find(first, record.saved) is flow
    # Another cotangent is another pass.
    kernel.backward("w_ih", second, record)
    assert record.saved.once.find(first, record.saved) is None
    for name, array in one.items():
        assert_array_equal(kernel.backward(name, first, record), array)


@every_kind
def test_a_gate_term_of_a_weight_fills_the_rows_of_its_gate(kind):
    kernel, case = draw(kind)
    y, record = kernel.run(*case.arrays)
    dy = case.cotangent(y)
    for name in ("w_ih", "w_hh", "b_ih", "b_hh"):
        terms = kernel.backward_terms(name, dy, record)
        assert len(terms) == GATES[kind]
        for gate, term in enumerate(terms.values()):
            filled = np.zeros(len(term), bool)
            filled[gate * 2 : gate * 2 + 2] = True
            assert term[filled].any()
            assert not term[~filled].any()


@every_kind
@pytest.mark.parametrize("mask", [False, True])
def test_an_empty_batch_has_gradients_of_zero(kind, mask):
    kernel, case = draw(kind, count=0, mask=mask)
    y, record = kernel.run(*case.arrays)
    assert y.y.shape == (4, 0, 2)
    for name, array in gradients(kernel, case, y, record).items():
        index = list(kernel.terms).index(name)
        assert_array_equal(array, np.zeros_like(case.arrays[index]))


@every_kind
@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("x", (3, 2), r"x has shape \(3, 2\), expected \(T, N, I\) with at least one"),
        (
            "x",
            (0, 3, 2),
            r"x has shape \(0, 3, 2\), expected \(T, N, I\) with at least",
        ),
        ("w_hh", (5, 2), r"w_hh has shape \(5, 2\), expected \(.*H, H\)"),
        ("w_ih", (1, 2), r"w_ih has shape \(1, 2\), expected"),
        ("b_ih", (1,), r"b_ih has shape \(1,\), expected"),
        ("b_hh", (1,), r"b_hh has shape \(1,\), expected"),
        ("h0", (1, 2), r"h0 has shape \(1, 2\), expected \(3, 2\)"),
        ("mask", (3, 4), r"mask has shape \(3, 4\), expected \(4, 3\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(kind, name, shape, message):
    kernel, case = draw(kind, mask=True)
    arrays = dict(zip(kernel.terms, case.arrays, strict=True))
    arrays[name] = np.zeros(shape, arrays[name].dtype)
    with pytest.raises(ShapeError, match=f"{kind}_masked: {message}"):
        kernel.run(*arrays.values())


@every_kind
def test_dtypes_that_do_not_fit_are_refused(kind):
    kernel, case = draw(kind, mask=True)
    *arrays, mask = case.arrays
    with pytest.raises(DTypeError, match="mask has dtype int64, expected bool"):
        kernel.run(*arrays, mask.astype(int))
    with pytest.raises(DTypeError, match="x has dtype int64"):
        kernel.run(*(array.astype(int) for array in arrays), mask)

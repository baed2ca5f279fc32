"""Batch norm, by the batch and by given statistics."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.kernels import _columns
from minigrad.kernels._layout import channels_second
from minigrad.kernels.batch_norm import EVAL_KERNEL, TRAIN_KERNEL, Normalised
from minigrad.testing import Case, check_kernel, kernel_cases, normal, positive

# Not 2: of two values that nearly meet, backward has what float32 holds of their mean,
# while x_hat is -1 and 1 whatever they are, so nudging them shows no such error.
SIZES = {"N": (3, 5)}
AFFINE = {"x": normal("N", "C", "H", "W"), "w": normal("C"), "b": normal("C")}
GIVEN = {"mean": normal("C"), "var": positive("C")}


@given(kernel_cases(**AFFINE, sizes=SIZES, params={"eps": st.floats(1e-5, 1)}))
def test_terms_sum_to_the_gradient_in_training(case):
    check_kernel(TRAIN_KERNEL, case)


@given(kernel_cases(**AFFINE, **GIVEN))
def test_terms_sum_to_the_gradient_in_evaluation(case):
    check_kernel(EVAL_KERNEL, case)


@given(kernel_cases(x=normal("N", "C"), w=normal("C"), b=normal("C"), sizes=SIZES))
def test_vectors_are_normalised_as_images_of_one_pixel(case):
    check_kernel(TRAIN_KERNEL, case)


def test_blocks_and_threads_change_nothing(monkeypatch):
    monkeypatch.setattr(_columns, "SHARED", 1)
    for name in ("SMALLEST", "LARGEST"):
        monkeypatch.setattr(_columns, name, 40)
    monkeypatch.setattr(_columns, "LINE", 16)
    monkeypatch.setattr(_columns, "SUMMED", 6)
    inputs = {"x": normal(7, 3, 11, 5), "w": normal(3), "b": normal(3)}
    check_kernel(TRAIN_KERNEL, Case.draw(0, **inputs))
    inputs |= {"mean": normal(3), "var": positive(3)}
    check_kernel(EVAL_KERNEL, Case.draw(0, **inputs))


@given(kernel_cases(**AFFINE, sizes=SIZES))
def test_outputs_are_those_of_numpy(case):
    x, w, b = case.arrays
    found = TRAIN_KERNEL.run(x, w, b, eps=0.1)[0]
    mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
    shaped = [v[:, None, None] for v in (w, b, mean, np.sqrt(var + 0.1))]
    expected = shaped[0] * (x - shaped[2]) / shaped[3] + shaped[1]
    assert_allclose(found.y, expected, rtol=1e-12, atol=1e-12)
    assert_allclose(found.mean, mean, rtol=1e-12, atol=1e-14)
    assert_allclose(found.var, var, rtol=1e-12, atol=1e-14)
    by_hand = EVAL_KERNEL.run(x, w, b, found.mean, found.var, eps=0.1)[0]
    assert_allclose(by_hand, found.y, rtol=1e-12, atol=1e-12)


@given(kernel_cases(**AFFINE, sizes=SIZES))
def test_constant_shift_of_a_channel_carries_no_gradient(case):
    y, record = TRAIN_KERNEL.run(*case.arrays)
    dy = Normalised(case.cotangent(y.y), *(0 * part for part in y[1:]))
    dx = TRAIN_KERNEL.backward("x", dy, record)
    assert_allclose(dx.sum(axis=(0, 2, 3)), 0, atol=1e-9)


@pytest.mark.parametrize("shape", [(4, 3, 70, 50), (64, 5, 2, 3), (300, 4, 1, 1)])
@pytest.mark.parametrize("mean", [0.0, 1000.0])
def test_statistics_of_float32_keep_their_digits(shape, mean):
    rng = np.random.default_rng(0)
    x = (rng.standard_normal(shape) + mean).astype("float32")
    ones = np.ones(shape[1], "float32")
    found = TRAIN_KERNEL.run(x, ones, 0 * ones)[0]
    wide = x.astype("float64")
    assert {part.dtype.name for part in found} == {"float32"}
    assert_allclose(found.mean, wide.mean(axis=(0, 2, 3)), rtol=1e-5, atol=1e-6)
    assert_allclose(found.var, wide.var(axis=(0, 2, 3)), rtol=1e-5)


@pytest.mark.parametrize("spread", [1.0, 1e-3])
def test_a_large_mean_costs_y_no_digits(spread):
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((8, 3, 20, 20)) * spread + 1000).astype("float32")
    w, b = rng.standard_normal((2, 3)).astype("float32")
    wide = [array.astype("float64") for array in (x, w, b)]
    found, exact = TRAIN_KERNEL.run(x, w, b)[0], TRAIN_KERNEL.run(*wide)[0]
    assert_allclose(found.y, exact.y, rtol=1e-5, atol=1e-5)
    given_ = found.mean, found.var
    found, _ = EVAL_KERNEL.run(x, w, b, *given_)
    exact, _ = EVAL_KERNEL.run(*wide, *(v.astype("float64") for v in given_))
    assert_allclose(found, exact, rtol=1e-5, atol=1e-5)


def test_a_large_mean_costs_gradients_few_digits():
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((8, 3, 20, 20)) + 1000).astype("float32")
    w, b = rng.standard_normal((2, 3)).astype("float32")
    dy = Normalised(rng.standard_normal(x.shape), np.zeros(3), np.zeros(3))
    _, record = TRAIN_KERNEL.run(x, w, b)
    _, known = TRAIN_KERNEL.run(*(array.astype("float64") for array in (x, w, b)))
    single = Normalised(*(part.astype("float32") for part in dy))
    for name in TRAIN_KERNEL.terms:
        found = TRAIN_KERNEL.backward(name, single, record)
        expected = TRAIN_KERNEL.backward(name, dy, known)
        assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_a_block_that_is_unlike_the_rest_costs_few_digits():
    # The guess at the mean is made on the first block: here it is off by 1000.
    x = np.random.default_rng(0).standard_normal((700_000, 1)).astype("float32")
    x[300_000:] += 1000
    found = TRAIN_KERNEL.run(x, *np.ones((2, 1), "float32"))[0]
    assert_allclose(found.var, x.astype("float64").var(axis=0), rtol=1e-5)


def test_results_lie_with_the_spatial_axes_first():
    memory = np.random.default_rng(0).standard_normal((3, 2, 5, 4))
    x, ones = channels_second(memory), np.ones(4)
    y, record = TRAIN_KERNEL.run(x, ones, ones)
    dx = TRAIN_KERNEL.backward("x", y, record)
    assert record.saved.rows.base is memory
    for array in (y.y, dx, EVAL_KERNEL.run(x, *[ones] * 4)[0]):
        assert array.transpose(2, 3, 0, 1).flags.c_contiguous


def test_half_precision_is_normalised_in_float32():
    x = (np.random.default_rng(0).random((6000, 2)) * 30).astype("float16")
    w, b = np.ones((2, 2), "float16")
    found, record = TRAIN_KERNEL.run(x, w, b)
    dx = TRAIN_KERNEL.backward("x", found, record)
    assert [part.dtype.name for part in found] == ["float16", "float32", "float32"]
    assert dx.dtype == "float16"
    assert_allclose(found.var, x.astype("float64").var(axis=0), rtol=1e-5)


def test_running_statistics_may_change_while_the_graph_lives():
    x, ones, mean = np.random.default_rng(0).random((4, 3)), np.ones(3), np.zeros(3)
    y, record = EVAL_KERNEL.run(x, ones, ones, mean, ones)
    before = EVAL_KERNEL.backward("w", y, record)
    mean += 1
    assert_array_equal(EVAL_KERNEL.backward("w", y, record), before)


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1, 1), (0, 3), (2, 3, 0)])
def test_less_than_two_values_a_channel_are_refused_in_training(shape):
    message = r"expected more than one value per channel in training; pass more"
    with pytest.raises(ShapeError, match=message):
        TRAIN_KERNEL.run(np.ones(shape), np.ones(3), np.ones(3))


@pytest.mark.parametrize("shape", [(0, 3), (2, 3, 0), (1, 3)])
def test_any_number_of_values_goes_in_evaluation(shape):
    y, record = EVAL_KERNEL.run(np.ones(shape), *np.ones((4, 3)))
    gradients = [EVAL_KERNEL.backward(name, y, record) for name in EVAL_KERNEL.terms]
    assert y.shape == gradients[0].shape == shape
    assert {gradient.shape for gradient in gradients[1:]} == {(3,)}


@pytest.mark.parametrize(
    ("x", "w", "error", "message"),
    [
        (np.ones(3), np.ones(3), ShapeError, r"x has shape \(3,\), expected \(N, C, "),
        (np.ones((2, 3)), np.ones(2), ShapeError, r"w has shape \(2,\), expected \(3,"),
        (np.ones((2, 3), int), np.ones(3), DTypeError, "x has dtype int64"),
    ],
)
def test_wrong_inputs_are_refused(x, w, error, message):
    for kernel, others in ((TRAIN_KERNEL, 1), (EVAL_KERNEL, 3)):
        with pytest.raises(error, match=f"{kernel.name}: {message}|dtype"):
            kernel.run(x, w, *[np.ones(3)] * others)


@pytest.mark.parametrize("eps", ["a", None])
def test_eps_that_is_no_number_is_refused(eps):
    ones = np.ones(3)
    with pytest.raises(ArgumentError, match=r"batch_norm_train: eps .+ expected a num"):
        TRAIN_KERNEL.run(np.ones((2, 3)), ones, ones, eps=eps)
    with pytest.raises(ArgumentError, match=r"batch_norm_eval: eps .+ expected a numb"):
        EVAL_KERNEL.run(np.ones((2, 3)), ones, ones, ones, ones, eps=eps)

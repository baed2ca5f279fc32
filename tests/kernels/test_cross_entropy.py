"""Softmax and cross-entropy in one kernel, for labels and for distributions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.backend import to_backend
from minigrad.errors import ArgumentError, BadIndexError, DTypeError, ShapeError
from minigrad.kernels.cross_entropy import SOFTMAX_CROSS_ENTROPY_KERNEL as HARD
from minigrad.kernels.cross_entropy import SOFTMAX_CROSS_ENTROPY_SOFT_KERNEL as SOFT
from minigrad.testing import (
    between,
    check_kernel,
    fake_device,
    integers,
    kernel_cases,
    normal,
)

PARAMS = {
    "reduction": st.sampled_from(["mean", "sum", "none"]),
    "label_smoothing": st.sampled_from([0.0, 0.1, 1.0]),
}
hard_cases = kernel_cases(x=normal("N", "K"), t=integers("N", high="K"), params=PARAMS)
soft_cases = kernel_cases(
    x=normal("N", "K"), t=between("N", "K", low=0.0, high=1.0), params=PARAMS
)


@given(case=hard_cases)
def test_terms_sum_to_the_gradient_for_labels(case):
    check_kernel(HARD, case)


@given(case=soft_cases)
def test_terms_sum_to_the_gradient_for_distributions(case):
    check_kernel(SOFT, case)


@pytest.mark.parametrize("ignored", [-100, 2])
@given(case=hard_cases)
def test_terms_sum_to_the_gradient_with_ignored_rows(ignored, case):
    x, t = case.arrays
    t = np.append(np.where(t == ignored, 0, t), [ignored])
    x = np.concatenate([x, x[:1]])
    check_kernel(HARD, type(case)((x, t), case.params, case.seed), ignore_index=ignored)


@given(case=hard_cases)
def test_loss_is_the_mean_surprise_at_the_labels(case):
    x, t = case.arrays
    surprises = [
        math.log(sum(map(math.exp, row))) - row[label]
        for row, label in zip(x, t, strict=True)
    ]
    assert_allclose(HARD.run(x, t)[0], np.mean(surprises), rtol=1e-12, atol=1e-14)


@given(case=hard_cases)
def test_labels_are_distributions_with_one_class(case):
    x, t = case.arrays
    one_hot = np.eye(x.shape[1])[t]
    hard, hard_record = HARD.run(x, t, **case.params)
    soft, soft_record = SOFT.run(x, one_hot, **case.params)
    dy = case.cotangent(hard)
    assert_allclose(hard, soft, rtol=1e-12, atol=1e-14)
    hard_dx = HARD.backward_terms("x", dy, hard_record)
    soft_dx = SOFT.backward_terms("x", dy, soft_record)
    for term in ("prediction", "target"):
        assert_allclose(hard_dx[term], soft_dx[term], rtol=1e-12, atol=1e-14)


@given(case=hard_cases)
def test_constant_shift_of_a_row_carries_no_gradient(case):
    y, record = HARD.run(*case.arrays, **case.params)
    dx = HARD.backward("x", case.cotangent(y), record)
    assert_allclose(dx.sum(axis=1), 0, atol=1e-14)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
@pytest.mark.parametrize("ignore_index", [-100, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_labels_score_as_in_pytorch(reduction, label_smoothing, ignore_index, dtype):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((7, 4)).astype(dtype)
    t = np.array([0, 3, 2, ignore_index, 1, 2, 0])
    params = {
        "reduction": reduction,
        "label_smoothing": label_smoothing,
        "ignore_index": ignore_index,
    }
    theirs = torch.tensor(x, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(theirs, torch.tensor(t), **params)
    dy = np.asarray(rng.standard_normal(expected.shape), dtype)
    expected.backward(torch.tensor(dy))

    y, record = HARD.run(x, t, **params)

    tolerance = 1e-12 if dtype == "float64" else 2e-6
    assert y.dtype == dtype
    assert_allclose(y, expected.detach().numpy(), tolerance, tolerance)
    dx = HARD.backward("x", dy, record)
    assert_allclose(dx, theirs.grad.numpy(), tolerance, tolerance)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_distributions_score_as_in_pytorch(reduction, label_smoothing):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((7, 4)), rng.random((7, 4))
    params = {"reduction": reduction, "label_smoothing": label_smoothing}
    theirs = [torch.tensor(array, requires_grad=True) for array in (x, t)]
    expected = torch.nn.functional.cross_entropy(*theirs, **params)
    dy = np.asarray(rng.standard_normal(expected.shape))
    expected.backward(torch.tensor(dy))

    y, record = SOFT.run(x, t, **params)

    assert_allclose(y, expected.detach().numpy(), 1e-12)
    for name, tensor in zip("xt", theirs, strict=True):
        assert_allclose(SOFT.backward(name, dy, record), tensor.grad.numpy(), 1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sure_model_has_finite_loss_and_gradient(dtype):
    x = np.array([[1e4, -1e4], [1e4, -1e4]], dtype)
    y, record = HARD.run(x, np.array([0, 1]), reduction="none")
    assert_array_equal(y, [0, 2e4])
    dx = HARD.backward("x", np.ones(2, dtype), record)
    assert_array_equal(dx, [[0, 0], [1, -1]])


@pytest.mark.parametrize("num_classes", [3, 200])
def test_short_and_long_rows_score_alike(num_classes):
    # Short rows are laid down column by column.
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, num_classes))
    t = rng.integers(0, num_classes, 5)
    padded = np.concatenate([x, np.full((5, 100), -1e5)], axis=1)
    assert_allclose(HARD.run(x, t)[0], HARD.run(padded, t)[0], rtol=1e-14)


def test_empty_batch_sums_to_zero():
    y, record = HARD.run(np.zeros((0, 3)), np.zeros(0, int), reduction="sum")
    assert y == 0
    assert HARD.backward("x", np.ones(()), record).shape == (0, 3)


@pytest.mark.parametrize("kernel", [HARD, SOFT], ids=lambda k: k.name)
def test_mean_of_an_empty_batch_is_refused(kernel):
    t = np.zeros(0, int) if kernel is HARD else np.zeros((0, 3))
    with pytest.raises(ShapeError, match="mean of an empty batch does not exist"):
        kernel.run(np.zeros((0, 3)), t)


@pytest.mark.parametrize("ignored", [-100, 0, None])
@pytest.mark.parametrize(("labels", "bad"), [([0, 12], 1), ([-1, 2], 0)])
def test_labels_out_of_range_are_refused(labels, bad, ignored, backend):
    x, t = to_backend(np.zeros((2, 10))), to_backend(np.array(labels))
    message = (
        rf"softmax_cross_entropy: t has label {labels[bad]} at \[{bad}\], "
        r"expected 0 <= label < 10 \(K classes\)"
    )
    with pytest.raises(BadIndexError, match=message):
        HARD.run(x, t, ignore_index=ignored)


def test_mean_of_ignored_rows_alone_is_refused(backend):
    x, t = to_backend(np.zeros((2, 3))), to_backend(np.array([-100, -100]))
    with pytest.raises(ArgumentError, match="all 2 labels are ignore_index, expected"):
        HARD.run(x, t, ignore_index=-100)


def test_float_labels_are_refused():
    with pytest.raises(DTypeError, match="t has dtype float64, expected integers"):
        HARD.run(np.zeros((2, 3)), np.zeros(2))


def test_labels_of_another_length_are_refused():
    with pytest.raises(ShapeError, match=r"t has shape \(3,\), expected \(2,\)"):
        HARD.run(np.zeros((2, 3)), np.zeros(3, int))


def test_logits_without_a_batch_axis_are_refused():
    with pytest.raises(ShapeError, match=r"x has shape \(3,\), expected \(N, K\)"):
        HARD.run(np.zeros(3), np.zeros((), int))


def test_smoothing_beyond_one_is_refused():
    with pytest.raises(ArgumentError, match="expected 0 <= label_smoothing <= 1"):
        SOFT.run(np.zeros((2, 3)), np.zeros((2, 3)), label_smoothing=1.5)


def test_unknown_reduction_is_refused():
    with pytest.raises(ArgumentError, match="reduction 'avg', expected 'mean' or"):
        HARD.run(np.zeros((2, 3)), np.zeros(2, int), reduction="avg")


def test_half_precision_counts_and_adds_in_float32():
    count = 5000
    x = np.zeros((count, 1), "float16")
    t = np.zeros(count, int)
    y, record = HARD.run(np.hstack([x, x]), t, ignore_index=1)
    dx = HARD.backward("x", np.ones_like(y), record)
    assert y.dtype == dx.dtype == "float16"
    assert_allclose(y, math.log(2), rtol=1e-3)
    assert_allclose(dx[:, 1], 0.5 / count, rtol=1e-2)


def test_device_counts_half_precision_in_float32():
    with fake_device() as device:
        x = device.from_host(np.zeros((5001, 2), "float16"))
        t = device.from_host(np.arange(5001) // 5000)
        y, _ = HARD.run(x, t, ignore_index=1)
        assert_allclose(device.to_host(y), math.log(2), rtol=1e-3)


def test_many_classes_of_half_precision_do_not_stick():
    x = np.zeros((1, 5000), "float16")
    for kernel, t in [
        (HARD, np.zeros(1, int)),
        (SOFT, np.full_like(x, 1 / 5000)),
    ]:
        assert_allclose(kernel.run(x.copy("F"), t)[0], math.log(5000), rtol=2e-3)


@pytest.mark.parametrize("value", ["a", None, 1.5, math.nan])
def test_label_smoothing_that_is_no_share_is_refused(value):
    with pytest.raises(ArgumentError, match=r"label_smoothing .+, expected 0 <="):
        HARD.run(np.zeros((1, 2)), np.zeros(1, int), label_smoothing=value)


def test_no_classes_are_refused():
    x = np.zeros((2, 0))
    with pytest.raises(ShapeError, match=r"x has shape \(2, 0\), expected \(N, K\), K"):
        SOFT.run(x, x)

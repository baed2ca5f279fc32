"""Element-wise losses against PyTorch, and where their formulas like to overflow."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.kernels import losses
from minigrad.testing import between, check_kernel, kernel_cases, normal

REDUCTIONS = ("mean", "sum", "none")
KERNELS = [
    (losses.SQUARED_ERROR_KERNEL, "mse_loss", {}),
    (losses.HUBER_KERNEL, "huber_loss", {"delta": 0.4}),
    (losses.BCE_WITH_LOGITS_KERNEL, "binary_cross_entropy_with_logits", {}),
]
every_kernel = pytest.mark.parametrize(
    ("kernel", "name", "params"), [pytest.param(*row, id=row[1]) for row in KERNELS]
)


@every_kernel
def test_terms_sum_to_the_gradient(kernel, name, params):
    drawn = {**params, "reduction": st.sampled_from(REDUCTIONS)}

    @given(
        kernel_cases(
            x=normal("...", "D"),
            t=between("...", "D", low=0.0, high=1.0),
            params=drawn,
            zero=False,
        )
    )
    def hold(case):
        check_kernel(kernel, case)

    hold()


@every_kernel
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_value_and_gradients_are_those_of_pytorch(
    kernel, name, params, reduction, dtype
):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6, 4)).astype(dtype)
    t = rng.random((6, 4)).astype(dtype)
    theirs = [torch.tensor(array, requires_grad=True) for array in (x, t)]
    function = getattr(torch.nn.functional, name)
    expected = function(*theirs, reduction=reduction, **params)
    dy = np.asarray(rng.standard_normal(expected.shape), dtype)
    expected.backward(torch.tensor(dy))

    y, record = kernel.run(x, t, reduction=reduction, **params)

    tolerance = 1e-12 if dtype == "float64" else 2e-6
    assert y.dtype == dtype
    assert_allclose(y, expected.detach().numpy(), tolerance, tolerance)
    for role, tensor in zip("xt", theirs, strict=True):
        found = kernel.backward(role, dy, record)
        assert_allclose(found, tensor.grad.numpy(), tolerance, tolerance)


@pytest.mark.parametrize("kernel", [losses.SQUARED_ERROR_KERNEL, losses.HUBER_KERNEL])
def test_common_shift_of_prediction_and_target_changes_nothing(kernel):
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((2, 5))
    assert_allclose(kernel.run(x + 9, t + 9)[0], kernel.run(x, t)[0], rtol=1e-13)
    _, record = kernel.run(x, t)
    dx, dt = (kernel.backward(name, np.ones(()), record) for name in "xt")
    assert_array_equal(dx, -dt)


def test_huber_is_quadratic_inside_and_linear_outside():
    x = np.array([0.5, -0.5, 3.0, -3.0])
    y, _ = losses.huber(x, np.zeros(4), delta=2.0, reduction="none")
    assert_allclose(y, [0.125, 0.125, 4.0, 4.0])


def test_yes_and_no_of_opposite_logits_cost_the_same():
    x = np.random.default_rng(0).standard_normal(20) * 5
    yes, _ = losses.bce_with_logits(x, np.ones(20), reduction="none")
    no, _ = losses.bce_with_logits(-x, np.zeros(20), reduction="none")
    assert_allclose(yes, no, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logits_far_out_cost_what_they_are(dtype):
    x, t = np.array([1e4, -1e4, 1e4], dtype), np.array([0, 1, 1], dtype)
    y, record = losses.BCE_WITH_LOGITS_KERNEL.run(x, t, reduction="none")
    assert_array_equal(y, [1e4, 1e4, 0])
    dx = losses.BCE_WITH_LOGITS_KERNEL.backward("x", np.ones(3, dtype), record)
    assert_array_equal(dx, [1, -1, 0])


def test_float16_mean_survives_a_sum_beyond_float16():
    x = np.full(70_000, 1, "float16")
    y, _ = losses.SQUARED_ERROR_KERNEL.run(x, np.zeros_like(x))
    assert (y.dtype, y) == (np.float16, 1)


@every_kernel
def test_shapes_are_never_broadcast(kernel, name, params):
    message = r"t has shape \(3,\), expected \(3, 1\), the shape of x; reshape"
    with pytest.raises(ShapeError, match=message):
        kernel.run(np.zeros((3, 1)), np.zeros(3), **params)


@every_kernel
def test_mean_of_nothing_is_refused(kernel, name, params):
    with pytest.raises(ShapeError, match=r"x has shape \(0, 3\), expected at least"):
        kernel.run(np.zeros((0, 3)), np.zeros((0, 3)), **params)


@every_kernel
def test_integer_targets_are_refused(kernel, name, params):
    with pytest.raises(
        DTypeError, match="x has dtype float64 and t int64, expected one"
    ):
        kernel.run(np.zeros(3), np.zeros(3, int), **params)


@pytest.mark.parametrize("delta", [0, -1, math.nan])
def test_huber_without_a_width_is_refused(delta):
    with pytest.raises(ArgumentError, match="expected delta > 0"):
        losses.HUBER_KERNEL.run(np.zeros(3), np.zeros(3), delta=delta)


def test_unknown_reduction_is_refused():
    with pytest.raises(ArgumentError, match="mse_loss: reduction 'avg', expected"):
        losses.SQUARED_ERROR_KERNEL.run(np.zeros(3), np.zeros(3), reduction="avg")


def test_infinite_logits_cost_infinity_where_both_sides_are_possible():
    x, t = np.array([math.inf, -math.inf]), np.full(2, 0.25)
    y, record = losses.BCE_WITH_LOGITS_KERNEL.run(x, t, reduction="none")
    assert_array_equal(y, math.inf)
    dx = losses.BCE_WITH_LOGITS_KERNEL.backward("x", np.ones(2), record)
    assert_array_equal(dx, [0.75, -0.25])

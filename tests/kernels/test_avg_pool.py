"""Average pooling and its adaptive variant."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.kernels import _windows
from minigrad.kernels.avg_pool import ADAPTIVE_AVG_POOL_KERNEL, AVG_POOL_KERNEL
from minigrad.testing import Case, check_kernel, kernel_cases, normal

sizes = {"H": (3, 7), "W": (3, 7)}
windows = {
    "kernel_size": st.sampled_from([2, 3, (3, 1), (1, 2)]),
    "stride": st.sampled_from([None, 1, 2, (1, 4)]),
    "ceil_mode": st.booleans(),
    "count_include_pad": st.booleans(),
    "divisor_override": st.sampled_from([None, 5]),
}
pool_cases = kernel_cases(x=normal("N", "C", "H", "W"), params=windows, sizes=sizes)
adaptive_cases = kernel_cases(
    x=normal("N", "C", "H", "W"),
    params={"output_size": st.tuples(st.integers(1, 8), st.integers(1, 8))},
    sizes=sizes,
)


@given(case=pool_cases)
def test_terms_sum_to_the_gradient(case):
    check_kernel(AVG_POOL_KERNEL, case)


@given(case=adaptive_cases)
def test_terms_of_the_adaptive_kernel_sum_to_the_gradient(case):
    check_kernel(ADAPTIVE_AVG_POOL_KERNEL, case)


@pytest.mark.parametrize("count_include_pad", [True, False])
@pytest.mark.parametrize("shape", [(2, 3, 9), (1, 2, 5, 4, 6), (0, 3, 4), (3, 0, 4)])
def test_any_number_of_padded_axes_and_empty_batches_pass(shape, count_include_pad):
    check_kernel(
        AVG_POOL_KERNEL,
        Case.draw(0, x=normal(*shape)),
        kernel_size=3,
        padding=1,
        stride=2,
        count_include_pad=count_include_pad,
    )


@given(kernel_cases(x=normal("N", "C", "H", "W"), sizes=sizes), st.booleans())
def test_it_is_the_mean_of_each_window(case, count_include_pad):
    (x,) = case.arrays
    y, _ = AVG_POOL_KERNEL.run(
        x, kernel_size=3, stride=2, padding=1, count_include_pad=count_include_pad
    )
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    inside = np.pad(np.ones(x.shape[2:]), 1)
    for h, w in np.ndindex(y.shape[2:]):
        at = (slice(2 * h, 2 * h + 3), slice(2 * w, 2 * w + 3))
        count = 9 if count_include_pad else inside[at].sum()
        mean = padded[:, :, *at].sum(axis=(2, 3)) / count
        assert_allclose(y[:, :, h, w], mean, rtol=1e-12, atol=1e-14)


@given(adaptive_cases)
def test_adaptive_windows_cover_x_evenly(case):
    (x,) = case.arrays
    y, _ = ADAPTIVE_AVG_POOL_KERNEL.run(x, **case.params)
    size, out = x.shape[2:], y.shape[2:]
    for place in np.ndindex(out):
        pairs = list(zip(place, size, out, strict=True))
        at = [slice(i * n // o, math.ceil((i + 1) * n / o)) for i, n, o in pairs]
        mean = x[:, :, *at].mean(axis=(2, 3))
        assert_allclose(y[:, :, *place], mean, rtol=1e-12, atol=1e-14)


@given(pool_cases)
def test_blocks_change_nothing(case):
    y, record = AVG_POOL_KERNEL.run(*case.arrays, **case.params)
    dy = case.cotangent(y)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_windows, "BLOCK", 16)
        blocked, _ = AVG_POOL_KERNEL.run(*case.arrays, **case.params)
        dx = AVG_POOL_KERNEL.backward("x", dy, record)
    assert_array_equal(blocked, y)
    assert_array_equal(dx, AVG_POOL_KERNEL.backward("x", dy, record))


@given(adaptive_cases)
def test_a_constant_stays_and_backward_keeps_the_total(case):
    (x,) = case.arrays
    constant, _ = ADAPTIVE_AVG_POOL_KERNEL.run(0 * x + 3, **case.params)
    y, record = ADAPTIVE_AVG_POOL_KERNEL.run(x, **case.params)
    dy = case.cotangent(y)
    dx = ADAPTIVE_AVG_POOL_KERNEL.backward("x", dy, record)
    assert_allclose(constant, 3, rtol=1e-13)
    assert_allclose(dx.sum(axis=(2, 3)), dy.sum(axis=(2, 3)), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("padding", [0, 1])
def test_infinity_stays_in_its_window(padding):
    x = np.zeros((1, 1, 4, 4))
    x[0, 0, 0, 0] = math.inf
    y, record = AVG_POOL_KERNEL.run(x, kernel_size=2, padding=padding)
    dx = AVG_POOL_KERNEL.backward("x", y, record)
    assert np.isinf(y).sum() == 1
    assert np.isinf(dx).sum() == (1 if padding else 4)
    assert not np.isnan(dx).any()


@pytest.mark.parametrize("size", [None, 6, (4, 6)])
def test_none_keeps_an_axis(size):
    (x,) = Case.draw(0, x=normal(2, 3, 4, 6)).arrays
    y, _ = ADAPTIVE_AVG_POOL_KERNEL.run(x, output_size=size)
    assert y.shape == (2, 3, 6 if size == 6 else 4, 6)
    half, _ = ADAPTIVE_AVG_POOL_KERNEL.run(x, output_size=(None, 3))
    assert_allclose(half, (x[..., ::2] + x[..., 1::2]) / 2)


@pytest.mark.parametrize("params", [{"kernel_size": 64}, {"kernel_size": (64, 32)}])
def test_half_precision_adds_in_float32(params):
    # In float16 a sum of ones stops at 2048.
    x = np.ones((1, 1, 64, 64), "float16")
    y, record = AVG_POOL_KERNEL.run(x, **params)
    dx = AVG_POOL_KERNEL.backward("x", np.full_like(y, 2048), record)
    assert y.dtype == dx.dtype == "float16"
    assert_array_equal(y, np.ones_like(y))
    assert_array_equal(dx, dx * 0 + 2048 / math.prod((64, 64 // y.shape[3])))


@pytest.mark.parametrize("kernel_size", [2, 4])
def test_y_lies_with_the_spatial_axes_first(kernel_size):
    y, _ = AVG_POOL_KERNEL.run(np.ones((2, 3, 4, 4)), kernel_size=kernel_size)
    assert y.transpose(2, 3, 0, 1).flags.c_contiguous


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"kernel_size": 0}, ArgumentError, "kernel_size 0, expected an int >= 1"),
        ({"padding": 2}, ArgumentError, r"padding \(2, 2\), expected at most half of"),
        (
            {"kernel_size": 5},
            ShapeError,
            r"x has spatial shape \(4, 6\), expected at l",
        ),
        ({"divisor_override": 0}, ArgumentError, "divisor_override 0, expected an int"),
        ({"divisor_override": 0.5}, ArgumentError, r"divisor_override .*, expected a"),
    ],
)
def test_windows_that_do_not_fit_are_refused(params, error, message):
    with pytest.raises(error, match="avg_pool: " + message):
        AVG_POOL_KERNEL.run(np.zeros((2, 3, 4, 6)), **{"kernel_size": 3, **params})


def test_adaptive_sizes_below_one_are_refused():
    with pytest.raises(ArgumentError, match=r"adaptive_avg_pool: output_size \(2, 0\)"):
        ADAPTIVE_AVG_POOL_KERNEL.run(np.zeros((2, 3, 4, 6)), output_size=(2, 0))


@pytest.mark.parametrize(
    ("kernel", "params"),
    [
        (AVG_POOL_KERNEL, {"kernel_size": 2}),
        (ADAPTIVE_AVG_POOL_KERNEL, {"output_size": 2}),
    ],
)
def test_integers_are_refused(kernel, params):
    with pytest.raises(DTypeError, match="x has dtype int64, expected a float dtype"):
        kernel.run(np.zeros((1, 1, 4), int), **params)

"""Nearest and linear resampling."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.kernels import _windows
from minigrad.kernels.upsampling import (
    UPSAMPLE_LINEAR_KERNEL,
    UPSAMPLE_NEAREST_KERNEL,
)
from minigrad.testing import Case, check_kernel, kernel_cases, normal

KERNELS = [UPSAMPLE_NEAREST_KERNEL, UPSAMPLE_LINEAR_KERNEL]
every_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.name)
sides = {"size": st.tuples(st.integers(1, 12), st.integers(1, 12))}
cases = kernel_cases(x=normal("N", "C", "H", "W"), params=sides)
linear_cases = kernel_cases(
    x=normal("N", "C", "H", "W"), params=sides | {"align_corners": st.booleans()}
)


@given(case=cases)
def test_terms_of_nearest_sum_to_the_gradient(case):
    check_kernel(UPSAMPLE_NEAREST_KERNEL, case)


@given(case=linear_cases)
def test_terms_of_linear_sum_to_the_gradient(case):
    check_kernel(UPSAMPLE_LINEAR_KERNEL, case)


@every_kernel
@pytest.mark.parametrize("shape", [(2, 3, 5), (1, 2, 3, 4, 2), (0, 3, 4), (3, 0, 4)])
@pytest.mark.parametrize("ratio", [2.0, 0.7])
def test_any_number_of_axes_and_empty_batches_pass(kernel, shape, ratio):
    size = tuple(math.floor(ratio * length) for length in shape[2:])
    scale = (ratio,) * len(size)
    check_kernel(kernel, Case.draw(0, x=normal(*shape)), size=size, scale=scale)


@given(cases)
def test_nearest_takes_the_pixel_before(case):
    (x,) = case.arrays
    (height, width), (h, w) = x.shape[2:], case.params["size"]
    y, _ = UPSAMPLE_NEAREST_KERNEL.run(x, size=(h, w))
    rows, columns = np.arange(h) * height // h, np.arange(w) * width // w
    assert_array_equal(y, x[:, :, rows][..., columns])


@given(linear_cases)
def test_linear_is_interpolation_along_each_axis(case):
    (x,) = case.arrays
    y, _ = UPSAMPLE_LINEAR_KERNEL.run(x, **case.params)
    for axis, out in zip((2, 3), case.params["size"], strict=True):
        size = x.shape[axis]
        if case.params["align_corners"]:
            at = np.linspace(0, size - 1, out) if out > 1 else np.zeros(1)
        else:
            at = (np.arange(out) + 0.5) * size / out - 0.5
        x = np.apply_along_axis(
            lambda line, at=at: np.interp(at, range(len(line)), line), axis, x
        )
    assert_allclose(y, x, rtol=1e-11, atol=1e-12)


@every_kernel
@given(case=cases)
def test_blocks_change_nothing(kernel, case):
    y, record = kernel.run(*case.arrays, **case.params)
    dy = case.cotangent(y)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_windows, "BLOCK", 16)
        blocked, _ = kernel.run(*case.arrays, **case.params)
        dx = kernel.backward("x", dy, record)
    assert_array_equal(blocked, y)
    assert_array_equal(dx, kernel.backward("x", dy, record))


@every_kernel
@given(case=cases)
def test_a_constant_stays_and_backward_keeps_the_total(kernel, case):
    (x,) = case.arrays
    constant, _ = kernel.run(0 * x + 3, **case.params)
    y, record = kernel.run(x, **case.params)
    dy = case.cotangent(y)
    dx = kernel.backward("x", dy, record)
    assert_allclose(constant, 3, rtol=1e-13)
    assert_allclose(dx.sum(axis=(2, 3)), dy.sum(axis=(2, 3)), rtol=1e-9, atol=1e-12)


@every_kernel
def test_the_same_size_changes_nothing_whatever_the_scale(kernel):
    (x,) = Case.draw(0, x=normal(2, 3, 3)).arrays
    assert_array_equal(kernel.run(x, size=3, scale=(1.3,))[0], x)


def test_scale_moves_the_positions_where_size_was_rounded_down():
    x = np.arange(5.0).reshape(1, 1, 5)
    # 5 * 1.5 = 7.5: seven positions 2 / 3 apart instead of 5 / 7.
    plain, _ = UPSAMPLE_LINEAR_KERNEL.run(x, size=7)
    scaled, _ = UPSAMPLE_LINEAR_KERNEL.run(x, size=7, scale=(1.5,))
    steps = np.arange(7) + 0.5
    assert_allclose(plain[0, 0], np.clip(steps * 5 / 7 - 0.5, 0, 4))
    assert_allclose(scaled[0, 0], np.clip(steps * 2 / 3 - 0.5, 0, 4))


@every_kernel
def test_infinity_reaches_only_its_neighbours(kernel):
    x = np.zeros((1, 1, 8))
    x[0, 0, 0] = math.inf
    y, record = kernel.run(x, size=16)
    assert np.isinf(y).sum() == (2 if kernel is UPSAMPLE_NEAREST_KERNEL else 3)
    assert not np.isnan(kernel.backward("x", y, record)).any()


@every_kernel
def test_half_precision_adds_in_float32(kernel):
    y, record = kernel.run(np.ones((1, 1, 1), "float16"), size=3000)
    dx = kernel.backward("x", np.ones_like(y), record)
    assert (y.dtype, dx.dtype, dx.item()) == ("float16", "float16", 3000)


@every_kernel
def test_results_lie_with_the_spatial_axes_first(kernel):
    y, record = kernel.run(np.ones((2, 3, 4, 5)), size=(6, 7))
    for result in (y, kernel.backward("x", np.ones_like(y), record)):
        assert result.transpose(2, 3, 0, 1).flags.c_contiguous


@every_kernel
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"size": 0}, "size 0, expected an int >= 1, or 2 of them"),
        ({"size": (2, 3, 4)}, r"size \(2, 3, 4\), expected an int >= 1, or 2 of"),
        ({"size": 2.5}, "size 2.5, expected an int >= 1, or 2 of them"),
        ({"size": 2, "scale": (2.0,)}, r"scale \(2.0,\), expected None, or 2 numbers"),
        ({"size": 2, "scale": (2.0, 0)}, r"scale \(2.0, 0\), expected None, or 2 num"),
        ({"size": 2, "scale": ("a", 1)}, r"scale \('a', 1\), expected None, or 2 nu"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(kernel, params, message):
    with pytest.raises(ArgumentError, match=f"{kernel.name}: {message}"):
        kernel.run(np.zeros((2, 3, 4, 6)), **params)


@every_kernel
def test_x_without_spatial_axes_or_of_integers_is_refused(kernel):
    with pytest.raises(
        ShapeError, match=r"x has shape \(2, 3\), expected \(N, C, \.\."
    ):
        kernel.run(np.zeros((2, 3)), size=2)
    with pytest.raises(DTypeError, match="x has dtype int64, expected a float dtype"):
        kernel.run(np.zeros((2, 3, 4), int), size=2)

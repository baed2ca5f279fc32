"""Max pooling and its adaptive variant."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.kernels import _windows
from minigrad.kernels.max_pool import ADAPTIVE_MAX_POOL_KERNEL, MAX_POOL_KERNEL
from minigrad.testing import Case, check_kernel, kernel_cases, normal

sizes = {"H": (3, 7), "W": (3, 7)}
windows = {
    "kernel_size": st.integers(2, 3),
    "stride": st.sampled_from([None, 1, 2, (1, 4)]),
    "padding": st.integers(0, 1),
    "ceil_mode": st.booleans(),
}
pool_cases = kernel_cases(x=normal("N", "C", "H", "W"), params=windows, sizes=sizes)
adaptive_cases = kernel_cases(
    x=normal("N", "C", "H", "W"),
    params={"output_size": st.tuples(st.integers(1, 8), st.integers(1, 8))},
    sizes=sizes,
)


@given(case=pool_cases)
def test_terms_sum_to_the_gradient(case):
    check_kernel(MAX_POOL_KERNEL, case)


@given(case=adaptive_cases)
def test_terms_of_the_adaptive_kernel_sum_to_the_gradient(case):
    check_kernel(ADAPTIVE_MAX_POOL_KERNEL, case)


@pytest.mark.parametrize("shape", [(2, 3, 9), (1, 2, 5, 4, 6), (0, 3, 4), (3, 0, 4)])
def test_any_number_of_spatial_axes_and_empty_batches_pass(shape):
    check_kernel(MAX_POOL_KERNEL, Case.draw(0, x=normal(*shape)), kernel_size=2)


def brute_force(x, bounds):
    """Take each window's maximum and where it is first, window by window."""
    y = np.empty(x.shape[:2] + tuple(map(len, bounds)))
    dx = np.zeros(x.shape)
    for place in itertools.product(*(range(len(b)) for b in bounds)):
        at = [range(*bounds[axis][i]) for axis, i in enumerate(place)]
        for n, c in itertools.product(*map(range, x.shape[:2])):
            best = max(itertools.product(*at), key=lambda pixel: x[(n, c, *pixel)])
            y[(n, c, *place)] = x[(n, c, *best)]
            dx[(n, c, *best)] += 1 + y[(n, c, *place)]
    return y, dx


@given(pool_cases, st.booleans())
def test_it_is_the_first_maximum_of_each_window(case, ties):
    (x,) = case.arrays
    if ties:
        x = np.sign(x)
    y, record = MAX_POOL_KERNEL.run(x, **case.params)
    k, p = case.params["kernel_size"], case.params["padding"]
    s = case.params["stride"] or k
    strides = s if isinstance(s, tuple) else (s, s)
    bounds = [
        [(max(0, i * s - p), min(i * s - p + k, size)) for i in range(out)]
        for out, s, size in zip(y.shape[2:], strides, x.shape[2:], strict=True)
    ]
    wanted, dx = brute_force(x, bounds)
    assert_array_equal(y, wanted)
    found = MAX_POOL_KERNEL.backward("x", 1 + y, record)
    np.testing.assert_allclose(found, dx, rtol=1e-12, atol=1e-14)


@given(adaptive_cases)
def test_adaptive_windows_cover_x_evenly(case):
    (x,) = case.arrays
    y, record = ADAPTIVE_MAX_POOL_KERNEL.run(x, **case.params)
    bounds = [
        [(i * n // o, math.ceil((i + 1) * n / o)) for i in range(o)]
        for n, o in zip(x.shape[2:], case.params["output_size"], strict=True)
    ]
    wanted, dx = brute_force(x, bounds)
    assert_array_equal(y, wanted)
    found = ADAPTIVE_MAX_POOL_KERNEL.backward("x", 1 + y, record)
    np.testing.assert_allclose(found, dx, rtol=1e-12, atol=1e-14)


@given(pool_cases)
def test_blocks_change_nothing(case):
    y, record = MAX_POOL_KERNEL.run(*case.arrays, **case.params)
    dy = case.cotangent(y)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_windows, "BLOCK", 16)
        blocked, blocked_record = MAX_POOL_KERNEL.run(*case.arrays, **case.params)
        dx = MAX_POOL_KERNEL.backward("x", dy, blocked_record)
    assert_array_equal(blocked, y)
    assert_array_equal(dx, MAX_POOL_KERNEL.backward("x", dy, record))


@given(pool_cases)
def test_a_growing_function_may_come_before_or_after(case):
    (x,) = case.arrays
    y, _ = MAX_POOL_KERNEL.run(x, **case.params)
    assert_array_equal(MAX_POOL_KERNEL.run(np.exp(x), **case.params)[0], np.exp(y))


def gradient(x, **params):
    y, record = MAX_POOL_KERNEL.run(np.array([[x]]), **params)
    dx = MAX_POOL_KERNEL.backward("x", np.ones_like(y), record)
    return y[0, 0].tolist(), dx[0, 0].tolist()


@pytest.mark.parametrize("value", [0.0, -math.inf, math.inf])
def test_the_first_of_equal_elements_takes_all(value):
    with np.errstate(invalid="ignore"):
        y, record = MAX_POOL_KERNEL.run(np.full((1, 1, 2, 4), value), kernel_size=2)
        dx = MAX_POOL_KERNEL.backward("x", np.full(y.shape, math.inf), record)
    assert y.tolist() == [[[[value, value]]]]
    assert dx.tolist() == [[[[math.inf, 0, math.inf, 0], [0, 0, 0, 0]]]]


@pytest.mark.parametrize("place", range(3))
def test_nan_makes_nan_and_the_first_element_takes_the_gradient(place):
    x = [1.0, 3.0, 2.0, 5.0, 4.0, 6.0]
    x[place] = math.nan
    y, record = MAX_POOL_KERNEL.run(np.array([[x]]), kernel_size=3)
    assert_array_equal(y, [[[math.nan, 6.0]]])
    dx = MAX_POOL_KERNEL.backward("x", np.ones_like(y), record)
    assert dx.tolist() == [[[1, 0, 0, 0, 0, 1]]]


def test_padding_is_never_the_greatest():
    y, dx = gradient([-3.0, -2.0, -math.inf, -math.inf], kernel_size=2, padding=1)
    assert y == [-3.0, -2.0, -math.inf]
    assert dx == [1, 1, 0, 1]


def test_a_window_of_padding_alone_gives_minus_infinity_and_no_gradient():
    y, dx = gradient([5.0], kernel_size=2, dilation=2, padding=1)
    assert y == [-math.inf]
    assert dx == [0]


@pytest.mark.parametrize(("kernel_size", "dtype"), [(16, "uint16"), (15, "uint8")])
def test_saved_is_one_small_integer_per_window(kernel_size, dtype):
    # Taps are counted from 0, and one number more says that there is none.
    case = Case.draw(0, x=normal(2, 3, 32, 17))
    y, record = MAX_POOL_KERNEL.run(*case.arrays, kernel_size=kernel_size)
    assert (record.saved.taps.dtype.name, record.saved.taps.size) == (dtype, y.size)
    check_kernel(MAX_POOL_KERNEL, case, kernel_size=kernel_size)


def test_overlapping_windows_add_half_precision_in_float32():
    x = np.zeros((1, 1, 64), "float16")
    x[0, 0, 32] = 1
    y, record = MAX_POOL_KERNEL.run(x, kernel_size=33, stride=1)
    dy = np.full(y.shape, 2048.0, "float16")
    dy[0, 0, 1:] = 1
    dx = MAX_POOL_KERNEL.backward("x", dy, record)
    assert (y.dtype, dx.dtype, dx[0, 0, 32]) == ("float16", "float16", 2048 + 32)


@pytest.mark.parametrize("laid", [(2, 3, 0, 1), (0, 1, 2, 3)])
def test_results_lie_with_the_spatial_axes_first(laid):
    x = np.empty([(2, 3, 4, 6)[axis] for axis in laid])
    x = x.transpose(np.argsort(laid))
    x[...] = 1
    y, record = MAX_POOL_KERNEL.run(x, kernel_size=2)
    dx = MAX_POOL_KERNEL.backward("x", np.ones_like(y), record)
    for result in (y, dx):
        assert result.transpose(2, 3, 0, 1).flags.c_contiguous


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        (
            {"kernel_size": 0},
            ArgumentError,
            "kernel_size 0, expected an int >= 1, or 2",
        ),
        (
            {"kernel_size": "a"},
            ArgumentError,
            "kernel_size 'a', expected an int >= 1",
        ),
        (
            {"kernel_size": (2,)},
            ArgumentError,
            r"kernel_size \(2,\), expected an int >",
        ),
        ({"stride": 0}, ArgumentError, "stride 0, expected an int >= 1, or 2 of them"),
        ({"dilation": 0}, ArgumentError, "dilation 0, expected an int >= 1, or 2 of"),
        ({"padding": -1}, ArgumentError, "padding -1, expected an int >= 0, or 2 of"),
        (
            {"padding": 2},
            ArgumentError,
            r"padding \(2, 2\), expected at most half of the window \(3, 3\); pad x",
        ),
        (
            {"kernel_size": 5},
            ShapeError,
            r"x has spatial shape \(4, 6\), expected at least the window \(5, 5\) less",
        ),
        (
            {"dilation": 2},
            ShapeError,
            r"x has .*, expected at least the window \(5, 5\)",
        ),
    ],
)
def test_windows_that_do_not_fit_are_refused(params, error, message):
    with pytest.raises(error, match="max_pool: " + message):
        MAX_POOL_KERNEL.run(np.zeros((2, 3, 4, 6)), **{"kernel_size": 3, **params})


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (0, "output_size 0, expected an int >= 1, or 2 of them; None keeps an axis"),
        ((1, 2, 3), r"output_size \(1, 2, 3\), expected an int >= 1, or 2 of them"),
        ((1.5, 2), r"output_size \(1.5, 2\), expected an int >= 1"),
    ],
)
def test_adaptive_sizes_that_make_no_sense_are_refused(size, message):
    with pytest.raises(ArgumentError, match="adaptive_max_pool: " + message):
        ADAPTIVE_MAX_POOL_KERNEL.run(np.zeros((2, 3, 4, 6)), output_size=size)


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 0), (2, 3, 4, 0)])
def test_x_without_spatial_elements_is_refused(shape):
    with pytest.raises(ShapeError, match=r"x has shape .*, expected \(N, C, \.\.\.\)"):
        MAX_POOL_KERNEL.run(np.zeros(shape), kernel_size=1)


def test_integers_are_refused():
    with pytest.raises(DTypeError, match="max_pool: x has dtype int64, expected a flo"):
        MAX_POOL_KERNEL.run(np.zeros((1, 1, 4), int), kernel_size=2)

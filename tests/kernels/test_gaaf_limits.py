"""GAAF at single points: jumps, zeros, infinity, NaN, and where floats end."""

import math
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.errors import ArgumentError
from minigrad.kernels import gaaf
from minigrad.kernels.gaaf import KERNEL, ONE, TANH, Curve

NONE = Curve("none", lambda xp, x: x * 0, lambda xp, x, s: x * 0)
SHAPES = [*gaaf.SHAPES.values(), gaaf.gaussian(0.7), gaaf.shifted_sigmoid(-1.0, 2.0)]
ACTIVATIONS = list(gaaf.ACTIVATIONS.values())
KS = [1e-30, 1.0, 4.0, 1e4, 1e6, 1e8, 1e30]

dtypes = pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
pairs = pytest.mark.parametrize(
    ("activation", "shape"),
    [
        pytest.param(phi, s, id=f"{phi.name}, {s.name}")
        for phi, s in product(ACTIVATIONS, SHAPES)
    ],
)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("k", [1.0, 4.0, 2.0**20])
def test_jumps_belong_to_the_tooth_on_their_right(k, dtype):
    jumps = (np.arange(-4, 5) / k).astype(dtype)
    left, right = (np.nextafter(jumps, jumps + side) for side in (-1, 1))
    g = [
        KERNEL.run(x, activation=NONE, shape=ONE, k=k)[0] for x in (left, jumps, right)
    ]
    rounding = 8 * np.finfo(dtype).eps
    assert_array_equal(g[1] * k, -0.5)
    assert_allclose(g[0] * k, 0.5, atol=rounding)
    assert_allclose(g[2] * k, -0.5, atol=rounding)


@dtypes
@pairs
def test_minus_zero_is_zero(activation, shape, dtype):
    x = np.array([0.0, -0.0], dtype)
    y, record = KERNEL.run(x, activation=activation, shape=shape)
    dx = KERNEL.backward("x", np.ones_like(x), record)
    assert y[0] == y[1]
    assert dx[0] == dx[1]


ENDS = {
    "tanh": ((1, -1), (0, 0)),
    "hardtanh": ((1, -1), (0, 0)),
    "sigmoid": ((1, 0), (0, 0)),
    "softsign": ((1, -1), (0, 0)),
    "relu": ((math.inf, 0), (1, 0)),
    "leaky_relu": ((math.inf, -math.inf), (1, 0.01)),
    "elu": ((math.inf, -1), (1, 0)),
    "softplus": ((math.inf, 0), (1, 0)),
    "silu": ((math.inf, 0), (1, 0)),
    "gelu": ((math.inf, 0), (1, 0)),
}
"""Activation -> its values and slopes at inf and -inf."""


def shape_ends(shape):
    if shape is ONE:
        return 1, 1
    return (1, 0) if shape.name.startswith("sigmoid") else (0, 0)


@dtypes
@pairs
def test_infinite_input_gives_the_limits(activation, shape, dtype):
    x = np.array([math.inf, -math.inf], dtype)
    values, slopes = np.array(ENDS[activation.name])
    ends = np.array(shape_ends(shape))
    for k in KS:
        y, record = KERNEL.run(x, activation=activation, shape=shape, k=k)
        terms = KERNEL.backward_terms("x", np.ones_like(x), record)
        dx = KERNEL.backward("x", np.ones_like(x), record)
        assert_array_equal(y, values)
        assert_array_equal(dx, (slopes + ends).astype(dtype))
        assert_array_equal(terms["activation"], slopes.astype(dtype))
        assert_array_equal(terms["acceleration"], ends)
        assert_array_equal(terms["shape"], [0, 0])


@dtypes
@pairs
def test_nan_stays_nan_in_value_and_slope(activation, shape, dtype):
    x = np.array([math.nan, 1.0], dtype)
    y, record = KERNEL.run(x, activation=activation, shape=shape)
    dx = KERNEL.backward("x", np.ones_like(x), record)
    assert_array_equal(np.isnan([y, dx]), [[True, False]] * 2)


# -- the ends of floats ----------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "huge"), [("float32", 1e35), ("float64", 1e306)])
def test_sawtooth_is_zero_where_x_times_k_overflows(dtype, huge):
    x = np.array([huge, -huge, math.inf, -math.inf], dtype)
    y, record = KERNEL.run(x, activation=TANH, shape=ONE)
    assert_array_equal(y, [1, -1, 1, -1])
    assert_array_equal(KERNEL.backward("x", np.ones_like(x), record), np.ones(4))


def test_rounding_closes_the_upper_end_of_the_sawtooth():
    y, _ = KERNEL.run(np.array([-1e-12], "float32"), activation=NONE, shape=ONE)
    assert_array_equal(y, np.float32(0.5 / 1e4))


def floats_between(low, high, count=20_000):
    """Take float32 numbers from [low, high), every n-th, and the first and last 99."""
    first, last = np.array([low, high], "float32").view("int32")
    step = max(1, (last - first) // count)
    edges = [np.arange(99) + first, np.arange(99) + last - 99]
    bits = np.concatenate([np.arange(first, last, step), *edges]).astype("int32")
    x = bits.view("float32")
    return np.concatenate([x, -x])


@pytest.mark.parametrize("k", [1.0, 7.3, 1e3, 1e4, 1e6, 1e8])
@pytest.mark.parametrize(
    ("start", "levels"),
    [(21, [-0.5, -0.25, 0, 0.25]), (22, [-0.5, 0]), (23, [-0.5]), (24, [-0.5])],
)
def test_float32_has_ever_fewer_levels_of_a_tooth(k, start, levels):
    x = floats_between(2.0**start / k, 2.0 ** (start + 1) / k)
    g, record = KERNEL.run(x, activation=NONE, shape=ONE, k=k)
    assert_allclose(np.unique(g), np.array(levels) / k, rtol=1e-6)
    # The gradient does not change with that.
    assert_array_equal(KERNEL.backward("x", np.ones_like(x), record), np.ones(len(x)))


def test_float64_has_levels_where_float32_has_none():
    x = np.random.default_rng(0).uniform(1e3, 1e4, 20_000)
    g, _ = KERNEL.run(x, activation=NONE, shape=ONE)
    assert len(np.unique(g)) > 1000


@pytest.mark.parametrize("k", [0, -1, math.inf, math.nan, 1e-31, 1e31, "a", True])
def test_k_out_of_range_is_refused(k):
    message = rf"gaaf: k {k!r}, expected 1e-30 <= k <= 1e\+30"
    with pytest.raises(ArgumentError, match=message.replace("e+31", r"e\+31")):
        KERNEL.run(np.zeros(1), k=k)

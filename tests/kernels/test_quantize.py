"""The uniform quantiser: its levels are exact, its slope is the adapter's."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import functional as F
from minigrad import nn, tensor
from minigrad.errors import ArgumentError, DTypeError, GradientCheckError
from minigrad.kernels.adapters import ADAPTERS, Curve
from minigrad.kernels.quantize import KERNEL
from minigrad.testing import Case, check_kernel, kernel_cases, normal

ranges = st.sampled_from([(0.0, 1.0), (-1.0, 1.0), (-0.3, 2.5), (5.0, 6.0)])
bits = st.integers(1, 16)
values = st.lists(
    st.floats(-10, 10, width=32) | st.sampled_from([math.inf, -math.inf]), max_size=40
)
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def run(x, **params):
    return KERNEL.run(x, **params)[0]


def slope(x, **params):
    y, record = KERNEL.run(x, **params)
    return KERNEL.backward("x", np.ones_like(y), record)


def levels(count, low, high, dtype):
    """All that may come out, computed from the number of the level."""
    step = (high - low) / (2**count - 1)
    return np.arange(2**count).astype(dtype) * step + low


@given(
    kernel_cases(
        x=normal("..."),
        params={
            "bits": st.integers(1, 8),
            "low": st.just(-1.5),
            "high": st.just(1.1),
            "adapter": st.sampled_from(list(ADAPTERS)),
        },
    )
)
def test_the_rule_is_the_derivative_of_the_stretched_adapter(case):
    # In float32 what lies midway between levels may go to the other one.
    check_kernel(KERNEL, case, single=False)


@dtypes
@given(values, bits, ranges)
def test_what_comes_out_is_a_level_to_the_bit(dtype, x, count, ends):
    y = run(np.array(x, dtype), bits=count, low=ends[0], high=ends[1])
    assert y.dtype == dtype
    assert np.isin(y, levels(count, *ends, dtype)).all()


@dtypes
@pytest.mark.parametrize("count", [1, 2, 3, 8, 12])
def test_every_level_is_reached_and_no_other(dtype, count):
    x = np.linspace(-0.1, 1.1, 40_001).astype(dtype)
    assert_array_equal(np.unique(run(x, bits=count)), levels(count, 0, 1, dtype))


@dtypes
@given(values, bits, ranges)
def test_it_rises_and_is_idempotent_and_near(dtype, x, count, ends):
    low, high = ends
    x = np.sort(np.array(x, dtype))
    params = {"bits": count, "low": low, "high": high}
    y = run(x, **params)
    assert (np.diff(y) >= 0).all()
    assert_array_equal(run(y, **params), y)
    step = (high - low) / (2**count - 1)
    rounding = 8 * np.finfo(dtype).eps * max(abs(low), abs(high))
    assert (np.abs(y - np.clip(x, low, high)) <= step / 2 + rounding).all()


@given(values, bits)
def test_a_range_around_0_is_odd(x, count):
    # Not halfway between levels, which go to the even one.
    x = np.array(x)
    params = {"bits": count, "low": -1.0, "high": 1.0}
    place = (np.clip(x, -1, 1) + 1) / 2 * (2**count - 1)
    x = x[np.abs(place % 1 - 0.5) > 1e-9]
    assert_allclose(run(-x, **params), -run(x, **params), atol=1e-15)


@dtypes
@given(values)
def test_one_bit_is_sign(dtype, x):
    x = np.array(x, dtype)
    x = x[np.abs(x) > 1e-6]  # Less is lost in x + 1.
    found = run(x, bits=1, low=-1.0, high=1.0)
    assert_array_equal(found, np.sign(x))


def test_halves_go_to_the_even_level_and_ends_are_reached():
    x = np.array([0.5, 1.5, 2.5, -math.inf, math.inf, math.nan])
    assert_array_equal(run(x, bits=2, low=0, high=3), [0, 2, 2, 0, 3, math.nan])


SLOPES = {
    "identity": np.ones_like,
    "hardtanh": lambda u: np.where(np.abs(u) <= 1, 1.0, 0.0),
    "tanh": lambda u: 1 / np.cosh(u) ** 2,
    "softsign": lambda u: 1 / (1 + np.abs(u)) ** 2,
}


@pytest.mark.parametrize("adapter", SLOPES)
@given(values, ranges)
def test_the_slope_is_that_of_the_adapter_in_the_range(adapter, x, ends):
    low, high = ends
    x = np.array([v for v in x if math.isfinite(v)])
    u = (x - (low + high) / 2) / ((high - low) / 2)
    found = slope(x, low=low, high=high, adapter=adapter)
    assert_allclose(found, SLOPES[adapter](u), rtol=1e-9, atol=1e-300)


def test_the_default_lets_gradient_through_to_both_ends_and_no_further():
    x = np.array([-0.01, 0.0, 0.5, 1.0, 1.01])
    assert_array_equal(slope(x), [0, 1, 1, 1, 0])


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_the_value_does_not_depend_on_the_adapter(adapter):
    x = np.random.default_rng(0).standard_normal(500).astype("float32")
    assert_array_equal(run(x, bits=3, adapter=adapter), run(x, bits=3))


def test_an_adapter_of_ones_own_is_taken_and_a_wrong_one_refused():
    good = Curve("cubic", lambda xp, x: x + x**3 / 3, lambda xp, x, y: 1 + x * x)
    assert_allclose(slope(np.array([1.0]), adapter=good), [2.0])
    bad = Curve("back", lambda xp, x: -x, lambda xp, x, y: x * 0 - 1)
    with pytest.raises(ArgumentError, match="adapter 'back'"):
        nn.Quantize(adapter=bad)


@pytest.mark.parametrize(
    "rule",
    [
        lambda dy, saved: {"adapter": 2 * dy},
        lambda dy, saved: {"adapter": dy},  # The slope at x, not at its place.
        lambda dy, saved: {"adapter": dy / np.cosh(saved.x) ** 2},
    ],
)
def test_wrong_rules_are_found(rule):
    wrong = replace(KERNEL, terms={"x": rule})
    case = Case.draw(0, params={"low": 0.0, "adapter": "tanh"}, x=normal(20))
    with pytest.raises(GradientCheckError):
        check_kernel(wrong, case)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"bits": 0}, "quantize: bits 0, expected an integer from 1 to 16"),
        ({"bits": 17}, "quantize: bits 17, expected"),
        ({"bits": 2.0}, r"quantize: bits 2\.0, expected"),
        ({"bits": True}, "quantize: bits True, expected"),
        ({"low": 1.0}, "quantize: low and high 1 and 1, expected low < high"),
        ({"low": -math.inf}, "quantize: low"),
        ({"high": math.nan}, "quantize: "),
        ({"high": "1"}, "quantize: high '1'"),
        ({"adapter": "relu"}, "adapter 'relu', expected a Curve, a kernel, or one"),
    ],
)
def test_wrong_parameters_are_refused(params, message):
    with pytest.raises(ArgumentError, match=message):
        nn.Quantize(**params)


def test_integers_are_refused():
    with pytest.raises(DTypeError, match="quantize: x has dtype int64"):
        KERNEL.run(np.arange(3))


def test_the_layer_quantizes_and_describes_itself():
    layer = nn.Quantize(bits=3, low=-1, adapter="tanh")
    x = tensor([-3.0, 0.2], requires_grad=True)
    assert_array_equal(layer(x).numpy(), F.quantize(x, 3, -1.0, 1.0).numpy())
    assert repr(layer) == "Quantize(bits=3, low=-1, high=1, adapter='tanh')"


@given(st.floats(-100, 100), st.floats(0.01, 100), st.integers(1, 8))
def test_hardtanh_passes_at_both_ends_of_every_range(low, length, bits):
    low, high = float(np.float32(low)), float(np.float32(low + length))
    if low < high:
        x = tensor(np.array([low, high], "float32"), requires_grad=True)
        F.quantize(x, bits, low, high).sum().backward()
        assert x.grad.tolist() == [1.0, 1.0]

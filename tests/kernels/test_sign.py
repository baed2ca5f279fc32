"""Sign: its value is that of sign, its backward is the slope of the adapter."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import backend
from minigrad.errors import ArgumentError, DTypeError, GradientCheckError
from minigrad.kernels import activations, gated
from minigrad.kernels._spec import Kernel
from minigrad.kernels.adapters import ADAPTERS, TANH, clipped, scaled_tanh
from minigrad.kernels.sign import KERNEL, adapted_value
from minigrad.testing import Case, check_kernel, kernel_cases, normal

dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
every_adapter = pytest.mark.parametrize("adapter", list(ADAPTERS))

FUNCTIONS = {
    "identity": lambda x: x,
    "hardtanh": lambda x: min(1.0, max(-1.0, x)),
    "tanh": math.tanh,
    "ramp": lambda x: math.copysign(
        abs(x) if abs(x) <= 1 else 1.5 - max(0.0, 2 - abs(x)) ** 2 / 2, x
    ),
    "lecun_tanh": lambda x: 1.7519 * math.tanh(2 * x / 3),
    "sigmoid": lambda x: 1 / (1 + math.exp(-2 * x)) - 0.5,
    "arctan": lambda x: 2 / math.pi * math.atan(math.pi * x / 2),
    "softsign": lambda x: x / (1 + abs(x)),
}
"""Every adapter as a book would write it."""

KINKS = {"hardtanh": [1], "ramp": [1, 2]}


def specials(dtype):
    limits = np.finfo(dtype)
    sizes = [
        *(0.0, 1.0, math.inf, limits.max, limits.tiny),
        *(limits.smallest_subnormal, limits.tiny / 3),
    ]
    positive = np.array(sizes, dtype)
    return np.concatenate([positive, -positive])


def expected_sign(x, zero=0):
    return [
        math.copysign(1, v) if v else zero for v in x.astype("float64").ravel().tolist()
    ]


def slope(x, **params):
    y, record = KERNEL.run(x, **params)
    return KERNEL.backward("x", np.ones_like(y), record)


@given(
    kernel_cases(x=normal("..."), params={"adapter": st.sampled_from(list(ADAPTERS))})
)
def test_terms_sum_to_the_gradient_of_the_adapter(case):
    check_kernel(KERNEL, case)


@pytest.mark.parametrize(
    "adapter",
    [
        scaled_tanh(3.0),
        scaled_tanh(0.5, 2.0),
        clipped(math.sqrt(12) / 2),
        activations.TANH_KERNEL,
        activations.HARDTANH_KERNEL,
    ],
    ids=lambda adapter: adapter.name,
)
def test_terms_sum_to_the_gradient_of_ones_own_adapter(adapter):
    check_kernel(KERNEL, Case.draw(0, x=normal(40)), adapter=adapter)


# -- the value -------------------------------------------------------------------------


@given(
    x=st.lists(st.floats(allow_nan=False, width=32), max_size=20),
    adapter=st.sampled_from(list(ADAPTERS)),
    zero=st.sampled_from([0, -1, 1]),
    dtype=st.sampled_from(["float32", "float64"]),
)
@example(x=[0.0, -0.0, math.inf, -math.inf], adapter="tanh", zero=0, dtype="float32")
def test_the_value_is_the_sign_whatever_the_adapter(x, adapter, zero, dtype):
    x = np.array(x, dtype)
    y, _ = KERNEL.run(x, adapter=adapter, zero=zero)
    assert (y.dtype, y.shape) == (x.dtype, x.shape)
    assert_array_equal(y, expected_sign(x, zero))


@dtypes
@every_adapter
@pytest.mark.parametrize("zero", [0, -1, 1])
def test_the_ends_of_floats_have_their_sign(adapter, dtype, zero):
    x = specials(dtype)
    y, _ = KERNEL.run(x, adapter=adapter, zero=zero)
    assert_array_equal(y, expected_sign(x, zero))


@dtypes
@every_adapter
def test_the_sign_of_the_adapter_is_that_of_x(adapter, dtype):
    x = specials(dtype)
    if adapter == "sigmoid":
        # Half of the smallest number is 0; the value does not go through g.
        x = x[np.abs(x) != np.finfo(dtype).smallest_subnormal]
    g = adapted_value(x, adapter=adapter)
    assert_array_equal(np.sign(g), expected_sign(x))


def test_subnormal_numbers_have_a_sign_until_they_are_flushed():
    x = np.array([1e-40, -1e-40, 1e-37, -1e-37], "float32")
    assert_array_equal(KERNEL.run(x)[0], [1, -1, 1, -1])
    try:
        if not backend.set_flush_denormal(True):
            pytest.skip("this platform has no switch")
        # Then they count as 0.
        assert_array_equal(KERNEL.run(x)[0], [0, 0, 1, -1])
        assert_array_equal(KERNEL.run(x, zero=-1)[0], [-1, -1, 1, -1])
    finally:
        backend.set_flush_denormal(False)


@dtypes
@every_adapter
@pytest.mark.parametrize("zero", [0, -1, 1])
def test_nan_passes_through(adapter, dtype, zero):
    y, _ = KERNEL.run(np.array([math.nan, 2.0], dtype), adapter=adapter, zero=zero)
    assert_array_equal(y, [math.nan, 1])


@dtypes
@every_adapter
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (1,), (2, 3)])
def test_every_shape_and_dtype_is_kept(adapter, dtype, shape):
    x = np.full(shape, -0.5, dtype)
    y, record = KERNEL.run(x, adapter=adapter)
    dx = KERNEL.backward("x", y, record)
    assert (y.dtype, y.shape, dx.dtype, dx.shape) == (dtype, shape, dtype, shape)
    assert_array_equal(y, np.full(shape, -1))


def test_integers_are_refused():
    with pytest.raises(DTypeError, match="sign: x has dtype int64, expected a float"):
        KERNEL.run(np.array([1, -1]))


@pytest.mark.parametrize("zero", [2, 0.5, math.nan, True, "0", None, [1], np.ones(2)])
def test_zero_has_three_values(zero):
    with pytest.raises(ArgumentError, match=r"sign: zero .+, expected 0, -1 or 1"):
        KERNEL.run(np.zeros(1), zero=zero)


# -- the slope -------------------------------------------------------------------------


@every_adapter
def test_the_adapter_is_the_function_of_that_name(adapter):
    x = np.random.default_rng(0).uniform(-5, 5, 300)
    expected = [FUNCTIONS[adapter](v) for v in x.tolist()]
    assert_allclose(adapted_value(x, adapter=adapter), expected, rtol=1e-13, atol=1e-16)


@given(seed=st.integers(0, 2**32 - 1), adapter=st.sampled_from(list(ADAPTERS)))
def test_backward_is_dy_times_the_slope_of_the_function(seed, adapter):
    rng, h = np.random.default_rng(seed), 1e-6
    x = rng.uniform(-4, 4, 60)
    # Of softsign, the second derivative jumps at 0.
    for kink in [0, *KINKS.get(adapter, [])]:
        x = x[np.abs(np.abs(x) - kink) > 2 * h]
    dy = rng.standard_normal(x.shape)
    g = FUNCTIONS[adapter]
    difference = [(g(v + h) - g(v - h)) / (2 * h) for v in x.tolist()]
    _, record = KERNEL.run(x, adapter=adapter)
    terms = KERNEL.backward_terms("x", dy, record)
    assert list(terms) == ["adapter"]
    assert_allclose(terms["adapter"], dy * difference, rtol=0, atol=2e-9)
    assert_array_equal(KERNEL.backward("x", dy, record), terms["adapter"])


@dtypes
@pytest.mark.parametrize(
    ("adapter", "at_0"),
    [
        *(("identity", 1), ("hardtanh", 1), ("tanh", 1), ("ramp", 1), ("arctan", 1)),
        *(("lecun_tanh", 1.7519 * 2 / 3), ("sigmoid", 0.5), ("softsign", 1)),
    ],
)
def test_slope_at_zero(adapter, at_0, dtype):
    x = np.array([0.0, -0.0], dtype)
    assert_allclose(slope(x, adapter=adapter), [at_0] * 2, rtol=1e-6)


@dtypes
def test_both_ends_of_hardtanh_belong_to_it(dtype):
    one = np.array([1, -1], dtype)
    assert_array_equal(slope(one, adapter="hardtanh"), [1, 1])
    assert_array_equal(slope(np.nextafter(one, 0), adapter="hardtanh"), [1, 1])
    assert_array_equal(slope(np.nextafter(one, 2 * one), adapter="hardtanh"), [0, 0])


@dtypes
@pytest.mark.parametrize(
    ("adapter", "at_infinity", "at_nan"),
    [(name, float(name == "identity"), math.nan) for name in ADAPTERS],
)
def test_slope_at_infinity_and_nan(adapter, at_infinity, at_nan, dtype):
    found = slope(np.array([math.inf, -math.inf, math.nan], dtype), adapter=adapter)
    if adapter == "identity":
        at_nan = 1  # The straight-through estimator does not look at x.
    assert_allclose(found, [at_infinity, at_infinity, at_nan], atol=1e-29)


def test_tanh_has_no_dead_units_where_the_plain_formula_has():
    x = np.linspace(-49.99, 49.99, 20_001).astype("float32")
    stable = slope(x, adapter="tanh")
    plain = 1 - np.tanh(x) ** 2
    assert (stable > 0).all()  # While denormal numbers are kept.
    assert (plain == 0).mean() > 0.7
    exact = 1 / np.cosh(x.astype("float64")) ** 2
    assert_allclose(stable, 1 - np.tanh(x.astype("float64")) ** 2, rtol=0, atol=2e-7)
    # Beyond 43.7 slopes are subnormal, and have fewer digits.
    assert_allclose(stable, exact, rtol=1e-5, atol=1e-44)


def test_units_beyond_one_are_dead_to_hardtanh_alone():
    x = np.array([1.5, -3.0, 40.0])
    assert not slope(x, adapter="hardtanh").any()
    assert slope(x, adapter="tanh").all()


@pytest.mark.parametrize("name", ["tanh", "hardtanh"])
@dtypes
def test_a_kernel_as_adapter_is_the_curve(name, dtype):
    kernel = {"tanh": activations.TANH_KERNEL, "hardtanh": activations.HARDTANH_KERNEL}
    x = np.linspace(-5, 5, 402).astype(dtype)  # 1 is no point.
    found = slope(x, adapter=kernel[name])
    tolerance = {"float32": 2e-7, "float64": 1e-15}[dtype]
    assert_allclose(found, slope(x, adapter=name), rtol=0, atol=tolerance)
    assert_array_equal(KERNEL.run(x, adapter=kernel[name])[0], np.sign(x))


@given(seed=st.integers(0, 2**32 - 1), c=st.floats(1e-3, 1e3).filter(lambda c: c != 1))
def test_scaling_x_keeps_the_sign_and_changes_the_slope(seed, c):
    x = np.random.default_rng(seed).standard_normal(20)
    assert_array_equal(KERNEL.run(c * x)[0], KERNEL.run(x)[0])
    if abs(math.log(c)) > 0.1:
        assert (slope(c * x) != slope(x)).any()
        assert_array_equal(slope(c * x, adapter="identity"), np.ones(20))


def test_large_arrays_are_computed_in_blocks_with_the_same_values():
    x = np.random.default_rng(0).standard_normal(600_000).astype("float32")
    for adapter in [*ADAPTERS, activations.TANH_KERNEL]:
        few = slope(x[:99], adapter=adapter)
        assert_allclose(slope(x, adapter=adapter)[:99], few, rtol=1e-6, atol=1e-7)


# -- planted errors --------------------------------------------------------------------


def planted(rule):
    return Kernel("sign", KERNEL.forward, {"x": rule}, gradient_of=adapted_value)


WRONG = {
    "twice the slope": lambda dy, saved: {
        "adapter": 2 * dy * TANH.derivative(np, saved.x, None)
    },
    "the slope at h": lambda dy, saved: {
        "adapter": dy * TANH.derivative(np, np.sign(saved.x), None)
    },
    "no slope": lambda dy, saved: {"adapter": dy * 1},
    "the derivative of sign": lambda dy, saved: {"adapter": dy * 0},
}


@pytest.mark.parametrize("rule", WRONG.values(), ids=WRONG)
def test_a_wrong_rule_is_rejected(rule):
    with pytest.raises(GradientCheckError, match="sign"):
        check_kernel(planted(rule), Case.draw(0, x=normal(5)), adapter="tanh")


def test_the_rule_is_rejected_as_the_derivative_of_sign():
    surrogate = Kernel("sign", KERNEL.forward, KERNEL.terms)
    with pytest.raises(GradientCheckError, match="sign"):
        check_kernel(surrogate, Case.draw(0, x=normal(5)))


def test_silu_is_no_adapter_though_it_is_a_kernel_of_one_input():
    with pytest.raises(ArgumentError, match="sign: adapter 'silu' gives -0 at x = -"):
        KERNEL.run(np.zeros(1), adapter=gated.SILU_KERNEL)

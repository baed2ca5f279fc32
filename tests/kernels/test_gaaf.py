"""GAAF: its value is that of the activation, its slope is that of the sawtooth, too."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.errors import ArgumentError
from minigrad.kernels import activations, gaaf, gated
from minigrad.kernels._spec import Kernel
from minigrad.kernels.gaaf import KERNEL, ONE, RECOMMENDED, RELU, SIGMOID, TANH, Curve
from minigrad.testing import check_kernel, kernel_cases, normal

K = 1e4
SHAPES = [*gaaf.SHAPES.values(), gaaf.gaussian(0.7), gaaf.shifted_sigmoid(-1.0, 2.0)]


def softsign(x):
    """Give x / (1 + |x|); the greatest float of all is as good as infinity."""
    near = np.nan_to_num(x, nan=np.nan)
    return near / (1 + np.abs(near)), (x,)


SOFTSIGN_KERNEL = Kernel(
    name="softsign",
    forward=softsign,
    terms={"x": lambda dy, saved: {"direct": dy * (1 / (1 + np.abs(saved[0]))) ** 2}},
)
PLAIN = {
    TANH: activations.TANH_KERNEL,
    RELU: activations.RELU_KERNEL,
    SIGMOID: activations.SIGMOID_KERNEL,
    gaaf.HARDTANH: activations.HARDTANH_KERNEL,
    gaaf.LEAKY_RELU: activations.LEAKY_RELU_KERNEL,
    gaaf.ELU: activations.ELU_KERNEL,
    gaaf.SOFTPLUS: activations.SOFTPLUS_KERNEL,
    gaaf.SILU: gated.SILU_KERNEL,
    gaaf.GELU: gated.GELU_KERNEL,
    gaaf.SOFTSIGN: SOFTSIGN_KERNEL,
}
NONE = Curve("none", lambda xp, x: x * 0, lambda xp, x, s: x * 0)
curves = {
    "activation": st.sampled_from(list(PLAIN)),
    "shape": st.sampled_from(SHAPES),
    "mode": st.sampled_from(gaaf.MODES),
}
every_pair = pytest.mark.parametrize(
    ("activation", "shape"),
    [pytest.param(*pair, id=pair[0].name) for pair in RECOMMENDED.items()],
)


def saturating(dtype="float64", size=500):
    return (2 * np.random.default_rng(0).standard_normal(size)).astype(dtype)


def slope(x, **params):
    y, record = KERNEL.run(x, **params)
    return KERNEL.backward("x", np.ones_like(y), record)


def difference(x, h, **params):
    """Central difference of the value over 2 h."""
    above, below = (KERNEL.run(x + step, **params)[0] for step in (h, -h))
    return (above - below) / (2 * h)


def without_jump(x, h, k):
    """Keep the x that have no jump of the sawtooth within h."""
    fraction = x * k - np.floor(x * k)
    return x[(fraction > 1.01 * h * k) & (fraction < 1 - 1.01 * h * k)]


@given(kernel_cases(x=normal("..."), params=curves))
def test_terms_sum_to_the_gradient(case):
    # In float32 x * 1e4 is rounded, which moves jumps across elements.
    check_kernel(KERNEL, case, single=False, k=K)


@given(kernel_cases(x=normal("..."), params=curves))
def test_terms_sum_to_the_gradient_of_four_wide_teeth(case):
    check_kernel(KERNEL, case, k=4.0)


@pytest.mark.parametrize("h", [1e-5, 1e-6])
@every_pair
def test_small_steps_between_jumps_see_the_sum_of_the_terms(activation, shape, h):
    x = without_jump(saturating(), h, K)
    x = x[np.abs(x) > h]  # The kink of relu.
    params = {"activation": activation, "shape": shape}
    assert len(x) > 350
    assert_allclose(difference(x, h, **params), slope(x, **params), atol=1e-8)


def test_small_steps_do_not_see_a_sum_without_the_acceleration():
    x = without_jump(saturating(), 1e-5, K)
    y, record = KERNEL.run(x)
    terms = KERNEL.backward_terms("x", np.ones_like(y), record)
    wrong = terms["activation"] + terms["shape"]
    assert np.abs(difference(x, 1e-5) - wrong).max() > 0.9


@pytest.mark.parametrize("teeth", [1, 2, 7])
def test_steps_of_whole_teeth_see_the_activation_alone(teeth):
    x, h = saturating(), teeth / (2 * K)
    assert_allclose(difference(x, h), 1 - np.tanh(x) ** 2, atol=2.6e-5)


def test_value_is_equation_eight():
    x = saturating()
    g = [(v * K - math.floor(v * K) - 0.5) / K for v in x]
    expected = [
        math.tanh(v) + tooth * math.exp(-v * v / 3)
        for v, tooth in zip(x, g, strict=True)
    ]
    assert_allclose(KERNEL.run(x)[0], expected, rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@every_pair
def test_backward_only_gives_the_activation_bit_for_bit(activation, shape, dtype):
    x = saturating(dtype)
    params = {"activation": activation, "shape": shape}
    y, _ = KERNEL.run(x, mode="backward_only", **params)
    if dtype == "float16":
        expected = activation.value(x.astype("float32")).astype(dtype)
    else:
        expected = PLAIN[activation].run(x)[0]
    assert_array_equal(y, expected)
    assert_array_equal(slope(x, mode="backward_only", **params), slope(x, **params))


@pytest.mark.parametrize("activation", list(PLAIN), ids=lambda curve: curve.name)
def test_no_shape_leaves_the_activation(activation):
    x = saturating()
    dy = np.random.default_rng(1).standard_normal(x.shape)
    plain, plain_record = PLAIN[activation].run(x)
    y, record = KERNEL.run(x, activation=activation, shape=NONE)
    assert_array_equal(y, plain)
    expected = PLAIN[activation].backward("x", dy, plain_record)
    # gelu's Phi(x) is y / x here.
    atol = 2e-15 if activation is gaaf.GELU else 0
    assert_allclose(KERNEL.backward("x", dy, record), expected, rtol=0, atol=atol)


def test_sawtooth_alone_passes_the_gradient_on():
    x = saturating()
    dy = np.random.default_rng(1).standard_normal(x.shape)
    _, record = KERNEL.run(x, activation=NONE, shape=ONE)
    assert_array_equal(KERNEL.backward("x", dy, record), dy)


@pytest.mark.parametrize(
    ("x", "activation", "expected"),
    [
        (0.0, TANH, 2.0),
        (-0.0, TANH, 2.0),
        (3.0, TANH, 0.0596),
        (0.0, RELU, 0.9820),
        (5.0, RELU, 1.9999),
        (0.0, SIGMOID, 1.25),
    ],
)
def test_slope_is_that_of_the_paper(x, activation, expected):
    params = {"activation": activation, "shape": RECOMMENDED[activation]}
    assert_allclose(slope(np.array([x]), **params), expected, atol=1e-4)


def test_terms_say_how_much_the_shape_adds():
    x = saturating()
    y, record = KERNEL.run(x)
    terms = KERNEL.backward_terms("x", np.ones_like(y), record)
    assert list(terms) == ["activation", "acceleration", "shape"]
    assert_allclose(terms["acceleration"], np.exp(-x * x / 3))
    assert np.abs(terms["shape"]).max() <= 2.48e-5


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dtype_and_shape_are_kept(dtype):
    for shape in [(), (0,), (2, 3)]:
        y, record = KERNEL.run(np.ones(shape, dtype))
        dx = KERNEL.backward("x", y, record)
        assert (y.dtype, y.shape, dx.dtype, dx.shape) == (dtype, shape, dtype, shape)


def test_float16_beyond_its_range_of_x_times_k_is_accelerated():
    assert_allclose(slope(np.array([100.0], "float16"), activation=RELU, shape=ONE), 2)


def test_integers_become_float32():
    y, _ = KERNEL.run(np.array([0, 1, 2]))
    assert y.dtype == np.float32
    assert_allclose(y, np.tanh([0, 1, 2]), atol=1e-4)


def test_any_function_with_its_derivative_is_taken():
    cube = Curve("cube", lambda xp, x: x * x * x, lambda xp, x, y: 3 * x * x)
    wave = Curve("wave", lambda xp, x: xp.sin(x), lambda xp, x, s: xp.cos(x))

    @given(kernel_cases(x=normal("N", "D")))
    def hold(case):
        check_kernel(KERNEL, case, activation=cube, shape=wave, k=4.0)

    hold()


def test_unknown_mode_is_refused():
    with pytest.raises(ArgumentError, match="gaaf: mode 'test', expected one of"):
        KERNEL.run(np.zeros(1), mode="test")

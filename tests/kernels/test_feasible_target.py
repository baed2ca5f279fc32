"""FTP's hard threshold sends the slope of a layer loss, and that is an adapter's."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import functional as F
from minigrad import nn, optim, tensor
from minigrad.backend import to_backend, to_host
from minigrad.errors import ArgumentError, DTypeError
from minigrad.kernels import NOT_A_GRADIENT, sign
from minigrad.kernels.feasible_target import KERNEL
from minigrad.random import generator
from minigrad.testing import check_kernel, fake_device, kernel_cases, normal

LAYER_LOSSES = {
    "soft_hinge": lambda z, t: 1 + np.tanh(-t * z),
    "truncated_hinge": lambda z, t: np.minimum(2, np.maximum(0, 1 - t * z)),
    "hinge": lambda z, t: np.maximum(0, 1 - t * z),
    "perceptron": lambda z, t: np.maximum(0, -t * z),
    "log": lambda z, t: np.log1p(np.exp(-t * z)),
    "square": lambda z, t: (1 - t * z) ** 2,
}
"""Written down anew from the paper's appendix and its code."""
every_loss = pytest.mark.parametrize("loss", LAYER_LOSSES)
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def sent(z, dy, **params):
    _, record = KERNEL.run(z, **params)
    return KERNEL.backward("x", dy, record)


def draw(seed, shape=(5, 4), dtype="float64"):
    rng = np.random.default_rng(seed)
    return [(2 * rng.standard_normal(shape)).astype(dtype) for _ in range(2)]


@given(
    kernel_cases(
        x=normal("..."),
        params={"loss": st.sampled_from(["soft_hinge", "truncated_hinge"])},
    )
)
def test_rules_that_are_linear_hold_to_every_law(case):
    assert set(check_kernel(KERNEL, case).methods.values()) <= {"not a gradient"}


def test_it_declares_that_it_is_no_gradient():
    assert KERNEL.gradient_of is NOT_A_GRADIENT


@dtypes
@given(st.integers(0, 2**32 - 1), st.integers(0, 40))
def test_ftp_sh_is_bpga_with_tanh_bit_for_bit(dtype, seed, size):
    z, dy = draw(seed, (size, 3), dtype)
    _, record = sign.KERNEL.run(z, adapter="tanh")
    assert_array_equal(sent(z, dy), sign.KERNEL.backward("x", dy, record))


@dtypes
@given(st.integers(0, 2**32 - 1))
def test_the_truncated_hinge_is_sste_bit_for_bit(dtype, seed):
    z, dy = draw(seed, (50,), dtype)
    z[:3], dy[:3] = [1, -1, 0.5], [-1, 1, 0]  # z = t at the first two: slope 1.
    _, record = sign.KERNEL.run(z, adapter="hardtanh")
    found = sent(z, dy, loss="truncated_hinge")
    assert_array_equal(found, sign.KERNEL.backward("x", dy, record))


def test_at_minus_the_target_the_truncated_hinge_is_flat_and_sste_is_not():
    z, dy = np.array([1.0, -1.0]), np.array([1.0, -1.0])  # t = -1, 1 = -z
    assert_array_equal(sent(z, dy, loss="truncated_hinge"), [0, 0])
    _, record = sign.KERNEL.run(z, adapter="hardtanh")
    assert_array_equal(sign.KERNEL.backward("x", dy, record), dy)


@every_loss
@given(st.integers(0, 2**32 - 1))
def test_it_sends_the_slope_of_the_layer_loss(loss, seed):
    z, dy = draw(seed)
    # Not within a step of a kink.
    z[np.min(np.abs(np.abs(z)[..., np.newaxis] - [0, 1]), axis=-1) < 1e-3] = 0.4
    t, h = np.sign(-dy), 1e-6
    value = LAYER_LOSSES[loss]
    slope = (value(z + h, t) - value(z - h, t)) / (2 * h)
    assert_allclose(sent(z, dy, loss=loss, scale=False), slope / len(z), atol=1e-8)
    assert_allclose(sent(z, dy, loss=loss), slope * np.abs(dy), atol=1e-7)


def test_the_unscaled_soft_hinge_is_the_formula_of_the_paper():
    z, dy = draw(0)
    expected = np.sign(dy) * (1 - np.tanh(z) ** 2) / 5
    assert_allclose(sent(z, dy, scale=False), expected, rtol=1e-12)


@every_loss
def test_where_nothing_is_asked_nothing_is_sent(loss):
    z = np.linspace(-2, 2, 9)
    for scale in (True, False):
        assert_array_equal(sent(z, np.zeros(9), loss=loss, scale=scale), np.zeros(9))


@every_loss
def test_a_step_against_it_lowers_the_layer_loss(loss):
    z, dy = draw(3, (400,))
    t = np.sign(-dy)
    step = 1e-3 * sent(z, dy, loss=loss)
    value = LAYER_LOSSES[loss]
    assert (value(z - step, t) <= value(z, t) + 1e-15).all()
    assert value(z - step, t).sum() < value(z, t).sum()


@every_loss
def test_nan_passes_through(loss):
    z = np.array([math.nan, 0.5])
    assert_array_equal(KERNEL.run(z, loss=loss)[0], [math.nan, 1])
    assert np.isnan(sent(z, np.ones(2), loss=loss)[0])


def test_the_value_is_that_of_sign_with_minus_one_at_zero():
    x = np.array([-2.0, -0.0, 0.0, 3.0, math.inf, -math.inf])
    assert_array_equal(KERNEL.run(x)[0], [-1, -1, -1, 1, 1, -1])
    assert_array_equal(KERNEL.run(x, zero=0)[0], np.sign(x))


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (2, 3, 4)])
def test_any_shape(shape):
    z, dy = np.ones(shape), np.full(shape, 0.5)
    for scale in (True, False):
        assert sent(z, dy, scale=scale).shape == shape


@every_loss
def test_it_computes_the_same_on_the_fake_device(loss):
    arrays = draw(1, dtype="float32")
    for scale in (True, False):
        with fake_device():
            there = sent(
                *(to_backend(a, "fake") for a in arrays), loss=loss, scale=scale
            )
            found = to_host(there)
        assert_allclose(found, sent(*arrays, loss=loss, scale=scale), rtol=1e-6)


def trained(make, steps=8):
    rng = generator(0, "data")
    x = rng.standard_normal((64, 12), dtype="float32")
    labels = rng.integers(0, 3, 64)
    layers = (nn.Linear(12, 16), make(), nn.Linear(16, 16), make(), nn.Linear(16, 3))
    net = nn.Sequential(*layers)
    for index, p in enumerate(net.parameters()):
        start = generator(1, f"{index}").standard_normal(p.shape, dtype="float32")
        p.data[...] = start / 4
    adam = optim.Adam(net.parameters(), lr=0.01)
    for _ in range(steps):
        adam.zero_grad()
        F.cross_entropy(net(tensor(x)), tensor(labels)).backward()
        adam.step()
    return [p.numpy().copy() for p in net.parameters()]


@pytest.mark.parametrize(
    ("loss", "adapter"), [("soft_hinge", "tanh"), ("truncated_hinge", "hardtanh")]
)
def test_networks_of_both_names_have_the_same_weights_after_training(loss, adapter):
    ftp = trained(lambda: nn.FeasibleTargetSign(loss, zero=0))
    bpga = trained(lambda: nn.Sign(adapter))
    for one, other in zip(ftp, bpga, strict=True):
        assert_array_equal(one, other)
    ste = trained(lambda: nn.Sign("identity"))
    assert any((a != b).any() for a, b in zip(ftp, ste, strict=True))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"loss": "hard"},
            "feasible_target: loss 'hard', expected one of 'soft_hinge'",
        ),
        ({"zero": 2}, "feasible_target: zero 2, expected 0, -1 or 1"),
        ({"loss": ["hinge"]}, r"feasible_target: loss \['hinge'\], expected one of"),
        ({"scale": "no"}, "feasible_target: scale 'no', expected True or False"),
    ],
)
def test_wrong_parameters_are_refused(params, message):
    with pytest.raises(ArgumentError, match=message):
        nn.FeasibleTargetSign(**params)


def test_integers_are_refused():
    with pytest.raises(DTypeError, match="feasible_target: x has dtype int64"):
        KERNEL.run(np.arange(3))


def test_the_layer_describes_itself():
    layer = nn.FeasibleTargetSign("hinge", scale=False, zero=0)
    assert repr(layer) == "FeasibleTargetSign('hinge', scale=False, zero=0)"

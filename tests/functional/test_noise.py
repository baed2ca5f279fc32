"""Gaussian noise: its mean and size, its gradient, and when there is none."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import functional as F
from minigrad.errors import ArgumentError
from minigrad.random import Streams, generator, manual_seed
from minigrad.tape import tensor
from minigrad.testing import check_function, fake_device

X = np.random.default_rng(0).standard_normal((4, 5)) * 2 + 0.1
FUNCTIONS = [F.gaussian_noise, F.gaussian_dropout, F.noisy_activation]
every_function = pytest.mark.parametrize("function", FUNCTIONS)


@every_function
def test_gradient_reaches_the_input(function):
    check_function(lambda x: function(x, rng=generator(0, "noise")), X)


@pytest.mark.parametrize("p", [[1.5], [0.5, 1.0, 1.5, 2.0, 2.5]])
def test_p_of_the_noisy_activation_is_learned(p):
    p = np.array(p)
    check_function(lambda x, p: F.noisy_activation(x, p, rng=Streams(0)), X, p)


@pytest.mark.parametrize(
    ("function", "std"),
    [
        (lambda x: F.gaussian_noise(x, 0.5, rng=Streams(0)), 0.5),
        (lambda x: F.gaussian_dropout(x, 0.2, rng=Streams(0)), 0.5 * 3),
    ],
)
def test_noise_keeps_the_mean_and_has_the_size_it_says(function, std):
    y = function(tensor(np.full(20_000, 3.0))).numpy()
    assert_allclose(y.mean(), 3, atol=0.04)
    assert_allclose(y.std(), std, rtol=0.02)


def test_gaussian_dropout_has_the_variance_of_dropout():
    x = tensor(np.ones(50_000))
    pair = [f(x, 0.3, rng=Streams(0)).numpy() for f in (F.dropout, F.gaussian_dropout)]
    assert_allclose(pair[0].var(), pair[1].var(), rtol=0.03)


def test_the_same_noise_scales_the_gradient():
    x = tensor(np.ones(50), requires_grad=True)
    y = F.gaussian_dropout(x, 0.3, rng=Streams(0))
    y.backward(np.ones(50))
    assert_array_equal(x.grad.numpy(), y.numpy())


@every_function
def test_a_stream_gives_new_noise_each_time(function):
    streams = Streams(0)
    first, second = (function(tensor(X), rng=streams).tolist() for _ in range(2))
    assert first != second
    assert first == function(tensor(X), rng=Streams(0)).tolist()
    assert streams.state_dict()["steps"] == {"noise": 2}
    manual_seed(0)
    assert first == function(X).tolist()


@every_function
def test_every_dtype_gets_the_same_noise(function):
    y32 = function(tensor(X.astype("float32")), rng=Streams(0))
    y64 = function(tensor(X), rng=Streams(0))
    assert y32.dtype == np.float32
    assert_allclose(y32.numpy(), y64.numpy(), rtol=1e-5, atol=1e-6)


@every_function
def test_a_device_draws_the_same_noise(function):
    expected = function(tensor(X), rng=Streams(0)).numpy()
    with fake_device():
        found = function(tensor(X).to("fake"), rng=Streams(0))
        assert_allclose(found.numpy(), expected, 1e-12)


@pytest.mark.parametrize("function", FUNCTIONS[:2])
def test_evaluation_returns_x(function):
    x = tensor(X)
    assert function(x, training=False) is x
    assert function(x, 0) is x


@pytest.mark.parametrize("half_normal", [True, False])
@pytest.mark.parametrize("function", ["tanh", "sigmoid"])
def test_evaluation_gives_the_mean_of_the_noisy_activation(function, half_normal):
    x = np.linspace(-4, 4, 9)
    options = {"function": function, "half_normal": half_normal}
    many = tensor(np.repeat(x[None], 20_000, 0))
    mean = F.noisy_activation(many, 2.0, **options, rng=Streams(0)).numpy().mean(0)
    y = F.noisy_activation(x, 2.0, **options, training=False)
    assert_allclose(y.numpy(), mean, atol=0.003)


@pytest.mark.parametrize("std", [-1, math.inf, math.nan, "a", None])
def test_std_out_of_range_is_refused(std):
    with pytest.raises(ArgumentError, match=r"std .+, expected 0 <= std < inf"):
        F.gaussian_noise(X, std)


@pytest.mark.parametrize("p", [-0.1, 1, "a"])
def test_p_out_of_range_is_refused(p):
    with pytest.raises(ArgumentError, match=r"p .+, expected 0 <= p < 1"):
        F.gaussian_dropout(X, p)

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import nn
from minigrad.errors import ArgumentError, ShapeError
from minigrad.random import Streams
from models.gradient_adapter.estimators import (
    Gains,
    best_baseline,
    gaussian_smoothing,
    node_perturbation,
    score_function,
    spsa,
    weight_differences,
)
from models.gradient_adapter.stochastic_batch import Batch
from models.networks.mlp import mlp

SEEDS = st.integers(0, 2**32 - 1)


def bits(pattern):
    """A generator whose signs are those of pattern, 0 for -1."""
    return SimpleNamespace(integers=lambda high, size: np.array(pattern))


def patterns(count):
    return itertools.product((0, 1), repeat=count)


def all_spsa(loss, theta, step):
    """SPSA's estimate for each of the 2^N perturbations."""
    found = [spsa(loss, theta, step, bits(pattern)) for pattern in patterns(theta.size)]
    return np.array(found)


def quadratic(seed, size=5):
    """A quadratic loss, where it is taken, and its slope there."""
    rng = np.random.default_rng(seed)
    matrix, b = rng.normal(size=(size, size)), rng.normal(size=size)
    theta = rng.normal(size=size)
    slope = (matrix + matrix.T) @ theta + b
    return lambda x: float(x @ matrix @ x + b @ x), theta, slope


def cubic(x):
    return float((x**3).sum() + x[0] * x[1] * x[2])


def network(activation, seed=0):
    rng = np.random.default_rng(seed)
    model = mlp(6, (5, 4), 3, activation=activation, streams=Streams(0), seed=seed).to(
        "float64"
    )
    return Batch(model, rng.normal(size=(20, 6)), rng.integers(3, size=20))


# -- differences, SPSA -----------------------------------------------------------------


@given(SEEDS, st.floats(0.01, 2))
def test_differences_of_a_quadratic_are_its_slope(seed, step):
    loss, theta, slope = quadratic(seed)
    assert_allclose(weight_differences(loss, theta, step), slope, rtol=1e-8, atol=1e-8)


@given(SEEDS, st.floats(0.01, 2))
def test_the_mean_of_spsa_over_all_perturbations_is_a_quadratics_slope(seed, step):
    loss, theta, slope = quadratic(seed)
    found = all_spsa(loss, theta, step).mean(axis=0)
    assert_allclose(found, slope, rtol=1e-8, atol=1e-8)


@given(SEEDS)
def test_the_mean_of_many_draws_of_spsa_nears_the_slope(seed):
    loss, theta, slope = quadratic(seed)
    rng = np.random.default_rng(seed)
    draws = np.array([spsa(loss, theta, 0.3, rng) for _ in range(400)])
    error = draws.std(axis=0, ddof=1) / 20
    assert (np.abs(draws.mean(axis=0) - slope) < 6 * error + 1e-9).all()


@pytest.mark.parametrize("estimate", [weight_differences, all_spsa])
def test_half_the_step_is_a_quarter_of_the_bias(estimate):
    theta = np.array([0.3, -0.8, 1.1, 0.5])
    product = np.array([theta[1] * theta[2], theta[0] * theta[2], theta[0] * theta[1]])
    slope = 3 * theta**2 + np.append(product, 0)

    def bias(step):
        return estimate(cubic, theta, step).reshape(-1, 4).mean(axis=0) - slope

    assert_allclose(bias(0.2), 4 * bias(0.1), rtol=1e-8)
    assert np.abs(bias(0.1)).min() > 0.009


@pytest.mark.parametrize("size", [2, 5, 8])
def test_the_variance_of_spsa_is_that_of_all_other_slopes(size):
    slope = np.arange(1.0, size + 1)
    found = all_spsa(lambda x: float(slope @ x), np.zeros(size), 0.1).var(axis=0)
    squares = slope**2
    assert_allclose(found, squares.sum() - squares)
    assert_allclose(found.sum(), (size - 1) * squares.sum())


@pytest.mark.parametrize(
    ("estimate", "losses"), [("differences", 2 * 74), ("spsa", 2), ("smoothing", 2)]
)
def test_losses_are_counted(estimate, losses):
    batch = network(nn.Tanh)
    rng = np.random.default_rng(0)
    assert batch.theta.size == 7 * 5 + 6 * 4 + 5 * 3
    {
        "differences": lambda: weight_differences(batch.loss, batch.theta, 0.1),
        "spsa": lambda: spsa(batch.loss, batch.theta, 0.1, rng),
        "smoothing": lambda: gaussian_smoothing(batch.loss, batch.theta, 0.1, rng),
    }[estimate]()
    assert batch.losses == losses


def test_parameters_are_left_as_they_were():
    loss, theta, _ = quadratic(0)
    before = theta.copy()
    theta.flags.writeable = False
    weight_differences(loss, theta, 0.1)
    spsa(loss, theta, 0.1, np.random.default_rng(0))
    assert_array_equal(theta, before)


def test_differences_in_a_smooth_network_are_what_backward_gives():
    batch = network(nn.Tanh)
    expected = batch.backward()
    found = weight_differences(batch.loss, batch.theta, 1e-5)
    assert_allclose(found, expected, atol=1e-7)


def test_tiny_differences_are_zero_below_a_sign_and_large_ones_are_not():
    batch = network(lambda: nn.Sign("tanh"))
    output = 4 * 3 + 3
    tiny = weight_differences(batch.loss, batch.theta, 1e-7)
    assert_array_equal(tiny[:-output], 0)
    # The output layer has no sign above it.
    assert_allclose(tiny[-output:], batch.backward()[-output:], atol=1e-7)
    large = weight_differences(batch.loss, batch.theta, 0.3)
    assert (large[:-output] != 0).mean() > 0.8


def test_smoothing_gives_a_step_the_slope_of_its_mean():
    # E sign(x + s u) = erf(x / (s sqrt 2)).
    x, scale, rng = 0.4, 0.5, np.random.default_rng(0)
    loss = lambda theta: float(np.sign(theta[0]))  # noqa: E731
    draws = [
        gaussian_smoothing(loss, np.array([x]), scale, rng)[0] for _ in range(4000)
    ]
    density = np.exp(-((x / scale) ** 2) / 2) / np.sqrt(2 * np.pi)
    error = np.std(draws) / np.sqrt(len(draws))
    assert abs(np.mean(draws) - 2 * density / scale) < 5 * error
    assert error < 0.05


# -- nodes -----------------------------------------------------------------------------


def nodes(seed=0):
    """Nets of two layers of one unit each, z2 = w (z1 + xi1) + xi2, and loss z2^2."""
    x, w = np.random.default_rng(seed).normal(size=(2, 3))[0], 0.7

    def run(noises):
        first, second = noises if noises is not None else np.zeros((2, 3, 1))
        h = x[:, None] + first
        return np.square(w * h + second)[:, 0], [x[:, None], h]

    return run, x, w


def test_the_mean_of_node_perturbation_is_the_slope_of_the_mean_loss():
    run, x, w = nodes()
    scale, found = 0.5, []
    # Signs have the first and second moments of normal noise, and all can be listed.
    for pattern in patterns(6):
        signs = iter(2.0 * np.array(pattern).reshape(2, 3, 1) - 1)
        rng = SimpleNamespace(standard_normal=lambda shape, signs=signs: next(signs))
        found.append(node_perturbation(run, [1, 1], scale, rng))
    layers = [
        [np.mean([layers[layer][part] for layers in found], axis=0) for part in (0, 1)]
        for layer in (0, 1)
    ]
    # E z2^2 = w^2 (z1^2 + s^2) + s^2.
    (first, first_bias), (second, second_bias) = layers
    assert_allclose(first, [[(2 * w * w * x * x).mean()]])
    assert_allclose(first_bias, [(2 * w * w * x).mean()])
    assert_allclose(second, [[(2 * w * (x * x + scale**2)).mean()]])
    assert_allclose(second_bias, [(2 * w * x).mean()])


def test_node_perturbation_takes_two_losses_and_gives_the_parameters_shapes():
    batch = network(lambda: nn.Sign("tanh"))
    rng = np.random.default_rng(0)
    found = node_perturbation(batch.run, batch.widths, 0.1, rng)
    shapes = [part.shape for layer in found for part in layer]
    assert shapes == [(5, 6), (5,), (4, 5), (4,), (3, 4), (3,)]
    assert batch.losses == 2


def test_many_node_perturbations_of_a_smooth_network_near_its_gradient():
    batch = network(nn.Tanh)
    exact, rng = batch.backward(), np.random.default_rng(0)
    draws = np.array(
        [
            np.concatenate([part.ravel() for layer in found for part in layer])
            for found in (
                node_perturbation(batch.run, batch.widths, 0.02, rng)
                for _ in range(1500)
            )
        ]
    )
    error = draws.std(axis=0) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(axis=0) - exact) < 5 * error + 1e-3).all()
    cosine = draws.mean(axis=0) @ exact / np.linalg.norm(exact)
    assert cosine / np.linalg.norm(draws.mean(axis=0)) > 0.9


# -- random units ----------------------------------------------------------------------


def units(z):
    """All outputs of random units, and their probabilities."""
    h = np.array(list(itertools.product((-1.0, 1.0), repeat=z.size)))
    return h, np.prod(1 / (1 + np.exp(-2 * h * z)), axis=1)


def loss_of(h):
    return 1 + h[:, 0] * h[:, 1] + 0.5 * h[:, 2] - 2 * h[:, 0] * h[:, 1] * h[:, 2]


@pytest.mark.parametrize("baseline", [0.0, 3.0, np.array([1.0, -2.0, 0.5])])
def test_the_mean_of_the_score_function_is_the_slope_of_the_mean_loss(baseline):
    z = np.array([0.3, -0.9, 0.1])
    h, odds = units(z)
    nets = np.broadcast_to(z, h.shape)
    found = odds @ score_function(loss_of(h), h, nets, baseline)
    for index, value in enumerate(found):
        shift = 1e-5 * np.eye(3)[index]
        means = [odds @ loss_of(h) for h, odds in (units(z + shift), units(z - shift))]
        assert_allclose(value, (means[0] - means[1]) / 2e-5, rtol=1e-7)


def test_the_best_baseline_varies_least():
    # At z = 0 all outputs are equally likely: a list of them has their variance.
    h, _ = units(np.zeros(3))
    nets, losses = np.zeros_like(h), 5 + loss_of(h)
    best = best_baseline(losses, h, nets)
    least = score_function(losses, h, nets, best).var(axis=0)
    for shift in (-0.1, 0.1):
        assert (score_function(losses, h, nets, best + shift).var(axis=0) > least).all()
    assert (score_function(losses, h, nets).var(axis=0) > 3 * least).all()


# -- gains and errors ------------------------------------------------------------------


def test_gains_fall_as_spall_has_them():
    gains = Gains(rate=0.5, step=0.2, stability=10)
    assert gains.rate_at(6) == pytest.approx(0.5 / 16**0.602)
    assert gains.step_at(1) == 0.2
    assert gains.step_at(32) == pytest.approx(0.2 / 2**0.505)


@pytest.mark.parametrize("step", [0.0, -1.0, float("nan")])
def test_a_step_that_is_not_above_zero_is_refused(step):
    rng = np.random.default_rng(0)
    theta = np.zeros(2)
    with pytest.raises(ArgumentError, match=r"weight_differences: step .*above 0"):
        weight_differences(np.sum, theta, step)
    with pytest.raises(ArgumentError, match="spsa: step"):
        spsa(np.sum, theta, step, rng)
    with pytest.raises(ArgumentError, match="gaussian_smoothing: step"):
        gaussian_smoothing(np.sum, theta, step, rng)
    with pytest.raises(ArgumentError, match="node_perturbation: scale"):
        node_perturbation(nodes()[0], [1, 1], step, rng)


def test_parameters_in_more_than_one_axis_are_refused():
    with pytest.raises(ShapeError, match=r"theta has shape \(2, 2\), expected \(N,\)"):
        weight_differences(np.sum, np.zeros((2, 2)), 0.1)


def test_units_that_do_not_match_their_nets_are_refused():
    with pytest.raises(ShapeError, match=r"h has shape \(3, 2\), z \(3, 4\)"):
        score_function(np.zeros(3), np.zeros((3, 2)), np.zeros((3, 4)))

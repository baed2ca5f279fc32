import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import nn
from models.experiments import checkpoint
from models.experiments.pool import Hooks, Stopped
from models.gradient_adapter import stochastic_measures as measures
from models.gradient_adapter.estimators import Gains
from models.gradient_adapter.stochastic import measure, progress
from models.gradient_adapter.stochastic_batch import Batch
from models.gradient_adapter.stochastic_measures import COSTED, ESTIMATORS
from models.gradient_adapter.stochastic_training import (
    ARMS,
    StochasticConfig,
    build,
    common_steps,
    is_noted,
    network,
    steps_of,
)

CONFIG = StochasticConfig(
    "digits",
    epochs=2,
    losses=200,
    most_steps=30,
    points=64,
    hidden=(3, 3),
    widths=(2, 3, 4),
    max_examples=240,
    max_test=100,
    image_size=4,
    batch_size=20,
)
N = 17 * 3 + 4 * 3 + 4 * 10
GO = Hooks(lambda event: None, lambda: False)


def batch_of(adapter="tanh", config=CONFIG):
    rng = np.random.default_rng(0)
    x, labels = rng.random((12, 16)), rng.integers(10, size=12)
    return Batch(network(config, adapter, 0), x, labels)


def trained(arm, epochs=1, config=CONFIG):
    training = build(config, arm, 0)
    history = [training.run_epoch(epoch, GO) for epoch in range(epochs)]
    return training, history


def weights_of(training):
    return Batch(training.model, np.zeros((1, 16)), [0]).theta


# -- the loss of a batch ---------------------------------------------------------------


def test_the_loss_is_that_of_the_same_network_in_numpy():
    batch = batch_of()
    theta = np.random.default_rng(1).normal(size=N)
    value = batch.loss(theta)
    h = batch._x.numpy()
    start = 0
    for index, (rows, columns) in enumerate(batch.shapes[::2]):
        weight = theta[start : start + rows * columns].reshape(rows, columns)
        start += rows * columns
        z = h @ weight.T + theta[start : start + rows]
        start += rows
        h = np.sign(z) if index < 2 else z
    chosen = h[np.arange(12), batch._labels.numpy()]
    assert value == pytest.approx((np.log(np.exp(h).sum(axis=1)) - chosen).mean())
    assert (batch.losses, batch.mean_loss) == (1, value)


def test_noise_moves_each_layers_nets():
    batch = batch_of()
    losses, given = batch.run(None)
    assert losses.mean() == pytest.approx(batch.loss(batch.theta))
    assert [one.shape for one in given] == [(12, 16), (12, 3), (12, 3)]
    noises = [np.zeros((12, 3)), np.full((12, 3), 100.0), np.zeros((12, 10))]
    _, given = batch.run(noises)
    assert_array_equal(given[2], 1)
    # The same on all logits of an example changes nothing.
    noises = [np.zeros((12, 3)), np.zeros((12, 3)), np.full((12, 10), 5.0)]
    assert_allclose(batch.run(noises)[0], losses)


def test_a_gradient_is_set_at_the_parameters_that_there_were():
    batch = batch_of()
    before = batch.theta.copy()
    batch.loss(before + 1)
    batch.set_gradient(np.arange(float(N)))
    assert_array_equal(batch.theta, before)
    after = Batch(batch._model, np.zeros((1, 16)), [0])
    assert_array_equal(after.theta, before)
    gradients = [part.grad.numpy().ravel() for part in batch._parts]
    assert_array_equal(np.concatenate(gradients), np.arange(N))


def test_a_backward_pass_counts_as_two_losses():
    batch = batch_of()
    batch.backward()
    assert batch.losses == 3


# -- training --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arm", "steps"), [("bpga", 30), ("differences", 1), ("spsa", 100), ("node", 100)]
)
def test_an_epoch_is_so_many_losses_or_steps(arm, steps):
    assert steps_of(CONFIG, arm, N) == steps
    _, (epoch,) = trained(arm)
    assert epoch["steps"] == steps
    assert epoch["losses"] == steps * ARMS[arm].losses(N)


def test_differences_take_more_steps_where_more_losses_are_allowed():
    config = replace(CONFIG, losses=3 * 2 * N)
    assert steps_of(config, "differences", N) == 3
    assert common_steps(config, N) == 6


def test_steps_are_noted_by_powers_of_ten():
    assert [n for n in range(1, 120) if is_noted(n)] == [1, 2, 5, 10, 20, 50, 100]


def test_the_common_step_is_noted_by_all():
    for arm in ("bpga", "differences", "node"):
        training, history = trained(arm, epochs=2)
        found = progress(history, training.common)
        assert found["at_common"] == dict(found["curve"])[2]
        assert found["steps"] == 2 * training.steps


@pytest.mark.parametrize("arm", ["bpga", "spsa_gains", "node"])
def test_a_training_that_goes_on_ends_in_the_same_bits(arm, tmp_path):
    whole, history = trained(arm, epochs=2)
    first, _ = trained(arm)
    path = tmp_path / "state.safetensors"
    job = SimpleNamespace(checkpoint=path, training_hash="", arm=arm, seed=0)
    checkpoint.save(first, job, [])
    second = build(CONFIG, arm, 0)
    checkpoint.restore(second, path)
    epoch = second.run_epoch(1, GO)
    assert_array_equal(weights_of(second), weights_of(whole))
    assert epoch["train_loss"] == history[1]["train_loss"]
    assert not np.array_equal(weights_of(second), weights_of(first))


def test_adapters_differ_in_nothing_but_what_signs_send():
    starts = {arm: weights_of(build(CONFIG, arm, 0)) for arm in ARMS}
    for start in starts.values():
        assert_array_equal(start, starts["bpga"])
    ste, bpga = (weights_of(trained(arm)[0]) for arm in ("ste", "bpga"))
    assert not np.array_equal(ste, bpga)


def test_spalls_gains_set_rate_and_step(monkeypatch):
    seen = []
    training = build(CONFIG, "spsa_gains", 0)
    estimate = lambda batch, config, step, rng: seen.append(step) or 0 * batch.theta  # noqa: E731
    monkeypatch.setitem(
        ARMS, "spsa_gains", replace(ARMS["spsa_gains"], estimate=estimate)
    )
    for number in (1, 32):
        training._step(batch_of(), number, np.random.default_rng(0))
        gains = Gains(CONFIG.gain, CONFIG.step, 20)
        assert training.optimizer.param_groups[0]["lr"] == gains.rate_at(number)
    assert seen == [0.1, gains.step_at(32)]


def test_a_training_ends_where_it_is_asked_to():
    training = build(CONFIG, "spsa", 0)
    before = weights_of(training)
    with pytest.raises(Stopped):
        training.run_epoch(0, Hooks(lambda event: None, lambda: True))
    assert_array_equal(weights_of(training), before)


def test_bpga_learns_the_digits():
    config = replace(CONFIG, hidden=(8, 8), losses=900, most_steps=300)
    training, (epoch,) = trained("bpga", config=config)
    assert epoch["test_accuracy"] > 40
    assert training.accuracy(training.examples.train) > 50


# -- measures --------------------------------------------------------------------------


def test_an_exponent_is_that_of_the_power():
    assert measures.exponent([10, 20, 70], [3 * n**1.5 for n in (10, 20, 70)]) == (
        pytest.approx(1.5)
    )


def test_variance_is_summed_over_components():
    draws = [np.array([1.0, 5.0]), np.array([3.0, 1.0])]
    assert measures.variance(draws) == 2 + 8
    assert measures.variance(draws[:1]) == 0


def test_what_lies_below_a_sign_is_all_but_the_output_layer():
    assert measures.hidden_count(batch_of()) == N - 40


@pytest.mark.parametrize("name", COSTED)
def test_costs_are_counted_and_weights_are_left_alone(name):
    batch = batch_of()
    found = measures.cost(name, batch, CONFIG)
    expected = {"bpga": 3, "differences": 2 * N, "spsa": 2, "node": 2}[name]
    assert found["losses"] == expected
    assert found["operations"] == expected * (16 * 3 + 3 * 3 + 3 * 10)
    assert found["step_seconds"] >= 0
    after = Batch(batch._model, np.zeros((1, 16)), [0])
    assert_array_equal(after.theta, batch.theta)


def test_the_smoothed_slope_of_the_output_layer_is_near_its_gradient():
    batch = batch_of()
    slopes = measures.smoothed(batch, 0.01, 1600, np.random.default_rng(0))
    exact, found = batch.backward()[-10:], slopes.mean(axis=0)[-10:]
    error = slopes.std(axis=0, ddof=1)[-10:] / 4
    assert (np.abs(found - exact) < 6 * error).all()
    assert np.corrcoef(found, exact)[0, 1] > 0.8


def test_small_steps_see_nothing_below_signs_and_all_above():
    batch = batch_of()
    slopes = measures.smoothed(batch, 0.1, 160, np.random.default_rng(0))
    below = measures.reference_of(slopes[:, : N - 40])
    small, large = (
        measures.by_step(batch, step, below, np.random.default_rng(0))
        for step in (1e-8, 1.0)
    )
    assert (small["seen"], small["differences"]) == (0, 0)
    assert small["differences_output"] == pytest.approx(1)
    assert small["output_error"] < 1e-6 < large["output_error"]
    assert large["seen"] > 0.5


def test_the_comparison_leaves_the_network_as_it_was_and_can_be_saved():
    training, _ = trained("bpga")
    before = weights_of(training)
    config = replace(CONFIG, points=160)
    found = measure(training, SimpleNamespace(config=config, seed=0, arm="bpga"))
    assert_array_equal(weights_of(training), before)
    assert {part.adapter for part in training.model if isinstance(part, nn.Sign)} == {
        "tanh"
    }
    assert json.loads(json.dumps(found)) == found
    assert set(found["estimators"]) == set(ESTIMATORS)
    assert found["estimators"]["spsa"]["draws"] == found["weights"] == N
    assert found["estimators"]["spsa"]["variance"] > 0
    assert found["exponents"]["differences"] == pytest.approx(
        1 + found["exponents"]["spsa"], abs=1e-9
    )
    other = measure(training, SimpleNamespace(config=config, seed=0, arm="spsa"))
    assert set(other) == {"common", "cost"}

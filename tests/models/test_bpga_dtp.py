"""Difference target propagation: its targets, its losses, its optimiser, its passes."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import minigrad as mg
from minigrad import functional as F
from minigrad.errors import ArgumentError
from minigrad.random import generator
from minigrad.tape import Tensor
from models.experiments import checkpoint
from models.experiments.pool import Hooks, Job, Stopped
from models.gradient_adapter import dtp
from models.gradient_adapter.centred_rmsprop import CentredRMSprop
from models.gradient_adapter.common import presets
from models.gradient_adapter.dtp import DtpNetwork, DtpRates

CONFIG = replace(presets()["tiny"].config, hidden=(32, 32), image_size=8)
SHORT = replace(CONFIG, max_examples=140, hidden=(12, 10))
DEEP = replace(SHORT, hidden=(12, 10, 8))
HOOKS = Hooks(lambda event: None, lambda: False)


def normal(seed, name, *shape):
    return generator(seed, name).standard_normal(shape)


def parameters_of(training):
    return {name: p.numpy().copy() for name, p in training.model.named_parameters()}


def moved(training, before):
    """Names of the layers of which a parameter is another than before."""
    now = parameters_of(training)
    changed = [name for name in now if not np.array_equal(now[name], before[name])]
    return {name.split(".")[0] for name in changed}


def with_gradient(training):
    named = training.model.named_parameters()
    return {name.split(".")[0] for name, p in named if p.has_grad}


def batch(training):
    images, labels = training.examples.train
    return images[:20], labels[:20]


# -- targets ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_where_nothing_above_is_to_change_nothing_below_is_bit_for_bit(seed):
    net = DtpNetwork(6, (5, 4, 7), 3, seed=seed)
    hiddens = [
        Tensor(normal(seed, f"h{n}", 8, width).astype("float32"))
        for n, width in enumerate((5, 4, 7))
    ]
    inverses = [partial(net.inverse, 2), partial(net.inverse, 3)]
    found = dtp.targets(hiddens, Tensor(np.zeros((8, 7), "float32")), inverses, 27.97)
    for h, target in zip(hiddens, found, strict=True):
        assert_array_equal(target.numpy(), h.numpy())
    found = dtp.targets(hiddens, Tensor(np.ones((8, 7), "float32")), inverses, 1.0)
    for h, target in zip(hiddens, found, strict=True):
        assert not np.array_equal(target.numpy(), h.numpy())
        assert not target.requires_grad


def missed(rate, change):
    """How far f(target of h_1) is from h_2's, where change makes g of f's inverse."""
    weight = np.eye(4) + 0.2 * normal(0, "weight", 4, 4)
    h = normal(0, "h", 3, 4) / 2
    above, slope = np.tanh(h @ weight), normal(0, "slope", 3, 4)

    def inverse(y):
        return np.arctanh(y) @ np.linalg.inv(weight)

    g = change(inverse, above)
    target, target_above = dtp.targets(
        [Tensor(h), Tensor(above)],
        Tensor(slope),
        [lambda y: Tensor(g(y.numpy()))],
        rate,
    )
    assert_allclose(target_above.numpy(), above - rate * slope)
    return np.abs(np.tanh(target.numpy() @ weight) - target_above.numpy()).max()


def linear(inverse, at, stretch=1.0):
    """What is left of inverse near `at` if its curvature is dropped."""
    return lambda y: (
        inverse(at) + stretch * (inverse(at + 1e-6 * (y - at)) - inverse(at)) / 1e-6
    )


def test_with_the_inverse_the_layer_makes_the_target_above_of_that_below():
    assert missed(0.01, lambda inverse, _: inverse) < 1e-13


def test_a_constant_error_of_the_inverse_does_not_matter():
    assert missed(0.01, lambda inverse, _: lambda y: inverse(y) + 3) < 1e-13


def test_an_inverse_with_the_right_slope_misses_by_second_order():
    far, near = (missed(rate, linear) for rate in (0.01, 0.005))
    assert far / near == pytest.approx(4, rel=0.1)


def test_an_inverse_with_a_wrong_slope_misses_by_first_order():
    far, near = (missed(rate, partial(linear, stretch=1.5)) for rate in (0.01, 0.005))
    assert far / near == pytest.approx(2, rel=0.1)


def test_with_an_orthogonal_layer_the_step_of_its_target_is_back_propagations():
    weight = Tensor(np.linalg.qr(normal(0, "weight", 5, 5))[0])
    h = Tensor(normal(0, "h", 7, 5), requires_grad=True)
    above = F.matmul(h, weight.T) + 0.3
    slope = Tensor(normal(0, "slope", 7, 5))
    (above * slope).sum().backward()
    target, _ = dtp.targets(
        [h.detach(), above.detach()], slope, [lambda y: F.matmul(y, weight)], 2.5
    )
    assert_allclose(h.numpy() - target.numpy(), 2.5 * h.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_with_inverses_the_first_layer_moves_within_90_degrees_of_steepest_descent(
    seed,
):
    """The theorem of the paper, for h_l = W_l tanh(h_(l-1)) and one example.

    The two gradients' product is then 2 rate |dJ/dh_3|^2 |x|^2, so above 0.
    """
    x, rate = Tensor(normal(seed, "x", 1, 6)), 1e-6
    weight = Tensor(normal(seed, "w1", 6, 4) / 3, requires_grad=True)
    later = [np.eye(4) + normal(seed, name, 4, 4) / 4 for name in ("w2", "w3")]
    h1 = F.matmul(x, weight)
    h2 = F.matmul(F.tanh(h1), Tensor(later[0]))
    h3 = F.matmul(F.tanh(h2), Tensor(later[1]))
    last = Tensor(h3.numpy(), requires_grad=True)
    for h in (h3, last):
        F.cross_entropy(h, mg.tensor([2])).backward()
    steepest = weight.grad.numpy().copy()
    weight.grad = None

    def inverse_of(w):
        return lambda y: Tensor(np.arctanh(y.numpy() @ np.linalg.inv(w)))

    constants = [h.detach() for h in (h1, h2, h3)]
    aims = dtp.targets(constants, last.grad, [inverse_of(w) for w in later], rate)
    dtp.layer_loss(F.matmul(x, weight), aims[0]).backward()
    product = (weight.grad.numpy() * steepest).sum()
    expected = 2 * rate * (last.grad.numpy() ** 2).sum() * (x.numpy() ** 2).sum()
    assert expected > 0
    assert product == pytest.approx(expected, rel=0.01)


# -- losses ----------------------------------------------------------------------------


def test_the_gradient_of_a_layers_loss_is_its_slope():
    net = DtpNetwork(6, (5, 4), 3, seed=0).to("float64")
    x, target = Tensor(normal(0, "x", 8, 6)), Tensor(normal(0, "target", 8, 5))
    start, weight = net.layer1.weight.numpy().copy(), net.layer1.weight

    def loss(values):
        weight.data[...] = values
        return dtp.layer_loss(net.hidden(1, x), target)

    loss(start).backward()
    step = 1e-5 * normal(0, "step", *start.shape)
    slope = (loss(start + step).item() - loss(start - step).item()) / 2
    assert slope == pytest.approx((weight.grad.numpy() * step).sum(), rel=1e-7)


def test_a_batch_gives_what_the_formulas_of_the_paper_give():
    training = dtp.build(SHORT, 0)
    images, labels = batch(training)
    p = {name: p.astype("float64") for name, p in parameters_of(training).items()}

    def layer(name, x):
        return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]

    def hard(h):
        return np.where(h > 0, 1.0, -1.0)

    x = images.reshape(20, 64) / 255
    h1 = np.tanh(layer("layer1", x))
    h2 = np.tanh(layer("layer2", hard(h1)))
    odds = np.exp(layer("output", h2))
    odds /= odds.sum(axis=1, keepdims=True)
    j = -np.log(odds[np.arange(20), labels]).mean()
    slope = (odds - np.eye(10)[labels]) / 20 @ p["output.weight"]
    t2 = h2 - 27.97 * slope
    t1 = (
        h1 + np.tanh(layer("inverse2", hard(t2))) - np.tanh(layer("inverse2", hard(h2)))
    )
    loss, losses = training._layer_losses(images, labels)
    assert loss == pytest.approx(j, rel=1e-5)
    for found, h, target, below, name in (
        (losses[0], h1, t1, x, "layer1"),
        (losses[1], h2, t2, hard(h1), "layer2"),
    ):
        assert found.item() == pytest.approx(((h - target) ** 2).sum() / 20, rel=1e-4)
        found.backward()
        gradient = (2 * (h - target) * (1 - h**2)).T @ below / 20
        weight = getattr(training.model, name).weight
        assert_allclose(weight.grad.numpy(), gradient, rtol=1e-3, atol=1e-5)
    (of_inverse,) = training._inverse_losses(images, 0.0)
    guess = np.tanh(layer("inverse2", hard(h2)))
    assert of_inverse.item() == pytest.approx(((guess - h1) ** 2).sum() / 20, rel=1e-4)


def test_a_loss_reaches_its_own_layer_alone():
    training = dtp.build(DEEP, 0)
    _, losses = training._layer_losses(*batch(training))
    assert with_gradient(training) == {"output"}
    for number, loss in enumerate(losses, 1):
        training.model.zero_grad()
        loss.backward()
        assert with_gradient(training) == {f"layer{number}"}
    for number, loss in enumerate(training._inverse_losses(batch(training)[0], 0.5), 2):
        training.model.zero_grad()
        loss.backward()
        assert with_gradient(training) == {f"inverse{number}"}


def test_the_passes_move_the_inverses_or_all_but_those():
    training = dtp.build(DEEP, 0)
    images, labels = batch(training)
    before = parameters_of(training)
    training._descend(training._inverse_losses(images, 0.5))
    assert moved(training, before) == {"inverse2", "inverse3"}
    before = parameters_of(training)
    training._descend(training._layer_losses(images, labels)[1])
    assert moved(training, before) == {"layer1", "layer2", "layer3", "output"}
    assert with_gradient(training) == set()


# -- the network -----------------------------------------------------------------------


def test_weights_start_orthonormal_and_biases_at_zero():
    named = dict(DtpNetwork(9, (5, 7), 3, seed=1).named_parameters())
    layers = {name.split(".")[0] for name in named}
    assert layers == {"layer1", "layer2", "inverse2", "output"}
    for name in layers:
        weight = named[f"{name}.weight"].numpy()
        wide = weight if len(weight) <= weight.shape[1] else weight.T
        assert_allclose(wide @ wide.T, np.eye(len(wide)), atol=1e-6)
        assert not named[f"{name}.bias"].numpy().any()


def test_layer2_and_its_inverse_are_given_signs_with_that_of_zero_minus_one():
    net = DtpNetwork(4, (3, 3, 3), 2, seed=0)
    signs = Tensor(np.array([[-1, 1, -1]], "float32"))
    h = Tensor(np.array([[0.0, 0.2, -0.7]], "float32"))
    for part in (net.hidden, net.inverse):
        assert_array_equal(part(2, h).numpy(), part(2, signs).numpy())
        assert not np.array_equal(part(3, h).numpy(), part(3, signs).numpy())


def test_the_network_is_its_layers_one_after_another():
    net = DtpNetwork(4, (3, 5, 6), 2, seed=0)
    x = Tensor(normal(0, "x", 7, 4).astype("float32"))
    hiddens = net.hiddens(x, 3)
    assert [h.shape for h in hiddens] == [(7, 3), (7, 5), (7, 6)]
    assert_array_equal(net(x).numpy(), net.logits(hiddens[-1]).numpy())


def test_one_hidden_layer_is_refused():
    with pytest.raises(ArgumentError, match=r"hidden is \(5,\), expected two widths"):
        DtpNetwork(4, (5,), 2, seed=0)


# -- the optimiser ---------------------------------------------------------------------


def test_steps_follow_the_formula():
    p = Tensor(normal(0, "p", 3, 4), requires_grad=True)
    optimizer = CentredRMSprop([p], lr=0.01, keep=0.9, momentum=0.8, eps=1e-2)
    value, m, v, u = p.numpy().copy(), *np.zeros((3, 3, 4))
    for step in range(20):
        g = normal(step, "g", 3, 4)
        p.grad = Tensor(g)
        optimizer.step()
        m, v = 0.9 * m + 0.1 * g, 0.9 * v + 0.1 * g**2
        u = 0.8 * u - 0.01 * g / np.sqrt(v - m**2 + 1e-2)
        value = value + u
        assert_allclose(p.numpy(), value, rtol=1e-12, atol=1e-14)


def test_a_variance_that_rounds_below_zero_counts_as_zero():
    g = np.linspace(1e4, 2e4, 50, dtype="float32")
    p = Tensor(np.zeros(50, "float32"), requires_grad=True)
    optimizer = CentredRMSprop([p], lr=1e-3)
    for _ in range(400):
        p.grad = Tensor(g)
        optimizer.step()
    square, mean = (optimizer.state[p][name] for name in ("square_avg", "grad_avg"))
    assert (square - mean * mean < -1e-3).any()
    assert np.isfinite(p.numpy()).all()


@pytest.mark.parametrize("bad", [{"lr": -1}, {"keep": 1.5}, {"momentum": -0.1}])
def test_options_out_of_range_are_refused(bad):
    p = Tensor(np.zeros(2, "float32"), requires_grad=True)
    with pytest.raises(ArgumentError, match=next(iter(bad))):
        CentredRMSprop([p], **{"lr": 0.1, **bad})


def test_rates_are_those_of_the_authors():
    training = dtp.build(SHORT, 0)
    layers, inverses = training.optimizer.param_groups
    assert (layers["lr"], len(layers["params"])) == (6.60e-4, 6)
    assert (inverses["lr"], len(inverses["params"])) == (4.33e-4, 2)
    assert training.rates.target == 27.97
    assert (layers["keep"], layers["momentum"], layers["eps"]) == (0.95, 0.9, 1e-3)


# -- training --------------------------------------------------------------------------


def test_training_goes_on_from_a_checkpoint_bit_for_bit(tmp_path):
    path = tmp_path / "a.safetensors"
    job = Job("bpga.table1", "dtp", 0, SHORT, "hash", "numpy", path, dtp.build)
    first, second = dtp.build(SHORT, 0), dtp.build(SHORT, 0)
    history = [first.run_epoch(0, HOOKS)]
    checkpoint.save(first, job, history)
    assert checkpoint.load(second, job) == history
    before = parameters_of(second)
    both = (first, second)
    losses = [training.run_epoch(1, HOOKS)["train_loss"] for training in both]
    assert losses[0] == losses[1]
    assert moved(first, before) == {"layer1", "layer2", "inverse2", "output"}
    assert moved(first, parameters_of(second)) == set()
    states = [training.optimizer.state_dict()["state"] for training in both]
    assert set(states[0][0]) == {"grad_avg", "square_avg", "momentum_buffer"}
    for index, state in states[0].items():
        for name, value in state.items():
            assert_array_equal(value, states[1][index][name])


def test_equal_trainings_are_equal_bit_for_bit():
    runs = [dtp.build(SHORT, seed) for seed in (3, 3, 4)]
    losses = [training.run_epoch(0, HOOKS)["train_loss"] for training in runs]
    assert losses[0] == losses[1] != losses[2]
    assert moved(runs[0], parameters_of(runs[1])) == set()


@pytest.mark.parametrize(
    ("steps", "trained"),
    [(0, set()), (4, {"inverse2"}), (5, {"inverse2", "layer1", "layer2", "output"})],
)
def test_it_stops_at_the_next_step_when_asked(steps, trained):
    training = dtp.build(SHORT, 0)
    # 128 examples, 32 a batch: four steps of a pass.
    assert len(training.examples.train.labels) == 128
    before, calls = parameters_of(training), iter(range(100))
    with pytest.raises(Stopped):
        training.run_epoch(0, replace(HOOKS, stopped=lambda: next(calls) == steps))
    assert moved(training, before) == trained


def test_noise_falls_with_epochs_counted_from_one(monkeypatch):
    expected = [0.5 / 1.02, 0.25, 0.5 / 11]
    assert [dtp.noise_std(epoch) for epoch in (0, 49, 499)] == pytest.approx(expected)
    seen = []

    def noise_std(epoch):
        seen.append(epoch)
        return 0.1

    monkeypatch.setattr(dtp, "noise_std", noise_std)
    dtp.build(SHORT, 0).run_epoch(6, HOOKS)
    assert seen == [6] * 4


def test_noise_is_of_the_given_size(monkeypatch):
    training, seen = dtp.build(DEEP, 0), []

    def inverse_loss(layer, inverse, corrupted):
        seen.append(corrupted.numpy())
        return corrupted

    monkeypatch.setattr(dtp, "inverse_loss", inverse_loss)
    images, _ = training.examples.train
    for std in (0.0, 0.3):
        training._inverse_losses(images, std)
    for clean, noisy in ((seen[0], seen[2]), (seen[1], seen[3])):
        assert (noisy - clean).std() == pytest.approx(0.3, rel=0.1)
        assert abs((noisy - clean).mean()) < 0.03


def test_without_a_step_of_the_target_the_hidden_layers_stay():
    training = dtp.build(SHORT, 0)
    training.rates = DtpRates(target=0.0)
    before = parameters_of(training)
    training.run_epoch(0, HOOKS)
    assert moved(training, before) == {"inverse2", "output"}


def test_it_trains_the_hidden_layers():
    reached = []
    for rates in (DtpRates(), DtpRates(target=0.0)):
        training = dtp.build(CONFIG, 0)
        training.rates = rates
        reached.append([training.run_epoch(epoch, HOOKS) for epoch in range(6)][-1])
    loss, loss_of_frozen = (epoch["train_loss"] for epoch in reached)
    error, error_of_frozen = (100 - epoch["test_accuracy"] for epoch in reached)
    assert loss < 0.6 * loss_of_frozen
    assert error < 0.85 * error_of_frozen

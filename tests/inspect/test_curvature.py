"""The Hessian of small models, and the loss along directions."""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import functional as F
from minigrad import inspect, manual_seed, nn, no_grad, tensor
from minigrad.backend import new_array
from minigrad.errors import ArgumentError, ShapeError
from minigrad.inspect.curvature.directions import (
    gradient_direction,
    loss_curve,
    random_direction,
)
from minigrad.inspect.curvature.hessian import Hessian
from minigrad.tape import Parameter

RNG = np.random.default_rng(0)
X, T = RNG.normal(size=(20, 3)), RNG.integers(0, 3, 20)
IMAGES = RNG.normal(size=(4, 2, 5, 5)).astype("float32")


class Bare:
    """The least that a model has to have."""

    def __init__(self, **parameters):
        self.parameters = {
            name: Parameter(np.array(value)) for name, value in parameters.items()
        }

    def __getitem__(self, name):
        return self.parameters[name]

    def named_parameters(self):
        return self.parameters.items()

    def named_buffers(self):
        return ()


def quadratic(matrix, x=None):
    """Make a model whose loss is 0.5 w' A w, at x."""
    model = Bare(w=np.zeros(len(matrix)) if x is None else x)
    a = tensor(np.array(matrix))
    return lambda: 0.5 * model["w"] @ (a @ model["w"]), model


def network(dtype="float64", seed=0):
    """Make a classifier of 38 parameters and its loss."""
    manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 3)).to(dtype)
    x = tensor(X, dtype=dtype)
    return lambda: F.cross_entropy(model(x), T), model


def normalised_network():
    """Make a float32 network with batch norm, in training mode, and its loss."""
    manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Tanh(), nn.Flatten(), nn.Linear(27, 2)
    )
    x = tensor(IMAGES)
    return lambda: F.cross_entropy(model(x), [0, 1, 1, 0]), model


def directions(hessian, seed=0):
    rng = np.random.default_rng(seed)
    while True:
        yield {name: rng.normal(size=shape) for name, shape in hessian.shapes.items()}


def inner(u, v):
    return sum(float(np.sum(u[name] * v[name])) for name in u)


def state(model):
    """Return all that must stay: arrays, their bytes, and gradients."""
    named = [*model.named_parameters(), *model.named_buffers()]
    return [
        (id(t.data), t.data.dtype, t.data.tobytes(), id(t.cotangent), t.requires_grad)
        for _, t in named
    ]


# -- products --------------------------------------------------------------------------


def test_the_hessian_of_least_squares_is_known():
    model = nn.Linear(3, 1, bias=False).to("float64")
    t = tensor(RNG.normal(size=(20, 1)))
    hessian = Hessian(lambda: F.mse_loss(model(tensor(X)), t), model)
    assert_allclose(hessian.matrix(), 2 / 20 * X.T @ X, rtol=1e-13, atol=1e-14)


@given(st.integers(0, 1000))
def test_products_are_symmetric_and_linear(seed):
    hessian = Hessian(*network())
    u, v, *_ = (d for d, _ in zip(directions(hessian, seed), range(2), strict=False))
    hu, hv = hessian.product(u), hessian.product(v)
    size = sum(np.abs(u[name] * hv[name]).sum() for name in u)
    assert_allclose(inner(u, hv), inner(v, hu), rtol=0, atol=1e-13 * size)
    both = hessian.product({name: u[name] - 2 * v[name] for name in u})
    for name, part in both.items():
        assert_allclose(part, hu[name] - 2 * hv[name], rtol=0, atol=1e-13 * size)


def test_the_matrix_is_the_slope_of_the_gradient():
    loss, model = network()
    found = Hessian(loss, model).matrix()

    def gradient():
        model.zero_grad()
        loss().backward()
        grads = [parameter.grad.numpy() for parameter in model.parameters()]
        return np.concatenate([grad.reshape(-1) for grad in grads])

    columns, h = [], 1e-5
    for parameter in model.parameters():
        for place in np.ndindex(parameter.shape):
            value = parameter.data[place]
            sides = []
            for step in (h, -h):
                parameter.data[place] = value + step
                sides.append(gradient())
            parameter.data[place] = value
            columns.append((sides[0] - sides[1]) / (2 * h))
    assert_allclose(found, np.stack(columns, axis=1), rtol=0, atol=1e-9)


def test_a_float32_model_has_the_hessian_of_its_exact_weights():
    loss, model = network("float32")
    x, wide = X.astype("float32").astype("float64"), copy.deepcopy(model).to("float64")
    found = Hessian(loss, model)
    exact = Hessian(lambda: F.cross_entropy(wide(tensor(x)), T), wide)
    assert found.loss == exact.loss
    assert_array_equal(found.matrix(), exact.matrix())


def test_the_loss_is_averaged_over_batches():
    _, model = network()
    parts = [(tensor(X[at : at + 5]), T[at : at + 5]) for at in range(0, 20, 5)]
    batches = iter(parts)  # Can be read once only.
    split = Hessian(lambda x, t: F.cross_entropy(model(x), t), model, batches)
    whole = Hessian(lambda: F.cross_entropy(model(tensor(X)), T), model)
    assert_allclose(split.loss, whole.loss, rtol=1e-14)
    assert_allclose(split.matrix(), whole.matrix(), rtol=0, atol=1e-15)


def test_a_batch_that_is_no_tuple_is_one_argument():
    model = Bare(w=[2.0])
    hessian = Hessian(lambda x: (x * model["w"] ** 2).sum(), model, [np.ones(1)])
    assert_array_equal(hessian.matrix(), [[2.0]])


def test_frozen_parameters_are_constants_and_unused_ones_have_zeros():
    model = Bare(w=[3.0], frozen=[5.0], unused=[1.0, 1.0])
    model["frozen"].requires_grad = False
    hessian = Hessian(lambda: (model["w"] ** 2 * model["frozen"]).sum(), model)
    assert hessian.shapes == {"w": (1,), "unused": (2,)}
    found = hessian.product({"w": [1.0], "unused": [1.0, 1.0]})
    assert_array_equal(found["w"], [10.0])
    assert_array_equal(found["unused"], [0.0, 0.0])


def test_names_that_a_direction_lacks_count_as_zeros():
    model = Bare(v=[3.0], w=[2.0])
    hessian = Hessian(lambda: (model["v"] * model["w"] ** 2).sum(), model)
    found = hessian.product({"w": [1.0]})
    assert_array_equal((found["v"], found["w"]), [[4.0], [6.0]])


def test_products_run_where_the_parameters_are(backend):
    model = Bare(w=[1.0, 2.0])
    model["w"].data = new_array(model["w"].data)
    scale = new_array([3.0, 5.0])
    hessian = Hessian(lambda: (scale * model["w"] ** 3).sum(), model)
    assert_allclose(hessian.product({"w": [1.0, 1.0]})["w"], [18, 60], rtol=1e-14)
    assert_allclose(hessian.eigenvalues(tolerance=0).values, [60], rtol=1e-14)
    curve = loss_curve(lambda: (model["w"] ** 2).sum(), model, {"w": [0.0, 1.0]}, [1])
    assert_array_equal(curve, [10.0])
    assert model["w"].backend == backend


def test_a_minimum_where_the_loss_is_0_is_no_change_of_the_loss():
    # Real parts are about h**2 there, another number for every direction.
    hessian = Hessian(*quadratic(np.diag([1e6, 1.0, -2.0])))
    assert_allclose(np.diag(hessian.matrix()), [1e6, 1.0, -2.0], rtol=1e-14)


# -- what stays as it was --------------------------------------------------------------


def test_parameters_buffers_and_gradients_stay_bit_for_bit():
    loss, model = normalised_network()
    loss().backward()
    before = state(model)
    hessian = Hessian(loss, model)
    hessian.product(next(directions(hessian)))
    hessian.eigenvalues(tolerance=0.1)
    assert state(model) == before


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_an_interrupted_product_restores_the_model(error):
    loss, model = normalised_network()
    loss().backward()
    before, calls = state(model), []

    def interrupted():
        calls.append(loss())
        if len(calls) == 2:
            assert state(model) != before
            raise error
        return calls[-1]

    hessian = Hessian(interrupted, model)
    with pytest.raises(error):
        hessian.product(next(directions(hessian)))
    assert state(model) == before
    assert hessian.products == 0


def test_products_are_hidden_from_observers_and_run_under_no_grad():
    loss, model = network()
    hessian = Hessian(loss, model)
    v = next(directions(hessian))
    with inspect.gradient_flow(model) as flow, no_grad():
        found = hessian.product(v)
    assert flow.count == 0
    assert inner(found, found) > 0


# -- losses that change ----------------------------------------------------------------


def dropping():
    model = nn.Sequential(nn.Linear(3, 5), nn.Dropout(0.5), nn.Linear(5, 3))
    return model, tensor(X, dtype="float32")


def test_a_loss_that_draws_another_mask_each_time_is_refused():
    model, x = dropping()
    before = state(model)
    hessian = Hessian(lambda: F.cross_entropy(model(x), T), model)
    said = r"^Hessian: the loss was 1\.\d+ and is now 1\.\d+, expected the same"
    with pytest.raises(ArgumentError, match=said):
        hessian.product(next(directions(hessian)))
    assert state(model) == before


@pytest.mark.parametrize("how", ["seed", "eval"])
def test_a_loss_whose_masks_are_fixed_is_taken(how):
    model, x = dropping()
    if how == "eval":
        model.eval()

    def loss():
        manual_seed(0)
        return F.cross_entropy(model(x), T)

    hessian = Hessian(loss, model)
    u, v = (d for d, _ in zip(directions(hessian), range(2), strict=False))
    assert_allclose(
        inner(u, hessian.product(v)), inner(v, hessian.product(u)), rtol=1e-11
    )


def test_parameters_that_have_changed_are_noticed():
    loss, model = network()
    hessian = Hessian(loss, model)
    model[0].weight.data[0, 0] += 1e-6
    with pytest.raises(ArgumentError, match="make a new Hessian when parameters"):
        hessian.product(next(directions(hessian)))


# -- eigenvalues and trace -------------------------------------------------------------


@pytest.mark.parametrize(
    ("which", "k", "picked"),
    [
        ("LA", 3, [-1, -2, -3]),
        ("SA", 2, [1, 0]),
        ("BE", 4, [-1, -2, 1, 0]),
        ("LA", 38, range(37, -1, -1)),
    ],
)
def test_eigenvalues_are_those_of_the_whole_matrix(which, k, picked):
    hessian = Hessian(*network())
    matrix = hessian.matrix()
    exact = np.linalg.eigvalsh(matrix)
    before = hessian.products
    found = hessian.eigenvalues(k, which=which, tolerance=0)
    assert_allclose(found.values, exact[list(picked)], rtol=0, atol=1e-12)
    assert found.products == hessian.products - before
    assert np.all(found.residuals < 1e-11)
    for value, u in zip(found.values, found.vectors, strict=True):
        assert {name: part.shape for name, part in u.items()} == hessian.shapes
        flat = np.concatenate([part.reshape(-1) for part in u.values()])
        assert_allclose(matrix @ flat, value * flat, rtol=0, atol=1e-11)
        assert_allclose(flat @ flat, 1, rtol=1e-12)


def test_the_greatest_in_magnitude_may_be_negative():
    hessian = Hessian(*quadratic(np.diag([1.0, 2.0, -5.0, 0.0])))
    assert_allclose(hessian.eigenvalues(which="LM").values, [-5], rtol=1e-12)


def test_a_seed_repeats_eigenvalues_and_trace_bit_for_bit():
    hessian = Hessian(*network("float32"))
    runs = [hessian.eigenvalues(2, seed=seed) for seed in (1, 1, 2)]
    assert_array_equal(runs[0].values, runs[1].values)
    assert_array_equal(runs[0].vectors[0]["0.weight"], runs[1].vectors[0]["0.weight"])
    assert_allclose(runs[0].values, runs[2].values, rtol=1e-6)
    traces = [hessian.trace(4, seed=seed) for seed in (1, 1, 2)]
    assert traces[0] == traces[1]
    assert traces[0].value != traces[2].value


def test_a_hessian_of_few_directions_starts_again_from_its_seed():
    # One product shows all of a multiple of the identity, and Lanczos has to draw anew.
    loss, model = quadratic(4 * np.eye(30))
    runs = [Hessian(loss, model).eigenvalues(3, seed=4) for _ in range(2)]
    assert_allclose(runs[0].values, [4, 4, 4], rtol=1e-12)
    assert_array_equal(runs[0].vectors[2]["w"], runs[1].vectors[2]["w"])


def test_a_loss_without_curvature_has_the_eigenvalue_0():
    model = Bare(w=[1.0, 2.0, 3.0])
    found = Hessian(lambda: model["w"].sum(), model).eigenvalues(2)
    assert_array_equal((found.values, found.residuals), np.zeros((2, 2)))


def test_the_trace_of_a_diagonal_hessian_has_no_error():
    found = Hessian(*quadratic(np.diag([1.0, 2.5, -4.0]))).trace(5)
    assert found == (-0.5, 0.0, 5)


def test_the_trace_lies_within_its_error():
    hessian = Hessian(*network())
    exact = np.trace(hessian.matrix())
    found = [hessian.trace(40, seed=seed) for seed in range(20)]
    off = np.array([(one.value - exact) / one.error for one in found])
    assert np.abs(off).max() < 4
    assert 0.5 < np.sqrt(np.mean(off**2)) < 1.6


# -- the loss along a direction --------------------------------------------------------


def test_curves_of_quadratics_are_parabolas_flat_or_sharp():
    radii = np.linspace(-2, 2, 9)
    curves = [
        loss_curve(*quadratic(np.diag([sharpness, 0.0])), {"w": [1.0, 7.0]}, radii)
        for sharpness in (0.01, 100.0)
    ]
    assert_allclose(curves[0], 0.005 * radii**2, rtol=1e-14)
    assert_allclose(curves[1], 50.0 * radii**2, rtol=1e-14)


def test_a_curve_is_averaged_over_batches_and_passes_through_the_loss():
    _, model = network("float32")
    batches = [
        (tensor(X[at : at + 10], dtype="float32"), T[at : at + 10]) for at in (0, 10)
    ]

    def loss(x, t):
        return F.cross_entropy(model(x), t)

    direction = random_direction(model)
    found = loss_curve(loss, model, direction, [0.0, 0.5], batches=batches)
    assert found.dtype == "float64"
    assert found[0] == np.mean([loss(*batch).item() for batch in batches])
    for name, parameter in model.named_parameters():
        moved = parameter.numpy() + 0.5 * direction[name]
        parameter.data = moved.astype("float32")
    assert found[1] == np.mean([loss(*batch).item() for batch in batches])


def test_curves_and_directions_leave_the_model_as_it_was():
    loss, model = normalised_network()
    loss().backward()
    before = state(model)
    loss_curve(loss, model, random_direction(model), [0.1, 0.2])
    gradient_direction(loss, model)
    assert state(model) == before

    def broken():
        loss()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loss_curve(broken, model, random_direction(model), [0.1])
    with pytest.raises(KeyboardInterrupt):
        gradient_direction(broken, model)
    assert state(model) == before


def test_filters_of_a_direction_are_as_long_as_those_of_the_weights():
    _, model = normalised_network()
    found = random_direction(model, seed=3)
    for name, parameter in model.named_parameters():
        rows = found[name].reshape(len(found[name]), -1)
        weights = parameter.numpy().astype("float64").reshape(rows.shape)
        wanted = np.linalg.norm(weights, axis=1) if parameter.ndim > 1 else 0
        assert_allclose(np.linalg.norm(rows, axis=1), wanted, rtol=1e-12)


def test_layers_of_a_direction_are_as_long_as_the_weights():
    _, model = normalised_network()
    found = random_direction(model, normalise="layer")
    for name in ("0.weight", "4.weight"):
        weight = dict(model.named_parameters())[name].numpy().astype("float64")
        assert_allclose(np.linalg.norm(found[name]), np.linalg.norm(weight), rtol=1e-12)
    assert not found["0.bias"].any()


def test_a_direction_that_is_not_normalised_has_length_1():
    _, model = normalised_network()
    found = random_direction(model, normalise=None)
    assert_allclose(inner(found, found), 1, rtol=1e-12)
    assert all(part.any() for part in found.values())


def test_a_filter_of_zeros_stays():
    model = Bare(w=[[0.0, 0.0], [3.0, 4.0]])
    found = random_direction(model)["w"]
    assert_allclose(np.linalg.norm(found, axis=1), [0, 5], rtol=1e-12)


def test_a_direction_is_named_by_its_seed_and_the_parameter():
    small, large = Bare(w=X), Bare(before=X, w=X)
    directions = [random_direction(m, seed=s)["w"] for m, s in ((small, 1), (large, 1))]
    assert_array_equal(*directions)
    assert not np.array_equal(random_direction(small, seed=2)["w"], directions[0])


def test_the_gradient_direction_is_the_gradient_of_length_1():
    loss, model = network()
    found = gradient_direction(loss, model)
    loss().backward()
    grads = {name: p.grad.numpy() for name, p in model.named_parameters()}
    length = inner(grads, grads) ** 0.5
    for name, grad in grads.items():
        assert_allclose(found[name], grad / length, rtol=1e-12)
    h = 1e-6
    curve = loss_curve(loss, model, found, [-h, h])
    assert_allclose((curve[1] - curve[0]) / (2 * h), length, rtol=1e-6)


# -- errors ----------------------------------------------------------------------------


def constant():
    model = Bare(w=[1.0])
    model["w"].requires_grad = False
    return model


MAKERS = [
    lambda model, batches: Hessian(lambda *b: (model["w"] ** 2).sum(), model, batches),
    lambda model, batches: gradient_direction(
        lambda *b: (model["w"] ** 2).sum(), model, batches=batches
    ),
    lambda model, batches: loss_curve(
        lambda *b: (model["w"] ** 2).sum(), model, {}, [0.0], batches=batches
    ),
]


@pytest.mark.parametrize("make", MAKERS, ids=["Hessian", "gradient", "curve"])
def test_a_model_without_trainable_parameters_is_refused(make):
    with pytest.raises(ArgumentError, match="no parameter of Bare requires a gradient"):
        make(constant(), None)


@pytest.mark.parametrize("make", MAKERS, ids=["Hessian", "gradient", "curve"])
def test_no_batches_are_refused(make):
    with pytest.raises(ArgumentError, match="there are no batches, expected at least"):
        make(Bare(w=[1.0]), [])


def test_a_loss_that_is_no_finite_scalar_is_refused():
    model = Bare(w=[1.0, 2.0])
    with pytest.raises(
        ShapeError, match=r"Hessian: loss returned shape \(2,\), expected"
    ):
        Hessian(lambda: model["w"] * 2, model)
    with pytest.raises(ArgumentError, match="Hessian: loss returned a float, expected"):
        Hessian(lambda: 1.0, model)
    with pytest.raises(ArgumentError, match="Hessian: the loss is nan, expected"):
        Hessian(lambda: (model["w"] * np.array([np.nan, 1.0])).sum(), model)


@pytest.mark.parametrize(
    ("v", "error", "said"),
    [
        ({"x": [1.0]}, ArgumentError, "parameter 'x', expected one of w"),
        ({"w": [1.0]}, ShapeError, r"w has shape \(1,\), expected \(2,\)"),
        ({"w": [1.0, np.inf]}, ArgumentError, "w is not finite, expected"),
    ],
)
def test_a_direction_that_does_not_fit_is_refused(v, error, said):
    loss, model = quadratic(np.eye(2))
    with pytest.raises(error, match=f"^Hessian.product: {said}"):
        Hessian(loss, model).product(v)
    with pytest.raises(error, match=f"^loss_curve: {said}"):
        loss_curve(loss, model, v, [0.0])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda h: h.eigenvalues(0), "k 0, expected 1 <= k <= 38, the size"),
        (lambda h: h.eigenvalues(39), "k 39, expected 1 <= k <= 38, the size"),
        (
            lambda h: h.eigenvalues(which="XX"),
            "which 'XX', expected 'LA' .the greatest",
        ),
        (lambda h: h.trace(1), "samples 1, expected at least 2"),
    ],
)
def test_numbers_out_of_range_are_refused(call, said):
    hessian = Hessian(*network())
    with pytest.raises(ArgumentError, match=said):
        call(hessian)


def test_a_tolerance_that_is_not_reached_is_reported(monkeypatch):
    monkeypatch.setattr("minigrad.inspect.curvature.hessian.RESTARTS", 1)
    hessian = Hessian(*quadratic(np.diag(np.linspace(1, 2, 200)), np.ones(200)))
    said = r"0 of 1 converged in \d+ products, expected all to tolerance 0; raise"
    with pytest.raises(ArgumentError, match=said):
        hessian.eigenvalues(tolerance=0)


def test_directions_that_are_none_are_refused():
    model = Bare(w=[1.0])
    with pytest.raises(ArgumentError, match="normalise 'unit', expected 'filter'"):
        random_direction(model, normalise="unit")
    with pytest.raises(ArgumentError, match="gradient_direction: the direction is 0"):
        gradient_direction(*quadratic(np.eye(2)))

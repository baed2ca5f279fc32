"""What the functions that normalise add to their kernels."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import functional as F
from minigrad.errors import ArgumentError, GraphError, ShapeError
from minigrad.inspect import gradient_flow
from minigrad.tape import no_grad, tensor
from minigrad.testing import check_function

RNG = np.random.default_rng(0)
X = RNG.standard_normal((4, 6, 3))
VECTOR = RNG.standard_normal(6)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.batch_norm(x, None, None, training=True),
        lambda x: F.batch_norm(x, VECTOR, VECTOR * VECTOR),
        lambda x: F.layer_norm(x, 3),
        lambda x: F.layer_norm(x, (6, 3)),
        lambda x: F.group_norm(x, 2),
        lambda x: F.local_response_norm(x, 3, 0.5),
        lambda x: F.normalize(x),
        lambda x: F.cosine_similarity(x, X[::-1].copy()),
    ],
)
def test_gradient_reaches_the_input(function):
    check_function(function, X)


def test_gradients_reach_weight_bias_and_statistics():
    check_function(
        lambda x, mean, var, w, b: F.batch_norm(x, mean, var, w, b),
        *(X, VECTOR, VECTOR**2 + 1, VECTOR, VECTOR),
    )


def test_training_moves_the_running_statistics():
    mean, var = tensor(np.ones(6)), tensor(np.ones(6))
    F.batch_norm(X, mean, var, training=True, momentum=0.25)
    assert_allclose(mean.numpy(), 0.75 + 0.25 * X.mean(axis=(0, 2)), rtol=1e-12)
    unbiased = X.var(axis=(0, 2), ddof=1)
    assert_allclose(var.numpy(), 0.75 + 0.25 * unbiased, rtol=1e-12)


def test_no_channels_are_nothing_to_normalise():
    empty = tensor(np.zeros(0)), tensor(np.ones(0))
    assert F.batch_norm(np.zeros((4, 0)), *empty, training=True).shape == (4, 0)


def test_x_without_channels_is_named_before_its_statistics():
    with pytest.raises(ShapeError, match=r"x has shape \(6,\), expected \(N, C, ...\)"):
        F.batch_norm(VECTOR, VECTOR.copy(), VECTOR.copy(), training=True)


def test_training_moves_them_under_no_grad_and_evaluation_does_not():
    mean, var = tensor(np.zeros(6)), tensor(np.ones(6))
    with no_grad():
        F.batch_norm(X, mean, var, training=True, momentum=1.0)
    before = mean.tolist(), var.tolist()
    assert_allclose(before[0], X.mean(axis=(0, 2)), rtol=1e-12)
    F.batch_norm(X, mean, var)
    assert (mean.tolist(), var.tolist()) == before


def test_running_statistics_move_while_a_graph_in_evaluation_lives():
    mean, var = tensor(np.zeros(6)), tensor(np.ones(6))
    x = tensor(X, requires_grad=True)
    y = F.batch_norm(x, mean, var)
    F.batch_norm(X, mean, var, training=True)
    y.backward(np.ones(X.shape))
    assert_allclose(x.grad.numpy(), np.full(X.shape, (1 + 1e-5) ** -0.5))


@pytest.mark.usefixtures("backend")
def test_running_statistics_move_on_every_backend():
    x = tensor(X, dtype="float32")
    mean, var = tensor(np.zeros(6, "float32")), tensor(np.ones(6, "float32"))
    y = F.batch_norm(x, mean, var, training=True, momentum=1.0)
    assert_allclose(mean.numpy(), X.mean(axis=(0, 2)), rtol=1e-4, atol=1e-6)
    assert y.backend == mean.backend == x.backend


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((None, None), {}, ArgumentError, "running_mean None, expected a tensor in ev"),
        ((VECTOR, None), {}, ArgumentError, "given only running_mean, expected both"),
        ((None, VECTOR), {}, ArgumentError, "given only running_var, expected both"),
        (
            (VECTOR, VECTOR),
            {"momentum": 1.5},
            ArgumentError,
            "momentum 1.5, expected 0",
        ),
        (
            (VECTOR, VECTOR),
            {"momentum": "a"},
            ArgumentError,
            "momentum 'a', expected a",
        ),
        ((VECTOR, VECTOR[1:]), {}, ShapeError, r"running_var has shape \(5,\), expec"),
    ],
)
def test_statistics_that_do_not_fit_are_refused(arguments, options, error, message):
    training = arguments[0] is not None and arguments[1] is not None
    copies = [None if a is None else a.copy() for a in arguments]
    with pytest.raises(error, match=f"batch_norm: {message}"):
        F.batch_norm(X, *copies, training=training, **options)


def test_statistics_that_a_graph_needs_are_not_overwritten():
    mean, var = tensor(np.zeros(6), requires_grad=True), tensor(np.ones(6))
    held = mean * mean
    with pytest.raises(GraphError, match=r"batch_norm: running_mean: .* needed by mul"):
        F.batch_norm(X, mean, var, training=True)
    assert_array_equal(held.numpy(), np.zeros(6))
    assert_array_equal(var.numpy(), np.ones(6))


def test_the_terms_of_batch_norm_part_the_gradient():
    x = tensor(X, requires_grad=True, name="x")
    with gradient_flow() as flow:
        F.batch_norm(x, None, None, training=True).backward(
            RNG.standard_normal(X.shape)
        )
    flow.assert_conserved()
    table = str(flow.into("x").table())
    for term in ("direct", "through_mean", "through_var"):
        assert term in table


def test_layer_norm_of_another_shape_than_the_weight_is_refused():
    with pytest.raises(ShapeError, match=r"layer_norm: weight has shape \(2,\), exp"):
        F.layer_norm(X, 3, np.ones(2))
    with pytest.raises(ArgumentError, match="layer_norm: shape"):
        F.layer_norm(X, "ab")


@pytest.mark.parametrize("p", [1, 2.5, "a", None])
def test_other_norms_than_the_euclidean_are_refused(p):
    with pytest.raises(ArgumentError, match=r"normalize: p .+, expected 2, the Eucl"):
        F.normalize(X, p=p)

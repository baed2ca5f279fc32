"""Dropout of elements, channels and connections: masks, their mean, their gradient."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import functional as F
from minigrad.errors import ArgumentError, ShapeError
from minigrad.random import Streams, generator, manual_seed
from minigrad.tape import tensor
from minigrad.testing import check_function, fake_device

RNG = np.random.default_rng(0)
X = RNG.standard_normal((4, 5)) + 0.1
W, B = RNG.standard_normal((3, 5)), RNG.standard_normal(3)


@pytest.mark.parametrize(
    "function",
    [
        F.dropout,
        F.dropout1d,
        F.dropout2d,
        lambda x, **options: F.drop_connect(x, W, B, **options),
        lambda x, **options: F.drop_connect(x, W, per_example=False, **options),
        lambda x, **options: F.drop_connect_average(
            x, W, B, activation=F.tanh, samples=2, **options
        ),
    ],
)
def test_gradient_reaches_the_input(function):
    check_function(lambda x: function(x, rng=generator(0, "mask")), X)


def test_dropout_keeps_the_mean():
    y = F.dropout(tensor(np.ones(20_000)), 0.3, rng=Streams(0)).numpy()
    assert set(np.unique(y.round(3))) == {0, 1.429}
    assert_allclose(y.mean(), 1, atol=0.02)


def test_dropped_elements_get_no_gradient():
    x = tensor(X, requires_grad=True)
    y = F.dropout(x, 0.5, rng=Streams(0))
    y.backward(np.ones(X.shape))
    assert_allclose(x.grad.numpy(), np.where(y.numpy() == 0, 0, 2))


def test_a_stream_gives_a_new_mask_each_time():
    streams = Streams(0)
    first, second = (F.dropout(tensor(X), rng=streams).tolist() for _ in range(2))
    assert first != second
    assert first == F.dropout(tensor(X), rng=Streams(0)).tolist()
    assert streams.state_dict()["steps"] == {"dropout": 2}


def test_default_masks_follow_the_seed():
    manual_seed(7)
    first = F.dropout(tensor(X)).tolist()
    manual_seed(7)
    assert first == F.dropout(tensor(X)).tolist()
    assert first == F.dropout(tensor(X), rng=Streams(7)).tolist()


def test_dropout_does_nothing_in_evaluation_and_for_p_zero():
    x = tensor(X)
    assert F.dropout(x, 0.5, training=False) is x
    assert F.dropout(x, 0.0) is x


def test_dropout_of_everything_gives_zeros():
    x = tensor(X, requires_grad=True)
    y = F.dropout(x, 1.0, rng=Streams(0))
    y.backward(np.ones(X.shape))
    assert_array_equal(y.numpy(), np.zeros(X.shape))
    assert_array_equal(x.grad.numpy(), np.zeros(X.shape))


def test_dropout2d_drops_whole_channels():
    y = F.dropout2d(tensor(np.ones((8, 9, 3, 3))), rng=Streams(0)).numpy()
    assert_array_equal(y, np.broadcast_to(y[:, :, :1, :1], y.shape))
    assert 0 < (y[:, :, 0, 0] == 0).sum() < 72


@pytest.mark.parametrize("p", [-0.1, 1.1])
@pytest.mark.parametrize("training", [True, False])
def test_p_beyond_probabilities_is_refused(p, training):
    with pytest.raises(ArgumentError, match=f"dropout: p {p}, expected 0 <= p <= 1"):
        F.dropout(tensor(X), p, training)


def test_dropout2d_without_channels_is_refused():
    with pytest.raises(ShapeError, match=r"x has shape \(3,\), expected \(N, C, ...\)"):
        F.dropout2d(tensor(np.ones(3)))


def test_dropout_takes_lists():
    assert F.dropout([1.0, 2.0], training=False).dtype == np.float32


@pytest.mark.parametrize(
    ("function", "shape", "channels"),
    [
        (F.dropout1d, (30, 20, 4), 2),
        (F.dropout1d, (600, 4), 1),
        (F.dropout2d, (30, 20, 3, 2), 2),
        (F.dropout2d, (30, 20), 2),
        (F.dropout3d, (30, 20, 2, 3, 2), 2),
        (F.dropout3d, (600, 2, 3, 2), 1),
    ],
)
def test_channels_are_dropped_as_a_whole(function, shape, channels):
    x = tensor(np.ones(shape), requires_grad=True)
    y = function(x, 0.25, rng=Streams(0))
    first = y.numpy()[(..., *(slice(1),) * (len(shape) - channels))]
    assert_array_equal(y.numpy(), np.broadcast_to(first, shape))
    assert_allclose(np.unique(first), [0, 4 / 3])
    assert_allclose(first.mean(), 1, atol=0.1)
    y.backward(np.ones(shape))
    assert_array_equal(x.grad.numpy(), y.numpy())


@pytest.mark.parametrize(
    ("function", "shape", "rule"),
    [
        (F.dropout1d, (3,), r"\(N, C, L\) or \(C, L\)"),
        (F.dropout1d, (2, 3, 4, 5), r"\(N, C, L\) or \(C, L\)"),
        (F.dropout3d, (2, 3, 4), r"\(N, C, D, H, W\) or \(C, D, H, W\)"),
    ],
)
def test_channels_that_are_not_there_are_refused(function, shape, rule):
    with pytest.raises(ShapeError, match=f"{function.__name__}: x has .+, .+ {rule}"):
        function(tensor(np.ones(shape)))


def test_mask_follows_the_order_of_x_in_memory():
    x = tensor(np.ones((2, 3, 4, 5)))
    dense = F.dropout(x, rng=Streams(0)).numpy()
    laid = F.dropout(F.transpose(x, (2, 3, 0, 1)), rng=Streams(0)).data
    assert_array_equal(laid, dense.transpose(2, 3, 0, 1))
    assert laid.transpose(2, 3, 0, 1).flags.c_contiguous


def test_mask_of_a_repeated_tensor_is_not_repeated():
    x = F.expand(tensor(np.ones((1, 64))), (50, 64))
    assert len(np.unique(F.dropout(x, rng=Streams(0)).numpy(), axis=0)) == 50


@pytest.mark.parametrize("per_example", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_drop_connect_has_the_mean_and_variance_of_its_masks(per_example, bias):
    count, p = 4000, 0.4
    x, given = np.ones((count, 1)) * X[0], (W, B) if bias else (W,)
    rng = Streams(0)
    if per_example:
        y = F.drop_connect(tensor(x), *given, p=p, rng=rng).numpy()
    else:
        options = {"p": p, "per_example": False, "rng": rng}
        one = tensor(X[:1])
        y = np.concatenate(
            [F.drop_connect(one, *given, **options).numpy() for _ in range(count)]
        )
    mean = F.linear(tensor(X[0]), *given).numpy()
    variance = p / (1 - p) * (X[0] ** 2 @ W.T**2 + (B**2 if bias else 0))
    assert_allclose(y.mean(0), mean, atol=4 * np.sqrt(variance.max() / count))
    assert_allclose(y.var(0), variance, rtol=0.1)


def test_one_mask_serves_the_whole_batch_unless_per_example():
    x = tensor(np.ones((6, 5)))
    shared = F.drop_connect(x, W, B, per_example=False, rng=Streams(0)).numpy()
    assert len(np.unique(shared, axis=0)) == 1
    assert len(np.unique(F.drop_connect(x, W, B, rng=Streams(0)).numpy(), axis=0)) > 1


@pytest.mark.parametrize("options", [{"training": False}, {"p": 0}])
def test_drop_connect_without_drops_is_linear(options):
    expected = F.linear(tensor(X), tensor(W), tensor(B)).numpy()
    y = F.drop_connect(tensor(X), W, B, rng=Streams(0), **options)
    assert_array_equal(y.numpy(), expected)


@pytest.mark.parametrize("per_example", [True, False])
def test_drop_connect_of_everything_gives_zeros(per_example):
    y = F.drop_connect(tensor(X), W, B, p=1, per_example=per_example, rng=Streams(0))
    assert_array_equal(y.numpy(), np.zeros((4, 3)))


def test_average_of_the_identity_is_the_linear_map():
    expected = F.linear(tensor(X), tensor(W), tensor(B)).numpy()
    y = F.drop_connect_average(
        X, W, B, activation=lambda u: u, samples=4000, rng=Streams(0)
    )
    assert_allclose(y.numpy(), expected, atol=0.2)


def test_average_is_that_over_masks():
    x, weight = np.ones((1, 200)) / 8, RNG.standard_normal((4, 200))
    many = F.drop_connect(tensor(np.repeat(x, 2000, 0)), weight, rng=Streams(0))
    expected = F.relu(many).numpy().mean(0)
    y = F.drop_connect_average(
        tensor(x), weight, activation=F.relu, samples=2000, rng=Streams(1)
    )
    assert_allclose(y.numpy()[0], expected, atol=0.1)


@pytest.mark.parametrize("samples", [0, 1.5, True, None])
def test_samples_that_are_no_count_are_refused(samples):
    with pytest.raises(ArgumentError, match=r"samples .+, expected an int >= 1"):
        F.drop_connect_average(X, W, activation=F.relu, samples=samples)


def test_what_is_no_activation_is_refused():
    with pytest.raises(ArgumentError, match="activation 'relu', expected a function"):
        F.drop_connect_average(X, W, activation="relu")


@pytest.mark.parametrize("per_example", [True, False])
def test_a_bias_that_would_broadcast_is_refused(per_example):
    with pytest.raises(ShapeError, match=r"drop_connect: bias has shape \(\), expec"):
        F.drop_connect(X, W, 0.5, per_example=per_example)


@pytest.mark.parametrize("rng", [0, "dropout", np.random, []])
def test_what_draws_nothing_is_refused(rng):
    with pytest.raises(ArgumentError, match=r"dropout: rng .+, expected Streams, a Nu"):
        F.dropout(X, rng=rng)


@pytest.mark.parametrize("p", [1, -0.1])
def test_average_over_dropping_all_is_refused(p):
    with pytest.raises(ArgumentError, match=f"p {p}, expected 0 <= p < 1"):
        F.drop_connect_average(X, W, p=p, activation=F.relu)


def test_a_device_draws_the_same_masks():
    with fake_device():
        for function in (
            lambda x: F.dropout(x, rng=Streams(0)),
            lambda x: F.dropout2d(x, rng=Streams(0)),
            lambda x: F.drop_connect(
                x, x[:2].detach() * 1.0, x[0, :2].detach() * 1.0, rng=Streams(0)
            ),
        ):
            expected = function(tensor(X)).numpy()
            found = function(tensor(X).to("fake")).numpy()
            assert_allclose(found, expected, 1e-12)

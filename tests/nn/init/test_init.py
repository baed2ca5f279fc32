import math

import numpy
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import nn
from minigrad.errors import ArgumentError, GraphError, ShapeError
from minigrad.random import generator, manual_seed
from minigrad.tape import tensor
from minigrad.testing.fake_device import fake_device

SHAPES = [(300, 200), (64, 32, 5, 3)]
"""Layouts (out, in) and (out, in, kh, kw) with fan_in 200 and 480, fan_out 300, 960."""


def weight(shape, dtype="float32"):
    return nn.Parameter(numpy.full(shape, numpy.nan, dtype))


def rng():
    return generator(3, "test")


def fans(shape):
    receptive = math.prod(shape[2:])
    return shape[1] * receptive, shape[0] * receptive


UNIFORM = [
    (lambda w: nn.init.xavier_uniform_(w, 2, rng=rng()), lambda i, o: 24 / (i + o)),
    (lambda w: nn.init.kaiming_uniform_(w, rng=rng()), lambda i, o: 6 / i),
    (
        lambda w: nn.init.kaiming_uniform_(w, 2, "fan_out", rng=rng()),
        lambda i, o: 1.2 / o,
    ),
    (
        lambda w: nn.init.kaiming_uniform_(w, nonlinearity="linear", rng=rng()),
        lambda i, o: 3 / i,
    ),
    (lambda w: nn.init.lecun_uniform_(w, rng=rng()), lambda i, o: 3 / i),
]
NORMAL = [
    (lambda w: nn.init.xavier_normal_(w, 2, rng=rng()), lambda i, o: 8 / (i + o)),
    (lambda w: nn.init.kaiming_normal_(w, rng=rng()), lambda i, o: 2 / i),
    (
        lambda w: nn.init.kaiming_normal_(w, 0, "fan_out", "relu", rng=rng()),
        lambda i, o: 2 / o,
    ),
    (lambda w: nn.init.lecun_normal_(w, rng=rng()), lambda i, o: 1 / i),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("fill", "squared_bound"), UNIFORM)
def test_uniform_schemes_reach_their_bounds_and_no_further(fill, squared_bound, shape):
    values = fill(weight(shape)).data
    bound = math.sqrt(squared_bound(*fans(shape)))
    assert 0.999 * bound < numpy.abs(values).max() <= bound * (1 + 1e-6)
    assert_allclose(values.var(), bound**2 / 3, rtol=0.02)
    assert abs(values.mean()) < 0.02 * bound


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("fill", "variance"), NORMAL)
def test_normal_schemes_have_their_variance(fill, variance, shape):
    values = fill(weight(shape)).data.astype("float64")
    expected = variance(*fans(shape))
    assert_allclose(values.var(), expected, rtol=0.03)
    # A normal distribution has kurtosis 3, a uniform one 1.8.
    assert_allclose((values**4).mean() / expected**2, 3, rtol=0.1)


@pytest.mark.parametrize("shape", [(20, 30), (30, 20), (8, 3, 3, 3), (40, 3, 3, 3)])
def test_orthogonal_rows_or_columns_have_length_gain(shape):
    matrix = nn.init.orthogonal_(weight(shape, "float64"), 2, rng=rng()).data
    matrix = matrix.reshape(shape[0], -1)
    if matrix.shape[0] > matrix.shape[1]:
        matrix = matrix.T
    assert_allclose(matrix @ matrix.T, 4 * numpy.eye(len(matrix)), atol=1e-12)


def test_orthogonal_draw_is_uniform_in_sign():
    signs = [
        numpy.sign(
            nn.init.orthogonal_(weight((2, 2)), rng=generator(0, "s", step)).data
        )
        for step in range(200)
    ]
    assert numpy.abs(numpy.mean(signs, axis=0)).max() < 0.2


def test_plain_fills():
    w = weight((2, 3))
    assert_array_equal(nn.init.constant_(w, 0.5).data, 0.5)
    assert_array_equal(nn.init.ones_(w).data, 1)
    assert_array_equal(nn.init.zeros_(w).data, 0)
    assert nn.init.uniform_(w, 2, 3, rng=rng()) is w
    assert w.data.min() >= 2
    assert w.dtype == "float32"
    assert_allclose(
        nn.init.normal_(weight(10000), 5, 2, rng=rng()).data.mean(), 5, rtol=0.02
    )


def test_values_are_written_into_the_array_that_is_there():
    w = weight((2, 3))
    array = w.data
    nn.init.ones_(w)
    assert w.data is array


def test_dtypes_get_the_same_numbers():
    wide = nn.init.normal_(weight(50, "float64"), rng=rng())
    narrow = nn.init.normal_(weight(50, "float32"), rng=rng())
    assert_array_equal(wide.data.astype("float32"), narrow.data)


def test_default_numbers_follow_the_seed():
    manual_seed(1)
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    manual_seed(1)
    again = nn.Linear(4, 4)
    assert_array_equal(first.weight.data, again.weight.data)
    assert numpy.all(first.weight.data != second.weight.data)


def test_gains_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    for name in ("linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        expected = torch.nn.init.calculate_gain(name)
        assert_allclose(nn.init.calculate_gain(name), expected)
    expected = torch.nn.init.calculate_gain("leaky_relu", 0.3)
    assert_allclose(nn.init.calculate_gain("leaky_relu", 0.3), expected)


def test_wrong_arguments_are_named():
    with pytest.raises(ArgumentError, match="nonlinearity 'swish', expected one of"):
        nn.init.calculate_gain("swish")
    with pytest.raises(ArgumentError, match="mode 'fan', expected 'fan_in' or"):
        nn.init.kaiming_normal_(weight((2, 2)), mode="fan")
    with pytest.raises(
        ShapeError, match=r"xavier_normal_: .* \(3,\), expected at least"
    ):
        nn.init.xavier_normal_(weight(3))


@pytest.mark.parametrize("name", ["zeros_", "normal_", "xavier_normal_", "orthogonal_"])
def test_what_is_no_tensor_gets_a_sentence(name):
    with pytest.raises(ArgumentError, match=f"{name}: got a list, expected a tensor"):
        getattr(nn.init, name)([1.0])


@pytest.mark.parametrize("name", ["kaiming_uniform_", "lecun_normal_", "orthogonal_"])
def test_weight_without_elements_gets_a_sentence(name):
    with pytest.raises(ShapeError, match=r"\(3, 0\), expected at least one element"):
        getattr(nn.init, name)(weight((3, 0)))


def test_what_is_no_generator_gets_a_sentence():
    with pytest.raises(ArgumentError, match="normal_: rng 3, expected a NumPy Gen"):
        nn.init.normal_(weight(3), rng=3)


def test_weights_that_a_graph_needs_are_not_overwritten():
    w = nn.init.ones_(weight((2, 2)))
    y = tensor([[1.0, 2.0]], requires_grad=True) @ w
    with pytest.raises(GraphError, match="ones_: the values are needed by matmul"):
        nn.init.ones_(w)
    y.sum().backward()


@pytest.mark.parametrize(
    "fill", [nn.init.orthogonal_, nn.init.kaiming_uniform_, nn.init.lecun_normal_]
)
def test_device_gets_the_same_numbers(fill):
    on_host = fill(weight((3, 4)), rng=rng())
    with fake_device():
        on_device = fill(weight((3, 4)).to("fake"), rng=rng())
        assert on_device.backend == "fake"
        assert_array_equal(on_device.numpy(), on_host.data)

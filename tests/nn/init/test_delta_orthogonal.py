"""Delta orthogonal kernels: their definition, and that signals keep their norm."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import functional as F
from minigrad import nn
from minigrad.errors import ArgumentError, ShapeError
from minigrad.random import generator
from minigrad.tape import tensor

lengths = st.lists(st.sampled_from([1, 3, 5]), min_size=1, max_size=3)


def weight(shape, dtype="float64"):
    return nn.Parameter(np.full(shape, np.nan, dtype))


@given(st.integers(1, 9), st.integers(1, 9), lengths, st.floats(0.1, 3))
def test_centre_is_orthogonal_and_all_else_zero(out, channels, kernel, gain):
    w = weight((out, channels, *kernel))
    assert nn.init.delta_orthogonal_(w, gain, rng=generator(0, "delta")) is w
    centre = (..., *(length // 2 for length in kernel))
    matrix = w.data[centre].copy()
    w.data[centre] = 0
    assert_array_equal(w.data, 0)
    gram = matrix.T @ matrix if out >= channels else matrix @ matrix.T
    assert_allclose(gram, gain**2 * np.eye(min(out, channels)), atol=1e-12)


def test_matrix_is_the_one_that_orthogonal_draws():
    delta = nn.init.delta_orthogonal_(weight((6, 4, 3, 3)), rng=generator(1, "delta"))
    matrix = nn.init.orthogonal_(weight((6, 4)), rng=generator(1, "delta"))
    assert_array_equal(delta.data[:, :, 1, 1], matrix.data)


def test_a_hundred_layers_keep_the_norm_of_every_pixel():
    x = generator(0, "x").normal(size=(2, 8, 5, 5))
    y = tensor(x, dtype="float64")
    for layer in range(100):
        w = nn.init.delta_orthogonal_(weight((8, 8, 3, 3)), rng=generator(layer, "w"))
        y = F.conv2d(y, w.detach(), padding=1)
    assert_allclose((y.data**2).sum(axis=1), (x**2).sum(axis=1), rtol=1e-10)


def test_layers_get_the_same_numbers_on_every_backend(backend):
    layer = nn.Conv2d(3, 8, 3)
    assert layer.weight.backend == backend
    nn.init.delta_orthogonal_(layer.weight, rng=generator(0, "delta"))
    expected = weight((8, 3, 3, 3), "float32")
    nn.init.delta_orthogonal_(expected, rng=generator(0, "delta"))
    assert_array_equal(layer.weight.numpy(), expected.data)


@pytest.mark.parametrize("shape", [(3,), (4, 4), (4, 3, 2), (4, 3, 3, 4), (2,) * 6])
def test_other_shapes_are_named(shape):
    with pytest.raises(
        ShapeError, match=rf"delta_orthogonal_: .* shape \({shape[0]},.*expected"
    ):
        nn.init.delta_orthogonal_(weight(shape))


def test_wrong_arguments_are_named():
    with pytest.raises(ArgumentError, match="delta_orthogonal_: got a list"):
        nn.init.delta_orthogonal_([1.0])
    with pytest.raises(ArgumentError, match="delta_orthogonal_: rng 3"):
        nn.init.delta_orthogonal_(weight((1, 1, 1)), rng=3)


@pytest.mark.parametrize("gain", [float("nan"), float("inf"), "2", None])
@pytest.mark.parametrize("fill", [nn.init.orthogonal_, nn.init.delta_orthogonal_])
def test_a_gain_is_a_finite_number(fill, gain):
    with pytest.raises(ArgumentError, match=r"gain .*expected a finite number"):
        fill(nn.Conv1d(2, 2, 3).weight, gain)

"""Layers that normalise: parameters, running statistics, modes, states."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minigrad import nn
from minigrad.errors import ArgumentError, ShapeError
from minigrad.tape import tensor

RNG = np.random.default_rng(0)
IMAGES = RNG.standard_normal((4, 3, 5, 2)).astype("float32")
ROWS = RNG.standard_normal((6, 3)).astype("float32")


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_goes_through_training_as_pytorchs(momentum, affine):
    torch = pytest.importorskip("torch")
    options = {"momentum": momentum, "affine": affine}
    mine, other = nn.BatchNorm2d(3, **options), torch.nn.BatchNorm2d(3, **options)
    assert list(mine.state_dict()) == list(other.state_dict())
    for step in range(3):
        x = IMAGES * (step + 1) + step
        expected = other(torch.tensor(x)).detach().numpy()
        assert_allclose(mine(tensor(x)).numpy(), expected, rtol=1e-4, atol=1e-5)
    for name, value in other.state_dict().items():
        found = mine.state_dict()[name]
        assert found.shape == tuple(value.shape)
        assert_allclose(found, value.numpy(), rtol=1e-5, atol=1e-6)
    expected = other.eval()(torch.tensor(IMAGES)).detach().numpy()
    assert_allclose(mine.eval()(tensor(IMAGES)).numpy(), expected, 1e-4, 1e-5)


def test_state_has_pytorchs_names_and_goes_in_and_out():
    layer, other = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    layer(tensor(ROWS))
    state = layer.state_dict()
    names = ["running_mean", "running_var", "num_batches_tracked"]
    assert list(state) == ["weight", "bias", *names]
    other.load_state_dict(state)
    assert_allclose(other.running_mean.numpy(), 0.1 * ROWS.mean(axis=0), 1e-5, 1e-7)
    assert int(other.num_batches_tracked) == 1


def test_evaluation_uses_and_keeps_the_running_statistics():
    layer = nn.BatchNorm1d(3).eval()
    assert_allclose(layer(tensor(ROWS)).numpy(), ROWS * (1 + 1e-5) ** -0.5, rtol=1e-6)
    assert layer.running_mean.tolist() == [0, 0, 0]
    assert int(layer.num_batches_tracked) == 0


def test_without_statistics_evaluation_is_by_the_batch():
    layer = nn.BatchNorm1d(3, track_running_stats=False)
    assert list(layer.state_dict()) == ["weight", "bias"]
    trained = layer(tensor(ROWS)).tolist()
    assert layer.eval()(tensor(ROWS)).tolist() == trained


def test_buffers_are_no_parameters():
    layer = nn.BatchNorm2d(3)
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]
    assert list(nn.BatchNorm2d(3, affine=False).parameters()) == []
    assert [n for n, _ in nn.GroupNorm(1, 3, bias=False).named_parameters()] == [
        "weight"
    ]


def test_a_batch_that_is_refused_changes_nothing():
    layer = nn.BatchNorm1d(3)
    with pytest.raises(ShapeError, match="expected more than one value per channel"):
        layer(tensor(ROWS[:1]))
    assert int(layer.num_batches_tracked) == 0
    assert layer.running_var.tolist() == [1, 1, 1]


def test_batch_norm_takes_double_precision():
    layer = nn.BatchNorm1d(3).to("float64")
    assert layer(tensor(ROWS.astype("float64"))).dtype == np.float64
    assert layer.running_mean.dtype == np.float64
    assert layer.num_batches_tracked.dtype == np.int64


@pytest.mark.usefixtures("backend")
def test_batch_norm_trains_on_every_backend():
    layer, x = nn.BatchNorm2d(3), tensor(IMAGES, requires_grad=True)
    (layer(x) * tensor(IMAGES)).sum().backward()
    assert layer.weight.has_grad
    assert x.has_grad
    expected = 0.1 * IMAGES.mean(axis=(0, 2, 3))
    assert_allclose(layer.running_mean.numpy(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "arguments", "options"),
    [
        ("LayerNorm", (2,), {}),
        ("LayerNorm", ((5, 2),), {"elementwise_affine": False, "eps": 0.1}),
        ("LayerNorm", (2,), {"bias": False}),
        ("GroupNorm", (3, 3), {}),
        ("LocalResponseNorm", (2,), {"alpha": 1.0}),
    ],
)
def test_layers_are_those_of_pytorch(name, arguments, options):
    torch = pytest.importorskip("torch")
    mine = getattr(nn, name)(*arguments, **options)
    other = getattr(torch.nn, name)(*arguments, **options)
    assert list(mine.state_dict()) == list(other.state_dict())
    expected = other(torch.tensor(IMAGES)).detach().numpy()
    assert_allclose(mine(tensor(IMAGES)).numpy(), expected, rtol=1e-4, atol=1e-5)


def test_cosine_similarity_along_an_axis():
    x = tensor(ROWS)
    assert_allclose(nn.CosineSimilarity()(x, 2 * x).numpy(), np.ones(6), rtol=1e-6)
    assert nn.CosineSimilarity(dim=0)(x, x).shape == (3,)


@pytest.mark.parametrize(
    ("layer", "shape", "rule"),
    [
        (nn.BatchNorm1d(3), (2, 4), r"\(N, 3\) or \(N, 3, L\)"),
        (nn.BatchNorm1d(3), (2, 3, 1, 1), r"\(N, 3\) or \(N, 3, L\)"),
        (nn.BatchNorm2d(3), (2, 3, 4), r"\(N, 3, H, W\)"),
        (nn.GroupNorm(1, 3), (2, 4), r"\(N, 3, ...\)"),
        (nn.LayerNorm(3), (2, 4), r"\(..., 3\), the shape of w"),
        (nn.LocalResponseNorm(3), (2, 4), r"\(N, C, ...\)"),
    ],
)
def test_input_of_another_shape_is_refused(layer, shape, rule):
    with pytest.raises(ShapeError, match=rf"x has shape .+, expected {rule}"):
        layer(tensor(np.ones(shape, "float32")))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.BatchNorm1d(0), "BatchNorm1d: num_features 0, expected an integer"),
        (lambda: nn.BatchNorm2d(1.5), "BatchNorm2d: num_features 1.5, expected an int"),
        (
            lambda: nn.GroupNorm(2, 3),
            "num_groups 2, expected a divisor of num_channels",
        ),
        (lambda: nn.GroupNorm(0, 3), "GroupNorm: num_groups 0, expected an integer"),
        (
            lambda: nn.LayerNorm(()),
            r"normalized_shape \(\), expected an int, or several",
        ),
        (lambda: nn.LayerNorm("ab"), "normalized_shape 'ab', expected an int >= 1"),
        (lambda: nn.LayerNorm(None), "normalized_shape None, expected an int >= 1"),
        (lambda: nn.LayerNorm(-1), "normalized_shape -1, expected an int >= 1"),
        (lambda: nn.LocalResponseNorm(0), "size 0, expected an integer >= 1"),
    ],
)
def test_sizes_that_make_no_layer_are_refused(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_layers_describe_themselves():
    assert repr(nn.BatchNorm2d(3)) == (
        "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)"
    )
    assert (
        repr(nn.LayerNorm(3)) == "LayerNorm((3,), eps=1e-05, elementwise_affine=True)"
    )
    assert repr(nn.GroupNorm(1, 3)) == "GroupNorm(1, 3, eps=1e-05, affine=True)"
    assert repr(nn.CosineSimilarity()) == "CosineSimilarity(dim=1, eps=1e-08)"

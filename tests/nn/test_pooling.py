"""Pooling layers pass their arguments on under PyTorch's names."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minigrad import nn
from minigrad.errors import ArgumentError, ShapeError
from minigrad.tape import tensor

X = np.random.default_rng(0).standard_normal((2, 3, 7, 6))
LAYERS = [
    ("MaxPool1d", (2,), {}),
    ("MaxPool1d", (3, 2, 1, 2), {"ceil_mode": True}),
    ("MaxPool2d", (2,), {}),
    ("MaxPool2d", ((3, 2), 2, 1), {"ceil_mode": True}),
    ("AvgPool1d", (3, 2, 1, True, False), {}),
    ("AvgPool2d", (2,), {}),
    ("AvgPool2d", ((3, 2), 2, 1, True, False), {}),
    ("AvgPool2d", (2,), {"divisor_override": 3}),
    ("AdaptiveMaxPool1d", (4,), {}),
    ("AdaptiveMaxPool2d", ((4, None),), {}),
    ("AdaptiveAvgPool1d", (4,), {}),
    ("AdaptiveAvgPool2d", (1,), {}),
]


@pytest.mark.parametrize(("name", "numbers", "options"), LAYERS)
def test_layer_is_that_of_pytorch(name, numbers, options):
    torch = pytest.importorskip("torch")
    # The position of ceil_mode differs: PyTorch has return_indices before it.
    ours = getattr(nn, name)(*numbers, **options)
    theirs = getattr(torch.nn, name)(*numbers, **options)
    array = X if name.endswith("2d") else X[..., 0]
    x, x_torch = tensor(array, requires_grad=True), torch.tensor(array)
    x_torch.requires_grad_()
    y, y_torch = ours(x), theirs(x_torch)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    y.backward(dy)
    y_torch.backward(torch.tensor(dy))
    assert_allclose(y.numpy(), y_torch.detach().numpy(), rtol=1e-12)
    assert_allclose(x.grad.numpy(), x_torch.grad.numpy(), rtol=1e-12)
    assert ours.state_dict() == {}


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (
            nn.MaxPool2d(2),
            "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, "
            "ceil_mode=False)",
        ),
        (
            nn.AvgPool1d(3, 1),
            "AvgPool1d(kernel_size=3, stride=1, padding=0, ceil_mode=False, "
            "count_include_pad=True)",
        ),
        (nn.AdaptiveAvgPool2d((1, None)), "AdaptiveAvgPool2d(output_size=(1, None))"),
    ],
)
def test_repr_shows_the_arguments(layer, text):
    assert repr(layer) == text


def test_the_arguments_are_attributes():
    layer = nn.MaxPool2d(3, padding=1)
    assert (layer.kernel_size, layer.stride, layer.padding) == (3, 3, 1)


def test_images_in_a_layer_for_sequences_are_refused():
    with pytest.raises(ShapeError, match=r"max_pool1d: x has shape .*, expected"):
        nn.MaxPool1d(2)(tensor(X))


@pytest.mark.parametrize(
    ("name", "numbers", "options", "message"),
    [
        ("MaxPool2d", (0,), {}, "kernel_size 0, expected an int >= 1, or 2 of them"),
        ("MaxPool1d", ((2, 2),), {}, r"kernel_size \(2, 2\), expected an int >= 1$"),
        ("MaxPool2d", (2, 2.5), {}, "stride 2.5, expected an int >= 1, or 2 of them"),
        ("MaxPool2d", (2, 2, True), {}, "padding True, expected an int >= 0, or 2 of"),
        ("AvgPool1d", (2, 2, 2), {}, r"padding \(2,\), expected at most half of the"),
        ("AvgPool2d", (2,), {"divisor_override": 0}, "divisor_override 0, expected an"),
        ("AvgPool2d", ("2",), {}, "kernel_size '2', expected an int >= 1, or 2 of"),
        ("AdaptiveAvgPool2d", (0,), {}, "output_size 0, expected an int >= 1, or 2 of"),
        ("AdaptiveMaxPool1d", ("all",), {}, "output_size 'all', expected an int >= 1;"),
    ],
)
def test_numbers_that_no_input_fits_are_refused_at_once(
    name, numbers, options, message
):
    with pytest.raises(ArgumentError, match=f"^{name}: {message}"):
        getattr(nn, name)(*numbers, **options)


def test_sizes_may_be_integers_of_numpy():
    layer = nn.MaxPool2d(np.int64(2), (np.int32(1), 2))
    assert layer(tensor(X)).shape == (2, 3, 6, 3)
    assert nn.AdaptiveAvgPool2d((np.int64(2), None))(tensor(X)).shape == (2, 3, 2, 6)

"""Upsample passes its arguments on under PyTorch's names."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minigrad import nn
from minigrad.errors import ArgumentError
from minigrad.tape import tensor

X = np.random.default_rng(0).standard_normal((2, 3, 4, 5))


@pytest.mark.parametrize(
    "options",
    [
        {"size": (6, 7)},
        {"scale_factor": 2},
        {"scale_factor": 1.5, "mode": "bilinear"},
        {"size": 9, "mode": "bilinear", "align_corners": True},
    ],
)
def test_layer_is_that_of_pytorch(options):
    torch = pytest.importorskip("torch")
    expected = torch.nn.Upsample(**options)(torch.tensor(X)).numpy()
    assert_allclose(nn.Upsample(**options)(tensor(X)).numpy(), expected, rtol=1e-11)


def test_repr_shows_what_was_given():
    assert repr(nn.Upsample(6)) == "Upsample(size=6, mode='nearest')"
    layer = nn.Upsample(scale_factor=2, mode="bilinear")
    assert repr(layer) == "Upsample(scale_factor=2, mode='bilinear')"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 2, "mode": "bicubic"}, "mode 'bicubic', expected 'nearest' or"),
        ({}, "size None and scale_factor None, expected one of them"),
    ],
)
def test_what_says_no_size_is_refused_at_once(options, message):
    with pytest.raises(ArgumentError, match=f"Upsample: {message}"):
        nn.Upsample(**options)

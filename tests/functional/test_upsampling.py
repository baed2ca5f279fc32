"""What interpolate adds to its kernels: modes, sizes and factors."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minigrad import functional as F
from minigrad.errors import ArgumentError, ShapeError
from minigrad.tape import tensor
from minigrad.testing import check_function

X = np.random.default_rng(0).standard_normal((2, 3, 4, 5))


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_gradient_reaches_the_input(mode):
    check_function(lambda x: F.interpolate(x, (6, 3), mode=mode), X)


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"size": 6}, (6, 6)),
        ({"size": (3, 7)}, (3, 7)),
        ({"scale_factor": 2}, (8, 10)),
        ({"scale_factor": (1.5, 0.5)}, (6, 2)),
        ({"scale_factor": np.float32(1.7)}, (6, 8)),
        ({"scale_factor": 2, "mode": "bilinear", "align_corners": True}, (8, 10)),
    ],
)
def test_the_size_is_given_or_a_factor_rounded_down(options, shape):
    assert F.interpolate(tensor(X), **options).shape == (2, 3, *shape)


def test_nearest_takes_volumes():
    y = F.interpolate(np.arange(8.0).reshape(1, 1, 2, 2, 2), scale_factor=2)
    assert_array_equal(y.numpy()[0, 0, :, 0, 3], [1, 1, 5, 5])


def test_doubling_and_taking_every_second_pixel_gives_x():
    y = F.interpolate(tensor(X), scale_factor=2)
    assert_array_equal(y.numpy()[:, :, ::2, 1::2], X)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ArgumentError, "size None and scale_factor None, expected one of them"),
        (
            {"size": 2, "scale_factor": 2},
            ArgumentError,
            "size 2 and scale_factor 2, ex",
        ),
        (
            {"size": 2, "mode": "cubic"},
            ArgumentError,
            "mode 'cubic', expected 'nearest'",
        ),
        ({"size": 2, "mode": None}, ArgumentError, "mode None, expected 'nearest' or"),
        (
            {"size": 2, "mode": "linear"},
            ShapeError,
            r"x has shape .* and 1 spatial axes",
        ),
        (
            {"scale_factor": 0},
            ArgumentError,
            "scale_factor 0, expected a number > 0, or",
        ),
        (
            {"scale_factor": (2, 2, 2)},
            ArgumentError,
            r"scale_factor \(2, 2, 2\), expec",
        ),
        ({"scale_factor": "a"}, ArgumentError, "scale_factor 'a', expected a number >"),
        ({"scale_factor": float("inf")}, ArgumentError, "scale_factor inf, expected a"),
        ({"scale_factor": 0.1}, ArgumentError, r"size \(0, 0\), expected an int >= 1"),
    ],
)
def test_what_says_no_size_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        F.interpolate(tensor(X), **options)

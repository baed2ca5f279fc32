"""What convolution aware initialization refuses, and what it says."""

import numpy as np
import pytest

from minigrad import nn
from minigrad.errors import ArgumentError, DTypeError, GraphError, ShapeError
from minigrad.nn.init import convolution_aware_, spectral_std
from minigrad.tape import Tensor, tensor


def weight(shape, dtype="float32"):
    return nn.Parameter(np.zeros(shape, dtype))


@pytest.mark.parametrize("shape", [(), (3,), (0, 3, 3), (3, 0, 3), (3, 3, 0, 3)])
@pytest.mark.parametrize("dense", [None, nn.init.normal_])
def test_weights_without_filters_channels_or_taps(shape, dense):
    rule = "at least one element" if 0 in shape else "at least two axes"
    with pytest.raises(ShapeError) as caught:
        convolution_aware_(weight(shape), dense=dense)
    message = str(caught.value)
    assert message.startswith(f"convolution_aware_: tensor has shape {shape}, expected")
    assert rule in message
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("shape", [(3, 3), (1, 1, 1, 1, 1, 1)])
@pytest.mark.parametrize("dense", [None, "orthogonal"])
def test_other_ranks_without_a_dense(shape, dense):
    with pytest.raises(ShapeError, match=r"expected 3 to 5 axes.*; pass what fills it"):
        convolution_aware_(weight(shape), dense=dense)


@pytest.mark.parametrize("dtype", ["int64", "int8", "bool", "complex64"])
def test_dtypes_that_hold_no_real_weights(dtype):
    with pytest.raises(DTypeError, match=f"has dtype {dtype}, expected a real float"):
        convolution_aware_(Tensor(np.zeros((2, 2, 3), dtype)))
    assert issubclass(DTypeError, TypeError)


@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf, "0.05", True])
@pytest.mark.parametrize("name", ["eps_std", "eps_rel"])
def test_noise_below_zero_or_no_number(name, value):
    with pytest.raises(
        ArgumentError, match=f"{name} .*, expected a finite number >= 0"
    ):
        convolution_aware_(weight((2, 2, 3)), **{name: value})


@pytest.mark.parametrize("value", [0, -2, np.nan, np.inf, None])
def test_variance_that_is_not_above_zero(value):
    with pytest.raises(ArgumentError, match=r"variance_scale .* a finite number > 0"):
        convolution_aware_(weight((2, 2, 3)), variance_scale=value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "lu"}, "method 'lu', expected one of svd, eigh, spd, qr"),
        ({"spectrum": "half"}, "spectrum 'half', expected 'real' or 'complex'"),
        ({"rng": 3}, "rng 3, expected a NumPy Generator or None"),
        ({"transposed": True, "groups": 3}, "groups 3, expected a divisor of 4, the"),
        ({"transposed": True, "groups": 0}, "groups 0, expected an int >= 1"),
    ],
)
def test_options_that_are_not_known(options, message):
    with pytest.raises(ArgumentError, match=f"convolution_aware_: {message}"):
        convolution_aware_(weight((4, 2, 3)), **options)


def test_what_is_no_tensor():
    with pytest.raises(ArgumentError, match="convolution_aware_: got a list"):
        convolution_aware_([1.0])


def test_nothing_is_written_where_an_option_is_wrong():
    w = weight((4, 2, 3))
    with pytest.raises(ArgumentError):
        convolution_aware_(w, transposed=True, groups=3)
    assert not w.data.any()


def test_weights_that_a_graph_needs_are_not_overwritten():
    layer = nn.Conv1d(1, 1, 2)
    y = layer(tensor([[[1.0, 2.0, 3.0]]], requires_grad=True))
    with pytest.raises(GraphError, match="convolution_aware_: the values are needed"):
        convolution_aware_(layer.weight)
    y.sum().backward()


@pytest.mark.parametrize("kernel", [0, (3, 0), (), 2.5, (3, -1)])
def test_kernel_sizes_without_taps(kernel):
    with pytest.raises(ArgumentError, match="spectral_std: kernel_size"):
        spectral_std(kernel)

"""Transposed convolution: the gradient, adjointness, geometry."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from minigrad.errors import ArgumentError, ShapeError
from minigrad.kernels import conv, conv_transpose
from minigrad.testing import Case, check_kernel, normal

PLAIN = conv_transpose.CONV_TRANSPOSE2D_NO_BIAS_KERNEL
BIASED = {
    1: conv_transpose.CONV_TRANSPOSE1D_KERNEL,
    2: conv_transpose.CONV_TRANSPOSE2D_KERNEL,
}


@st.composite
def layers(draw, axes=2):
    """Draw a transposed convolution of small inputs with groups."""
    several = st.tuples(*[st.integers(1, 3)] * axes)
    kernel, stride, dilation, size = (draw(several) for _ in range(4))
    groups, inner, outer = (draw(st.integers(1, 2)) for _ in range(3))
    params = {
        "stride": stride,
        "dilation": dilation,
        "groups": groups,
        "output_padding": tuple(
            draw(st.integers(0, max(s, d) - 1))
            for s, d in zip(stride, dilation, strict=True)
        ),
    }
    inputs = {
        "x": normal(2, groups * outer, *size),
        "w": normal(groups * outer, inner, *kernel),
        "b": normal(groups * inner),
    }
    return Case.draw(draw(st.integers(0, 99)), params=params, **inputs)


@pytest.mark.parametrize("axes", BIASED)
@given(data=st.data())
def test_terms_sum_to_the_gradient(axes, data):
    check_kernel(BIASED[axes], data.draw(layers(axes)))


@given(case=layers())
def test_it_is_the_adjoint_of_convolution(case):
    x, w, _ = case.arrays
    y, _ = PLAIN.run(x, w, **case.params)
    other = np.random.default_rng(3).standard_normal(y.shape)
    options = {k: v for k, v in case.params.items() if k != "output_padding"}
    back, _ = conv.CONV2D_NO_BIAS_KERNEL.run(other, w, **options)
    # Convolution may drop a rest of its input, which output_padding has made.
    back = back[:, :, : x.shape[2], : x.shape[3]]
    assert_allclose((back * x).sum(), (y * other).sum(), rtol=1e-9, atol=1e-9)


def test_each_input_is_spread_over_the_kernel():
    x, w = np.array([[[1.0, 2.0]]]), np.array([[[1.0, 10.0, 100.0]]])
    kernel = conv_transpose.CONV_TRANSPOSE1D_NO_BIAS_KERNEL
    y, _ = kernel.run(x, w, stride=2)
    assert y.tolist() == [[[1, 10, 102, 20, 200]]]


X, W = np.ones((2, 4, 5, 6)), np.ones((4, 2, 3, 3))
REFUSED = [
    ((X[:, :3], W), {}, ShapeError, "x has shape .* expected 4 channels"),
    ((X, W), {"groups": 3}, ShapeError, "which 3 groups must divide"),
    ((X, W), {"groups": None}, ArgumentError, "groups None, expected an int >= 1"),
    (
        (X, W),
        {"output_padding": 1},
        ArgumentError,
        r"output_padding \(1, 1\), expected",
    ),
    ((X, W), {"padding": 4}, ShapeError, "result of size .* use less padding"),
    ((X, W[0]), {}, ShapeError, r"w has shape .* expected \(in, out / groups, H, W\)"),
    ((X[0], W), {}, ShapeError, "add the batch axis"),
]


@pytest.mark.parametrize(("arrays", "params", "error", "message"), REFUSED)
def test_wrong_input_is_refused(arrays, params, error, message):
    with pytest.raises(error, match=message):
        PLAIN.run(*arrays, **params)

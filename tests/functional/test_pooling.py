"""What the functions of pooling add to their kernels: examples without a batch."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minigrad import functional as F
from minigrad.errors import ShapeError
from minigrad.tape import tensor
from minigrad.testing import check_function

X = np.random.default_rng(0).standard_normal((2, 3, 6, 4))
FUNCTIONS = [
    (F.max_pool1d, (2,), 1),
    (F.max_pool2d, (2,), 2),
    (F.avg_pool1d, (2,), 1),
    (F.avg_pool2d, (2,), 2),
    (F.adaptive_max_pool1d, (3,), 1),
    (F.adaptive_max_pool2d, ((2, 3),), 2),
    (F.adaptive_avg_pool1d, (3,), 1),
    (F.adaptive_avg_pool2d, (1,), 2),
]
every_function = pytest.mark.parametrize(
    ("function", "numbers", "axes"), FUNCTIONS, ids=lambda v: getattr(v, "__name__", "")
)


@every_function
def test_one_example_is_a_batch_of_one(function, numbers, axes):
    x = X[0] if axes == 2 else X[0, :, :, 0]
    many = function(tensor(x[None]), *numbers)
    assert_array_equal(function(tensor(x), *numbers).numpy(), many.numpy()[0])
    check_function(lambda x: function(x, *numbers), x)


@every_function
def test_other_numbers_of_axes_are_refused(function, numbers, axes):
    length = "L" if axes == 1 else "H, W"
    rule = rf"expected \(N, C, {length}\) or \(C, {length}\)"
    for shape in [(4,) * axes, (4,) * (axes + 3)]:
        with pytest.raises(ShapeError, match=f"{function.__name__}: x has.*{rule}"):
            function(np.zeros(shape), *numbers)


def test_a_network_like_flow_keeps_float32_and_reaches_the_input():
    x = tensor(X.astype("float32"), requires_grad=True)
    y = F.adaptive_avg_pool2d(F.relu(F.max_pool2d(x, 2)), 1)
    y.sum().backward()
    assert (y.shape, y.dtype, x.grad.dtype) == ((2, 3, 1, 1), "float32", "float32")
    # Each plane has 3 x 2 windows, whose maxima share its gradient of 1.
    counts = np.count_nonzero(x.grad.numpy(), axis=(2, 3))
    assert_array_equal(counts, np.sum(F.max_pool2d(X, 2).numpy() > 0, axis=(2, 3)))


def test_max_pooling_keeps_only_small_integers_of_its_input():
    x = tensor(X, requires_grad=True)
    y = F.max_pool2d(x * 1, 2)
    saved = [a for a in y.node.record.saved if isinstance(a, np.ndarray)]
    assert [(a.dtype.name, a.size) for a in saved] == [("uint8", y.size)]

"""The functions of shaping.py are wired to their kernels, and agree with PyTorch."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import functional as F
from minigrad.errors import ArgumentError, ShapeError
from minigrad.tape import tensor

torch = pytest.importorskip("torch")

X = np.arange(24.0).reshape(2, 3, 4)
INDEX = [[1, 0], [1, -1]]
CALLS = {
    "reshape": (lambda x: F.reshape(x, (4, -1)), lambda x: x.reshape(4, -1)),
    "reverse": (F.transpose, lambda x: x.permute(2, 1, 0)),
    "transpose": (
        lambda x: F.transpose(x, (2, 0, 1)),
        lambda x: x.permute(2, 0, 1),
    ),
    "expand": (
        lambda x: F.expand(x, (5, -1, 3, 4)),
        lambda x: x.expand(5, -1, 3, 4),
    ),
    "concat": (
        lambda x: F.concat([x, 2 * x, x], axis=1),
        lambda x: torch.cat([x, 2 * x, x], dim=1),
    ),
    "stack in front": (
        lambda x: F.stack([x, 2 * x]),
        lambda x: torch.stack([x, 2 * x]),
    ),
    "stack behind": (
        lambda x: F.stack([x, 2 * x], axis=-1),
        lambda x: torch.stack([x, 2 * x], dim=-1),
    ),
    "pad": (
        lambda x: F.pad(x, [(0, 0), (1, 2), (3, 0)], 7.0),
        lambda x: torch.nn.functional.pad(x, (3, 0, 1, 2), value=7.0),
    ),
    "take": (lambda x: F.take(x, np.array(INDEX), axis=1), lambda x: x[:, INDEX]),
}


@pytest.mark.parametrize("name", CALLS)
def test_values_and_gradients_are_those_of_pytorch(name):
    ours, theirs = CALLS[name]
    mine, other = tensor(X, requires_grad=True), torch.from_numpy(X).requires_grad_()
    y, expected = ours(mine), theirs(other)
    assert_array_equal(y.numpy(), expected.detach().numpy())
    dy = np.random.default_rng(0).standard_normal(y.shape)
    y.backward(dy)
    expected.backward(torch.from_numpy(dy))
    assert_allclose(mine.grad.numpy(), other.grad.numpy(), rtol=1e-14, atol=1e-14)


def test_each_tensor_that_was_joined_gets_its_own_part():
    a = tensor([1.0, 2.0], requires_grad=True)
    b = tensor([3.0], requires_grad=True)
    F.concat([a, b]).backward(np.float32([10.0, 20.0, 30.0]))
    assert a.grad.tolist() == [10.0, 20.0]
    assert b.grad.tolist() == [30.0]


def test_positions_may_be_a_tensor():
    y = F.take(tensor([1.0, 2.0, 3.0]), tensor([2, 2]))
    assert y.tolist() == [3.0, 3.0]


@pytest.mark.parametrize("name", ["concat", "stack"])
def test_nothing_cannot_be_joined(name):
    with pytest.raises(ShapeError, match=f"{name}: .*expected at least one"):
        getattr(F, name)([])


def test_stack_names_the_tensor_that_differs():
    message = r"stack: tensor 1 has shape \(3,\), expected \(2,\), as tensor 0"
    with pytest.raises(ShapeError, match=message):
        F.stack([tensor([1.0, 2.0]), tensor([1.0, 2.0, 3.0])])


def test_stack_refuses_an_axis_that_the_result_lacks():
    with pytest.raises(ShapeError, match="stack: axis 2, expected one of the 2 axes"):
        F.stack([tensor([1.0, 2.0])], axis=2)


def test_take_refuses_a_position_out_of_range():
    with pytest.raises(ArgumentError, match=r"take: index has 3 at \[1\], expected -3"):
        F.take(tensor([1.0, 2.0, 3.0]), tensor([0, 3]))


@pytest.mark.parametrize("index", [0, [0, 0], (1, 0), range(2), [], [[1], [0]]])
def test_take_takes_numbers_and_lists(index):
    x = np.arange(3.0)
    found = F.take(tensor(x), index)
    assert found.tolist() == np.take(x, np.array(index, int)).tolist()


@pytest.mark.parametrize("join", [F.stack, F.concat])
def test_what_is_joined_comes_as_lists_generators_or_rows(join):
    rows = [[1.0, 2.0], [3.0, 4.0]]
    expected = join([tensor(row) for row in rows]).tolist()
    assert join(rows).tolist() == expected
    assert join(tensor(row) for row in rows).tolist() == expected
    assert join(tensor(rows)).tolist() == expected
    assert join(np.array(rows)).tolist() == expected


@pytest.mark.parametrize("join", [F.stack, F.concat])
@pytest.mark.parametrize("given", [1.0, None, "ab"])
def test_what_cannot_be_joined_is_refused(join, given):
    with pytest.raises(ArgumentError, match=r"tensors are .+, expected a list of"):
        join(given)


@pytest.mark.parametrize("widths", [[1], (1, 1), 1, [(1, "a")], [(1, 2, 3)]])
def test_widths_that_are_no_pairs_are_refused(widths):
    with pytest.raises(ShapeError, match=r"pad: widths .+, expected a pair"):
        F.pad(tensor([1.0]), widths)


def test_one_length_is_a_shape():
    assert F.reshape(tensor([[1.0, 2.0]]), 2).shape == (2,)

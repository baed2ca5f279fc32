"""Saved arrays cannot be written while a graph that needs them lives."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minigrad.errors import GraphError
from minigrad.tape import no_grad, tensor


@pytest.fixture
def x():
    return tensor([1.0, 2.0], requires_grad=True)


def write(target):
    with no_grad():
        target[0] = 9.0


def test_saved_operand_is_refused_and_the_kernel_named(x):
    y = x * x
    with pytest.raises(GraphError, match="needed by mul"):
        write(x)
    assert y.shape == (2,)


def test_numpy_itself_cannot_write_either(x):
    y = x * x
    with pytest.raises(ValueError, match="read-only"):
        x.data[0] = 9.0
    assert y.shape == (2,)


def test_operand_that_is_not_saved_stays_writeable(x):
    y = x + 1.0
    write(x)
    y.backward(np.ones(2, "float32"))
    assert_array_equal(x.grad.data, [1.0, 1.0])


def test_backward_opens_the_lock(x):
    (x * x).sum().backward()
    write(x)


def test_retained_graph_keeps_the_lock(x):
    y = (x * x).sum()
    y.backward(retain_graph=True)
    with pytest.raises(GraphError, match="needed by mul"):
        write(x)


def test_dropping_the_result_opens_the_lock(x):
    y = x * x
    del y
    write(x)


def test_lock_lasts_until_the_last_of_two_graphs(x):
    first, second = x * x, x * x
    del first
    with pytest.raises(GraphError, match="needed by mul"):
        write(x)
    del second
    write(x)


def test_memory_behind_a_view_is_locked(x):
    row = x.reshape(1, 2)
    y = row * row
    with pytest.raises(GraphError, match="in-place write while the graph lives"):
        write(x)
    del y
    write(x)


def test_array_that_came_read_only_stays_so():
    values = np.ones(2)
    values.setflags(write=False)
    x = tensor([1.0], requires_grad=True)
    x.data = values
    y = x * x
    del y
    assert not values.flags.writeable


def test_augmented_assignment_of_a_recorded_leaf_is_refused(x):
    with pytest.raises(GraphError, match=r"use no_grad\(\)"):
        x += 1.0


def test_augmented_assignment_is_in_place_without_recording(x):
    memory = x.data
    with no_grad():
        x -= 1.0
    assert x.data is memory
    assert_array_equal(memory, [0.0, 1.0])


def test_augmented_assignment_of_a_result_makes_a_new_tensor(x):
    y = x * 2.0
    before = y
    y += x
    assert y is not before
    y.backward(np.ones(2, "float32"))
    assert_array_equal(x.grad.data, [3.0, 3.0])


def test_copy_overwrites_in_place(x):
    with no_grad():
        x.copy_([5.0, 6.0])
    assert_array_equal(x.data, [5.0, 6.0])

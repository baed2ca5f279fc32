"""Saved arrays cannot be written while a graph that needs them lives."""

import copy
import sys
import threading

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minigrad.errors import DTypeError, GraphError
from minigrad.tape import locks, no_grad, tensor


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


VIEWS = {
    "transpose": lambda x: (x @ x.T).sum(),
    "reversed": lambda x: (x * x[::-1]).sum(),
    "row": lambda x: (x * x[0]).sum(),
    "two rows and the whole": lambda x: (x[0] * x[1]).sum() + x.square().sum(),
    "view of a result": lambda x: (
        lambda g: (g[:, 0] * g[:, 1]).sum() + g.square().sum()
    )(x * 1.0),
}


def tables():
    return len(locks._locks), len(locks._waiting)


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("ending", ["backward", "dropped"])
def test_overlapping_views_open_in_any_order(name, ending):
    before = tables()
    x = tensor(np.ones((3, 3)), requires_grad=True)
    view = x.data[0]
    y = VIEWS[name](x)
    if ending == "backward":
        y.backward()
    del y
    assert tables() == before
    assert x.data.flags.writeable
    assert view.flags.writeable


def test_views_of_one_array_may_be_saved_by_graphs_that_end_out_of_order():
    before = tables()
    data = np.ones((6, 2))
    w = tensor(np.ones((3, 2)), requires_grad=True)
    first, second = w * data[:3], w * data[3:]
    first.sum().backward()
    second.sum().backward()
    assert tables() == before
    assert data.flags.writeable


def test_random_graphs_over_views_leave_every_array_open():
    rng = np.random.default_rng(0)
    before = tables()
    x = tensor(rng.standard_normal((4, 4)), requires_grad=True)
    whole = x.data
    live = []
    for _ in range(300):
        i, j = rng.integers(0, 4, 2)
        picked = [x, x[i], x[:, j], x.T, x[::-1], x.reshape(-1)[int(i) :]]
        a, b = (picked[k] for k in rng.integers(0, len(picked), 2))
        live.append((a * a).sum() + (b * b).sum())
        if len(live) > 3:
            y = live.pop(int(rng.integers(0, len(live))))
            if rng.random() < 0.5:
                y.backward()
            del y
    del live, a, b, picked
    assert tables() == before
    assert whole.flags.writeable


def test_view_made_under_a_lock_can_be_written_once_it_is_open(x):
    y = (x * x).sum()
    view = x.detach().reshape(-1)
    y.backward()
    view.copy_([7.0, 8.0])
    assert_array_equal(x.data, [7.0, 8.0])


def test_threads_share_the_tables():
    before = tables()
    w = tensor(np.ones(8), requires_grad=True)
    errors = []

    def work():
        try:
            for _ in range(300):
                y = w * w
                del y
        except Exception as error:
            errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not errors
    assert tables() == before
    assert w.data.flags.writeable


def test_a_result_is_not_copied_with_its_graph(x):
    with pytest.raises(GraphError, match=r"a result of mul.*detach\(\)"):
        copy.deepcopy(x * 2.0)


def test_a_leaf_is_copied_with_its_gradient(x):
    (x * 2.0).sum().backward()
    twin = copy.deepcopy(x)
    twin.grad.data[...] = 5.0
    assert_array_equal(x.grad.data, [2.0, 2.0])
    assert twin.requires_grad


def test_in_place_division_of_integers_is_refused():
    counts = tensor([1, 2])
    with pytest.raises(DTypeError, match="float64, expected int64"):
        counts /= 2


@pytest.mark.parametrize(
    ("index", "values", "said"),
    [(5, 1.0, "expected an index into shape"), (0, [1.0, 2.0, 3.0], "values that fit")],
)
def test_bad_writes_are_one_sentence(x, index, values, said):
    with no_grad(), pytest.raises(ValueError, match=said):
        x[index] = values

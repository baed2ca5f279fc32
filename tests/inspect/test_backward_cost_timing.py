"""What backward_cost times, and that it leaves no trace."""

import time

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.inspect import backward_cost
from minigrad.inspect.backward_work import backward_cost as timing
from minigrad.random import generator


class Clock:
    """Stands still but where something that takes time says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", clock)
    return clock


class Slow(nn.Module):
    """Takes 100 s forward, and by pass so many seconds backward as are listed."""

    def __init__(self, clock, seconds):
        self.layer = nn.Linear(2, 2, rng=generator(0, "w"))
        self.clock, self.seconds = clock, iter(seconds)

    def forward(self, x):
        self.clock.now += 100
        return self.layer(x)


def test_seconds_are_medians_of_backward_alone_behind_a_first_pass(clock, monkeypatch):
    # In turn: as it is, thawed; the first of each is to warm up.
    seconds = [90, 70, 1, 10, 2, 20, 3, 30]
    model = Slow(clock, seconds)
    whole = mg.Tensor.backward

    def backward(root, *arguments, **options):
        clock.now += next(model.seconds)
        return whole(root, *arguments, **options)

    monkeypatch.setattr(mg.Tensor, "backward", backward)
    found = backward_cost(model, (1, 2), repeats=3).seconds
    assert (found.done, found.thawed, found.repeats) == (2, 20, 3)


def test_forward_that_a_device_has_not_done_yet_is_waited_for(clock, monkeypatch):
    """A device does what it is told when someone reads a number."""
    told = [0.0]
    whole = mg.Tensor.backward

    class Told(nn.Linear):
        def forward(self, x):
            told[0] += 100
            return super().forward(x)

    def backward(root, *arguments, **options):
        told[0] += 1
        return whole(root, *arguments, **options)

    def to_host(array):
        clock.now, told[0] = clock.now + told[0], 0.0
        return array

    monkeypatch.setattr(mg.Tensor, "backward", backward)
    monkeypatch.setattr(timing, "to_host", to_host)
    assert backward_cost(Told(2, 2), (1, 2), repeats=1).seconds == (1, 1, 1)


def test_it_counts_and_times_under_no_grad():
    model = nn.Linear(3, 2)
    with mg.no_grad():
        cost = backward_cost(model, (4, 3), repeats=1)
    assert cost.multiply_adds == 24
    assert cost.seconds.done > 0


def test_its_passes_do_not_count():
    model = nn.Linear(3, 2)
    said = model.weight.why()
    backward_cost(model, (1, 3), repeats=1)
    assert model.weight.why() == said


def test_gradients_and_what_is_said_of_them_stay_as_they_are():
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    x = mg.tensor(np.ones((1, 3), "float32"))
    model[1](mg.tensor(np.ones((1, 2), "float32"))).sum().backward()
    before = model[1].weight.grad.numpy().copy()
    held = [(p.has_grad, p.owned, p.passes) for p in model.parameters()]
    backward_cost(model, x, repeats=2)
    assert [(p.has_grad, p.owned, p.passes) for p in model.parameters()] == held
    np.testing.assert_array_equal(model[1].weight.grad.numpy(), before)
    model[1](mg.tensor(np.ones((1, 2), "float32"))).sum().backward()
    np.testing.assert_array_equal(model[1].weight.grad.numpy(), 2 * before)


def test_a_gradient_that_the_caller_set_stays_the_callers_array():
    model, mine = nn.Linear(3, 2), np.ones((2, 3), "float32")
    model.weight.grad = mine
    backward_cost(model, (1, 3), repeats=1)
    model(mg.tensor(np.ones((5, 3), "float32"))).sum().backward()
    np.testing.assert_array_equal(model.weight.grad.numpy(), np.full((2, 3), 6))
    np.testing.assert_array_equal(mine, np.ones((2, 3)), "nothing was added to it")


def test_a_parameter_that_is_returned_keeps_no_gradient():
    class Both(nn.Module):
        def __init__(self):
            self.a, self.b = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x):
            return {"y": self.a(x), "w": self.b.weight}

    model = Both()
    backward_cost(model, (1, 2), repeats=1)
    assert not any(parameter.has_grad for parameter in model.parameters())


def test_a_result_that_is_a_leaf_can_be_timed():
    x = mg.tensor(np.ones((1, 2), "float32"), requires_grad=True)
    assert backward_cost(nn.Identity(), x, repeats=1).seconds.repeats == 1
    assert not x.has_grad


def test_graphs_of_inputs_in_lists_and_dicts_are_not_entered():
    class Sum(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(3, 2)

        def forward(self, x, extra, named):
            return self.layer(x + extra[0] + named["z"])

    w = mg.tensor(np.ones((2, 3), "float32"), requires_grad=True)
    y = w * 2
    backward_cost(Sum(), (2, 3), extra=[y], named={"z": y}, repeats=1)
    y.sum().backward()
    np.testing.assert_array_equal(w.grad.numpy(), np.full((2, 3), 2))

"""ReduceLROnPlateau against PyTorch, against Keras' rule, and after a resumption."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from minigrad import optim
from minigrad.optim.lr_scheduler import ReduceLROnPlateau
from minigrad.tape import tensor

EPOCHS = 50
PLATEAU_CASES = [
    {},
    {"patience": 2, "factor": 0.5},
    {"mode": "max", "patience": 1, "cooldown": 3},
    {"patience": 0, "threshold": 0.05, "threshold_mode": "abs", "min_lr": [0.05, 0.2]},
    {"mode": "max", "patience": 3, "threshold": 0.1, "threshold_mode": "abs"},
    {"patience": 0, "factor": 0.9, "eps": 0.02, "threshold": 0.2},
]


def make_optimizer(*rates):
    """Make an optimizer with a group for each rate."""
    groups = [
        {"params": [tensor([1.0], requires_grad=True)], "lr": rate} for rate in rates
    ]
    return optim.SGD(groups, lr=1.0)


def measure(epoch):
    """A loss that falls, stalls, jumps and falls again."""
    return 1 / (1 + epoch // 9) + 0.1 * math.sin(epoch)


@pytest.mark.parametrize("options", PLATEAU_CASES)
def test_plateaus_are_seen_where_pytorch_sees_them(options):
    torch = pytest.importorskip("torch")
    groups = [
        {"params": [torch.nn.Parameter(torch.ones(1))], "lr": rate}
        for rate in (0.1, 0.3)
    ]
    theirs = torch.optim.SGD(groups)
    oracle = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **options)
    ours = make_optimizer(0.1, 0.3)
    schedule = ReduceLROnPlateau(ours, **options)
    for epoch in range(EPOCHS):
        schedule.step(measure(epoch))
        oracle.step(measure(epoch))
        expected = [group["lr"] for group in theirs.param_groups]
        assert_allclose(schedule.get_last_lr(), expected, rtol=1e-14)
    assert schedule.num_bad_epochs == oracle.num_bad_epochs


class Keras:
    """The rule that Keras calls by this name, for one rate and without a cooldown."""

    def __init__(self, lr, *, mode, factor, patience, min_lr, min_delta=1e-4):
        self.lr, self.factor, self.min_lr = lr, factor, min_lr
        self.mode, self.min_delta = mode, min_delta
        self.patience, self.wait = patience, 0
        self.best = math.inf if mode == "min" else -math.inf

    def step(self, value):
        if self.mode == "max":
            better = value > self.best + self.min_delta
        else:
            better = value < self.best - self.min_delta
        if better:
            self.best, self.wait = value, 0
            return
        self.wait += 1
        if self.wait >= self.patience:
            if self.lr > self.min_lr:
                self.lr = max(self.lr * self.factor, self.min_lr)
            self.wait = 0


# Steps of half the threshold: many measures lie on it and next to it.
measures = st.lists(st.integers(0, 9).map(lambda k: 0.9 + k * 5e-5), max_size=60)


@given(
    values=measures,
    mode=st.sampled_from(["min", "max"]),
    patience=st.integers(1, 6),
    min_lr=st.sampled_from([0.0, 0.0005]),
    factor=st.sampled_from([0.1, 0.5]),
)
def test_the_patience_of_keras_is_one_more(values, mode, patience, min_lr, factor):
    options = {"mode": mode, "factor": factor, "min_lr": min_lr}
    keras = Keras(0.01, patience=patience, **options)
    schedule = ReduceLROnPlateau(
        make_optimizer(0.01),
        patience=patience - 1,
        threshold_mode="abs",
        eps=0,
        **options,
    )
    for value in values:
        keras.step(value)
        schedule.step(value)
        assert schedule.get_last_lr() == [keras.lr]


def test_keras_rates_go_down_to_the_lower_bound_and_stay():
    schedule = ReduceLROnPlateau(
        make_optimizer(0.01),
        mode="max",
        patience=4,
        threshold_mode="abs",
        min_lr=0.0005,
    )
    rates = []
    for _ in range(17):
        schedule.step(0.9)
        rates += schedule.get_last_lr()
    # The first epoch is the best; every five without a better one lower the rate.
    assert_allclose(rates, [0.01] * 5 + [0.001] * 5 + [0.0005] * 7, rtol=1e-15)


def test_plateau_resumes_from_its_state():
    straight = make_optimizer(0.1, 0.3)
    schedule = ReduceLROnPlateau(straight, patience=2, cooldown=2)
    states = []
    for epoch in range(EPOCHS):
        states.append(json.dumps([schedule.state_dict(), straight.state_dict()]))
        schedule.step(measure(epoch))
    for start in (0, 13, 30):
        resumed = make_optimizer(0.1, 0.3)
        schedule = ReduceLROnPlateau(resumed, patience=2, cooldown=2)
        mine, rates = json.loads(states[start])
        schedule.load_state_dict(mine)
        resumed.load_state_dict(rates)
        for epoch in range(start, EPOCHS):
            schedule.step(measure(epoch))
        assert schedule.get_last_lr() == [g["lr"] for g in straight.param_groups]


def test_plateau_lowers_a_group_that_is_added_later():
    optimizer = make_optimizer(0.1, 0.3)
    schedule = ReduceLROnPlateau(optimizer, patience=0, min_lr=0.02)
    optimizer.add_param_group({"params": tensor([1.0]), "lr": 8.0})
    schedule.step(1.0)
    schedule.step(1.0)
    assert_allclose(schedule.get_last_lr(), [0.02, 0.03, 0.8])

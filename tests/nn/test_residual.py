"""Residual blocks, and branches that are left out at random."""

import itertools

import numpy as np
import pytest
import scipy.stats

import minigrad as mg
from minigrad import functional as F
from minigrad import nn, optim
from minigrad.errors import ArgumentError
from minigrad.nn.residual import Residual, linear_decay
from minigrad.random import Streams, generator


def branch(seed=0):
    return nn.Sequential(
        nn.Conv2d(2, 2, 3, padding=1, rng=generator(seed, "w")), nn.BatchNorm2d(2)
    )


def images(seed=0):
    rng = np.random.default_rng(seed)
    return mg.tensor(rng.standard_normal((4, 2, 3, 3)).astype("float32"))


def values(model):
    return [p.numpy().tobytes() for p in (*model.parameters(), *model.buffers())]


def dropped(block, streams):
    """Set the stream to a draw with which the branch is left out."""
    for step in itertools.count():
        if generator(streams.seed, "stochastic_depth", step).random() >= block.survival:
            streams.steps["stochastic_depth"] = step
            return


class Plain(nn.Module):
    def __init__(self):
        self.branch, self.activation = branch(), nn.ReLU()

    def forward(self, x):
        return self.activation(self.branch(x) + x)


def test_with_survival_1_it_is_the_plain_sum_bit_for_bit_through_training():
    streams = Streams(0)
    models = Plain(), Residual(branch(), activation=nn.ReLU(), rng=streams)
    losses = []
    for model in models:
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        for step in range(5):
            loss = (model(images(step)) ** 2).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert losses[:5] == losses[5:]
    assert values(models[0]) == values(models[1])
    assert not streams.steps, "nothing was drawn"


def test_a_branch_that_is_left_out_is_not_run():
    streams = Streams(0)
    block = Residual(branch(), survival=0.5, rng=streams)
    stem = nn.Conv2d(2, 2, 1, rng=generator(0, "stem"))
    model = nn.Sequential(stem, block)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    before = values(block)
    dropped(block, streams)
    loss = (model(images()) ** 2).sum()
    with mg.inspect.gradient_flow(model) as flow:
        loss.backward()
    optimizer.step()
    flow.assert_conserved()
    assert not [name for name in flow.targets if name.startswith("1.")]
    assert not any(p.has_grad for p in block.parameters())
    assert stem.weight.has_grad
    assert values(block) == before, "not even statistics of batch norm"


def test_in_evaluation_the_branch_counts_survival_times(backend):
    block = Residual(nn.Tanh(), nn.Sigmoid(), survival=0.25).eval()
    x = mg.tensor([-1.0, 0.5])
    expected = 0.25 * np.tanh([-1, 0.5]) + 1 / (1 + np.exp([1, -0.5]))
    np.testing.assert_allclose(block(x).numpy(), expected, rtol=1e-6)


def test_survival_0_is_the_shortcut_and_1_the_sum():
    never = Residual(branch(), survival=0.0)
    np.testing.assert_array_equal(never(images()).numpy(), images().numpy())
    np.testing.assert_array_equal(never.eval()(images()).numpy(), images().numpy())


@pytest.mark.parametrize("survival", [0.2, 0.5, 0.9])
def test_it_survives_as_often_as_it_should(survival):
    block = Residual(nn.Tanh(), survival=survival, rng=Streams(1))
    ran = sum(block(mg.tensor([1.0])).item() > 1 for _ in range(1000))
    counts = [ran, 1000 - ran], [1000 * survival, 1000 * (1 - survival)]
    assert scipy.stats.chisquare(*counts).pvalue > 1e-3


def test_the_mean_over_draws_is_what_evaluation_gives():
    block = Residual(
        nn.Linear(3, 3, rng=generator(0, "w")), survival=0.7, rng=Streams(0)
    )
    x = mg.tensor([[1.0, -2.0, 3.0]])
    draws = np.stack([block(x).numpy() for _ in range(2000)])
    error = draws.std(0) / np.sqrt(2000)
    assert (abs(draws.mean(0) - block.eval()(x).numpy()) < 4 * error).all()


def test_runs_with_one_seed_are_alike():
    def ran(seed):
        block = Residual(nn.Tanh(), survival=0.5, rng=Streams(seed))
        return [block(mg.tensor([1.0])).item() for _ in range(50)]

    assert ran(0) == ran(0) != ran(1)


def test_the_gradient_is_that_of_the_sum():
    block = Residual(branch(), nn.Conv2d(2, 2, 1, rng=generator(1, "s")), nn.Tanh())
    model = nn.Sequential(block, nn.Flatten(), nn.Linear(18, 3, rng=generator(2, "h")))
    loss = F.cross_entropy(model(images()), mg.tensor([0, 1, 2, 0]))
    with mg.inspect.gradient_flow(model) as flow:
        loss.backward()
    flow.assert_conserved()
    assert {"0.branch.0.weight", "0.shortcut.weight"} <= set(flow.targets)


def test_a_summary_counts_a_branch_only_if_it_runs():
    streams = Streams(0)
    block = Residual(branch(), survival=0.5, rng=streams)
    # 4 images of 2 channels and 3 x 3 pixels, filters of 2 x 3 x 3.
    products = 4 * 2 * 9 * 18
    assert mg.summary(block.eval(), images()).total_multiply_adds == products
    dropped(block.train(), streams)
    before = dict(streams.steps)
    assert mg.summary(block, images()).total_multiply_adds == 0
    assert streams.steps == before, "a summary draws nothing"


def test_survivals_that_fall_with_depth():
    survivals = linear_decay(54, 0.5)
    assert survivals[0] == pytest.approx(1 - 0.5 / 54)
    assert survivals[-1] == 0.5
    assert linear_decay(3, 1.0) == (1.0, 1.0, 1.0)
    assert linear_decay(0) == ()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"branch": F.relu}, r"branch is <function .*, expected a Module"),
        ({"branch": None}, r"branch is None, expected a Module"),
        ({"shortcut": 3}, r"shortcut is 3, expected a Module or None"),
        ({"activation": "relu"}, r"activation is 'relu', expected a Module or None"),
        ({"survival": 1.5}, r"survival 1.5, expected a probability in \[0, 1\]"),
        ({"survival": float("nan")}, r"survival nan, expected a probability"),
        ({"survival": "half"}, r"survival 'half', expected a probability"),
        ({"rng": 0}, r"rng 0, expected Streams"),
    ],
)
def test_bad_parts_are_named(options, sentence):
    with pytest.raises(ArgumentError, match=sentence):
        Residual(**{"branch": nn.Tanh(), **options})


def test_other_bad_input():
    with pytest.raises(ArgumentError, match="last 2, expected a probability"):
        linear_decay(3, 2)
    for count in (-1, 2.5, True, "3"):
        with pytest.raises(ArgumentError, match=r"linear_decay: count .*an int >= 0"):
            linear_decay(count)


def test_its_repr_says_how_often_it_survives():
    assert "survival=0.5" in repr(Residual(nn.Tanh(), survival=0.5))
    assert "name='other'" in repr(Residual(nn.Tanh(), name="other"))

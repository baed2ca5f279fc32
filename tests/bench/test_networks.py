"""The engines train the same networks."""

from dataclasses import replace

import numpy
import pytest

from bench import networks, step
from bench.harness import CHECKED_STEPS, expect_agreement
from bench.networks import NETWORKS, weights


def test_weights_depend_on_names_alone():
    one = weights({"a.weight": (4, 3), "a.bias": (4,)})
    two = weights({"a.bias": (4,), "a.weight": (4, 3)})
    numpy.testing.assert_array_equal(one["a.weight"], two["a.weight"])
    assert one["a.bias"].tolist() == [0.0] * 4


def test_scales_start_at_one():
    assert weights({"norm.weight": (2,)})["norm.weight"].tolist() == [1.0, 1.0]


def small(network):
    """Cut the batch to two examples, and sequences to forty steps."""
    inputs, labels = network.batch()
    if network is NETWORKS["lstm"]:
        return inputs[:40, :2].copy(), labels[:2]
    if labels.ndim == 2:
        return inputs[:, :40].copy(), labels[:, :40].copy()
    return inputs[:2], labels[:2]


@pytest.fixture
def one_thread():
    """Idle threads of one engine spin, which slows the other in a shared process."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.usefixtures("one_thread")
def test_engines_train_alike(name, monkeypatch):
    batch = small(NETWORKS[name])
    short = replace(NETWORKS[name], batch=lambda: batch)
    monkeypatch.setitem(networks.NETWORKS, name, short)
    losses = {}
    for engine in ("minigrad", "torch"):
        run = step.train(name, engine)
        losses[engine] = [run() for _ in range(CHECKED_STEPS)]
    expect_agreement(name, losses)

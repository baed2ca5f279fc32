"""BlockDrop's parts: decisions, rewards, and a ResNet that really skips blocks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError, ShapeError
from minigrad.inspect import summary
from models.layerout.blockdrop.inference import (
    BlockDropNet,
    gated,
    multiply_adds,
    skipping,
)
from models.layerout.blockdrop.policy import (
    bounded,
    drawn,
    forced,
    last,
    likeliest,
    policy_net,
)
from models.layerout.blockdrop.reward import is_right, reward
from models.networks.resnet import resnet

BLOCKS = 5
U = np.random.default_rng(0).random((6, BLOCKS)) < 0.5
U[:, 1], U[:, 3] = True, False


def images(count=6, dtype="float64"):
    return np.random.default_rng(1).standard_normal((count, 3, 8, 8)).astype(dtype)


def net(shortcut="average", dtype="float64"):
    """A ResNet whose norms have seen images."""
    model = resnet((2, 3), widths=(4, 8), shortcut=shortcut, seed=0)
    model(mg.tensor(images(20, "float32")))
    return model.to(dtype).eval()


def nets(decided=BLOCKS):
    model = BlockDropNet(net(), policy_net(BLOCKS, in_channels=3, seed=0).to("float64"))
    model.decided = decided
    return model.eval()


# -- decisions and rewards -------------------------------------------------------------


def test_bounded_probabilities_stay_open():
    q = mg.tensor([0.0, 0.25, 0.5, 1.0])
    assert_allclose(bounded(q, 0.8).numpy(), [0.2, 0.35, 0.5, 0.8], rtol=1e-6)
    assert_array_equal(bounded(q, 1.0).numpy(), q.numpy())


def test_decisions_are_drawn_with_their_probabilities():
    q = mg.tensor(np.tile([0.0, 0.2, 0.8, 1.0], (4000, 1)))
    share = drawn(q, np.random.default_rng(0)).mean(axis=0)
    assert_array_equal(share[[0, 3]], [0, 1])
    assert_allclose(share[1:3], [0.2, 0.8], atol=4 * 0.4 / np.sqrt(4000))


def test_what_is_not_drawn_is_the_likelier_decision():
    assert_array_equal(likeliest(mg.tensor([[0.4, 0.5]])), [[False, True]])
    assert_array_equal(last(2, 3), [False, True, True])
    assert_array_equal(last(9, 2), [True, True])
    none, mask = np.zeros((1, 3), bool), last(2, 3)
    assert_array_equal(forced(none, mask), [[True, False, False]])


def test_the_policy_shares_no_weights_with_a_network_of_its_seed():
    policy = policy_net(10, in_channels=3, seed=4).logits
    alike = resnet((1, 1, 1), shortcut="average", seed=4)
    assert policy.stem.conv.weight.shape == alike.stem.conv.weight.shape
    assert not np.allclose(
        policy.stem.conv.weight.numpy(), alike.stem.conv.weight.numpy()
    )
    assert len(policy.blocks) == 3
    again = policy_net(10, in_channels=3, seed=4).logits
    assert_array_equal(again.stem.conv.weight.numpy(), policy.stem.conv.weight.numpy())


def test_rewards_by_hand():
    u = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]], bool)
    right = np.array([True, True, True, False])
    assert_array_equal(reward(u, right, 10), [0, 0.75, 1, -10])
    logits = mg.tensor([[0.0, 2.0], [3.0, 1.0]])
    assert_array_equal(is_right(logits, np.array([1, 1])), [True, False])


# -- a ResNet under decisions ----------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("way", [gated, skipping])
def test_with_all_blocks_it_is_the_plain_network(way, training):
    one, other = net().train(training), net().train(training)
    x, u = mg.tensor(images()), np.ones((6, BLOCKS), bool)
    assert_array_equal(way(one, x, u).numpy(), other(x).numpy())
    for mine, plain in zip(one.buffers(), other.buffers(), strict=True):
        assert_array_equal(mine.numpy(), plain.numpy())


@pytest.mark.parametrize("shortcut", ["pad", "average", "conv"])
def test_blocks_that_are_skipped_give_what_gates_give(shortcut):
    model, weights = net(shortcut), np.random.default_rng(2).standard_normal((6, 10))
    found = []
    for way in (gated, skipping):
        model.zero_grad()
        x = mg.tensor(images(), requires_grad=True)
        y = way(model, x, U)
        (y * weights).sum().backward()
        found.append((y, x.grad, *(p.grad for p in model.parameters() if p.has_grad)))
    assert len(found[0]) > len(found[1]), "block 4, which nobody keeps, has no gradient"
    for one, other in zip(found[0][:2], found[1][:2], strict=True):
        assert_allclose(one.numpy(), other.numpy(), rtol=1e-9, atol=1e-12)


def test_gradients_of_weights_are_those_of_gates():
    model, found = net(), []
    for way in (gated, skipping):
        model.zero_grad()
        (way(model, mg.tensor(images()), U) ** 2).sum().backward()
        found.append({n: p.grad for n, p in model.named_parameters() if p.has_grad})
    unused = found[0].keys() - found[1].keys()
    assert {name.split(".branch")[0] for name in unused} == {"blocks.3"}
    for name in found[0]:
        expected = 0 if name in unused else found[1][name].numpy()
        assert_allclose(found[0][name].numpy(), expected, rtol=1e-9, atol=1e-12)


def test_it_runs_on_any_backend(backend):
    model, x = net(dtype="float32"), mg.tensor(images(dtype="float32"))
    ways = [way(model, x, U).numpy() for way in (gated, skipping)]
    assert_allclose(*ways, rtol=1e-4, atol=1e-5)


def test_without_blocks_there_are_stem_shortcuts_and_head():
    model, x = net(), mg.tensor(images())
    y = model.stem(x)
    y = model.head(model.blocks[2].shortcut(y))
    none = np.zeros((6, BLOCKS), bool)
    assert_array_equal(skipping(model, x, none).numpy(), y.numpy())


def test_the_policy_of_an_image_does_not_depend_on_the_others():
    model, x = nets(), images()
    together = model(mg.tensor(x)).numpy()
    alone = [model(mg.tensor(one[None])).numpy()[0] for one in x]
    assert_allclose(together, alone, rtol=1e-9)


def saved_by(model, x, u):
    """Multiply-adds of an image, on average, that blocks cost and u (N, K) skips."""
    rows = {row.path: row.cost.multiply_adds for row in summary(model, x).rows}
    blocks = [rows[f"blocks.{k}"] / len(u) for k in range(BLOCKS)]
    assert min(blocks) > 0
    return (~u).mean(axis=0) @ blocks


def test_multiply_adds_are_those_of_the_blocks_that_run():
    class Skipping(nn.Module):
        def __init__(self, model):
            self.model = model

        def forward(self, x):
            return skipping(self.model, x, U)

    model, x = net(), mg.tensor(images())
    expected = multiply_adds(model, x) - saved_by(model, x, U)
    assert multiply_adds(Skipping(model), x) == pytest.approx(expected, rel=1e-12)


def test_multiply_adds_of_a_policy_are_counted():
    model, x = nets(), mg.tensor(images())
    model.policy.logits.head.output.bias.data[::2] = -100
    u = model.decide(model.policy(x))
    assert 0 < u.mean() < 1
    own = multiply_adds(model.policy, x)
    expected = multiply_adds(model.net, x) - saved_by(model.net, x, u) + own
    assert multiply_adds(model, x) == pytest.approx(expected, rel=1e-12)


def test_only_the_last_blocks_are_decided():
    x = mg.tensor(images())
    for decided in range(BLOCKS + 1):
        model = nets(decided)
        model.policy.logits.head.output.bias.data[:] = -100
        u = model.decide(model.policy(x))
        assert_array_equal(u, np.tile(~last(decided, BLOCKS), (6, 1)))
        assert_allclose(model(x).numpy(), skipping(model.net, x, u).numpy(), rtol=1e-12)


def test_with_nothing_decided_the_policy_does_not_run():
    model, x = nets(0), mg.tensor(images())
    assert multiply_adds(model, x) == multiply_adds(model.net, x)
    assert_array_equal(model(x).numpy(), model.net(x).numpy())


def test_bad_decisions_and_networks_are_named():
    x = mg.tensor(images())
    said = r"u has shape \(5, 6\), expected \(6, 5\), a decision for each image"
    with pytest.raises(ShapeError, match=said):
        gated(net(), x, U.T)
    with pytest.raises(ArgumentError, match="skipping: u has dtype int64, expected bo"):
        skipping(net(), x, U.astype(int))
    random = resnet((1, 1), widths=(4, 8), survivals=(1.0, 0.5), seed=0)
    with pytest.raises(ArgumentError, match=r"survival below 1 are \[1\], expected no"):
        BlockDropNet(random, policy_net(2, in_channels=3, seed=0))

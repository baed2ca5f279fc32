"""How BlockDrop trains: its losses, its phases, and that it resumes bit for bit."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import minigrad as mg
from minigrad import nn, optim
from minigrad.errors import ArgumentError
from models.experiments.pool import Hooks, Job, Stopped
from models.layerout import blockdrop_curve as curve
from models.layerout.blockdrop.inference import BlockDropNet, gated, skipping
from models.layerout.blockdrop.phases import PhasedOptimizer
from models.layerout.blockdrop.policy import PolicyNet, bounded
from models.layerout.blockdrop.reward import is_right, reward
from models.layerout.blockdrop.training import Recipe, joint_loss, policy_loss
from models.networks.resnet import resnet

RECIPE = Recipe(pretraining=1, policy=2, entropy_weight=0.0, gamma=2.0, joint_gamma=3.0)
CONFIG = replace(
    curve.PRESETS["tiny"].config,
    epochs=4,
    batch_size=32,
    max_examples=160,
    max_test=40,
    blocks=(1, 1, 1),
    widths=(4, 4, 8),
    recipe=Recipe(pretraining=1, policy=2, policy_batch=48, joint_batch=48),
)
HOOKS = Hooks(lambda event: None, lambda: False)
IMAGES = np.random.default_rng(0).standard_normal((3, 1, 8, 8))


class Constant(nn.Module):
    """The same logits (K,) for every image."""

    def __init__(self, logits):
        self.logits = nn.Linear(1, len(logits), bias=True, dtype="float64")
        self.logits.weight.data[:] = 0
        self.logits.bias.data[:] = logits

    def forward(self, x):
        return self.logits(x[:, 0, :1, 0] * 0)


def nets(logits=(0.3, -0.8)):
    net = resnet((1, 1), widths=(4, 8), in_channels=1, seed=0).to("float64")
    net.blocks[0].branch.norm2.weight.data[:] = 3
    return BlockDropNet(net, PolicyNet(Constant(logits)))


class Fixed:
    """Draws, in the place of a generator, what makes the decisions u (N, K)."""

    def __init__(self, u):
        self.u = u

    def random(self, shape):
        return np.broadcast_to(np.where(self.u, 0.0, 1.0), shape)


def labels_of(model):
    """What the network itself says with all blocks but one, so that both count."""
    u = np.array([[True, False]] * len(IMAGES))
    return skipping(model.net.eval(), mg.tensor(IMAGES), u).numpy().argmax(1)


def expected_reward(model, logits, labels):
    """Mean reward over images and over all policies of two blocks."""
    q = 1 / (1 + np.exp(-np.array(logits)))
    chance, total = RECIPE.bound * q + (1 - RECIPE.bound) * (1 - q), 0.0
    for u in itertools.product([False, True], repeat=2):
        many = np.array([u] * len(IMAGES))
        right = is_right(skipping(model.net, mg.tensor(IMAGES), many), labels)
        probability = np.prod(np.where(u, chance, 1 - chance))
        total += probability * reward(many, right, RECIPE.gamma).mean()
    return total


def gradient(model, u, labels, recipe=RECIPE):
    bias = model.policy.logits.logits.bias
    bias.grad = None
    x = mg.tensor(IMAGES)
    policy_loss(model, x, labels, recipe, Fixed(np.array(u))).backward()
    return bias.grad.numpy()


def test_over_all_policies_the_gradient_is_that_of_the_expected_reward():
    logits = np.array([0.3, -0.8])
    model = nets(logits)
    labels = labels_of(model)
    chance = bounded(mg.tensor(1 / (1 + np.exp(-logits))), RECIPE.bound).numpy()
    found = sum(
        np.prod(np.where(u, chance, 1 - chance)) * gradient(model, u, labels)
        for u in itertools.product([False, True], repeat=2)
    )
    step = np.eye(2) * 1e-6
    ends = [
        [expected_reward(model, logits + s * e, labels) for s in (1, -1)] for e in step
    ]
    slope = np.array([(high - low) / 2e-6 for high, low in ends])
    assert abs(slope).min() > 1e-3
    assert_allclose(-found, slope, rtol=1e-6)


def test_blocks_that_are_not_decided_run_and_teach_nothing():
    model = nets((-5.0, 1.0))
    model.decided = 1
    labels = labels_of(model)
    found = gradient(model, (False, False), labels, replace(RECIPE, entropy_weight=1.0))
    assert found[0] == 0
    assert found[1] != 0


def test_in_phase_policy_the_network_is_left_alone():
    model = nets()
    model.train()
    before = {name: array.copy() for name, array in model.net.state_dict().items()}
    gradient(model, (False, True), labels_of(model))
    assert not any(p.has_grad for p in model.net.parameters())
    for name, array in model.net.state_dict().items():
        assert_array_equal(array, before[name])
    assert model.policy.training
    assert not model.net.training


def test_in_phase_joint_the_network_learns_from_labels_the_policy_from_rewards():
    model, found = nets((2.0, -2.0)), []
    model.train()
    model.net.blocks[0].branch.norm2.weight.data[:] = 30
    u, x = np.array([[False, True]] * len(IMAGES)), mg.tensor(IMAGES)
    labels = gated(model.net, x, u).numpy().argmax(1)
    for gamma in (3.0, 300.0):
        model.zero_grad()
        recipe = replace(RECIPE, joint_gamma=gamma)
        joint_loss(model, x, labels, recipe, Fixed(u)).backward()
        policy = model.policy.logits.logits.bias.grad.numpy().copy()
        found.append((model.net.head.output.weight.grad.numpy().copy(), policy))
    assert_array_equal(found[0][0], found[1][0])
    assert np.abs(found[0][0]).max() > 0
    assert not np.allclose(found[0][1], found[1][1])


def test_a_policy_learns_which_block_is_needed():
    model = nets((0.0, 0.0))
    # With weights of 0 in its last norm the second block gives what its shortcut does.
    model.net.blocks[1].branch.norm2.weight.data[:] = 0
    model.net.blocks[0].branch.norm2.weight.data[:] = 30
    images = np.random.default_rng(3).standard_normal((32, 1, 8, 8))
    x, everything = mg.tensor(images), np.ones((32, 2), bool)
    labels = skipping(model.net.eval(), x, everything).numpy().argmax(1)
    without = skipping(model.net, x, everything & [False, True]).numpy().argmax(1)
    assert (without != labels).mean() > 0.5
    optimizer, rng = optim.Adam(model.policy.parameters(), lr=0.1), mg.random.Streams(0)
    for _ in range(60):
        optimizer.zero_grad()
        loss = policy_loss(model, x, labels, RECIPE, rng.next("decisions"))
        loss.backward()
        optimizer.step()
    assert_array_equal(model.decide(model.policy(x)), everything & [True, False])
    assert is_right(model.eval()(x), labels).all()


# -- phases ----------------------------------------------------------------------------


def test_phases_follow_each_other_and_the_curriculum_grows():
    recipe = Recipe(pretraining=2, policy=4, joint_rates=((0, 1e-3), (1, 1e-4)))
    phases = [recipe.phase(epoch) for epoch in range(8)]
    assert phases == ["pretraining"] * 2 + ["policy"] * 4 + ["joint"] * 2
    decided = [recipe.decided(epoch, 3) for epoch in range(8)]
    assert decided == [0, 0, 1, 2, 3, 3, 3, 3]
    assert [recipe.rate(epoch) for epoch in (2, 5, 6, 7)] == [1e-3, 1e-3, 1e-3, 1e-4]


def test_each_phase_trains_what_it_should():
    training = curve.build(CONFIG, curve.ARM, 0)

    def state():
        parts = training.nets.net, training.nets.policy
        return [b"".join(p.numpy().tobytes() for p in m.parameters()) for m in parts]

    trained, records, before = [], [], state()
    for epoch in range(4):
        records.append(training.run_epoch(epoch, HOOKS))
        after = state()
        trained.append(tuple(a != b for a, b in zip(after, before, strict=True)))
        before = after
    assert trained == [(True, False), (False, True), (False, True), (True, True)]
    assert [record["decided"] for record in records] == [0, 1, 2, 3]
    assert [record["phase"] for record in records] == [
        *("pretraining", "policy", "policy", "joint")
    ]
    assert records[0]["kept"] == 3
    assert all(3 >= record["kept"] >= 3 - record["decided"] for record in records)


def job(path):
    path.mkdir(exist_ok=True)
    names = ("layerout.blockdrop", curve.ARM, 0, CONFIG, "hash", "numpy")
    return Job(*names, path / "a.safetensors", train=curve.train)


class Steps:
    """Asks a training to stop at its n-th step."""

    def __init__(self, count):
        self.left = count

    def __call__(self):
        self.left -= 1
        return self.left < 0


def test_a_training_stopped_in_any_phase_goes_on_bit_for_bit(tmp_path, stable):
    whole = curve.train(job(tmp_path / "whole"), HOOKS)
    # 144 images: epochs of 5, 3, 3 and 3 steps; each is stopped in once.
    for steps in (3, 6, 4, 4):
        with pytest.raises(Stopped):
            curve.train(job(tmp_path / "parts"), replace(HOOKS, stopped=Steps(steps)))
    assert stable(curve.train(job(tmp_path / "parts"), HOOKS)) == stable(whole)


# -- optimizers ------------------------------------------------------------------------


def optimizers(weight):
    momentum = optim.SGD([weight], lr=0.1, momentum=0.9)
    other = mg.tensor([2.0], requires_grad=True)
    parts = {"sgd": momentum, "adam": optim.Adam([other, weight], lr=0.1)}
    return PhasedOptimizer(parts), other


def step(optimizer, weight):
    optimizer.zero_grad()
    (weight * weight).sum().backward()
    optimizer.step()


def test_optimizers_resume_as_one(tmp_path):
    def run(stop):
        weight = mg.tensor([1.0], requires_grad=True)
        optimizer, _ = optimizers(weight)
        for number, phase in enumerate(["sgd", "sgd", "adam", "sgd", "adam"]):
            if number == stop:
                saved = optimizer.state_dict()
                weight = weight.detach().requires_grad_()
                optimizer, _ = optimizers(weight)
                optimizer.load_state_dict(saved)
            optimizer.use(phase)
            step(optimizer, weight)
        return weight.item()

    assert {run(stop) for stop in range(5)} == {run(None)}


def test_the_optimizer_in_use_steps_and_all_gradients_are_cleared():
    weight = mg.tensor([1.0], requires_grad=True)
    optimizer, other = optimizers(weight)
    (weight * other).sum().backward()
    optimizer.step()
    assert other.item() == 2
    optimizer.use("adam")
    optimizer.param_groups[0]["lr"] = 0.5
    optimizer.step()
    assert other.item() == pytest.approx(1.5)
    optimizer.use("sgd")
    optimizer.zero_grad()
    assert not other.has_grad
    with pytest.raises(ArgumentError, match="phase 'rest', expected one of 'sgd', 'ad"):
        optimizer.use("rest")

import math
import statistics
from dataclasses import replace

import numpy as np
import pytest

from minigrad import functional as F
from minigrad import no_grad, tensor
from minigrad.errors import ArgumentError
from minigrad.optim.lr_scheduler import ReduceLROnPlateau
from models.conv_aware_init import images, table3, table4
from models.conv_aware_init.image_claims import (
    TABLE2,
    TABLE3_ACCURACY,
    TABLE3_LOSS,
    TABLE4_ACCURACY,
    TABLE4_LOSS,
)
from models.conv_aware_init.training import SoftTargetTraining
from models.experiments import checkpoint
from models.experiments.pool import Hooks, Job, Stopped

CONFIG = replace(table3.TINY, epochs=4, max_examples=192, max_test=64)
QUIET = Hooks(lambda event: None, lambda: False)


def job(folder, arm="cai_soft", config=CONFIG):
    folder.mkdir(exist_ok=True, parents=True)
    names = ("cai.table3", arm, 0, config, "hash", "numpy", folder / "a.safetensors")
    return Job(*names, train=table3.train)


class Steps:
    """Asks a training to stop at its n-th step."""

    def __init__(self, count):
        self.left = count

    def __call__(self):
        self.left -= 1
        return self.left < 0


@pytest.fixture(scope="module")
def soft(tmp_path_factory):
    """A training with soft targets from its beginning to its end."""
    return table3.train(job(tmp_path_factory.mktemp("soft")), QUIET)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Metrics and checkpoint of a network that began with CAI."""
    made = job(tmp_path_factory.mktemp("trained"), "cai")
    return table3.train(made, QUIET), made.checkpoint


def resumed(folder, train, config, arm, steps):
    """Train, but stop at a step, and go on from the checkpoint."""
    with pytest.raises(Stopped):
        train(job(folder, arm, config), Hooks(lambda event: None, Steps(steps)))
    return train(job(folder, arm, config), QUIET)


# 5 steps an epoch: in the epoch of the first soft targets, and behind it.
@pytest.mark.parametrize("steps", [8, 17])
def test_a_training_with_soft_targets_goes_on_bit_for_bit(
    tmp_path, stable, soft, steps
):
    parts = resumed(tmp_path, table3.train, CONFIG, "cai_soft", steps)
    assert stable(parts) == stable(soft)


def test_a_training_whose_rate_falls_behind_a_plateau_goes_on_bit_for_bit(
    tmp_path, stable, monkeypatch
):
    config = replace(CONFIG, plateau=True, epochs=8, max_examples=64)
    # Accuracy that stands still: the rate falls in the sixth epoch, behind the stop.
    monkeypatch.setattr(SoftTargetTraining, "accuracy", lambda *_: 50.0)
    measure = SoftTargetTraining.measure
    still = {"validation_accuracy": 50.0}
    monkeypatch.setattr(
        SoftTargetTraining, "measure", lambda *args: {**measure(*args), **still}
    )
    falls = []
    step = ReduceLROnPlateau.step

    def watched(scheduler, value):
        step(scheduler, value)
        falls.append(scheduler.get_last_lr()[0])

    monkeypatch.setattr(ReduceLROnPlateau, "step", watched)
    whole = table4.train(job(tmp_path / "whole", "cai", config), QUIET)
    np.testing.assert_allclose(falls, [0.05] * 5 + [0.005] * 3)
    falls.clear()
    # 2 steps an epoch.
    parts = resumed(tmp_path / "parts", table4.train, config, "cai", 7)
    np.testing.assert_allclose(falls, [0.05] * 5 + [0.005] * 3)
    assert stable(parts) == stable(whole)


def test_a_rate_and_a_plateau_exclude_each_other():
    made = images.build(replace(CONFIG, plateau=True), table4.ARMS["cai"], 0)
    with pytest.raises(ArgumentError, match="expected one of them"):
        replace(made, rate=lambda epoch: 0.1)


def test_gamma_0_is_the_training_on_labels_bit_for_bit(tmp_path, stable):
    config = replace(CONFIG, gamma=0.0, epochs=2)
    soft, plain = (
        table3.train(job(tmp_path / arm, arm, config), QUIET)
        for arm in ("cai_soft", "cai")
    )
    assert stable(soft) == stable(plain)


def test_soft_targets_are_what_the_network_says_in_evaluation():
    made = images.build(CONFIG, table3.ARMS["cai_soft"], 0)
    part = made.examples.train
    assert (made.training_part(0).labels == part.labels).all()
    soft = made.training_part(CONFIG.burn_in).labels
    made.model.eval()
    with no_grad():
        said = F.softmax(made.outputs(part.images), 1).numpy()
    onehot = np.eye(10)[part.labels]
    np.testing.assert_allclose(soft, 0.5 * said + 0.5 * onehot, atol=1e-6)
    np.testing.assert_allclose(soft.sum(1), 1, atol=1e-5)
    assert set(dict(made.saved.named_buffers())) >= {"soft_target.average"}


def test_losses_are_those_of_the_parts_and_of_the_history(trained):
    result, path = trained
    made = images.build(CONFIG, table3.ARMS["cai"], 0)
    checkpoint.restore(made, path)
    made.model.eval()
    with no_grad():
        x, labels = made.examples.test
        loss = F.cross_entropy(made.outputs(x), tensor(labels)).item()
    losses = [epoch["test_loss"] for epoch in result["history"]]
    assert result["last_test_loss"] == losses[-1] == pytest.approx(loss, rel=1e-5)
    assert result["mean_test_loss"] == pytest.approx(statistics.fmean(losses))


def test_arms_share_all_but_the_first_weights_of_convolutions():
    one, other = (
        images.build(CONFIG, table3.ARMS[arm], 0).model for arm in ("cai", "he_normal")
    )
    theirs = dict(other.named_parameters())
    for name, parameter in one.named_parameters():
        same = (parameter.numpy() == theirs[name].numpy()).all()
        taps = math.prod(parameter.shape[2:])
        assert same != (parameter.ndim == 4), (name, taps)


def test_shares_of_the_shortcuts_are_shares(trained):
    explanation = table3.explain(CONFIG, {"cai": trained[1]})
    made = images.build(CONFIG, table3.ARMS["cai"], 0)
    shares = images.shortcut_shares(explanation.flow, made.model)
    assert set(shares) == {1, 2, 3}
    meetings = ("stem/conv2d_no_bias#1", "blocks.1/relu#1", "blocks.2/relu#1")
    branches = ("blocks.0.norm1", "blocks.1", "blocks.2")
    for block, (meeting, branch) in enumerate(zip(meetings, branches, strict=True), 1):
        edges = explanation.flow.into(meeting).edges
        (rest,) = (
            e.measures.share for e in edges if e.module in (branch, f"{branch}.conv1")
        )
        assert shares[block] == pytest.approx(1 - rest, abs=1e-6)


def test_the_plateau_lowers_the_rate_as_the_paper_says():
    """0.01, then 0.001, then 0.0005, each after five epochs without improvement."""
    config = replace(table4.PRESETS["full"].config, dataset="digits", image_size=8)
    made = images.build(
        replace(config, depth=10, width=1, max_examples=64), table4.ARMS["cai"], 0
    )
    rates = []
    for _ in range(16):
        rates.append(made.optimizer.param_groups[0]["lr"])
        made.scheduler.step(50.0)
    np.testing.assert_allclose(rates, [0.01] * 6 + [0.001] * 5 + [0.0005] * 5)


def test_published_numbers_are_those_of_the_paper():
    for table in (TABLE3_ACCURACY, TABLE3_LOSS):
        assert set(table) == {arm for arm in table3.ARMS if arm != "orthogonal_sqrt2"}
    assert set(TABLE4_ACCURACY) == set(TABLE4_LOSS) == set(table4.ARMS)
    # "our tests" and the row of He normal are one experiment, 0.02 apart in the paper.
    assert TABLE2["cifar10"]["he_normal"] - TABLE3_ACCURACY["he_normal"] == (
        pytest.approx(0.02)
    )
    for arm in ("cai_soft", "he_normal_soft"):
        assert TABLE2["cifar10"][arm] == TABLE3_ACCURACY[arm]

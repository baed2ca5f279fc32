"""LayerOut's experiments: how they train, what they count, and that they go on."""

import json
from dataclasses import replace

import numpy as np
import pytest

from minigrad import tensor
from minigrad.inspect import backward_cost
from models.experiments import checkpoint
from models.experiments.errors import RunError
from models.experiments.pool import Hooks, Job
from models.layerout import cifar, common, table1
from models.layerout.arms import ARMS, dfreeze, efreeze
from models.layerout.cifar_claims import RESNET, RESNET_FROZEN, VGG, VGG_FROZEN
from models.layerout.measures import savings
from models.layerout.table1 import TABLE1

CONFIG = replace(
    TABLE1.presets["tiny"].config, epochs=3, warm_up=1, max_examples=192, max_test=64
)
HOOKS = Hooks(lambda event: None, lambda: False)


def train(folder, arm, config=CONFIG):
    place = folder / f"{arm}.safetensors"
    job = Job("layerout.table1", arm, 0, config, "", "numpy", place, TABLE1.train)
    return TABLE1.train(job, HOOKS)


def weights(training):
    return [parameter.numpy().tobytes() for parameter in training.model.parameters()]


def test_published_probabilities_fall_or_rise_with_depth():
    assert efreeze(7) == (0.9, 0.7, 0.6, 0.5, 0.4, 0.3, 0.1)
    assert len(efreeze(16)) == 16
    for count in (2, 7, 16, 20):
        assert list(efreeze(count)) == sorted(efreeze(count), reverse=True)
        assert dfreeze(count) == efreeze(count)[::-1]


def test_all_arms_start_alike_and_differ_in_what_freezes():
    made = {arm: table1.build(CONFIG, arm, 0) for arm in TABLE1.arms}
    assert len({tuple(weights(training)) for training in made.values()}) == 1
    assert made["baseline"].layer_out is None
    assert made["since_start"].layer_out.warm_up == 0
    assert made["warm_up"].layer_out.warm_up == CONFIG.warm_up
    assert made["efreeze"].layer_out.v == efreeze(7)
    assert made["efreeze_prefix"].layer_out.prefix_only
    assert made["warm_up_once"].layer_out.resample == "once"
    assert made["baseline_reset"].layer_out.momentum == "reset_all"
    assert not any(made["baseline_reset"].layer_out.frozen(50))


def test_rates_are_those_of_their_epochs():
    full = cifar.TABLE3.presets["full"].config
    rates = [full.rate(epoch) for epoch in (0, 3, 4, 81, 82, 122, 123, 163)]
    assert rates == [0.01, 0.01, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001]
    code = cifar.as_code(full)
    assert [code.rate(e) for e in (0, 4, 82, 123)] == pytest.approx(
        [0.01, 1e-3, 1e-4, 1e-5]
    )
    assert (code.weight_decay, full.weight_decay) == (1e-4, 5e-4)
    vgg = cifar.TABLE2.presets["full"].config
    assert [vgg.rate(e) for e in (0, 149, 150, 224, 225)] == [
        0.1,
        0.1,
        0.01,
        0.01,
        1e-3,
    ]
    assert full.learning_rate == 0.1


def test_images_are_padded_with_black_and_erased_with_the_published_values():
    config = replace(CONFIG, padding=2)
    plain = common.examples_of(CONFIG).train.images
    padded = common.examples_of(config).train.images
    np.testing.assert_array_equal(padded[:, :, 2:-2, 2:-2], plain)
    assert not padded[:, :, :2].any()
    assert common.statistics_of(config) == common.statistics_of(CONFIG)
    still = replace(config, shift=0, flip=False)
    stats = (np.array([0.5]), np.array([0.25]))
    rng = np.random.default_rng(0)
    erase = common.augmentation(still, ARMS["baseline_re"], stats)
    seen = erase(padded, rng)
    changed = (seen != padded).any(axis=(1, 2, 3))
    assert 0.3 < changed.mean() < 0.6
    assert set(np.unique(seen[seen != padded])) == {round(255 * (0.5 + 0.25 * 0.5))}
    leave = common.augmentation(still, ARMS["baseline"], stats)
    np.testing.assert_array_equal(leave(padded, rng), padded)


def test_an_epoch_says_what_was_frozen_and_that_is_what_stood_still():
    training = table1.build(CONFIG, "efreeze", 0)
    layer_out = training.layer_out
    for epoch in range(4):
        record = training.run_epoch(epoch, HOOKS)
        frozen = layer_out.frozen(epoch)
        assert record["active"] == (epoch >= 1)
        assert record["frozen"] == [place for place, s in enumerate(frozen) if s]
        assert record["unchanged_share"] == pytest.approx(record["frozen_share"])
        assert record["frozen_share"] == 100 * layer_out.frozen_share(epoch)
        assert record["backward_seconds"] > 0
        with layer_out.epoch(epoch):
            x = tensor(training.as_input(training.examples.train.images[:5]))
            share = backward_cost(training.model, x).saved_share
        assert record["saved_share"] == pytest.approx(100 * share)


def test_means_are_over_epochs_behind_the_warm_up():
    epoch = {"backward_seconds": 1.0, "seconds": 2.0, "expected_share": 30.0}
    history = [
        epoch | {"active": False, "frozen_share": 0.0, "unchanged_share": 0.0,
                 "saved_share": 0.0, "backward_seconds": 9.0},
        epoch | {"active": True, "frozen_share": 40.0, "unchanged_share": 41.0,
                 "saved_share": 10.0},
        epoch | {"active": True, "frozen_share": 20.0, "unchanged_share": 20.0,
                 "saved_share": 20.0},
    ]  # fmt: skip
    found = savings(history)
    assert found == {
        "frozen_share": 30.0,
        "frozen_share_all": 20.0,
        "expected_share": 30.0,
        "misreported": 1.0,
        "saved_share": 15.0,
        "saved_per_frozen": 0.5,
        "backward_seconds": 1.0,
        "epoch_seconds": 2.0,
    }


@pytest.mark.parametrize("arm", ["warm_up", "efreeze_reset"])
def test_a_training_that_is_cut_off_goes_on_to_the_same_bits(arm, tmp_path, stable):
    whole = train(tmp_path, arm)
    other = tmp_path / "other"
    other.mkdir()
    train(other, arm, replace(CONFIG, epochs=2))
    assert stable(train(other, arm)) == stable(whole)
    ends = [folder / f"{arm}.safetensors" for folder in (tmp_path, other)]
    made = [table1.build(CONFIG, arm, 0) for _ in ends]
    for training, path in zip(made, ends, strict=True):
        checkpoint.restore(training, path)
    assert weights(made[0]) == weights(made[1])


def test_with_nothing_frozen_it_is_the_baseline_bit_for_bit(tmp_path, stable):
    config = replace(CONFIG, warm_up=9)
    plain, frozen = (train(tmp_path, arm, config) for arm in ("baseline", "efreeze"))
    for name in ("train_loss", "test_accuracy", "validation_accuracy"):
        assert [epoch[name] for epoch in plain["history"]] == [
            epoch[name] for epoch in frozen["history"]
        ]


def test_a_loss_that_is_not_finite_names_what_was_frozen(tmp_path):
    config = replace(CONFIG, rates=((0, 1e6),), warm_up=0)
    with pytest.raises(RunError, match=r"seed 0: .* in which .*conv.* were frozen"):
        train(tmp_path, "efreeze", config)


def test_published_gains_are_those_that_the_paper_states():
    """`48.23%` and `48.87%` fewer parameters are the means of the two rows."""
    for dataset, mean in (("cifar10", 48.23), ("cifar100", 48.865)):
        assert np.mean(list(RESNET_FROZEN[dataset].values())) == pytest.approx(mean)
        for table in (RESNET, VGG):
            assert set(table[dataset]) <= set(ARMS)
    assert VGG_FROZEN["cifar10"]["dfreeze"] == 69.91
    assert RESNET["cifar100"]["warm_up"] - RESNET["cifar100"]["baseline"] == (
        pytest.approx(4.24)
    )


# -- CIFAR-100 -------------------------------------------------------------------------


def write_cifar100(folder, train=200, test=100):
    """Write files in the published format, of images that can be told apart."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for name, count in (("train.bin", train), ("test.bin", test)):
        fine = np.arange(count) % 100
        images = rng.integers(0, 64, (count, 3, 32, 32))
        images += (fine[:, None] * np.array([1, 7, 13]) % 180)[..., None, None]
        rows = np.concatenate(
            [fine[:, None] // 5, fine[:, None], images.reshape(count, -1)], axis=1
        )
        (folder / name).write_bytes(rows.astype(np.uint8).tobytes())


@pytest.mark.parametrize(
    "table",
    ["layerout.table5", pytest.param("layerout.table4", marks=pytest.mark.slow)],
)
def test_cifar100_runs_from_end_to_end_on_files_in_its_format(
    table, start, tmp_path, monkeypatch
):
    write_cifar100(tmp_path / "data" / "cifar-100-binary")
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path / "data"))
    out = tmp_path / "run"
    options = ("--preset", "tiny", "--dataset", "cifar100", "--seeds", 2, "--json")
    process = start("run", table, *options, "--out", out)
    printed, errors = process.communicate(timeout=280)
    assert process.returncode == 0, errors
    assert "the files are not the published ones" in errors
    found = json.loads(printed.splitlines()[-1])
    assert (found["dataset"], found["seeds"]) == ("cifar100", 2)
    assert "not from the published files, but from a copy" in printed
    (honest,) = (c for c in found["claims"] if "bit for bit" in c["name"])
    assert honest["verdict"] == "reproduced"
    summary = json.loads((out / "summary.json").read_text())
    arms = summary["records"][0]["arms"]
    assert all(0 <= arm["last_test_accuracy"] <= 100 for arm in arms.values())
    assert (out / "figure.png").stat().st_size > 10_000

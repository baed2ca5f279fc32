import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.io import savemat
from scipy.special import expit

import minigrad as mg
from datasets import DataError
from minigrad import nn
from minigrad.random import Streams
from models.experiments.data import load_examples
from models.experiments.loop import Training
from models.experiments.pool import Hooks, Job, Stopped
from models.experiments.summary import show_results
from models.experiments.verdicts import Verdict, decide
from models.gaaf import cnn
from models.gaaf.table5 import PRESETS, TABLE5
from models.gaaf.table5_claims import (
    ACCURACY,
    CLAIMS,
    NAMES,
    TRAIN_ACCURACY,
    published_gain,
)

CONFIG = replace(
    PRESETS["tiny"].config, epochs=2, max_examples=192, max_test=64, hidden=(16,)
)


def train(folder, arm, config=CONFIG, stopped=lambda: False):
    place = folder / f"{arm}.safetensors"
    job = Job("gaaf.table5", arm, 0, config, "", "numpy", place, TABLE5.train)
    return TABLE5.train(job, Hooks(lambda event: None, stopped))


# -- networks and training -------------------------------------------------------------


def test_arms_start_from_the_same_weights_and_differ_in_activations_and_norms():
    models = {arm: cnn.build(CONFIG, arm, 0).model for arm in cnn.ARMS}
    weights = {
        arm: [weight.data for _, weight in cnn.weights_of(model).values()]
        for arm, model in models.items()
    }
    for arm, made in cnn.ARMS.items():
        for ours, theirs in zip(weights[arm], weights["base"], strict=True):
            np.testing.assert_array_equal(ours, theirs)
        kinds = [type(part) for part in models[arm].children()]
        assert kinds.count(nn.GAAF) == (5 if made.gaaf else 0)
        assert kinds.count(nn.BatchNorm2d) == (4 if made.batch_norm else 0)
        assert kinds.count(nn.BatchNorm1d) == (1 if made.batch_norm else 0)


@pytest.mark.parametrize(("arm", "shift"), [("gaaf", 2.5), ("gaaf_a-1", -1.0)])
def test_the_shape_is_a_sigmoid_shifted_by_the_arm_or_the_configuration(arm, shift):
    model = cnn.build(replace(CONFIG, shape_shift=2.5), arm, 0).model
    x = mg.tensor([-3.0], requires_grad=True)
    model.activation1(x).sum().backward()
    assert x.grad.item() == pytest.approx(expit(-3 + shift), rel=1e-3)


def test_networks_follow_the_data_set():
    full = PRESETS["full"].config
    images = SimpleNamespace(images=np.zeros((1, 3, 32, 32), np.uint8))
    for dataset, classes, convolutions in (("cifar100", 100, 10), ("svhn", 10, 4)):
        config = replace(full, dataset=dataset)
        examples = SimpleNamespace(train=images, num_classes=classes)
        names = cnn.weights_of(cnn.network(config, "base", examples, Streams(0), 0))
        assert len(names) == convolutions + 3
        assert names["output"][1].shape[0] == classes


def test_g_is_measured_of_every_convolution_and_dense_layer():
    training = cnn.build(CONFIG, "bn_gaaf", 0)
    images, labels = training.examples.train
    training.model.train()
    with training.probe.watch(0):
        training.loss(images[:32], labels[:32]).backward()
    measured = training.probe.finish_epoch()["gradient_batch"]
    names = ["conv1", "conv2", "conv3", "conv4", "dense1", "output"]
    assert list(measured) == names
    for name in names:
        weight = getattr(training.model, name).weight
        expected = np.abs(weight.grad.numpy()).mean()
        assert measured[name] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("arm", "first"), [("base", 1e-3), ("bn", 4e-3), ("gaaf_half", 5e-4)]
)
def test_rates_are_those_of_the_arm_and_halve(arm, first):
    config = replace(CONFIG, learning_rate_bn=4e-3, halve_every=3)
    rate = cnn.build(config, arm, 0).rate
    expected = [first] * 3 + [first / 2] * 3 + [first / 4]
    assert [rate(epoch) for epoch in range(7)] == pytest.approx(expected)


def test_channels_are_standardised_over_the_training_part():
    training = cnn.build(CONFIG, "base", 0)
    inputs = training.as_input(training.examples.train.images)
    assert inputs.mean() == pytest.approx(0, abs=1e-5)
    assert inputs.std() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("arm", ["bn_gaaf", "gaaf_half"])
def test_a_training_stopped_anywhere_goes_on_bit_for_bit(tmp_path, stable, arm):
    (tmp_path / "parts").mkdir()
    whole = train(tmp_path, arm)
    steps = iter([False] * 4)
    with pytest.raises(Stopped):
        train(tmp_path / "parts", arm, stopped=lambda: next(steps, True))
    assert stable(train(tmp_path / "parts", arm)) == stable(whole)


def test_every_gaaf_layer_enlarges_the_gradient_on_its_way_down():
    # Why plain SGD cannot train the paper's twelve of them at the rate of the base.
    measured = {}
    for arm in ("base", "gaaf"):
        training = cnn.build(replace(CONFIG, hidden=(64,)), arm, 0)
        images, labels = training.examples.train
        training.loss(images, labels).backward()
        measured[arm] = [
            float(np.abs(weight.grad.numpy()).mean())
            for _, weight in cnn.weights_of(training.model).values()
        ]
    ratios = np.divide(measured["gaaf"], measured["base"])
    assert (ratios[:-1] > 1.5 * ratios[1:]).all()
    assert ratios[0] > 20
    assert ratios[-1] == pytest.approx(1, abs=1e-3)


# -- records, claims, tables -----------------------------------------------------------


def record(seed=0, dataset="cifar10", official=True, **changes):
    """What is published; changes are test accuracies, or dicts of metrics, by arm."""
    numbers = ACCURACY.get(dataset, ACCURACY["cifar10"])
    others = numbers["gaaf"] + 2.5
    # What the paper says of dropout in words: a gain without batch norm, none with it.
    numbers = {
        **numbers,
        "dropout": numbers["base"] + 0.5,
        "bn_dropout": numbers["bn"] - 0.5,
    }
    arms = {}
    for number, (arm, made) in enumerate(cnn.ARMS.items()):
        # A spread over seeds, other than the others', or tests had an infinite t.
        noise = 0.01 * ((seed + number) % 3)
        test = numbers.get(arm, others) + noise
        g = {"conv1": 2.0 if made.gaaf else 1.0, "dense1": 3.0 if made.gaaf else 1.0}
        arms[arm] = {
            "dataset": dataset,
            "official_files": official,
            "test_accuracy": test,
            "best_test_accuracy": test + 0.1,
            "last_test_accuracy": test,
            "sawtooth_test_accuracy": test,
            "train_accuracy": TRAIN_ACCURACY.get(dataset, 99.0) + noise,
            "gradient_batch": {layer: x * (1 + noise) for layer, x in g.items()},
            "nets_off": {"conv1": 40.0, "dense1": 60.0},
            "gradient_off": {"conv1": 30.0, "dense1": 35.0},
            "cosine": {"conv1": 0.5, "dense1": 0.9},
            "history": [{"train_loss": 1.0}, {"train_loss": 0.1 + noise}],
        }
    for arm, change in changes.items():
        if not isinstance(change, dict):
            noise = arms[arm]["test_accuracy"] - numbers.get(arm, others)
            change = {"test_accuracy": change + noise}
        arms[arm] |= change
    return {"seed": seed, "arms": arms}


def verdict(claim, dataset="cifar10", **changes):
    records = [record(seed, dataset, **changes) for seed in range(3)]
    preset = claim.presets[-1] if claim.presets else "small"
    return decide(claim, records, preset, dataset).verdict


def of(dataset, words):
    (found,) = (
        claim
        for claim in CLAIMS
        if words in claim.name and dataset in (claim.datasets or (dataset,))
    )
    return found


@pytest.mark.parametrize("dataset", NAMES)
def test_published_numbers_reproduce_every_claim(dataset):
    claims = [claim for claim in CLAIMS if dataset in claim.datasets]
    assert len(claims) == 15
    for claim in claims:
        assert verdict(claim, dataset) == Verdict.REPRODUCED, claim.name


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("GAAF is more accurate than the base", {"gaaf": 89.0}),
        ("norm GAAF is more accurate than dropout", {"bn_dropout": 92.5}),
        ("gain is smaller with batch norm", {"bn_dropout": 92.5}),
        ("dropout hinders batch norm", {"bn_dropout": 92.5}),
        ("more accurate with batch norm, too", {"bn_gaaf": 91.0}),
        ("batch norm is more accurate than the base", {"bn": 89.0}),
        ("GAAF's gain is", {"gaaf": 92.0}),
        ("GAAF's gain with batch norm is", {"bn_gaaf": 91.2}),
        ("the base reaches about", {"base": 85.0}),
        ("almost the same training accuracy", {"gaaf": {"train_accuracy": 95.0}}),
        ("that of the base is about", {"base": {"train_accuracy": 95.0}}),
        ("does not change the function", {"gaaf": {"sawtooth_test_accuracy": 88.0}}),
        (
            "lets more gradient through",
            {"gaaf": {"gradient_batch": {"conv1": 0.5, "dense1": 2.0}}},
        ),
        ("low where a unit is off", {"gaaf_a-1": 89.0}),
        ("at half the rate", {"gaaf_half": 89.0}),
    ],
)
def test_other_numbers_do_not_reproduce_a_claim(words, changes):
    claim = of("cifar10", words)
    assert verdict(claim, **changes) == Verdict.NOT_REPRODUCED


def test_orders_are_decided_at_small_sizes_at_full_and_nothing_on_digits():
    for claim in CLAIMS:
        assert not claim.decidable("small", "digits")
        assert claim.decidable("full", claim.datasets[0])
    assert not of("svhn", "GAAF's gain is").decidable("small", "svhn")
    assert of("svhn", "GAAF is more accurate than the base").decidable("small", "svhn")


def test_gains_are_those_that_the_paper_prints():
    gains = [
        [round(published_gain(dataset, arm), 2) for arm in ("gaaf", "bn_gaaf")]
        for dataset in ("cifar100", "cifar10", "svhn")
    ]
    assert gains == [[1.66, 1.88], [0.61, 0.82], [0.16, 0.36]]
    assert math.isnan(published_gain("svhn", "gaaf_half"))


def test_tables_set_measured_beside_published_numbers():
    accuracies, gradients = TABLE5.tables([record(seed) for seed in range(3)])
    assert accuracies.title == "Table 5, CIFAR-10: mean (std); measured over n = 3"
    assert all(len(row) == len(accuracies.header) for row in accuracies.rows)
    assert accuracies.rows[2][:5] == (
        *("+GAAF", "90.16", "90.17 (0.01)", "+0.61", "0.61 (0.02)"),
    )
    assert accuracies.rows[6][:5] == (
        *("+GAAF, a = -1", "-", "92.67 (0.01)", "-", "3.11 (0.00)"),
    )
    assert all(len(row) == len(gradients.header) for row in gradients.rows)
    assert gradients.rows[0] == (
        *("conv1", "1.01e+00", "2 (0.0345)", "2 (0.0345)"),
        *("40 %", "30 %", "0.50", "40 %", "30 %", "0.50"),
    )


def test_copies_of_the_published_files_are_said_to_be_copies():
    (table, _) = TABLE5.tables([record(official=False)])
    assert table.title.endswith("; not from the published files, but from a copy")


@pytest.mark.parametrize("dataset", ["cifar100", "digits"])
def test_results_say_whose_the_published_numbers_are(capsys, dataset):
    summary = {
        "preset": "small",
        "dataset": dataset,
        "records": [record(0, dataset)],
    }
    show_results(TABLE5, summary)
    out = capsys.readouterr().out
    column = NAMES.get(dataset, "CIFAR-10")
    assert f"accuracy %, published for {column}" in out
    differ = "published numbers are of cifar10, cifar100, svhn, measured ones of digits"
    assert (differ in out) == (dataset == "digits")


def test_the_figure_shows_what_is_published_of_four_arms_and_what_is_measured_of_all():
    figure = Figure()
    TABLE5.draw(figure, [record(seed, official=False) for seed in range(2)])
    left, middle, right = figure.axes

    def shown(axes):
        points = (bars.lines[0].get_ydata() for bars in axes.containers)
        return [[math.isfinite(y) for y in ys] for ys in points]

    assert shown(left) == [[True] * 4 + [False] * 4, [True] * 8]
    assert shown(middle) == [[True] * 3 + [False] * 4, [True] * 7]
    assert len(right.get_lines()) == 2 * len(cnn.ARMS)
    assert left.get_xlabel() == "measured on a copy of the published files"


# -- from files to figures -------------------------------------------------------------


def write_cifar100(root, rng):
    """96 + 24 random images in CIFAR-100's format; fine labels 99, 98, ..."""
    for name, count in (("train.bin", 96), ("test.bin", 24)):
        rows = rng.integers(0, 256, (count, 2 + 3072), np.uint8)
        rows[:, 0] = 0
        rows[:, 1] = 99 - np.arange(count) % 100
        (root / name).write_bytes(rows.tobytes())


def write_svhn(root, rng):
    """The same in SVHN's; labels 1 to 10."""
    for name, count in (("train", 96), ("test", 24)):
        images = rng.integers(0, 256, (32, 32, 3, count), np.uint8)
        labels = (np.arange(count, dtype=np.uint8) % 10 + 1)[:, None]
        savemat(root / f"{name}_32x32.mat", {"X": images, "y": labels})


@pytest.fixture
def data(tmp_path, monkeypatch):
    """An empty folder of data sets, read anew."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("MINIGRAD_DATA", str(folder))
    load_examples.cache_clear()
    yield folder
    load_examples.cache_clear()


@pytest.mark.parametrize(
    ("dataset", "write", "classes", "moves"),
    [("cifar100", write_cifar100, 100, True), ("svhn", write_svhn, 10, False)],
)
def test_a_run_goes_from_official_formats_to_tables_and_figure(
    tmp_path, data, capsys, dataset, write, classes, moves
):
    write(data, np.random.default_rng(0))
    config = replace(CONFIG, dataset=dataset, epochs=1)
    TABLE5.prepare(config)
    assert f"{dataset}: the files are not the published ones" in capsys.readouterr().err
    arms = {arm: train(tmp_path, arm, config) for arm in TABLE5.arms}
    training = cnn.build(config, "base", 0)
    assert training.model.output.weight.shape[0] == classes
    assert (training.augment is not None) == moves
    assert arms["bn_gaaf"]["official_files"] is False
    assert arms["gaaf"]["sawtooth_test_accuracy"] >= 0
    accuracies, _ = TABLE5.tables([{"seed": 0, "arms": arms}])
    assert accuracies.rows[0][1] == f"{ACCURACY[dataset]['base']:.2f}"
    TABLE5.draw(Figure(), [{"seed": 0, "arms": arms}])
    paths = {arm: tmp_path / f"{arm}.safetensors" for arm in arms}
    explanation = TABLE5.explain(config, paths)
    assert "goes to nets below 0, whose units are off" in explanation.sentence
    off = arms["gaaf"]["gradient_off"]["conv1"]
    assert f"the nets, {off:.0f} % in conv1" in explanation.sentence
    assert "into conv1/conv2d#1" in explanation.table


def test_images_are_moved_but_not_changed_in_training_on_cifar(data):
    write_cifar100(data, np.random.default_rng(0))
    training = cnn.build(replace(CONFIG, dataset="cifar100", image_size=32), "base", 0)
    assert isinstance(training, Training)
    images = np.full((40, 3, 32, 32), 7, np.uint8)
    moved = training.augment(images, np.random.default_rng(0))
    assert moved.shape == images.shape
    assert set(np.unique(moved)) == {0, 7}  # 0 comes in from beyond the border.


def test_data_that_are_not_there_are_asked_for_before_anything_is_trained(data):
    with pytest.raises(DataError, match=r"cifar100: .* lacks 2 of 2 files"):
        TABLE5.prepare(replace(CONFIG, dataset="cifar100"))

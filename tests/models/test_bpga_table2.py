import math
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

import minigrad as mg
from models.experiments.data import Examples, Part
from models.experiments.pool import Hooks, Job
from models.experiments.trained import record_flow
from models.experiments.verdicts import Verdict, decide
from models.gradient_adapter import cnn
from models.gradient_adapter.table2 import PRESETS, TABLE2
from models.gradient_adapter.table2_claims import ACCURACY, CLAIMS
from models.gradient_adapter.table2_signs import gains, signs, slope_of

CONFIG = replace(
    PRESETS["tiny"].config, epochs=2, max_examples=160, max_test=64, hidden=(16,)
)
SIGNS = ["activation1", "activation2", "dense_activation1"]


def train(folder, arm, config=CONFIG):
    place = folder / f"{arm}.safetensors"
    job = Job("bpga.table2", arm, 0, config, "", "numpy", place, TABLE2.train)
    return TABLE2.train(job, Hooks(lambda event: None, lambda: False))


# -- networks and training -------------------------------------------------------------


def test_all_arms_but_that_of_ftp_start_from_the_same_weights():
    states = {arm: cnn.build(CONFIG, arm, 0).model.state_dict() for arm in cnn.ARMS}
    for arm, state in states.items():
        equal = [np.array_equal(w, states["bpga"][name]) for name, w in state.items()]
        assert not any(equal) if arm == "ftp_sh" else all(equal)
    # PyTorch's: biases as weights, here of 5x5 pixels.
    assert 0.1 < np.abs(states["ftp_sh"]["conv1.bias"]).max() < 1 / 5


@pytest.mark.parametrize(
    ("arm", "slope", "zero"),
    [
        ("ste", np.ones_like, 0),
        ("sste", lambda x: (np.abs(x) <= 1).astype(x.dtype), 0),
        ("bpga", lambda x: 1 - np.tanh(x) ** 2, 0),
        ("ftp_sh_same", lambda x: 1 - np.tanh(x) ** 2, 0),
        ("ftp_sh", lambda x: 1 - np.tanh(x) ** 2, -1),
    ],
)
def test_arms_have_the_slopes_and_the_zeros_of_their_papers(arm, slope, zero):
    x = np.linspace(-3, 3, 61).astype(np.float32)
    for module in cnn.build(CONFIG, arm, 0).model.children():
        if hasattr(module, "zero"):
            np.testing.assert_allclose(slope_of(module, x), slope(x), atol=1e-6)
            assert module(mg.tensor([0.0])).item() == zero


@pytest.mark.parametrize(("arm", "decayed"), [("bpga", False), ("ftp_sh", True)])
def test_biases_decay_in_the_arm_of_ftp_alone(arm, decayed):
    training = cnn.build(replace(CONFIG, weight_decay=1.0), arm, 0)
    before = {}
    for name, parameter in training.model.named_parameters():
        # So that nothing but the decay moves it.
        parameter.grad = mg.tensor(np.zeros(parameter.shape, np.float32))
        parameter.data += 1
        before[name] = parameter.numpy().copy()
    training.optimizer.step()
    for name, parameter in training.model.named_parameters():
        moved = (parameter.numpy() < before[name]).all()
        assert moved == (decayed or name.endswith("weight")), name


def test_rates_fall_as_in_ftps_code_when_epochs_200_and_250_of_300_begin():
    full = PRESETS["full"].config
    rates = [cnn.rate_of_ftp(full, epoch) for epoch in (0, 198, 199, 248, 249, 299)]
    expected = [2.5e-4, 2.5e-4, 2.5e-5, 2.5e-5, 2.5e-6, 2.5e-6]
    assert rates == pytest.approx(expected)
    assert cnn.build(CONFIG, "bpga", 0).rate is None
    assert cnn.build(CONFIG, "ftp_sh", 0).rate(1) == cnn.rate_of_ftp(CONFIG, 1)


def test_images_are_standardised_and_on_cifar_moved(monkeypatch, capsys):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 3, 32, 32), np.uint8)
    part = Part(images, np.arange(20) % 10)
    found = Examples(part, part, part, 10, official=False)
    monkeypatch.setattr(cnn, "examples_of", lambda config: found)
    config = replace(PRESETS["small"].config, filters=(2, 2), hidden=(4,))
    training = cnn.build(config, "sste", 0)
    inputs = training.as_input(images)
    np.testing.assert_allclose(inputs.mean(axis=(0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(inputs.std(axis=(0, 2, 3)), 1, atol=1e-5)
    assert training.augment(images, rng).shape == images.shape
    assert not np.array_equal(training.augment(images, rng), images)
    assert cnn.build(replace(config, augment=False), "sste", 0).augment is None
    assert cnn.build(replace(config, dataset="digits"), "sste", 0).augment is None
    cnn.prepare(config)
    assert "cifar10: the files are not the published ones" in capsys.readouterr().err


def test_ftp_sh_is_bpga_under_another_name(tmp_path):
    bpga, same, ste = (train(tmp_path, arm) for arm in ("bpga", "ftp_sh_same", "ste"))
    for ours, theirs in zip(bpga["history"], same["history"], strict=True):
        assert ours["train_loss"] == theirs["train_loss"]
        assert ours["test_accuracy"] == theirs["test_accuracy"]
    assert bpga["history"][-1]["train_loss"] != ste["history"][-1]["train_loss"]


# -- what the signs let through --------------------------------------------------------


@pytest.mark.parametrize("arm", ["sste", "bpga"])
def test_signs_are_measured_as_numpy_would(arm):
    training = cnn.build(CONFIG, arm, 0)
    found = signs(training, 32)
    assert list(found["slope"]) == SIGNS
    parts = dict(training.model.named_children())
    images, labels = training.examples.train
    h = mg.tensor(training.as_input(images[:32]))
    nets = {}
    for name, part in parts.items():
        if name in SIGNS:
            nets[name] = h.numpy().astype(np.float64)
        h = part(h)
    for name, x in nets.items():
        slope = np.abs(x) <= 1 if arm == "sste" else 1 - np.tanh(x) ** 2
        assert found["slope"][name] == pytest.approx(slope.mean(), rel=1e-4)
        assert found["stopped"][name] == pytest.approx(100 * (slope == 0).mean())
    # The output layer by hand: D = (softmax - one hot) / N, dh = D W, dz = dh slope.
    p = np.exp(h.numpy() - h.numpy().max(axis=1, keepdims=True))
    d = (p / p.sum(axis=1, keepdims=True) - np.eye(10)[labels[:32]]) / 32
    dh = d @ parts["output"].weight.numpy()
    through = np.linalg.norm(dh * slope) / np.linalg.norm(dh)
    assert found["gain"]["dense_activation1"] == pytest.approx(through, rel=1e-4)
    widened = np.linalg.norm(dh) / np.linalg.norm(d)
    assert found["gain"]["output"] == pytest.approx(widened, rel=1e-4)


def test_units_with_a_slope_of_0_for_the_whole_batch_are_dead():
    training = cnn.build(CONFIG, "sste", 0)
    dense = training.model.dense1
    dense.weight.data[:] = 0
    # Nets of 0, 2, 0, 2, ... for every image.
    dense.bias.data[:] = 2 * (np.arange(16) % 2)
    found = signs(training, 32)
    assert found["dead"]["dense_activation1"] == 50
    assert found["stopped"]["dense_activation1"] == 50
    assert found["slope"]["dense_activation1"] == 0.5
    # Some images stop them, but not all.
    assert 0 < found["stopped"]["activation1"] < 100
    assert found["dead"]["activation1"] < found["stopped"]["activation1"]


def test_gains_multiply_up_to_the_norms_of_the_first_and_the_last_gradient():
    training = cnn.build(CONFIG, "bpga", 0)
    flow = record_flow(training, 32)
    modules = ["pool1", "activation1", "conv2", "pool2", "activation2", "dense1"]
    found = gains(flow)
    assert list(found) == [*modules, "dense_activation1", "output"]
    first, last = (flow.into(name) for name in ("conv1/conv2d#1", "output/linear#1"))
    ratio = first.measures.norm / last.measures.norm
    assert math.prod(found.values()) == pytest.approx(ratio, rel=1e-5)


def test_the_explanation_lists_the_signs_from_the_last_to_the_first(tmp_path):
    arms = {arm: train(tmp_path, arm) for arm in ("ste", "sste", "bpga")}
    paths = {arm: tmp_path / f"{arm}.safetensors" for arm in arms}
    explanation = TABLE2.explain(CONFIG, paths)
    explanation.flow.assert_conserved()
    assert "first: STE 100 %, 100 %, 100 %; SSTE" in explanation.sentence
    for arm, label in (("sste", "SSTE"), ("bpga", "BPGA tanh")):
        gain = [f"{100 * arms[arm]['gain'][name]:.0f} %" for name in SIGNS[::-1]]
        assert f"{label} {', '.join(gain)}" in explanation.sentence
    assert "into dense1/linear#1" in explanation.table
    assert "into pool1/max_pool#1" in explanation.table


# -- records, claims, tables -----------------------------------------------------------


def record(seed=0, official=True, **changes):
    """What is published; changes, by arm, are highest accuracies or other metrics."""
    highest = {**ACCURACY, "ste": 70.0, "ftp_sh_same": ACCURACY["bpga"]}
    arms = {}
    for number, arm in enumerate(cnn.ARMS):
        # A spread over seeds, other than the others', or tests had an infinite t; the
        # same rule has the same.
        number = list(cnn.ARMS).index("bpga") if arm == "ftp_sh_same" else number
        noise = 0.01 * ((seed + number) % 3)
        best = highest[arm] + noise
        change = changes.get(arm, {})
        if not isinstance(change, dict):
            best, change = change + noise, {}
        arms[arm] = {
            "official_files": official,
            "best_test_accuracy": best,
            "last_test_accuracy": best - 1,
            "test_accuracy": best - 0.5,
            "last_train_loss": 0.5 + noise,
            "slope": dict.fromkeys(SIGNS, 0.625),
            "stopped": dict.fromkeys(SIGNS, 25.0),
            "dead": dict.fromkeys(SIGNS, 12.5),
            "gain": {"activation1": 0.75, "conv2": 2.0},
            "history": [
                {"train_loss": 1.0, "test_accuracy": best - 3},
                {"train_loss": 0.5 + noise, "test_accuracy": best},
            ],
        } | change
    return {"seed": seed, "arms": arms}


def verdict(claim, **changes):
    records = [record(seed, **changes) for seed in range(3)]
    return decide(claim, records, "full", "cifar10").verdict


def of(words):
    (found,) = (claim for claim in CLAIMS if words in claim.name)
    return found


def test_published_numbers_reproduce_all_but_that_two_rules_are_one():
    assert len(CLAIMS) == 14
    for claim in CLAIMS:
        wrong = claim is of("FTP-SH is BPGA with the identity")
        expected = Verdict.NOT_REPRODUCED if wrong else Verdict.REPRODUCED
        assert verdict(claim) == expected, claim.name


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("BPGA is more accurate than SSTE", {"sste": 82.0}),
        ("BPGA is more accurate than FTP-SH", {"ftp_sh": 82.0}),
        ("FTP-SH is more accurate than SSTE", {"sste": 81.5}),
        ("BPGA is more accurate than STE", {"ste": 82.0}),
        ("is 1.06 points above SSTE", {"sste": 79.0}),
        ("is 0.36 points above FTP-SH", {"ftp_sh": 80.0}),
        ("SSTE reaches about", {"sste": 75.0}),
        ("FTP-SH reaches about", {"ftp_sh": 75.0}),
        ("BPGA tanh reaches about", {"bpga": 75.0}),
        ("FTP-SH is BPGA with tanh", {"ftp_sh_same": 81.3}),
        ("training loss is the same", {"ftp_sh_same": {"last_train_loss": 0.7}}),
        ("STE is less accurate than", {"ste": 81.0}),
        ("on a validation part", {"bpga": {"test_accuracy": 80.0}}),
    ],
)
def test_other_numbers_do_not_reproduce_a_claim(words, changes):
    assert verdict(of(words), **changes) == Verdict.NOT_REPRODUCED


def test_the_identity_is_reproduced_where_ftp_sh_tests_as_ste():
    claim = of("FTP-SH is BPGA with the identity")
    same = {"best_test_accuracy": 70.0}
    assert verdict(claim, ste=same, ftp_sh_same=same) == Verdict.REPRODUCED


def test_orders_are_decided_at_small_sizes_at_full_and_what_is_exact_everywhere():
    small = {c.name for c in CLAIMS if c.decidable("small", "cifar10")}
    assert of("BPGA is more accurate than SSTE").name in small
    assert of("points above SSTE").name not in small
    exact = {c.name for c in CLAIMS if c.decidable("tiny", "digits")}
    assert exact == {of("with tanh").name, of("training loss is the same").name}


def test_tables_set_measured_beside_published_numbers():
    records = [record(seed) for seed in range(3)]
    accuracies, slopes, module_gains = TABLE2.tables(records)
    assert (
        accuracies.title == "Table 2, test accuracy %: mean (std); measured over n = 3"
    )
    assert accuracies.rows[1] == (
        *("SSTE", "80.6", "80.61 (0.01)", "79.61 (0.01)", "80.11 (0.01)"),
        "0.510 (0.010)",
    )
    assert [row[1] for row in accuracies.rows] == ["-", "80.6", "81.3", "81.66", "-"]
    assert slopes.rows[0] == ("STE", *("0.625", "25.0 %", "12.5 %") * 3)
    assert module_gains.rows == (
        ("conv2", *("2",) * 5),
        ("activation1", *("0.75",) * 5),
    )
    for table in (accuracies, slopes, module_gains):
        assert all(len(row) == len(table.header) for row in table.rows)


def test_copies_of_the_published_files_are_said_to_be_copies():
    table, *_ = TABLE2.tables([record(official=False)])
    assert table.title.endswith("; not from the published files, but from a copy")


def test_the_figure_shows_what_is_published_of_three_arms_and_measured_of_all():
    figure = Figure()
    TABLE2.draw(figure, [record(seed, official=False) for seed in range(2)])
    left, middle, right = figure.axes
    published, measured = (bars.lines[0].get_ydata() for bars in left.containers)
    assert [math.isfinite(y) for y in published] == [False, True, True, True, False]
    assert measured[1] == pytest.approx(ACCURACY["sste"] + 0.015)
    assert left.get_xlabel() == "measured on a copy of the published files"
    for axes in (middle, right):
        assert [line.get_label() for line in axes.get_lines()] == [
            made.label for made in cnn.ARMS.values()
        ]
    assert right.get_lines()[0].get_ydata()[1] == pytest.approx(70.005)

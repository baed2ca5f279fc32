"""What estimators send: the smoothed slope, the comparison, and the claims."""

import copy
import itertools
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minigrad import nn
from minigrad.errors import ArgumentError
from minigrad.random import generator
from models.experiments.data import Part
from models.experiments.figures import save_figure
from models.experiments.verdicts import Verdict, decide
from models.gradient_adapter import flow
from models.gradient_adapter.flow import FLOW
from models.gradient_adapter.flow_claims import ESTIMATORS, LAYERS
from models.gradient_adapter.measures import estimators, smoothed
from models.gradient_adapter.measures.smoothed import compare, reference_of

CONFIG = replace(
    FLOW.presets["tiny"].config, width=8, epochs=1, max_examples=320, pairs=160
)


def measure(arm, seed=0):
    training = flow.build(CONFIG, arm, seed)
    return flow.measure(training, SimpleNamespace(config=CONFIG, arm=arm, seed=seed))


# -- the smoothed slope ----------------------------------------------------------------


def test_the_smoothed_slope_is_that_of_the_sum_over_all_sign_patterns():
    """Two nets behind a sign: E J is a sum of four losses and their probabilities."""
    above = [nn.Sign("identity"), nn.Linear(2, 3)]
    weight = generator(0, "w").standard_normal((3, 2))
    above[1].weight.data = weight.astype("float32")
    above[1].bias.data = np.array([0.1, -0.2, 0.3], "float32")
    nets, labels, scale = np.array([[0.3, -0.4], [-0.1, 0.9]]), np.array([0, 2]), 0.5

    def loss(signs, label):
        logits = weight @ signs + [0.1, -0.2, 0.3]
        return math.log(np.exp(logits).sum()) - logits[label]

    expected = np.zeros((2, 2))
    for n, unit in itertools.product((0, 1), (0, 1)):
        z = nets[n] / scale
        density = math.exp(-(z[unit] ** 2) / 2) / math.sqrt(2 * math.pi) / scale
        positive = (1 + math.erf(z[1 - unit] / math.sqrt(2))) / 2
        for other, chance in ((1, positive), (-1, 1 - positive)):
            up = np.array([1, other] if unit == 0 else [other, 1])
            down = np.array([-1, other] if unit == 0 else [other, -1])
            rise = loss(up, labels[n]) - loss(down, labels[n])
            expected[n, unit] += rise * density * chance

    slopes = smoothed.smoothed_slopes(
        above,
        nets.astype("float32"),
        labels,
        scale=scale,
        pairs=40_000,
        rng=generator(0, "noise"),
    )
    reference = reference_of(slopes)
    standard_error = slopes.std(axis=0, ddof=1) / 4
    assert (np.abs(reference.slope - expected) < 4 * standard_error).all()
    assert_allclose(reference.slope, expected, atol=0.02)
    assert_allclose(reference.norm, np.linalg.norm(expected), rtol=0.02)


def test_fewer_pairs_than_means_are_refused():
    with pytest.raises(ArgumentError, match="pairs 3, expected at least 16"):
        smoothed.smoothed_slopes(
            [],
            np.zeros((1, 1)),
            np.zeros(1, int),
            scale=1.0,
            pairs=3,
            rng=generator(0, "noise"),
        )


def test_noise_of_the_reference_does_not_lower_cosines():
    true = generator(0, "true").standard_normal((20, 50))
    noise = generator(0, "noise").standard_normal((smoothed.CHUNKS, 20, 50))
    slopes = true + 8 * noise  # 2 for the mean of 16: noisier than the slope itself.
    reference = reference_of(slopes)
    plain = estimators.cosine(true, reference.slope)
    assert plain < 0.5
    found = compare(3 * true, reference)
    assert_allclose(found["cosine"], 1, atol=0.15)
    assert_allclose(found["norm"], 3, rtol=0.15)
    assert_allclose(reference.norm, np.linalg.norm(true), rtol=0.15)
    assert_allclose(reference.error, 2, rtol=0.2)


def test_an_estimate_is_compared_as_by_hand():
    slope = np.array([[3.0, 4.0, 0.0]])
    reference = smoothed.Reference(slope, 5.0, 0.0, np.array([[True, True, False]]))
    found = compare(np.array([[3.0, -4.0, 9.0]]), reference)
    size = math.sqrt(9 + 16 + 81)
    cosine = (9 - 16) / (5 * size)
    assert_allclose(found["cosine"], cosine)
    assert_allclose(found["norm"], size / 5)
    assert_allclose(found["bias"], math.sqrt(64 + 81) / 5)
    assert_allclose(found["scaled_bias"], math.sqrt(1 - cosine**2))
    assert found["signs"] == 0.5


def test_a_zero_is_no_right_sign():
    slope = np.array([[1.0, -1.0]])
    reference = smoothed.Reference(slope, math.sqrt(2), 0.0, slope != 0)
    assert compare(np.array([[0.0, -3.0]]), reference)["signs"] == 0.5
    assert compare(np.zeros((1, 2)), reference)["cosine"] == 0


def test_a_slope_that_drowns_is_told_by_its_error():
    slopes = np.zeros((smoothed.CHUNKS, 1, 2))
    slopes[::2], slopes[1::2] = 1.0, -1.0
    reference = reference_of(slopes)
    assert reference.error == 1
    assert reference.norm > 0
    with pytest.raises(ArgumentError, match="a slope that is not 0"):
        compare(np.ones((1, 2)), reference_of(np.zeros((smoothed.CHUNKS, 1, 2))))


# -- the estimators --------------------------------------------------------------------


@pytest.fixture(scope="module")
def training():
    return flow.build(CONFIG, "sste", 1)


@pytest.fixture(scope="module")
def part(training):
    test = training.examples.test
    return Part(test.images[:20], test.labels[:20])


def slope_by_hand(adapter, z):
    slopes = {
        "identity": np.ones_like(z),
        "hardtanh": (np.abs(z) <= 1).astype(float),
        "tanh": 1 - np.tanh(z) ** 2,
    }
    return slopes[adapter]


def backward_by_hand(training, part, adapter):
    """Gradients of each example's loss at the nets, by layer; float64."""
    model = training.model
    layers = [getattr(model, name) for name in (*LAYERS, "output")]
    h = training.as_input(part.images).astype(float)
    nets = []
    for layer in layers:
        z = h @ layer.weight.numpy().astype(float).T + layer.bias.numpy()
        nets.append(z)
        h = np.sign(z)
    p = np.exp(nets[-1] - nets[-1].max(axis=1, keepdims=True))
    dz = p / p.sum(axis=1, keepdims=True) - np.eye(10)[part.labels]
    found, stopped = {}, {}
    for index in reversed(range(len(LAYERS))):
        dh = dz @ layers[index + 1].weight.numpy().astype(float)
        slope = slope_by_hand(adapter, nets[index])
        dz = dh * slope
        found[LAYERS[index]] = dz
        stopped[LAYERS[index]] = slope == 0
    return found, stopped


@pytest.mark.parametrize("adapter", ESTIMATORS.values())
def test_what_is_sent_is_the_product_of_the_adapters_slopes(training, part, adapter):
    expected, stopped = backward_by_hand(training, part, adapter)
    with estimators.adapted(training.model, adapter):
        found = estimators.sent(training, part, LAYERS)
    for layer in LAYERS:
        gradient = found[layer].gradient
        assert_allclose(gradient, expected[layer], rtol=1e-3, atol=1e-5)
        assert found[layer].blocked == stopped[layer].mean()
        assert found[layer].units_blocked == stopped[layer].all(axis=0).mean()


def test_units_that_are_far_out_for_every_image_are_disabled(training, part):
    bias = training.model.layer2.bias
    before = bias.numpy().copy()
    try:
        bias.data[:2] = 8
        with estimators.adapted(training.model, "hardtanh"):
            found = estimators.sent(training, part, LAYERS)
        assert found["layer2"].units_blocked >= 2 / 8
        with estimators.adapted(training.model, "tanh"):
            assert estimators.sent(training, part, LAYERS)["layer2"].units_blocked == 0
    finally:
        bias.data[...] = before


def test_adapters_are_put_back_and_change_no_output(training, part):
    def signs():
        return [m.adapter for m in training.model.modules() if isinstance(m, nn.Sign)]

    before = estimators.results_of(training, part.images)[-1]
    with estimators.adapted(training.model, "identity"):
        assert signs() == ["identity"] * 4
        assert (estimators.results_of(training, part.images)[-1] == before).all()
    assert signs() == ["hardtanh"] * 4


def test_spread_is_the_trace_of_the_covariance_by_the_squared_mean(training):
    train, size = training.examples.train, training.batch_size
    gradients = []
    for start in (0, size, 2 * size):
        window = slice(start, start + size)
        training.loss(train.images[window], train.labels[window]).backward()
        gradients.append(training.model.layer3.weight.grad.numpy().astype(float))
        training.optimizer.zero_grad()
    stack = np.stack(gradients)
    expected = stack.var(axis=0, ddof=1).sum() / (stack.mean(axis=0) ** 2).sum()
    weights = {"layer3": training.model.layer3.weight}
    assert_allclose(estimators.spread(training, weights, 3)["layer3"], expected)
    every = len(train.labels) // size
    assert estimators.spread(training, weights, 100) == (
        estimators.spread(training, weights, every)
    )


# -- what it says ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def measured():
    return {arm: measure(arm) for arm in FLOW.arms}


NUMBERS = {
    "cosine": {"ste": (0.3, 0.6), "sste": (0.5, 0.8), "bpga": (0.6, 0.9)},
    "bias": {"ste": (9.0, 1.2), "sste": (0.9, 0.6), "bpga": (0.8, 0.5)},
    "scaled_bias": {"ste": (0.9, 0.8), "sste": (0.8, 0.6), "bpga": (0.7, 0.4)},
    "signs": {"ste": (0.8, 0.99), "sste": (0.8, 0.97), "bpga": (0.85, 0.99)},
    "blocked": {"ste": (0.0, 0.0), "sste": (0.4, 0.4), "bpga": (0.0, 0.0)},
    "units_blocked": {"ste": (0.0, 0.0), "sste": (0.1, 0.0), "bpga": (0.0, 0.0)},
}


@pytest.fixture
def like_the_paper(measured):
    """Records as the paper's words have them; numbers run from first to last layer."""
    records = []
    for seed in range(3):
        arms = copy.deepcopy(measured)
        for arm in arms.values():
            for what, by_estimator in NUMBERS.items():
                owners = [arm] if what in arm else [arm[s] for s in flow.SCALES]
                for owner in owners:
                    for name, (first, last) in by_estimator.items():
                        owner[what][name] = between(first, last, seed)
        records.append({"seed": seed, "arms": arms})
    return records


def between(first, last, seed):
    spread = 1 + 1e-3 * seed
    steps = np.linspace(first, last, len(LAYERS)) * spread
    return dict(zip(LAYERS, steps.tolist(), strict=True))


def verdict(words, records):
    (claim,) = (claim for claim in FLOW.claims if words in claim.name)
    return decide(claim, records, "small", "mnist").verdict


def changed(records, path, numbers):
    """The same, with other numbers in the network of BPGA."""
    for seed, record in enumerate(records):
        place = record["arms"]["bpga"]
        *names, last = path.split(".")
        for name in names:
            place = place[name]
        place[last] = between(*numbers, seed)
    return records


def test_the_papers_words_reproduce_every_claim(like_the_paper):
    for claim in FLOW.claims:
        found = decide(claim, like_the_paper, "small", "mnist").verdict
        assert found == Verdict.REPRODUCED, claim.name


@pytest.mark.parametrize(
    ("words", "path", "numbers"),
    [
        ("STE retrieves the sign in", "main.signs.ste", (0.8, 0.9)),
        ("STE's sign is right more often", "main.signs.ste", (0.99, 0.96)),
        ("STE's cosine with", "main.cosine.ste", (0.6, 0.5)),
        ("STE is biased in every layer", "main.scaled_bias.ste", (0.9, 0.05)),
        (
            "tanh's cosine with the smoothed slope is above STE",
            "main.cosine.ste",
            (0.7,) * 2,
        ),
        ("without scaling, STE's bias", "main.bias.ste", (9.0, 0.3)),
        ("Htanh stops gradient", "blocked.sste", (0.4, -0.1)),
        ("Htanh disables whole units", "units_blocked.sste", (0.0, 0.0)),
        ("tanh stops none", "blocked.bpga", (0.0, 0.1)),
        ("above Htanh's", "main.cosine.sste", (0.7, 0.8)),
        ("deviation 0.25", "narrow.cosine.ste", (0.7, 0.8)),
        ("deviation 1,", "wide.cosine.ste", (0.5, 0.95)),
    ],
)
def test_each_claim_can_fail(like_the_paper, words, path, numbers):
    records = changed(like_the_paper, path, numbers)
    assert verdict(words, records) == Verdict.NOT_REPRODUCED


def test_an_adapter_that_changed_the_network_would_be_seen(like_the_paper):
    for record in like_the_paper:
        record["arms"]["ste"]["forward_difference"] = 1e-3
    assert verdict("changes no output", like_the_paper) == Verdict.NOT_REPRODUCED


def test_the_same_seed_gives_the_same_numbers(measured):
    assert measure("bpga") == measured["bpga"]
    assert measured["bpga"]["forward_difference"] == 0


def test_the_networks_weights_are_left_alone(training):
    before = [p.numpy().copy() for p in training.model.parameters()]
    flow.measure(training, SimpleNamespace(config=CONFIG, arm="sste", seed=1))
    after = [p.numpy() for p in training.model.parameters()]
    assert all((a == b).all() for a, b in zip(before, after, strict=True))


# -- how it is shown -------------------------------------------------------------------


def test_tables_have_a_row_for_each_network_layer_and_estimator(like_the_paper):
    sent, references, scales = FLOW.tables(like_the_paper)
    assert [row[:3] for row in sent.rows[:4]] == [
        ("STE", "layer1", "STE"),
        ("STE", "layer1", "SSTE"),
        ("STE", "layer1", "BPGA tanh"),
        ("STE", "layer2", "STE"),
    ]
    assert [len(table.rows) for table in (sent, references, scales)] == [36, 12, 12]
    assert sent.rows[0][4] == "0.30 (0.00)"
    for table in (sent, references, scales):
        assert {len(row) for row in table.rows} == {len(table.header)}


def test_the_figure_has_a_column_for_each_network(like_the_paper, tmp_path):
    titles = []

    def draw(figure):
        FLOW.draw(figure, like_the_paper)
        titles.extend(axes.get_title() for axes in figure.axes)

    save_figure(tmp_path / "figure.png", draw, FLOW.figure_size)
    assert len(titles) == 9
    assert titles[:3] == [
        f"network trained with {name}" for name in ("STE", "SSTE", "BPGA tanh")
    ]

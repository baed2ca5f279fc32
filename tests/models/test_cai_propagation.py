"""What first weights make of signals: the scale of the paper, and what is known."""

import copy
import math

import numpy as np
import pytest

from minigrad import nn, tensor
from models.conv_aware_init import propagation_claims as claims
from models.conv_aware_init import propagation_measures as measures
from models.conv_aware_init.initializers import INITIALIZERS
from models.conv_aware_init.propagation import PRESETS, PROPAGATION
from models.conv_aware_init.propagation_arms import ARMS, SAME, SHOWN
from models.experiments.verdicts import Verdict, decide
from models.networks.circular_cnn import CircularConv2d, circular_cnn

WIDTHS = PRESETS["tiny"].config.hidden


# -- the network -----------------------------------------------------------------------


def test_edges_meet():
    layer = CircularConv2d(2, 3)
    x = np.random.default_rng(0).normal(size=(2, 2, 4, 5)).astype("float32")
    weight = layer.weight.numpy()
    expected = sum(
        np.einsum(
            "nchw,fc->nfhw", np.roll(x, (1 - i, 1 - j), (2, 3)), weight[..., i, j]
        )
        for i in range(3)
        for j in range(3)
    )
    np.testing.assert_allclose(layer(tensor(x)).numpy(), expected, atol=1e-5)


def test_first_weights_depend_on_seed_and_name_alone():
    plain = circular_cnn(3, (4, 4), seed=1)
    normed = circular_cnn(3, (4, 4), batch_norm=True, seed=1)
    assert (plain.conv2.weight.numpy() == normed.conv2.weight.numpy()).all()
    assert [type(one).__name__ for one in normed] == [
        *("CircularConv2d", "BatchNorm2d", "ReLU") * 2
    ]


def test_singular_values_are_those_of_the_filters_spectra():
    """Sedghi, Gupta & Long 2019: those of the (F, C) matrix at each frequency."""
    width, seed = 4, 3
    found = measures.spectra("he_normal", width, 3, seed)["layer"]
    x = measures.noise(seed, 1, width, measures.SIZE)
    weight = measures.started("he_normal", x, (width,) * 3, seed).conv2.weight.numpy()
    size = (measures.SIZE, measures.SIZE)
    at_frequencies = np.fft.fft2(weight.astype("float64"), size).transpose(2, 3, 0, 1)
    expected = np.sort(np.linalg.svd(at_frequencies, compute_uv=False).ravel())[::-1]
    assert found["greatest"] == pytest.approx(expected[0])
    assert found["least"] == pytest.approx(expected[-1])
    assert found["square"] == pytest.approx((expected**2).mean())
    places = np.interp(measures.SHARES, np.linspace(0, 1, len(expected)), expected)
    np.testing.assert_allclose(found["curves"], places, rtol=1e-6)


# -- T11 -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def through():
    found = {}

    def measure(arm):
        if arm not in found:
            x = measures.noise(0, 8, WIDTHS[0], 8)
            model = measures.started(arm, x, WIDTHS, 0)
            found[arm] = measures.through(model, x, 0)
        return found[arm]

    return measure


@pytest.mark.parametrize("arm", ["cai", "he_normal"])
def test_he_scale_keeps_signal_and_gradient_through_15_layers(through, arm):
    found = through(arm)
    assert len(found["curves"]["variance"]) == len(WIDTHS) == 15
    assert found["first"] == pytest.approx(2, rel=0.05)
    assert 0.3 < found["last"] < 30
    assert 1 / 30 < found["gradient_ratio"] < 30


@pytest.mark.parametrize("arm", ["orthogonal", "glorot_normal"])
def test_scale_1_loses_signal_and_gradient(through, arm):
    found = through(arm)
    assert found["first"] == pytest.approx(1, rel=0.05)
    # A relu leaves half of the mean square.
    assert 0.1 < found["last"] * 2**14 < 10
    assert found["last"] < 0.01
    assert found["gradient_ratio"] < 0.01


def test_lsuv_gives_every_layer_variance_1(through):
    assert through("lsuv")["worst"] < 0.1


def test_delta_orthogonal_layers_are_isometries():
    found = measures.spectra("delta_orthogonal", 4, 3, 0)
    assert found["layer"]["off_one"] < 1e-5
    assert found["layer"]["spread"] == pytest.approx(1)
    # With relus between them the network is none.
    assert found["network"]["spread"] > 1.2


# -- measures --------------------------------------------------------------------------


def test_the_energy_at_frequency_0_is_that_of_the_formula():
    x = np.zeros((1, 64, 4, 4), "float32")
    shares = {
        arm: measures.constant_share(measures.started(arm, x, (64,) * 6, 0))
        for arm in ("cai", "he_normal", "delta_orthogonal")
    }
    assert shares["cai"] == pytest.approx(claims.CONSTANT, abs=0.15)
    assert shares["he_normal"] == pytest.approx(100 / 9, abs=0.15)
    # One tap that is not 0 has all frequencies alike.
    assert shares["delta_orthogonal"] == pytest.approx(100 / 9)


def test_kernels_of_equal_taps_have_all_their_energy_at_frequency_0():
    model = circular_cnn(2, (2, 2), seed=0)
    nn.init.ones_(model.conv2.weight)
    assert measures.constant_share(model) == pytest.approx(100)


def test_a_spectrum_is_summed_up():
    found = measures.spectrum(np.array([2.0, 1.0, 1.0, 0.0]))
    assert found["square"] == 1.5
    assert found["spread"] == pytest.approx(18 / 4 / 1.5**2)
    assert (found["least"], found["greatest"], found["off_one"]) == (0, 2, 1)
    assert found["rank"] == 75
    assert found["curves"][0] == 2
    assert found["curves"][-1] == 0
    assert math.isnan(measures.spectrum(np.zeros(3))["spread"])


def test_a_network_in_which_nothing_flows_has_no_ratio():
    x = measures.noise(0, 2, 3, 4)
    model = circular_cnn(3, (3, 3), seed=0)
    nn.init.zeros_(model.conv1.weight)
    nn.init.zeros_(model.conv2.weight)
    found = measures.through(model, x, 0)
    assert math.isnan(found["gradient_ratio"])
    assert found["last"] == 0
    assert found["dead"] == 100


def test_arms_are_all_initializers_and_lsuv():
    assert set(ARMS) == {*INITIALIZERS, "lsuv"} - set(SAME)
    assert set(SHOWN) <= set(ARMS)
    cai = INITIALIZERS["cai"]
    assert all(INITIALIZERS[arm].conv is cai.conv for arm in SAME)


# -- claims ----------------------------------------------------------------------------

TYPICAL = {
    "noise": {"first": 2.0, "last": 1.5, "gradient_ratio": 0.8, "worst": 0.01},
    "images": {"last": 1.5, "worst": 0.02},
    "noise_norm": {"gradient_ratio": 200.0},
    "constant_share": 11.1,
    "spectra": {"layer": {"spread": 2.0, "square": 2.0, "off_one": 1.0}},
}
CHANGES = {
    "cai.constant_share": 12.3,
    "cai.noise.last": 8.0,
    "cai.spectra.layer.spread": 1.9,
    "orthogonal.noise.last": 1e-4,
    "orthogonal.noise.gradient_ratio": 1e-4,
    "glorot_normal.noise.last": 1e-4,
    "glorot_normal.noise.gradient_ratio": 1e-4,
    "delta_orthogonal.spectra.layer.off_one": 1e-7,
}


def put(record, path, value):
    *names, last = path.split(".")
    place = record["arms"]
    for name in names:
        place = place[name]
    place[last] = value


@pytest.fixture
def records():
    """Numbers of three seeds, as they would be if all claims held."""
    made = []
    for seed in range(3):
        record = {"seed": seed, "arms": {arm: copy.deepcopy(TYPICAL) for arm in ARMS}}
        for path, value in CHANGES.items():
            put(record, path, value * (1 + 0.001 * seed))
        made.append(record)
    return made


def verdict(words, records):
    (claim,) = (one for one in claims.CLAIMS if words in one.name)
    return decide(claim, records, "small", "cifar10").verdict


@pytest.mark.parametrize(
    ("words", "path", "value"),
    [
        ("scale is that of He", "cai.noise.first", 1.0),
        ("scale is that of He", "he_normal.noise.first", 2.2),
        ("variance of N(0, 1) through", "cai.noise.last", 50.0),
        ("variance of N(0, 1) through", "he_normal.noise.last", 0.1),
        ("energy at frequency 0", "cai.constant_share", 11.1),
        ("CAI's variance grows", "cai.noise.last", 1.0),
        ("variance of images", "cai.images.last", 50.0),
        ("Glorot normal lose it", "glorot_normal.noise.last", 1.0),
        ("gradient, too, is kept", "cai.noise.gradient_ratio", 100.0),
        ("gradient, too, is kept", "he_normal.noise.gradient_ratio", 0.01),
        ("and lost by orthogonal", "orthogonal.noise.gradient_ratio", 0.8),
        ("nearer to an isometry", "cai.spectra.layer.spread", 2.1),
        ("Jacobians of both", "cai.spectra.layer.square", 1.0),
        ("are isometries", "delta_orthogonal.spectra.layer.off_one", 0.1),
        ("LSUV gives variance 1", "lsuv.noise.worst", 0.5),
        ("LSUV gives variance 1", "lsuv.images.worst", 0.5),
        ("scale is nothing", "orthogonal_03.noise_norm.gradient_ratio", 100.0),
        ("no start loses", "glorot_normal.noise_norm.gradient_ratio", 0.5),
    ],
)
def test_each_claim_can_hold_and_can_fail(records, words, path, value):
    assert verdict(words, records) == Verdict.REPRODUCED
    for seed, record in enumerate(records):
        put(record, path, value * (1 + 0.001 * seed))
    assert verdict(words, records) == Verdict.NOT_REPRODUCED


def test_every_claim_is_among_those_tried():
    assert len(claims.CLAIMS) == 14
    names = {claim.name for claim in claims.CLAIMS}
    assert len(names) == 14
    assert PROPAGATION.claims == claims.CLAIMS

"""LayerOut: what is drawn, what stands still, and what goes on."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
from minigrad import functional as F
from minigrad import nn, optim
from minigrad.errors import ArgumentError
from minigrad.nn.freezing import (
    LayerOut,
    decreasing,
    draw_frozen,
    frozen_probability,
    increasing,
    joint_probability,
)
from minigrad.random import generator
from minigrad.serialization import load_training_state, save_training_state

# The paper's freeze probabilities and the parameters of its network for MNIST.
EFREEZE = (0.9, 0.7, 0.6, 0.5, 0.4, 0.3, 0.1)
SIZES = (320, 18_496, 73_856, 73_792, 18_464, 295_936, 10_250)

probabilities = st.lists(
    st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0])), min_size=1, max_size=6
).filter(lambda v: min(v) < 1)


def chain(widths=(4, 5, 3, 2), seed=0):
    layers = []
    for place, (width, out) in enumerate(itertools.pairwise(widths)):
        layers += [nn.Linear(width, out, rng=generator(seed, "w", place)), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def convnet(seed=0):
    """Every kind of layer that a unit can be, with norms between them."""

    def rng(place):
        return generator(seed, "w", place)

    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1, rng=rng(0)),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Conv2d(3, 4, 3, padding=1, rng=rng(1)),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 16, 5, rng=rng(2)),
        nn.ReLU(),
        nn.Linear(5, 3, rng=rng(3)),
    )


def batch(seed=0, shape=(6, 2, 4, 4), classes=3):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape).astype("float32")
    return mg.tensor(x), mg.tensor(rng.integers(0, classes, shape[0]))


def values(model):
    return [p.numpy().copy() for p in model.parameters()]


def same(one, other):
    return [a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True)]


def train(model, optimizer, layer_out=None, epochs=3, steps=3, shape=(6, 2, 4, 4)):
    """Return the values after every epoch, the first ones before."""
    seen = [values(model)]
    for epoch in range(epochs):
        with layer_out.epoch(epoch, optimizer) if layer_out else mg.enable_grad():
            for step in range(steps):
                x, labels = batch(100 * epoch + step, shape)
                optimizer.zero_grad()
                F.cross_entropy(model(x), labels).backward()
                optimizer.step()
        seen.append(values(model))
    return seen


def sgd(model):
    return optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)


def adam(model):
    return optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)


def adamw(model):
    return optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)


# -- draws -----------------------------------------------------------------------------


@given(probabilities, st.integers(0, 1000))
def test_certain_units_are_certain_and_never_all_are_frozen(v, seed):
    frozen = draw_frozen(v, generator(seed, "draw"))
    assert not all(frozen)
    if sum(p == 1 for p in v) < len(v) - 1:
        for p, is_frozen in zip(v, frozen, strict=True):
            assert p != 0 or not is_frozen
    for p, is_frozen in zip(v, frozen, strict=True):
        assert p != 1 or is_frozen


@given(probabilities)
def test_frozen_probability_is_that_of_the_joint_law_without_all(v):
    everything = (True,) * len(v)
    total = 1 - joint_probability(everything, v)
    expected = np.zeros(len(v))
    for frozen in itertools.product((False, True), repeat=len(v)):
        if frozen != everything:
            expected += np.array(frozen) * joint_probability(frozen, v)
    if total > 1e-6:
        np.testing.assert_allclose(
            frozen_probability(v), expected / total, atol=1e-9 / total
        )


def test_the_joint_probabilities_sum_to_1():
    sets = itertools.product((False, True), repeat=7)
    assert math.fsum(joint_probability(s, EFREEZE) for s in sets) == pytest.approx(1)


@pytest.mark.parametrize("v", [EFREEZE, EFREEZE[::-1], (0.9, 0.2), (0.95, 0.9, 0.2)])
def test_draws_match_v_over_seeds(v):
    """Chi-square of all frozen sets against pi(s) / (1 - P)."""
    model, seeds = chain(widths=range(2, 3 + len(v))), 600
    drawn = [LayerOut(model, v, warm_up=0, seed=s).frozen(3) for s in range(seeds)]
    sets = [s for s in itertools.product((False, True), repeat=len(v)) if not all(s)]
    total = 1 - math.prod(v)
    expected = np.array([seeds * joint_probability(s, v) / total for s in sets])
    counts = np.array([drawn.count(s) for s in sets], "float64")
    rare = expected < 5
    observed = np.append(counts[~rare], counts[rare].sum())
    wanted = np.append(expected[~rare], expected[rare].sum())
    kept = wanted > 0
    assert scipy.stats.chisquare(observed[kept], wanted[kept]).pvalue > 1e-4
    # And the test would see a v that is off.
    wrong = np.roll(wanted[kept], 1)
    assert scipy.stats.chisquare(observed[kept], wrong).pvalue < 1e-4


def test_the_chance_that_all_but_one_are_near_1_ends_in_a_draw_by_weights():
    v = (1 - 1e-12, 1 - 3e-12)
    thawed = [draw_frozen(v, generator(seed, "x")).index(False) for seed in range(200)]
    assert 120 < sum(thawed) < 180, "1 is three times as likely to be thawed"


def test_a_random_v_is_drawn_by_epoch_or_once():
    model = chain()
    by_epoch = LayerOut(model, warm_up=2)
    assert by_epoch.probabilities(1) == (0, 0, 0)
    assert len({by_epoch.probabilities(epoch) for epoch in range(2, 12)}) == 10
    once = LayerOut(model, warm_up=2, resample="once")
    assert len({once.probabilities(epoch) for epoch in range(2, 12)}) == 1
    drawn = [by_epoch.probabilities(epoch) for epoch in range(2, 402)]
    assert scipy.stats.kstest(np.ravel(drawn), "uniform").pvalue > 1e-3


def test_draws_are_those_of_the_seed_alone():
    def frozen(seed):
        return [LayerOut(chain(), seed=seed, warm_up=1).frozen(e) for e in range(40)]

    assert frozen(0) == frozen(0) != frozen(1)
    assert frozen(0)[0] == (False,) * 3


def test_v_that_rises_or_falls_with_depth():
    model = chain(widths=range(2, 10))
    assert LayerOut(model, "increasing").v == increasing(7)
    assert LayerOut(model, "decreasing").v == decreasing(7) == increasing(7)[::-1]
    assert increasing(7, 0.2, 0.8) == (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


def test_only_the_leading_run_is_frozen_if_asked():
    model = chain(widths=range(2, 10))
    whole = LayerOut(model, EFREEZE, warm_up=0)
    prefix = LayerOut(model, EFREEZE, warm_up=0, prefix_only=True)
    for epoch in range(50):
        drawn, kept = whole.frozen(epoch), prefix.frozen(epoch)
        lead = drawn.index(False)
        assert kept == (True,) * lead + (False,) * (7 - lead)


@pytest.mark.parametrize(("v", "share"), [(EFREEZE, 38.88), (EFREEZE[::-1], 60.89)])
def test_expected_shares_are_those_of_the_published_network(v, share):
    model = nn.Sequential(*(nn.Linear(size, 1, bias=False) for size in SIZES))
    layer_out = LayerOut(model, v)
    assert 100 * layer_out.expected_share(20) == pytest.approx(share, abs=0.005)
    assert layer_out.expected_share(19) == 0
    expected = 0.0
    for s in itertools.product((False, True), repeat=7):
        if not all(s):
            prefix = sum(SIZES[: s.index(False)]) / sum(SIZES)
            expected += prefix * joint_probability(s, v) / (1 - math.prod(v))
    code = LayerOut(model, v, prefix_only=True)
    assert code.expected_share(20) == pytest.approx(expected)


@pytest.mark.parametrize("prefix_only", [False, True])
def test_the_mean_share_is_the_expected_one(prefix_only):
    model = nn.Sequential(*(nn.Linear(size, 1, bias=False) for size in SIZES))
    layer_out = LayerOut(model, EFREEZE, warm_up=0, prefix_only=prefix_only)
    shares = [layer_out.frozen_share(epoch) for epoch in range(1000)]
    error = np.std(shares) / math.sqrt(1000)
    assert abs(np.mean(shares) - layer_out.expected_share(0)) < 4 * error


# -- what is a unit --------------------------------------------------------------------


def names(layer_out):
    return [unit.name for unit in layer_out.units]


def test_units_are_layers_with_weights_in_order():
    model = convnet()
    assert names(LayerOut(model)) == ["0", "3", "7", "9"]
    with_norms = LayerOut(model, norm="with_unit")
    assert names(with_norms) == ["0", "3", "7", "9"]
    assert [len(unit.parameters) for unit in with_norms.units] == [4, 4, 2, 2]
    sizes = sum(unit.size for unit in with_norms.units)
    assert sizes == sum(p.size for p in model.parameters())


def test_a_norm_before_every_unit_belongs_to_none():
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2), nn.Linear(2, 2))
    units = LayerOut(model, norm="with_unit").units
    assert [len(unit.parameters) for unit in units] == [2, 2]


def test_units_by_name_take_all_that_lies_below():
    model = nn.Sequential(convnet(), nn.Linear(3, 3), nn.LSTM(3, 2))
    layer_out = LayerOut(model, units=["0.1", ("0.0", "0.3"), "1", "2"])
    assert names(layer_out) == ["0.1", "0.0 + 0.3", "1", "2"]
    assert [len(unit.parameters) for unit in layer_out.units] == [2, 4, 2, 4]


def test_tied_weights_need_one_unit():
    model = chain(widths=(3, 3, 3))
    model[2].weight = model[0].weight
    with pytest.raises(ArgumentError, match=r"`0` and `2` share a parameter .* as one"):
        LayerOut(model, units=["0", "2"])
    with pytest.warns(UserWarning, match="never frozen"):
        LayerOut(model, units=[("0", "2")])


# -- what stands still -----------------------------------------------------------------


@pytest.mark.parametrize("make", [sgd, adam, adamw])
@pytest.mark.parametrize("norm", ["live", "with_unit", "with_statistics"])
def test_frozen_parameters_keep_every_bit_and_others_move(make, norm):
    model = convnet()
    layer_out = LayerOut(model, "random", warm_up=1, norm=norm, seed=1)
    seen = train(model, make(model), layer_out, epochs=6)
    parameters = list(model.parameters())
    frozen_ever = 0
    for epoch, (before, after) in enumerate(itertools.pairwise(seen)):
        units = zip(layer_out.frozen(epoch), layer_out.units, strict=True)
        frozen = {id(p) for is_frozen, u in units if is_frozen for p in u.parameters}
        kept = same(before, after)
        assert kept == [id(p) in frozen for p in parameters]
        # What is reported is what did not change.
        still = sum(p.size for p, k in zip(parameters, kept, strict=True) if k)
        total = sum(p.size for p in parameters)
        assert layer_out.frozen_share(epoch) == still / total
        frozen_ever += len(frozen)
    assert frozen_ever, "something was frozen"
    assert all(p.requires_grad for p in parameters)


def test_statistics_of_batch_norm_go_on_or_stand_still():
    for norm, moves in (
        ("live", True),
        ("with_unit", True),
        ("with_statistics", False),
    ):
        model = convnet()
        layer_out = LayerOut(model, (1, 0, 0, 0), warm_up=0, norm=norm)
        before = model.state_dict()
        train(model, sgd(model), layer_out, epochs=1)
        after = model.state_dict()
        assert (before["1.running_mean"] != after["1.running_mean"]).any() == moves
        assert (before["4.running_var"] != after["4.running_var"]).any()
        assert model[1].momentum == 0.1


@pytest.mark.parametrize("make", [sgd, adam, adamw])
def test_with_nothing_frozen_training_is_bit_equal_to_the_baseline(make):
    plain, model = convnet(), convnet()
    layer_out = LayerOut(model, (0, 0, 0, 0), warm_up=0)
    # Dropout draws from a stream of its own: the draws of s do not shift it.
    for one, other in zip(
        train(plain, make(plain)), train(model, make(model), layer_out), strict=True
    ):
        assert all(same(one, other))


def test_the_warm_up_is_the_baseline():
    plain, model = convnet(), convnet()
    layer_out = LayerOut(model, warm_up=3)
    ends = train(plain, sgd(plain))[-1], train(model, sgd(model), layer_out)[-1]
    assert all(same(*ends))


@given(st.lists(st.booleans(), min_size=4, max_size=4).filter(lambda s: not all(s)))
def test_gradients_of_the_others_are_equal_bit_for_bit(frozen):
    x, labels = batch()
    plain, model = convnet(), convnet()
    losses = [F.cross_entropy(plain(x), labels)]
    losses[0].backward()
    with LayerOut(model, frozen, warm_up=0).epoch(0) as drawn:
        assert list(drawn) == frozen
        losses.append(F.cross_entropy(model(x), labels))
        losses[1].backward()
    assert losses[0].item() == losses[1].item(), "forward is the whole network"
    still = {f"{place}." for place, s in zip("0379", frozen, strict=True) if s}
    for (name, p), (_, q) in zip(
        plain.named_parameters(), model.named_parameters(), strict=True
    ):
        if name[:2] in still:
            assert not q.has_grad
        else:
            assert p.grad.numpy().tobytes() == q.grad.numpy().tobytes()


@pytest.mark.parametrize("layer", ["conv", "linear", "norm", "lstm", "gru"])
def test_the_gradient_through_a_frozen_layer_is_the_unfrozen_one(layer):
    build = {
        "conv": lambda: (nn.Conv2d(2, 3, 3, rng=generator(0, "w")), (4, 2, 5, 5)),
        "linear": lambda: (nn.Linear(6, 3, rng=generator(0, "w")), (4, 6)),
        "norm": lambda: (nn.BatchNorm2d(2), (4, 2, 5, 5)),
        "lstm": lambda: (nn.LSTM(3, 4, rng=generator(0, "w")), (5, 2, 3)),
        "gru": lambda: (nn.GRU(3, 4, rng=generator(0, "w")), (5, 2, 3)),
    }[layer]

    def gradient(frozen):
        made, shape = build()
        model = nn.Sequential(made, nn.Linear(1, 1))
        values = np.random.default_rng(0).standard_normal(shape).astype("float32")
        x = mg.tensor(values, requires_grad=True)
        layer_out = LayerOut(model, (float(frozen), 0), warm_up=0, units=["0", "1"])
        with layer_out.epoch(0):
            y = made(x)
            y = y[0] if isinstance(y, tuple) else y
            (y * y * y).sum().backward()
        assert [p.has_grad for p in made.parameters()] == [not frozen] * len(
            list(made.parameters())
        )
        return x.grad.numpy().tobytes()

    assert gradient(frozen=True) == gradient(frozen=False)


@pytest.mark.parametrize("frozen", list(itertools.product((False, True), repeat=3))[:7])
def test_no_rule_runs_that_need_not(frozen):
    """A weight's where its unit is not frozen, an input's where one before is not."""
    model = chain(widths=(4, 4, 4, 4))
    x = mg.tensor(np.ones((2, 4), "float32"))
    with LayerOut(model, frozen, warm_up=0).epoch(0):
        loss = (model(x) ** 2).sum()
        with mg.inspect.gradient_flow(model) as flow:
            loss.backward()
    edges = [edge for name in flow.targets for edge in flow.into(name).edges]
    rules = [edge.input for edge in edges if edge.kernel == "linear"]
    assert rules.count("w") == rules.count("b") == frozen.count(False)
    assert rules.count("x") == sum(not all(frozen[:place]) for place in (1, 2))


# -- the optimizer's state -------------------------------------------------------------


def test_state_of_a_frozen_layer_stands_still_and_goes_on():
    for make, name in ((sgd, "momentum_buffer"), (adam, "exp_avg")):
        model = convnet()
        optimizer = make(model)
        train(model, optimizer, epochs=1)
        first = model[0].weight
        state = optimizer.state[first]
        key = name if name in state else next(k for k in state if k != "step")
        before = state[key].copy(), state.get("step")
        train(model, optimizer, LayerOut(model, (1, 0, 0, 0), warm_up=0), epochs=1)
        state = optimizer.state[first]
        assert state[key].tobytes() == before[0].tobytes()
        assert state.get("step") == before[1]
        other = optimizer.state[model[3].weight]
        assert other.get("step") in (None, 6)


def test_resets_drop_what_they_say():
    held = {}
    for momentum in ("keep", "reset_frozen", "reset_all"):
        model = convnet()
        optimizer = sgd(model)
        train(model, optimizer, epochs=1)
        layer_out = LayerOut(model, (1, 0, 0, 0), warm_up=0, momentum=momentum)
        with layer_out.epoch(0, optimizer):
            held[momentum] = [p in optimizer.state for p in model.parameters()]
        with layer_out.epoch(0, optimizer, start=1):
            pass
    assert held["keep"] == [True] * 12
    assert held["reset_frozen"] == [False] * 2 + [True] * 10
    assert held["reset_all"] == [False] * 12


def test_an_epoch_that_is_resumed_in_its_middle_is_the_same(tmp_path):
    def new():
        model = convnet()
        layer_out = LayerOut(model, warm_up=0, momentum="reset_all", seed=5)
        return model, sgd(model), layer_out

    def steps(model, optimizer, first, last):
        for step in range(first, last):
            x, labels = batch(step)
            optimizer.zero_grad()
            F.cross_entropy(model(x), labels).backward()
            optimizer.step()

    model, optimizer, layer_out = new()
    with layer_out.epoch(4, optimizer) as frozen:
        steps(model, optimizer, 0, 6)
    other, second, again = new()
    with again.epoch(4, second):
        steps(other, second, 0, 3)
    path = tmp_path / "state.safetensors"
    save_training_state(path, model=other, optimizer=second)
    resumed, third, later = new()
    load_training_state(path, model=resumed, optimizer=third)
    with later.epoch(4, third, start=3) as same_set:
        steps(resumed, third, 3, 6)
    assert same_set == frozen
    assert any(frozen)
    assert all(same(values(model), values(resumed)))


# -- errors, and leaving no trace ------------------------------------------------------


def test_all_is_thawed_after_an_error_and_what_was_frozen_stays():
    model = convnet()
    model[3].requires_grad_(False)
    before = [(p.requires_grad, p.origin) for p in model.parameters()]
    layer_out = LayerOut(model, (1, 1, 0, 0), warm_up=0, norm="with_statistics")

    def fail():
        with layer_out.epoch(7):
            assert model[0].weight.origin == "LayerOut froze it in epoch 7"
            assert model[1].momentum == 0
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert [(p.requires_grad, p.origin) for p in model.parameters()] == before
    assert model[1].momentum == 0.1


def test_evaluation_ignores_what_is_frozen():
    model, x = convnet().eval(), batch()[0]
    with mg.no_grad():
        plain = model(x).numpy()
        with LayerOut(model, (1, 1, 1, 0), warm_up=0).epoch(0):
            np.testing.assert_array_equal(model(x).numpy(), plain)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"v": (0.5, 0.5)},
            r"length of v is 2, expected 4, one for each of 0, 3",
        ),
        ({"v": (1, 1, 1, 1)}, r"v is \[1.0, .*, expected one below 1"),
        ({"v": (0.5, 0.5, 0.5, 1.5)}, r"v is .*, expected probabilities \(K,\) in"),
        ({"v": (0.5, math.nan, 0.5, 0)}, r"v is .*, expected probabilities"),
        ({"v": 0.5}, r"v is 0.5, expected probabilities"),
        ({"v": [[0.5]]}, r"v is \[\[0.5\]\], expected probabilities"),
        ({"v": "often"}, r"v 'often', expected 'random', 'increasing', 'decreasing'"),
        ({"warm_up": -1}, r"warm_up -1, expected an integer >= 0"),
        ({"warm_up": 2.5}, r"warm_up 2.5, expected an integer"),
        ({"warm_up": True}, r"warm_up True, expected an integer"),
        ({"resample": "batch"}, r"resample 'batch', expected 'epoch' or 'once'"),
        ({"norm": "frozen"}, r"norm 'frozen', expected 'live' or"),
        ({"momentum": "drop"}, r"momentum 'drop', expected 'keep' or"),
        ({"units": ["head"]}, r"unit 'head', expected one of the model's modules"),
        ({"units": ["2"]}, r"unit '2', expected a module that holds parameters"),
        ({"units": []}, r"the model has no units"),
        ({"seed": -1}, r"seed"),
    ],
)
def test_bad_options_are_named(options, sentence):
    with pytest.raises(ArgumentError, match=sentence):
        LayerOut(convnet(), **options)


def test_other_bad_input():
    with pytest.raises(ArgumentError, match="model is 3, expected a Module"):
        LayerOut(3)
    with pytest.raises(ArgumentError, match="no units"):
        LayerOut(nn.Sequential(nn.Tanh()))
    layer_out = LayerOut(convnet(), momentum="reset_all", warm_up=0)
    with pytest.raises(ArgumentError, match="optimizer None, expected the optimizer"):
        layer_out.epoch(0).__enter__()
    with pytest.raises(ArgumentError, match="epoch -1"):
        layer_out.frozen(-1)
    with pytest.raises(ArgumentError, match="complete LayerOut"):
        draw_frozen((1, 1), generator(0, "x"))


def test_one_unit_is_never_frozen_and_says_so():
    with pytest.warns(UserWarning, match="`0` is the model's only unit"):
        layer_out = LayerOut(nn.Sequential(nn.Linear(2, 2)), warm_up=0)
    assert not any(layer_out.frozen(epoch)[0] for epoch in range(20))


def test_its_repr_says_what_is_drawn():
    assert repr(LayerOut(chain())) == "LayerOut(3 units, v=random, warm_up=20)"

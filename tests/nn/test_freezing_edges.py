"""LayerOut where models, options and callers are unusual."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import functional as F
from minigrad import nn, optim
from minigrad.errors import ArgumentError
from minigrad.nn.freezing import LayerOut, decreasing, increasing, joint_probability
from minigrad.random import generator


def chain():
    return nn.Sequential(
        nn.Linear(3, 4, rng=generator(0, "w")),
        nn.Tanh(),
        nn.Linear(4, 2, rng=generator(1, "w")),
    )


def normed():
    """A norm of each kind, two of them behind one layer."""
    return nn.Sequential(
        *(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 4)),
        *(nn.GroupNorm(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)),
    )


def step(model, optimizer, seed=0, **options):
    rng = np.random.default_rng(seed)
    x = mg.tensor(rng.standard_normal((6, 3)).astype("float32"))
    optimizer.zero_grad(**options)
    F.cross_entropy(model(x), mg.tensor(rng.integers(0, 2, 6))).backward()
    optimizer.step()


def state(optimizer, model):
    return [parameter in optimizer.state for parameter in model.parameters()]


# -- what stands still -----------------------------------------------------------------


def test_a_frozen_weight_stands_still_where_gradients_are_filled_with_0():
    model = chain()
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    step(model, optimizer, set_to_none=False)
    before = model[0].weight.numpy().tobytes()
    with LayerOut(model, (1, 0), warm_up=0).epoch(0):
        for seed in range(3):
            step(model, optimizer, seed, set_to_none=False)
    assert model[0].weight.numpy().tobytes() == before


def test_the_warm_up_resets_nothing():
    model = chain()
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    step(model, optimizer)
    layer_out = LayerOut(model, (0.5, 0.5), warm_up=3, momentum="reset_all")
    with layer_out.epoch(2, optimizer):
        assert state(optimizer, model) == [True] * 4
    with layer_out.epoch(3, optimizer):
        assert state(optimizer, model) == [False] * 4


def test_gradients_of_frozen_layers_are_gone_and_others_stay():
    model = chain()
    step(model, optim.SGD(model.parameters(), lr=0.1))
    with LayerOut(model, (1, 0), warm_up=0).epoch(0):
        assert [p.has_grad for p in model.parameters()] == [False, False, True, True]


@pytest.mark.parametrize("momentum", [0.1, None])
def test_statistics_that_stand_still_are_not_counted(momentum):
    """Else a plain average would weigh the next batches too little."""

    def after(frozen_batches):
        norm = nn.BatchNorm1d(3, momentum=momentum)
        model = nn.Sequential(nn.Linear(3, 3, rng=generator(0, "w")), norm)
        model = nn.Sequential(model, nn.Linear(3, 2, rng=generator(1, "w")))
        layer_out = LayerOut(model, (1, 0), warm_up=0, norm="with_statistics")

        def run(seed):
            x = np.random.default_rng(seed).standard_normal((5, 3))
            model(mg.tensor(x.astype("float32")))

        run(0)
        with layer_out.epoch(0):
            for seed in range(frozen_batches):
                run(10 + seed)
        run(1)
        return {name: array.tolist() for name, array in norm.state_dict().items()}

    assert after(8) == after(0)


# -- units -----------------------------------------------------------------------------


def test_norms_of_every_kind_are_no_units_and_only_the_next_one_belongs_to_one():
    model = normed()
    for norm, sizes in (("live", [2, 2, 2]), ("with_unit", [4, 4, 2])):
        units = LayerOut(model, norm=norm).units
        assert [unit.name for unit in units] == ["0", "2", "5"]
        assert [len(unit.parameters) for unit in units] == sizes


def test_statistics_of_units_that_are_named_stand_still_too():
    model = nn.Sequential(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), chain()[2])
    layer_out = LayerOut(
        model, (1, 0), warm_up=0, units=["0", "1"], norm="with_statistics"
    )
    with layer_out.epoch(0):
        assert model[0][1].momentum == 0
    assert model[0][1].momentum == 0.1


def test_a_unit_is_given_once():
    for units in (["0", "0", "2"], ["0", ("2", "2"), "0"]):
        with pytest.raises(ArgumentError, match="units has `0` twice, expected each"):
            LayerOut(chain(), units=units)


def test_a_layer_within_another_unit_is_named_with_it():
    model = nn.Sequential(chain(), nn.Linear(2, 2))
    with pytest.raises(ArgumentError, match=r"`0` and `0.2` share .*\('0', '0.2'\)"):
        LayerOut(model, units=["0", "0.2", "1"])


@pytest.mark.parametrize("units", ["0", 5, [0], [chain()[0]], [("0", 1)], {"0": 1}])
def test_units_are_a_list_of_names(units):
    with pytest.raises(ArgumentError, match=r"units is .*, expected a list of names"):
        LayerOut(chain(), units=units)


def test_an_epoch_in_which_nothing_would_train_is_refused():
    model = chain()
    model[0].requires_grad_(False)
    layer_out = LayerOut(model, (0, 1), warm_up=0)
    with pytest.raises(ArgumentError, match=r"unfrozen parameters are none, .* units="):
        layer_out.epoch(0).__enter__()
    assert model[2].weight.requires_grad, "and nothing is left frozen"
    model[2].requires_grad_(False)
    with layer_out.epoch(0):
        pass  # Nothing trained before either.


def test_what_the_caller_froze_does_not_count():
    model = chain()
    model[0].requires_grad_(False)
    assert LayerOut(model, (0, 0.5), warm_up=1).frozen_share(0) == 0


# -- bad input -------------------------------------------------------------------------


@pytest.mark.parametrize("ramp", [increasing, decreasing])
def test_ramps_are_probabilities(ramp):
    for count in (-1, 2.5, "x", True):
        with pytest.raises(ArgumentError, match=r"count .*, expected an integer >= 0"):
            ramp(count)
    for ends in ((0.5, 2), (0.9, 0.1), (-0.1, 0.5), (math.nan, 0.5), ("a", 1)):
        with pytest.raises(ArgumentError, match="low and high are"):
            ramp(3, *ends)
    assert ramp(0) == ()


def test_other_bad_input_is_named():
    with pytest.raises(ArgumentError, match="lengths of frozen and v are 1 and 2"):
        joint_probability((True,), (0.5, 0.5))
    with pytest.raises(ArgumentError, match="seed"):
        LayerOut(chain(), seed=-1)
    model = chain()
    layer_out = LayerOut(model, momentum="reset_all", warm_up=0)
    with pytest.raises(
        ArgumentError, match="optimizer is a Sequential, expected the op"
    ):
        layer_out.epoch(0, model).__enter__()
    for start in (-1, "a"):
        with pytest.raises(ArgumentError, match=r"start .*, expected an integer >= 0"):
            layer_out.epoch(0, start=start).__enter__()

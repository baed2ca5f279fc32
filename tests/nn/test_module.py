import numpy
import pytest
from numpy.testing import assert_array_equal

from minigrad import nn
from minigrad.backend import use_backend
from minigrad.errors import ArgumentError, DTypeError, GraphError, ShapeError
from minigrad.random import manual_seed
from minigrad.tape import Tensor, modes, tensor
from minigrad.testing.fake_device import fake_device


class Scale(nn.Module):
    """Multiplies by a parameter and counts calls in a buffer."""

    def __init__(self, factor=2.0):
        self.steps = nn.Buffer(numpy.zeros((), "int64"))
        self.factor = nn.Parameter(numpy.full(3, factor, "float32"), name="factor")

    def forward(self, x):
        return x * self.factor


class Pair(nn.Module):
    def __init__(self):
        self.left = Scale()
        self.right = Scale(3.0)
        self.offset = nn.Parameter(numpy.ones(3, "float32"))
        self.nothing = None

    def forward(self, x):
        return self.right(self.left(x)) + self.offset


def names(pairs):
    return [name for name, _ in pairs]


def test_parts_are_found_in_the_order_of_assignment():
    model = Pair()
    assert names(model.named_parameters()) == ["offset", "left.factor", "right.factor"]
    assert names(model.named_buffers()) == ["left.steps", "right.steps"]
    assert names(model.named_modules()) == ["", "left", "right"]
    assert names(model.named_children()) == ["left", "right"]
    assert names(model.named_parameters(prefix="net")) == [
        "net.offset",
        "net.left.factor",
        "net.right.factor",
    ]
    assert names(model.named_parameters(recurse=False)) == ["offset"]


def test_state_dict_lists_parameters_before_buffers_as_pytorch_does():
    assert list(Pair().state_dict()) == [
        "offset",
        "left.factor",
        "left.steps",
        "right.factor",
        "right.steps",
    ]


def test_calling_runs_forward_inside_its_own_scope():
    seen = []

    class Spy(nn.Module):
        def forward(self, x):
            seen.append(modes.scope.get())
            return x

    inner, outer = Spy(), nn.Sequential(Spy())
    outer.append(inner)
    outer(1)
    assert seen == [outer[0], inner]
    assert modes.scope.get() is None


def test_scope_is_left_when_forward_raises():
    with pytest.raises(NotImplementedError, match="Module: there is no forward"):
        nn.Module()(1)
    assert modes.scope.get() is None


def test_results_remember_the_module_that_made_them():
    model = Pair()
    y = model(tensor([1.0, 2.0, 3.0]))
    assert y.node.scope is model
    assert y.node.targets[0].scope is model.right
    assert_array_equal(y.data, [7, 13, 19])


def test_shared_parameter_is_counted_once_but_saved_under_both_names():
    model = Pair()
    model.right.factor = model.left.factor
    assert names(model.named_parameters()) == ["offset", "left.factor"]
    assert "right.factor" in model.state_dict()


def test_shared_module_is_counted_once_but_saved_under_both_names():
    model = Pair()
    model.right = model.left
    assert names(model.named_modules()) == ["", "left"]
    assert names(model.named_children()) == ["left"]
    assert names(model.named_buffers()) == ["left.steps"]
    assert "right.factor" in model.state_dict()


def test_module_that_holds_its_owner_is_refused_in_one_sentence():
    model = Pair()
    model.left.owner = model
    with pytest.raises(ArgumentError, match=r"`left\.owner` is a module that holds it"):
        model.state_dict()


def test_train_and_eval_reach_all_modules():
    model = Pair()
    assert model.training
    assert model.left.training
    assert model.eval() is model
    assert not model.training
    assert not model.right.training
    model.train()
    assert model.left.training


def test_requires_grad_freezes_parameters_and_errors_say_so():
    model = Pair().requires_grad_(False)
    assert not model(tensor([1.0, 2.0, 3.0])).requires_grad
    with pytest.raises(GraphError, match="froze it"):
        _ = model.offset.grad
    assert model.requires_grad_()(tensor([1.0, 2.0, 3.0])).requires_grad


def test_zero_grad_clears_all_gradients():
    model = Pair()
    model(tensor([1.0, 2.0, 3.0])).sum().backward()
    assert all(parameter.has_grad for parameter in model.parameters())
    model.zero_grad()
    assert not any(parameter.has_grad for parameter in model.parameters())


def test_a_kept_state_does_not_change_under_training():
    model = Pair()
    state = model.state_dict()
    model.offset.data += 1
    assert_array_equal(state["offset"], 1)


def test_state_goes_over_to_another_model_in_place():
    source, target = Pair(), Pair()
    source.offset.data[...] = 5
    source.left.steps.data[...] = 7
    array = target.offset.data
    keys = target.load_state_dict(source.state_dict())
    assert keys == ([], [])
    assert target.offset.data is array
    assert_array_equal(array, 5)
    assert target.left.steps.item() == 7


def test_states_of_pytorch_are_read_directly():
    torch = pytest.importorskip("torch")
    state = {name: torch.tensor(value) for name, value in Pair().state_dict().items()}
    state["offset"] += 4
    model = Pair()
    model.load_state_dict(state)
    assert_array_equal(model.offset.data, 5)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda state: state.pop("offset"),
            ArgumentError,
            "lacks `offset` and has the unknown nothing",
        ),
        (
            lambda state: state.update(extra=numpy.ones(2)),
            ArgumentError,
            "lacks nothing and has the unknown `extra`",
        ),
        (
            lambda state: state.update(offset=numpy.ones(2, "float32")),
            ShapeError,
            r"shapes `offset` \(2,\), expected \(3,\)",
        ),
        (
            lambda state: state.update(offset=numpy.ones(3)),
            DTypeError,
            "dtypes `offset` float64, expected float32; cast",
        ),
    ],
)
def test_state_that_does_not_fit_changes_nothing(change, error, message):
    model, other = Pair(), Pair()
    before = model.state_dict()
    for parameter in other.parameters():
        parameter.data += 1
    state = other.state_dict()
    change(state)
    with pytest.raises(error, match=message):
        model.load_state_dict(state)
    for name, value in model.state_dict().items():
        assert_array_equal(value, before[name])


def test_not_strict_loads_what_both_have():
    model = Pair()
    keys = model.load_state_dict(
        {"offset": numpy.full(3, 9, "float32"), "extra": 1}, strict=False
    )
    assert keys.unexpected_keys == ["extra"]
    assert keys.missing_keys[0] == "left.factor"
    assert_array_equal(model.offset.data, 9)


def test_loading_is_refused_while_a_graph_needs_the_old_values():
    model = Pair()
    state = {name: value + 1 for name, value in model.state_dict().items()}
    y = model(tensor([1.0, 2.0, 3.0], requires_grad=True))
    with pytest.raises(GraphError, match=r"left\.factor: the values are needed by mul"):
        model.load_state_dict(state)
    assert_array_equal(model.offset.data, 1)
    y.sum().backward()
    model.load_state_dict(state)
    assert_array_equal(model.offset.data, 2)


def test_cast_keeps_parameters_the_same_objects_and_leaves_integers_alone():
    model = Pair()
    offset = model.offset
    model(tensor([1.0, 2.0, 3.0])).sum().backward()
    assert model.to("float64") is model
    assert model.offset is offset
    assert offset.dtype == "float64"
    assert offset.requires_grad
    assert offset.is_leaf
    assert not offset.has_grad
    assert model.left.steps.dtype == "int64"
    model.to("numpy")
    assert offset.dtype == "float64"


@pytest.mark.parametrize("target", ["int64", "bool", None, "floaty", 3.5])
def test_target_that_cannot_hold_weights_is_refused_and_changes_nothing(target):
    model = Pair()
    before = model.state_dict()
    with pytest.raises(DTypeError, match=r"Pair\.to: target .*, expected a backend"):
        model.to(target)
    numpy.testing.assert_equal(model.state_dict(), before)


def test_zero_grad_can_fill_with_zeros_in_place():
    model = Pair()
    model(tensor([1.0, 2.0, 3.0])).sum().backward()
    gradient = model.offset.grad.data
    model.zero_grad(set_to_none=False)
    assert model.offset.grad.data is gradient
    assert_array_equal(gradient, 0)


def test_only_freezing_is_named_as_the_reason():
    model = Pair().requires_grad_(True)
    model.offset.requires_grad = False
    with pytest.raises(GraphError) as info:
        _ = model.offset.grad
    assert "froze" not in str(info.value)


def test_what_is_no_state_gets_a_sentence():
    with pytest.raises(ArgumentError, match=r"load_state_dict: got a NoneType, expect"):
        Pair().load_state_dict(None)


def test_apply_visits_children_first():
    seen = []
    model = Pair()
    assert model.apply(seen.append) is model
    assert seen == [model.left, model.right, model]


def test_buffer_says_why_it_has_no_gradient():
    with pytest.raises(GraphError, match="it is a buffer, which is saved but not tra"):
        _ = Scale().steps.grad


def test_repr_shows_the_tree():
    model = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 1, bias=False)))
    assert repr(model) == (
        "Sequential(\n"
        "  (0): Linear(in_features=2, out_features=3, bias=True)\n"
        "  (1): Sequential(\n"
        "    (0): Linear(in_features=3, out_features=1, bias=False)\n"
        "  )\n"
        ")"
    )
    assert isinstance(model[0].weight, Tensor)


def test_model_moves_to_a_device_and_its_state_comes_back():
    model = Pair()
    before = model.state_dict()
    with fake_device():
        offset = model.to("fake").offset
        assert model.offset is offset
        assert offset.backend == model.left.steps.backend == "fake"
        state = model.state_dict()
        assert all(type(value) is numpy.ndarray for value in state.values())
        model.load_state_dict({name: value * 2 for name, value in state.items()})
        assert offset.backend == "fake"
        model.to("numpy")
    for name, value in model.state_dict().items():
        assert_array_equal(value, before[name] * 2)


def test_layers_are_made_on_the_current_backend_with_the_same_numbers():
    manual_seed(5)
    on_host = nn.Linear(3, 4).state_dict()
    with fake_device(), use_backend("fake"):
        manual_seed(5)
        layer = nn.Linear(3, 4)
        assert layer.weight.backend == "fake"
        for name, value in layer.state_dict().items():
            assert_array_equal(value, on_host[name])

"""What backward computes with layers frozen: counts by hand, closed forms, no trace."""

import itertools

import numpy as np
import pytest

import minigrad as mg
from minigrad import functional as F
from minigrad import nn
from minigrad.errors import ArgumentError
from minigrad.inspect import backward_cost, gradient_flow
from minigrad.inspect.backward_work.products import BACKWARD_RULES, NONE
from minigrad.inspect.backward_work.rows import Seconds
from minigrad.inspect.model_summary import costs
from minigrad.kernels import KERNELS
from minigrad.kernels._spec import Kernel
from minigrad.tape import tensor


def freeze(model, *paths):
    modules = dict(model.named_modules())
    for path in paths:
        modules[path].requires_grad_(False)
    return model


def chain():
    """3 -> 4 -> 5 -> 2 on paths 0, 2, 4."""
    return nn.Sequential(
        nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2)
    )


def gradients(cost):
    return {layer.path: layer.gradient for layer in cost.layers}


def works(cost):
    return {layer.path: tuple(layer.done) for layer in cost.layers}


class TestDense:
    # Of 7 examples: 84, 140 and 70 multiply-adds forward.
    @pytest.mark.parametrize(
        ("frozen", "work", "flow"),
        [
            ("", [(84, 0), (140, 140), (70, 70)], "ends passes passes"),
            ("0", [(0, 0), (140, 0), (70, 70)], "none ends passes"),
            ("2", [(84, 0), (0, 140), (70, 70)], "ends passes passes"),
            ("4", [(84, 0), (140, 140), (0, 70)], "ends passes passes"),
            ("02", [(0, 0), (0, 0), (70, 0)], "none none ends"),
            ("04", [(0, 0), (140, 0), (0, 70)], "none ends passes"),
            ("24", [(84, 0), (0, 140), (0, 70)], "ends passes passes"),
            ("024", [(0, 0), (0, 0), (0, 0)], "none none none"),
        ],
    )
    def test_a_chain_of_three(self, frozen, work, flow):
        cost = backward_cost(freeze(chain(), *frozen), (7, 3))
        assert works(cost) == dict(zip("024", work, strict=True))
        assert list(gradients(cost).values()) == flow.split()
        assert cost.thawed_multiply_adds == 84 + 280 + 140
        assert cost.multiply_adds == sum(map(sum, work))
        sizes = {"0": 16, "2": 25, "4": 12}
        assert cost.frozen == sum(sizes[path] for path in frozen)
        assert cost.parameters == 53

    def test_an_input_that_needs_a_gradient_keeps_all_input_gradients(self):
        x = tensor(np.ones((7, 3), "float32"), requires_grad=True)
        cost = backward_cost(freeze(chain(), "0", "2"), x)
        assert works(cost) == {"0": (0, 84), "2": (0, 140), "4": (70, 70)}
        assert not x.has_grad

    def test_a_weight_alone_may_be_frozen(self):
        model = chain()
        model[0].weight.requires_grad = False
        cost = backward_cost(model, (7, 3))
        layer = cost.layer("0")
        assert (layer.state, layer.frozen, layer.trainable) == ("mixed", 12, 4)
        # The bias still needs the gradient that comes through layer 2.
        assert works(cost)["0"] == (0, 0)
        assert gradients(cost)["0"] == "ends"
        assert works(cost)["2"] == (140, 140)

    def test_what_the_result_does_not_depend_on_costs_nothing(self):
        class Aside(nn.Module):
            def __init__(self):
                self.used, self.unused = nn.Linear(3, 4), nn.Linear(3, 9)

            def forward(self, x):
                self.unused(x)
                return self.used(x)

        cost = backward_cost(Aside(), (7, 3))
        assert works(cost) == {"used": (84, 0), "unused": (0, 0)}
        assert cost.layer("unused").thawed.total == 0
        assert gradients(cost)["unused"] == "none"

    def test_shared_weights_count_once_and_work_where_it_is_done(self):
        class Tied(nn.Module):
            def __init__(self):
                self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3, bias=False)
                self.b.weight = self.a.weight

            def forward(self, x):
                return self.b(self.a(x))

        cost = backward_cost(Tied(), (7, 3))
        assert cost.parameters == 12
        assert works(cost) == {"a": (63, 0), "b": (63, 63)}


class Skip(nn.Module):
    """y = out(inner(x') + x'), x' = first(x)."""

    def __init__(self):
        self.first, self.inner = nn.Linear(3, 3), nn.Linear(3, 3)
        self.out = nn.Linear(3, 2)

    def forward(self, x):
        x = self.first(x)
        return self.out(F.relu(self.inner(x)) + x)


class TestGraphs:
    def test_a_frozen_branch_passes_the_gradient_beside_its_skip(self):
        cost = backward_cost(freeze(Skip(), "inner"), (7, 3))
        assert works(cost) == {"first": (63, 0), "inner": (0, 63), "out": (42, 42)}
        assert gradients(cost)["inner"] == "passes"

    def test_a_frozen_start_cuts_branch_and_skip(self):
        cost = backward_cost(freeze(Skip(), "first"), (7, 3))
        assert works(cost) == {"first": (0, 0), "inner": (63, 0), "out": (42, 42)}
        assert gradients(cost) == {"first": "none", "inner": "ends", "out": "passes"}

    def test_several_results_and_none_that_is_recorded(self):
        class Heads(nn.Module):
            def __init__(self):
                self.a, self.b = nn.Linear(3, 2), nn.Linear(3, 4)

            def forward(self, x):
                return {"a": self.a(x), "more": [self.b(x), x]}

        model = Heads()
        cost = backward_cost(model, (7, 3), repeats=1)
        assert works(cost) == {"a": (42, 0), "b": (84, 0)}
        assert cost.seconds.done > 0
        cost = backward_cost(model.requires_grad_(False), (7, 3), repeats=1)
        assert cost.multiply_adds == cost.seconds.done == 0
        assert cost.saved_share == cost.seconds.saved_share == 1

    def test_batch_norm_that_lives_needs_the_gradient_from_above(self):
        def model():
            return nn.Sequential(
                nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(),
                nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3),
            )  # fmt: skip

        first, second = 2 * 16 * 2 * 9, 2 * 16 * 3 * 2 * 9
        live = backward_cost(freeze(model(), "0", "3"), (2, 1, 4, 4))
        assert works(live)["3"] == (0, second)
        assert gradients(live) == {
            "0": "none",
            "1": "ends",
            "3": "passes",
            "4": "passes",
        }
        gone = backward_cost(freeze(model(), "0", "1", "3", "4"), (2, 1, 4, 4))
        assert gone.multiply_adds == 0
        with_unit = backward_cost(freeze(model(), "0", "1"), (2, 1, 4, 4))
        assert works(with_unit)["3"] == (second, 0)
        assert live.thawed_multiply_adds == first + 2 * second

    def test_groups_strides_and_transposed_convolutions(self):
        model = nn.Sequential(
            nn.Conv2d(4, 4, 3, groups=2, stride=2, padding=1, bias=False),
            nn.ConvTranspose2d(4, 2, 2, stride=2),
        )
        # (N, C) = (3, 4), 6x6 -> 3x3 -> 6x6.
        conv, back = 3 * 9 * 4 * 2 * 9, 3 * 9 * 4 * 2 * 4
        cost = backward_cost(freeze(model, "1"), (3, 4, 6, 6))
        assert works(cost) == {"0": (conv, 0), "1": (0, back)}
        assert cost.thawed_multiply_adds == conv + 2 * back

    def test_attention_shares_the_gradient_of_its_scores(self):
        model = nn.Module()
        model.make = nn.Linear(5, 5, bias=False)
        length, keys, width = 4, 6, 5
        k = tensor(np.ones((1, keys, width), "float32"))
        v = tensor(np.ones((1, keys, 3), "float32"))
        model.forward = lambda x: F.scaled_dot_product_attention(model.make(x), k, v)
        cost = backward_cost(model, (1, length, width))
        # The scores' gradient reads 3 features of v, and dq 5 of k.
        assert cost.layer("").done == (0, length * keys * (3 + 5))
        q = tensor(np.ones((1, length, width), "float32"))
        model.forward = lambda x: F.scaled_dot_product_attention(q, k, model.make(x))
        cost = backward_cost(model, (1, keys, width))
        # Values alone need no gradient of the scores.
        assert cost.layer("").done == (0, length * keys * 5)

    def test_a_drawn_branch_is_the_same_both_ways(self):
        class Drawn(nn.Module):
            def __init__(self):
                self.inner = nn.Linear(3, 3)
                self.drop = nn.Dropout(0.5)

            def forward(self, x):
                kept = self.drop(tensor(np.ones(1, "float32"))).item() > 0
                return self.inner(x) if kept else self.inner(self.inner(x))

        model, found = Drawn(), set()
        for _ in range(12):
            cost = backward_cost(model, (1, 3))
            assert cost.multiply_adds == cost.thawed_multiply_adds
            found.add(cost.multiply_adds)
            model.drop(tensor(np.ones(1, "float32")))  # On to the next draw.
        assert found == {9, 27}


class Sequences(nn.Module):
    def __init__(self, cell):
        self.before, self.cell = nn.Linear(2, 3), cell(3, 4)

    def forward(self, x):
        return self.cell(self.before(x))[0]


class TestRecurrent:
    @pytest.mark.parametrize(
        ("cell", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)]
    )
    def test_a_frozen_layer_walks_back_but_forms_no_weight_gradient(
        self, cell, gates, monkeypatch
    ):
        steps, w_ih, w_hh = 5 * 2, gates * 4 * 3, gates * 4 * 4
        model = freeze(Sequences(cell), "cell")
        cost = backward_cost(model, (5, 2, 2))
        assert works(cost)["cell"] == (0, steps * (w_ih + w_hh))
        assert cost.layer("cell").thawed == (steps * (w_ih + w_hh),) * 2
        assert gradients(cost)["cell"] == "passes"
        asked = []
        gradient = Kernel.gradient

        def listed(kernel, index, dy, record):
            asked.append((kernel.name, kernel.inputs(len(record.shapes))[index]))
            return gradient(kernel, index, dy, record)

        monkeypatch.setattr(Kernel, "gradient", listed)
        model(tensor(np.ones((5, 2, 2), "float32"))).sum().backward()
        name = cell.__name__.lower()
        assert [one for one in asked if one[0] == name] == [(name, "x")]

    @pytest.mark.parametrize(
        ("cell", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)]
    )
    def test_a_frozen_weight_of_two_and_a_layer_that_comes_first(self, cell, gates):
        model = cell(3, 4)
        model.weight_hh_l0.requires_grad = False
        cost = backward_cost(model, (5, 2, 3))
        assert cost.layer("").done == (10 * gates * 12, 10 * gates * 16)
        frozen = backward_cost(model.requires_grad_(False), (5, 2, 3))
        assert frozen.multiply_adds == 0


class Strided(nn.Sequential):
    """The MNIST network of the LayerOut paper, c.1 of its fact sheet."""

    FORWARD = (259_200, 3_612_672, 10_616_832, 1_843_200, 165_888, 294_912, 10_240)
    SIZES = (320, 18_496, 73_856, 73_792, 18_464, 295_936, 10_250)

    def __init__(self):
        conv = nn.Conv2d
        super().__init__(
            conv(1, 32, 3), nn.ReLU(), conv(32, 64, 3, 2), nn.ReLU(),
            conv(64, 128, 3), nn.ReLU(), conv(128, 64, 3, 2), nn.ReLU(),
            conv(64, 32, 3), nn.ReLU(), nn.Flatten(),
            nn.Linear(288, 1024), nn.ReLU(), nn.Linear(1024, 10),
        )  # fmt: skip
        self.units = [part for part in self if list(part.parameters())]


EARLY = (0.9, 0.7, 0.6, 0.5, 0.4, 0.3, 0.1)


class TestClosedForms:
    """Sheet b.6: expectations over all sets of layers that LayerOut may freeze."""

    @pytest.fixture(scope="class", name="by_set")
    @staticmethod
    def count():
        """Count once for each of the 127 sets that leave a layer to train."""
        mg.manual_seed(0)
        model = Strided()
        found = {}
        for frozen in itertools.product((False, True), repeat=7):
            if all(frozen):
                continue
            for unit, is_frozen in zip(model.units, frozen, strict=True):
                unit.requires_grad_(not is_frozen)
            found[frozen] = backward_cost(model, (1, 1, 32, 32))
        return found

    @staticmethod
    def expected(by_set, v, what):
        """Weigh by pi(s) / (1 - Pi)."""
        complete = np.prod(v)
        return sum(
            what(cost)
            * np.prod([p if one else 1 - p for p, one in zip(v, frozen, strict=True)])
            / (1 - complete)
            for frozen, cost in by_set.items()
        )

    def test_layers_are_those_of_the_paper(self, by_set):
        plain = by_set[(False,) * 7]
        assert [one.trainable for one in plain.layers] == list(Strided.SIZES)
        assert [one.done.weights for one in plain.layers] == list(Strided.FORWARD)
        assert [one.done.inputs for one in plain.layers] == [0, *Strided.FORWARD[1:]]
        assert plain.parameters == 491_114
        assert plain.saved_share == 0

    def test_each_set_follows_the_rule_for_a_chain(self, by_set):
        for frozen, cost in by_set.items():
            weights = sum(
                macs
                for macs, one in zip(Strided.FORWARD, frozen, strict=True)
                if not one
            )
            first = frozen.index(False)
            assert cost.multiply_adds == weights + sum(Strided.FORWARD[first + 1 :])

    @pytest.mark.parametrize(
        ("v", "saved", "parameters"),
        [(EARLY, 62.59, 38.88), (EARLY[::-1], 21.71, 60.89)],
        ids=["efreeze", "dfreeze"],
    )
    def test_expected_savings(self, by_set, v, saved, parameters):
        share = self.expected(by_set, v, lambda cost: cost.saved_share)
        assert 100 * share == pytest.approx(saved, abs=0.005)
        share = self.expected(by_set, v, lambda cost: cost.frozen_share)
        assert 100 * share == pytest.approx(parameters, abs=0.005)


class TestNoTrace:
    def test_the_model_stays_as_it_is(self):
        model = nn.Sequential(
            nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2)
        )
        model(tensor(np.ones((5, 3), "float32"))).sum().backward()
        freeze(model, "0")
        model[0].bias.origin = "a test froze it"
        held = [(p, p.data.copy(), p.cotangent, p.grad.data.copy(),
                 p.requires_grad, p.origin)
                for p in model.parameters()]  # fmt: skip
        buffers = [buffer.data.copy() for buffer in model.buffers()]
        steps = dict(mg.random.default_streams().steps)
        x = tensor(np.random.default_rng(0).normal(size=(5, 3)).astype("float32"))
        with gradient_flow(model) as flow, mg.no_grad():
            backward_cost(model, x, repeats=2)
        assert flow.count == 0
        for p, data, cotangent, grad, needs, origin in held:
            np.testing.assert_array_equal(p.data, data)
            assert p.cotangent is cotangent
            np.testing.assert_array_equal(p.grad.data, grad)
            assert p.requires_grad == needs
            assert p.origin == origin
        for buffer, before in zip(model.buffers(), buffers, strict=True):
            np.testing.assert_array_equal(buffer.data, before)
        assert dict(mg.random.default_streams().steps) == steps
        # Nothing is locked: the weights can be written to.
        for p in model.parameters():
            p.data += 0

    def test_a_graph_that_leads_to_the_input_is_not_touched(self):
        w = tensor(np.ones((5, 3), "float32"), requires_grad=True)
        x = w * 2.0
        cost = backward_cost(nn.Linear(3, 2), x, repeats=1)
        assert cost.layer("").done == (30, 30)
        assert not w.has_grad
        x.sum().backward()
        assert w.has_grad

    def test_an_error_of_the_model_leaves_it_frozen(self):
        model = freeze(chain(), "0")
        with pytest.raises(mg.errors.ShapeError):
            backward_cost(model, (7, 4))
        assert not model[0].weight.requires_grad


class TestTables:
    def test_the_table_says_what_is_exact_and_what_measured(self):
        text = str(backward_cost(freeze(chain(), "0"), (7, 3), repeats=1))
        lines = text.splitlines()
        assert lines[:2] == [
            "Sequential: 16 of 53 parameters frozen (30.2 %)",
            "backward: 280 of 504 multiply-adds (44.4 % saved)",
        ]
        assert lines[3].split() == [
            "0", "Linear", "16", "frozen", "none", "0", "0", "0", "84",
        ]  # fmt: skip
        assert lines[-2].startswith("exact: multiply-adds of the gradients")
        assert lines[-1].startswith("measured: ")
        assert "medians of 1 " in lines[-1]
        assert "measured" not in str(backward_cost(chain(), (7, 3)))

    def test_records_hold_totals_and_layers(self):
        cost = backward_cost(freeze(chain(), "0"), (7, 3), repeats=1)
        total, *layers = cost.to_records()
        assert total["level"] == "total"
        assert (total["frozen"], total["trainable"]) == (16, 37)
        assert total["weights"] + total["inputs"] == cost.multiply_adds
        assert total["thawed_weights"] + total["thawed_inputs"] == 504
        assert total["seconds"] == cost.seconds.done > 0
        assert [row["state"] for row in layers] == ["frozen", "trainable", "trainable"]
        assert all(row["seconds"] is None for row in layers)
        assert backward_cost(chain(), (7, 3)).to_records()[0]["seconds"] is None

    def test_seconds_saved_are_a_share_of_thawed(self):
        assert Seconds(3.0, 4.0, 5).saved_share == 0.25
        assert Seconds(5.0, 4.0, 5).saved_share == -0.25

    def test_a_model_without_parameters_saves_nothing(self):
        cost = backward_cost(nn.Tanh(), (2, 3), repeats=1)
        assert cost.layers == []
        assert cost.frozen_share == cost.saved_share == cost.seconds.saved_share == 0

    @pytest.mark.parametrize(
        ("call", "said"),
        [
            (lambda: backward_cost(3, (2, 3)), "model is a int, expected a Module"),
            (
                lambda: backward_cost(nn.Tanh(), (2,), repeats=-1),
                "repeats -1, expected",
            ),
            (lambda: backward_cost(nn.Tanh(), (2,), repeats=True), "repeats True, exp"),
            (lambda: backward_cost(nn.Tanh(), "x"), "backward_cost: input 1 is 'x'"),
            (lambda: backward_cost(chain(), (7, 3)).layer("9"), "layer '9', expected"),
        ],
    )
    def test_what_is_wrong_is_said_in_a_sentence(self, call, said):
        with pytest.raises(ArgumentError, match=said):
            call()


def test_every_kernel_that_multiplies_has_a_rule():
    multiplying = {
        costs._linear, costs._matmul, costs._drop_connect, costs._conv,
        costs._conv_transpose, costs._LSTM, costs._DROPPED_LSTM, costs._GRU,
            costs._RNN, costs._attention,
    }  # fmt: skip
    expected = {name for name, rule in costs.RULES.items() if rule in multiplying}
    assert set(BACKWARD_RULES) == expected
    for kernel in KERNELS:
        arrays, inputs = [np.ones((2, 2))] * len(kernel.terms), set(kernel.terms)
        found = BACKWARD_RULES.get(kernel.name, lambda *_: NONE)(arrays, 40)
        assert set(found.own) <= inputs, kernel.name
        # Of the shared ones those are listed that any kernel of the kind has.
        assert not found.sharers or inputs & set(found.sharers), kernel.name


@pytest.mark.usefixtures("device")
def test_devices_count_and_measure_alike():
    cost = backward_cost(freeze(chain(), "0"), (7, 3), repeats=1)
    assert cost.multiply_adds == 280
    assert cost.seconds.thawed > 0

"""What a model is made of and costs: rows, totals, and that it stays as it was."""

import math
import threading

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import minigrad as mg
from minigrad import nn, random
from minigrad.errors import ArgumentError, ShapeError
from minigrad.inspect import detect_nonfinite, gradient_flow
from minigrad.inspect.model_summary.costs import Cost
from minigrad.inspect.model_summary.summary import summary
from minigrad.tape import modes, no_grad, tensor


def network(**options):
    rng = np.random.default_rng(0)
    return nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1, rng=rng),
        nn.BatchNorm2d(2),
        nn.ReLU(),
        nn.Dropout(0.5, **options),
        nn.Flatten(),
        nn.Linear(32, 3, rng=rng),
    )


class Tied(nn.Module):
    """Embedding and output use one weight."""

    def __init__(self):
        self.embedding = nn.Embedding(6, 4)
        self.output = nn.Linear(4, 6, bias=False)
        self.output.weight = self.embedding.weight

    def forward(self, words):
        return self.output(self.embedding(words))


class TestRows:
    def test_each_module_has_a_row_in_the_order_of_the_tree(self):
        found = summary(network(), (5, 1, 4, 4))
        assert [(row.path, row.kind, row.shapes) for row in found.rows] == [
            ("", "Sequential", ((5, 3),)),
            ("0", "Conv2d", ((5, 2, 4, 4),)),
            ("1", "BatchNorm2d", ((5, 2, 4, 4),)),
            ("2", "ReLU", ((5, 2, 4, 4),)),
            ("3", "Dropout", ((5, 2, 4, 4),)),
            ("4", "Flatten", ((5, 32),)),
            ("5", "Linear", ((5, 3),)),
        ]

    def test_parameters_are_counted_by_whether_they_train(self):
        model = network()
        model.requires_grad_(False)
        list(model.children())[-1].requires_grad_()
        found = summary(model, (5, 1, 4, 4))
        assert found.total_trainable == 32 * 3 + 3
        assert found.total_frozen == 2 * 9 + 2 + 2 + 2
        assert found.total_parameters == 123
        assert found.total_buffers == 2 + 2 + 1
        assert found.row("1").frozen == 4

    def test_a_row_holds_what_is_below_it(self):
        inner = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
        found = summary(nn.Sequential(inner, nn.Linear(4, 2)), (5, 3))
        inside = [found.row("0.0"), found.row("0.1")]
        assert found.row("0").parameters == sum(row.parameters for row in inside) == 16
        assert found.row("0").cost == Cost(60, 20 + 20)
        assert found.row("0").output_bytes == sum(row.output_bytes for row in inside)
        assert found.total_flops == sum(found.row(p).cost.flops for p in ("0", "1"))
        assert found.row("0").share + found.row("1").share == pytest.approx(1)

    def test_shared_parameters_count_once(self):
        found = summary(Tied(), np.array([0, 1]))
        assert found.total_parameters == 24
        assert found.row("embedding").shared == 0
        assert found.row("output").shared == 24
        assert found.rows[0].shared == 0
        assert "24*" in str(found)
        assert "* some of them are those of a module further up" in str(found)

    def test_a_module_that_runs_twice_costs_twice(self):
        class Twice(nn.Module):
            def __init__(self):
                self.layer = nn.Linear(3, 3, bias=False)

            def forward(self, x):
                return self.layer(self.layer(x))

        row = summary(Twice(), (2, 3)).row("layer")
        assert (row.calls, row.parameters, row.cost) == (2, 9, Cost(36, 0))

    def test_modules_that_a_list_hides_have_a_row_for_them_all(self):
        class Hidden(nn.Module):
            def __init__(self):
                self.layers = [nn.Linear(3, 3), nn.Linear(3, 3)]

            def forward(self, x):
                for layer in self.layers:
                    x = layer(x)
                return x

        found = summary(Hidden(), (1, 3))
        assert found.rows[-1].path == "(not in the tree)"
        assert found.rows[-1].cost == found.rows[0].cost == Cost(18, 6)
        assert found.total_parameters == 0

    def test_all_results_are_listed(self):
        found = summary(nn.LSTM(3, 4), (7, 2, 3))
        assert found.rows[0].shapes == ((7, 2, 4), (1, 2, 4), (1, 2, 4))
        assert "(7,2,4) +2" in str(found)

    def test_costs_are_of_the_kernels_that_ran(self):
        found = summary(network().eval(), (5, 1, 4, 4))
        assert found.row("0").cost == Cost(5 * 32 * 9, 5 * 32)
        assert found.row("3").cost == Cost(0, 0)
        assert found.total_multiply_adds == 5 * 32 * 9 + 5 * 32 * 3

    def test_without_inputs_there_are_no_costs(self):
        found = summary(network())
        assert not found.ran
        assert found.total_parameters == 123
        assert found.rows[0].share is None
        assert "FLOPs" not in str(found)

    def test_an_unknown_row_is_refused(self):
        with pytest.raises(ArgumentError, match="row '9', expected a path"):
            summary(network()).row("9")


class TestMemory:
    def test_views_take_none(self):
        found = summary(network(), (5, 1, 4, 4))
        assert found.row("0").output_bytes == 5 * 32 * 4
        assert found.row("5").output_bytes == 5 * 3 * 4

    def test_what_two_kernels_keep_is_counted_once(self):
        class Square(nn.Module):
            def forward(self, x):
                y = x.exp()
                return y * y

        x = tensor(np.ones(100, "float32"), requires_grad=True)
        # exp keeps y, mul keeps it twice more.
        assert summary(Square(), x).total_saved_bytes == 400

    def test_parameters_are_no_memory_of_the_pass_but_inputs_are(self):
        found = summary(nn.Linear(3, 2), (5, 3))
        assert found.total_saved_bytes == 5 * 3 * 4
        assert found.total_output_bytes == 5 * 2 * 4

    def test_frozen_layers_keep_nothing(self):
        layer = nn.Linear(3, 2).requires_grad_(False)
        assert summary(layer, (5, 3)).total_saved_bytes == 0

    def test_it_is_that_of_training_also_under_no_grad(self):
        with no_grad():
            assert summary(nn.Linear(3, 2), (5, 3)).total_saved_bytes == 60


class TestGradients:
    def test_they_are_measured_where_there_are_any(self):
        model = nn.Sequential(nn.Linear(2, 1, bias=False), nn.Linear(1, 1))
        first, second = model.children()
        first.weight.data[...] = [[3.0, 4.0]]
        first.weight.grad = tensor(np.array([[0.5, 0.0]], "float32"))
        row = summary(model, (1, 2)).row("0")
        assert row.gradient.norm == pytest.approx(0.5)
        assert row.gradient.rms == pytest.approx(0.5 / math.sqrt(2))
        assert row.gradient.ratio == pytest.approx(0.1)
        assert row.gradient.zeros == 0.5
        found = summary(model)
        assert found.rows[0].gradient.norm == pytest.approx(0.5)
        assert found.rows[0].gradient.missing == 2
        assert found.row("1").gradient is None
        text = str(found)
        assert "gradients that parameters hold" in text
        assert "  0 Linear    0.5  0.354            0.1       50        0" in text
        assert second.weight.has_grad is False

    def test_without_any_there_is_no_table_of_them(self):
        assert "gradients" not in str(summary(network(), (1, 1, 4, 4)))


class TestLeavesTheModelAsItWas:
    def test_gradients_statistics_and_modes_stay(self):
        model = network()
        model(tensor(np.ones((2, 1, 4, 4), "float32"))).sum().backward()
        list(model.children())[2].eval()
        state = model.state_dict()
        grads = [one.grad.numpy().copy() for one in model.parameters()]
        arrays = [buffer.data for buffer in model.buffers()]
        modes_before = [module.training for module in model.modules()]
        summary(model, np.ones((5, 1, 4, 4), "float32"))
        for name, value in model.state_dict().items():
            assert_array_equal(value, state[name])
        for one, before in zip(model.parameters(), grads, strict=True):
            assert_array_equal(one.grad.numpy(), before)
        assert [module.training for module in model.modules()] == modes_before
        # Optimizers and states may hold on to the very arrays.
        assert all(b.data is a for b, a in zip(model.buffers(), arrays, strict=True))
        assert (modes.tracing, modes.tracers.get()) == (0, ())

    def test_default_streams_stand_where_they_stood(self):
        streams = random.manual_seed(3)
        streams.next("dropout")
        before = streams.state_dict()
        summary(network(), (5, 1, 4, 4))
        assert random.default_streams() is streams
        assert streams.state_dict() == before

    @pytest.mark.parametrize("source", [random.Streams, np.random.default_rng])
    def test_streams_of_layers_stand_where_they_stood(self, source):
        model, x = network(rng=source(5)), np.ones((5, 1, 4, 4), "float32")
        other = network(rng=source(5))
        summary(model, x)
        assert_array_equal(model(tensor(x)).numpy(), other(tensor(x)).numpy())

    def test_also_when_the_model_fails(self):
        class Fails(nn.Module):
            def __init__(self):
                self.inner = network()

            def forward(self, x):
                self.inner(x)
                raise ZeroDivisionError

        model = Fails()
        state = model.state_dict()
        before = random.default_streams().state_dict()
        with pytest.raises(ZeroDivisionError):
            summary(model, (5, 1, 4, 4))
        assert random.default_streams().state_dict() == before
        assert modes.tracing == 0
        for name, value in model.state_dict().items():
            assert_array_equal(value, state[name])

    def test_a_thread_without_streams_is_no_hindrance(self):
        found = []
        layer = nn.Linear(3, 2)
        thread = threading.Thread(target=lambda: found.append(summary(layer, (5, 3))))
        thread.start()
        thread.join()
        assert found[0].total_parameters == 8


class Hiding(nn.Module):
    """Holds batch norm and dropout where the tree does not look."""

    def __init__(self, kind, rng=None):
        layers = [nn.BatchNorm1d(3), nn.Dropout(0.5, rng=rng)]
        if kind == "dict":
            self.layers = {"blocks": (layers,)}
        elif kind == "set":
            self.layers = [nn.Sequential(), set(layers), {"self": layers}]
            self.layers[0].hidden = [layers]
        else:
            self.layers = [layers]
        self.hidden, self.kind = layers, nn.Linear

    def forward(self, x):
        for layer in self.hidden:
            x = layer(x)
        return x


class TestHiddenModules:
    @pytest.mark.parametrize("kind", ["list", "dict", "set"])
    def test_their_statistics_stay(self, kind):
        model = Hiding(kind)
        norm = model.hidden[0]
        array, before = norm.running_mean.data, norm.state_dict()
        summary(model, np.ones((4, 3), "float32"))
        assert norm.running_mean.data is array
        for name, value in norm.state_dict().items():
            assert_array_equal(value, before[name])

    @pytest.mark.parametrize("kind", ["list", "dict", "set"])
    def test_their_streams_stand_where_they_stood(self, kind):
        rng = np.random.default_rng(5)
        before = rng.bit_generator.state
        summary(Hiding(kind, rng=rng), np.ones((4, 3), "float32"))
        assert rng.bit_generator.state == before

    def test_a_list_that_holds_itself_or_the_model_is_walked_once(self):
        model = Hiding("list")
        model.layers.append(model.layers)
        model.layers.append(model)
        assert summary(model, (4, 3)).rows[0].shapes == ((4, 3),)


class Unsafe(nn.Module):
    """Divides by what it is given, as a norm does, and runs backward itself."""

    def __init__(self):
        self.weight = mg.Parameter(np.ones(3, "float32"))

    def forward(self, x):
        probe = tensor(np.ones(3, "float32"), requires_grad=True)
        (probe * probe).sum().backward()
        return x * self.weight / (x * x).sum()


class TestWithinOtherBlocks:
    def test_zeros_that_make_nan_stop_no_detector(self):
        with np.errstate(all="ignore"), detect_nonfinite():
            assert summary(Unsafe(), (2, 3)).ran

    def test_a_recording_sees_neither_the_run_nor_its_passes(self):
        model = Unsafe()
        with np.errstate(all="ignore"), gradient_flow(model) as flow:
            y = model.weight * 2.0
            summary(model, (2, 3))
            y.backward(np.full(3, np.inf, "float32"))
        assert flow.count == 1
        assert "called on mul#1 with a gradient that is not fin" in flow.why("weight")
        assert "in forward" not in flow.why("weight")

    def test_it_watches_for_itself_under_a_tracer(self):
        class Counts:
            calls = 0

            def ran(self, *seen):
                self.calls += 1

            returned = ran

        counts = Counts()
        with modes.traced(counts):
            found = summary(network(), (5, 1, 4, 4))
            assert counts.calls == 0
            tensor([1.0]) * 2.0
        assert counts.calls == 1
        assert found.total_flops > 0

    def test_who_watches_comes_back_after_an_error(self):
        with gradient_flow() as flow:
            with pytest.raises(ShapeError):
                summary(nn.Linear(3, 2), (5, 4))
            tensor([1.0], requires_grad=True).sum().backward()
        assert flow.count == 1


class TestInputs:
    def test_a_shape_becomes_zeros_of_the_models_dtype(self):
        seen = []

        class Looks(nn.Module):
            def __init__(self):
                self.layer = nn.Linear(3, 2, dtype="float64")

            def forward(self, x):
                seen.append(x)
                return self.layer(x)

        summary(Looks(), (5, 3))
        assert (seen[0].shape, str(seen[0].dtype)) == ((5, 3), "float64")
        assert not seen[0].numpy().any()

    def test_states_and_keywords_are_passed_on(self):
        x, h = np.ones((4, 2, 3), "float32"), np.ones((1, 2, 5), "float32")
        layer = nn.LSTM(3, 5)
        assert summary(layer, x, (h, h)).rows[0].shapes[0] == (4, 2, 5)
        found = summary(layer, x, lengths=np.array([4, 2]))
        assert found.rows[0].shapes[0] == (4, 2, 5)

    @pytest.mark.parametrize("wrong", ["x", 3, (2, -1), (2, 1.5)])
    def test_other_inputs_are_refused(self, wrong):
        with pytest.raises(
            ArgumentError, match=r"summary: input 1 is .*, expected a t"
        ):
            summary(network(), wrong)

    def test_what_is_no_module_is_refused(self):
        with pytest.raises(
            ArgumentError, match="summary: model is a int, expected a M"
        ):
            summary(3)

    def test_the_models_own_errors_come_through(self):
        with pytest.raises(ShapeError, match="linear: "):
            summary(nn.Linear(3, 2), (5, 4))


def test_the_table_shows_costs_in_short():
    lines = str(summary(network().eval(), (5, 1, 4, 4))).splitlines()
    assert lines[0] == (
        "Sequential: 123 trainable and 0 frozen parameters, 5 elements of buffers"
    )
    assert lines[1].split() == [
        "module", "output", "parameters", "mult-adds", "FLOPs", "%", "outputs", "saved",
    ]  # fmt: skip
    assert lines[3].split() == [
        "0", "Conv2d", "(5,2,4,4)", "20", "1.44k", "3.04k", "63.1", "640B", "320B",
    ]  # fmt: skip
    assert all(len(line) <= 100 for line in lines)


def test_two_summaries_are_alike():
    model = network()
    assert str(summary(model, (5, 1, 4, 4))) == str(summary(model, (5, 1, 4, 4)))


def test_the_pass_on_another_device_costs_the_same(device):
    found = summary(network(), (5, 1, 4, 4))
    assert found.total_multiply_adds == 5 * 32 * 9 + 5 * 32 * 3

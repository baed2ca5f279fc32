"""What signal_propagation measures, against closed forms, and what it leaves alone."""

import json
import math
import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import functional as F
from minigrad import nn
from minigrad.errors import ArgumentError, GraphError, MinigradError, ShapeError
from minigrad.inspect import gradient_flow, signal_propagation
from minigrad.inspect.explain import tables
from minigrad.inspect.propagation import jacobian as jacobian_module
from minigrad.tape import Tensor, tensor


def normal(*shape, seed=0, dtype="float64"):
    return tensor(np.random.default_rng(seed).normal(size=shape), dtype=dtype)


def dense(*widths, make=None, seed=0):
    """A chain of bias-free linear layers whose weights make(rng, out, in) draws."""
    rng = np.random.default_rng(seed)
    layers = []
    for width, after in pairwise(widths):
        layer = nn.Linear(width, after, bias=False, dtype="float64")
        drawn = rng.normal(size=(after, width)) if make is None else make(rng, width)
        layer.weight.data = tensor(drawn, dtype="float64").data
        layers.append(layer)
    return nn.Sequential(*layers)


def rotation(rng, width):
    q, r = np.linalg.qr(rng.normal(size=(width, width)))
    return q * np.sign(np.diag(r))


def close(found, expected, rtol=1e-12):
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-12)


# -- closed forms ----------------------------------------------------------------------


def test_orthogonal_layers_keep_signal_and_gradient_and_are_isometries(device):
    model = dense(*[6] * 5, make=rotation)
    found = signal_propagation(model, normal(20, 6), jacobian="*")
    assert [layer.path for layer in found.layers] == ["0", "1", "2", "3", ""]
    for layer in found.layers:
        close(layer.gain, 1)
        close(layer.gradient_gain, 1)
        close(layer.singular_values, np.ones(6))


def test_a_random_gradient_has_norm_1_at_the_output_and_depends_on_the_seed():
    model, x = dense(6, 6, make=rotation), normal(20, 6)
    squares = []
    for seed in (0, 0, 1):
        layer = signal_propagation(model, x, seed=seed).layer("0")
        close(layer.gave.gradient_square, 1 / 120)
        squares.append(layer.given.gradient.edges[0].measures.mean_abs)
    assert squares[0] == squares[1] != squares[2]


def test_relu_halves_the_mean_square_of_what_is_symmetric(device):
    x = np.random.default_rng(0).normal(size=(50, 4))
    both = tensor(np.concatenate([x, -x]), dtype="float64")
    (layer,) = signal_propagation(nn.ReLU(), both).layers
    close(layer.gain, 0.5)
    close(layer.gave.moments.zeros, 0.5)
    assert layer.gave.moments.dead == 0
    assert layer.title == "ReLU"


def test_he_normal_keeps_the_variance_through_relus_and_scale_1_halves_it():
    gains = []
    for scale in (math.sqrt(2), 1.0):
        rng = np.random.default_rng(1)
        model = nn.Sequential()
        for _ in range(5):
            layer = nn.Linear(400, 400, bias=False)
            nn.init.normal_(layer.weight, std=scale / 20, rng=rng)
            model.append(layer)
            model.append(nn.ReLU())
        found = signal_propagation(model, normal(200, 400, dtype="float32"))
        ends = found.layer("0").gave.moments, found.layer("8").gave.moments
        gains.append(ends[1].variance / ends[0].variance)
    assert 0.7 < gains[0] < 1.4
    # The same draws, scaled: each of four layers halves it.
    close(gains[1], gains[0] / 2**4, rtol=1e-4)


@given(
    widths=st.lists(st.integers(1, 7), min_size=2, max_size=5),
    scale=st.floats(0.01, 100),
    seed=st.integers(0, 9),
)
@settings(deadline=None)
def test_gains_are_those_of_the_products(widths, scale, seed):
    model, x = dense(*widths, seed=seed), normal(3, widths[0], seed=seed)
    model[0].weight.data *= scale
    found = signal_propagation(model, x, jacobian=["0", ""])
    product, h = np.eye(widths[0]), x.numpy()
    for number, layer in enumerate(model):
        weight = layer.weight.numpy()
        before, h = h, h @ weight.T
        product = weight @ product
        row = found.layer(str(number))
        close(row.gain, (h**2).mean() / (before**2).mean(), rtol=1e-9)
        close(row.gave.moments.variance, h.var(), rtol=1e-9)
    whole = found.layers[-1] if len(widths) > 2 else found.layer("0")
    rank = np.linalg.svd(product, compute_uv=False)
    np.testing.assert_allclose(
        whole.singular_values, rank, rtol=1e-9, atol=1e-12 * rank[0]
    )


def test_moments_are_those_of_all_elements(device):
    x = np.array([[0.0, 2.0, 0.0], [0.0, -4.0, 5.0]])
    found = signal_propagation(nn.ReLU(), tensor(x, dtype="float64")).input.moments
    close(found[:3], (x.mean(), x.var(), (x * x).mean()))
    close(found[3:], (1 / 2, 1 / 3))


def test_the_jacobian_of_a_1x1_convolution_has_its_matrix_at_each_place():
    layer = nn.Conv2d(3, 5, 1, dtype="float64")
    found = signal_propagation(layer, normal(2, 3, 2, 2), jacobian="", example=1)
    own = np.linalg.svd(layer.weight.numpy()[:, :, 0, 0], compute_uv=False)
    close(found.layer("").singular_values, np.repeat(own, 4), rtol=1e-9)


@pytest.mark.parametrize("batch", [1, 20, 1 << 19])
def test_the_jacobian_of_a_network_is_taken_at_the_example(batch, monkeypatch):
    monkeypatch.setattr(jacobian_module, "BATCH", batch)
    model, x = dense(4, 5, 3), normal(6, 4)
    model = nn.Sequential(model[0], nn.Tanh(), model[1])
    first, second = (model[at].weight.numpy() for at in (0, 2))
    slope = 1 - np.tanh(x.numpy()[2] @ first.T) ** 2
    found = signal_propagation(model, x, jacobian=["", "1"], example=2)
    expected = np.linalg.svd(second * slope @ first, compute_uv=False)
    close(found.layer("").singular_values, expected, rtol=1e-9)
    close(found.layer("1").singular_values, np.sort(slope)[::-1], rtol=1e-9)


def test_singular_values_that_are_rounding_are_0():
    model = dense(4, 4, make=lambda rng, width: np.ones((4, 4)) / 3)
    found = signal_propagation(model, normal(1, 4), jacobian="0")
    close(found.layer("0").singular_values, [4 / 3, 0, 0, 0])
    assert (found.layer("0").singular_values[1:] == 0).all()


def test_gradients_are_those_of_the_loss(network):
    model, x, t = network(3, 4, 2), normal(5, 3), normal(5, 2, seed=1)
    found = signal_propagation(model, x, loss=lambda y: F.mse_loss(y, t))
    leaf = tensor(x.numpy(), requires_grad=True)
    F.mse_loss(model(leaf), t).backward()
    close(found.input.gradient_square, (leaf.grad.numpy() ** 2).mean())
    y = model(x).numpy()
    close(
        found.layer("second").gave.gradient_square, ((y - t.numpy()) ** 2).mean() / 25
    )


# -- which layers, and what their gradients are the sum of -----------------------------


def block():
    inner = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.ReLU())
    return nn.Sequential(nn.Linear(3, 4), nn.Residual(inner), nn.Linear(4, 2))


def test_layers_come_in_the_order_of_return_without_containers_of_the_same():
    found = signal_propagation(block(), normal(5, 3, dtype="float32"))
    inner = ["1.branch.0", "1.branch.1", "1.branch.2"]
    assert [layer.path for layer in found.layers] == ["0", *inner, "1", "2"]
    assert found.layer("1").given is found.layer("0").gave
    assert found.layer("2").given is found.layer("1").gave
    assert found.layer("0").given is found.input


def test_patterns_choose_layers_and_jacobians_add_to_them():
    found = signal_propagation(
        block().eval(), normal(5, 3, dtype="float32"), layers="[12]", jacobian="0"
    )
    assert [layer.path for layer in found.layers] == ["0", "1", "2"]
    spectra = [layer.singular_values is not None for layer in found.layers]
    assert spectra == [True, False, False]


def test_what_a_branch_and_a_shortcut_send_back_are_told_apart():
    found = signal_propagation(block(), normal(5, 3, dtype="float32"))
    edges = found.layer("1").given.gradient.edges
    assert [edge.module for edge in edges] == ["1.branch.0", "1"]
    norm = found.layer("1.branch.1").given.gradient
    terms = [term.name for term in norm.edges[0].terms]
    assert terms == ["direct", "through_mean", "through_var"]
    found.flow.assert_conserved()
    lines = [line.split("  ")[:2] for line in found.terms().splitlines()]
    place = lines.index(["1", ""])
    assert lines[place + 1][1].endswith("0/linear#1 (x) direct")
    assert lines[place + 2][1] == "1/add#1 (b) direct"
    assert lines[place - 3][1].endswith("_train#1 (x) through_var")


class Twice(nn.Module):
    """Calls one layer twice, and returns a second tensor."""

    def __init__(self):
        self.layer = nn.Linear(3, 3)

    def forward(self, x):
        y = self.layer(x)
        return self.layer(y), y


def test_each_call_of_a_module_is_a_layer_and_of_several_results_the_first_counts():
    found = signal_propagation(
        Twice(), normal(5, 3, dtype="float32"), loss=lambda y: (y[0] * y[1]).sum()
    )
    assert [layer.title for layer in found.layers] == ["layer", "layer#2"]
    second = found.layer("layer", 2)
    assert second.given is found.layer("layer").gave
    # y goes into the second call and into the loss.
    assert len(second.given.gradient.edges) == 2


def test_numbers_of_words_have_no_signal_and_a_recurrent_layer_gives_its_outputs():
    class Reader(nn.Module):
        def __init__(self):
            self.words, self.lstm = nn.Embedding(9, 4), nn.LSTM(4, 3, batch_first=True)

        def forward(self, ids):
            return self.lstm(self.words(ids))[0]

    found = signal_propagation(Reader(), np.array([[1, 2], [3, 4]]))
    assert found.input is None
    assert found.layer("words").given is None
    assert found.layer("words").gain is None
    assert found.layer("lstm").gave.shape == (2, 2, 3)
    assert found.layer("lstm").gradient_gain > 0
    assert "input" not in found.table()


def test_a_frozen_model_still_hands_gradients_back():
    model = block().requires_grad_(False)
    found = signal_propagation(model, normal(5, 3, dtype="float32"))
    assert found.layer("0").gradient_gain > 0


# -- what is left alone ----------------------------------------------------------------


def state(model):
    found = {name: np.array(value) for name, value in model.state_dict().items()}
    return found, [module.training for module in model.modules()]


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_stays_as_it_was(fails):
    mg.manual_seed(3)
    model = nn.Sequential(block(), nn.Dropout(0.5))
    model[0][2].eval()
    x = normal(5, 3, dtype="float32").requires_grad_()
    model(x).sum().backward()
    grads = [one.grad.numpy().copy() for one in model.parameters()]
    before, names = state(model), [set(vars(one)) for one in model.modules()]
    steps = dict(mg.random.default_streams().steps)
    if fails:
        with pytest.raises(ArgumentError, match="mixes"):
            signal_propagation(model, x, jacobian="0")
    else:
        signal_propagation(model, x, jacobian="0.0")
    after = state(model)
    assert after[1] == before[1]
    for name, value in before[0].items():
        assert (after[0][name] == value).all(), name
    assert all(
        (one.grad.numpy() == grad).all()
        for one, grad in zip(model.parameters(), grads, strict=True)
    )
    assert mg.random.default_streams().steps == steps
    # Nothing stands in the place of forward any more.
    assert [set(vars(one)) for one in model.modules()] == names
    assert x.grad.shape == x.shape


def test_parameters_without_gradient_get_none_and_do_not_say_that_backward_ran():
    model = block()
    signal_propagation(model, normal(5, 3, dtype="float32"))
    with pytest.raises(GraphError, match="has not run"):
        model[0].weight.grad  # noqa: B018 - reading it is what is tested


def test_a_forward_of_the_instance_is_used_and_comes_back():
    model = nn.ReLU()
    model.forward = own = lambda x: x * 3
    found = signal_propagation(model, normal(2, 3))
    close(found.layer("").gain, 9)
    assert model.forward is own


def test_recordings_around_it_do_not_see_it():
    model = block()
    with gradient_flow(model) as flow:
        signal_propagation(model, normal(5, 3, dtype="float32"))
    assert flow.count == 0


def test_it_runs_under_no_grad():
    with mg.no_grad():
        found = signal_propagation(block(), normal(5, 3, dtype="float32"))
    assert found.layer("0").gradient_gain > 0


# -- errors ----------------------------------------------------------------------------


def with_dropout():
    return nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))


@pytest.mark.parametrize(
    ("model", "options", "error", "message"),
    [
        (len, {}, ArgumentError, "model is a builtin_function_or_method, expected a M"),
        (block(), {"x": [1.0]}, ArgumentError, "x is a list, expected a Tensor or an"),
        (block(), {"example": 5}, ArgumentError, "example 5, expected the number of"),
        (block(), {"example": True}, ArgumentError, "example True, expected"),
        (
            block(),
            {"layers": "conv*"},
            ArgumentError,
            "pattern 'conv\\*', expected one",
        ),
        (block(), {"jacobian": "9"}, ArgumentError, "pattern '9', expected one"),
        (block(), {"jacobian": 3}, ArgumentError, "patterns 3, expected a shell patt"),
        (
            block(),
            {"jacobian": "0", "largest": 3},
            ShapeError,
            r"Jacobian of `0` is \(4, 3\), expected at most 3 numbers each way; give",
        ),
        (
            block(),
            {"jacobian": "1"},
            ArgumentError,
            "`1` gives another result .* mixes examples .*; call model.eval",
        ),
        (with_dropout(), {"jacobian": ""}, ArgumentError, "the model gives another"),
        (
            Twice(),
            {},
            ArgumentError,
            "returned a tuple, expected a Tensor; give a loss",
        ),
        (
            Twice(),
            {"loss": lambda y: y[0].sum(), "jacobian": ""},
            ArgumentError,
            "jacobian: the model gave a tuple, expected one Tensor of floats",
        ),
        (block(), {"loss": lambda y: y}, ShapeError, "loss returned shape .* a scalar"),
        (block(), {"loss": lambda y: 1.0}, ArgumentError, "loss returned a float"),
    ],
)
def test_what_does_not_fit_is_told_in_a_sentence(model, options, error, message):
    options = {"x": normal(5, 3, dtype="float32"), **options}
    with pytest.raises(error, match=message) as caught:
        signal_propagation(model, **options)
    assert isinstance(caught.value, MinigradError)
    assert str(caught.value).startswith("signal_propagation")


def test_a_jacobian_of_a_layer_of_two_inputs_is_refused():
    class Sum(nn.Module):
        def forward(self, a, b):
            return a + b

    class Model(nn.Module):
        def __init__(self):
            self.sum = Sum()

        def forward(self, x):
            return self.sum(x, x)

    with pytest.raises(ArgumentError, match="`sum` was given several inputs"):
        signal_propagation(Model(), normal(2, 3), jacobian="sum")


class Centred(nn.Module):
    """Subtracts half the mean over the examples."""

    def forward(self, x):
        return x - 0.5 * x.mean(0)


class Summed(nn.Module):
    """Adds to each example those before it in the batch: the first stays as it is."""

    def forward(self, x):
        return tensor(np.tril(np.ones((len(x), len(x)))), dtype="float64") @ x


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("value", [None, 0.0, -1.0])
@pytest.mark.parametrize(
    "make",
    [
        Centred,
        Summed,
        lambda: nn.BatchNorm2d(2, track_running_stats=False, dtype="float64"),
        lambda: nn.BatchNorm2d(2, dtype="float64"),
    ],
    ids=["centred", "summed", "norm without statistics", "norm"],
)
def test_a_layer_that_mixes_examples_is_refused_whatever_they_are(make, value, count):
    model = make()
    shape = (1, 2, 3, 3) if isinstance(model, nn.BatchNorm2d) else (1, 4)
    one = normal(*shape).numpy() if value is None else np.full(shape, value)
    x = tensor(np.repeat(one, count, axis=0), dtype="float64")
    with pytest.raises(ArgumentError, match=r"mixes examples .*; call model\.eval"):
        signal_propagation(model, x, jacobian="")
    if isinstance(model, nn.BatchNorm2d) and model.track_running_stats:
        found = signal_propagation(model.eval(), x, jacobian="").layer("")
        close(found.singular_values, np.full(18, 1 / math.sqrt(1 + model.eps)))


def test_a_layer_that_fails_for_other_examples_only_has_a_jacobian():
    class Log(nn.Module):
        def forward(self, x):
            return F.log(x)

    x = tensor([[0.5, 2.0]], dtype="float64")
    found = signal_propagation(Log(), x, jacobian="").layer("")
    close(found.singular_values, [2.0, 0.5])


def test_a_jacobian_that_is_not_finite_is_refused():
    model, x = dense(3, 3), normal(2, 3)
    x.data[0, 0] = np.inf
    with pytest.raises(ArgumentError, match="finite numbers"):
        signal_propagation(model, x, jacobian="0")


def test_where_nothing_needs_a_gradient_the_reason_is_told():
    model = nn.Embedding(3, 2).requires_grad_(False)
    with pytest.raises(GraphError, match="no input of embedding required a gradient"):
        signal_propagation(model, np.array([0, 1]))


def test_an_unknown_layer_is_told():
    found = signal_propagation(block(), normal(5, 3, dtype="float32"))
    with pytest.raises(ArgumentError, match="layer '0', call 2, expected a path"):
        found.layer("0", 2)


# -- how it is shown -------------------------------------------------------------------


def shown():
    x = normal(5, 3, dtype="float32")
    return signal_propagation(block().eval(), x, jacobian=["0", "1"])


def test_the_table_has_a_row_for_the_input_and_each_layer():
    found = shown()
    title, header, first, second, *rest = str(found).splitlines()
    assert title == "signal propagation: Sequential, 6 layers"
    assert header.split()[-3:] == ["its", "gain", "singular"]
    assert first.split()[0] == "input"
    assert second.split()[:3] == ["0", "Linear", "(5,4)"]
    assert ".." in second
    assert rest[0].split()[-1] == "-"
    assert len(rest) == 5
    assert max(map(len, str(found).splitlines())) <= 100
    assert repr(found) == "<Propagation: Sequential, 6 layers>"


def test_records_are_json_and_hold_layers_edges_and_terms():
    found = shown()
    records = json.loads(json.dumps(found.to_records(), allow_nan=False))
    levels = [record["level"] for record in records]
    assert levels[:2] == ["input", "layer"]
    assert levels.count("layer") == 6
    assert levels.count("edge") == 8
    layer = records[1]
    assert layer["layer"] == "0"
    assert layer["gain"] == found.layer("0").gain
    assert layer["singular_values"] == found.layer("0").singular_values.tolist()
    terms = [one for one in records if one["level"] == "term"]
    assert {one["layer"] for one in terms} == {one.title for one in found.layers}
    for name in {one["layer"] for one in terms}:
        shares = [one["share"] for one in terms if one["layer"] == name]
        assert sum(shares) == pytest.approx(1, abs=1e-6)


def test_what_is_not_finite_or_overflows_is_shown_and_none_in_records():
    x = normal(2, 3)
    x.data[0] = [np.inf, np.nan, 1e300]
    found = signal_propagation(nn.ReLU(), x)
    assert found.layer("").gain is None
    assert "nan" in str(found)
    assert found.to_records()[0]["square"] is None
    found.plot()


def test_no_examples_have_no_mean():
    found = signal_propagation(nn.ReLU(), tensor(np.zeros((1, 0))))
    assert math.isnan(found.input.moments.mean)


def unlike():
    """A network of which every number shown is another one."""
    model = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 4)).eval()
    for at, layer in enumerate((model[0], model[2])):
        drawn = np.random.default_rng(at).normal(size=layer.weight.shape) + 0.4
        layer.weight.data[...] = drawn
    model[0].bias.data[...] = [-99, 1, -2, 0.5, -3, 1, -1]
    x = normal(9, 5, dtype="float32")
    return signal_propagation(model, x, jacobian=["0", "2"])


def log10(values):
    return [math.log10(value) for value in values]


def test_each_cell_of_the_table_is_its_measure():
    found = unlike()
    relu = found.layer("1").gave.moments
    assert 0 < relu.dead < relu.zeros
    _, header, *rows = str(found).splitlines()
    names = ["layer", "shape", "variance", "square", "gain", "zeros %", "gradient"]
    assert re.split(r"\s{2,}", header.strip()) == [*names, "its gain", "singular"]
    signals = [found.input, *(layer.gave for layer in found.layers)]
    for row, signal, layer in zip(rows, signals, [None, *found.layers], strict=True):
        own = signal.moments
        cells = row.split()[-8:]
        assert cells[0] == str(signal.shape).replace(" ", "")
        assert cells[1] == tables.number(own.variance)
        assert cells[2] == tables.number(own.square)
        assert cells[3] == tables.number(layer and layer.gain)
        assert cells[4] == tables.number(100 * own.zeros)
        assert cells[5] == tables.number(signal.gradient_square)
        assert cells[6] == tables.number(layer and layer.gradient_gain)
        spectrum = layer and layer.singular_values
        ends = "-"
        if spectrum is not None:
            ends = f"{tables.number(spectrum.min())}..{tables.number(spectrum.max())}"
        assert cells[7] == ends
        shown = [cell for cell in cells[1:] if cell not in ("-", "0")]
        assert len(set(shown)) == len(shown), "columns that could be swapped unseen"


def test_each_curve_of_the_figure_is_its_measure():
    pytest.importorskip("matplotlib")
    found = unlike()
    upper, lower = found.plot().axes
    signals = [found.input, *(layer.gave for layer in found.layers)]
    curves = {
        "variance of the signal": [one.moments.variance for one in signals],
        "mean square of the signal": [one.moments.square for one in signals],
        "mean square of the gradient": [one.gradient_square for one in signals],
    }
    assert [line.get_label() for line in upper.get_lines()] == list(curves)
    for line, values in zip(upper.get_lines(), curves.values(), strict=True):
        close(line.get_xdata(), range(4))
        close(line.get_ydata(), log10(values))
    for line, name, count in zip(lower.get_lines(), "02", (5, 4), strict=True):
        assert line.get_label() == name
        close(line.get_xdata(), (np.arange(count) + 0.5) / count)
        close(line.get_ydata(), log10(found.layer(name).singular_values))


def test_the_figure_shows_depth_and_spectra(tmp_path):
    pytest.importorskip("matplotlib")
    found = shown()
    upper, lower = found.plot().axes
    assert len(upper.get_lines()) == 3
    names = [text.get_text() for text in upper.get_xticklabels()]
    assert names[0] == "input"
    assert names[-1] == "2"
    heights = upper.get_lines()[1].get_ydata()
    close(heights[0], math.log10(found.input.moments.square))
    assert [text.get_text() for text in lower.get_legend().get_texts()] == ["0", "1"]
    found.plot(tmp_path / "p.png")
    assert (tmp_path / "p.png").stat().st_size > 10_000
    with pytest.raises(ArgumentError, match="a name that ends in"):
        found.plot(tmp_path / "p.txt")


def test_without_spectra_there_is_one_panel():
    pytest.importorskip("matplotlib")
    found = signal_propagation(nn.ReLU(), normal(2, 3))
    assert len(found.plot().axes) == 1
    assert isinstance(found.layer("").gave.shape, tuple)
    assert not isinstance(found.layer("").gave, Tensor)

"""The figure of a recording: what stands where, and how it is written."""

import math
import os
import sys

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import (
    ArgumentError,
    BackendError,
    FileFormatError,
    GraphError,
    MinigradError,
)
from minigrad.inspect import gradient_flow
from minigrad.inspect.report.plot import BARS, plot
from minigrad.tape import tensor

pytest.importorskip("matplotlib")


def leaf(values):
    return tensor(values, dtype="float64", requires_grad=True)


def scaled(*factors):
    """Record, in a pass for each factor, a gradient of that size and one of size 1."""
    x, z = leaf([1.0]), leaf([1.0])
    with gradient_flow(names={"x": x, "z": z}) as flow:
        for factor in factors:
            x.grad = None
            (x * factor).sum().backward()
            z.sum().backward()
    return flow


@pytest.fixture
def network():
    """Record dense layers with batch norm, whose gradients have several terms."""

    def record(layers=2, passes=1):
        mg.manual_seed(0)
        kinds = [(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Tanh()) for _ in range(layers)]
        model = nn.Sequential(*[layer for group in kinds for layer in group])
        x = tensor(np.random.default_rng(0).normal(size=(5, 4)), dtype="float32")
        with gradient_flow(model) as flow:
            for _ in range(passes):
                y = model(x)
                (y * y).sum().backward()
        return flow

    return record


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def marks(axes):
    """Return label -> places of what is scattered."""
    return {
        found.get_label(): [tuple(place) for place in found.get_offsets().tolist()]
        for found in axes.collections
    }


def ticks(axes):
    return {
        label.get_text(): place
        for place, label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
    }


class TestPanels:
    def test_there_are_as_many_panels_as_there_is_to_show(self, network):
        assert len(plot(scaled(2.0, 3.0)).axes) == 2
        assert len(plot(network()).axes) == 2
        figure = plot(network(passes=3))
        assert titles(figure) == [
            "Gradient norms by depth: 8 parameters, means over 3 passes",
            "Shares of the terms of 3 gradients",
            "Gradient norms over 3 passes",
        ]

    def test_every_axis_says_what_it_shows(self, network):
        for axes in plot(network(passes=2)).axes:
            assert axes.get_xlabel()
            assert axes.get_ylabel() or "share" in axes.get_xlabel()

    def test_legends_cover_no_data(self, network):
        figure = plot(network(passes=2))
        figure.draw_without_rendering()
        for axes in figure.axes:
            assert axes.get_legend().get_window_extent().x0 >= axes.bbox.x1

    def test_pyplot_does_not_know_the_figure(self, network):
        figure = plot(network())
        assert figure.canvas.manager is None

    def test_the_settings_of_the_caller_stay(self, network):
        import matplotlib

        before = dict(matplotlib.rcParams)
        plot(network())
        assert dict(matplotlib.rcParams) == before


class TestDepth:
    def test_marks_lie_at_the_logarithms_of_the_norms(self, network):
        flow = network()
        found = marks(plot(flow).axes[0])
        names = [name for name, t in flow.targets.items() if t.kind == "parameter"]
        heights = [math.log10(flow.into(name).measures.norm) for name in names]
        drawn = {x: y for places in found.values() for x, y in places}
        assert [drawn[x] for x in range(len(names))] == pytest.approx(heights)

    def test_weights_and_biases_differ_by_more_than_colour(self, network):
        found = marks(plot(network()).axes[0])
        assert [x for x, _ in found["weights"]] == [0, 4]

    def test_zeros_lie_below_the_scale(self):
        axes = plot(scaled(0.0)).axes[0]
        ((_, zero),) = marks(axes)["zero"]
        assert zero == ticks(axes)["0"] < min(ticks(axes)[f"1e{n}"] for n in (0, 1))
        assert axes.get_ylim()[0] < zero

    @pytest.mark.parametrize("factor", [math.nan, math.inf])
    def test_what_is_not_finite_lies_above_the_scale(self, factor):
        axes = plot(scaled(factor)).axes[0]
        ((_, height),) = marks(axes)["not finite"]
        assert height == ticks(axes)["not finite"] > ticks(axes)["1e1"]
        assert axes.get_ylim()[1] > height

    @pytest.mark.parametrize("factor", [1e150, 1e-150, 1e300, 1e-300, 5e-324])
    def test_sizes_at_the_ends_of_float64_are_drawn(self, factor):
        figure = plot(scaled(factor, factor))
        low, high = figure.axes[0].get_ylim()
        for places in marks(figure.axes[0]).values():
            assert all(low < y < high for _, y in places)


class TestShares:
    def test_bars_of_a_gradient_sum_to_one(self, network):
        axes = plot(network()).axes[1]
        rows = {}
        for bar in axes.patches:
            middle = round(bar.get_y() + bar.get_height() / 2)
            rows[middle] = rows.get(middle, 0.0) + bar.get_width()
        assert list(rows.values()) == pytest.approx([1.0] * 3, abs=1e-5)

    def test_bars_of_one_sign_are_stacked_end_to_end(self):
        x = leaf([1.0])
        with gradient_flow(names={"x": x}) as flow:
            (x * 0.2 + x * 0.3 + x * 0.5).backward()
        bars = plot(flow, names="x").axes[1].patches
        assert [bar.get_x() for bar in bars] == pytest.approx([0, 0.2, 0.5])
        assert [bar.get_width() for bar in bars] == pytest.approx([0.2, 0.3, 0.5])

    def test_negative_shares_go_left_of_zero(self):
        x = leaf([1.0, 2.0])
        with gradient_flow(names={"x": x}) as flow:
            (x * 2.0 - x).backward(leaf([1.0, 1.0]))
        right, left = plot(flow).axes[1].patches
        assert (right.get_x(), right.get_width()) == pytest.approx((0, 2))
        assert (left.get_x(), left.get_width()) == pytest.approx((0, -1))

    def test_bars_beyond_the_picture_say_how_far_they_go(self):
        x = leaf([1.0])
        with gradient_flow(names={"x": x}) as flow:
            (x * 1000.0 - x * 999.0).backward()
        axes = plot(flow, names=["x"]).axes[1]
        assert [text.get_text().strip() for text in axes.texts] == [
            "to 1e3",
            "to -999",
        ]
        assert axes.get_xlim() == pytest.approx((-3.09, 3.09))

    def test_of_many_gradients_some_are_shown_from_first_to_last(self, network):
        flow = network(layers=BARS + 6)
        split = [n for n, t in flow.targets.items() if "batch_norm" in str(t.edges)]
        axes = plot(flow).axes[1]
        names = [label.get_text() for label in axes.get_yticklabels()]
        assert len(names) == BARS
        assert names[0] == "0/linear#1"
        assert f"{BARS} of " in axes.get_title(loc="left")
        assert len(split) > BARS


class TestTime:
    def test_lines_go_through_the_norms_of_the_passes(self):
        lines = plot(scaled(1.0, 10.0, 1000.0)).axes[-1].get_lines()
        xs, ys = lines[0].get_data()
        assert list(xs) == [1, 3, 5]
        assert list(ys) == pytest.approx([0.0, 1.0, 3.0])

    def test_what_is_not_finite_interrupts_the_line(self):
        lines = plot(scaled(1.0, math.nan, 2.0)).axes[-1].get_lines()
        assert [math.isnan(y) for y in lines[0].get_ydata()] == [False, True, False]


class TestNames:
    def test_names_choose_what_is_drawn(self, network):
        figure = plot(network(), names=["3/linear#1", "0.weight"])
        assert titles(figure)[0] == "Gradient norms by depth: 2 gradients"
        labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
        assert labels == ["0.weight", "3/linear#1"]

    def test_one_name_may_stand_alone(self, network):
        figure = plot(network(), names="0.weight")
        assert titles(figure) == ["Gradient norms by depth: 1 gradient"]

    def test_an_unknown_name_is_refused_with_those_that_are_close(self, network):
        with pytest.raises(GraphError, match=r"`0\.wight`, expected `0\.weight`"):
            plot(network(), names=["0.wight"])

    def test_no_names_are_refused(self, network):
        with pytest.raises(MinigradError, match="names is empty, expected a name"):
            plot(network(), names=[])


class TestWriting:
    @pytest.mark.parametrize(
        ("ending", "start"),
        [
            (".png", b"\x89PNG"),
            (".PNG", b"\x89PNG"),
            (".svg", b"<?xml"),
            (".pdf", b"%PDF"),
        ],
    )
    def test_the_same_recording_gives_the_same_picture(
        self, network, tmp_path, ending, start
    ):
        names = [f"one{ending}", f"two{ending}"]
        for name in names:
            assert plot(network(passes=2), tmp_path / name) is None
        one, two = ((tmp_path / name).read_bytes() for name in names)
        assert one.startswith(start)
        assert one == two
        assert b"Matplotlib v" not in one
        assert sorted(os.listdir(tmp_path)) == names

    @pytest.mark.parametrize("name", ["x.foo", "flow", "flow.png.txt", ".png"])
    def test_other_endings_are_refused_before_anything_is_written(self, name, tmp_path):
        with pytest.raises(
            ArgumentError, match=r"plot: path .*, expected a name that ends in \.png, "
        ):
            plot(scaled(1.0), tmp_path / name)
        assert os.listdir(tmp_path) == []

    def test_what_is_no_path_is_refused(self):
        with pytest.raises(ArgumentError, match="path 3, expected a string or a Path"):
            plot(scaled(1.0), 3)

    def test_a_folder_that_is_not_there_is_one_sentence(self, tmp_path):
        with pytest.raises(FileFormatError, match=r"plot: .* expected a folder"):
            plot(scaled(1.0), tmp_path / "missing" / "flow.png")

    def test_a_recording_without_a_pass_is_one_sentence(self):
        with gradient_flow() as flow:
            pass
        with pytest.raises(GraphError, match="plot: no backward pass was recorded"):
            plot(flow)

    def test_without_matplotlib_the_command_that_mends_it_is_named(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        with pytest.raises(BackendError, match="run `pip install matplotlib`"):
            plot(scaled(1.0))

"""Pictures of graphs: what they are made of, how they are folded, laid out, written."""

import gc
import math
import tracemalloc
import weakref
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import functional as F
from minigrad import nn
from minigrad.errors import ArgumentError, GraphError, WatchpointError
from minigrad.inspect.drawing import _draft
from minigrad.inspect.drawing._layering import Size
from minigrad.inspect.drawing._layout import Wire, lay_out
from minigrad.inspect.drawing.boxes import Box, Link, Picture, Result
from minigrad.inspect.drawing.folding import fold
from minigrad.inspect.drawing.graph import graph
from minigrad.inspect.watch import watch
from minigrad.kernels.noise import ADDITIVE_KERNEL
from minigrad.optim import SGD
from minigrad.tape import apply, modes, no_grad, tensor

SVG = "{http://www.w3.org/2000/svg}"


def leaf(values, name=None, needs=True):
    return tensor(values, dtype="float64", requires_grad=needs, name=name)


def numbers(picture):
    """By name or kernel: value and gradient of each box, as numbers."""
    return {
        box.name or box.kernel: (
            box.value.number,
            box.gradient.number if box.gradient else None,
        )
        for box in picture.boxes
    }


def words(svg):
    """All text of a picture that is seen, in one string."""
    return "\n".join(
        "".join(text.itertext())
        for text in ElementTree.fromstring(svg).iter(SVG + "text")
    )


class Residual(nn.Module):
    """x + tanh(linear(x)), all but the sum in a block of its own."""

    def __init__(self, size, rng):
        self.inner = nn.Sequential(nn.Linear(size, size, rng=rng), nn.Tanh())

    def forward(self, x):
        return x + self.inner(x)


def deep(blocks, size=3):
    rng = np.random.default_rng(0)
    return nn.Sequential(*(Residual(size, rng) for _ in range(blocks)))


def drawn(model, shape=(2, 3), seed=0):
    x = np.random.default_rng(seed).normal(size=shape).astype("float32")
    with graph(model) as picture:
        (model(tensor(x, name="x")) ** 2).mean().backward()
    return picture


class TestNeuron:
    """n = x1 w1 + x2 w2 + b, o = tanh(n) = sqrt(1/2): all numbers are known by hand."""

    @pytest.fixture
    def picture(self):
        given = {"x1": 2.0, "w1": -3.0, "x2": 0.0, "w2": 1.0, "b": 6.8813735870195432}
        x1, w1, x2, w2, b = (leaf(value, name) for name, value in given.items())
        with graph() as picture:
            n = x1 * w1 + x2 * w2 + b
            n.name = "n"
            n.tanh().backward()
        return picture

    def test_values_and_gradients_are_those_of_the_chain_rule(self, picture):
        found = numbers(picture)
        assert found["x1"] == pytest.approx((2, -1.5))
        assert found["w1"] == pytest.approx((-3, 1))
        assert found["x2"] == pytest.approx((0, 0.5))
        assert found["w2"] == pytest.approx((1, 0))
        assert found["b"][1] == pytest.approx(0.5)
        assert found["n"] == pytest.approx((0.8813735870195432, 0.5))
        assert found["tanh"] == pytest.approx((math.sqrt(0.5), 1))

    def test_edges_bear_local_derivatives(self, picture):
        names = {box.key: box.name for box in picture.boxes}
        local = {names[link.source]: link.local for link in picture.links}
        assert local["x1"] == pytest.approx(-3)
        assert local["w1"] == pytest.approx(2)
        assert local["w2"] == pytest.approx(0)
        assert local["n"] == pytest.approx(0.5)

    def test_the_drawing_says_so(self, picture):
        text = words(picture.to_svg())
        for line in ("x1", "value 2", "grad -1.5", "a \u00d7 -3", "= -1.5", "n = add"):
            assert line in text.splitlines()

    def test_the_root_is_marked(self, picture):
        root = picture._picture().root
        assert picture.boxes[root].kernel == "tanh"
        assert picture.to_svg().count('class="call root"') == 1


@st.composite
def formulas(draw):
    """Leaves, and a list of (kernel, places of its inputs among all before)."""
    leaves = draw(st.integers(1, 3))
    steps = []
    for at in range(draw(st.integers(1, 8))):
        name = draw(st.sampled_from(["add", "sub", "mul", "tanh", "neg", "relu"]))
        count = 1 if name in ("tanh", "neg", "relu") else 2
        places = st.integers(0, leaves + at - 1)
        steps.append((name, [draw(places) for _ in range(count)]))
    return leaves, steps, draw(st.integers(0, 2**32 - 1))


def computed(formula, size=()):
    """Compute a formula, whose last step is the loss; return leaves and loss."""
    count, steps, seed = formula
    rng = np.random.default_rng(seed)
    known = [leaf(rng.uniform(-1, 1, size)) for _ in range(count)]
    leaves = list(known)
    for name, places in steps:
        inputs = [known[place] for place in places]
        method = {"add": "__add__", "sub": "__sub__", "mul": "__mul__"}.get(name)
        if name == "neg":
            known.append(-inputs[0])
        else:
            known.append(getattr(inputs[0], method or name)(*inputs[1:]))
    return leaves, known[-1]


class TestWhatFlows:
    @given(formulas())
    def test_contributions_are_the_local_derivative_times_what_arrives(self, formula):
        with graph() as picture:
            computed(formula)[1].backward()
        for link in picture.links:
            arrived = picture.boxes[link.consumer].gradient.number
            assert link.local * arrived == pytest.approx(link.contribution.number)
            assert sum(t.amount.number for t in link.terms) == pytest.approx(
                link.contribution.number
            )

    @given(formulas(), st.sampled_from([(), (3,), (2, 2)]))
    def test_what_comes_back_to_a_box_adds_up_to_its_gradient(self, formula, size):
        with graph() as picture:
            leaves, loss = computed(formula, size)
            loss.backward(leaf(np.ones(size)))
        back = defaultdict(float)
        for link in picture.links:
            back[link.source] += link.contribution.array
        for box in picture.boxes:
            if box.key in back:
                assert_allclose(back[box.key], box.gradient.array, atol=1e-12)
        found = [box.gradient.array for box in picture.boxes if box.kind == "leaf"]
        want = [one.grad.numpy() for one in leaves if one.has_grad]
        assert sorted(map(str, found)) == sorted(map(str, want))

    @given(formulas())
    def test_norms_of_edges_are_right_though_the_tape_adds_in_place(self, formula):
        with graph() as picture:
            computed(formula, (3,))[1].backward(leaf([1.0, -2.0, 0.5]))
        for bundle in picture.fold().bundles:
            (link,) = bundle.links
            assert bundle.norm == pytest.approx(link.contribution.norm)

    def test_a_local_derivative_is_known_where_no_gradient_arrives(self):
        x = leaf(3.0, "x")
        with graph() as picture:
            (x.exp() * 0.0).backward()
        (link,) = [one for one in picture.links if one.source == 0]
        assert link.contribution.number == 0
        assert link.gain is None
        assert link.local == pytest.approx(math.exp(3))

    def test_a_tensor_used_twice_by_one_call_has_two_edges(self):
        x = leaf(3.0, "x")
        with graph() as picture:
            (x * x).backward()
        assert [link.input for link in picture.links] == ["a", "b"]
        assert picture.box("x").gradient.number == 6

    def test_terms_are_listed_by_name(self, layer_norm, device):
        x, gamma, beta = leaf([[1.0, 2.0, 4.0]]), leaf([1.0, 2.0, 3.0]), leaf([0.0] * 3)
        with graph() as picture:
            apply(layer_norm, x, gamma, beta).backward(leaf([[1.0, -1.0, 2.0]]))
        link = picture.links[0]
        assert [t.name for t in link.terms] == ["direct", "through_mean", "through_var"]
        total = sum(term.amount.array for term in link.terms)
        assert_allclose(total, link.contribution.array)
        dy = math.sqrt(6)
        assert link.gain == pytest.approx(np.linalg.norm(link.contribution.array) / dy)
        lines = words(picture.to_svg()).splitlines()
        norm = float(np.linalg.norm(link.terms[1].amount.array))
        assert f"through_mean {norm:.3g}" in lines

    def test_looking_changes_no_gradient(self):
        model = deep(3)
        plain = deep(3)
        x = tensor(np.random.default_rng(1).normal(size=(4, 3)).astype("float32"))
        (plain(x) ** 2).mean().backward()
        with graph(model):
            (model(x) ** 2).mean().backward()
        for one, other in zip(model.parameters(), plain.parameters(), strict=True):
            assert_array_equal(one.grad.numpy(), other.grad.numpy())

    def test_the_picture_is_of_the_last_pass(self):
        x = leaf(1.0, "x")
        with graph() as picture:
            (x * 2.0).backward()
            (x * 5.0).backward()
        assert picture.box("x").gradient.number == 5
        assert x.grad.item() == 7


class TestBoxes:
    def test_several_results_of_a_call_stand_in_one_box(self):
        layer = nn.LSTM(2, 3, rng=np.random.default_rng(0))
        x = tensor(np.ones((4, 1, 2), "float32"), requires_grad=True)
        with graph(layer) as picture:
            y, (h, _) = layer(x)
            (y.sum() + (h * 2.0).sum()).backward()
        box = picture.box("lstm")
        y, h, c = box.results
        assert (y.field, h.field, c.field) == ("y", "h", "c")
        assert_allclose(y.gradient.array, 1)
        assert_allclose(h.gradient.array, 2)
        assert c.gradient is None
        assert c.value.shape == (1, 3)
        back = {link.field for link in picture.links if link.source == box.key}
        assert back == {"y", "h"}

    def test_tied_weights_have_one_box(self):
        layer = nn.Linear(2, 2, rng=np.random.default_rng(0))
        with graph(layer) as picture:
            layer(layer(tensor(np.ones((1, 2), "float32")))).sum().backward()
        weight = picture.box("weight")
        links = [link for link in picture.links if link.source == weight.key]
        assert weight.kind == "parameter"
        assert len(links) == 2
        total = sum(link.contribution.array for link in links)
        assert_allclose(total, weight.gradient.array, rtol=1e-6)

    def test_what_needs_no_gradient_is_shown_with_its_value(self):
        w, x = leaf(2.0, "w"), leaf(3.0, "x", needs=False)
        with graph() as picture:
            (w * x * 4.0 + x).backward()
        kinds = [(box.kind, box.value.number) for box in picture.boxes]
        assert kinds == [
            ("leaf", 2),
            ("input", 3),
            ("call", 6),
            ("constant", 4),
            ("call", 24),
            ("call", 27),
        ]
        assert picture.box("x").gradient is None

    def test_equal_numbers_are_boxes_of_their_own(self):
        with graph() as picture:
            (leaf(2.0) * 4.0 + 4.0).backward()
        assert sum(box.kind == "constant" for box in picture.boxes) == 2

    def test_results_can_be_named_inside_the_block(self):
        names = {}
        w = leaf(2.0, "w")
        with graph(names=names) as picture:
            names["square"] = w * w
            names["square"].exp().backward()
        assert picture.box("square").kernel == "mul"

    def test_calls_know_their_module_and_line(self):
        picture = drawn(deep(2))
        tanh = picture.box("1.inner.1/tanh#1")
        assert tanh.module == "1.inner.1"
        assert tanh.line.text == "return x + self.inner(x)"
        assert picture.box("mean").module is None

    def test_an_unknown_name_is_answered_with_those_that_are_like_it(self):
        picture = drawn(deep(1))
        with pytest.raises(GraphError, match=r"`0.inner.0.wieght`.*`0.inner.0.weight`"):
            picture.box("0.inner.0.wieght")


class TestWhen:
    def test_a_forward_pass_alone_has_values(self):
        w = leaf(2.0, "w")
        with graph() as picture:
            y = w.exp() * w
        found = numbers(picture)
        assert found["w"] == (2, None)
        assert found["mul"] == (y.item(), None)

    def test_a_forward_pass_before_the_block_leaves_values_out(self):
        w = leaf(2.0, "w")
        y = w.exp() * w
        with graph() as picture:
            y.backward()
        assert picture.box("exp").value is None
        assert picture.box("exp").gradient.number == 2
        assert picture.box("w").value.number == 2
        assert "grad 2" in words(picture.to_svg())

    def test_nothing_recorded_is_said(self):
        with graph() as picture:
            pass
        with pytest.raises(GraphError, match="nothing was recorded, expected a result"):
            picture.to_svg()
        assert repr(picture) == "<Graph: nothing recorded>"

    def test_an_exception_leaves_nothing_registered(self):
        before = modes.tracing, modes.tracers.get(), modes.observers.get()
        with pytest.raises(ZeroDivisionError), graph():
            raise ZeroDivisionError
        assert (modes.tracing, modes.tracers.get(), modes.observers.get()) == before

    def test_an_error_amid_backward_leaves_what_had_flowed(self, custom):
        def burst(dy):
            raise ZeroDivisionError

        x = leaf(2.0, "x")
        with graph() as picture, pytest.raises(ZeroDivisionError):
            apply(custom(burst), x).exp().backward()
        assert picture.box("custom").gradient.number == pytest.approx(math.exp(4))
        assert picture.box("x").gradient is None

    def test_the_picture_does_not_keep_the_graph(self):
        w = leaf([2.0], "w")
        with graph() as picture:
            y = w * w
        del y
        w.data[0] = 5.0
        assert picture.box("w").value.number == 2

    def test_results_made_before_the_block_are_drawn_with_what_made_them(self):
        w = leaf([2.0, 3.0], "w")
        h = w * w * 2.0
        with graph() as picture:
            y = (h * 3.0).sum()
        kinds = [(box.kind, box.name or box.kernel) for box in picture.boxes]
        assert kinds == [
            ("leaf", "w"),
            ("call", "mul"),
            ("call", "mul"),
            ("constant", ""),
            ("call", "mul"),
            ("call", "sum"),
        ]
        assert [box.value is None for box in picture.boxes[1:3]] == [True, True]
        assert picture.box("sum").value.number == y.item()

    def test_one_of_several_results_made_before_the_block_is_drawn(self):
        layer = nn.LSTM(2, 3, rng=np.random.default_rng(0))
        _, (h, c) = layer(tensor(np.ones((4, 1, 2), "float32")))
        with graph(layer) as picture:
            y = (h * 2.0).sum() + c.sum()
        box = picture.box("lstm")
        back = {link.field for link in picture.links if link.source == box.key}
        assert back == {"h", "c"}
        assert picture.boxes[-1].value.number == y.item()

    def test_a_result_whose_graph_was_freed_stands_at_the_start(self):
        w = leaf([2.0, 3.0], "w")
        h = (w * w).exp()
        h.sum().backward()
        with graph() as picture:
            y = (h * 3.0).sum()
        box = picture.boxes[0]
        assert (box.kind, box.kernel, box.results[0].value) == ("result", "exp", None)
        assert [link.source for link in picture.links][:1] == [box.key]
        assert picture.box("sum").value.number == y.item()
        svg = picture.to_svg()
        assert "exp" in words(svg).splitlines()
        assert "an earlier backward() has freed what it was computed from" in svg

    def test_one_of_several_results_whose_call_was_freed_is_drawn(self):
        layer = nn.LSTM(2, 3, rng=np.random.default_rng(0))
        y, (h, c) = layer(tensor(np.ones((4, 1, 2), "float32")))
        y.sum().backward()
        with graph() as picture:
            kept = (y * 1.0).sum() + (h * 2.0).sum() + (c * 3.0).sum()
        fields = {link.field for link in picture.links}
        assert {"h", "c"} < fields
        assert [b.kind for b in picture.boxes if b.kernel == "lstm"] == ["result"]
        assert picture.boxes[-1].value.number == kept.item()

    @pytest.mark.parametrize("names", [5, [], "w", [("w", 1.0)]])
    def test_names_that_are_no_dict_are_refused(self, names):
        rule = "^graph: names is a .*, expected a dict of tensors by name"
        with pytest.raises(ArgumentError, match=rule), graph(names=names):
            pass

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"model": 3}, "^graph: model is a int, expected a Module"),
            ({"names": {"x": 3}}, r"^graph: names\['x'\] is a int, expected a Tensor"),
        ],
    )
    def test_wrong_arguments_are_refused(self, given, message):
        with pytest.raises(ArgumentError, match=message), graph(**given):
            pass

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"depth": -1}, "graph: depth -1, expected 0, 1, 2"),
            ({"depth": True}, "graph: depth True, expected 0, 1, 2"),
            ({"boxes": 0}, "graph: boxes 0, expected at least 1"),
            ({"boxes": True}, "graph: boxes True, expected at least 1"),
        ],
    )
    def test_wrong_options_are_refused(self, options, message):
        picture = drawn(deep(1))
        with pytest.raises(ArgumentError, match=message):
            picture.to_svg(**options)


class TestLettingGo:
    """Saved arrays are locked, and memory is held, as long as a graph lives."""

    @staticmethod
    def run(w, **options):
        loss = (w * w).exp().sum()
        node = weakref.ref(loss.node)
        loss.backward(**options)
        return node

    def test_a_retained_graph_goes_with_its_results_and_a_step_is_free(self):
        w = leaf([1.0, 2.0], "w")
        with graph() as picture:
            node = self.run(w, retain_graph=True)
            assert node() is None
            SGD([w], lr=0.5).step()
        assert w.numpy()[0] == pytest.approx(1 - 0.5 * 2 * math.e)
        assert picture.box("w").value.array.tolist() == [1, 2]
        assert picture.box("w").gradient is not None

    @pytest.mark.parametrize("retain", [False, True])
    def test_so_does_that_of_a_pass_that_is_cut_short(self, retain):
        w = leaf([1.0, 2.0], "w")
        w.grad = leaf([1.0, 1.0])
        with graph() as picture, watch(lambda seen: seen.kernel == "mul"):
            with suppress(WatchpointError):
                self.run(w, retain_graph=retain)
            SGD([w], lr=0.5).step()
        assert w.tolist() == [0.5, 1.5]
        assert picture.box("exp").gradient.array.tolist() == [1, 1]
        assert picture.box("w").gradient is None

    @pytest.mark.parametrize("recorded", [False, True])
    def test_the_arrays_of_the_last_call_go(self, recorded):
        w = leaf(np.ones(100), "w")
        with graph() as picture:
            if recorded:
                y = w * 2.0
            else:
                with no_grad():
                    y = w * 2.0
            array = weakref.ref(y.data)
            del y
            assert array() is None
        assert repr(picture) == "<Graph: nothing recorded>"

    def test_the_arrays_of_a_call_that_fails_go_with_the_block(self):
        class Failing:
            def ran(self, kernel, inputs, arrays, y, node):
                found.append(weakref.ref(y))
                raise ZeroDivisionError

        found, w = [], leaf(np.ones(100), "w")
        with (
            graph() as picture,
            modes.traced(Failing()),
            suppress(ZeroDivisionError),
        ):
            w * 2.0
        assert found[0]() is None
        assert repr(picture) == "<Graph: nothing recorded>"

    def test_inputs_of_a_pass_that_is_over_go_though_a_result_is_kept(self):
        x, w = leaf(np.ones(100), needs=False), leaf(np.ones(100), "w")
        with graph():
            y = (x * w).sum()
            y.backward()
            array = weakref.ref(x.data)
            del x
            assert array() is None

    @pytest.mark.parametrize("keep", [False, True])
    def test_what_made_an_input_without_a_derivative_is_not_kept(self, keep):
        w = leaf([1.0, 2.0], "w")
        with graph() as picture:
            scores = (w * w).exp()
            scores.name = "scores"
            loss = apply(ADDITIVE_KERNEL, w, scores, std=1.0).sum()
            node = weakref.ref(scores.node)
            if not keep:
                del scores
            assert (node() is None) is not keep
            loss.backward()
        kinds = [(box.kind, box.name or box.kernel) for box in picture.boxes]
        title = "scores" if keep else "input"
        assert kinds[1] == ("input", title if keep else "")
        assert title in words(picture.to_svg()).splitlines()

    def test_many_uses_of_a_large_weight_cost_no_second_copy_of_each(self):
        w = leaf(np.ones((256, 256)), "w")
        with graph(names={"w": w}) as picture:
            loss = sum(((w * float(at)).sum() for at in range(1, 31)), leaf(0.0))
            gc.collect()
            tracemalloc.start()
            loss.backward()
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        # Thirty contributions are needed whole: inner products are of all pairs.
        assert peak / w.data.nbytes < 45
        links = [b for b in picture.fold(boxes=1000).bundles if b.norm]
        assert links[0].norm == pytest.approx(256)

    @pytest.mark.parametrize("layout", ["C", "F", "reversed", "broadcast"])
    def test_inner_products_are_right_in_any_layout(self, layout, monkeypatch):
        monkeypatch.setattr(_draft, "AT_ONCE", 7)
        rng = np.random.default_rng(0)
        arrays = [rng.normal(size=(3, 5)) for _ in range(3)]
        other = {
            "C": arrays[1],
            "F": np.asfortranarray(arrays[1]),
            "reversed": arrays[1][::-1, ::-1],
            "broadcast": np.broadcast_to(arrays[1][0], (3, 5)),
        }[layout]
        given = [arrays[0], other, arrays[2].astype("float32")]
        found = _draft._products(given)
        want = [[np.vdot(a.astype(float), b) for b in given] for a in given]
        assert_allclose(found, want, atol=1e-6)


def sums(links):
    """By result: the sum of what links bring back to it."""
    found = defaultdict(float)
    for link in links:
        found[link.source, link.field] += link.contribution.array.astype("float64")
    return found


def root_of_squares(found):
    return math.sqrt(sum(float((array**2).sum()) for array in found.values()))


@st.composite
def pictures(draw):
    """Calls in random modules, each of which uses some of those before."""
    result = (Result("", None, None),)
    boxes, links = [], []
    for key in range(draw(st.integers(2, 14))):
        module = draw(st.sampled_from(["a", "b", "c", "a.x", "a.y", ""]))
        boxes.append(Box(key, "call", "", "", "add", module, None, result))
        for source in draw(st.sets(st.integers(0, key - 1), max_size=3)) if key else ():
            links.append(Link(len(links), source, "", key, "a"))
    return Picture(boxes, links, {}, None, {})


class TestFolding:
    @pytest.mark.parametrize("depth", [0, 1, 2, 3])
    def test_every_box_and_edge_is_kept_once(self, depth):
        picture = drawn(deep(3))
        found = picture.fold(depth)
        boxes = [box.key for group in found.groups for box in group.boxes]
        assert sorted(boxes) == list(range(len(picture.boxes)))
        home = {b.key: g.key for g in found.groups for b in g.boxes}
        across = [
            one.key for one in picture.links if home[one.source] != home[one.consumer]
        ]
        bundled = [link.key for bundle in found.bundles for link in bundle.links]
        assert sorted(bundled) == across

    @pytest.mark.parametrize("depth", [0, 1, 2])
    def test_norms_are_those_of_the_sums_over_the_border(self, depth):
        picture = drawn(deep(3))
        found = picture.fold(depth)
        flowing = [b for b in found.bundles if b.norm is not None]
        assert len(flowing) >= 1
        for bundle in flowing:
            want = root_of_squares(sums(bundle.links))
            assert bundle.norm == pytest.approx(want)
        for group in found.groups:
            inside = {box.key for box in group.boxes}
            out = [b for b in found.bundles if b.source == group.key]
            links = [link for b in out for link in b.links if link.contribution]
            if links and picture._picture().root not in inside:
                assert group.gradient == pytest.approx(root_of_squares(sums(links)))

    def test_a_skip_connection_into_the_same_module_counts_as_a_sum(self):
        # The first block's result goes to linear and to the addition of the second: its
        # gradient is the sum of two, not the root of the sum of their squares.
        picture = drawn(deep(2))
        found = picture.fold(1)
        (bundle,) = [
            b for b in found.bundles if found.groups[b.source].title == "0 Residual"
        ]
        assert len(bundle.links) == 2
        assert bundle.tensors == 1
        whole = picture.box("0/add#1").gradient.norm
        parts = [link.contribution.norm for link in bundle.links]
        assert bundle.norm == pytest.approx(whole)
        assert bundle.norm != pytest.approx(math.hypot(*parts))

    def test_a_module_that_runs_again_later_has_a_box_for_each_time(self):
        class Twice(nn.Module):
            def __init__(self):
                self.layer = nn.Linear(3, 3, rng=np.random.default_rng(0))

            def forward(self, x):
                return self.layer(self.layer(x).tanh())

        found = drawn(Twice()).fold(1)
        titles = [group.title for group in found.groups if group.folded]
        assert titles == ["layer Linear, part 1 of 2", "layer Linear, part 2 of 2"]
        order = lay_out(
            [Size(1, 1)] * len(found.groups),
            [Wire(b.source, b.target, Size(0, 0)) for b in found.bundles],
        )
        assert all(
            order.layers[b.source] < order.layers[b.target] for b in found.bundles
        )

    @given(pictures(), st.integers(1, 2))
    def test_no_folding_makes_a_circle(self, picture, depth):
        found = fold(picture, depth, 40)
        ends = {(bundle.source, bundle.target) for bundle in found.bundles}
        done = set()
        while len(done) < len(found.groups):
            ready = {
                group.key
                for group in found.groups
                if group.key not in done
                and all(one in done for one, other in ends if other == group.key)
            }
            assert ready, "every group that is left waits for another"
            done |= ready

    def test_a_circle_over_three_modules_is_cut(self):
        # b needs the first call of a, the second call of a needs c, and c needs b.
        modules, wires = "abcac", [(0, 1), (2, 3), (1, 4)]
        result = (Result("", None, None),)
        boxes = [
            Box(key, "call", "", "", "add", module, None, result)
            for key, module in enumerate(modules)
        ]
        links = [Link(at, one, "", other, "a") for at, (one, other) in enumerate(wires)]
        found = fold(Picture(boxes, links, {}, None, {}), 1, 40)
        assert [group.title for group in found.groups] == [
            "a",
            "b",
            "c, part 1 of 2",
            "c, part 2 of 2",
        ]

    def test_calls_above_the_depth_stay(self):
        found = drawn(deep(2)).fold(2)
        single = [g.boxes[0].label for g in found.groups if not g.folded]
        assert "0/add#1" in single
        assert "mean#1" in single

    def test_large_graphs_are_folded_and_say_so(self):
        picture = drawn(deep(20))
        assert len(picture.boxes) > 40
        found = picture.fold()
        assert found.depth == 1
        assert len(found.groups) <= 40
        text = words(picture.to_svg())
        assert "folded by module to depth 1: 60 kernel calls and 40 tensors" in text
        assert "19 Residual" in text

    def test_small_graphs_and_those_that_are_asked_for_are_not(self):
        assert drawn(deep(2)).fold().depth is None
        picture = drawn(deep(12))
        assert len(picture.fold(boxes=1000).groups) == len(picture.boxes)

    @pytest.mark.parametrize(("calls", "groups"), [(60, 61), (200, 1)])
    def test_calls_outside_of_modules_are_folded_only_if_very_many(self, calls, groups):
        x = leaf(0.5, "x")
        with graph() as picture:
            y = x
            for _ in range(calls):
                y = y.tanh()
            y.backward()
        found = picture.fold()
        assert len(found.groups) == groups
        assert ("and outside of modules" in found.note) == (groups == 1)

    def test_parameters_of_a_module_are_counted_in_it(self):
        picture = drawn(deep(2))
        (first,) = [g for g in picture.fold(1).groups if g.title == "0 Residual"]
        assert [box.name for box in first.of_kind("parameter")] == [
            "0.inner.0.weight",
            "0.inner.0.bias",
        ]
        text = words(picture.to_svg(depth=1))
        assert "parameters 12" in text

    def test_an_input_stays_in_sight(self):
        found = drawn(deep(2)).fold(0)
        assert [g.title or g.boxes[0].name for g in found.groups][:2] == [
            "x",
            "Sequential",
        ]


class TestWriting:
    def test_the_same_computation_gives_the_same_bytes(self):
        first, second = drawn(deep(3)), drawn(deep(3))
        assert first.to_svg() == second.to_svg()
        assert first.to_svg(depth=1) == second.to_svg(depth=1)
        assert first.to_dot() == second.to_dot()

    def test_names_are_escaped(self):
        x = leaf(2.0, '<b>&"x" \\ \0 ]]>')
        with graph() as picture:
            x.exp().backward()
        assert '<b>&"x" \\ ? ]]>' in words(picture.to_svg()).splitlines()
        assert r'"<b>&\"x\" \\ ? ]]>\lvalue 2\l' in picture.to_dot()

    def test_the_file_stands_alone_and_suits_dark_pages(self):
        svg = drawn(deep(1)).to_svg()
        root = ElementTree.fromstring(svg)
        assert root.find(SVG + "title").text.startswith("graph of 5 kernel calls")
        assert root.get("role") == "img"
        assert "prefers-color-scheme: dark" in svg
        assert svg.count("http") == 1
        assert "<script" not in svg

    def test_a_path_is_written_to(self, tmp_path):
        picture = drawn(deep(1))
        assert (tmp_path / "a.svg").exists() is False
        text = picture.to_svg(tmp_path / "a.svg")
        assert (tmp_path / "a.svg").read_text(encoding="utf-8") == text
        dot = picture.to_dot(str(tmp_path / "a.dot"))
        assert (tmp_path / "a.dot").read_text(encoding="utf-8") == dot
        assert picture._repr_svg_() == text

    def test_small_arrays_are_written_out_and_large_ones_measured(self):
        small, large = (
            leaf([[1.0, -2.0], [0.5, 4.0]], "small"),
            leaf([2.0] * 9, "large"),
        )
        with graph() as picture:
            (small.sum() * large.sum()).backward()
        lines = words(picture.to_svg()).splitlines()
        assert "  1  -2" in lines
        assert "0.5   4" in lines
        assert "value (9,) norm 6" in lines

    def test_text_stays_within_its_box(self):
        for group in ElementTree.fromstring(drawn(deep(2)).to_svg()).iter(SVG + "g"):
            box = group.find(f"{SVG}rect")
            if box is None:
                continue
            right = float(box.get("x")) + float(box.get("width"))
            bottom = float(box.get("y")) + float(box.get("height"))
            for text in group.iter(SVG + "text"):
                # DejaVu Sans Mono, among the widest, takes 0.602 of 12 pixels.
                end = float(text.get("x")) + 7.23 * len("".join(text.itertext()))
                assert end <= right
                assert float(text.get("y")) <= bottom

    @pytest.mark.parametrize(("blocks", "down"), [(1, False), (3, True)])
    def test_deep_graphs_run_down_the_page(self, blocks, down):
        root = ElementTree.fromstring(drawn(deep(blocks)).to_svg())
        assert (float(root.get("height")) > float(root.get("width"))) == down

    def test_dot_has_a_line_for_each_box_and_edge(self):
        picture = drawn(deep(2))
        lines = picture.to_dot().splitlines()
        assert lines[0] == "digraph minigrad {"
        assert lines[-1] == "}"
        assert sum(" -> " in line for line in lines) == len(picture.links)
        nodes = [line for line in lines if line.startswith("  n") and "->" not in line]
        assert len(nodes) == len(picture.boxes) + 1


def test_a_convolutional_network_with_labels_is_drawn(device):
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, rng=rng), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(),
        nn.Linear(8, 3, rng=rng),
    )  # fmt: skip
    x = tensor(np.asarray(rng.normal(size=(2, 1, 4, 4)), "float32"))
    with graph(model) as picture:
        F.cross_entropy(model(x), tensor(np.array([0, 2]))).backward()
    for link in picture.links:
        if link.contribution is not None:
            parts = sum(term.amount.array for term in link.terms)
            assert_allclose(parts, link.contribution.array, atol=1e-6)
    assert "softmax_cross_entropy" in words(picture.to_svg())

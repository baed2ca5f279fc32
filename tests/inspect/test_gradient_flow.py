"""Recording: which edges and terms a gradient is made of, and what they measure."""

import gc
import json
import math
import weakref
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.backend import to_host
from minigrad.errors import ArgumentError, GraphError
from minigrad.inspect import gradient_flow
from minigrad.kernels._spec import NOTHING, Kernel
from minigrad.tape import apply, modes, tensor


def leaf(values, name=None):
    return tensor(values, dtype="float64", requires_grad=True, name=name)


def measures(target):
    """By edge title: the measures of its sum."""
    return {edge.title: edge.measures for edge in target.edges}


class TestEdges:
    def test_a_skip_path_is_seen_apart_from_its_branch(self, device):
        x = leaf([1.0, 2.0, 3.0])
        with gradient_flow(names={"x": x}) as flow:
            (x * 2.0 - x).backward(leaf([1.0, -1.0, 2.0]))
        found = measures(flow.into("x"))
        assert list(found) == ["mul#1 (a)", "sub#1 (b)"]
        assert found["mul#1 (a)"].norm == pytest.approx(2 * math.sqrt(6))
        assert found["mul#1 (a)"].share == pytest.approx(2)
        assert found["mul#1 (a)"].cosine == pytest.approx(1)
        assert found["mul#1 (a)"].gain == pytest.approx(2)
        assert found["sub#1 (b)"].share == pytest.approx(-1)
        assert found["sub#1 (b)"].cosine == pytest.approx(-1)
        assert found["sub#1 (b)"].gain == pytest.approx(1)
        assert flow.into("x").measures.cancellation == pytest.approx(2 / 3)
        flow.assert_conserved()

    def test_tied_weights_show_each_use(self, device):
        w = leaf([3.0])
        with gradient_flow(names={"w": w}) as flow:
            h = w * leaf([2.0])
            (h * w).backward()
        first, second = flow.into("w").edges
        # y = 2 w w: the use in h contributes 2 w, the other h = 2 w.
        assert first.title == "mul#1 (a)"
        assert second.title == "mul#2 (b)"
        assert first.measures.norm == pytest.approx(6)
        assert second.measures.norm == pytest.approx(6)
        assert first.measures.share == pytest.approx(0.5)

    def test_the_tape_adding_in_place_does_not_change_the_first_edge(self):
        x = leaf([1.0])
        h = x * 1.0
        with gradient_flow(names={"h": h, "x": x}) as flow:
            (h * 2.0 + h * 3.0 + h * 5.0).backward()
            (x * 7.0 + x * 11.0 + x * 13.0).backward()
        assert [e.measures.norm for e in flow.passes[0]["h"].edges] == [2, 3, 5]
        assert [e.measures.norm for e in flow.passes[1]["x"].edges] == [7, 11, 13]
        assert flow.passes[1]["x"].measures.norm == 31

    def test_a_gradient_that_was_there_before_is_not_counted(self, device):
        x = leaf([1.0, 1.0])
        (x * 100.0).sum().backward()
        with gradient_flow(names={"x": x}) as flow:
            (x * 2.0 + x).sum().backward()
        assert flow.into("x").measures.norm == pytest.approx(3 * math.sqrt(2))
        assert_allclose(to_host(x.grad.data), 103.0)
        flow.assert_conserved()

    def test_dead_is_the_fraction_of_exact_zeros(self):
        x = leaf([-1.0, -2.0, -3.0, 4.0])
        with gradient_flow(names={"x": x}) as flow:
            x.relu().sum().backward()
        assert flow.into("x").measures.dead == 0.75
        assert flow.into("x").edges[0].measures.mean_abs == 0.25

    def test_one_of_several_results_bears_the_name_of_its_field(self):
        class Pair(NamedTuple):
            low: object
            high: object

        split = Kernel(
            name="split",
            forward=lambda x: (Pair(x * 2, x * 3), NOTHING),
            terms={"x": lambda dy, saved: {"low": 2 * dy.low, "high": 3 * dy.high}},
        )
        x = leaf([1.0, 1.0])
        with gradient_flow(names={"x": x}) as flow:
            pair = apply(split, x)
            (pair.low * 3.0 + pair.high * 4.0).sum().backward()
        (edge,) = flow.into("x").edges
        assert edge.consumer == "split#1"
        assert [term.name for term in edge.terms] == ["low", "high"]
        assert edge.terms[0].measures.share == pytest.approx(6 / 18)
        # |dx| = 18 sqrt(2), |dy| = sqrt(2 * 9 + 2 * 16)
        assert edge.measures.gain == pytest.approx(18 * math.sqrt(2) / math.sqrt(50))
        assert flow.into("split#1.low").measures.norm == pytest.approx(3 * math.sqrt(2))


class TestTerms:
    def record(self, layer_norm, dy):
        rng = np.random.default_rng(3)
        x = leaf(rng.normal(size=(4, 16)))
        gamma, beta = leaf(np.ones(16)), leaf(np.zeros(16))
        with gradient_flow(names={"x": x, "gamma": gamma}, keep="arrays") as flow:
            apply(layer_norm, x, gamma, beta).backward(leaf(dy))
        return flow

    def test_a_sum_as_loss_makes_the_terms_of_layer_norm_cancel(
        self, layer_norm, device
    ):
        flow = self.record(layer_norm, np.ones((4, 16)))
        (edge,) = flow.into("x").edges
        direct, mean, var = (term.measures for term in edge.terms)
        assert direct.norm == pytest.approx(mean.norm)
        assert direct.norm > 8
        assert var.norm < 1e-12
        assert edge.measures.cancellation == pytest.approx(1)
        assert direct.share is None
        assert "rounding noise" in flow.why("x")

    def test_shares_of_terms_sum_to_one(self, layer_norm, device):
        dy = np.random.default_rng(4).normal(size=(4, 16))
        flow = self.record(layer_norm, dy)
        (edge,) = flow.into("x").edges
        assert [term.name for term in edge.terms] == [
            "direct",
            "through_mean",
            "through_var",
        ]
        assert sum(term.measures.share for term in edge.terms) == pytest.approx(1)
        norms = [term.measures.norm for term in edge.terms]
        assert edge.measures.cancellation == pytest.approx(
            1 - edge.measures.norm / sum(norms)
        )
        flow.assert_conserved(1e-12)

    def test_kept_arrays_sum_to_the_gradient(self, layer_norm):
        flow = self.record(layer_norm, np.random.default_rng(4).normal(size=(4, 16)))
        target = flow.into("x")
        terms = [term.array for term in target.edges[0].terms]
        assert_allclose(sum(terms), target.array, atol=1e-14)
        assert target.edges[0].terms[1].measures.norm == pytest.approx(
            np.linalg.norm(terms[1])
        )

    @given(
        seed=st.integers(0, 2**32 - 1),
        uses=st.integers(1, 5),
        shape=st.lists(st.integers(1, 4), max_size=3).map(tuple),
    )
    def test_shares_of_edges_sum_to_one(self, seed, uses, shape):
        rng = np.random.default_rng(seed)
        x = leaf(rng.normal(size=shape))
        with gradient_flow(names={"x": x}) as flow:
            y = leaf(0.0)
            for _ in range(uses):
                y = y + x * tensor(rng.uniform(0.5, 2.0, shape), dtype="float64")
            y.sum().backward()
        edges = flow.into("x").edges
        assert len(edges) == uses
        assert sum(edge.measures.share for edge in edges) == pytest.approx(1)
        assert flow.into("x").error < 1e-12

    def test_terms_are_dropped_once_measured(self, custom):
        seen = []

        def rule(dy):
            terms = {"one": dy * 1, "two": dy * 1}
            seen.extend(weakref.ref(term) for term in terms.values())
            return terms

        x = leaf([1.0])
        with gradient_flow(names={"x": x}) as flow:
            apply(custom(rule), x).backward()
        gc.collect()
        assert len(seen) == 2
        assert not any(array() is not None for array in seen)
        assert len(flow.into("x").edges[0].terms) == 2

    def test_looking_changes_no_bit(self, custom):
        third = np.float32(1 / 3)
        kernel = custom(
            lambda dy: {"one": dy * third, "two": dy * third * 5},
            fused=lambda dy: dy * (third * 6),
        )
        x = tensor(np.linspace(-1, 1, 99, dtype="float32"), requires_grad=True)
        dy = np.linspace(1, 2, 99, dtype="float32")
        apply(kernel, x).backward(dy)
        unseen, x.grad = x.grad.data, None
        with gradient_flow(names={"x": x}) as flow:
            apply(kernel, x).backward(dy)
        assert_array_equal(x.grad.data, unseen)
        flow.assert_conserved()


class TestNames:
    def test_gradients_come_in_forward_order_named_by_module_and_call(self, network):
        model = network(3, 4, 2)
        x = tensor(np.ones((5, 3)))
        with gradient_flow(model) as flow:
            model(x).sum().backward()
        assert list(flow.targets) == [
            "first.weight",
            "first.bias",
            "first/linear#1",
            "relu#1",
            "second.weight",
            "second.bias",
            "second/linear#1",
            "sum#1",
        ]
        assert flow.into("first.weight").kind == "parameter"
        assert flow.into("relu#1").kind == "result"
        assert flow.into("second.weight").edges[0].module == "second"

    def test_a_second_call_of_a_module_counts_on(self, network):
        model = network(3, 3, 3)
        x = tensor(np.ones((5, 3)))
        with gradient_flow(model) as flow:
            model(model(x)).sum().backward()
        edges = flow.into("first.weight").edges
        assert [e.consumer for e in edges] == ["first/linear#1", "first/linear#2"]

    def test_labels_repeat_from_pass_to_pass(self, network):
        model = network(3, 4, 2)
        x = tensor(np.ones((5, 3)))
        with gradient_flow(model) as flow:
            for _ in range(2):
                model(x).sum().backward()
        first, second = flow.passes
        assert list(first) == list(second)

    def test_a_named_result_is_found_by_its_call_too(self):
        x = leaf([2.0])
        h = x * 3.0
        with gradient_flow(names={"h": h}) as flow:
            (h * h).sum().backward()
        assert flow.into("mul#1") is flow.into("h")
        assert flow.into("h").kind == "named"

    def test_a_parameter_in_two_modules_is_found_by_both_names(self, network):
        model = network(3, 3, 3)
        model.second.weight = model.first.weight
        with gradient_flow(model) as flow:
            model(tensor(np.ones((5, 3)))).sum().backward()
        assert flow.into("second.weight") is flow.into("first.weight")
        assert len(flow.into("second.weight").edges) == 2

    def test_without_a_model_names_are_those_of_the_tensors(self, network):
        model = network(3, 4, 2)
        a, b, c = leaf([1.0], "a"), leaf([1.0], "a"), leaf([1.0])
        with gradient_flow() as flow:
            (a * b * c).sum().backward()
            model(tensor(np.ones((5, 3)))).sum().backward()
        assert list(flow.passes[0])[:4] == ["a", "a#2", "mul#1", "leaf"]
        assert "Dense/linear#1" in flow.passes[1]

    def test_unknown_names_list_close_ones(self):
        x = leaf([2.0])
        with gradient_flow(names={"layer.weight": x}) as flow:
            (x * x).sum().backward()
        with pytest.raises(
            GraphError, match=r"`layer\.wieght`, expected `layer\.weight`"
        ):
            flow.into("layer.wieght")

    def test_wrong_arguments_are_refused(self, network):
        x = leaf([1.0])
        with pytest.raises(ArgumentError, match="model is a Tensor, expected a Module"):
            gradient_flow(x).__enter__()
        with pytest.raises(ArgumentError, match=r"names\['x'\] is a list, expected a"):
            gradient_flow(names={"x": [1.0]}).__enter__()
        with pytest.raises(ArgumentError, match="keep 'all', expected 'scalars'"):
            gradient_flow(keep="all").__enter__()
        with pytest.raises(ArgumentError, match="also the name of a parameter"):
            gradient_flow(network(1, 1, 1), names={"first.bias": x}).__enter__()


class TestPasses:
    def test_tables_show_means_over_passes(self):
        x = leaf([1.0])
        with gradient_flow(names={"x": x}) as flow:
            (x * 2.0 + x).sum().backward()
            (x * 4.0 + x).sum().backward()
        assert [one["x"].measures.norm for one in flow.passes] == [3, 5]
        assert flow.into("x").measures.norm == 4
        shares = [edge.measures.share for edge in flow.into("x").edges]
        assert_allclose(shares, [(2 / 3 + 4 / 5) / 2, (1 / 3 + 1 / 5) / 2])
        assert "means over 2 passes" in str(flow)

    def test_a_retained_graph_can_run_again(self):
        x = leaf([1.0])
        y = (x * 2.0).sum()
        with gradient_flow(names={"x": x}) as flow:
            y.backward(retain_graph=True)
            y.backward()
        assert [one["x"].measures.norm for one in flow.passes] == [2, 2]

    def test_an_outer_block_sees_the_passes_of_an_inner_one(self):
        x = leaf([1.0])
        with gradient_flow(names={"x": x}) as outer:
            (x * 2.0).sum().backward()
            with gradient_flow(names={"x": x}) as inner:
                (x * 3.0).sum().backward()
            (x * 4.0).sum().backward()
        assert [one["x"].measures.norm for one in outer.passes] == [2, 3, 4]
        assert [one["x"].measures.norm for one in inner.passes] == [3]

    def test_nothing_is_observed_after_the_block_even_if_it_raised(self):
        x = leaf([1.0])
        recording = gradient_flow()
        with pytest.raises(KeyError), recording as flow:
            raise KeyError("x")
        assert modes.observers.get() == ()
        (x * 2.0).sum().backward()
        assert flow.passes == []

    def test_a_pass_cut_short_leaves_no_trace_in_the_next(self, custom):
        def fail(dy):
            raise ZeroDivisionError

        x = leaf([1.0])
        h = x * 2.0
        with gradient_flow(names={"x": x, "h": h}) as flow:
            with pytest.raises(ZeroDivisionError):
                (apply(custom(fail), x * 1.0) + h).sum().backward()
            h.sum().backward()
        assert "h" not in flow.passes[0]
        assert [edge.title for edge in flow.passes[1]["h"].edges] == ["sum#1 (x)"]
        assert [edge.title for edge in flow.passes[1]["x"].edges] == ["mul#1 (a)"]

    def test_a_pass_may_begin_where_one_was_cut_short(self, custom):
        def fail(dy):
            raise ZeroDivisionError

        x = leaf([1.0])
        h = x * 2.0
        with gradient_flow(names={"x": x, "h": h}) as flow:
            with pytest.raises(ZeroDivisionError):
                (apply(custom(fail), x * 1.0) + h).sum().backward()
            h.backward()
        assert flow.passes[1]["h"].edges == ()
        assert flow.passes[1]["x"].measures.norm == 2


class TestRecords:
    def test_records_are_json_with_one_row_for_each_level(self, layer_norm):
        x = leaf(np.random.default_rng(0).normal(size=(2, 3)))
        with gradient_flow(names={"x": x}) as flow:
            apply(layer_norm, x, leaf(np.ones(3)), leaf(np.zeros(3))).sum().backward()
        rows = [row for row in flow.to_records() if row["target"] == "x"]
        assert json.loads(json.dumps(rows, allow_nan=False)) == rows
        assert [row["level"] for row in rows] == ["total", "edge", *["term"] * 3]
        assert rows[3]["term"] == "through_mean"
        assert rows[3]["kernel"] == "layer_norm"
        assert rows[0]["shape"] == [2, 3]

    def test_what_is_not_finite_becomes_none(self, custom):
        x = leaf([1.0])
        with gradient_flow(names={"x": x}) as flow:
            apply(custom(lambda dy: {"bad": dy * np.inf}), x).backward()
        rows = [row for row in flow.to_records() if row["target"] == "x"]
        json.dumps(rows, allow_nan=False)
        assert rows[0]["norm"] is None
        assert rows[0]["finite"] is False

"""Sentences: why a gradient is absent, zero, tiny, huge, not finite or healthy."""

import re

import numpy as np
import pytest

from minigrad import functional as F
from minigrad import nn
from minigrad.errors import GraphError
from minigrad.inspect import gradient_flow
from minigrad.random import manual_seed
from minigrad.tape import apply, no_grad, tensor


def leaf(values):
    return tensor(values, dtype="float64", requires_grad=True)


def why(result, x, dy=None):
    """Run backward from result(x) and ask about x."""
    with gradient_flow(names={"x": x}) as flow:
        result(x).backward(dy)
    return flow.why("x")


class TestAbsent:
    def test_backward_did_not_run(self):
        with gradient_flow(names={"x": leaf([1.0])}) as flow:
            pass
        assert flow.why("x") == (
            "`x` has no gradient: backward() did not run inside the block."
        )

    def test_a_frozen_parameter(self, network):
        model = network(2, 3, 1)
        model.first.weight.requires_grad = False
        with gradient_flow(model) as flow:
            model(tensor(np.ones((4, 2)))).sum().backward()
        assert "is frozen" in flow.why("first.weight")
        with pytest.raises(
            GraphError, match=r"`first\.weight` has no gradient: it is f"
        ):
            flow.into("first.weight")

    def test_a_parameter_on_no_path(self, network):
        model = network(2, 3, 1)
        with gradient_flow(model) as flow:
            model.first(tensor(np.ones((4, 2)))).sum().backward()
        assert flow.why("second.weight") == (
            "`second.weight` has no gradient: it is on no path to what backward() was "
            "called on, sum#1."
        )
        assert "without gradient: second.weight, second.bias" in str(flow)

    def test_a_result_that_was_not_recorded(self):
        x = leaf([1.0])
        with no_grad():
            h = x * 2.0
        with gradient_flow(names={"h": h}) as flow:
            (x * h).sum().backward()
        assert "it was created under no_grad()" in flow.why("h")

    def test_a_view_that_the_loss_does_not_use(self):
        w = leaf([[1.0, 2.0], [3.0, 4.0]])
        row = w[0]
        with gradient_flow(names={"w": w, "row": row}) as flow:
            (w * 2.0).sum().backward()
        assert flow.why("row") == (
            "`row` has no gradient: it is an inert view of `w`: they share memory, but "
            "it is on no path to what backward() was called on, sum#1; ask for `w`, or "
            "use the view in the loss."
        )

    def test_a_detached_view(self):
        w = leaf([1.0, 2.0])
        with gradient_flow(names={"w": w, "copy": w.detach()}) as flow:
            w.sum().backward()
        assert flow.why("copy") == (
            "`copy` has no gradient: it is an inert view of `w`, it was made by "
            "detach()."
        )

    def test_an_unknown_name(self):
        with gradient_flow() as flow:
            leaf([1.0]).sum().backward()
        with pytest.raises(GraphError, match="called `w`, expected a name that print"):
            flow.why("w")


class TestZero:
    def test_a_dead_relu_is_named(self, network):
        model = network(2, 3, 1)
        model.first.bias.data[...] = -100
        with gradient_flow(model) as flow:
            model(tensor(np.ones((4, 2)))).sum().backward()
        sentence = flow.why("first.weight")
        assert sentence.startswith("`first.weight` is exactly zero: relu#1 (x) at ")
        assert "(dead ReLU: 100 % of its inputs are not positive)" in sentence
        assert "second/linear#1 (w) at" in flow.why("second.weight")
        assert "inputs that are 0" in flow.why("second.weight")
        assert "is healthy" in flow.why("second.bias")

    @pytest.mark.parametrize(
        ("result", "state"),
        [
            (
                lambda x: F.hardtanh(x * 9.0),
                "saturated hardtanh: 100 % of its inputs lie outside its interval",
            ),
            (
                lambda x: F.dropout(x, 1.0),
                "masked by dropout: 100 % of its mask drops",
            ),
        ],
    )
    def test_the_state_that_makes_zeros_is_named(self, result, state):
        sentence = why(lambda x: result(x).sum(), leaf([1.0, 2.0]))
        assert sentence.startswith("`x` is exactly zero: ")
        assert sentence.endswith(f"({state}).")

    def test_a_zero_cotangent_is_named(self):
        assert why(lambda x: x * 2.0, leaf([1.0]), leaf([0.0])) == (
            "`x` is exactly zero: backward() was called on mul#1 with a gradient of "
            "zeros."
        )

    def test_edges_that_cancel_are_named(self):
        sentence = why(lambda x: x * 2.0 - x * 2.0, leaf([3.0]))
        assert sentence == (
            "`x` is exactly zero: the edges into x cancel, mul#1 (a) direct 2, "
            "mul#2 (a) direct 2."
        )

    def test_terms_that_cancel_are_named(self, custom):
        kernel = custom(lambda dy: {"plus": dy * 3, "minus": dy * -3})
        sentence = why(lambda x: apply(kernel, x * 1.0), leaf([1.0]))
        assert "the terms of custom#1 (x) cancel exactly, plus 3, minus 3" in sentence

    def test_rounding_noise_is_told_from_zero(self, layer_norm):
        x = leaf(np.random.default_rng(0).normal(size=(4, 16)))
        gamma, beta = leaf(np.ones(16)), leaf(np.zeros(16))
        sentence = why(lambda x: apply(layer_norm, x, gamma, beta).sum(), x)
        assert sentence.startswith("`x` is rounding noise of norm ")
        assert "direct 9.56" in sentence
        assert "through_mean 9.56" in sentence


class TestSize:
    def test_tiny_names_the_edge_of_least_gain(self):
        sentence = why(lambda x: ((x * 5.0) * 1e-11 * 2.0).sum(), leaf([1.0, 2.0]))
        assert sentence.startswith("`x` is tiny: rms 1e-10, below 1e-8;")
        assert "backward() started at sum#1 with norm 1" in sentence
        assert (
            "of the 4 edges from there the 3 of mul have gains whose product is 1e-10, "
            "the smallest 1e-11 in mul#2 (a) at test_gradient_why.py:"
        ) in sentence
        assert sentence.endswith("; products of others: sum 1.41.")

    def test_tiny_after_cancelling_terms_says_so(self, layer_norm):
        x = leaf(np.random.default_rng(0).normal(size=(4, 16)))
        gamma, beta = leaf(np.ones(16)), leaf(np.zeros(16))
        sentence = why(lambda x: apply(layer_norm, x * 2.0, gamma, beta).sum(), x)
        assert "layer_norm#1 (x) at test_gradient_why.py:" in sentence
        assert "had the smallest gain" in sentence
        assert "where its terms cancel" in sentence

    def test_saturation_is_told_with_its_share(self):
        sentence = why(lambda x: (x * 9.0).tanh().sum(), leaf([1.5, 2.0]))
        assert sentence.startswith("`x` is tiny")
        assert "had the smallest gain" in sentence
        assert sentence.endswith(
            ": saturated tanh: 100 % of its outputs lie beyond 0.95, where its slope "
            "is below 0.1."
        )

    def test_a_bias_ahead_of_batch_norm_gets_what_rounding_leaves(self):
        manual_seed(0)
        model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))
        x = tensor(np.random.default_rng(0).normal(size=(32, 8)), dtype="float32")
        with gradient_flow(model) as flow:
            F.cross_entropy(model(x), tensor(np.arange(32) % 2)).backward()
        sentence = flow.why("0.bias")
        assert sentence.startswith("`0.bias` is rounding noise of norm ")
        assert "the sum over the batch cancels in 0/linear#1 (b) at" in sentence
        assert sentence.endswith(", as ahead of a normalisation.")

    def test_many_layers_of_sigmoids_are_told_as_one_cause(self):
        def deep(x):
            for _ in range(20):
                x = x.sigmoid()
            return x.sum()

        sentence = why(deep, leaf([1.0, 2.0]))
        assert "the 20 of sigmoid have gains whose product is " in sentence
        assert "the slope of sigmoid is at most 1/4; products of others" in sentence

    def test_huge_names_the_edge_of_greatest_gain(self):
        sentence = why(lambda x: (x * 1e3 * 2.0).sum(), leaf([1.0]))
        assert sentence.startswith("`x` is huge: rms 2e3, above 100;")
        assert "the greatest 1e3 in mul#1 (a)" in sentence

    def test_healthy_comes_with_its_greatest_share(self):
        sentence = why(lambda x: (x * 3.0 + x).sum(), leaf([1.0, 1.0]))
        assert sentence == (
            "`x` is healthy: norm 5.66, rms 4, 0 % zeros; the greatest of its 2 "
            "shares, 0.75, is mul#1 (a) direct."
        )

    def test_of_several_passes_the_first_ill_one_is_told(self):
        x = leaf([1.0])
        with gradient_flow(names={"x": x}) as flow:
            for factor in (1.0, 0.0, 1.0):
                (x * factor).sum().backward()
        assert flow.why("x").startswith("in pass 2 of 3 `x` is exactly zero")


class TestNotFinite:
    def test_the_first_kernel_and_term_are_named(self, custom, device):
        kernel = custom(lambda dy: {"good": dy * 1, "bad": dy * float("nan")})
        sentence = why(lambda x: apply(kernel, x * 2.0 * 3.0).sum(), leaf([1.0, 2.0]))
        assert re.fullmatch(
            r"`x` is not finite: it began in custom#1 \(x\) at test_gradient_why.py:"
            r"\d+, term bad, where a finite gradient of norm 1.41 had arrived\.",
            sentence,
        )

    def test_a_cotangent_that_is_not_finite_is_named(self):
        sentence = why(lambda x: x * 2.0, leaf([1.0]), leaf([np.inf]))
        assert "backward() was called on mul#1 with a gradient that is not" in sentence

    @pytest.mark.filterwarnings("ignore:overflow")
    def test_a_sum_that_overflows_is_named(self):
        x = tensor([1.0], requires_grad=True)
        sentence = why(lambda x: (x * 3e38 + x * 3e38).sum(), x)
        assert (
            "what comes over 2 edges into x is finite, but the sum overflows float32"
        ) in sentence

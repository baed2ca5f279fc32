"""Assertions on recorded gradients: that they bite, and name what they bit."""

import numpy as np
import pytest

from minigrad.errors import ArgumentError, GradientCheckError, GraphError
from minigrad.inspect import gradient_flow
from minigrad.tape import apply, tensor


def leaf(values, dtype="float64"):
    return tensor(values, dtype=dtype, requires_grad=True)


def record(result, x):
    with gradient_flow(names={"x": x}) as flow:
        result(x).sum().backward()
    return flow


def test_a_fused_rule_that_lies_is_caught(custom, device):
    kernel = custom(lambda dy: {"direct": dy * 2}, fused=lambda dy: dy * 3)
    flow = record(lambda x: apply(kernel, x), leaf([1.0, 2.0]))
    with pytest.raises(GradientCheckError, match=r"`x` miss .* custom#1 \(x\)"):
        flow.assert_conserved()


def test_a_lie_below_the_tolerance_passes(custom):
    kernel = custom(lambda dy: {"direct": dy * 2}, fused=lambda dy: dy * 2.02)
    flow = record(lambda x: apply(kernel, x), leaf([1.0, 2.0]))
    assert flow.into("x").error == pytest.approx(0.01)
    flow.assert_conserved(tolerance=0.011)
    with pytest.raises(GradientCheckError, match=r"expected at most 0\.009"):
        flow.assert_conserved(tolerance=0.009)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_rounding_passes_in_every_dtype(dtype):
    rng = np.random.default_rng(0)
    x = leaf(rng.normal(size=1000), dtype)

    def result(x):
        factors = (leaf(rng.normal(size=1000), dtype) for _ in range(9))
        return sum((x * factor for factor in factors), x)

    flow = record(result, x)
    assert len(flow.into("x").edges) == 10
    flow.assert_conserved()


def test_a_gradient_that_is_not_finite_fails_both_checks(custom):
    kernel = custom(lambda dy: {"direct": dy * np.nan})
    flow = record(lambda x: apply(kernel, x), leaf([1.0]))
    with pytest.raises(
        GradientCheckError, match=r"began in custom#1 \(x\) at .*, term"
    ):
        flow.assert_finite()
    with pytest.raises(GradientCheckError, match=r"is not finite .* assert_finite\(\)"):
        flow.assert_conserved()


def test_finite_gradients_pass():
    record(lambda x: x * 2.0, leaf([1.0])).assert_finite()


def test_a_dead_gradient_is_caught_with_its_cause():
    flow = record(lambda x: x.relu(), leaf([-1.0, -2.0]))
    with pytest.raises(
        GradientCheckError, match=r"100 % of .*; `x` is exactly zero: r"
    ):
        flow.assert_no_dead()


def test_the_limit_says_how_many_zeros_are_dead():
    flow = record(lambda x: x.relu(), leaf([-1.0, -2.0, 1.0, 1.0]))
    flow.assert_no_dead()
    with pytest.raises(GradientCheckError, match="50 % of a gradient is zero"):
        flow.assert_no_dead(limit=0.5)
    with pytest.raises(ArgumentError, match=r"limit 0, expected in \(0, 1\]"):
        flow.assert_no_dead(limit=0)


def test_a_trainable_parameter_without_gradient_is_dead_a_frozen_one_not(network):
    model = network(2, 3, 1)
    model.first.bias.requires_grad = False
    model.first.bias.data[...] = 100
    x = tensor(np.ones((4, 2)))
    with gradient_flow(model) as flow:
        model(x).sum().backward()
    flow.assert_no_dead()
    with gradient_flow(model) as flow:
        model.first(x).sum().backward()
    with pytest.raises(GradientCheckError, match=r"`second\.weight` has no gradient"):
        flow.assert_no_dead()


@pytest.mark.parametrize("check", ["conserved", "finite", "no_dead"])
def test_an_empty_recording_passes_no_check(check):
    with gradient_flow() as flow:
        pass
    with pytest.raises(GraphError, match="no backward pass was recorded"):
        getattr(flow, f"assert_{check}")()

"""The backward pass: order, sums, memory, several outputs, and what it tells."""

from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.errors import DTypeError, GraphError, ShapeError
from minigrad.kernels._spec import NOTHING, Kernel
from minigrad.tape import Tensor, apply, enable_grad, no_grad, tensor


def leaf(*values, name=None):
    return tensor(list(values), dtype="float64", requires_grad=True, name=name)


class Halves(NamedTuple):
    low: object
    high: object


def split_forward(x):
    """Two outputs: the first half and the second half of x (2 M,)."""
    half = x.shape[0] // 2
    return Halves(x[:half] * 1, x[half:] * 1), NOTHING


SPLIT = Kernel(
    name="split",
    forward=split_forward,
    terms={"x": lambda dy, saved: {"direct": np.concatenate([dy.low, dy.high])}},
)


def viewing(kept):
    """A kernel whose rule ends in a view, of memory that kept may also refer to."""

    def rule(dy, saved):
        made = 2 * dy
        kept.append(made if kept else None)
        return {"direct": made.T}

    return Kernel("viewing", lambda x: (2 * x.T, NOTHING), {"x": rule})


class TestOwnership:
    def test_a_view_of_fresh_memory_becomes_the_leafs_gradient_uncopied(self):
        x = tensor(np.ones((2, 3)), requires_grad=True)
        apply(viewing([]), x).backward(np.ones((3, 2)))
        assert x.grad.data.base is not None
        assert x.grad.data.T.flags.c_contiguous

    def test_a_view_of_memory_that_others_hold_is_copied_in_its_order(self):
        kept = ["keep"]
        x = tensor(np.ones((2, 3)), requires_grad=True)
        apply(viewing(kept), x).backward(np.ones((3, 2)))
        assert x.grad.data.base is None
        assert x.grad.data.T.flags.c_contiguous
        x.grad.data[...] = 7
        assert_array_equal(kept[1], np.full((3, 2), 2.0))


class TestSums:
    def test_two_paths_to_a_leaf_add_up(self):
        x = leaf(1.0, 2.0)
        (x * 3.0 + x).backward(np.ones(2))
        assert_array_equal(x.grad.data, [4.0, 4.0])

    def test_a_second_pass_adds_to_the_first(self):
        x = leaf(1.0)
        (x * 2.0).backward()
        (x * 5.0).backward()
        assert_array_equal(x.grad.data, [7.0])

    def test_many_arrivals_add_in_place_without_touching_dy(self):
        x = leaf(1.0)
        y = x + 0.0
        total = y + y
        for _ in range(5):
            total = total + y
        dy = np.array([1.0])
        total.backward(dy)
        assert_array_equal(x.grad.data, [7.0])
        assert_array_equal(dy, [1.0])

    def test_gradients_of_two_leaves_never_share_memory(self):
        a, b = leaf(1.0), leaf(2.0)
        (a + b).backward()
        a.grad.data[...] = 100.0
        assert_array_equal(b.grad.data, [1.0])

    def test_gradient_that_was_set_is_not_written(self):
        x = leaf(1.0)
        values = np.array([5.0])
        x.grad = values
        (x * 2.0).backward()
        assert_array_equal(x.grad.data, [7.0])
        assert_array_equal(values, [5.0])

    def test_broadcast_input_gets_the_sum(self):
        x = tensor(np.ones((3, 4)), requires_grad=True)
        b = tensor(np.ones((4,)), requires_grad=True)
        (x + b).backward(np.ones((3, 4)))
        assert_array_equal(b.grad.data, [3.0] * 4)

    def test_tied_operand_gets_both_sides(self):
        x = leaf(3.0)
        (x * x).backward()
        assert_array_equal(x.grad.data, [6.0])


class TestGraph:
    def test_chain_of_100_000_operations_runs(self):
        x = leaf(1.0)
        y = x
        for _ in range(100_000):
            y = y + x
        y.backward()
        assert_array_equal(x.grad.data, [100_001.0])

    def test_long_graph_is_dropped_without_recursion(self):
        x = leaf(1.0)
        y = x
        for _ in range(100_000):
            y = y * x
        del y
        with no_grad():
            x[0] = 2.0

    def test_node_is_freed_by_backward(self):
        x = leaf(2.0)
        y = x * x
        y.backward()
        with pytest.raises(GraphError, match=r"mul was freed .* retain_graph=True"):
            y.backward()

    def test_retained_graph_runs_again(self):
        x = leaf(2.0)
        y = x * x
        y.backward(retain_graph=True)
        y.backward()
        assert_array_equal(x.grad.data, [8.0])

    def test_error_in_a_rule_leaves_no_stale_cotangent(self):
        calls = []

        def rule(dy, saved):
            calls.append(1)
            if len(calls) == 1:
                raise ValueError("planted")
            return {"direct": dy}

        fragile = Kernel("fragile", lambda x: (x * 1, NOTHING), {"x": rule})
        x = leaf(1.0)
        y = apply(fragile, x)
        z = y + y
        with pytest.raises(ValueError, match="planted"):
            z.backward(retain_graph=True)
        z.backward()
        assert_array_equal(x.grad.data, [2.0])

    def test_constant_branch_costs_no_node(self):
        x = tensor([1.0, 2.0])
        assert (x * x + x).node is None

    def test_backward_skips_rules_that_nobody_needs(self):
        def forbidden(dy, saved):
            raise AssertionError("this rule should not run")

        kernel = Kernel(
            "picky",
            lambda a, b: (a + b, NOTHING),
            {"a": lambda dy, saved: {"direct": dy}, "b": forbidden},
        )
        x = leaf(1.0)
        apply(kernel, x, tensor([1.0], dtype="float64")).backward()
        assert_array_equal(x.grad.data, [1.0])

    def test_input_without_a_rule_gets_no_gradient(self):
        kernel = Kernel(
            "masked",
            lambda x, mask: (x * mask, (mask,)),
            {"x": lambda dy, saved: {"direct": dy * saved[0]}, "mask": None},
        )
        x, mask = leaf(3.0), leaf(1.0)
        apply(kernel, x, mask).backward()
        assert x.has_grad
        assert not mask.has_grad

    def test_kernel_with_only_constant_inputs_records_nothing(self):
        kernel = Kernel("fixed", lambda t: (t * 1, NOTHING), {"t": None})
        y = apply(kernel, leaf(1.0))
        assert y.node is None
        assert not y.requires_grad


class TestSeveralOutputs:
    def test_each_output_contributes(self):
        x = leaf(1.0, 2.0, 3.0, 4.0)
        halves = apply(SPLIT, x)
        (halves.low * 10.0 + halves.high).backward(np.ones(2))
        assert_array_equal(x.grad.data, [10.0, 10.0, 1.0, 1.0])

    def test_unused_output_counts_as_zero(self):
        x = leaf(1.0, 2.0, 3.0, 4.0)
        apply(SPLIT, x).high.backward(np.ones(2))
        assert_array_equal(x.grad.data, [0.0, 0.0, 1.0, 1.0])

    def test_output_used_twice_adds_up(self):
        x = leaf(1.0, 2.0)
        low = apply(SPLIT, x).low
        (low + low).backward()
        assert_array_equal(x.grad.data, [2.0, 0.0])

    def test_backward_runs_from_one_output(self):
        x = leaf(1.0, 2.0)
        apply(SPLIT, x).low.backward()
        assert_array_equal(x.grad.data, [1.0, 0.0])


class TestModes:
    def test_no_grad_records_nothing_and_says_so(self):
        x = leaf(1.0)
        with no_grad():
            y = x * 2.0
        with pytest.raises(GraphError, match="was created under no_grad"):
            y.backward()

    def test_enable_grad_records_inside_no_grad(self):
        x = leaf(1.0)
        with no_grad(), enable_grad():
            y = x * 2.0
        y.backward()
        assert_array_equal(x.grad.data, [2.0])

    def test_mode_is_restored_after_an_error(self):
        x = leaf(1.0)
        with pytest.raises(RuntimeError, match="planted"), no_grad():
            raise RuntimeError("planted")
        assert (x * 1.0).requires_grad


class TestReasons:
    def test_missing_gradient_of_a_fresh_leaf(self):
        x = leaf(1.0, name="w")
        with pytest.raises(GraphError, match=r"`w` has no gradient: backward\(\) has"):
            _ = x.grad

    def test_leaf_off_the_path(self):
        x, other = leaf(1.0), leaf(1.0, name="other")
        (x * 2.0).backward()
        with pytest.raises(GraphError, match=r"`other`.*not on any path"):
            _ = other.grad

    def test_constant(self):
        with pytest.raises(GraphError, match="its requires_grad is False"):
            _ = tensor([1.0]).grad

    def test_result_of_constants(self):
        with pytest.raises(GraphError, match="no input of mul required a gradient"):
            _ = (tensor([1.0]) * 2.0).grad

    def test_detached(self):
        with pytest.raises(GraphError, match=r"made by detach\(\)"):
            _ = leaf(1.0).detach().grad

    def test_intermediate_is_freed_unless_retained(self):
        x = leaf(1.0)
        y = x * 2.0
        (y * 3.0).backward()
        with pytest.raises(GraphError, match=r"retain_grad\(\)"):
            _ = y.grad

    def test_retained_intermediate(self):
        x = leaf(1.0)
        y = (x * 2.0).retain_grad()
        (y * 3.0).backward()
        assert_array_equal(y.grad.data, [3.0])

    def test_retained_gradient_adds_up(self):
        x = leaf(1.0)
        y = (x * 2.0).retain_grad()
        z = y * 3.0
        z.backward(retain_graph=True)
        z.backward()
        assert_array_equal(y.grad.data, [6.0])

    def test_leaf_is_a_function_of_itself(self):
        x = leaf(1.0)
        x.backward()
        x.backward()
        assert_array_equal(x.grad.data, [2.0])

    def test_cleared_gradient(self):
        x = leaf(1.0)
        (x * 2.0).backward()
        x.grad = None
        with pytest.raises(GraphError, match="has not run since"):
            _ = x.grad


class TestArguments:
    def test_not_a_scalar(self):
        with pytest.raises(GraphError, match=r"shape \(2,\), expected a scalar"):
            (leaf(1.0, 2.0) * 1.0).backward()

    def test_shape_of_dy(self):
        with pytest.raises(ShapeError, match=r"dy has shape \(3,\), expected \(2,\)"):
            (leaf(1.0, 2.0) * 1.0).backward(np.ones(3))

    def test_dtype_of_dy(self):
        with pytest.raises(DTypeError, match="dy has dtype float32, expected float64"):
            (leaf(1.0, 2.0) * 1.0).backward(np.ones(2, "float32"))

    def test_integers_need_no_gradient(self):
        with pytest.raises(DTypeError, match="int64, expected a float dtype"):
            tensor([1, 2], requires_grad=True)

    @pytest.mark.parametrize(
        ("value", "error", "said"),
        [
            ([1.0], DTypeError, "the value is a list"),
            (np.ones(1, "float32"), DTypeError, "float32, expected float64"),
            (np.ones(2), ShapeError, r"shape \(2,\), expected \(1,\)"),
        ],
    )
    def test_gradient_that_is_set_has_to_fit(self, value, error, said):
        with pytest.raises(error, match=said):
            leaf(1.0).grad = value

    def test_half_precision_sums_in_single(self):
        bias = tensor(np.zeros(2), dtype="float16", requires_grad=True)
        many = tensor(np.zeros((4096, 2)), dtype="float16")
        (many + bias).backward(np.ones((4096, 2), "float16"))
        assert_array_equal(bias.grad.data, [4096.0, 4096.0])

    def test_tensor_as_dy(self):
        x = leaf(1.0, 2.0)
        (x * 2.0).backward(Tensor(np.array([1.0, 10.0])))
        assert_array_equal(x.grad.data, [2.0, 20.0])


@pytest.mark.parametrize("first", [0, 1])
def test_a_repeated_number_is_no_memory_to_add_to(first, backend):
    x = tensor([1.0, 2.0, 4.0], requires_grad=True)
    y = x * 2.0
    # The gradient of a mean is one number, seen three times.
    parts = [(y * y).mean(), y.mean()]
    (parts[first] + parts[1 - first]).backward()
    assert_allclose(x.grad.numpy(), [10 / 3, 6, 34 / 3], rtol=1e-6)

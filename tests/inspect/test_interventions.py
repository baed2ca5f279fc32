"""Dropping, scaling and detaching terms by name."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.errors import ArgumentError
from minigrad.inspect import detach, drop, gradient_flow, scale
from minigrad.tape import apply, modes, tensor


def leaf(values):
    return tensor(values, dtype="float64", requires_grad=True)


@pytest.fixture
def normed(layer_norm):
    """Run layer norm on x (4, 16), and backward from it."""

    def run(x):
        dy = np.random.default_rng(1).normal(size=x.shape)
        y = apply(layer_norm, x, leaf(np.ones(16)), leaf(np.zeros(16)))
        y.backward(tensor(dy))

    return run


def values():
    return np.random.default_rng(0).normal(size=(4, 16))


class TestDrop:
    def test_a_dropped_term_is_missing_and_nothing_else(self, normed, device):
        x, cut = leaf(values()), leaf(values())
        with gradient_flow(names={"x": x}, keep="arrays") as flow:
            normed(x)
        with drop("through_var", kernel="layer_norm") as change:
            normed(cut)
        terms = {t.name: t.array for t in flow.into("x").edges[0].terms}
        assert_allclose(
            tensor(cut.grad.data - x.grad.data).numpy(),
            -tensor(terms["through_var"]).numpy(),
            atol=1e-14,
        )
        assert list(change.changed) == ["layer_norm#1 (x) through_var"]

    def test_a_recording_sees_what_flows(self, normed):
        x = leaf(values())
        with drop("through_*"), gradient_flow(names={"x": x}) as flow:
            normed(x)
        shares = [t.measures.share for t in flow.into("x").edges[0].terms]
        assert shares == pytest.approx([1, 0, 0])
        flow.assert_conserved(1e-12)

    def test_a_recording_outside_sees_it_too(self, normed):
        x = leaf(values())
        with gradient_flow(names={"x": x}) as flow, drop("through_*"):
            normed(x)
        assert flow.into("x").edges[0].terms[1].measures.norm == 0

    def test_zeros_take_the_place_of_what_is_not_finite(self):
        x = leaf([0.0])
        with drop(kernel="log", input="x"), np.errstate(all="ignore"):
            x.log().backward()
        assert x.grad.item() == 0

    def test_edges_are_chosen_by_module_and_by_target(self, network):
        model = network(3, 4, 2)
        x = tensor(np.random.default_rng(0).normal(size=(5, 3)))
        with drop(model=model, module="second", input="x"):
            model(x).sum().backward()
        assert not model.first.weight.grad.numpy().any()
        assert model.second.weight.grad.numpy().any()
        model.zero_grad()
        with drop(model=model, into="second.*"):
            model(x).sum().backward()
        assert model.first.weight.grad.numpy().any()
        assert not model.second.bias.grad.numpy().any()


class TestScale:
    def test_terms_are_multiplied(self, device):
        x = leaf([3.0])
        with scale(10, kernel="mul", input="b"):
            (x * x).backward()
        assert x.grad.item() == 33

    def test_interventions_multiply(self):
        x = leaf([3.0])
        with scale(10, kernel="exp"), scale(0.5, "direct", kernel="e*"):
            x.exp().backward()
        assert x.grad.item() == pytest.approx(5 * np.exp(3.0))

    def test_a_factor_of_one_changes_no_bit(self, network):
        x = tensor(np.random.default_rng(0).normal(size=(5, 3)))
        one, other = network(3, 4, 2), network(3, 4, 2)
        one(x).sum().backward()
        with scale(1, model=other):
            other(x).sum().backward()
        pairs = zip(one.parameters(), other.parameters(), strict=True)
        for a, b in pairs:
            assert_array_equal(a.grad.numpy(), b.grad.numpy())


class TestDetach:
    def test_nothing_flows_and_nothing_behind_is_computed(self, network, device):
        model = network(3, 4, 2)
        x = tensor(np.random.default_rng(0).normal(size=(5, 3)))
        with gradient_flow(model) as flow, detach(kernel="relu"):
            model(x).sum().backward()
        assert not model.first.weight.has_grad
        assert model.second.weight.has_grad
        assert "first/linear#1" not in flow.targets
        assert "on no path" in flow.why("first.weight")

    def test_other_ways_stay_open(self):
        x = leaf([2.0])
        with detach(kernel="exp"):
            (x.exp() + x * 3.0).backward()
        assert x.grad.item() == 3

    def test_a_term_of_several_is_left_out(self, normed):
        x = leaf(values())
        with gradient_flow(names={"x": x}) as flow, detach("through_mean"):
            normed(x)
        names = [term.name for term in flow.into("x").edges[0].terms]
        assert names == ["direct", "through_var"]

    def test_a_result_of_several_may_get_nothing(self):
        from minigrad import nn

        lstm = nn.LSTM(2, 3)
        x = tensor(np.zeros((4, 2, 2)), dtype="float32")
        y, _ = lstm(x)
        with detach(kernel="sum"):
            y.sum().backward()
        assert not lstm.weight_hh_l0.has_grad

    def test_earlier_gradients_stay(self):
        x = leaf([2.0])
        (x * 1.0).backward()
        with detach(kernel="exp"):
            x.exp().backward()
        assert x.grad.item() == 1


class TestMistakes:
    def test_a_pattern_that_fits_nothing_is_an_error_with_what_there_is(self):
        x = leaf([2.0])
        with (
            pytest.raises(
                ArgumentError,
                match=r"drop: no term of the backward pass fits kernel epx, expected "
                r"one as exp#1 \(x\)",
            ),
            drop(kernel="epx"),
        ):
            x.exp().backward()

    def test_a_block_without_a_pass_is_no_error(self):
        with drop(kernel="epx") as change:
            pass
        assert change.changed == {}

    def test_an_error_in_the_block_is_the_one_that_is_raised(self):
        def step():
            leaf([1.0]).exp().backward()
            raise KeyError("x")

        with pytest.raises(KeyError), drop(kernel="epx"):
            step()
        assert modes.observers.get() == ()

    @pytest.mark.parametrize("factor", ["2", None, True])
    def test_a_factor_is_a_number(self, factor):
        with pytest.raises(ArgumentError, match=r"scale: factor .*, expected a real"):
            scale(factor)

    def test_a_pattern_is_text(self):
        with pytest.raises(ArgumentError, match="drop: kernel 3, expected a shell"):
            drop(kernel=3)

    def test_errors_name_what_was_called(self):
        for block in (drop(model=3), scale(2, names={"x": 1}), detach(model=3)):
            who = {"drop": drop, "scale": scale, "detach": detach}
            with pytest.raises(ArgumentError) as caught, block:
                pass
            assert str(caught.value).partition(":")[0] in who

"""Level 3: what of each gradient comes from which loss term, example or time step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from minigrad import functional as F
from minigrad import nn
from minigrad.errors import ArgumentError, BadIndexError, GradientCheckError, GraphError
from minigrad.inspect import along, drop, gradient_flow
from minigrad.kernels._spec import NOTHING, Kernel
from minigrad.random import manual_seed
from minigrad.tape import apply, tensor


def leaf(values):
    return tensor(values, dtype="float64", requires_grad=True)


def parts(flow, name):
    return {source.name: source.array for source in flow.into(name).sources}


def shares(flow, name):
    return {source.name: source.measures.share for source in flow.into(name).sources}


def gradients(model, loss):
    """Return name -> gradient of the loss alone."""
    model.zero_grad()
    loss.backward()
    found = {name: p.grad.numpy().copy() for name, p in model.named_parameters()}
    model.zero_grad()
    return found


class TestLossTerms:
    def test_each_term_has_the_gradient_it_has_alone(self, network, device):
        model = network(3, 4, 2)
        rng = np.random.default_rng(0)
        x, t = tensor(rng.normal(size=(5, 3))), tensor(rng.normal(size=(5, 2)))

        def terms():
            fit = F.mse_loss(model(x), t)
            return fit, (model.first.weight * model.first.weight).sum() * 0.1

        alone = gradients(model, terms()[0])["first.weight"]
        fit, decay = terms()
        named = {"fit": fit, "decay": decay}
        with gradient_flow(model, sources=named, keep="arrays") as flow:
            (fit + decay).backward()
        found = parts(flow, "first.weight")
        assert list(found) == ["fit", "decay"]
        assert_allclose(np.asarray(tensor(found["fit"]).numpy()), alone, rtol=1e-12)
        assert sum(shares(flow, "first.weight").values()) == pytest.approx(1)
        assert list(parts(flow, "second.weight")) == ["fit"]
        flow.assert_conserved(1e-12)
        assert "from decay" in flow.into("first.weight").table()

    def test_what_comes_through_no_source_is_the_rest(self):
        x = leaf([2.0])
        a = x * 3.0
        with gradient_flow(names={"x": x}, sources={"a": a}, keep="arrays") as flow:
            (a + x * 5.0).backward()
        assert {k: v.item() for k, v in parts(flow, "x").items()} == {"a": 3, "rest": 5}

    def test_the_source_nearest_to_the_loss_takes_a_gradient_first(self):
        x = leaf([2.0])
        a = x * 3.0
        b = a * 2.0
        named = {"a": a, "b": b}
        with gradient_flow(names={"x": x}, sources=named, keep="arrays") as flow:
            (a + b).backward()
        assert {k: v.item() for k, v in parts(flow, "x").items()} == {"a": 3, "b": 6}

    def test_an_intervention_changes_every_source(self):
        x = leaf([2.0])
        a, b = x * 3.0, x.exp()
        with (
            gradient_flow(names={"x": x}, sources={"a": a, "b": b}) as flow,
            drop(kernel="exp"),
        ):
            (a + b).backward()
        assert shares(flow, "x") == {"a": 1.0, "b": 0.0}
        flow.assert_conserved(1e-12)


class TestAlong:
    def test_examples_have_the_gradients_they_have_alone(self, network, device):
        model = network(3, 4, 2)
        x = tensor(np.random.default_rng(0).normal(size=(6, 3)))

        def losses():
            return (model(x) * model(x)).sum(axis=1)

        alone = [gradients(model, losses()[n] / 6) for n in range(6)]
        each = losses()
        with gradient_flow(
            model, sources={"example": along(each)}, keep="arrays"
        ) as flow:
            each.mean().backward()
        found = parts(flow, "second.weight")
        assert list(found) == [f"example[{n}]" for n in range(6)]
        for n in range(6):
            own = tensor(found[f"example[{n}]"]).numpy()
            assert_allclose(own, alone[n]["second.weight"], rtol=1e-10, atol=1e-14)
        flow.assert_conserved(1e-12)

    def test_time_steps_of_an_lstm(self):
        manual_seed(0)
        lstm = nn.LSTM(2, 3).to("float64")
        x = tensor(np.random.default_rng(0).normal(size=(5, 2, 2)))
        y, _ = lstm(x)
        with gradient_flow(lstm, sources={"t": along(y)}, keep="arrays") as flow:
            (y * y).sum().backward()
        y, _ = lstm(x)
        alone = gradients(lstm, (y[3] * y[3]).sum())
        for name in ("weight_hh_l0", "weight_ih_l0"):
            assert_allclose(parts(flow, name)["t[3]"], alone[name], atol=1e-14)
            assert sum(shares(flow, name).values()) == pytest.approx(1)
        flow.assert_conserved(1e-12)

    def test_many_sources_are_cut_in_tables_but_not_in_records(self, network):
        model = network(3, 4, 2)
        each = model(tensor(np.random.default_rng(0).normal(size=(30, 3)))).sum(axis=1)
        with gradient_flow(model, sources={"example": along(each)}) as flow:
            each.sum().backward()
        table = flow.into("first.weight").table()
        assert "the greatest 12 of 30 sources" in table
        assert table.count("from example[") == 12
        rows = [r for r in flow.to_records() if r["target"] == "first.weight"]
        assert sum(r["level"] == "source" for r in rows) == 30

    @given(
        seed=st.integers(0, 2**32 - 1),
        shape=st.tuples(st.integers(1, 4), st.integers(1, 4)),
        axis=st.integers(-2, 1),
    )
    def test_sources_sum_to_the_gradient(self, seed, shape, axis):
        rng = np.random.default_rng(seed)
        x = leaf(rng.normal(size=shape))
        h = x.tanh() * leaf(rng.normal(size=shape[1]))
        named = {"slice": along(h, axis)}
        with gradient_flow(names={"x": x}, sources=named, keep="arrays") as flow:
            (h @ leaf(rng.normal(size=(shape[1], 2)))).exp().mean().backward()
        found = parts(flow, "x")
        assert len(found) == shape[axis]
        assert_allclose(sum(found.values()), x.grad.numpy(), atol=1e-12)
        assert sum(shares(flow, "x").values()) == pytest.approx(1)
        flow.assert_conserved(1e-12)


def test_a_rule_that_is_not_linear_is_found_by_its_sources():
    kernel = Kernel(
        name="bent",
        forward=lambda x: (x * 1, NOTHING),
        terms={"x": lambda dy, saved: {"direct": dy * abs(dy)}},
    )
    x = leaf([1.0, 2.0])
    y = apply(kernel, x)
    a, b = y * 2.0, y * 3.0
    with gradient_flow(names={"x": x}, sources={"a": a, "b": b}) as flow:
        (a + b).sum().backward()
    with pytest.raises(GradientCheckError, match="the terms and sources of `x` miss"):
        flow.assert_conserved()


@pytest.mark.parametrize(
    ("sources", "error", "message"),
    [
        ({"a": 3}, ArgumentError, r"sources\['a'\] is a int, expected a Tensor"),
        ({"a": leaf([1.0])}, GraphError, r"is no result that needs a gradient"),
        ({"rest": leaf([1.0]) * 2}, ArgumentError, "expected another name"),
    ],
)
def test_wrong_sources_are_refused(sources, error, message):
    with pytest.raises(error, match=message), gradient_flow(sources=sources):
        pass


def test_a_tensor_can_be_a_source_once():
    h = leaf([1.0]) * 2.0
    twice = {"a": h, "b": h}
    with (
        pytest.raises(ArgumentError, match="the same tensor as 'a'"),
        gradient_flow(sources=twice),
    ):
        pass


def test_along_refuses_what_it_cannot_cut():
    with pytest.raises(ArgumentError, match="along: tensor is a list, expected a Ten"):
        along([1.0])
    with pytest.raises(BadIndexError, match=r"axis 1, expected one of the 1 axes of"):
        along(leaf([1.0]), 1)

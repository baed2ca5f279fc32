"""A recording changes nothing, holds nothing of a pass, and tells no false reason."""

import gc
import math
import weakref

import numpy as np
import pytest

from minigrad import functional as F
from minigrad import inspect, nn, optim
from minigrad.errors import (
    ArgumentError,
    GraphError,
    NonFiniteError,
    WatchpointError,
)
from minigrad.inspect import along, detach, drop, gradient_flow, watch
from minigrad.random import manual_seed
from minigrad.tape import no_grad, tensor


def leaf(values, dtype="float64"):
    return tensor(values, dtype=dtype, requires_grad=True)


def dense(*layers):
    manual_seed(0)
    return nn.Sequential(*layers)


def batch(*shape):
    return tensor(np.random.default_rng(0).normal(size=shape), dtype="float32")


class TestLocks:
    def test_a_step_is_free_after_a_pass_that_kept_its_graph_elsewhere(self):
        model = dense(nn.Linear(3, 2))
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        def backward():
            losses = F.mse_loss(model(batch(4, 3)), batch(4, 2), reduction="none")
            return losses, lambda: losses.mean().backward(retain_graph=True)

        losses, run = backward()
        with gradient_flow(model, sources={"example": along(losses)}) as flow:
            run()
            del losses, run
            gc.collect()
            optimizer.step()
        assert flow.into("0.weight").update > 0

    def test_a_pass_that_was_cut_short_holds_nothing(self):
        model = dense(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 2))
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        with gradient_flow(model) as flow, watch(lambda seen: seen.kernel == "tanh"):
            try:
                model(batch(4, 3)).sum().backward()
            except WatchpointError as error:
                del error
            optimizer.step()
        assert "cut short by an error: 1 of 1 passes" in str(flow)

    def test_no_node_outlives_its_pass(self):
        x = leaf([1.0, 2.0])
        with gradient_flow(names={"x": x}) as flow:
            y = (x * 2.0).exp()
            node = weakref.ref(y.node)
            y.sum().backward(retain_graph=True)
            del y
            gc.collect()
            assert node() is None
        assert flow.count == 1


class TestSteps:
    def test_reading_before_the_step_loses_nothing(self):
        model = dense(nn.Linear(3, 2))
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        with gradient_flow(model) as flow:
            model(batch(4, 3)).sum().backward()
            assert flow.into("0.weight").update is None
            optimizer.step()
            assert flow.into("0.weight").update > 0
        assert flow.over_time("0.weight").sketches["update"].count == 1

    def test_half_precision_is_measured_in_double(self):
        w = leaf(np.full(300, 40.0), "float16")
        with gradient_flow(names={"w": w}) as flow:
            (w * 1.0).sum().backward()
            w.data[...] += 1
        assert flow.into("w").weight_norm == pytest.approx(40 * math.sqrt(300))
        assert flow.into("w").update == pytest.approx(1 / 40)

    def test_a_weight_that_stays_where_it_is_is_said_to(self):
        model = dense(nn.Linear(3, 2))
        optimizer = optim.SGD([model[0].bias], lr=0.1)
        with gradient_flow(model) as flow:
            model(batch(4, 3)).sum().backward()
            optimizer.step()
        assert "but the step does not move it (update / weight is 0)" in flow.why(
            "0.weight"
        )


class TestReasons:
    def test_a_gradient_that_was_not_finite_before_is_told(self):
        w = leaf([1.0, 2.0])
        w.grad = tensor([np.nan, 0.0], dtype="float64")
        with gradient_flow(names={"w": w}) as flow:
            (w * 2.0).sum().backward()
        assert flow.why("w") == (
            "`w` is not finite: the gradient that w held before this pass is not "
            "finite; call zero_grad()."
        )
        with (
            pytest.raises(
                NonFiniteError,
                match="the gradient that `w` held before this pass has 1 NaN",
            ),
            inspect.detect_nonfinite(names={"w": w}),
        ):
            (w * 2.0).sum().backward()

    def test_a_gradient_that_is_lost_in_an_older_one_is_told(self):
        w = leaf([1.0], "float32")
        w.grad = tensor([1e9])
        with gradient_flow(names={"w": w}) as flow:
            (w * 2.0 + w).sum().backward()
        assert "was lost in the rounding of the gradient of norm 1e9" in flow.why("w")

    def test_interventions_are_named(self):
        w = leaf([1.0])
        with gradient_flow(names={"w": w}) as flow, drop(kernel="mul"):
            (w * 2.0).backward()
        assert flow.why("w").endswith("(inspect.drop did).")
        with gradient_flow(names={"w": w}) as flow, detach(kernel="mul", input="a"):
            (w * 2.0).backward()
        assert flow.why("w").endswith("since inspect.detach cut mul#1 (a) direct.")

    @pytest.mark.parametrize("order", [0, 1])
    def test_one_of_several_ways_can_be_detached_while_somebody_looks(self, order):
        x = leaf([1.0, 2.0])
        blocks = [lambda: detach(kernel="exp"), lambda: gradient_flow(names={"x": x})]
        first, second = blocks[order], blocks[1 - order]
        with first() as one, second() as two:
            (x.exp() + x * x).sum().backward()
        flow = two if order == 0 else one
        assert [e.kernel for e in flow.into("x").edges] == ["mul", "mul"]
        np.testing.assert_allclose(x.grad.numpy(), [2, 4])

    def test_underflow_is_called_by_its_name(self):
        x = leaf([1.0], "float32")
        with gradient_flow(names={"x": x}) as flow:
            (x * 1e-20 * 1e-20 * 1e-20).sum().backward()
        assert "it underflows; ask why of `mul#" in flow.why("x")

    def test_a_way_that_is_cut_in_mid_forward_is_told(self):
        model = dense(nn.Linear(3, 2), nn.Linear(2, 2))
        with gradient_flow(model) as flow:
            hidden = model[0](batch(4, 3)).detach()
            model[1](hidden).sum().backward()
        said = flow.why("0.weight")
        assert "; linear at test_recording_lets_go.py:" in said
        assert said.endswith("a detach(), no_grad() or numpy() cuts the way.")

    def test_another_forward_pass_is_not_blamed(self):
        x, w = leaf([1.0]), leaf([0.0])
        with gradient_flow(names={"x": x, "w": w}) as flow, np.errstate(all="ignore"):
            good = x * 2.0
            bad = w.log() * 0.0
            with no_grad():
                tensor([0.0]).log()
            good.sum().backward()
            bad.sum().backward()
        assert "healthy" in flow.why("x")
        assert "before that, in forward, log#1 at" in flow.why("w")


class TestSelection:
    def test_what_was_left_out_is_not_called_missing(self):
        model = dense(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2))
        with gradient_flow(model, kernel="relu") as flow:
            model(batch(4, 3)).sum().backward()
        assert "without gradient" not in str(flow)
        assert flow.why("0.weight") == (
            "`0.weight` was not recorded: the selection, kernel relu, leaves it out."
        )
        flow.assert_no_dead()

    def test_a_selection_that_fits_nothing_is_an_error_at_the_end(self):
        model = dense(nn.Linear(3, 2))
        with (
            pytest.raises(
                ArgumentError, match="no gradient of the backward pass fits kernel nope"
            ),
            gradient_flow(model, kernel="nope"),
        ):
            model(batch(4, 3)).sum().backward()
        with (
            pytest.raises(
                ArgumentError,
                match="watch: no term of the backward pass fits term nope",
            ),
            watch(lambda seen: True, term="nope"),
        ):
            model(batch(4, 3)).sum().backward()


class TestSourcesAndNoise:
    def test_a_bias_ahead_of_batch_norm_is_noise_and_conserved(self):
        model = dense(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 2))
        losses = F.cross_entropy(
            model(batch(32, 8)), tensor(np.arange(32) % 2), reduction="none"
        )
        with gradient_flow(model, sources={"example": along(losses)}) as flow:
            losses.mean().backward()
        flow.assert_conserved()
        assert flow.into("0.bias").sources[0].measures.share is None
        assert "rounding noise" in flow.why("0.bias")

    def test_sources_of_another_forward_pass_are_an_error(self):
        x = leaf([1.0])
        old = x * 2.0
        with (
            pytest.raises(GraphError, match="the sources `a` are on no path from what"),
            gradient_flow(sources={"a": old}),
        ):
            (x * 3.0).backward()

    def test_names_of_sources_are_told_apart(self):
        x = leaf([1.0])
        h, g = x * 2.0, x * 3.0
        told = pytest.raises(ArgumentError, match=r"'h\[0\]' is the name of two sou")
        with told, gradient_flow(sources={"h": along(h), "h[0]": g}):
            pass

    def test_an_error_that_is_nan_stays(self):
        x = leaf([1.0])
        with gradient_flow(names={"x": x}) as flow:
            for factor in (1.0, np.nan, 1.0):
                (x * factor).backward()
        assert math.isnan(flow.into("x").error)
        assert "conservation error nan" in str(flow)

    def test_the_widest_floats_can_be_looked_at(self):
        x = leaf([1.0, 2.0], np.longdouble)
        with gradient_flow(names={"x": x}) as flow:
            (x * x).sum().backward()
        assert flow.into("x").measures.norm == pytest.approx(math.sqrt(20))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda flow: flow.why(3), "name 3, expected the name of a gradient"),
        (lambda flow: flow.into(None), "name None, expected the name of a gradient"),
        (lambda flow: flow.assert_conserved("a"), "tolerance 'a', expected a number"),
        (lambda flow: flow.assert_conserved(-1), "tolerance -1, expected a number, at"),
        (lambda flow: flow.diff(flow).first_divergence("a"), "tolerance 'a', expected"),
        (lambda flow: along(leaf([1.0]), "x"), "along: axis 'x', expected an integer"),
        (lambda flow: along(leaf(1.0)), 'pass reduction="none"'),
        (
            lambda flow: gradient_flow(names=[1]).__enter__(),
            "names is a list, expect",
        ),
        (lambda flow: gradient_flow(sources=[1]).__enter__(), "sources is a list, exp"),
        (lambda flow: gradient_flow(passes=True).__enter__(), "passes True, expected"),
        (
            lambda flow: inspect.Hessian(leaf(1.0), nn.Linear(1, 1)),
            "loss is a Tensor",
        ),
        (
            lambda flow: inspect.Hessian(len, None),
            "model is a NoneType, expected",
        ),
        (
            lambda flow: inspect.loss_curve(len, nn.Linear(1, 1), {}, 1.0),
            "radii is 1.0, expected numbers",
        ),
        (lambda flow: inspect.scale(math.nan), "factor nan, expected a real number"),
    ],
)
def test_wrong_input_is_one_sentence(wrong, message):
    x = leaf([1.0])
    with gradient_flow(names={"x": x}) as flow:
        (x * 2.0).backward()
    with pytest.raises(ArgumentError, match=message):
        wrong(flow)

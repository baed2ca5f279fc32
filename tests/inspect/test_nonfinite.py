"""NaN and infinity, planted in many places: kernel, term and line are named."""

import sys
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest

from minigrad import functional as F
from minigrad import nn
from minigrad.errors import NonFiniteError
from minigrad.inspect import detect_nonfinite, gradient_flow
from minigrad.kernels._spec import NOTHING, Kernel
from minigrad.random import manual_seed
from minigrad.tape import apply, no_grad, tensor


def line():
    """Number of the line that calls this."""
    return sys._getframe(1).f_lineno


def leaf(values, name=None):
    return tensor(values, dtype="float64", requires_grad=True, name=name)


def images(*shape):
    return tensor(np.random.default_rng(0).normal(size=shape))


class Planted(NamedTuple):
    """A model with a fault: run() returns a loss and the line of the fault."""

    run: object
    model: object
    says: str
    """What the report says after "forward: " or "backward: ", `@` being the line."""


def dense(*sizes):
    manual_seed(0)
    layers = [nn.Linear(a, b) for a, b in pairwise(sizes)]
    return nn.Sequential(*layers).to("float64")


def in_the_input():
    model = dense(3, 2)
    x = images(4, 3)
    x.data[1, 2] = np.nan

    def run():
        return model(x).sum(), line()

    says = "0/linear#1 @ was given what is not finite: its input x has 1 NaN among 12 "
    return Planted(run, model, says + "elements, at [1, 2]")


def in_a_weight():
    model = dense(3, 4, 2)
    model[1].weight.data[0, 3] = np.inf

    def run():
        return model(images(4, 3)).sum(), line()

    says = "1/linear#1 @ was given what is not finite: its input w, `1.weight`, has inf"
    return Planted(run, model, says + " among 8 elements, at [0, 3]")


def log_of_zero():
    model = dense(3, 2)

    def run():
        h = model(images(4, 3)).relu()
        return h.log().sum(), line()

    return Planted(run, model, "log#1 @ made ")


def zero_by_zero():
    x = leaf([1.0, 0.0], "x")

    def run():
        return (x / (x * 1.0)).sum(), line()

    says = "div#1 @ made 1 NaN among 2 elements, at [1] of y, of finite inputs: a (2,)"
    return Planted(run, None, says)


def batch_norm_of_a_constant():
    model = nn.Sequential(nn.BatchNorm1d(2, eps=0.0)).to("float64")

    def run():
        x = tensor(np.array([[1.0, 5.0], [2.0, 5.0], [4.0, 5.0]]))
        return model(x).sum(), line()

    return Planted(run, model, "0/batch_norm_train#1 @ made 3 NaNs among 6 elements")


def overflow_in_exp():
    model = dense(3, 2)

    def run():
        h = model(images(4, 3)) * 1e4
        return h.exp().sum(), line()

    return Planted(run, model, "exp#1 @ made ")


def overflow_in_a_product():
    x = leaf([1e200, 1.0], "x")

    def run():
        return (x * x).sum(), line()

    return Planted(run, None, "mul#1 @ made inf among 2 elements, at [0] of y, of")


def root_of_a_negative():
    x = leaf([4.0, -1.0], "x")

    def run():
        return x.sqrt().sum(), line()

    return Planted(run, None, "sqrt#1 @ made 1 NaN among 2 elements, at [1] of y")


def slope_of_a_root_at_zero():
    x = leaf([4.0, 0.0], "x")

    def run():
        y = (x * 1.0).sqrt()
        return y.sum(), line() - 1

    says = "sqrt#1 (x) direct, into `mul#1`, @ has inf among 2 elements, at [1], where"
    return Planted(run, None, says)


def slope_of_a_norm_at_zero():
    x = leaf([0.0, 0.0], "x")

    def run():
        y = (x * x).sum() ** 0.5
        return y * 1.0, line() - 1

    return Planted(run, None, "power#1 (a) direct, into `sum#1`, @ has ")


def a_state_of_an_lstm():
    manual_seed(0)
    lstm = nn.LSTM(2, 3).to("float64")
    start = images(1, 2, 3), images(1, 2, 3)
    start[1].data[0, 1, 2] = np.nan

    def run():
        y, _ = lstm(images(4, 2, 2), start)
        return y.sum(), line() - 1

    # The layer takes its own state out of those of all layers first.
    return Planted(run, lstm, "getitem#2 @ was given what is not finite: its input x ")


def a_row_of_an_embedding():
    manual_seed(0)
    model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 2)).to("float64")
    model[0].weight.data[4] = np.nan

    def run():
        return model(tensor([1, 4])).sum(), line()

    return Planted(
        run, model, "0/embedding#1 @ was given what is not finite: its input"
    )


def a_loss_of_huge_logits():
    x = leaf([[1e308, -1e308]], "x")

    def run():
        h = x * 10.0
        return F.cross_entropy(h, tensor([1])), line() - 1

    return Planted(run, None, "mul#1 @ made 2 infinite numbers among 2 elements")


def a_backward_of_ones_own():
    broken = Kernel(
        name="broken",
        forward=lambda x: (x * 1, NOTHING),
        terms={"x": lambda dy, saved: {"direct": dy, "extra": dy / np.zeros(())}},
    )
    x = leaf([4.0, 1.0], "x")

    def run():
        with np.errstate(all="ignore"):
            y = apply(broken, x)
        return y.sum(), line() - 1

    return Planted(run, None, "broken#1 (x) extra, into `x`, @ has 2 infinite numbers")


PLANTED = [
    in_the_input,
    in_a_weight,
    log_of_zero,
    zero_by_zero,
    batch_norm_of_a_constant,
    overflow_in_exp,
    overflow_in_a_product,
    root_of_a_negative,
    slope_of_a_root_at_zero,
    slope_of_a_norm_at_zero,
    a_state_of_an_lstm,
    a_row_of_an_embedding,
    a_loss_of_huge_logits,
    a_backward_of_ones_own,
]


@pytest.fixture(params=PLANTED, ids=lambda plant: plant.__name__)
def planted(request):
    return request.param()


def expected(planted):
    with np.errstate(all="ignore"):
        _, number = planted.run()
    return planted.says.replace("@", f"at test_nonfinite.py:{number}")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
class TestPlanted:
    def test_the_detector_names_kernel_and_line(self, planted):
        with pytest.raises(NonFiniteError) as caught, detect_nonfinite(planted.model):
            planted.run()[0].backward()
        where, _, said = str(caught.value).partition(": ")
        assert where in ("forward", "backward")
        assert said.startswith(expected(planted))

    def test_the_recording_names_the_same_kernel_and_line(self, planted):
        with gradient_flow(planted.model) as flow:
            planted.run()[0].backward()
        names = [n for n, t in flow.targets.items() if not t.measures.finite]
        call = expected(planted).partition(" ")[0]
        if not names:
            # A forward without a finite result may still have finite gradients.
            return
        said = flow.why(names[0])
        # A call that needs no gradient, as that which picks a state, has no node.
        assert call in said or "getitem#2" in call
        assert f"test_nonfinite.py:{planted_line(planted)}" in said


def planted_line(planted):
    with np.errstate(all="ignore"):
        return planted.run()[1]


def test_a_healthy_step_passes(network):
    model = network(3, 4, 2)
    with detect_nonfinite(model):
        model(images(5, 3)).sum().backward()
    assert model.first.weight.has_grad


def test_forward_is_looked_at_without_a_graph_too():
    told = pytest.raises(NonFiniteError, match="forward: log#1")
    with told, detect_nonfinite(), no_grad():
        tensor([0.0]).log()


def test_a_sum_of_great_numbers_that_overflows_is_no_fault():
    x = leaf([1e308, 1e308])
    with detect_nonfinite():
        (x * 1.0).backward(tensor([1e308, 1e308], dtype="float64"))


def test_a_cotangent_that_is_not_finite_is_named():
    x = leaf([1.0])
    with pytest.raises(NonFiniteError, match="or backward"), detect_nonfinite():
        (x * 1.0).backward(tensor([np.nan], dtype="float64"))


def test_terms_whose_sum_overflows_are_named():
    x = leaf([1e-10], "x")
    told = pytest.raises(NonFiniteError, match="their sum overflows")
    with told, detect_nonfinite():
        (x * 1e308 + x * 1e308).backward()

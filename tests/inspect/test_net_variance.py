"""Variance of nets under dropout: over passes, and by equation 6 of GAAF."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import functional as F
from minigrad import nn
from minigrad.backend import new_array
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.inspect import dropout_net_variance, net_variance, outputs
from minigrad.tape import no_grad, tensor

SIGMAS = 5
"""Standard errors within which what is measured has to lie: misses 1 in 2 million."""

sizes = st.integers(1, 6)


def case(seed, inputs=4, rows=2, nodes=3):
    """Draw x (N, I) and weight (J, I)."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, inputs)), rng.normal(size=(nodes, inputs))


def masked_nets(x, weight, p, inverted, passes=20_000, seed=0):
    """Compute nets (T, N, J) with fresh masks in each pass."""
    rng = np.random.default_rng([seed, 1])
    many = np.broadcast_to(x, (passes, *x.shape)).copy()
    if inverted:
        dropped = F.dropout(tensor(many), p, rng=rng)
    else:
        kept = F.dropout(tensor(np.ones_like(many)), p, rng=rng).numpy() > 0
        dropped = tensor(many * kept)
    return F.linear(dropped, tensor(weight)).numpy()


def standard_errors(z, expected):
    """Count how many standard errors the variances over z (T, ...) are away, at most.

    The squared error of a variance is (m4 - var**2) / T with the fourth moment m4; the
    second part is left out, as it leaves nothing of a coin toss, whose variance is
    then off by what is not normal any more.
    """
    fourth = ((z - z.mean(axis=0)) ** 4).mean(axis=0)
    error = np.sqrt(fourth / len(z)) + 1e-12  # Nets that do not vary are off by less.
    return (np.abs(z.var(axis=0, ddof=1) - expected) / error).max()


class TestNetVariance:
    def test_two_passes_by_hand(self):
        nets = np.array([[[1.0, 7.0], [0.0, -1.0]], [[3.0, 7.0], [1.0, -1.0]]])
        assert_array_equal(net_variance(nets), [[2.0, 0.0], [0.5, 0.0]])

    @given(seed=st.integers(0, 2**32 - 1), passes=st.integers(2, 9))
    def test_it_is_the_sample_variance_of_numpy(self, seed, passes):
        nets = np.random.default_rng(seed).normal(size=(passes, 2, 3))
        expected = nets.var(axis=0, ddof=1)
        for given_nets in (nets, tensor(nets), list(nets), [*map(tensor, nets)]):
            found = net_variance(given_nets)
            assert (type(found), found.dtype) == (np.ndarray, np.float64)
            assert_allclose(found, expected, rtol=1e-12)

    def test_nets_that_do_not_vary_have_none_to_the_last_bit(self):
        z = np.random.default_rng(0).normal(size=(3, 4)) + 0.1
        assert_array_equal(net_variance([z] * 20), np.zeros((3, 4)))

    def test_a_great_mean_takes_no_digits(self):
        steps = np.arange(5.0).reshape(5, 1, 1)
        assert_array_equal(net_variance(steps + 1e12), [[2.5]])
        assert_array_equal(net_variance((steps + 1e6).astype("float32")), [[2.5]])

    def test_twenty_passes_give_no_bias(self):
        x, weight = case(0)
        expected = dropout_net_variance(x, weight, 0.5)
        nets = masked_nets(x, weight, 0.5, inverted=True, passes=20 * 2000)
        groups = nets.reshape(20, 2000, 2, 3)
        ratio = (net_variance(groups).mean(axis=0) / expected).mean()
        assert ratio == pytest.approx(1, abs=0.01)
        assert 0.95 * ratio != pytest.approx(1, abs=0.01)  # What T for T - 1 gives.

    def test_channels_and_devices_are_taken(self, device):
        nets = np.random.default_rng(0).normal(size=(4, 2, 3, 5, 5))
        found = net_variance(new_array(nets))
        assert type(found) is np.ndarray
        assert_allclose(found, nets.var(axis=0, ddof=1))

    @pytest.mark.parametrize("shape", [(), (3,), (3, 4), (1, 3, 4), (0, 3, 4)])
    def test_less_than_two_passes_are_refused(self, shape):
        message = r"net_variance: nets has shape \(.*\), expected \(T, N, J\) with T >="
        with pytest.raises(ShapeError, match=message):
            net_variance(np.zeros(shape))

    @pytest.mark.parametrize(
        ("nets", "error", "message"),
        [
            ([], ShapeError, r"0 passes of shapes \[\], expected \(T, N, J\) wi"),
            ([np.ones((2, 3))], ShapeError, r"nets has 1 passes of shapes \[\(2, 3"),
            ([np.ones(3)] * 2, ShapeError, r"2 passes of shapes \[\(3,\)\], exp"),
            (
                [np.ones((2, 3)), np.ones((2, 4))],
                ShapeError,
                r"2 passes of shapes \[\(2, 3\), \(2, 4\)\], expected",
            ),
            ([np.ones((2, 3)), 4], ArgumentError, r"nets\[1\] is a int, expected an"),
            ("nets", ArgumentError, "nets is a str, expected an array or a Tensor"),
            (np.full((2, 1, 1), np.nan), ArgumentError, "nets has 2 infinite or NaN"),
        ],
    )
    def test_what_has_no_variance_is_refused(self, nets, error, message):
        with pytest.raises(error, match=message):
            net_variance(nets)


class TestEquation6:
    def test_one_net_by_hand(self):
        x, weight = np.array([[1.0, 2.0]]), np.array([[3.0, -1.0], [0.0, 1.0]])
        # (3 * 1)**2 + (-1 * 2)**2 = 13 and 2**2 = 4.
        found = dropout_net_variance(x, weight, 0.75)
        assert_array_equal(found, [[39.0, 12.0]])
        found = dropout_net_variance(x, weight, 0.75, inverted=False)
        assert_array_equal(found, [[2.4375, 0.75]])

    @pytest.mark.parametrize("inverted", [True, False])
    @pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9])
    def test_it_is_the_variance_over_all_masks(self, p, inverted):
        x, weight = case(1)
        masks = np.array(list(product([0, 1], repeat=4)))
        weights = np.prod(np.where(masks == 1, 1 - p, p), axis=1)
        scale = 1 / (1 - p) if inverted else 1
        nets = np.stack([(x * mask * scale) @ weight.T for mask in masks])
        mean, square = (np.tensordot(weights, z, 1) for z in (nets, nets * nets))
        found = dropout_net_variance(x, weight, p, inverted=inverted)
        assert_allclose(found, square - mean * mean, atol=1e-12)

    @given(
        seed=st.integers(0, 2**32 - 1),
        p=st.one_of(st.just(0.0), st.floats(0.05, 0.95)),
        inverted=st.booleans(),
        inputs=sizes,
        nodes=sizes,
    )
    def test_dropout_and_linear_have_that_variance(
        self, seed, p, inverted, inputs, nodes
    ):
        x, weight = case(seed, inputs, 2, nodes)
        nets = masked_nets(x, weight, p, inverted, seed=seed)
        expected = dropout_net_variance(x, weight, p, inverted=inverted)
        assert standard_errors(nets, expected) < SIGMAS

    @pytest.mark.parametrize("inverted", [True, False])
    @pytest.mark.parametrize(
        "wrong",
        [
            lambda x, w, p, factor: p * ((x * x) @ (w * w).T),
            lambda x, w, p, factor: p * p * (1 - p) * ((x * x) @ (w * w).T),
            lambda x, w, p, factor: (1 - p) / p * ((x * x) @ (w * w).T),
            lambda x, w, p, factor: np.sqrt(factor) * ((x * x) @ (w * w).T),
            lambda x, w, p, factor: factor * (x @ w.T) ** 2,
            lambda x, w, p, factor: factor * ((x * x) @ (w * w).T) / x.shape[-1],
            lambda x, w, p, factor: factor * (np.abs(x) @ np.abs(w).T),
            lambda x, w, p, factor: factor * ((x * x) @ (w * w).T) * 1.1,
        ],
        ids=["p", "p^2 q", "q / p", "std", "square of sum", "mean", "abs", "10 % off"],
    )
    def test_wrong_formulas_are_told_from_it(self, wrong, inverted):
        p = 0.3
        x, weight = case(2)
        nets = masked_nets(x, weight, p, inverted)
        factor = p / (1 - p) if inverted else p * (1 - p)
        right = dropout_net_variance(x, weight, p, inverted=inverted)
        assert standard_errors(nets, right) < SIGMAS
        assert standard_errors(nets, wrong(x, weight, p, factor)) > 2 * SIGMAS

    @pytest.mark.parametrize("inverted", [True, False])
    def test_the_other_scaling_is_told_from_it(self, inverted):
        x, weight = case(3)
        nets = masked_nets(x, weight, 0.2, inverted)
        other = dropout_net_variance(x, weight, 0.2, inverted=not inverted)
        assert standard_errors(nets, other) > 2 * SIGMAS

    def test_dropping_all_leaves_no_variance(self):
        x, weight = case(4)
        found = dropout_net_variance(x, weight, 1, inverted=False)
        assert_array_equal(found, np.zeros((2, 3)))

    def test_any_axes_of_x_and_any_device_are_taken(self, device):
        x, weight = case(5)
        expected = dropout_net_variance(x, weight, 0.5)
        stacked = new_array(np.stack([x, 2 * x]).astype("float32"))
        found = dropout_net_variance(tensor(stacked), new_array(weight), 0.5)
        assert (type(found), found.dtype) == (np.ndarray, np.float64)
        assert_allclose(found, np.stack([expected, 4 * expected]), rtol=1e-6)
        assert_allclose(dropout_net_variance(x[0], weight, 0.5), expected[0])

    @pytest.mark.parametrize(
        ("p", "inverted", "rule"),
        [
            (1, True, "0 <= p < 1"),
            (1.5, False, "0 <= p <= 1"),
            (-0.1, True, "0 <= p < 1"),
            (np.nan, False, "0 <= p <= 1"),
            (True, False, "0 <= p <= 1"),
            ("0.5", True, "0 <= p < 1"),
        ],
    )
    def test_p_out_of_range_is_refused(self, p, inverted, rule):
        with pytest.raises(ArgumentError, match=f"variance: p .*, expected {rule}"):
            dropout_net_variance(*case(0), p, inverted=inverted)

    @pytest.mark.parametrize(
        ("x", "weight", "error", "message"),
        [
            (np.ones(()), np.ones((3, 4)), ShapeError, r"x has shape \(\), expected"),
            (np.ones((2, 4)), np.ones(4), ShapeError, r"weight has shape \(4,\), exp"),
            (
                np.ones((2, 4)),
                np.ones((4, 3)),
                ShapeError,
                r"weight has shape \(4, 3\), expected \(J, 4\), with the last axis of",
            ),
            ([1.0], np.ones((1, 1)), ArgumentError, "x is a list, expected an array"),
            (np.ones(1), np.ones((1, 1), complex), DTypeError, "weight has dtype comp"),
            (np.array([np.inf]), np.ones((1, 1)), ArgumentError, "x has 1 infinite"),
        ],
    )
    def test_what_is_no_linear_map_is_refused(self, x, weight, error, message):
        with pytest.raises(error, match=f"dropout_net_variance: {message}"):
            dropout_net_variance(x, weight, 0.5)


PASSES, P = 2000, 0.5
"""Of the two layers below."""


@pytest.fixture(scope="module")
def seen():
    """Nets, and inputs before dropout, of both layers of a tanh network."""
    rng = np.random.default_rng(0)
    first, second = nn.Linear(6, 8, rng=rng), nn.Linear(8, 4, bias=False, rng=rng)
    masks = [nn.Dropout(P, rng=rng) for _ in range(2)]
    model = nn.Sequential(masks[0], first, nn.Tanh(), masks[1], second).to("float64")
    x = tensor(rng.normal(size=(3, 6)))
    with no_grad(), outputs(model, "[124]") as seen:
        for _ in range(PASSES):
            model(x)
    z1, h, z2 = (np.stack(seen[path]) for path in "124")
    return {
        "z1": z1,
        "z2": z2,
        "expected of z1": dropout_net_variance(x, first.weight, P),
        "within": dropout_net_variance(h, second.weight, P),
        "means": h @ second.weight.numpy().T,
    }


class TestTwoLayers:
    """The law of total variance: a second layer's input is random itself."""

    def gaps(self, seen):
        """Give total variance less its two parts, less each alone, in its errors."""
        z, means, within = seen["z2"], seen["means"], seen["within"]
        total, between = (net_variance(part).mean() for part in (z, means))
        squares = (z - z.mean(axis=0)) ** 2 - (means - means.mean(axis=0)) ** 2
        # One number for each pass, independent of the others, of mean 0 by the law.
        each = (squares - within).mean(axis=(1, 2))
        error = each.std(ddof=1) / np.sqrt(PASSES)
        return (
            (total - within.mean() - between) / error,
            (total - within.mean()) / error,
            (total - between) / error,
        )

    def test_the_first_layer_has_the_variance_of_equation_6(self, seen):
        assert standard_errors(seen["z1"], seen["expected of z1"]) < SIGMAS

    def test_the_second_has_the_mean_of_it_and_the_variance_of_the_mean(self, seen):
        both, _, _ = self.gaps(seen)
        assert abs(both) < SIGMAS

    def test_neither_part_is_enough(self, seen):
        _, within_alone, between_alone = self.gaps(seen)
        assert within_alone > 2 * SIGMAS
        assert between_alone > 2 * SIGMAS

    def test_the_mean_of_it_alone_is_too_small_for_single_nets(self, seen):
        expected = seen["within"].mean(axis=0)
        assert standard_errors(seen["z2"], expected) > 2 * SIGMAS

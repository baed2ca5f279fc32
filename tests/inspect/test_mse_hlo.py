"""MSE-HLO: how near hidden outputs are to their signs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad import nn
from minigrad.backend import new_array
from minigrad.errors import ArgumentError, DTypeError
from minigrad.inspect import mse_hlo, outputs
from minigrad.tape import tensor

seeds = st.integers(0, 2**32 - 1)


def by_hand(*arrays):
    """Loop over all outputs; math.copysign where they are not 0."""
    squares = [
        (0.0 if h == 0 else math.copysign(1.0, h) - h) ** 2
        for array in arrays
        for h in np.asarray(array, "float64").ravel().tolist()
    ]
    return math.fsum(squares) / len(squares)


def drawn(seed, *shape):
    return 2 * np.random.default_rng(seed).normal(size=shape)


@given(
    seed=seeds,
    shapes=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 5)), min_size=1),
)
def test_it_is_the_mean_over_all_outputs(seed, shapes):
    arrays = [drawn(seed + i, *shape) for i, shape in enumerate(shapes)]
    found = mse_hlo({f"layer{i}": [h] for i, h in enumerate(arrays)})
    assert type(found) is float
    assert math.isclose(found, by_hand(*arrays), rel_tol=1e-12)


def test_three_outputs_by_hand():
    # (1 - 0.5)^2, (-1 + 3)^2 and (0 - 0)^2.
    assert mse_hlo(np.array([0.5, -3.0, 0.0])) == 4.25 / 3


@given(seed=seeds, widths=st.lists(st.integers(1, 6), min_size=1, max_size=3))
def test_signs_are_their_own_signs(seed, widths):
    model = nn.Sequential()
    for i, (low, high) in enumerate(zip([3, *widths], widths, strict=False)):
        layer = nn.Linear(low, high)
        layer.weight.data = drawn(seed + i, high, low).astype("float32")
        setattr(model, f"layer{i}", layer)
        setattr(model, f"activation{i}", nn.Sign())
    with outputs(model, "activation*") as seen:
        model(tensor(drawn(seed, 5, 3).astype("float32")))
    assert len(seen) == len(widths)
    assert all(set(np.unique(h)) <= {-1.0, 1.0} for (h,) in seen.values())
    assert mse_hlo(seen) == 0


@given(seed=seeds)
def test_outputs_that_are_not_signs_are_away_from_0(seed):
    h = np.sign(drawn(seed, 4, 5))
    assert mse_hlo(h) == 0
    h[1, 2] *= 0.5
    assert math.isclose(mse_hlo(h), 0.25 / 20)


@given(seed=seeds)
def test_a_change_of_all_signs_changes_nothing(seed):
    h = drawn(seed, 6, 3)
    assert mse_hlo(-h) == mse_hlo(h)


def test_it_tends_to_1_as_outputs_shrink():
    h = drawn(0, 20, 3)
    found = [mse_hlo(h * factor) for factor in (1e-1, 1e-3, 1e-9)]
    assert found == sorted(found)
    assert 1 - 1e-8 < found[-1] < 1


def test_layers_count_by_their_size():
    wide, narrow = np.full((2, 9), 0.5), np.full((2, 1), 3.0)
    found = mse_hlo({"wide": [wide], "narrow": [narrow]})
    assert found == (18 * 0.25 + 2 * 4) / 20
    assert found != (mse_hlo(wide) + mse_hlo(narrow)) / 2


def test_several_calls_are_as_one_of_all_inputs():
    calls = [drawn(0, 7, 3), drawn(1, 2, 3), drawn(2, 0, 3)]
    found = mse_hlo({"a": calls, "unused": []})
    assert math.isclose(found, mse_hlo(np.concatenate(calls)), rel_tol=1e-14)


@pytest.mark.parametrize("several", [list, tuple, iter])
def test_arrays_without_names_are_as_those_with_names(several):
    arrays = [drawn(0, 4, 3), drawn(1, 2)]
    expected = mse_hlo({"a": arrays[:1], "b": arrays[1:]})
    assert mse_hlo(several(arrays)) == expected
    assert mse_hlo(several(map(tensor, arrays))) == expected


@given(seed=seeds, layer=st.integers(0, 2))
def test_nan_anywhere_passes_to_the_mean(seed, layer):
    arrays = [drawn(seed + i, 2, 3) for i in range(3)]
    arrays[layer][1, 2] = np.nan
    assert math.isnan(mse_hlo(arrays))


@pytest.mark.parametrize("h", [math.inf, -math.inf])
def test_an_infinite_output_is_infinitely_far_from_its_sign(h):
    assert mse_hlo(np.array([1.0, h])) == math.inf


def test_zero_is_its_own_sign_and_the_least_number_is_not():
    assert mse_hlo(np.array([0.0, -0.0])) == 0
    assert mse_hlo(np.array([5e-324, -5e-324])) == 1


@pytest.mark.parametrize("shape", [(), (5,), (2, 3, 4, 5)])
def test_any_shape_is_taken(shape):
    h = np.asarray(drawn(0, *shape))
    assert math.isclose(mse_hlo(h), by_hand(h), rel_tol=1e-14)


def test_arrays_and_tensors_of_a_device_are_taken(device):
    h = drawn(3, 4, 3)
    expected = by_hand(h)
    for given_h in (new_array(h), tensor(h, requires_grad=True)):
        assert math.isclose(mse_hlo(given_h), expected, rel_tol=1e-14)
        assert math.isclose(mse_hlo({"h": [given_h]}), expected, rel_tol=1e-14)


def test_float32_is_summed_in_float64():
    h = np.full(100_000, 0.9, "float32")
    exact = (1 - float(np.float32(0.9))) ** 2
    assert math.isclose(mse_hlo(h), exact, rel_tol=1e-12)


def test_whole_numbers_and_truth_values_are_taken():
    assert mse_hlo(np.array([3, -1, 0, 1])) == 1.0
    assert mse_hlo(np.array([True, False])) == 0.0


def test_what_was_given_stays_as_it_is():
    h = drawn(4, 3, 2)
    before = h.copy()
    mse_hlo({"h": [h]})
    assert (h == before).all()


@pytest.mark.parametrize(
    "nothing", [{}, [], {"a": []}, np.zeros((0, 3)), {"a": [np.zeros(0)]}]
)
def test_no_output_has_no_mean(nothing):
    with pytest.raises(
        ArgumentError, match="mse_hlo: outputs given 0, expected at least one"
    ):
        mse_hlo(nothing)


@pytest.mark.parametrize(
    ("given_h", "error", "message"),
    [
        ("tanh", ArgumentError, "outputs is a str, expected arrays, Tensors or what"),
        (None, ArgumentError, "outputs is a NoneType, expected"),
        ([np.ones(2), 1.0], ArgumentError, r"outputs\[1\] is a float, expected an arr"),
        ({"a": [[1.0]]}, ArgumentError, "a is a list, expected an array or a Tensor"),
        (np.ones(2, complex), DTypeError, "outputs has dtype complex128, expected"),
        ({"act1": [np.array(["1"])]}, DTypeError, "act1 has dtype <U1, expected real"),
    ],
)
def test_what_has_no_sign_is_refused(given_h, error, message):
    with pytest.raises(error, match=f"mse_hlo: {message}"):
        mse_hlo(given_h)

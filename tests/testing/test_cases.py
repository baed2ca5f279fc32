"""Cases: drawn from a seed, printed as the line that draws them."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import minigrad.testing as public
from minigrad.backend import backend_of, new_array
from minigrad.errors import ArgumentError
from minigrad.testing import (
    Case,
    Input,
    away_from_zero,
    between,
    booleans,
    integers,
    normal,
    positive,
)


class Two(NamedTuple):
    y: np.ndarray
    z: np.ndarray


def test_a_case_prints_as_the_line_that_makes_it():
    case = Case.draw(
        7, params={"axis": 1}, x=between(2, 3, low=0.0, high=0.5), t=integers(2, high=3)
    )
    again = eval(repr(case), vars(public))
    assert repr(again) == repr(case)
    assert_array_equal(again.arrays[0], case.arrays[0])
    assert_array_equal(again.arrays[1], case.arrays[1])


def test_a_case_of_given_arrays_prints_them():
    case = Case((np.array([1.5, 2.0]), np.zeros((0, 3))), {"k": 2}, seed=4)
    again = eval(repr(case), {"Case": Case, "numpy": np})
    assert_array_equal(again.arrays[0], case.arrays[0])
    assert again.arrays[1].shape == (0, 3)
    assert (again.params, again.seed) == ({"k": 2}, 4)


def test_a_case_whose_arrays_were_replaced_prints_what_it_has():
    case = replace(Case.draw(0, x=normal(2)), arrays=(np.array([1.0, 2.0]),))
    assert repr(case) == "Case((numpy.array([1.0, 2.0], 'float64'),), seed=0)"


def test_a_large_array_is_not_printed():
    assert "<float64 array of shape (100,)>" in repr(Case((np.zeros(100),)))


@pytest.mark.parametrize(
    ("source", "low", "high", "dtype"),
    [
        (positive(500), 0.5, 2.0, "float64"),
        (between(500, low=-1.0, high=3.0), -1.0, 3.0, "float64"),
        (integers(500, high=3), 0, 2, "int64"),
        (integers(500, low=-2, high=3), -2, 2, "int64"),
        (booleans(500), False, True, "bool"),
    ],
    ids=lambda value: getattr(value, "domain", None),
)
def test_values_fill_their_domain(source, low, high, dtype):
    (x,) = Case.draw(0, x=source).arrays
    assert x.dtype == dtype
    assert low <= x.min() <= x.max() <= high
    assert x.max() - np.float64(x.min()) > 0.9 * (np.float64(high) - low)


def test_away_from_zero_keeps_both_signs_away():
    (x,) = Case.draw(0, x=away_from_zero(100)).arrays
    assert np.abs(x).min() >= 0.5
    assert x.min() < 0 < x.max()


def test_no_axes_give_a_0_d_array():
    (x,) = Case.draw(0, x=normal()).arrays
    assert isinstance(x, np.ndarray)
    assert x.shape == ()


def test_an_unknown_domain_is_refused():
    with pytest.raises(
        ArgumentError, match="domain 'gamma', expected normal, positive"
    ):
        Case.draw(0, x=Input("gamma", (3,)))


def test_cotangents_are_random_repeatable_and_of_ys_dtype():
    case = Case.draw(5, x=normal(3))
    y = np.zeros((4, 2), np.float32)
    dy = case.cotangent(y)
    assert (dy.shape, dy.dtype) == ((4, 2), np.float32)
    assert len(np.unique(dy)) == 8
    assert_array_equal(dy, case.cotangent(y))


def test_several_outputs_get_different_cotangents():
    dy = Case(()).cotangent(Two(np.zeros(3), np.zeros(3)))
    assert isinstance(dy, Two)
    assert (dy.y != dy.z).all()


def test_cotangents_live_where_y_lives(backend):
    assert backend_of(Case(()).cotangent(new_array([1.0, 2.0]))).name == backend

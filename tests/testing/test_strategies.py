"""What kernel_cases draws."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import find, given
from hypothesis import strategies as st

from minigrad.errors import MinigradError
from minigrad.testing import axis_of, integers, kernel_cases, positive


@given(kernel_cases(x=("...", "N", "D"), w=("D", 3), b=("D",)))
def test_a_letter_is_one_length_everywhere(case):
    x, w, b = (array.shape for array in case.arrays)
    assert x[-1] == w[0] == b[0]
    assert w[1] == 3
    assert 1 <= x[-1] <= 5


@given(kernel_cases(a=("...",), b=("...",), broadcast=True))
def test_leading_axes_broadcast(case):
    a, b = (array.shape for array in case.arrays)
    assert len(np.broadcast_shapes(a, b)) <= 3


@given(kernel_cases(x=("...", "D"), mask=("...",)))
def test_leading_axes_are_shared_unless_broadcast(case):
    x, mask = (array.shape for array in case.arrays)
    assert x[:-1] == mask


@given(kernel_cases(x=positive("..."), t=integers("N", high="K"), zero=False))
def test_domains_and_high_letters_are_kept(case):
    x, t = case.arrays
    assert x.size
    assert (x >= 0.5).all()
    assert t.max() < 5


@given(
    kernel_cases(
        x=("N", "D"),
        params={
            "eps": 1e-3,
            "keepdims": st.booleans(),
            "shape": lambda shapes: (-1, shapes["x"][0]),
            "axis": axis_of("x", several=True),
        },
    )
)
def test_parameters_are_values_strategies_or_follow_the_shapes(case):
    (x,), params = case.arrays, case.params
    assert params["eps"] == 1e-3
    assert params["keepdims"] in (True, False)
    x.reshape(params["shape"])
    x.sum(axis=params["axis"])


@pytest.mark.parametrize(
    "wanted",
    [
        lambda case: case.arrays[0].size == 0,
        lambda case: case.arrays[0].ndim == 0,
        lambda case: case.arrays[0].ndim == 3,
        lambda case: 1 in case.arrays[0].shape,
    ],
    ids=["an empty axis", "no axis", "three axes", "an axis of length 1"],
)
def test_leading_axes_have(wanted):
    assert wanted(find(kernel_cases(x=("...",)), wanted))


def test_broadcasting_shortens_and_drops_axes():
    cases = kernel_cases(a=("...",), b=("...",), broadcast=True)
    find(cases, lambda case: case.arrays[0].ndim > case.arrays[1].ndim)
    find(cases, lambda case: case.arrays[0].shape[-1:] == (1,) != case.arrays[1].shape)


def test_sizes_limit_letters():
    cases = kernel_cases(x=("N",), sizes={"N": (0, 0)})
    assert find(cases, lambda case: True).arrays[0].shape == (0,)


@given(kernel_cases(x=("...",), params={"axis": axis_of("x", none=False)}))
def test_axis_of_no_axes_is_none(case):
    (x,) = case.arrays
    assert (case.params["axis"] is None) == (x.ndim == 0)


def test_without_hypothesis_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis.strategies", None)
    with pytest.raises(
        MinigradError, match=r"hypothesis is not installed.*pip install"
    ):
        kernel_cases(x=("N",))


def test_the_checker_is_imported_without_hypothesis():
    program = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "from minigrad.testing import Case, check_kernel, normal\n"
        "from minigrad.kernels.arithmetic import NEG_KERNEL\n"
        "check_kernel(NEG_KERNEL, Case.draw(0, a=normal(3)))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)

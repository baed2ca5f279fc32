"""The checker finds every bug that can be planted, at whatever case is drawn."""

import re

import pytest
from hypothesis import given

from minigrad.errors import GradientCheckError
from minigrad.kernels._spec import NOT_A_GRADIENT, NOTHING, Kernel
from minigrad.kernels.arithmetic import DIV_KERNEL, NEG_KERNEL
from minigrad.kernels.linear import LINEAR_KERNEL
from minigrad.kernels.softmax import SOFTMAX_KERNEL
from minigrad.testing import (
    Case,
    away_from_zero,
    check_kernel,
    kernel_cases,
    mutants,
    normal,
)
from minigrad.testing.mutants import KINDS

ROWS = [
    (DIV_KERNEL, Case.draw(0, a=normal(2, 3), b=away_from_zero(3))),
    (LINEAR_KERNEL, Case.draw(0, x=normal(5, 3), w=normal(4, 3), b=normal(4))),
    (SOFTMAX_KERNEL, Case.draw(0, x=normal(3, 4))),
]


def rejected(mutant, case):
    with pytest.raises(GradientCheckError) as caught:
        check_kernel(mutant.kernel, case)
    return str(caught.value).split("\n")[0]


def test_there_are_at_least_twelve_kinds_of_bug():
    assert len(KINDS) >= 12


def test_every_kind_can_be_planted_into_one_of_three_kernels():
    planted = {m.name for row in ROWS for m in mutants(*row) if m.kernel}
    assert planted == set(KINDS)


@pytest.mark.parametrize("bug", KINDS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].name)
def test_a_bug_is_found_and_named(row, bug):
    kernel, case = row
    for mutant in mutants(kernel, case):
        if mutant.name == bug and mutant.kernel:
            assert re.search(mutant.said, rejected(mutant, case))


def test_what_cannot_be_planted_says_why():
    found = list(mutants(NEG_KERNEL, Case.draw(0, a=normal(3))))
    reasons = {m.name: m.reason for m in found if m.kernel is None}
    assert reasons["term_dropped"] == "there is only one term"
    assert reasons["saved_written"] == "no array is saved"
    assert all(reasons.values())


def test_every_kind_is_planted_or_explained_for_every_input():
    found = [(m.name, m.input) for m in mutants(*ROWS[0])]
    assert found == [(bug, name) for name in "ab" for bug in KINDS]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"gradient_of": NOT_A_GRADIENT}, "the rules are declared to be no gradient"),
        ({}, "the gradient is zero at this case"),
    ],
)
def test_a_gradient_that_is_none_or_zero_hides_wrong_values(options, reason):
    kernel = Kernel(
        name="toy",
        forward=lambda x: (0 * x, NOTHING),
        terms={"x": lambda dy, saved: {"direct": 0 * dy}},
        **options,
    )
    found = {m.name: m for m in mutants(kernel, Case.draw(0, x=normal(3)))}
    assert found["doubled"].reason == reason
    assert found["input_written"].kernel is not None


@given(kernel_cases(x=("...", "K"), sizes={"K": (2, 5)}))
def test_no_drawn_case_lets_a_bug_of_softmax_pass(case):
    check_kernel(SOFTMAX_KERNEL, case)
    for mutant in mutants(SOFTMAX_KERNEL, case):
        if mutant.kernel is not None:
            rejected(mutant, case)

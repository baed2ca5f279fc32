"""What can be measured: suite name -> case name -> case."""

from __future__ import annotations

from bench.freezing import CASES as FREEZING_CASES
from bench.harness import Case
from bench.inspect import CASES as INSPECT_CASES
from bench.kernels import CASES as KERNEL_CASES
from bench.step import CASES as STEP_CASES
from bench.tape import CASES as TAPE_CASES

SUITES: dict[str, dict[str, Case]] = {
    "step": {case.name: case for case in STEP_CASES},
    "memory": {case.name: case for case in STEP_CASES},
    "tape": {case.name: case for case in TAPE_CASES},
    "freezing": {case.name: case for case in FREEZING_CASES},
    "inspect": {case.name: case for case in INSPECT_CASES},
    "kernels": {case.name: case for case in KERNEL_CASES},
}

"""Property tests for gradients: for kernels of this library, and for one's own."""

from minigrad.kernels.adapters import is_gradient_adapter
from minigrad.testing.cases import (
    Case,
    Input,
    away_from_zero,
    between,
    booleans,
    integers,
    normal,
    positive,
)
from minigrad.testing.fake_device import fake_device
from minigrad.testing.gradcheck import CheckReport, check_function, check_kernel
from minigrad.testing.mutants import Mutant, mutants
from minigrad.testing.strategies import axis_of, kernel_cases

__all__ = [
    "Case",
    "CheckReport",
    "Input",
    "Mutant",
    "away_from_zero",
    "axis_of",
    "between",
    "booleans",
    "check_function",
    "check_kernel",
    "fake_device",
    "integers",
    "is_gradient_adapter",
    "kernel_cases",
    "mutants",
    "normal",
    "positive",
]

"""Chooses the algorithm, makes the result, and takes groups one by one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from minigrad.backend import array_module
from minigrad.errors import ArgumentError, got
from minigrad.kernels._convolution import (
    direct,
    fft,
    im2col,
    shifted_gemm,
    winograd,
)
from minigrad.kernels._convolution.geometry import Geometry
from minigrad.typing import Array

ALGORITHMS: dict[str, Any] = {
    "direct": direct,
    "im2col": im2col,
    "shifted_gemm": shifted_gemm,
    "winograd": winograd,
    "fft": fft,
}


def forward(x, w, g, groups, algorithm): ...

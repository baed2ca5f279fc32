"""Gradient adapters: functions g with the sign of x whose slope stands in for sign's.

    identity    x, slope 1: the straight-through estimator, STE
    hardtanh    x cut to [-1, 1], slope 1 to both ends: saturated STE, SSTE
    tanh        tanh(x): the paper's proposal, BPGA
    ramp        x to 1, then its slope falls along a line to 0 at 2
    lecun_tanh  1.7519 tanh(2 x / 3)
    sigmoid     sigmoid(2 x) - 1 / 2, which is tanh(x) / 2
    arctan      2 / pi arctan(pi x / 2)
    softsign    x / (1 + |x|)

A network of signs computes the same with each of them, and learns differently.

Source: Li, Ni, Sheng & Zhao 2019, "Gradient Adapter for Hard-Threshold Deep Neural
Networks", eqs. 6-8; ramp, lecun_tanh and sigmoid are in the published code of Friesen &
Domingos 2018, arXiv:1710.11573. Deviation: the slope of tanh is 4 e / (1 + e)**2 with
e = exp(-2 |x|), which in float32 stays above 0 up to |x| = 52; 1 - tanh(x)**2 is 0 from
9 on.
"""

from __future__ import annotations

from minigrad.kernels._adapter_check import (
    AdapterReport,
    adapter_of,
    is_gradient_adapter,
)
from minigrad.kernels._adapters import (
    ADAPTERS,
    ARCTAN,
    HARDTANH,
    IDENTITY,
    LECUN_TANH,
    RAMP,
    SIGMOID,
    SOFTSIGN,
    TANH,
    Adapter,
    clipped,
    scaled_tanh,
    slope_of,
)
from minigrad.kernels._curve import Curve

__all__ = [
    "ADAPTERS",
    "ARCTAN",
    "HARDTANH",
    "IDENTITY",
    "LECUN_TANH",
    "RAMP",
    "SIGMOID",
    "SOFTSIGN",
    "TANH",
    "Adapter",
    "AdapterReport",
    "Curve",
    "adapter_of",
    "clipped",
    "is_gradient_adapter",
    "scaled_tanh",
    "slope_of",
]

"""Initial values of parameters, filled in place; the formulas of PyTorch's nn.init.

Numbers are drawn on the host in float64, so a seed gives the same weights on every
backend and, up to rounding, in every dtype. `rng` is a NumPy Generator; without one,
each call takes the next draw of the stream "init" of the default streams. All functions
whose names end in an underscore return their tensor and raise GraphError if a live
graph needs the old values.

Fans are those of PyTorch's layouts: fan_in = in * receptive, fan_out = out * receptive
for a weight (out, in, *kernel), receptive being the product of the kernel's lengths.
"""

from minigrad.nn.init.bases import orthonormal_rows
from minigrad.nn.init.convolution_aware import convolution_aware_, spectral_std
from minigrad.nn.init.lsuv import lsuv_
from minigrad.nn.init.orthogonal import delta_orthogonal_, orthogonal_
from minigrad.nn.init.plain import constant_, normal_, ones_, uniform_, zeros_
from minigrad.nn.init.variance import (
    calculate_gain,
    kaiming_normal_,
    kaiming_uniform_,
    lecun_normal_,
    lecun_uniform_,
    xavier_normal_,
    xavier_uniform_,
)

__all__ = [
    "calculate_gain",
    "constant_",
    "convolution_aware_",
    "delta_orthogonal_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "lecun_normal_",
    "lecun_uniform_",
    "lsuv_",
    "normal_",
    "ones_",
    "orthogonal_",
    "orthonormal_rows",
    "spectral_std",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

"""Kernel files to begin with: the shortest one, and one with comments."""

from __future__ import annotations

from typing import Final

MINIMAL: Final = """\
    import numpy
    from minigrad.kernels import Kernel
    from minigrad.testing import normal

    def forward(x):
        y = numpy.tanh(x)
        return y, (y,)

    def x_terms(dy, saved):
        return {"direct": dy * (1 - saved[0] ** 2)}

    KERNEL = Kernel("my_tanh", forward, {"x": x_terms})
    INPUTS = {"x": normal("N", "D")}
"""
"""The shortest kernel file that passes."""

COMMENTED: Final = '''\
"""{name}: y = w * tanh(x), an example that passes. Make it yours, rule by rule.

    dL/dx = dy * w * (1 - tanh(x)**2)        dL/dw = dy * tanh(x), summed over N
"""

from typing import NamedTuple

from minigrad.backend import array_module
from minigrad.kernels import Kernel
from minigrad.testing import normal


class Saved(NamedTuple):
    """What the rules need of forward, and nothing else."""

    t: object  # tanh(x), of the shape (N, D)
    w: object  # (D,)


def forward(x, w):
    """Compute y and what to save. Parameters such as `*, axis=0` come after a star."""
    xp = array_module(x)  # numpy, or cupy if x lies on a GPU
    t = xp.tanh(x)
    return w * t, Saved(t, w)


def x_terms(dy, saved):
    """Return dL/dx. dy is dL/dy, of y's shape; it must not be written into.

    A gradient is a sum of named terms, one for each path from the input to y. Here
    there is one path, so one term; its name is yours to choose.
    """
    return {{"direct": dy * saved.w * (1 - saved.t**2)}}


def w_terms(dy, saved):
    """Return dL/dw, in y's shape (N, D): the sum over N to w's (D,) is made for you."""
    return {{"direct": dy * saved.t}}


# One rule for each array that forward takes, in forward's order; None for an array that
# has no gradient, such as a mask.
KERNEL = Kernel(
    name="{name}",
    forward=forward,
    terms={{"x": x_terms, "w": w_terms}},
)

# What `python -m minigrad.testing check` draws the inputs from: normal, positive,
# away_from_zero, between(..., low=0.0, high=1.0), integers(..., high=3) or booleans.
# Equal letters are equal lengths. PARAMS = {{"axis": 0}} would be forward's parameters,
# and SIZES = {{"N": (2, 4)}} limits to the length of N.
INPUTS = {{"x": normal("N", "D"), "w": normal("D")}}
'''
"""A kernel file to be changed; a format with the kernel's name."""

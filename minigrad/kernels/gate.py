"""Gate: y_n = u_n a_n + (1 - u_n) b_n, a choice between a and b for each example.

Each input has one term: `kept`, what a lets through, and `skipped`, what b does. u is
drawn or decided by the caller, and has no gradient.

Source: Wu et al. 2018, "BlockDrop", arXiv:1711.08393, where a is a residual block's
output and b its input.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from minigrad.backend import elementwise, to_host
from minigrad.errors import ArgumentError, DTypeError, ShapeError, got
from minigrad.kernels._spec import Kernel, expect_float, expect_shapes
from minigrad.typing import Array, Result


class Saved(NamedTuple):
    """The gate u (N, 1, ...), with as many axes as a, in the dtype of a."""

    u: Array


@elementwise
def _mixed(xp: Any, a: Array, b: Array, u: Array, **out: Array) -> Array:
    return xp.add(u * a, (1 - u) * b, **out)


@elementwise
def _kept(xp: Any, dy: Array, u: Array, **out: Array) -> Array:
    return xp.multiply(dy, u, **out)


@elementwise
def _skipped(xp: Any, dy: Array, u: Array, **out: Array) -> Array:
    return xp.multiply(dy, 1 - u, **out)


def forward(a: Array, b: Array, u: Array) -> Result:
    """Mix a and b (N, ...) by u (N,), in [0, 1] or boolean: 1 takes a, 0 takes b.

    What is not taken must be finite, as it is multiplied by 0. Looking at the range of
    u waits for a device.
    """
    expect_float("gate", a=a, b=b)
    if not a.ndim:
        raise ShapeError(got("gate", "a has shape", a.shape, "(N, ...)"))
    expect_shapes("gate", a.shape, b=b)
    expect_shapes("gate", a.shape[:1], u=u)
    if u.dtype.kind == "c" != a.dtype.kind:
        # Beside a complex a, a float u comes here complex, too.
        raise DTypeError(got("gate", "u has dtype", u.dtype, "a real dtype"))
    if not to_host(((u.real >= 0) & (u.real <= 1)).all()):
        low, high = to_host(u.real.min()), to_host(u.real.max())
        rule = "values in [0, 1]"
        raise ArgumentError(got("gate", "u has values from", f"{low} to {high}", rule))
    u = u.astype(a.dtype, copy=False).reshape(-1, *(1,) * (a.ndim - 1))
    return _mixed(a, b, u), Saved(u)


KERNEL = Kernel(
    name="gate",
    forward=forward,
    terms={
        "a": lambda dy, saved: {"kept": _kept(dy, saved.u)},
        "b": lambda dy, saved: {"skipped": _skipped(dy, saved.u)},
        "u": None,
    },
)

"""Images and sequences resampled to other sizes."""

from __future__ import annotations

import math
from typing import Any, Final

from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.functional._inputs import as_tensor
from minigrad.kernels import upsampling
from minigrad.kernels._arguments import is_real
from minigrad.tape import Tensor, apply

_AXES: Final = {"nearest": (1, 2, 3), "linear": (1,), "bilinear": (2,)}
"""Mode -> numbers of spatial axes that it takes."""


def interpolate(
    x: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool = False,
) -> Tensor:
    """Resample the spatial axes of x (N, C, L), (N, C, H, W) or (N, C, D, H, W).

    Args:
        x: images or sequences.
        size: lengths of the result's spatial axes, or one int for all.
        scale_factor: instead of size: the lengths are those of x times this, rounded
            down. A number, or one for each axis.
        mode: "nearest", "linear" (sequences) or "bilinear" (images).
        align_corners: whether the outermost elements of x and y lie at the same place,
            instead of their outer edges; nearest takes no notice.

    Raises ShapeError if x does not have the axes of the mode, ArgumentError for other
    modes and unless one of size and scale_factor is given. See
    minigrad.kernels.upsampling.

    >>> from minigrad.tape import tensor
    >>> interpolate(tensor([[[1.0, 3.0]]]), scale_factor=2, mode="linear").tolist()
    [[[1.0, 1.5, 2.5, 3.0]]]
    """
    x = as_tensor(x)
    expect_options("interpolate", size, scale_factor, mode)
    if x.ndim - 2 not in _AXES[mode]:
        many = " or ".join(map(str, _AXES[mode]))
        rule = f"(N, C) and {many} spatial axes in mode {mode!r}"
        raise ShapeError(got("interpolate", "x has shape", x.shape, rule))
    scale = None
    if scale_factor is not None:
        scale = _factors(scale_factor, x.ndim - 2)
        lengths = zip(x.shape[2:], scale, strict=True)
        size = tuple(math.floor(length * factor) for length, factor in lengths)
    if mode == "nearest":
        return apply(upsampling.UPSAMPLE_NEAREST_KERNEL, x, size=size, scale=scale)
    return apply(
        upsampling.UPSAMPLE_LINEAR_KERNEL,
        x,
        size=size,
        scale=scale,
        align_corners=align_corners,
    )


def expect_options(name: str, size: Any, scale_factor: Any, mode: Any) -> None:
    """Raise ArgumentError for another mode, and unless one of the sizes is given."""
    if not isinstance(mode, str) or mode not in _AXES:
        rule = " or ".join(map(repr, _AXES))
        raise ArgumentError(got(name, "mode", repr(mode), rule))
    if (size is None) == (scale_factor is None):
        raise ArgumentError(
            f"{name}: size {size} and scale_factor {scale_factor}, expected one of "
            "them and None"
        )


def _factors(given: Any, axes: int) -> tuple[float, ...]:
    """Return one factor an axis."""
    factors = tuple(given) if isinstance(given, tuple | list) else (given,) * axes
    fits = all(is_real(f) and 0 < f < math.inf for f in factors)
    if len(factors) != axes or not fits:
        rule = f"a number > 0, or {axes} of them"
        raise ArgumentError(got("interpolate", "scale_factor", repr(given), rule))
    return tuple(map(float, factors))

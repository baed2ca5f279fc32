"""Layers that make images and sequences larger or smaller without parameters."""

from __future__ import annotations

from typing import Any

from minigrad import functional as F
from minigrad.functional.upsampling import expect_options
from minigrad.nn.module import Module
from minigrad.tape import Tensor


class Upsample(Module):
    """Resample the spatial axes of x (N, C, ...) to size, or by scale_factor.

    mode is "nearest", "linear" (sequences) or "bilinear" (images). See
    minigrad.functional.interpolate. Raises ArgumentError for other modes and unless one
    of size and scale_factor is given.

    >>> from minigrad import nn, tensor
    >>> nn.Upsample(scale_factor=2)(tensor([[[1.0, 3.0]]])).tolist()
    [[[1.0, 1.0, 3.0, 3.0]]]
    """

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool = False,
    ) -> None:
        expect_options("Upsample", size, scale_factor, mode)
        self.size, self.scale_factor = size, scale_factor
        self.mode, self.align_corners = mode, align_corners

    def forward(self, x: Tensor) -> Tensor:
        """Resample x."""
        return F.interpolate(
            x, self.size, self.scale_factor, self.mode, self.align_corners
        )

    def extra_repr(self) -> str:
        """Describe the size, or the factor, and the mode."""
        given = f"size={self.size}"
        if self.size is None:
            given = f"scale_factor={self.scale_factor}"
        return f"{given}, mode={self.mode!r}"

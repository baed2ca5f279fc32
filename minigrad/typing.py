"""Names for annotations; shapes are documented beside them, never typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Array = Any
"""A NumPy array, a CuPy array or the fake device's: kernels take any of them."""

Module = Any
"""An array module: numpy, cupy or the fake device's namespace."""

Shape = tuple[int, ...]
Axis = int | tuple[int, ...] | None
DType = Any
"""Whatever `numpy.dtype` accepts: "float32", numpy.float64, ..."""

Result = tuple[Any, Any]
"""What a kernel's forward returns: (y, saved)."""

Terms = dict[str, Any]
"""What a backward rule returns: term name -> array."""

Rule = Callable[..., Terms]
"""(dy, saved) -> Terms."""

Fused = Callable[..., Any]
"""(dy, saved) -> the gradient in one pass."""

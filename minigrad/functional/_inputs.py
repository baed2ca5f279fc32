"""What functions take in the place of a tensor."""

from __future__ import annotations

from typing import Any

from minigrad.backend import is_array
from minigrad.tape import Tensor, tensor


def as_tensor(value: Any) -> Tensor:
    """Take a tensor as it is, wrap an array, make one of numbers and nested lists."""
    if isinstance(value, Tensor):
        return value
    return Tensor(value) if is_array(value) else tensor(value)

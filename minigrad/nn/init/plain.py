"""Initial values that do not depend on a weight's fans."""

from __future__ import annotations

from numpy.random import Generator

from minigrad.nn.init._fill import T, draws, expect_tensor, fill


def uniform_(
    tensor: T, a: float = 0.0, b: float = 1.0, *, rng: Generator | None = None
) -> T:
    """Fill with numbers uniform in [a, b)."""
    expect_tensor(tensor, "uniform_")
    source = draws(rng, "uniform_")
    return fill(tensor, source.uniform(a, b, tensor.shape), "uniform_")


def normal_(
    tensor: T, mean: float = 0.0, std: float = 1.0, *, rng: Generator | None = None
) -> T:
    """Fill with normal numbers."""
    expect_tensor(tensor, "normal_")
    source = draws(rng, "normal_")
    return fill(tensor, source.normal(mean, std, tensor.shape), "normal_")


def constant_(tensor: T, val: float) -> T:
    """Fill with val."""
    return fill(tensor, val, "constant_")


def zeros_(tensor: T) -> T:
    """Fill with 0."""
    return fill(tensor, 0, "zeros_")


def ones_(tensor: T) -> T:
    """Fill with 1."""
    return fill(tensor, 1, "ones_")

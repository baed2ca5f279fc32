"""Filters of convolutions: in which space the kernels of a filter are orthogonal."""

__all__: list[str] = []

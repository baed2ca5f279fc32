"""Kernel files with one hidden bug: `python -m minigrad.testing.mutants`, see -h."""

__all__: list[str] = []

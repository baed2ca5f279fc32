"""Reproductions of published tables: `python -m models`, run from a clone."""

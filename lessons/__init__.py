"""Executed lessons in percent format: run one with `python -m lessons.<name>`."""

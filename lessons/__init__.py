"""Executed lessons in percent format: run one with `python -m lessons.<name>`.

`python -m lessons build` makes a page of each of LESSONS.
"""

from typing import Final

LESSONS: Final = (
    "chain_rule",
    "vanishing_gradients",
    "batch_norm",
    "dropout_gradient",
    "lstm_gates",
    "writing_a_kernel",
    "straight_through",
    "second_order",
)
"""The lessons that become pages, in the order in which they are best read."""

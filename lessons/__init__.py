"""Executed lessons in percent format: run one with `python -m lessons.<name>`.

`python -m lessons build` makes a page of each of LESSONS.
"""

from typing import Final

LESSONS: Final = ("chain_rule", "batch_norm", "lstm_gates", "writing_a_kernel")
"""The lessons that become pages, in the order in which they are best read."""

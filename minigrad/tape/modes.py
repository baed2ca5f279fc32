"""What the context asks of the tape: whether to record, for which module, for whom."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

recording: ContextVar[bool] = ContextVar("minigrad_recording", default=True)
scope: ContextVar[Any] = ContextVar("minigrad_scope", default=None)
"""The innermost module being called; nodes keep it so that inspection can name them."""

observer: ContextVar[Any] = ContextVar("minigrad_observer", default=None)
"""Who is shown the terms of a backward pass (see `minigrad.tape.backward.Observer`)."""


@contextmanager
def no_grad() -> Generator[None]:
    """Record nothing inside the block: results need no gradient and cost no memory."""
    token = recording.set(False)
    try:
        yield
    finally:
        recording.reset(token)


@contextmanager
def enable_grad() -> Generator[None]:
    """Record inside the block, also where a `no_grad` surrounds it."""
    token = recording.set(True)
    try:
        yield
    finally:
        recording.reset(token)


def is_grad_enabled() -> bool:
    """Tell whether operations are recorded here."""
    return recording.get()

"""What the context asks of the tape: whether to record, for which module, for whom."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

recording: ContextVar[bool] = ContextVar("minigrad_recording", default=True)
scope: ContextVar[Any] = ContextVar("minigrad_scope", default=None)
"""The innermost module being called; nodes keep it so that inspection can name them."""

observers: ContextVar[tuple[Any, ...]] = ContextVar("minigrad_observers", default=())
"""Who is shown the terms of a backward pass (see `minigrad.tape.backward.Observer`)."""

tracers: ContextVar[tuple[Any, ...]] = ContextVar("minigrad_tracers", default=())
"""Who is shown each kernel call and module call as it happens (see `Tracer`)."""

tracing = 0
"""How many blocks trace, in any context. A plain number, since looking it up costs a
tenth of what a ContextVar costs: calls that nobody traces pay nothing for it."""


class Tracer(Protocol):
    """Is shown what a forward pass does. Arrays belong to the engine: do not write."""

    def ran(
        self,
        kernel: Any,
        inputs: tuple[Any, ...],
        arrays: list[Any],
        y: Any,
        node: Any,
    ) -> None:
        """See that kernel made y of arrays, which inputs (tensors or else) hold.

        node is the call's in the graph; None if it needs no gradient.
        """

    def returned(self, module: Any, y: Any) -> None:
        """See what the call of module gave."""


@contextmanager
def traced(tracer: Tracer) -> Generator[None]:
    """Show tracer the calls inside the block."""
    global tracing
    token = tracers.set((*tracers.get(), tracer))
    tracing += 1
    try:
        yield
    finally:
        tracing -= 1
        tracers.reset(token)


@contextmanager
def observed(observer: Any, *, first: bool = False) -> Generator[None]:
    """Show observer the backward passes inside the block, after or before others."""
    known = observers.get()
    token = observers.set((observer, *known) if first else (*known, observer))
    try:
        yield
    finally:
        observers.reset(token)


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

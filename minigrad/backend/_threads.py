"""Persistent worker threads for loops over blocks of arrays.

NumPy's ufuncs release the interpreter lock, so threads run them side by side. A
hand-over of the lock costs 5-50 microseconds under contention: blocks must take longer
than that. A SimpleQueue hands work over in about 20 microseconds, an executor in 60.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue

from minigrad.backend._blas import one_blas_thread
from minigrad.backend._tuning import flush_bits, take_flush_bits


def _thread_count() -> int:
    """Read MINIGRAD_NUM_THREADS, else count the processors this process may use."""
    limit = os.environ.get("MINIGRAD_NUM_THREADS", "")
    if limit.isdigit() and int(limit) > 0:
        return int(limit)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Pool:
    """Daemon threads that are started when a loop first needs them."""

    def __init__(self) -> None:
        self.threads = _thread_count()
        self.started = 0
        self.tasks: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.busy = threading.Lock()

    def submit(self, tasks: Sequence[Callable[[], None]]) -> None:
        while self.started < len(tasks):
            name = f"minigrad-block-{self.started}"
            threading.Thread(target=self._work, name=name, daemon=True).start()
            self.started += 1
        for task in tasks:
            self.tasks.put(task)

    def _work(self) -> None:
        while True:
            self.tasks.get()()


_pool = _Pool()


def _forget_pool() -> None:
    """Threads do not survive a fork: the child starts its own."""
    global _pool
    _pool = _Pool()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def num_threads() -> int:
    """Return how many threads block loops use."""
    return _pool.threads


def parallel_for(count: int, body: Callable[[int], None]) -> None:
    """Call body(0) ... body(count - 1), each once, on all threads; wait for all.

    Which thread runs which index is not fixed, so bodies must write to places of their
    own. A loop inside a loop, or one that meets another in flight, runs serially. While
    blocks are shared, each matrix product stays on the thread that asked for it. The
    first error is raised again, after the others have ended.
    """
    pool = _pool
    copies = min(pool.threads, count) - 1
    if copies <= 0 or not pool.busy.acquire(blocking=False):
        for index in range(count):
            body(index)
        return
    try:
        with one_blas_thread():
            _share(pool, count, body, copies)
    finally:
        pool.busy.release()


def _share(pool: _Pool, count: int, body: Callable[[int], None], copies: int) -> None:
    # next() on a range iterator is atomic, so the threads share it without a lock.
    indices = iter(range(count))
    errors: list[BaseException] = []
    finished = threading.Semaphore(0)

    def drain() -> None:
        try:
            for index in indices:
                body(index)
        except BaseException as error:
            errors.append(error)
        finally:
            finished.release()

    bits = flush_bits()

    def help_out() -> None:
        take_flush_bits(bits)
        drain()

    # Each copy in the caller's context: errstate, no_grad and the backend hold there.
    pool.submit([partial(copy_context().run, help_out) for _ in range(copies)])
    drain()
    for _ in range(copies + 1):
        finished.acquire()
    if errors:
        raise errors[0]

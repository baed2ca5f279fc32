"""Trainings side by side, one process each.

Every training runs on one thread, so its numbers do not depend on how many run at once.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.experiments.errors import RunError
from models.experiments.progress import EpochDone

ONE_THREAD: Mapping[str, str] = dict.fromkeys(
    (
        "MINIGRAD_NUM_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    ),
    "1",
)
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Hooks:
    """How a training talks to whoever started it."""

    report: Callable[[EpochDone], None]
    stopped: Callable[[], bool]
    """Whether it should raise Stopped at its next step."""


class Stopped(Exception):  # noqa: N818 - no error: the training was asked to end
    """A training ended early because it was asked to."""


@dataclass(frozen=True)
class Job:
    """One network to train.

    Attributes:
        experiment, arm, seed: what it is.
        config: the experiment's configuration.
        training_hash: names what is trained; see models.experiments.config.digest.
        backend: name of the backend that arrays live on.
        checkpoint: file of its training state.
        train: module-level function that does it and returns what JSON can hold.
    """

    experiment: str
    arm: str
    seed: int
    config: Any
    training_hash: str
    backend: str
    checkpoint: Path
    train: Callable[["Job", Hooks], dict[str, Any]]


@contextmanager
def environment(variables: Mapping[str, str]) -> Generator[None]:
    """Set environment variables for the processes started inside the block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


SIGNALS = {signal.SIGINT, signal.SIGTERM}


@contextmanager
def signals_deferred() -> Generator[None]:
    """Let Ctrl-C and SIGTERM wait until the end of the block; none is lost.

    Processes started inside the block are born deaf to them, until they call
    accept_signals; except on Windows, which has no signal masks.
    """
    arrived: list[int] = []

    def remember(number: int, _: Any) -> None:
        arrived.append(number)

    # The mask is for the children, who inherit it but no handlers. It does not keep
    # signals from this process, whose other threads, of a BLAS say, accept them.
    handlers = {number: signal.signal(number, remember) for number in SIGNALS}
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        if sys.platform != "win32":
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if arrived:
            signal.raise_signal(arrived[0])


def accept_signals() -> None:
    """End on SIGTERM, not on Ctrl-C: that reaches all, and the parent answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def run_jobs(
    jobs: Sequence[Job], workers: int, report: Callable[[EpochDone], None]
) -> Generator[tuple[Job, dict[str, Any]]]:
    """Train all jobs and yield each with its results as it ends.

    However the loop over the results is left, all workers have ended afterwards; what
    was still running has its checkpoint of the last whole epoch. Raises what a training
    raised, and RunError if a process was killed.
    """
    # Not fork: a forked BLAS keeps the thread count of its parent.
    context = multiprocessing.get_context("spawn")
    stop, events = context.Event(), context.SimpleQueue()
    with environment(ONE_THREAD):
        pool = ProcessPoolExecutor(
            min(workers, len(jobs)), context, _start_worker, (stop, events)
        )
        try:
            with signals_deferred():
                futures = {pool.submit(_work, job): job for job in jobs}
            for future in _finished(futures, events, report):
                yield futures[future], future.result()
        except BrokenProcessPool:
            raise RunError(
                "a training process was killed (out of memory?); run the same command "
                "to go on, with a smaller --jobs if memory is short"
            ) from None
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)
            _drain(events, report)


def _finished(
    futures: dict[Future[Any], Job], events: Any, report: Callable[[EpochDone], None]
) -> Iterator[Future[Any]]:
    """Yield futures as they end, reporting what the workers send meanwhile."""
    pending = set(futures)
    while pending:
        done, pending = wait(pending, POLL_SECONDS, FIRST_COMPLETED)
        _drain(events, report)
        yield from done


def _drain(events: Any, report: Callable[[EpochDone], None]) -> None:
    while not events.empty():
        report(events.get())


_hooks: Hooks


def _start_worker(stop: Any, events: Any) -> None:
    """Run in each process before its first job."""
    global _hooks
    accept_signals()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _hooks = Hooks(events.put, stop.is_set)


def _end_with_parent() -> None:
    """End this process when the parent is gone: nobody waits for its results."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(job: Job) -> dict[str, Any]:
    return job.train(job, _hooks)

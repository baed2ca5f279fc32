"""Time two engines side by side: each in a process of its own, round by round in turn.

Each engine brings its own thread pool, whose idle threads spin for a while and would
slow the other one in a shared process (measured: both twice as slow). So each runs in a
worker process, the rounds alternate, and a pause lets the spinning end. Times are
medians over all rounds; the ratio is the median of the ratios of neighbouring rounds.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

Step = Callable[[], object]

PAUSE_SECONDS = 0.05
"""Longer than OpenBLAS's threads spin (2**26 cycles, 26 ms at 2.6 GHz)."""


@dataclass(frozen=True)
class Case:
    """One thing to time: per engine, a function that sets up and returns the step."""

    name: str
    minigrad: Callable[[], Step]
    torch: Callable[[], Step]
    steps: int = 30
    """Steps per round."""


@dataclass(frozen=True)
class Result:
    """Times in milliseconds per step; torch's are None when it is not installed."""

    case: str
    minigrad_ms: float
    torch_ms: float | None
    ratio: float | None
    threads: int
    minigrad_quartiles_ms: tuple[float, float]
    torch_quartiles_ms: tuple[float, float] | None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them."""
        return asdict(self)


class Worker:
    """A process that sets up one engine's step and times rounds when told to."""

    def __init__(self, suite: str, case: str, engine: str, threads: int) -> None:
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        counts = dict.fromkeys((*names, "MINIGRAD_NUM_THREADS"), str(threads))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.worker", suite, case, engine, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **counts},
        )

    def round(self, steps: int) -> list[float]:
        """Return the milliseconds that each of steps took."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"a bench worker ended early: {self.process.args}")
        return json.loads(answer)

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self.process.kill()
        self.process.communicate()


def has_torch() -> bool:
    """Tell whether PyTorch can be imported here."""
    return importlib.util.find_spec("torch") is not None


def compare(suite: str, case: Case, *, rounds: int, threads: int) -> Result:
    """Time case in rounds that alternate between the engines."""
    engines = ["minigrad", "torch"] if has_torch() else ["minigrad"]
    workers = {name: Worker(suite, case.name, name, threads) for name in engines}
    times: dict[str, list[list[float]]] = {name: [] for name in engines}
    try:
        for worker in workers.values():
            worker.round(max(3, case.steps // 3))
        for _ in range(rounds):
            for name, worker in workers.items():
                time.sleep(PAUSE_SECONDS)
                times[name].append(worker.round(case.steps))
    finally:
        for worker in workers.values():
            worker.close()
    return _summary(case.name, times, threads)


def _summary(case: str, times: dict[str, list[list[float]]], threads: int) -> Result:
    def middle(engine: str) -> tuple[float, tuple[float, float]]:
        flat = [value for one_round in times[engine] for value in one_round]
        low, median, high = statistics.quantiles(flat, n=4)
        return median, (low, high)

    ours, our_quartiles = middle("minigrad")
    if "torch" not in times:
        return Result(case, ours, None, None, threads, our_quartiles, None)
    theirs, their_quartiles = middle("torch")
    ratio = statistics.median(
        statistics.median(a) / statistics.median(b)
        for a, b in zip(times["minigrad"], times["torch"], strict=True)
    )
    return Result(case, ours, theirs, ratio, threads, our_quartiles, their_quartiles)


def machine() -> str:
    """Name processor, Python and library versions, for the head of a report."""
    from importlib.metadata import version

    parts = [f"Python {platform.python_version()}"]
    parts += [f"{name} {version(name)}" for name in ("numpy", "scipy")]
    if has_torch():
        parts.append(f"torch {version('torch')}")
    return f"{platform.processor() or platform.machine()}; {', '.join(parts)}"

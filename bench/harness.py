"""Time engines side by side: each in a process of its own, round by round in turn.

Each engine brings its own thread pool, whose idle threads spin for a while and would
slow the other one in a shared process (measured: both twice as slow). So each runs in a
worker process, the rounds alternate, and a pause lets the spinning end. Times are
medians over all rounds; the ratio is the median of the ratios of neighbouring rounds.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from bench.engines import RIVALS, has

Step = Callable[[], object]
"""Runs one step; returns its loss where it has one, or `Timed`."""


class Timed(NamedTuple):
    """What a step returns of which only a part is to be timed."""

    loss: float
    milliseconds: float


PAUSE_SECONDS = 0.05
"""Longer than OpenBLAS's threads spin (2**26 cycles, 26 ms at 2.6 GHz)."""

CHECKED_STEPS = 4
"""How many first losses must agree between engines."""


class BenchError(Exception):
    """A measurement that means nothing, with the reason."""


@dataclass(frozen=True)
class Case:
    """One thing to time: per engine, a function that sets up and returns the step."""

    name: str
    engines: Mapping[str, Callable[[], Step]]
    steps: int = 30
    """Steps per round."""


@dataclass(frozen=True)
class Setting:
    """How a run measures.

    Attributes:
        rounds: rounds of timing (or processes, where memory is measured).
        threads: of each engine.
        rivals: the Python that has the engines beyond PyTorch.
    """

    rounds: int = 7
    threads: int = 2
    rivals: str = sys.executable

    def python(self, engine: str) -> str:
        """Choose the interpreter that runs an engine."""
        return self.rivals if engine in RIVALS else sys.executable

    def environment(self) -> dict[str, str]:
        """Hold every library to the number of threads."""
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        counts = dict.fromkeys((*names, "MINIGRAD_NUM_THREADS"), str(self.threads))
        return {**os.environ, **counts}

    def available(self, case: Case) -> list[str]:
        """List the engines of a case that are installed, ours first."""
        return [name for name in case.engines if has(name, self.python(name))]


@dataclass(frozen=True)
class Measured:
    """What one engine needed, in the unit of its suite (ms or MB)."""

    median: float
    quartiles: tuple[float, float]
    ratio: float | None
    """Ours to this engine's; None for ours."""


@dataclass(frozen=True)
class Result:
    """What the engines needed for one case."""

    case: str
    threads: int
    unit: str
    engines: dict[str, Measured]

    def as_dict(self) -> dict[str, Any]:
        """Return what `--json` prints; PyTorch's fields are None without PyTorch."""
        unit, torch = self.unit.lower(), self.engines.get("torch")
        ours = self.engines["minigrad"]
        return {
            "case": self.case,
            f"minigrad_{unit}": ours.median,
            f"torch_{unit}": torch and torch.median,
            "ratio": torch and torch.ratio,
            "threads": self.threads,
            f"minigrad_quartiles_{unit}": ours.quartiles,
            f"torch_quartiles_{unit}": torch and torch.quartiles,
            "engines": {name: asdict(one) for name, one in self.engines.items()},
        }


class Worker:
    """A process that sets up one engine's step and times rounds when told to."""

    def __init__(self, suite: str, case: str, engine: str, setting: Setting) -> None:
        python, threads = setting.python(engine), str(setting.threads)
        self.name = f"{suite} {case}, {engine}"
        self.process = subprocess.Popen(
            [python, "-m", "bench.worker", suite, case, engine, threads],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=setting.environment(),
        )

    def round(self, steps: int) -> tuple[list[float], list[float]]:
        """Return the milliseconds that each of steps took, and the losses if any."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(f"{steps}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # It ended: the empty answer says so below.
        answer = self.process.stdout.readline()
        if not answer:
            raise BenchError(f"{self.name}: the worker ended early, as it says above")
        told = json.loads(answer)
        return told["ms"], told["losses"]

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self.process.kill()
        self.process.communicate()


def compare(suite: str, case: Case, setting: Setting) -> Result:
    """Time case in rounds that alternate between the engines.

    Raises BenchError if the engines' losses tell that they compute different things.
    """
    names = setting.available(case)
    workers = {name: Worker(suite, case.name, name, setting) for name in names}
    times: dict[str, list[list[float]]] = {name: [] for name in names}
    try:
        steps = max(CHECKED_STEPS, case.steps // 3)
        losses = {name: worker.round(steps)[1] for name, worker in workers.items()}
        expect_agreement(case.name, losses)
        for _ in range(setting.rounds):
            for name, worker in workers.items():
                time.sleep(PAUSE_SECONDS)
                milliseconds, values = worker.round(case.steps)
                if not all(map(math.isfinite, values)):
                    raise BenchError(f"{case.name}: the loss of {name} is not finite")
                times[name].append(milliseconds)
    finally:
        for worker in workers.values():
            worker.close()
    return summary(case.name, times, setting.threads)


def expect_agreement(case: str, losses: Mapping[str, Sequence[float]]) -> None:
    """Raise BenchError unless all engines' first losses, and their fall, agree.

    The first loss tells of the forward pass and the weights; how far the losses of the
    next steps move, of the gradients and the update. 5 % of that move is allowed: a few
    masks of relu flip with the order of sums.
    """
    first, *others = losses
    ours = losses[first][:CHECKED_STEPS]
    for name in others if ours else ():
        theirs = losses[name][:CHECKED_STEPS]
        start = math.isclose(ours[0], theirs[0], rel_tol=1e-4)
        noise = 1e-6 * abs(theirs[0])
        falls = (
            math.isclose(a - ours[0], b - theirs[0], rel_tol=0.05, abs_tol=noise)
            for a, b in zip(ours, theirs, strict=True)
        )
        if not (start and all(falls)):
            raise BenchError(
                f"{case}: the first losses are {ours} in {first} and {theirs} in "
                f"{name}, expected the same; they do not compute the same network"
            )


def summary(
    case: str, times: dict[str, list[list[float]]], threads: int, unit: str = "ms"
) -> Result:
    """Reduce rounds of values per engine, ours first, to medians and ratios."""
    middles = {
        name: [statistics.median(one_round) for one_round in rounds]
        for name, rounds in times.items()
    }
    engines: dict[str, Measured] = {}
    for name, rounds in times.items():
        flat = sorted(value for one_round in rounds for value in one_round)
        low, median, high = (
            statistics.quantiles(flat, n=4) if len(flat) > 1 else flat * 3
        )
        ratio = None
        if name != "minigrad":
            pairs = zip(middles["minigrad"], middles[name], strict=True)
            ratio = statistics.median(a / b for a, b in pairs)
        engines[name] = Measured(median, (low, high), ratio)
    return Result(case, threads, unit, engines)


def profile(suite: str, case: Case, setting: Setting) -> None:
    """Print where our step spends its time, measured in a process of its own."""
    command = [sys.executable, "-m", "bench.profile", suite, case.name]
    steps = str(max(5, case.steps))
    env = setting.environment()
    if subprocess.run([*command, steps], env=env, check=False).returncode:
        raise BenchError(f"{suite} {case.name}: the profile failed, as it says above")

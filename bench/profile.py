"""Where a step of ours spends its time: `python -m bench step vgg --profile`.

Runs in a process of its own, in which every kernel's forward and backward carry a
stopwatch (a microsecond or two a call, mostly in "the rest"); nothing of it is there in
a normal run. Times are medians over steps.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from bench.suites import SUITES


class Part(NamedTuple):
    """One kernel on one set of shapes: its forward, or the gradient of one input."""

    kernel: str
    shapes: str
    what: str


class Watch:
    """What one step spends on each part in seconds, and how often it runs."""

    def __init__(self) -> None:
        self.seconds: dict[Part, float] = {}
        self.calls: Counter[Part] = Counter()

    def add(self, part: Part, start: float) -> None:
        """Count the time since start."""
        taken = time.perf_counter() - start
        self.seconds[part] = self.seconds.get(part, 0.0) + taken
        self.calls[part] += 1

    def wrap(self) -> None:
        """Put the stopwatch into the engine, for the rest of this process."""
        from minigrad.kernels import Kernel
        from minigrad.optim import SGD

        run, gradient, update = Kernel.run, Kernel.gradient, SGD.step

        def timed_run(kernel: Kernel, *arrays: Any, **params: Any) -> Any:
            start = time.perf_counter()
            y, record = run(kernel, *arrays, **params)
            self.add(Part(kernel.name, _listed(record.shapes), "forward"), start)
            return y, record

        def timed_gradient(kernel: Kernel, index: int, dy: Any, record: Any) -> Any:
            start = time.perf_counter()
            dx = gradient(kernel, index, dy, record)
            name = kernel.inputs(len(record.shapes))[index]
            self.add(Part(kernel.name, _listed(record.shapes), f"d{name}"), start)
            return dx

        def timed_update(optimizer: Any) -> None:
            start = time.perf_counter()
            update(optimizer)
            self.add(Part("(optimizer)", "", "update"), start)

        engine: Any = Kernel
        engine.run, engine.gradient = timed_run, timed_gradient
        optimizer: Any = SGD
        optimizer.step = timed_update


def _listed(shapes: tuple[tuple[int, ...], ...]) -> str:
    # Two inputs tell layers apart: the rest follows from the weight.
    return " ".join("x".join(map(str, shape)) or "()" for shape in shapes[:2])


def profile(step: Callable[[], object], watch: Watch, steps: int) -> str:
    """Run step and return the table."""
    for _ in range(3):
        step()
    taken: list[tuple[float, dict[Part, float]]] = []
    for _ in range(steps):
        watch.seconds, watch.calls = {}, Counter()
        start = time.perf_counter()
        step()
        taken.append((time.perf_counter() - start, watch.seconds))
    whole = statistics.median(total for total, _ in taken) * 1e3
    rest = Part("(tape, the rest)", "", "")
    parts = {
        part: statistics.median(seconds.get(part, 0.0) for _, seconds in taken) * 1e3
        for part in watch.calls
    }
    parts[rest] = statistics.median(t - sum(s.values()) for t, s in taken) * 1e3
    return table(parts, watch.calls, whole)


def table(parts: dict[Part, float], calls: Counter[Part], whole: float) -> str:
    """List kernels and shapes by their milliseconds a step, split into parts."""
    rows: dict[tuple[str, str], list[Part]] = {}
    for part in parts:
        rows.setdefault((part.kernel, part.shapes), []).append(part)
    sums = {row: sum(parts[part] for part in held) for row, held in rows.items()}
    lines = [f"{'ms':>9}  share  calls"]
    for row in sorted(rows, key=lambda row: -sums[row]):
        held = rows[row]
        split = "  ".join(f"{part.what} {parts[part]:.3f}" for part in held)
        count = max(calls[part] for part in held)
        label = " ".join(row)
        lines.append(
            f"{sums[row]:9.3f} {sums[row] / whole:6.1%} {count:6}  {label:44} {split}"
        )
    return "\n".join([*lines, f"{whole:9.3f} ms a step"])


def main() -> None:
    """Profile the case that the command line names."""
    suite, case_name, steps = sys.argv[1:]
    watch = Watch()
    watch.wrap()
    step = SUITES[suite][case_name].engines["minigrad"]()
    print(profile(step, watch, int(steps)), flush=True)


if __name__ == "__main__":
    main()

"""Peak memory of a training step, each engine in a process of its own.

Baseline is the resident memory once the engine is imported and has trained one linear
layer (both start their threads, and PyTorch imports more, at the first use). Then the
model is built and trained for a few steps. The result is the highest resident memory
since, less the baseline: model, optimizer, activations, workspaces, and what the
allocator does not give back.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy

from bench.engines import ENGINES, Engine, has
from bench.harness import BenchError, Result, Setting, expect_agreement, summary
from bench.step import train

STATUS = Path("/proc/self/status")
STEPS = 4


def measure(case: str, engine: str, setting: Setting) -> tuple[float, list[float]]:
    """Return the peak of one process in MB (2**20 bytes), and its losses."""
    command = [sys.executable, "-m", "bench.memory", case, engine]
    done = subprocess.run(
        [*command, str(setting.threads)],
        env=setting.environment(),
        check=False,
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise BenchError(
            f"memory {case}, {engine}: the process failed, as it says above"
        )
    answer = json.loads(done.stdout)
    return answer["mb"], answer["losses"]


def compare(case: str, setting: Setting) -> Result:
    """Measure each engine in as many processes as there are rounds."""
    if not STATUS.exists():
        raise BenchError("memory: there is no /proc/self/status; it needs Linux")
    engines = [name for name in ("minigrad", "torch") if has(name)]
    peaks: dict[str, list[list[float]]] = {name: [] for name in engines}
    for _ in range(setting.rounds):
        losses: dict[str, list[float]] = {}
        for name in engines:
            peak, losses[name] = measure(case, name, setting)
            peaks[name].append([peak])
        expect_agreement(case, losses)
    return summary(case, peaks, setting.threads, unit="MB")


def _resident(field: str) -> float:
    """Read VmRSS (now) or VmHWM (the highest so far) in MB."""
    for line in STATUS.read_text(encoding="utf-8").splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise BenchError(f"memory: /proc/self/status has no {field}")


def _warm(engine: Engine) -> None:
    """Train a layer large enough for threads, and forget it."""
    layer = engine.nn.Linear(256, 256)
    optimizer = engine.sgd(layer.parameters(), lr=0.001, momentum=0.9)
    x = engine.tensor(numpy.ones((256, 256), numpy.float32))
    engine.F.cross_entropy(layer(x), engine.tensor(numpy.arange(256))).backward()
    optimizer.step()


def main() -> None:
    """Train the case named on the command line and print its peak."""
    case, engine_name, threads = sys.argv[1:]
    if engine_name.startswith("torch"):
        import torch  # pyright: ignore[reportMissingImports]

        torch.set_num_threads(int(threads))
    engine = ENGINES[engine_name]()
    _warm(engine)
    # Forgets the peak of the imports.
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    baseline = _resident("VmRSS")
    step = train(case, engine_name)
    losses = [step() for _ in range(STEPS)]
    print(json.dumps({"mb": _resident("VmHWM") - baseline, "losses": losses}))


if __name__ == "__main__":
    main()

"""Run one engine's side of a case: read a step count per line, answer with times."""

from __future__ import annotations

import json
import signal
import sys
import time

from bench.harness import Timed
from bench.suites import SUITES


def main() -> None:
    """Serve rounds until standard input ends."""
    # Ctrl-C goes to the whole group: the parent says so, and closes our input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    suite, case_name, engine, threads = sys.argv[1:]
    case = SUITES[suite][case_name]
    if engine.startswith("torch"):
        import torch  # pyright: ignore[reportMissingImports]

        torch.set_num_threads(int(threads))
    step = case.engines[engine]()
    for line in sys.stdin:
        times: list[float] = []
        losses: list[float] = []
        for _ in range(int(line)):
            start = time.perf_counter()
            loss = step()
            milliseconds = (time.perf_counter() - start) * 1e3
            if isinstance(loss, Timed):
                loss, milliseconds = loss
            times.append(milliseconds)
            if isinstance(loss, float):
                losses.append(loss)
        print(json.dumps({"ms": times, "losses": losses}), flush=True)


if __name__ == "__main__":
    main()

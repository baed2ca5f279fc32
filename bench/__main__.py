"""Time minigrad beside PyTorch: `python -m bench step mlp`, `tape`, `kernels`."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from typing import NoReturn

from bench.harness import Case, Result, compare, has_torch, machine
from bench.suites import SUITES


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say in one sentence what is wrong."""
        self.exit(2, f"{self.prog}: {message}; see `{self.prog} -h`\n")


def main() -> int:
    """Run the bench; return the exit status: 0, 1 failed, 2 usage, 130 interrupted."""
    try:
        return _run()
    except KeyboardInterrupt:
        print("bench: interrupted; nothing is kept of it", file=sys.stderr)
        return 130
    except OSError as error:
        # Nor can what is still buffered be written at exit.
        sys.stdout = None  # type: ignore[assignment]
        if not isinstance(error, BrokenPipeError):
            print(f"bench: the output cannot be written: {error}", file=sys.stderr)
        return 1


def _run() -> int:
    """Run the cases asked for and print a table, and a JSON line if asked."""
    options = _parse()
    cases = _select(options.suite, options.case)
    print(f"{machine()}; {options.threads} threads each, alternating rounds")
    if not has_torch():
        print("PyTorch is not installed: `pip install torch` to compare with it.")
    width = max(len(case.name) for case in cases)
    print(
        f"{'case':{width}}  minigrad ms [quartiles]       torch ms [quartiles]  ratio"
    )
    results: list[Result] = []
    for case in cases:
        result = compare(
            options.suite, case, rounds=options.rounds, threads=options.threads
        )
        results.append(result)
        print(_row(result, width), flush=True)
    if options.suite == "tape":
        print(_tape_note(results))
    if options.json:
        print(json.dumps(_summary(options.suite, results)))
    sys.stdout.flush()
    return 0


def _parse() -> argparse.Namespace:
    parser = _Parser(
        prog="python -m bench",
        description="Time minigrad beside PyTorch (if it is installed).",
    )
    parser.add_argument("suite", choices=sorted(SUITES), help="what to time")
    parser.add_argument("case", nargs="?", help="one case of it (default: all)")
    parser.add_argument("--json", action="store_true", help="last line: a JSON object")
    parser.add_argument("--rounds", type=_positive, default=7, help="default: 7")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
    parser.add_argument(
        "--threads",
        type=_positive,
        default=min(2, cores),
        help="threads of each engine (default: %(default)s)",
    )
    return parser.parse_args()


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}, expected an integer >= 1")
    return int(text)


def _select(suite: str, name: str | None) -> list[Case]:
    known = SUITES[suite]
    if name is None:
        return list(known.values())
    if name not in known:
        print(
            f"bench {suite}: case {name!r}, expected one of: {', '.join(known)}",
            file=sys.stderr,
        )
        raise SystemExit(2)
    return [known[name]]


def _row(result: Result, width: int) -> str:
    def cell(middle: float, quartiles: tuple[float, float]) -> str:
        return f"{middle:8.3f} [{quartiles[0]:8.3f}, {quartiles[1]:8.3f}]"

    ours = cell(result.minigrad_ms, result.minigrad_quartiles_ms)
    if result.torch_ms is None or result.torch_quartiles_ms is None:
        return f"{result.case:{width}}  {ours}"
    theirs = cell(result.torch_ms, result.torch_quartiles_ms)
    return f"{result.case:{width}}  {ours} {theirs}  {result.ratio:5.2f}"


def _tape_note(results: list[Result]) -> str:
    note = "1000 operations a step: read ms as microseconds per operation"
    differences = [
        f"{result.case} {result.minigrad_ms - result.torch_ms:+.2f}"
        for result in results
        if result.torch_ms is not None
    ]
    if differences:
        note += f"; minigrad - torch in us: {', '.join(differences)}"
    return note + "."


def _summary(suite: str, results: list[Result]) -> dict[str, object]:
    """One object: a single case as it is, several by the geometric means of theirs."""
    if len(results) == 1:
        return results[0].as_dict()

    def mean(values: list[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        if not known:
            return None
        return math.exp(sum(math.log(value) for value in known) / len(known))

    return {
        "case": suite,
        "minigrad_ms": mean([result.minigrad_ms for result in results]),
        "torch_ms": mean([result.torch_ms for result in results]),
        "ratio": mean([result.ratio for result in results]),
        "threads": results[0].threads,
        "cases": [result.as_dict() for result in results],
    }


if __name__ == "__main__":
    sys.exit(main())

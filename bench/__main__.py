"""Time minigrad beside PyTorch: `python -m bench step mlp`, and see `-h`."""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import sys
from typing import NoReturn

from bench import memory
from bench.engines import has
from bench.harness import BenchError, Case, Result, Setting, compare, profile
from bench.report import README, number, report
from bench.store import cores, facts, headline, save
from bench.suites import SUITES

EXAMPLES = """examples:
  python -m bench step vgg              a training step beside PyTorch
  python -m bench step vgg --profile    where ours spends its time, kernel by kernel
  python -m bench kernels --match conv  single kernels whose name contains "conv"
  python -m bench memory vgg            peak memory of a training step
  python -m bench inspect --match mlp   what recording its gradients costs
  python -m bench freezing --match mlp  what freezing its layers saves of backward
  python -m bench step --save           keep the results in bench/results
  python -m bench report                make the tables of bench/README.md of them
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say in one sentence what is wrong."""
        self.exit(2, f"{self.prog}: {message}; see `{self.prog} -h`\n")


def main() -> int:
    """Run the bench; return the exit status: 0, 1 failed, 2 usage, 130 interrupted."""
    try:
        return _run(_parse())
    except KeyboardInterrupt:
        print("bench: interrupted; nothing is kept of it", file=sys.stderr)
        return 130
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        # Nor can what is still buffered be written at exit.
        sys.stdout = None  # type: ignore[assignment]
        if not isinstance(error, BrokenPipeError):
            print(f"bench: the output cannot be written: {error}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    """Do what is asked for: make the report, profile, or measure."""
    if options.suite == "report":
        report()
        print(f"wrote the tables of {os.path.relpath(README)}")
        return 0
    cases = _select(options.suite, options.case, options.match)
    setting = Setting(options.rounds, options.threads, options.rivals)
    if options.profile:
        for case in cases:
            print(f"{options.suite} {case.name}", flush=True)
            profile(options.suite, case, setting)
        return 0
    _measure(options, cases, setting)
    return 0


def _measure(options: argparse.Namespace, cases: list[Case], setting: Setting) -> None:
    """Run the cases and print a table, and a JSON line if asked."""
    suite = options.suite
    if suite != "inspect" and not has("torch"):
        print("PyTorch is not installed: `pip install torch` to compare with it.")
    width = max(len(case.name) for case in cases)
    unit = "MB" if suite == "memory" else "ms"
    print(f"{'case':{width}}  {'engine':19} {unit:>9} [quartiles]   minigrad / engine")
    results: list[Result] = []
    for case in cases:
        if suite == "memory":
            result = memory.compare(case.name, setting)
        else:
            result = compare(suite, case, setting)
        results.append(result)
        print(_rows(result, width), flush=True)
    if suite == "tape":
        print(_tape_note(results))
    known = facts(setting, results)
    print(headline(known))
    if options.save:
        print(f"kept in {os.path.relpath(save(suite, known, results))}")
    if options.json:
        print(json.dumps(_summary(suite, results)))
    sys.stdout.flush()


def _parse() -> argparse.Namespace:
    parser = _Parser(
        prog="python -m bench",
        description="Time minigrad beside PyTorch, and others that are installed.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    suites = [*sorted(SUITES), "report"]
    parser.add_argument("suite", choices=suites, help="what to measure, or report")
    parser.add_argument("case", nargs="?", help="one case of it (default: all)")
    add = parser.add_argument
    add("--match", default="", help="only cases whose name contains this")
    add("--json", action="store_true", help="last line: a JSON object")
    add("--save", action="store_true", help="keep the results in bench/results")
    add("--profile", action="store_true", help="where ours spends its time, instead")
    add("--rounds", type=_positive, default=7, help="default: 7")
    threads = "threads of each engine (default: %(default)s)"
    add("--threads", type=_positive, default=min(2, cores()), help=threads)
    rivals = "a Python that has JAX, autograd, MyGrad or DeZero (default: this one)"
    add("--rivals", type=_python, default=sys.executable, metavar="PYTHON", help=rivals)
    options = parser.parse_args()
    _expect_no_idle_options(parser, options)
    return options


def _expect_no_idle_options(
    parser: argparse.ArgumentParser, options: argparse.Namespace
) -> None:
    """Refuse what would be passed over in silence, and threads without a core."""
    default = parser.get_default
    given = {name for name, value in vars(options).items() if value != default(name)}
    if options.suite == "report" and given != {"suite"}:
        parser.error("report takes no case and no options")
    if options.profile and options.suite == "memory":
        parser.error("--profile shows times, and memory measures none; use step")
    idle = sorted(given & {"json", "save", "rounds", "rivals"})
    if options.profile and idle:
        parser.error(f"--profile prints a table only, expected no --{idle[0]}")
    if options.threads > cores():
        parser.error(f"--threads {options.threads}, expected at most {cores()}: cores")


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}, expected an integer >= 1")
    return int(text)


def _python(text: str) -> str:
    found = shutil.which(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r}, expected a program that runs")
    return found


def _select(suite: str, name: str | None, match: str) -> list[Case]:
    known = SUITES[suite]
    if name is not None and name not in known:
        listed = ", ".join(known)
        print(
            f"bench {suite}: case {name!r}, expected one of: {listed}", file=sys.stderr
        )
        raise SystemExit(2)
    chosen = [case for case in known.values() if name in (None, case.name)]
    chosen = [case for case in chosen if match.lower() in case.name.lower()]
    if not chosen:
        print(f"bench {suite}: no case contains {match!r}", file=sys.stderr)
        raise SystemExit(2)
    return chosen


def _rows(result: Result, width: int) -> str:
    """Write one line an engine; the case's name stands in the first."""
    lines: list[str] = []
    for name, one in result.engines.items():
        low, high = map(number, one.quartiles)
        label = "" if lines else result.case
        ratio = "" if one.ratio is None else f"{one.ratio:6.2f}"
        spread = f"[{low}, {high}]"
        line = f"{label:{width}}  {name:19} {number(one.median):>9} {spread:17} {ratio}"
        lines.append(line.rstrip())
    return "\n".join(lines)


def _tape_note(results: list[Result]) -> str:
    note = "1000 operations a step: read ms as microseconds per operation"
    differences = [
        f"{result.case} {result.engines['minigrad'].median - torch.median:+.2f}"
        for result in results
        if (torch := result.engines.get("torch")) is not None
    ]
    if differences:
        note += f"; minigrad - torch in us: {', '.join(differences)}"
    return note + "."


def _summary(suite: str, results: list[Result]) -> dict[str, object]:
    """One object: a single case as it is, several by the geometric means of theirs."""
    rows = [result.as_dict() for result in results]
    if len(rows) == 1:
        return rows[0]

    def mean(key: str) -> float | None:
        known = [row[key] for row in rows if row[key] is not None]
        if not known:
            return None
        return math.exp(sum(math.log(value) for value in known) / len(known))

    unit = results[0].unit.lower()
    keys = (f"minigrad_{unit}", f"torch_{unit}", "ratio")
    means = {key: mean(key) for key in keys}
    threads = results[0].threads
    return {"case": suite, **means, "threads": threads, "cases": rows}


if __name__ == "__main__":
    sys.exit(main())

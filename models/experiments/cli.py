"""The command line: `python -m models`, see -h."""

import argparse
import difflib
import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from datasets import DataError
from minigrad.errors import MinigradError
from models.experiments import report, text
from models.experiments.errors import CommandError, UsageError
from models.experiments.experiment import Experiment
from models.experiments.results import read_json
from models.experiments.run import Options, execute, plan
from models.experiments.summary import SHOWN, show_results

BACKENDS = ("numpy", "cupy")
EPILOG = """\
Data sets are read from $MINIGRAD_DATA, else ~/.cache/minigrad; digits is bundled.
Exit status: 0 done; 1 failed; 2 wrong usage; 130 interrupted, run the same command
again to go on. A finished run is not repeated: delete its folder for that.

examples:
  python -m models list
  python -m models run gaaf.table4                  seconds, offline
  python -m models run gaaf --preset small          all tables of a paper, on MNIST
  python -m models show gaaf.table4
  python -m models report --add results/gaaf.table4/small-mnist
"""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence, raised."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError instead of printing the usage."""
        raise UsageError(f"{message}; see `{self.prog} -h`")


def main(argv: Sequence[str] | None, experiments: Sequence[Experiment]) -> int:
    """Run the command and return its exit status; errors are one line on stderr."""
    try:
        options = _parser().parse_args(argv)
        COMMANDS[options.command](options, experiments)
        # Here, not at exit, so that a closed pipe is met inside the try.
        sys.stdout.flush()
    except CommandError as error:
        return _fail(str(error), error.status)
    except (MinigradError, DataError) as error:
        return _fail(str(error), 1)
    except BrokenPipeError:
        # The reader has gone, `| head` say; nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _fail(
            f"{place}{error.strerror or error}; mend that and run the same command to "
            "go on, or choose another folder with --out",
            1,
        )
    except KeyboardInterrupt:
        return _fail("interrupted; run the same command to go on", 130)
    return 0


def _fail(sentence: str, status: int) -> int:
    print(sentence, file=sys.stderr)
    return status


def _parser() -> _Parser:
    parser = _Parser(
        prog="python -m models",
        description="Re-run the tables of papers; published beside measured numbers.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=_Parser
    )
    listing = commands.add_parser("list", help="list the experiments")
    listing.add_argument("--json", action="store_true", help="last line: a JSON list")
    _add_run(commands.add_parser("run", help="run an experiment, or all of a paper"))
    show = commands.add_parser("show", help="configuration, claims and last results")
    show.add_argument("id", metavar="ID")
    regenerate = commands.add_parser(
        "report", help="regenerate the README tables from models/*/results/*.json"
    )
    regenerate.add_argument(
        "--add",
        metavar="FOLDER",
        type=Path,
        action="append",
        default=[],
        help="first copy the summary of a finished run there; may be repeated",
    )
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="gaaf.table4, or gaaf for all of it")
    parser.add_argument("--preset", help="tiny, small or full; default: tiny")
    parser.add_argument("--dataset", help="default: the preset's")
    parser.add_argument("--seeds", type=_count, metavar="N", help="seeds 0 to N - 1")
    parser.add_argument("--backend", help="numpy or cupy")
    parser.add_argument(
        "--jobs", type=_count, metavar="J", help="processes; default: all cores"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="default: results/ID/PRESET-DATASET; for a paper, a folder per ID in it",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="last line: a JSON object (for a paper, a line for each experiment)",
    )


def _count(value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise argparse.ArgumentTypeError(f"{value!r}, expected an integer >= 1")
    return int(value)


def _one_of(what: str, value: str, known: Iterable[str]) -> str:
    """Return value if it is known; else raise UsageError, with a suggestion."""
    names = list(known)
    if value in names:
        return value
    close = difflib.get_close_matches(value, names, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise UsageError(
        f"unknown {what} {value!r}, expected one of {', '.join(names)}{hint}"
    )


def _chosen(name: str, experiments: Sequence[Experiment]) -> list[Experiment]:
    """The experiment called name, or all of the paper called name."""
    families = dict.fromkeys(one.family for one in experiments)
    _one_of("experiment", name, [*(one.id for one in experiments), *families])
    return [one for one in experiments if name in (one.id, one.family)]


def _list(options: argparse.Namespace, experiments: Sequence[Experiment]) -> None:
    print(text.list_text(experiments))
    if options.json:
        print(json.dumps(text.as_rows(experiments)))


def _run(options: argparse.Namespace, experiments: Sequence[Experiment]) -> None:
    chosen = _chosen(options.id, experiments)
    runs = [plan(one, _options(options, one, len(chosen) > 1)) for one in chosen]
    summaries: list[dict[str, Any]] = []
    for run in runs:
        if summaries:
            print()
        summaries.append(execute(run, options.jobs or os.cpu_count() or 1))
    if options.json:
        for summary in summaries:
            print(json.dumps({name: summary[name] for name in SHOWN}))


def _options(
    options: argparse.Namespace, experiment: Experiment, several: bool
) -> Options:
    preset = options.preset or next(iter(experiment.presets))
    _one_of(f"preset of {experiment.id}", preset, experiment.presets)
    if options.dataset is not None:
        _one_of(f"data set of {experiment.id}", options.dataset, experiment.datasets)
    if options.backend is not None:
        _one_of("backend", options.backend, BACKENDS)
    out = options.out
    return Options(
        preset=preset,
        dataset=options.dataset,
        seeds=options.seeds,
        backend=options.backend,
        out=out / experiment.id if several and out is not None else out,
    )


def _show(options: argparse.Namespace, experiments: Sequence[Experiment]) -> None:
    for experiment in _chosen(options.id, experiments):
        print(text.show_text(experiment))
        runs = sorted(Path("results", experiment.id).glob("*/summary.json"))
        found = [*report.committed(experiment), *runs]
        if not found:
            print(f"\nNo results yet: python -m models run {experiment.id}")
        for path in found:
            print(f"\nResults in {path}")
            show_results(experiment, read_json(path))


def _report(options: argparse.Namespace, experiments: Sequence[Experiment]) -> None:
    for folder in options.add:
        print(f"added {report.add(experiments, folder)}")
    for path in report.regenerate(experiments):
        print(f"wrote {path}")


COMMANDS = {"list": _list, "run": _run, "show": _show, "report": _report}

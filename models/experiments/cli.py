"""The command line: `python -m models`, see -h."""

import argparse
import difflib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from datasets import DataError, console
from datasets.console import Parser, UsageError, fail
from minigrad.errors import MinigradError
from models.experiments import report, text
from models.experiments.errors import CommandError
from models.experiments.experiment import Experiment
from models.experiments.results import read_json
from models.experiments.run import Options, Run, execute, expect_data, plan
from models.experiments.summary import SHOWN, show_results

BACKENDS = ("numpy", "cupy")
EPILOG = """\
Data sets are read from $MINIGRAD_DATA, else ~/.cache/minigrad; digits is bundled.
Exit status: 0 done; 1 failed; 2 wrong usage; 130 interrupted by Ctrl-C, 143 by SIGTERM:
run the same command to go on. A finished run is not repeated; for that, delete its
folder. Networks are in results/trainings, where experiments that train the same share
them, one at a time; with --out they are inside that folder.

examples:
  python -m models list
  python -m models run gaaf.table4                  seconds, offline
  python -m models run gaaf --preset small          all of a paper
  python -m models show gaaf.table4
  python -m models report --add results/gaaf.table4/small-mnist
"""


def main(argv: Sequence[str] | None, experiments: Sequence[Experiment]) -> int:
    """Run the command and return its exit status; errors are one line on stderr."""
    return console.run(lambda: _answer(argv, experiments))


def _answer(argv: Sequence[str] | None, experiments: Sequence[Experiment]) -> int:
    try:
        options = _parser().parse(argv)
        COMMANDS[options.command](options, experiments)
    except UsageError as error:
        return fail(str(error), 2)
    except CommandError as error:
        return fail(str(error), error.status)
    except (MinigradError, DataError) as error:
        return fail(str(error), 1)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return fail(
            f"{place}{error.strerror or error}; mend that and run the same command to "
            "go on, or choose another folder with --out",
            1,
        )
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="python -m models",
        description="Re-run the tables of papers; published beside measured numbers.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=Parser
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
        type=_folder,
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
        type=_folder,
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


def _folder(value: str) -> Path:
    path = Path(value)
    if not value or path.is_file():
        what = f"{path} is a file" if value else "''"
        raise argparse.ArgumentTypeError(f"{what}, expected a folder")
    return path


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
    known = {name: None for one in experiments for name in (one.id, *one.aliases)}
    families = dict.fromkeys(one.family for one in experiments)
    _one_of("experiment", name, [*known, *families])
    return [one for one in experiments if name in (one.id, *one.aliases, one.family)]


def _list(options: argparse.Namespace, experiments: Sequence[Experiment]) -> None:
    print(text.list_text(experiments))
    if options.json:
        print(json.dumps(text.as_rows(experiments)))


def _run(options: argparse.Namespace, experiments: Sequence[Experiment]) -> None:
    chosen = _chosen(options.id, experiments)
    if options.dataset is not None:
        known = dict.fromkeys(name for one in chosen for name in one.datasets)
        _one_of(f"data set of {options.id}", options.dataset, known)
        chosen = [one for one in chosen if options.dataset in one.datasets]
    paper = options.id in {one.family for one in experiments}
    runs = [plan(one, _options(options, one, paper)) for one in chosen]
    _expect_data(runs)
    summaries: list[dict[str, Any]] = []
    for run in runs:
        if summaries:
            print()
        summaries.append(execute(run, options.jobs or os.cpu_count() or 1))
    if options.json:
        for summary in summaries:
            print(json.dumps({name: summary[name] for name in SHOWN}))


def _expect_data(runs: Sequence[Run]) -> None:
    """Ask for the data of all runs before hours are spent on the first."""
    reasons: dict[str, list[str]] = {}
    for run in runs:
        try:
            expect_data(run)
        except DataError as error:
            reasons.setdefault(str(error), []).append(run.experiment.id)
    if reasons and len(runs) == 1:
        raise DataError(*reasons)
    if reasons:
        texts = (f"{', '.join(ids)}: {reason}" for reason, ids in reasons.items())
        raise DataError("; ".join(texts))


def _options(
    options: argparse.Namespace, experiment: Experiment, paper: bool
) -> Options:
    preset = options.preset or next(iter(experiment.presets))
    _one_of(f"preset of {experiment.id}", preset, experiment.presets)
    out = options.out
    return Options(
        preset=preset,
        dataset=options.dataset,
        seeds=options.seeds,
        backend=_backend(options.backend),
        out=out / experiment.id if paper and out is not None else out,
        trainings=out / "trainings" if paper and out is not None else None,
    )


def _backend(asked: str | None) -> str:
    if asked is not None:
        return _one_of("backend", asked, BACKENDS)
    named = os.environ.get("MINIGRAD_BACKEND") or "numpy"
    return _one_of("backend in MINIGRAD_BACKEND", named, BACKENDS)


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

"""Regenerating the result tables of models/<paper>/README.md from results/*.json."""

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import models
from models.experiments.errors import RunError
from models.experiments.experiment import Experiment
from models.experiments.results import RunFolder, read_json, write_json, write_text
from models.experiments.summary import as_json, decisions_of, expected_numbers
from models.experiments.tables import Table, as_markdown
from models.experiments.verdicts import Verdict

ROOT = Path(models.__file__).parent


def committed(experiment: Experiment, root: Path = ROOT) -> list[Path]:
    """Results files of an experiment, models/<paper>/results/<id>.*.json."""
    return sorted(
        (root / experiment.folder / "results").glob(f"{experiment.id}.*.json")
    )


def add(experiments: Sequence[Experiment], source: Path, root: Path = ROOT) -> Path:
    """Copy the summary and the figure of a finished run to where report finds them."""
    folder = RunFolder(source)
    if not folder.summary.exists():
        raise RunError(
            f"{source} holds no summary.json, expected the folder of a finished run; "
            "run the experiment to its end first"
        )
    summary = read_json(folder.summary)
    known = {one.id: one for one in experiments}.get(summary.get("id", ""))
    if known is None:
        raise RunError(
            f"{folder.summary} is of an unknown experiment, expected one of "
            f"{', '.join(one.id for one in experiments)}"
        )
    # By the tests of today, which may be others than those of the run.
    summary["claims"] = [as_json(one) for one in decisions_of(known, summary)]
    name = f"{summary['id']}.{summary['preset']}-{summary['dataset']}.json"
    target = root / known.folder / "results" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    write_json(target, summary)
    if folder.figure.exists():
        shutil.copyfile(folder.figure, target.with_suffix(".png"))
    return target


def regenerate(experiments: Sequence[Experiment], root: Path = ROOT) -> list[Path]:
    """Rewrite the generated sections of every paper's README; return their paths.

    Raises RunError if a README lacks the markers of an experiment.
    """
    paths: list[Path] = []
    for family in dict.fromkeys(one.family for one in experiments):
        own = [one for one in experiments if one.family == family]
        path = root / own[0].folder / "README.md"
        text = path.read_text(encoding="utf-8")
        text = _replace(text, path, f"claims of {family}", overview(own, root))
        for experiment in own:
            text = _replace(
                text, path, f"results of {experiment.id}", section(experiment, root)
            )
        write_text(path, text)
        paths.append(path)
    return paths


def _replace(text: str, path: Path, what: str, section: str) -> str:
    begin, end = f"<!-- {what} -->\n", f"<!-- end of {what} -->"
    head, found_begin, rest = text.partition(begin)
    _, found_end, tail = rest.partition(end)
    if not (found_begin and found_end):
        raise RunError(
            f"{path} lacks the lines `{begin.strip()}` and `{end}`, between which the "
            "tables belong; add them"
        )
    return f"{head}{begin}\n{section}\n\n{end}{tail}"


def overview(experiments: Sequence[Experiment], root: Path = ROOT) -> str:
    """One table of all claims of a paper that were put to a test."""
    rows = [
        row
        for experiment in experiments
        for path in committed(experiment, root)
        for row in _claims(experiment, read_json(path))
    ]
    counts = Counter(row[4] for row in rows)
    found = ", ".join(f"{counts[str(v)]} {v}" for v in Verdict if counts[str(v)])
    where = "command, processor minutes"
    header = ("", "claim", "published", "measured", "verdict", "n", where)
    return as_markdown(Table(found or "No results yet", header, tuple(rows)))


def _claims(
    experiment: Experiment, summary: Mapping[str, Any]
) -> list[tuple[str, ...]]:
    minutes = summary["training_seconds"] / 60
    decisions = decisions_of(experiment, summary)
    first = f"[{experiment.id.partition('.')[2]}](#{experiment.id.replace('.', '')})"
    return [
        (
            "" if index else first,
            decision.claim.name,
            decision.claim.published,
            decision.numbers,
            str(decision.verdict),
            str(decision.seeds),
            "" if index else f"`{_command(summary)}`{_files(summary)}, {minutes:.1f}",
        )
        for index, decision in enumerate(decisions)
    ]


def _command(summary: Mapping[str, Any]) -> str:
    return (
        f"python -m models run {summary['id']} --preset {summary['preset']} "
        f"--dataset {summary['dataset']} --seeds {summary['seeds']}"
    )


def _files(summary: Mapping[str, Any]) -> str:
    """A remark on the files that were trained on, where there is one to make."""
    arms = [arm for record in summary["records"] for arm in record["arms"].values()]
    official = all(arm.get("official_files", True) for arm in arms)
    return "" if official else ", on a copy of the published files"


def section(experiment: Experiment, root: Path = ROOT) -> str:
    """The generated part of a README about one experiment."""
    parts = [_one(experiment, path) for path in committed(experiment, root)]
    if not parts:
        return (
            f"No results yet: `python -m models run {experiment.id} --preset small`, "
            "then `python -m models report --add FOLDER`."
        )
    return "\n\n".join(parts)


def _one(experiment: Experiment, path: Path) -> str:
    summary = read_json(path)
    with expected_numbers(experiment):
        tables = experiment.tables(summary["records"])
    parts = [_caption(summary), *(as_markdown(table) for table in tables)]
    if path.with_suffix(".png").exists():
        parts.append(f"![{path.stem}](results/{path.stem}.png)")
    return "\n\n".join(parts)


def _caption(summary: Mapping[str, Any]) -> str:
    hardware, versions = summary["hardware"], summary["versions"]
    minutes = summary["training_seconds"] / 60
    return (
        f"### preset {summary['preset']}, {summary['dataset']}, "
        f"{summary['seeds']} seeds{_files(summary)}\n\n"
        f"{minutes:.1f} minutes of processor time for training and measuring on "
        f"{hardware['processor']}, {summary['backend']}, Python {versions['python']}, "
        f"NumPy {versions['numpy']}; configuration {summary['config_hash']}; "
        f"`{_command(summary)}`"
    )

"""Where results are kept: bench/results/<suite>.json, one entry a run.

{"suite": ..., "unit": "ms" or "MB", "runs": [{"facts": {...}, "cases": {name: {engine:
{"median": ..., "quartiles": [low, high], "ratio": ours to it}}}}]}. A case stands once:
measuring it again moves it to the newer run.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench.engines import RIVALS
from bench.harness import Result, Setting

FOLDER = Path(__file__).parent / "results"
UNITS = {
    "step": "ms",
    "memory": "MB",
    "tape": "ms",
    "freezing": "ms",
    "inspect": "ms",
    "kernels": "ms",
}
"""The suites, in the order of the README, and what they measure in."""


def facts(setting: Setting, results: Sequence[Result]) -> dict[str, Any]:
    """Say on what, when and how results were measured."""
    engines = {name.split()[0] for result in results for name in result.engines}
    packages = ["numpy", "scipy", *sorted(engines - {"minigrad"})]
    return {
        "processor": processor(),
        "cores": cores(),
        "threads": setting.threads,
        "rounds": setting.rounds,
        "dtype": "float32",
        "python": platform.python_version(),
        "versions": {name: _version(name, setting) for name in packages},
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _commit(),
    }


def headline(known: dict[str, Any]) -> str:
    """Write facts as one line."""
    versions = ", ".join(f"{name} {value}" for name, value in known["versions"].items())
    return (
        f"{known['processor']}, {known['cores']} cores, {known['threads']} threads; "
        f"Python {known['python']}, {versions}; {known['rounds']} rounds, "
        f"{known['date']}, commit {known['commit']}"
    )


def processor() -> str:
    """Name the processor as the operating system does."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    return named[0] if named else platform.processor() or platform.machine()


def cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _version(package: str, setting: Setting) -> str | None:
    """Ask the interpreter that runs the package."""
    if package not in RIVALS or setting.rivals == sys.executable:
        try:
            return version(package)
        except PackageNotFoundError:
            return None
    ask = f"from importlib.metadata import version as v; print(v({package!r}))"
    command = [setting.rivals, "-c", ask]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout.strip() or None


def _commit() -> str | None:
    """Name the commit, with + if files differ from it; None outside of a clone."""
    command = ["git", "describe", "--always", "--abbrev=12", "--dirty=+"]
    try:
        done = subprocess.run(
            command, cwd=FOLDER.parent, check=True, capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def load(suite: str, folder: Path = FOLDER) -> dict[str, Any]:
    """Read what is kept of a suite; no file is a suite without runs."""
    path = folder / f"{suite}.json"
    if not path.exists():
        return {"suite": suite, "unit": UNITS[suite], "runs": []}
    return json.loads(path.read_text(encoding="utf-8"))


def save(
    suite: str,
    known: dict[str, Any],
    results: Sequence[Result],
    folder: Path = FOLDER,
) -> Path:
    """Add a run to what is kept; its cases leave the older runs."""
    cases = {
        result.case: {name: asdict(one) for name, one in result.engines.items()}
        for result in results
    }
    kept = load(suite, folder)
    for run in kept["runs"]:
        run["cases"] = {k: v for k, v in run["cases"].items() if k not in cases}
    older = [run for run in kept["runs"] if run["cases"]]
    kept["runs"] = [*older, {"facts": known, "cases": cases}]
    path = folder / f"{suite}.json"
    write(path, json.dumps(kept, indent=1) + "\n")
    return path


def write(path: Path, text: str) -> None:
    """Replace a file by text, all of it or nothing."""
    path.parent.mkdir(exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)

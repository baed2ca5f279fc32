"""The circumstances of a run: what it ran with, where, from which commit, how long."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from models.experiments.config import as_json

PACKAGES = ("minigrad", "numpy", "scipy", "safetensors", "matplotlib", "cupy")


def describe(
    experiment: str, preset: str, config: Any, config_hash: str, backend: str
) -> dict[str, Any]:
    """Describe a run that starts now."""
    return {
        "experiment": experiment,
        "preset": preset,
        "config": as_json(config),
        "config_hash": config_hash,
        "backend": backend,
        "versions": versions(),
        "hardware": hardware(),
        "commit": commit(),
        "started_time": now(),
    }


def now() -> str:
    """The time, in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that are installed."""
    found = {"python": platform.python_version()}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"] or ""
        stem = "cupy" if name.startswith("cupy-cuda") else name.lower()
        if stem in PACKAGES:
            found[stem] = distribution.version
    return found


def hardware() -> dict[str, Any]:
    """Operating system, processor and number of cores."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def commit() -> str:
    """Hash of the commit that runs, with `+changes` if files differ from it."""
    folder = Path(__file__).parent

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        head = git("rev-parse", "HEAD")
        return head + ("+changes" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"

import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]
VOLATILE = ("time", "second", "date", "commit")


@pytest.fixture(scope="session")
def start():
    """Start `python -m models ARGS` from the repository root, ready for Ctrl-C."""

    def start(*args, **options):
        # In the background, say, this process ignores SIGINT; so would its children.
        # What it handles itself is reset in them.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return subprocess.Popen(
                [sys.executable, "-m", "models", *map(str, args)],
                cwd=ROOT,
                text=True,
                **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options,
            )
        finally:
            signal.signal(signal.SIGINT, before)

    return start


@pytest.fixture(scope="session")
def tiny_run(start, tmp_path_factory):
    """The default run of gaaf.table4, once for all tests; read only."""
    folder = tmp_path_factory.mktemp("tiny") / "run"
    process = start("run", "gaaf.table4", "--json", "--out", folder)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return SimpleNamespace(folder=folder, out=out, err=err)


@pytest.fixture(scope="session")
def stable():
    """Drop what may differ between equal runs."""

    def stable(value):
        if isinstance(value, dict):
            return {
                key: stable(part)
                for key, part in value.items()
                if not any(word in key for word in VOLATILE)
            }
        return [stable(part) for part in value] if isinstance(value, list) else value

    return stable

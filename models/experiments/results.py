"""Files of a run: where they lie, and writing them whole or not at all."""

import json
import os
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.experiments.config import differences
from models.experiments.errors import RunError
from models.experiments.lock import held


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let write fill a temporary file beside path, then give it that name.

    A reader sees the old file or the new one; after an error, the old one.
    """
    # In the same folder, because os.replace is atomic only within a file system.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write text to path, whole or not at all."""
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write content to path as indented JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; raises RunError if the file holds none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise damaged(path, str(error)) from None
    if not isinstance(content, dict):
        raise damaged(path, "no JSON object")
    return content


def damaged(path: Path, reason: str) -> RunError:
    """Word that a file is not what a run has written."""
    return RunError(
        f"{path} is damaged ({reason}); delete this one file and run the same command, "
        "which makes it again"
    )


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run: a manifest, a file per seed, a figure.

    Attributes:
        path: the folder.
        shared: folder of the checkpoints, which other runs may use, too; None: they lie
            in the folder of the run.
    """

    path: Path
    shared: Path | None = None

    @property
    def trainings(self) -> Path:
        """Folder of the checkpoints."""
        return self.shared or self.path / "checkpoints"

    @property
    def manifest(self) -> Path:
        """Configuration and circumstances."""
        return self.path / "manifest.json"

    @property
    def summary(self) -> Path:
        """Claims, verdicts and every seed's numbers, without the histories."""
        return self.path / "summary.json"

    @property
    def figure(self) -> Path:
        """Published and measured points."""
        return self.path / "figure.png"

    @property
    def flow(self) -> Path:
        """Gradient-flow table of a trained network."""
        return self.path / "gradient-flow.txt"

    @property
    def flow_page(self) -> Path:
        """The same in full, as a page."""
        return self.path / "gradient-flow.html"

    def seed(self, seed: int) -> Path:
        """All results of a seed."""
        return self.path / f"seed-{seed}.json"

    def checkpoint(self, arm: str, seed: int) -> Path:
        """Training state of one network, from which it goes on."""
        return self.trainings / f"{arm}-{seed}.safetensors"

    @contextmanager
    def locked(self) -> Generator[None]:
        """Make both folders, and keep other runs out of them during the block.

        Raises RunError if another run is in it, OSError if it cannot be written.
        """
        folders = (self.path, self.trainings)
        with ExitStack() as locks:
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
                locks.enter_context(held(folder / ".lock"))
            for folder in folders:
                # What a killed process left half-written.
                for path in folder.glob(".*.tmp"):
                    path.unlink(missing_ok=True)
            yield

    def open(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """File the manifest, or go on with one of the same configuration.

        Returns the manifest as it is on disk. Raises RunError if the folder belongs to
        another configuration, OSError if it cannot be written.
        """
        if self.manifest.exists():
            known = read_json(self.manifest)
            self._expect_same(known, manifest)
            return known
        write_json(self.manifest, manifest)
        return dict(manifest)

    def _expect_same(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        if old.get("config_hash") == new["config_hash"]:
            return
        names = ("experiment", "backend")
        changed = differences(
            {name: old.get(name) for name in names} | old.get("config", {}),
            {name: new[name] for name in names} | new["config"],
        )
        raise RunError(
            f"{self.path} holds a run of another configuration "
            f"({', '.join(changed) or 'hash differs'}); choose another folder with "
            "--out, or delete it"
        )

    def records(self, seeds: int, config_hash: str) -> dict[int, dict[str, Any]]:
        """Read the results of those seeds that are finished.

        Raises RunError if a file is damaged or is not of that seed and configuration.
        """
        found: dict[int, dict[str, Any]] = {}
        for seed in range(seeds):
            path = self.seed(seed)
            if path.exists():
                found[seed] = record = read_json(path)
                if (record.get("seed"), record.get("config_hash")) != (
                    seed,
                    config_hash,
                ):
                    raise damaged(path, f"not of seed {seed}, {config_hash}")
        return found

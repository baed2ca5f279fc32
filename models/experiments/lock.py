"""One run at a time in a folder: a lock that dies with the process that holds it."""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from models.experiments.errors import RunError

if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[str]) -> None:
        # Far behind the text: there, bytes that are locked cannot be read.
        file.seek(1 << 20)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        finally:
            file.seek(0)

else:
    import fcntl

    def _lock(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def held(path: Path) -> Generator[None]:
    """Hold the lock that the file at path stands for, and let it name this process.

    The file stays: to delete it would take the lock from who has just opened it. Raises
    RunError if another process holds the lock, OSError if the file cannot be made.
    """
    with path.open("a+", encoding="utf-8") as file:
        file.seek(0)
        try:
            _lock(file)
        except (BlockingIOError, PermissionError):
            raise RunError(
                f"another run works in {path.parent} (process {file.read() or '?'}); "
                "wait for it or choose another folder with --out"
            ) from None
        except OSError:
            pass  # A file system without locks, as some networks have: go without.
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield

"""Writing a file in one piece."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from minigrad.errors import ArgumentError, FileFormatError, got

PathLike = str | os.PathLike[str]


def expect_path(who: str, path: object) -> Path:
    """Return path; raise ArgumentError for what is none."""
    if not isinstance(path, str | os.PathLike):
        raise ArgumentError(got(who, "path", repr(path), "a string or a Path"))
    return Path(path)


def write_whole(who: str, path: PathLike, data: bytes) -> None:
    """Write beside path, then rename: whoever looks sees the old file or the new.

    Raises ArgumentError for what is no path, FileFormatError if it cannot be written.
    """
    place = Path(os.path.realpath(expect_path(who, path)))
    temporary = place.with_name(f".{place.name}.{uuid.uuid4().hex}.tmp")
    try:
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, place)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise FileFormatError(
            f"{who}: {os.fspath(path)} cannot be written ({error.strerror}), expected "
            "a folder that exists, has room and may be written to; what was there "
            "before stays"
        ) from error

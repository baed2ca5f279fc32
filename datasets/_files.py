"""Files written as a whole or not at all, and what folders hold."""

import os
import uuid
from pathlib import Path

from datasets._errors import DataError


def write_whole(who: str, path: Path, content: bytes) -> None:
    """Write a file; a reader sees the old one or the new one, never a part.

    Raises DataError if that fails; then the old file stays.
    """
    # In the same folder, because os.replace is atomic only within a file system; of a
    # name that no other thread has.
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        try:
            temporary.write_bytes(content)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            f"{who}: {path} cannot be written ({error.strerror or error}), expected a "
            "folder that exists, may be written to and has room"
        ) from error


def names_in(who: str, place: Path) -> list[str]:
    """Names in a folder, in no order; raises DataError if it cannot be read."""
    try:
        return os.listdir(place)
    except OSError as error:
        raise DataError(
            f"{who}: {place} cannot be read ({error.strerror}), expected a folder; "
            "see to its permissions"
        ) from error

"""Unpacking a published archive: only files that were asked for, or nothing at all."""

import gzip
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from datasets._errors import DataError

_DAMAGE = (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError)


def unpack(
    archive: Path, folder: Path, names: re.Pattern[str], *, count: int, max_bytes: int
) -> None:
    """Unpack the files FOLDER/NAME of a tar.gz whose NAMEs match into a new folder.

    Only regular files are written, `count` of them, none above max_bytes, and none
    outside the folder, as `names` must match the whole NAME and no "..". The folder
    appears when all of it is there. Raises DataError if the archive is damaged or holds
    anything else of such a name, if there are not `count` files, or if the folder is
    there or cannot be written.
    """
    if folder.exists():
        raise DataError(
            f"datasets: {folder} is there, but not whole, and nothing is unpacked over "
            "it; move it away first"
        )
    try:
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unpack-") as place:
            new = Path(place) / folder.name
            files = _files(archive, folder.name, names, max_bytes)
            written = _write(files, new, count)
            if written != count:
                found = f"{written} of" if written < count else "more than"
                raise _OtherContentError(f"it holds {found} {count} files")
            shutil.move(new, folder)
    except (_OtherContentError, *_DAMAGE) as error:
        raise DataError(
            f"datasets: {archive} is no intact copy of the published archive "
            f"({error}); delete it and get it again"
        ) from error
    except OSError as error:
        raise DataError(
            f"datasets: {archive} cannot be unpacked to {folder} ({error}), expected a "
            "readable archive and a folder to write to"
        ) from error


class _OtherContentError(Exception):
    """An archive that can be read, but is not the published one."""


def _files(
    archive: Path, folder: str, names: re.Pattern[str], max_bytes: int
) -> Iterator[tuple[str, bytes]]:
    """Names within the folder of an archive, and contents, of the files that match."""
    with gzip.open(archive) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            name = member.name.removeprefix(f"{folder}/")
            if name == member.name or not names.fullmatch(name):
                continue
            file = tar.extractfile(member) if member.isfile() else None
            if file is None or member.size > max_bytes:
                kind = f"of {member.size} bytes" if file else "no regular file"
                raise _OtherContentError(f"{member.name} is {kind}")
            yield name, file.read()
        # To the end, where gzip compares its checksum: tarfile stops before.
        while stream.read(1 << 20):
            pass


def _write(files: Iterator[tuple[str, bytes]], folder: Path, count: int) -> int:
    """Write at most `count` files, and say how many were there, at most one more."""
    number = 0
    for number, (name, content) in enumerate(files, 1):
        if number > count:
            break
        path = folder / PurePosixPath(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("xb") as file:
                file.write(content)
        except FileExistsError as error:
            raise _OtherContentError(f"{name} is there twice") from error
    return number

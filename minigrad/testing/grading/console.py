"""What the two command lines here share: one sentence for whatever fails."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

from minigrad.errors import ArgumentError, FileFormatError, MinigradError


class UsageError(Exception):
    """The command line asks for something that cannot be: exit status 2."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence, raised."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError instead of printing the usage."""
        raise UsageError(f"{message}; see `{self.prog} -h`")


def whole_number(least: int) -> Callable[[str], int]:
    """Return a type for argparse: an int that is at least least."""

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            rule = f"expected a whole number, at least {least}"
            raise argparse.ArgumentTypeError(f"{text!r}, {rule}")
        return int(text)

    return number


def fail(sentence: str, status: int) -> int:
    """Say on stderr what failed, and return the exit status."""
    print(sentence, file=sys.stderr)
    return status


def run(command: Callable[[], int]) -> int:
    """Run command, which prints its answer, and return the exit status.

    A reader of standard output that has gone, `| head` say, has what it wanted: status
    1 without a word.
    """
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison]
        return fail("standard output cannot be written (it is closed)", 1)
    try:
        status = command()
        # Here, not at exit, so that its errors are met inside the try.
        sys.stdout.flush()
    except (UsageError, FileFormatError, ArgumentError) as error:
        return fail(str(error), 2)
    except MinigradError as error:
        return fail(str(error), 1)
    except KeyboardInterrupt:
        return fail("interrupted", 130)
    except OSError as error:
        # Errors of files are sentences by now: this one is standard output's. What is
        # left in its buffer would fail again when the interpreter exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return 1
        return fail(f"standard output cannot be written ({error.strerror})", 1)
    return status


def write_new(files: Mapping[str, str], *, force: bool) -> None:
    """Write all files or none, each whole or not at all; an existing one if force.

    Raises UsageError with the reason.
    """
    paths = {name: Path(name).resolve() for name in files}
    if len(set(paths.values())) < len(paths):
        raise UsageError(f"{' and '.join(files)} are one file, expected two")
    for name, path in paths.items():
        if path.exists() and not path.is_file():
            raise UsageError(f"{name}: is no file that could be replaced")
        if path.exists() and not force:
            raise UsageError(f"{name}: exists, and is kept; --force replaces it")
    drafts: list[Path] = []
    try:
        for name, text in files.items():
            drafts.append(_draft(name, paths[name], text))
        for draft, path in zip(drafts, paths.values(), strict=True):
            os.replace(draft, path)
    except BaseException:
        for draft in drafts:
            draft.unlink(missing_ok=True)
        raise


def _draft(name: str, path: Path, text: str) -> Path:
    """Write text beside path under another name, which is returned."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with draft.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except BaseException as error:
        if not isinstance(error, FileExistsError):
            draft.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise UsageError(f"{name}: cannot be written ({error.strerror})") from error
        raise
    return draft

"""What the command lines of this repository share: a sentence for whatever fails."""

import argparse
import os
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any, NoReturn


class UsageError(Exception):
    """The command line asks for something that does not exist: exit status 2."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence, raised; commands lie in `command`."""

    def parse(
        self,
        argv: Sequence[str] | None,
        **defaults: Any,
    ) -> argparse.Namespace:
        """Do as parse_args, but for an unknown argument point to its command's help."""
        options = argparse.Namespace(**defaults)
        _, unknown = self.parse_known_args(argv, options)
        if unknown:
            prog = " ".join(filter(None, (self.prog, options.command)))
            raise UsageError(
                f"unrecognized arguments: {' '.join(unknown)}; see `{prog} -h`"
            )
        return options

    def error(self, message: str) -> NoReturn:
        """Raise UsageError instead of printing the usage."""
        raise UsageError(f"{message}; see `{self.prog} -h`")


def fail(sentence: str, status: int) -> int:
    """Say on stderr what failed, and return the exit status."""
    print(sentence, file=sys.stderr)
    return status


def run(command: Callable[[], int]) -> int:
    """Run a command that prints its answers, and return its exit status.

    Standard output that is closed or full is one sentence on stderr and status 1. A
    reader that has gone, `| head` say, has what it wanted: status 1 without a word.
    """
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison]
        return fail("standard output cannot be written (it is closed)", 1)
    stdout: Any = _Output(sys.stdout)
    try:
        with redirect_stdout(stdout):
            try:
                return command()
            finally:
                # Here, not at exit, so that its errors are met inside the try.
                stdout.flush()
    except _OutputError as error:
        # What is left in the buffer would fail again when the interpreter exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error.reason, BrokenPipeError):
            return 1
        return fail(f"standard output cannot be written ({error.reason.strerror})", 1)


class _OutputError(Exception):
    """An OSError of standard output, told apart from those of files."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class _Output:
    """A stream whose OSErrors are _OutputErrors."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with _told_apart():
            return self._stream.write(text)

    def flush(self) -> None:
        with _told_apart():
            self._stream.flush()


@contextmanager
def _told_apart() -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise _OutputError(error) from error

"""Runs a kernel file, and says where in it something went wrong."""

from __future__ import annotations

import inspect
import linecache
import sys
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from minigrad.errors import FileFormatError
from minigrad.kernels import KERNELS, Kernel

MODULE: Final = "_kernel_file"
"""What the file is called while it runs, so that `if __name__ == "__main__"` is off."""


@contextmanager
def loaded(path: str) -> Generator[ModuleType]:
    """Run the Python file at path; what lies beside it can be imported meanwhile.

    Raises FileFormatError if there is no such file, or it is not Python, or fails.
    """
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        why = error.strerror or error
        raise FileFormatError(
            f"{path}: cannot be read ({why}), expected a kernel file"
        ) from error
    folder = str(Path(path).resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield run(text, path)
    finally:
        sys.path.remove(folder)


def run(text: str | bytes, path: str) -> ModuleType:
    """Run the text of a kernel file as a module; raises FileFormatError."""
    module = ModuleType(MODULE)
    module.__file__ = path
    # Where dataclasses and NumPy look a module up by its name.
    sys.modules[MODULE] = module
    try:
        exec(compile(text, path, "exec", dont_inherit=True), module.__dict__)
    except SyntaxError as error:
        line = f":{error.lineno}" if error.lineno else ""
        raise FileFormatError(
            f"{path}{line}: {error.msg}, expected a Python file"
        ) from error
    except (Exception, SystemExit) as error:
        where = place(error, path) or path
        raise FileFormatError(
            f"{where}: raises {describe(error)}, expected a file that can be imported"
        ) from error
    finally:
        del sys.modules[MODULE]
    return module


def kernels_of(module: ModuleType) -> list[Kernel]:
    """Return the kernels of a module, in order; those of minigrad if it has no other.

    Names that begin with an underscore are left out.
    """
    found = [
        value
        for name, value in vars(module).items()
        if isinstance(value, Kernel) and not name.startswith("_")
    ]
    found = list(dict.fromkeys(found))
    return [kernel for kernel in found if kernel not in KERNELS] or found


def describe(error: BaseException) -> str:
    """Name an exception and what it says, on one line."""
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def place(error: BaseException, path: str) -> str:
    """Return the last line of the file at path on the way to error, as file:line."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == path
    ]
    return f"{path}:{lines[-1]}" if lines else ""


def code_at(where: str) -> str:
    """Return the text of a line file:line, or nothing."""
    path, _, line = where.rpartition(":")
    return linecache.getline(path, int(line)).strip() if line.isdigit() else ""


def defined_at(function: Callable[..., Any] | None, path: str) -> str:
    """Return where in the file at path function begins; the file if not in it."""
    code = getattr(inspect.unwrap(function), "__code__", None) if function else None
    if code is None or code.co_filename != path:
        return path
    return f"{path}:{code.co_firstlineno}"

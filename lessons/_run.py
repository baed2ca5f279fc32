"""Running a lesson: its cells in order in one fresh namespace, and what they show."""

import ast
import codeop
import html
import io
import linecache
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from lessons import _figures
from lessons._cells import Cell, LessonError, Source, read


class Done(NamedTuple):
    """A cell that has run, and its outputs as HTML in the order of a notebook."""

    cell: Cell
    outputs: tuple[str, ...] = ()


class Lesson(NamedTuple):
    """A lesson that has run: what it was read as, its cells, and the names it left."""

    source: Source
    cells: tuple[Done, ...]
    namespace: dict[str, Any]


def execute(path: Path) -> Lesson:
    """Run the lesson in a file.

    Raises LessonError with one sentence if it cannot be read or a cell fails.
    """
    source = read(path)
    module = ModuleType(f"lessons.{source.name}", source.title)
    module.__file__ = str(path)
    names = vars(module)
    compiler: Any = codeop.Compile()  # Remembers imports from __future__.
    done: list[Done] = []
    with _surroundings(module):
        for cell in source.cells:
            outputs: tuple[str, ...] = ()
            if cell.kind == "code":
                with _one_sentence(source):
                    prefix = f"cell{len(done)}"
                    outputs = tuple(_outputs(source, cell, compiler, names, prefix))
            done.append(Done(cell, outputs))
    return Lesson(source, tuple(done), names)


@contextmanager
def _surroundings(module: ModuleType) -> Generator[None]:
    """Let module be the one of its name, and undo what cells set for all."""
    before = sys.modules.get(module.__name__)
    sys.modules[module.__name__] = module
    try:
        with _figures.drawing(module.__name__), np.printoptions(), np.errstate():
            yield
    finally:
        del sys.modules[module.__name__]
        if before is not None:
            sys.modules[module.__name__] = before


def _outputs(
    source: Source,
    cell: Cell,
    compiler: Any,
    names: dict[str, Any],
    prefix: str,
) -> list[str]:
    """Run a cell; return what it printed, its last expression and its figures."""
    file = str(source.path)
    # Blank lines in front, so that tracebacks name lines of the file.
    body = ast.parse("\n" * (cell.line - 1) + cell.text, file).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    value = None
    with redirect_stdout(io.StringIO()) as printed:
        exec(compiler(ast.Module(body, []), file, "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compiler(ast.Expression(last.value), file, "eval"), names)
    figures = _figures.take()
    if isinstance(value, Figure) and value not in figures:
        figures.append(value)
    texts = [_preformatted(printed.getvalue()), _shown(value)]
    drawn = [
        _figures.to_svg(figure, f"{prefix}-{at}") for at, figure in enumerate(figures)
    ]
    return [text for text in texts if text] + drawn


def _shown(value: Any) -> str:
    """Return the value of a last expression as HTML, as a notebook would show it."""
    if value is None or _figures.is_drawn(value):
        return ""
    for method in ("_repr_html_", "_repr_svg_"):
        found = getattr(value, method, None)
        # A class has the method, too, but nothing to call it on.
        if found is not None and not isinstance(value, type):
            return f'<div class="value" tabindex="0">{found()}</div>'
    return _preformatted(repr(value))


def _preformatted(text: str) -> str:
    text = text.rstrip()
    return f'<pre class="output" tabindex="0">{html.escape(text)}</pre>' if text else ""


@contextmanager
def _one_sentence(source: Source) -> Generator[None]:
    """Turn whatever a cell raises into a LessonError that names its line."""
    try:
        yield
    except SyntaxError as error:
        sentence = _sentence(source, error.lineno or 1, "SyntaxError", error.msg)
        raise LessonError(sentence) from error
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [at.lineno for at in frames if at.filename == str(source.path)]
        line = next(filter(None, reversed(lines)), 1)
        said = str(error) or linecache.getline(str(source.path), line).strip()
        raise LessonError(
            _sentence(source, line, type(error).__name__, said)
        ) from error


def _sentence(source: Source, line: int, error: str, said: str) -> str:
    first = said.strip().partition("\n")[0]
    return f"{source.name}, line {line}: {error}: {first}"

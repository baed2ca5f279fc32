"""Lessons as cells: what the percent format says.

A line `# %% [markdown]` opens a cell of text, in which each line is a comment, and
`# %%` one of code; what stands behind the marker is a title for editors. Lines above
the first marker are code.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple


class LessonError(Exception):
    """A lesson cannot be read, or a cell of it failed: exit status 1."""


class Cell(NamedTuple):
    """A cell: kind "markdown" or "code", its text, and the text's first line, from 1.

    Markdown comes without the signs of comments. No cell is blank, or starts or ends
    with blank lines.
    """

    kind: str
    text: str
    line: int


class Source(NamedTuple):
    """A lesson that is read: its name, file and cells, title and first paragraph."""

    name: str
    path: Path
    cells: tuple[Cell, ...]
    title: str
    summary: str


_MARKER: Final = re.compile(r"# %%(?:\s+[^\[]*?)?(?:\[(?P<kind>\w*)\].*)?$")


def read(path: Path) -> Source:
    """Read a lesson; raises LessonError if it has no title, OSError if it is not there.

    The first cell is text, its first line the title, as `# # Title`.
    """
    name = path.stem
    cells = tuple(parse(name, path.read_text(encoding="utf-8")))
    first = cells[0] if cells else Cell("code", "", 1)
    if first.kind != "markdown" or not first.text.startswith("# "):
        raise LessonError(
            f"{name}, line {first.line}: the lesson has no title, expected a first "
            "cell `# %% [markdown]` that starts with `# # Title`"
        )
    title, _, rest = first.text.partition("\n")
    summary = rest.strip().partition("\n\n")[0]
    return Source(name, path, cells, title[2:].strip(), summary.replace("\n", " "))


def parse(name: str, text: str) -> Iterator[Cell]:
    """Yield the cells of a lesson's text; raises LessonError naming the line."""
    kind, start, lines = "code", 1, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        marker = _MARKER.match(line)
        if not marker:
            lines.append(line)
            continue
        yield from _cell(name, kind, start, lines)
        kind, start, lines = marker["kind"] or "code", number + 1, []
        if kind not in ("code", "markdown"):
            raise LessonError(
                f"{name}, line {number}: a cell of kind [{kind}], expected [markdown], "
                "or nothing for code"
            )
    yield from _cell(name, kind, start, lines)


def _cell(name: str, kind: str, start: int, lines: list[str]) -> Iterator[Cell]:
    """Yield the cell of these lines, unless it is blank."""
    if kind == "markdown":
        lines = [_uncommented(name, line, start + at) for at, line in enumerate(lines)]
    full = [at for at, line in enumerate(lines) if line.strip()]
    if full:
        text = "\n".join(lines[full[0] : full[-1] + 1])
        yield Cell(kind, text, start + full[0])


def _uncommented(name: str, line: str, number: int) -> str:
    if line.strip() and not line.startswith("#"):
        raise LessonError(
            f"{name}, line {number}: {line.strip()!r} stands in a cell of text, "
            "expected a comment; open a cell of code with `# %%` above it"
        )
    return line[1:].removeprefix(" ").rstrip()

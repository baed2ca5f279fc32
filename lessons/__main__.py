"""The command line: `python -m lessons`, see -h."""

import argparse
import importlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasets import console
from lessons import LESSONS
from lessons._cells import LessonError, Source, read

FOLDER = Path(__file__).parent

_EPILOG = """\
Exit status: 0 done, 1 a lesson failed or a file cannot be written, 2 wrong usage,
130 interrupted.

examples:
  python -m lessons                               what there is
  python -m lessons build                         every page, and index.html
  python -m lessons build batch_norm --out pages  one page, into the folder pages
  python -m lessons.batch_norm                    run one as a script
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; errors are one line on stderr."""
    return console.run(lambda: _answer(argv))


def _answer(argv: Sequence[str] | None) -> int:
    try:
        options = _parser().parse(argv)
        if options.command == "build":
            _build(options.names or LESSONS, options.out)
        else:
            _list()
    except console.UsageError as error:
        return console.fail(str(error), 2)
    except LessonError as error:
        return console.fail(str(error), 1)
    except OSError as error:
        return console.fail(f"{error.filename}: cannot be used ({error.strerror})", 1)
    except KeyboardInterrupt:
        return console.fail("interrupted; pages that were done are kept", 130)
    return 0


def _parser() -> console.Parser:
    parser = console.Parser(
        prog="python -m lessons",
        description="List the lessons, or build their pages. Without a command: list.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("list", help="name every lesson and its title")
    build = commands.add_parser(
        "build",
        help="run lessons and write a page of each, and an index",
        description="Run lessons; write a page of each, and an index of all pages.",
    )
    build.add_argument(
        "names",
        metavar="NAME",
        nargs="*",
        type=_known,
        help=f"of {', '.join(LESSONS)}; default: all",
    )
    build.add_argument(
        "--out",
        type=Path,
        default=FOLDER / "html",
        metavar="FOLDER",
        help="where pages go (default: lessons/html)",
    )
    return parser


def _known(name: str) -> str:
    if name not in LESSONS:
        raise argparse.ArgumentTypeError(
            f"no lesson is called {name}, expected one of {', '.join(LESSONS)}"
        )
    return name


def _source(name: str) -> Source:
    return read(FOLDER / f"{name}.py")


def _list() -> None:
    width = max(map(len, LESSONS))
    for name in LESSONS:
        print(f"{name:<{width}}  {_source(name).title}")


def _build(names: Sequence[str], out: Path) -> None:
    """Write the pages of names, and an index of those that are in the folder then."""
    run, pages = _libraries()
    from models.experiments.results import write_text

    _make(out)
    there = {name for name in LESSONS if (out / f"{name}.html").is_file()}
    linked = [name for name in LESSONS if name in {*there, *names}]
    for name in dict.fromkeys(names):
        start = time.perf_counter()
        lesson = run.execute(FOLDER / f"{name}.py")
        path = out / f"{name}.html"
        write_text(path, pages.page(lesson, *_neighbours(name, linked)))
        print(f"{path}: {time.perf_counter() - start:.1f} s", flush=True)
    built = [name for name in LESSONS if (out / f"{name}.html").is_file()]
    write_text(out / "index.html", pages.index([_source(name) for name in built]))
    print(f"{out / 'index.html'}: {len(built)} of {len(LESSONS)} lessons")


def _neighbours(name: str, of: Sequence[str]) -> tuple[Source | None, Source | None]:
    """Return the lessons before and after a name."""
    at = of.index(name)
    before = _source(of[at - 1]) if at else None
    return before, _source(of[at + 1]) if at + 1 < len(of) else None


def _make(out: Path) -> None:
    """Make the folder of pages; raises LessonError if that cannot be."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        exists = isinstance(error, FileExistsError | NotADirectoryError)
        why = "a file is in the way" if exists else error.strerror
        raise LessonError(
            f"--out {out}: cannot be made ({why}), expected a folder, or a name for one"
        ) from error


def _libraries() -> tuple[Any, Any]:
    """Import what runs lessons and what makes pages, here for the sake of `list`."""
    try:
        run = importlib.import_module("lessons._run")
        pages = importlib.import_module("lessons._page")
    except ModuleNotFoundError as error:
        raise LessonError(
            f"lessons: building pages needs {error.name}, which is not installed; "
            '`pip install -e ".[lessons]"`'
        ) from error
    return run, pages


if __name__ == "__main__":
    sys.exit(main())

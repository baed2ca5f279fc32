"""The command line: `python -m minigrad.testing.mutants`, see -h."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from minigrad.errors import FileFormatError
from minigrad.testing.grading import console
from minigrad.testing.puzzles import puzzle as game
from minigrad.testing.puzzles.bugs import KINDS

_EPILOG = """\
A puzzle holds one bug in a backward rule. Students mend the file and have it checked:
`python -m minigrad.testing check puzzle.py`. Kernel and seed name the bug, and stand in
the puzzle's first line: so `answer puzzle.py` knows it, also when the file has been
changed since. Nothing else in the puzzle tells, but whoever runs that command is told.
Exit status: 0 done, 2 wrong usage, 130 interrupted.

examples:
  python -m minigrad.testing.mutants list
  python -m minigrad.testing.mutants make softmax --seed 3 --out puzzle.py
  python -m minigrad.testing.mutants answer puzzle.py
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; errors are one line on stderr."""
    return console.run(lambda: _answer(_parser().parse_args(argv)))


def _parser() -> console.Parser:
    parser = console.Parser(
        prog="python -m minigrad.testing.mutants",
        description="Make kernel files with a hidden bug, for students to find.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    known = commands.add_parser(
        "list",
        help="say which kernels puzzles are made of, and the kinds of bugs",
        description="Say how many places for a bug each kernel has, and which kinds of "
        "bugs there are. With KERNEL: try each one, and count those that are bugs.",
    )
    known.add_argument("kernel", metavar="KERNEL", nargs="?", help="count exactly")
    make = commands.add_parser(
        "make",
        help="make a puzzle",
        description="Make a kernel file with one bug; the same for the same seed.",
    )
    make.add_argument("kernel", metavar="KERNEL", help="one of those that list names")
    make.add_argument(
        "--seed",
        type=console.whole_number(0),
        default=0,
        help="which bug; 0, 1, ... are different ones; default 0",
    )
    make.add_argument("--out", metavar="FILE", help="where to; default: printed")
    make.add_argument("--answer", metavar="FILE", help="write the answer there, too")
    make.add_argument("--force", action="store_true", help="replace files that exist")
    answer = commands.add_parser(
        "answer",
        help="tell the bug of a puzzle",
        description="Tell which bug a puzzle was made with, from its first line.",
    )
    answer.add_argument("file", metavar="FILE", help="a puzzle, changed or not")
    return parser


def _answer(options: argparse.Namespace) -> int:
    if options.command == "list":
        _list(options.kernel)
    elif options.command == "make":
        _make(options)
    else:
        _tell(options.file)
    return 0


def _list(kernel: str | None) -> None:
    if kernel is not None:
        game.expect_known(kernel)
        counts = Counter(bug.kind for bug in game.bugs_of(kernel))
        print(
            f"{kernel}: {counts.total()} bugs, by the seeds 0 to {counts.total() - 1}"
        )
    else:
        counts = Counter[str]()
        for name in game.RECIPES:
            places = game.places(name)
            counts += places
            print(f"{name:26}  up to {places.total():3} bugs")
    print()
    for kind, (said, _) in KINDS.items():
        if counts[kind]:
            print(f"{kind:17}  {counts[kind]:4}  {said}")


def _make(options: argparse.Namespace) -> None:
    made = game.puzzle(options.kernel, options.seed)
    files: dict[str, str] = {}
    if options.answer is not None:
        files[options.answer] = game.answer(made)
    if options.out is not None:
        files[options.out] = made.text
    if options.out is not None and options.out == options.answer:
        raise console.UsageError("--out and --answer are one file, expected two")
    console.write_new(files, force=options.force)
    if options.out is None:
        print(made.text, end="")
    else:
        print(f"{options.out}: written, {made.kernel} with one bug, seed {made.seed}")


def _tell(path: str) -> None:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not a text file"
        raise FileFormatError(f"{path}: cannot be read ({why})") from error
    made = game.puzzle(*game.named_in(path, text))
    print(game.answer(made), end="")
    if text == made.right:
        print(f"{path}: has been mended")
    elif text != made.text:
        print(f"{path}: has been changed, or made by another version of minigrad")


if __name__ == "__main__":
    sys.exit(main())

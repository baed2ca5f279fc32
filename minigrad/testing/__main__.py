"""The command line: `python -m minigrad.testing`, see -h."""

from __future__ import annotations

import argparse
import keyword
import sys
from collections.abc import Sequence
from types import ModuleType

from minigrad.errors import FileFormatError, got
from minigrad.kernels import Kernel
from minigrad.testing.grading import console
from minigrad.testing.grading.marks import mark
from minigrad.testing.grading.obligations import LAWS
from minigrad.testing.grading.recipe import Recipe, recipe_of
from minigrad.testing.grading.student import kernels_of, loaded
from minigrad.testing.grading.template import COMMENTED, MINIMAL
from minigrad.testing.puzzles.puzzle import EXAMPLES

_EPILOG = """\
Exit status: 0 every law holds, 1 a law is broken, 2 wrong usage or no kernel file,
130 interrupted.

examples:
  python -m minigrad.testing new my_kernel --out my_kernel.py
  python -m minigrad.testing check my_kernel.py
  python -m minigrad.testing.mutants make softmax --out puzzle.py    find the bug
"""

_CHECK = """\
Check the backward rules of your own kernels. FILE is run, as by `python FILE`: check
only files that you would run. Each Kernel in it is held to these laws:

{laws}

FILE may say how inputs are drawn: INPUTS = {{"x": normal("N", "D")}}, with the domains
of minigrad.testing (normal, positive, away_from_zero, between, integers, booleans) and
a letter for each length; PARAMS = {{"axis": 0}} for keyword arguments of forward;
SIZES = {{"N": (2, 4)}} for the lengths of a letter, 1 to 4 if not said.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; errors are one line on stderr."""
    return console.run(lambda: _answer(_parser().parse_args(argv)))


def _parser() -> console.Parser:
    parser = console.Parser(
        prog="python -m minigrad.testing",
        description="Check a kernel file of your own, or begin one.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    laws = [f"  {law:8}  {how.of_input}" for law, how in LAWS.items()]
    check = commands.add_parser(
        "check",
        help="hold the kernels of a file to every law; runs the file",
        description=_CHECK.format(laws="\n".join(laws)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.add_argument("file", metavar="FILE", help="a Python file with a Kernel in it")
    check.add_argument("--kernel", metavar="NAME", help="only the kernel of this name")
    check.add_argument(
        "--seed",
        type=console.whole_number(0),
        default=0,
        help="what inputs are drawn from; default 0",
    )
    check.add_argument(
        "--examples",
        metavar="K",
        type=console.whole_number(1),
        default=EXAMPLES,
        help=f"how many cases are drawn; default {EXAMPLES}",
    )
    new = commands.add_parser(
        "new",
        help="write a kernel file to begin with",
        description="Write a kernel file that passes, with comments, to be changed.",
    )
    new.add_argument("name", metavar="NAME", help="what the kernel is called")
    new.add_argument("--out", metavar="FILE", help="where to; default: printed")
    new.add_argument("--force", action="store_true", help="replace FILE if it exists")
    return parser


def _answer(options: argparse.Namespace) -> int:
    if options.command == "new":
        return _new(options)
    return _check(options)


def _new(options: argparse.Namespace) -> int:
    if not options.name.isidentifier() or keyword.iskeyword(options.name):
        rule = (
            "a word of letters, digits and _ that is no keyword of Python, "
            "such as my_kernel"
        )
        raise console.UsageError(got("new", "NAME", repr(options.name), rule))
    text = COMMENTED.format(name=options.name)
    if options.out is None:
        print(text, end="")
        return 0
    console.write_new({options.out: text}, force=options.force)
    print(f"{options.out}: written; python -m minigrad.testing check {options.out}")
    return 0


def _check(options: argparse.Namespace) -> int:
    path = options.file
    with loaded(path) as module:
        chosen = _chosen(kernels_of(module), options.kernel, path, module)
        recipes = [recipe_of(kernel, path, vars(module)) for kernel in chosen]
        if options.kernel is None:
            _expect_known(path, module, recipes)
        well = True
        for at, (kernel, recipe) in enumerate(zip(chosen, recipes, strict=True)):
            print("\n" * bool(at), end="")
            passed = mark(kernel, recipe, path, options.seed, options.examples)
            well = well and passed
    return 0 if well else 1


def _chosen(
    kernels: list[Kernel], name: str | None, path: str, module: ModuleType
) -> list[Kernel]:
    """Return the kernels to check; raises FileFormatError if there is none."""
    if not kernels:
        raise FileFormatError(
            f"{path}: has no Kernel, expected one in a variable of the file such as "
            f"KERNEL; the shortest file that passes is\n\n{MINIMAL}"
        )
    if name is None:
        return kernels
    found = [k for k in kernels if name == k.name or vars(module).get(name) is k]
    if not found:
        rule = f"one of {', '.join(kernel.name for kernel in kernels)}"
        raise FileFormatError(got(path, "--kernel", repr(name), rule))
    return found


def _expect_known(path: str, module: ModuleType, recipes: list[Recipe]) -> None:
    """Raise FileFormatError for a name in INPUTS that is no kernel's input."""
    known = {name for recipe in recipes for name in recipe.inputs}
    for name in getattr(module, "INPUTS", {}):
        if name not in known:
            rule = f"names of inputs: {', '.join(sorted(known))}"
            raise FileFormatError(got(path, "INPUTS names", repr(name), rule))


if __name__ == "__main__":
    sys.exit(main())

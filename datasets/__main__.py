"""The command line: `python -m datasets`, see -h."""

import argparse
import sys
from collections.abc import Sequence

from datasets import _registry, console
from datasets._errors import DataError
from datasets._records import Dataset
from datasets._sequences import SpeechDataset, TextDataset

_EPILOG = """\
Files are looked for in DIR, else in $MINIGRAD_DATA, else in ~/.cache/minigrad.
Exit status: 0 done, 1 data missing or damaged or not to be had, 2 wrong usage,
130 interrupted.

examples:
  python -m datasets                              what there is, and where
  python -m datasets download mnist               fetch the files that are missing
  python -m datasets check mnist --root /data     read the files, verify checksums
  python -m datasets check imdb                   where there are none: names, numbers
"""

# What is checked of sets whose publishers give no checksums.
_CHECKED = {
    "imdb": "names and numbers",
    "fsdd": "names, number and format",
    "vctk": "names and format",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; errors are one line on stderr."""
    return console.run(lambda: _answer(argv))


def _answer(argv: Sequence[str] | None) -> int:
    try:
        _run(_parser().parse(argv, root=None))
    except console.UsageError as error:
        return console.fail(str(error), 2)
    except (DataError, OSError) as error:
        return console.fail(str(error), 1)
    except KeyboardInterrupt:
        return console.fail("interrupted", 130)
    return 0


def _run(options: argparse.Namespace) -> None:
    if options.command is None:
        _list(options.root)
    else:
        _load(options.name, options.root, download=options.command == "download")


def _parser() -> console.Parser:
    root = console.Parser(add_help=False)
    # SUPPRESS: else the default of a command would overwrite a --root before it.
    root.add_argument(
        "--root",
        metavar="DIR",
        default=argparse.SUPPRESS,
        help="folder that holds the data sets",
    )
    parser = console.Parser(
        prog="python -m datasets",
        description="List, download and check the data sets. Without a command: list.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[root],
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    helps = {
        "download": "fetch the missing files from their mirrors, then check",
        "check": "read every file that it needs, verify what can be; no network",
    }
    for command, text in helps.items():
        sub = commands.add_parser(
            command, help=text, description=text.capitalize() + ".", parents=[root]
        )
        sub.add_argument("name", metavar="NAME", type=_known, help=_names())
    return parser


def _names() -> str:
    return f"one of {', '.join(_registry.ALL)}"


def _known(name: str) -> str:
    try:
        _registry.loader(name)
    except DataError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return name


def _list(root: str | None) -> None:
    for name in _registry.ALL:
        loader = _registry.loader(name)
        num_missing = len(loader.missing(root))
        state = f"{num_missing} missing" if num_missing else "present"
        print(f"{name:<13}  {state:<9}  {loader.folder(root)}")


def _load(name: str, root: str | None, *, download: bool) -> None:
    data = _registry.loader(name).load(root, download=download)
    checked = _CHECKED.get(name, "checksums")
    print(f"{name}: {_described(data)}, {checked} hold")


def _described(data: _registry.AnyDataset) -> str:
    """How much there is, and of what."""
    counts = f"{len(data.train)} train and {len(data.test)} test"
    match data:
        case Dataset():
            shape = "x".join(map(str, data.train.images.shape[1:]))
            return f"{counts} images of {shape}, {data.num_classes} classes"
        case TextDataset():
            return f"{counts} texts, {data.num_classes} classes"
        case SpeechDataset():
            splits = (data.train, data.test)
            samples = sum(len(clip) for split in splits for clip in split.clips)
            return f"{counts} clips, {samples / data.rate / 60:.1f} minutes"


if __name__ == "__main__":
    sys.exit(main())

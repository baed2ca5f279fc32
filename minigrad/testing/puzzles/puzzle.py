"""The planted-bug game: kernel files with one hidden bug, and the answer to each.

A puzzle is the text of a kernel cut out of its module, changed in one place of a
backward rule. It is handed out only if it runs and the grader rejects it, and if the
grader accepts the unchanged file. Kernel and seed name a puzzle: the same file, byte
for byte, wherever this version of minigrad makes it.
"""

from __future__ import annotations

import ast
import difflib
import functools
import itertools
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from minigrad.errors import ArgumentError, FileFormatError, MinigradError, got
from minigrad.kernels import KERNELS
from minigrad.testing.cases import (
    Input,
    away_from_zero,
    between,
    booleans,
    integers,
    normal,
    positive,
)
from minigrad.testing.grading.grade import Fault, first_fault
from minigrad.testing.grading.recipe import Recipe, cases
from minigrad.testing.grading.student import kernels_of, run
from minigrad.testing.puzzles.bugs import KINDS, SourceBug, source_bugs
from minigrad.testing.puzzles.source import Cut, cut, import_line

EXAMPLES: Final = 6
"""Cases that a kernel file is checked at unless it is said otherwise."""

HEADER: Final = """\
# Puzzle: {name}, seed {seed}.
# There is one bug in the backward rules of this file; forward and what the docstrings
# say are right. Find it, mend it, and have the file checked:
#
#     python -m minigrad.testing check FILE
"""

FOOTER: Final = """

# What the check draws the inputs from.
"""

_HEADED: Final = re.compile(r"# Puzzle: (\w+), seed (\d+)\.")


class Puzzle(NamedTuple):
    """A kernel file with a bug.

    Attributes:
        kernel: the kernel's name.
        seed: which of its bugs, counted from 0; beyond the last from the first again.
        text: the file.
        right: the file without the bug.
        kind: a key of KINDS.
    """

    kernel: str
    seed: int
    text: str
    right: str
    kind: str


def _recipe(
    params: Mapping[str, Any] | None = None,
    sizes: Mapping[str, tuple[int, int]] | None = None,
    /,
    **inputs: Input,
) -> Recipe:
    return Recipe(inputs, dict(params or {}), dict(sizes or {}))


_X: Final = _recipe(x=normal("N", "D"))
_POSITIVE: Final = _recipe(x=positive("N", "D"))
_PAIR: Final = _recipe(a=normal("N", "D"), b=normal("D"))
_BOTH: Final = _recipe(a=normal("N", "D"), b=normal("N", "D"))
_LOSS: Final = _recipe(x=normal("N", "D"), t=normal("N", "D"))
_LABELS: Final = _recipe(x=normal("N", "K"), t=integers("N", high="K"))
_NORM: Final = {"x": normal("N", "C", "S"), "w": normal("C"), "b": normal("C")}


def _recurrent(gates: int, *states: str) -> Recipe:
    rows = 2 * gates
    return _recipe(
        x=normal("T", "N", "I"),
        **dict.fromkeys(states, normal("N", 2)),
        w_ih=normal(rows, "I"),
        w_hh=normal(rows, 2),
        b_ih=normal(rows),
        b_hh=normal(rows),
    )


RECIPES: Final[dict[str, Recipe]] = {
    "abs": _X,
    "batch_norm_eval": _recipe(**_NORM, mean=normal("C"), var=positive("C")),
    "batch_norm_train": _recipe(None, {"N": (2, 4)}, **_NORM),
    "bce_with_logits": _recipe(
        x=normal("N", "D"), t=between("N", "D", low=0.1, high=0.9)
    ),
    "cos": _X,
    "cosine_similarity": _BOTH,
    "div": _recipe(a=normal("N", "D"), b=away_from_zero("D")),
    "dropout": _recipe({"keep_prob": 0.5}, x=normal("N", "D"), mask=booleans("N", "D")),
    "elu": _X,
    "embedding": _recipe(x=integers("N", high="V"), w=normal("V", "D")),
    "exp": _X,
    "feasible_target": _X,
    "gaaf": _X,
    "gelu": _X,
    "gelu_tanh": _X,
    "group_norm": _recipe(
        {"num_groups": 2}, x=normal("N", 4, "S"), w=normal(4), b=normal(4)
    ),
    "gru": _recurrent(3, "h0"),
    "hardtanh": _X,
    "huber_loss": _LOSS,
    "kl_div": _recipe(x=normal("N", "D"), t=positive("N", "D")),
    "l2_normalize": _X,
    "layer_norm": _recipe(x=normal("N", "D"), w=normal("D"), b=normal("D")),
    "leaky_relu": _X,
    # Square weights: of others a lost transpose does not even run.
    "linear": _recipe(x=normal("N", "K"), w=normal("K", "K"), b=normal("K")),
    "local_response_norm": _recipe(
        {"size": 3, "alpha": 0.5, "beta": 0.6, "k": 2.0}, x=normal("N", "C", "S")
    ),
    "log": _POSITIVE,
    "log1p": _POSITIVE,
    "log_softmax": _X,
    "logsumexp": _recipe({"axis": 1}, x=normal("N", "D")),
    "lstm": _recurrent(4, "h0", "c0"),
    "matmul": _recipe(a=normal("N", "K"), b=normal("K", "K")),
    "max": _recipe({"axis": 1}, x=normal("N", "D")),
    "maximum": _PAIR,
    "mean": _recipe({"axis": 1}, x=normal("N", "D")),
    "minimum": _PAIR,
    "mse_loss": _LOSS,
    "mul": _PAIR,
    "nll_loss": _recipe(x=normal("N", "K"), t=integers("N", high="K"), w=positive("K")),
    "power": _recipe(a=positive("N", "D"), b=normal("D")),
    "prod": _recipe({"axis": 1}, x=normal("N", "D")),
    "quantize": _X,
    "reciprocal": _recipe(x=away_from_zero("N", "D")),
    "relu": _X,
    "rnn": _recurrent(1, "h0"),
    "sigmoid": _X,
    "sign": _X,
    "silu": _X,
    "sin": _X,
    "softmax": _X,
    "softmax_cross_entropy": _LABELS,
    "softmax_cross_entropy_soft": _recipe(x=normal("N", "K"), t=positive("N", "K")),
    "softplus": _X,
    "sqrt": _POSITIVE,
    "square": _X,
    "sub": _PAIR,
    "tanh": _X,
}
"""The kernels that puzzles are made of, and what each is checked on."""


def puzzle(kernel: str, seed: int = 0) -> Puzzle:
    """Make the puzzle of a kernel with this seed; raises ArgumentError for no such."""
    expect_known(kernel)
    if seed < 0:
        raise ArgumentError(got("puzzle", "seed", seed, "at least 0"))
    whole = _whole(kernel)
    if not _passes(kernel, _file(kernel, 0, whole.text)):
        raise MinigradError(f"puzzle: {kernel} itself does not pass, expected it to")
    bug = next(itertools.islice(_verified(kernel), seed, None), None)
    if bug is None:
        found = bugs_of(kernel)
        bug = found[seed % len(found)]
    right, text = whole.text, bug.planted(whole.text)
    files = _file(kernel, seed, text), _file(kernel, seed, right)
    return Puzzle(kernel, seed, *files, bug.kind)


def expect_known(kernel: str) -> None:
    """Raise ArgumentError unless puzzles can be made of kernel."""
    if kernel not in RECIPES:
        near = difflib.get_close_matches(kernel, RECIPES, 1)
        rule = f"{near[0]!r}, perhaps" if near else f"one of {', '.join(RECIPES)}"
        raise ArgumentError(got("puzzle", "kernel", repr(kernel), rule))


def places(kernel: str) -> Counter[str]:
    """Count the places for bugs by kind; what is changed there may be no bug."""
    return Counter(bug.kind for bug in _candidates(kernel))


@functools.cache
def bugs_of(kernel: str) -> tuple[SourceBug, ...]:
    """Return all bugs of a kernel in the order of the seeds; takes seconds."""
    return tuple(_verified(kernel))


@functools.cache
def _whole(kernel: str) -> Cut:
    (found,) = [k for k in KERNELS if k.name == kernel]
    return cut(found)


def _verified(kernel: str) -> Iterator[SourceBug]:
    """Yield the bugs that run and are rejected."""
    text = _whole(kernel).text
    for bug in _candidates(kernel):
        if _rejected(kernel, _file(kernel, 0, bug.planted(text))):
            yield bug


@functools.cache
def _candidates(kernel: str) -> tuple[SourceBug, ...]:
    """Return what may be a bug, one kind after the other, in an order that is fixed."""
    rng = random.Random(kernel)
    kinds = list(source_bugs(_whole(kernel)).values())
    rng.shuffle(kinds)
    for bugs in kinds:
        rng.shuffle(bugs)
    rows = itertools.zip_longest(*kinds)
    return tuple(bug for row in rows for bug in row if bug is not None)


def _file(kernel: str, seed: int, text: str) -> str:
    """Write the file: what it is, the kernel, and what it is checked on."""
    recipe = RECIPES[kernel]
    domains = sorted({how.domain for how in recipe.inputs.values()})
    line = import_line("minigrad.testing", domains)
    # Where isort wants it.
    text = text.replace("\nfrom minigrad.typing", f"\n{line}\nfrom minigrad.typing", 1)
    head = HEADER.format(name=kernel, seed=seed)
    return head + text + FOOTER + "\n".join(recipe.lines()) + "\n"


def _fault(kernel: str, text: str) -> Fault | None:
    """Run the file and return what the grader has against it."""
    (found,) = kernels_of(run(text, "<puzzle>"))
    return first_fault(found, cases(RECIPES[kernel], 0, EXAMPLES), "<puzzle>")


@functools.cache
def _passes(kernel: str, text: str) -> bool:
    return _fault(kernel, text) is None


@functools.cache
def _rejected(kernel: str, text: str) -> bool:
    """Tell whether the file runs, and is found to be wrong."""
    try:
        fault = _fault(kernel, text)
    except FileFormatError:
        return False
    return fault is not None and not fault.raised


def named_in(path: str, text: str) -> tuple[str, int]:
    """Read kernel and seed off a puzzle; raises FileFormatError if it is none."""
    found = _HEADED.match(text)
    if not found:
        raise FileFormatError(
            f"{path}: is no puzzle, expected a first line such as "
            "`# Puzzle: tanh, seed 0.`"
        )
    return found[1], int(found[2])


def answer(made: Puzzle) -> str:
    """Word the answer: what kind of bug, in which rule and line, and what was there."""
    right, text = made.right.splitlines(), made.text.splitlines()
    lines = [f"{made.kernel}, seed {made.seed}: {KINDS[made.kind].said} ({made.kind})"]
    matcher = difflib.SequenceMatcher(None, right, text, autojunk=False)
    for what, low, high, start, stop in matcher.get_opcodes():
        if what != "equal":
            lines.append(f"line {start + 1}, in {_around(made.right, low + 1)}:")
            lines += [f"  right:  {line.strip()}" for line in right[low:high]]
            found = text[start:stop] or ["(left out)"]
            lines += [f"  puzzle: {line.strip()}" for line in found]
    return "\n".join(lines) + "\n"


def _around(text: str, line: int) -> str:
    """Name the definition that a line of text belongs to."""
    for node in ast.parse(text).body:
        if node.lineno <= line <= (node.end_lineno or 0):
            if isinstance(node, ast.FunctionDef):
                return node.name
            if isinstance(node, ast.Assign):
                return ast.unparse(node.targets[0])
    return "the file"

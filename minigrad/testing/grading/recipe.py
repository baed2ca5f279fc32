"""What a kernel file says about its inputs, and the cases drawn from it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy

from minigrad.errors import FileFormatError, got
from minigrad.kernels import Kernel
from minigrad.testing.cases import Case, Input, _drawn, normal
from minigrad.testing.strategies import _resolve, _spec
from minigrad.typing import Shape

GUESS: Final = normal("N", "D")
"""How an input is drawn of which nothing is said."""

SIZES: Final = (1, 4)
"""Smallest and largest length of a letter of which nothing is said."""

LEADS: Final[tuple[Shape, ...]] = ((), (2,), (3, 2))
"""What "..." stands for in the first three cases."""


class Recipe(NamedTuple):
    """How the inputs of one kernel are drawn.

    Attributes:
        inputs: name -> domain and axes, in the order of forward's arrays.
        params: keyword arguments of forward.
        sizes: letter -> (smallest, largest) length, where not SIZES.
        guessed: the inputs of which the file says nothing.
    """

    inputs: Mapping[str, Input]
    params: Mapping[str, Any]
    sizes: Mapping[str, tuple[int, int]]
    guessed: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Write the lines that state it in a kernel file."""
        drawn = ", ".join(f'"{name}": {how!r}' for name, how in self.inputs.items())
        lines = [f"INPUTS = {{{drawn}}}".replace("'", '"')]
        if self.params:
            lines.append(f"PARAMS = {self.params!r}".replace("'", '"'))
        if self.sizes:
            lines.append(f"SIZES = {self.sizes!r}".replace("'", '"'))
        return lines


def recipe_of(kernel: Kernel, file: str, stated: Mapping[str, Any]) -> Recipe:
    """Read INPUTS, PARAMS and SIZES among the names that a file states.

    Raises FileFormatError for what is none, and where the kernel's terms and forward
    name other inputs; inputs that INPUTS lacks are guessed.
    """
    inputs = _mapping(file, "INPUTS", stated, '{"x": normal("N", "D")}')
    _expect_agreement(kernel, file, inputs)
    params = _mapping(file, "PARAMS", stated, '{"axis": 0}')
    sizes = _mapping(file, "SIZES", stated, '{"N": (2, 4)}')
    names = kernel.inputs(2)
    if kernel.variadic and inputs:
        names = kernel.inputs(len(inputs))
    drawn = {name: _input(file, name, inputs.get(name, GUESS)) for name in names}
    guessed = tuple(name for name in names if name not in inputs)
    limits = {letter: _limits(file, letter, pair) for letter, pair in sizes.items()}
    return Recipe(drawn, params, limits, guessed)


def _expect_agreement(kernel: Kernel, file: str, inputs: Mapping[str, Any]) -> None:
    """Raise if INPUTS shows that terms means other inputs than forward, or an order."""
    try:
        parameters = inspect.signature(kernel.forward).parameters.values()
    except ValueError:  # A function in C may have none.
        return
    arrays = [
        one.name
        for one in parameters
        if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
        and one.default is one.empty
    ]
    keys = list(kernel.terms)
    lost = [name for name in inputs if name in arrays and name not in keys]
    if lost or (sorted(keys) == sorted(arrays) and keys != arrays):
        rule = f"the arrays of forward, in its order: {', '.join(arrays)}"
        remedy = "None for the rule of an array that has no gradient"
        what = f"the terms of {kernel.name} are for"
        raise FileFormatError(got(file, what, ", ".join(keys), rule, remedy))


def _mapping(
    file: str, what: str, stated: Mapping[str, Any], example: str
) -> dict[str, Any]:
    value = stated.get(what, {})
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise FileFormatError(got(file, what, repr(value), f"a dict such as {example}"))
    return value


def _input(file: str, name: str, spec: Any) -> Input:
    if not isinstance(spec, tuple):
        rule = 'a domain with its axes, such as normal("N", "D")'
        raise FileFormatError(got(file, f"INPUTS[{name!r}]", repr(spec), rule))
    found = _spec(spec)
    for at, axis in enumerate(found.axes):
        length = isinstance(axis, int) and axis >= 0
        if not (length or (isinstance(axis, str) and (axis != "..." or not at))):
            rule = 'letters and lengths, and "..." in front only'
            raise FileFormatError(got(file, f"axes of {name}", found.axes, rule))
    return found


def _limits(file: str, letter: str, pair: Any) -> tuple[int, int]:
    match pair:
        case int(low), int(high) if 1 <= low <= high:
            return low, high
        case int(length) if length >= 1:
            return length, length
        case _:
            rule = "(smallest, largest) length, such as (2, 4)"
            raise FileFormatError(got(file, f"SIZES[{letter!r}]", repr(pair), rule))


def cases(recipe: Recipe, seed: int, count: int) -> list[Case]:
    """Draw count cases, the smallest first: letters of 1, of 2, all different, random.

    Of fewer than three cases the larger ones are left: a length of 1 hides most bugs.
    """
    plans = _plans(recipe, seed)
    drawn = [next(plans) for _ in range(max(count, 3))][-count:]
    found: list[Case] = []
    for at, (lengths, lead) in enumerate(drawn):
        inputs = {
            name: _resolve(how, lead if "..." in how.axes else (), lengths)
            for name, how in recipe.inputs.items()
        }
        arrays = _drawn(seed + at, inputs)
        found.append(Case(arrays, recipe.params, seed + at, inputs))
    return found


def _plans(recipe: Recipe, seed: int) -> Iterator[tuple[dict[str, int], Shape]]:
    """Yield the length of every letter, and what "..." stands for."""
    words = [word for how in recipe.inputs.values() for word in (*how.axes, how.high)]
    letters = dict.fromkeys(w for w in words if isinstance(w, str) and w != "...")
    limits = {letter: recipe.sizes.get(letter, SIZES) for letter in letters}
    yield {letter: low for letter, (low, _) in limits.items()}, LEADS[0]
    yield {letter: _within(2, limits[letter]) for letter in letters}, LEADS[1]
    several = {letter: 2 + at % 3 for at, letter in enumerate(letters)}
    yield {a: _within(length, limits[a]) for a, length in several.items()}, LEADS[2]
    rng = numpy.random.default_rng((seed, 4))
    while True:
        lead = tuple(map(int, rng.integers(1, 4, rng.integers(0, 3))))
        drawn = {
            a: int(rng.integers(low, high + 1)) for a, (low, high) in limits.items()
        }
        yield drawn, lead


def _within(length: int, limits: tuple[int, int]) -> int:
    low, high = limits
    return min(max(length, low), high)

"""What modules return, collected by name."""

from __future__ import annotations

import difflib
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from minigrad.backend import is_array
from minigrad.errors import ArgumentError, got
from minigrad.inspect.record.selection import Globs, fits, globs
from minigrad.tape import Node, Tensor, modes
from minigrad.typing import Array

Outputs = dict[str, list[Any]]
"""Path of a module -> what its calls gave, in order."""


class _Collector:
    """Traces the calls of modules and copies what the chosen ones give."""

    def __init__(self, paths: dict[int, str]) -> None:
        """Collect for the modules of these ids, under their paths."""
        self.seen: Outputs = {path: [] for path in paths.values()}
        self._paths = paths

    def ran(
        self,
        kernel: Any,
        inputs: tuple[Any, ...],
        arrays: list[Array],
        y: Any,
        node: Node | None,
    ) -> None:
        """Calls of kernels are of no concern."""

    def returned(self, module: Any, y: Any) -> None:
        """Copy what module gave, if it is chosen."""
        path = self._paths.get(id(module))
        if path is not None:
            self.seen[path].append(_copied(y))


def _copied(y: Any) -> Any:
    """Return y with copies of its arrays in the place of tensors, at any depth.

    Copies, because a module may return a parameter, which the optimizer writes to.
    """
    if isinstance(y, Tensor):
        return _copied(y.data)
    if is_array(y):
        return y.copy(order="K")
    if isinstance(y, dict):
        return {key: _copied(part) for key, part in y.items()}
    if isinstance(y, tuple) and hasattr(y, "_fields"):
        return type(y)(*map(_copied, y))
    if isinstance(y, tuple | list):
        return type(y)(map(_copied, y))
    return y


def chosen(who: str, model: Any, patterns: Globs) -> dict[int, str]:
    """Return id -> path of the modules that fit patterns; all of them for None.

    Raises ArgumentError, in the name of who, for what is no Module, and for a pattern
    that no path fits.
    """
    if not hasattr(model, "named_modules"):
        kind = f"a {type(model).__name__}"
        raise ArgumentError(got(who, "model is", kind, "a Module"))
    paths = {id(module): path for path, module in model.named_modules()}
    known = [path for path in paths.values() if path]
    wanted = globs(who, "patterns", patterns)
    for pattern in wanted or ():
        if not any(fits((pattern,), path) for path in paths.values()):
            close = difflib.get_close_matches(pattern, known, 3, 0.3) or known[:3]
            rule = f"one for a module of the model, as {' or '.join(map(repr, close))}"
            raise ArgumentError(got(who, "pattern", repr(pattern), rule))
    return {key: path for key, path in paths.items() if fits(wanted, path)}


@contextmanager
def outputs(model: Any, *patterns: str) -> Generator[Outputs]:
    """Collect what the modules of model return inside the block, by name.

    The block's value maps the path of each chosen module, as in model.named_modules(),
    to a list with an entry for each of its calls, in order: the array, or what the
    module returned with arrays in the place of tensors. Arrays are copies, on the
    backend of the tensor. It works under no_grad() and in evaluation, too.

    Args:
        model: a Module.
        *patterns: shell patterns for paths, such as "layer*"; without any all modules
            are chosen, the model itself under the name "". A module that is in several
            places goes by the first.

    Raises ArgumentError for a pattern that no path fits.

    >>> from minigrad import inspect, nn, tensor
    >>> model = nn.Sequential(nn.ReLU(), nn.Flatten())
    >>> with inspect.outputs(model, "0") as seen:
    ...     y = model(tensor([[-1.0, 2.0]]))
    >>> seen
    {'0': [array([[0., 2.]], dtype=float32)]}
    """
    collector = _Collector(chosen("outputs", model, patterns or None))
    with modes.traced(collector):
        yield collector.seen

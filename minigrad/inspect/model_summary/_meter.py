"""Measures a forward pass module by module, and leaves the model as it was."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from typing import Any, Final

from numpy.random import Generator as Drawer

from minigrad.backend import is_array
from minigrad.errors import ArgumentError
from minigrad.inspect.model_summary.costs import Cost, cost
from minigrad.random import Streams, default_streams
from minigrad.tape import Node, Tensor, modes
from minigrad.typing import Array, Shape

STRANGERS: Final = "(not in the tree)"
"""Stands for modules that a list or dict hides from the model."""


class Tally:
    """What the kernel calls made in one module itself came to."""

    def __init__(self) -> None:
        """Start from nothing."""
        self.calls = 0
        self.shapes: tuple[Shape, ...] = ()
        self.multiply_adds = self.other = 0
        self.output_bytes = self.saved_bytes = 0


class Meter:
    """Traces a forward pass; `tallies` are by path, "" for the model itself."""

    def __init__(self, model: Any) -> None:
        """Know the modules of model by their paths."""
        self._paths = {id(module): path for path, module in model.named_modules()}
        self._own = {id(one) for one in (*model.parameters(), *model.buffers())}
        self.tallies: dict[str, Tally] = {
            path: Tally() for path in self._paths.values()
        }
        self.forget()

    def forget(self) -> None:
        """Let go of the arrays; they are held so that no other takes an id."""
        self._known: dict[int, Array] = {}
        self._saved: dict[int, Array] = {}

    def _at(self, module: Any) -> Tally:
        path = self._paths.get(id(module), STRANGERS)
        return self.tallies.setdefault(path, Tally())

    def ran(
        self,
        kernel: Any,
        inputs: tuple[Any, ...],
        arrays: list[Array],
        y: Any,
        node: Node | None,
    ) -> None:
        """Count the operations of a call, and the memory of what it made and keeps."""
        tally = self._at(modes.scope.get())
        found = cost(kernel, arrays, y)
        tally.multiply_adds += found.multiply_adds
        tally.other += found.other
        for value, array in zip(inputs, arrays, strict=True):
            owner = _owner(array)
            self._known[id(owner)] = owner
            if id(value) in self._own:
                # It is there anyway, and not by this pass.
                self._saved[id(owner)] = owner
        for part in y if isinstance(y, tuple) else (y,):
            tally.output_bytes += _new_bytes(part, self._known)
        if node is None:
            return
        for array in _arrays(node.record.saved):  # type: ignore[union-attr]
            self._at(node.scope).saved_bytes += _new_bytes(array, self._saved)

    def returned(self, module: Any, y: Any) -> None:
        """Count the call of a module, and note what it gave."""
        tally = self._at(module)
        tally.calls += 1
        tally.shapes = tuple(_shapes(y))

    def cost(self, path: str) -> Cost:
        """Return the operations of the module at path itself."""
        tally = self.tallies[path]
        return Cost(tally.multiply_adds, tally.other)


def _owner(array: Array) -> Array:
    """Return the array that holds the memory of a view."""
    while is_array(array.base):
        array = array.base
    return array


def _new_bytes(array: Array, known: dict[int, Array]) -> int:
    """Return the bytes of array's memory unless it is known; it is from now on."""
    owner = _owner(array)
    if id(owner) in known:
        return 0
    known[id(owner)] = owner
    return owner.nbytes


def _arrays(saved: Any) -> Iterator[Array]:
    if is_array(saved):
        yield saved
    elif isinstance(saved, tuple | list):
        for part in saved:
            yield from _arrays(part)


def _shapes(y: Any) -> Iterator[Shape]:
    if isinstance(y, Tensor):
        yield y.shape
    elif isinstance(y, dict):
        yield from _shapes(tuple(y.values()))
    elif isinstance(y, tuple | list):
        for part in y:
            yield from _shapes(part)


# -- leaving things as they were -------------------------------------------------------


@contextmanager
def alone(tracer: modes.Tracer | None = None) -> Generator[None]:
    """Show the calls inside the block to tracer and to nobody who watches around it."""
    watching = modes.observers.set(()), modes.tracers.set(())
    try:
        with modes.traced(tracer) if tracer else nullcontext():
            yield
    finally:
        modes.observers.reset(watching[0])
        modes.tracers.reset(watching[1])


@contextmanager
def untouched(model: Any) -> Generator[None]:
    """Put back what a forward pass changes: buffers, and where streams stand."""
    modules = _modules(model)
    held = {
        buffer: buffer.data
        for module in modules
        for buffer in module.buffers(recurse=False)
    }
    with ExitStack() as stack:
        for source in _sources(modules):
            stack.callback(_back(source))
        try:
            for buffer, data in held.items():
                # The run gets copies; the graph may have locked those it was given.
                buffer.data = data.copy()
            yield
        finally:
            for buffer, data in held.items():
                buffer.data = data


def _modules(model: Any) -> list[Any]:
    """List all modules of model, with those that containers hide from it."""
    found: dict[int, Any] = {}
    waiting: list[Any] = [model]
    seen: set[int] = set()
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        if hasattr(part, "named_modules") and not isinstance(part, type):
            found[id(part)] = part
            waiting += vars(part).values()
        elif isinstance(part, dict):
            waiting += part.values()
        elif isinstance(part, list | tuple | set | frozenset):
            waiting += part
        else:
            continue
        seen.add(id(part))
    return list(found.values())


def _sources(modules: Iterable[Any]) -> list[Streams | Drawer]:
    """List what modules draw from: what they hold, and the default streams."""
    found = [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, Streams | Drawer)
    ]
    # In a thread without streams: drawing from them will raise this again.
    with suppress(ArgumentError):
        found.append(default_streams())
    return list({id(source): source for source in found}.values())


def _back(source: Streams | Drawer) -> Callable[[], object]:
    """Return what sets source back to where it stands."""
    if isinstance(source, Streams):
        seed, steps = source.seed, dict(source.steps)

        def reset() -> None:
            source.seed, source.steps = seed, steps

        return reset
    bits: Any = source.bit_generator
    state = bits.state

    def restore() -> None:
        bits.state = state

    return restore

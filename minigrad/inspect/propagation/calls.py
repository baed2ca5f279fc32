"""The calls of modules during a forward pass, with what each was given and gave."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from minigrad.inspect.backward_work.recorded import tensors
from minigrad.tape import Tensor


class Call(NamedTuple):
    """One call of a module.

    Attributes:
        path, module: which one; "" is the path of the model itself.
        inputs, options: what it was called with.
        y: what it returned.
    """

    path: str
    module: Any
    inputs: tuple[Any, ...]
    options: dict[str, Any]
    y: Any

    @property
    def given(self) -> Tensor | None:
        """The first tensor that it was called with, if there is one."""
        return next(tensors((*self.inputs, *self.options.values())), None)

    @property
    def gave(self) -> Tensor | None:
        """The first tensor in what it returned, if there is one."""
        return next(tensors(self.y), None)


@contextmanager
def watched(model: Any, see: Callable[[Call], object]) -> Generator[None]:
    """Show the calls of model's modules inside the block to see, as they return.

    A tracer is not told what a module is given, so forward is replaced meanwhile: an
    attribute of the module comes before the method of its class.
    """
    with ExitStack() as stack:
        for path, module in model.named_modules():
            held, forward = "forward" in vars(module), module.forward
            module.forward = _showing(path, module, forward, see)
            if held:
                stack.callback(setattr, module, "forward", forward)
            else:
                stack.callback(delattr, module, "forward")
        yield


def _showing(
    path: str, module: Any, forward: Callable[..., Any], see: Callable[[Call], object]
) -> Callable[..., Any]:
    def show(*inputs: Any, **options: Any) -> Any:
        y = forward(*inputs, **options)
        see(Call(path, module, inputs, options, y))
        return y

    return show

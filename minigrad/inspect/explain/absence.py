"""Why a named tensor has no gradient at all: one sentence with the evidence."""

from __future__ import annotations

from minigrad.backend import array_module
from minigrad.inspect.record.history import History
from minigrad.inspect.record.names import Names
from minigrad.inspect.record.selection import Selection
from minigrad.tape import Tensor


def sentence(
    name: str, tensor: Tensor, names: Names, history: History, selection: Selection
) -> str:
    """Say why no pass of history came to tensor, called name."""
    if name in history.left_out:
        chosen = selection.described()
        return f"`{name}` was not recorded: the selection, {chosen}, leaves it out."
    return f"`{name}` has no gradient: {_reason(name, tensor, names, history)}."


def _reason(name: str, tensor: Tensor, names: Names, history: History) -> str:
    owner = _owner(tensor, names)
    if not tensor.requires_grad:
        if id(tensor) in names.parameters:
            return "it is frozen, requires_grad is False"
        if owner:
            return f"it is an inert view of `{owner}`, {tensor.origin}"
        return tensor.origin
    if not history.count:
        return "backward() did not run inside the block"
    roots = ", ".join(history.roots)
    path = f"on no path to what backward() was called on, {roots}"
    if owner:
        return (
            f"it is an inert view of `{owner}`: they share memory, but it is {path}; "
            f"ask for `{owner}`, or use the view in the loss"
        )
    if history.detached:
        return f"it is {path}, since inspect.detach cut {', '.join(history.detached)}"
    used = history.used.get(name)
    if used:
        return (
            f"it is {path}; {used} uses it, but nothing leads on from there: a "
            "detach(), no_grad() or numpy() cuts the way"
        )
    return f"it is {path}"


def _owner(tensor: Tensor, names: Names) -> str:
    """Name another tensor whose memory tensor looks into, or return ""."""
    for name, other in names.tensors.items():
        same = type(other.data) is type(tensor.data)
        if other is tensor or not same or not tensor.size:
            continue
        if array_module(tensor.data).shares_memory(tensor.data, other.data):
            return name
    return ""

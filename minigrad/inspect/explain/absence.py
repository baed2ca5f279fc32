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
    if history.is_frozen(name):
        reason = history.frozen[name].sentence()
        return f"`{name}` has no gradient: it is frozen, {reason}."
    reason = _reason(name, tensor, names, history)
    return f"`{name}` has no gradient: {reason}.{thawed(name, history)}"


def thawed(name: str, history: History) -> str:
    """Say that a parameter was frozen in some passes, "" if it never was."""
    spell = history.spell(name)
    return f" Frozen in {spell}: {history.frozen[name].reason}." if spell else ""


def _reason(name: str, tensor: Tensor, names: Names, history: History) -> str:
    owner = _owner(tensor, names)
    if not tensor.requires_grad:
        if id(tensor) in names.parameters:
            return f"it is frozen, {tensor.origin}"
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

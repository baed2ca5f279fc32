"""The tape: records kernel calls and runs them backward; knows no mathematics."""

from minigrad.tape.backward import Observer
from minigrad.tape.creation import Parameter, from_dlpack, tensor
from minigrad.tape.graph import Node
from minigrad.tape.locks import expect_writeable
from minigrad.tape.modes import enable_grad, is_grad_enabled, no_grad
from minigrad.tape.tensor import Tensor, apply

__all__ = [
    "Node",
    "Observer",
    "Parameter",
    "Tensor",
    "apply",
    "enable_grad",
    "expect_writeable",
    "from_dlpack",
    "is_grad_enabled",
    "no_grad",
    "tensor",
]

"""The engines that run the same networks: one namespace each, with PyTorch's names."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy

CHANNELS_LAST = "torch channels_last"
"""PyTorch with images as (N, H, W, C) in memory, which a user has to ask for."""

UNOBSERVED = "minigrad unobserved"
"""Ours with nobody looking, beside ours while somebody does."""

UNFROZEN = "minigrad unfrozen"
"""Ours with every gradient computed, beside ours with layers frozen."""


@dataclass(frozen=True)
class Engine:
    """What a network and its training step are written against.

    Attributes:
        nn: layers; PyTorch's or ours.
        F: functions; likewise.
        arrays: where functions of arrays are that PyTorch keeps outside F.
        sgd: the optimizer, called as sgd(parameters, lr=..., momentum=...).
        tensor: makes a tensor of an array.
        causal: makes Conv1d(in_channels, out_channels, kernel_size, dilation=...) that
            sees no later step.
        permute: called as permute(tensor, axes).
        place: gives a model, or a batch of images, the memory layout to be timed.
        between_layers: lays out an array (N, C, *S) as the output of a layer lies.
    """

    nn: Any
    F: Any
    arrays: Any
    sgd: Callable[..., Any]
    tensor: Callable[[numpy.ndarray], Any]
    causal: Callable[..., Any]
    permute: Callable[[Any, tuple[int, ...]], Any]
    place: Callable[[Any], Any]
    between_layers: Callable[[numpy.ndarray], numpy.ndarray]


def _spatial_first(x: numpy.ndarray) -> numpy.ndarray:
    """Copy x (N, C, *S) to memory (*S, N, C)."""
    memory = numpy.moveaxis(x, (0, 1), (-2, -1)).copy()
    return numpy.moveaxis(memory, (-2, -1), (0, 1))


def _channels_last(x: numpy.ndarray) -> numpy.ndarray:
    """Copy x (N, C, *S) to memory (N, *S, C)."""
    return numpy.moveaxis(numpy.moveaxis(x, 1, -1).copy(), -1, 1)


def minigrad() -> Engine:
    """Import minigrad."""
    import minigrad as mg
    from minigrad import functional, nn, optim

    def causal(*sizes: int, dilation: int) -> Any:
        layers: Any = nn
        return layers.Conv1d(*sizes, dilation=dilation, padding="causal")

    return Engine(
        nn,
        functional,
        functional,
        optim.SGD,
        tensor=mg.tensor,
        causal=causal,
        permute=functional.transpose,
        place=lambda value: value,
        between_layers=_spatial_first,
    )


def torch(memory_format: str | None = None) -> Engine:
    """Import PyTorch; memory_format "channels_last" or None, its default."""
    import torch  # pyright: ignore[reportMissingImports]

    nn, functional = torch.nn, torch.nn.functional

    class CausalConv1d(nn.Conv1d):  # pyright: ignore[reportUntypedBaseClass]
        """Pads on the left and convolves: what one does in PyTorch."""

        def forward(self, input: Any) -> Any:
            left = self.dilation[0] * (self.kernel_size[0] - 1)
            return super().forward(functional.pad(input, (left, 0)))

    def place(value: Any) -> Any:
        if memory_format is None:
            return value
        return value.to(memory_format=getattr(torch, memory_format))

    return Engine(
        nn,
        functional,
        torch,
        torch.optim.SGD,
        tensor=torch.from_numpy,
        causal=CausalConv1d,
        permute=torch.permute,
        place=place,
        between_layers=_channels_last if memory_format else numpy.ascontiguousarray,
    )


ENGINES: dict[str, Callable[[], Engine]] = {
    "minigrad": minigrad,
    "torch": torch,
    CHANNELS_LAST: lambda: torch("channels_last"),
}


RIVALS = ("jax", "autograd", "mygrad", "dezero")
"""Further engines, timed where they are installed; see bench.rivals."""


@cache
def has(engine: str, python: str = sys.executable) -> bool:
    """Tell whether the interpreter python can import an engine."""
    module = engine.split()[0]
    if python == sys.executable:
        return importlib.util.find_spec(module) is not None
    question = f"import importlib.util as u; exit(u.find_spec({module!r}) is None)"
    return subprocess.run([python, "-c", question], check=False).returncode == 0

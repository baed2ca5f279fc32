"""Single kernels, forward and backward, on sizes of a training step."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy

from bench.harness import Case, Step

Shapes = tuple[tuple[int, ...], ...]


def _arrays(shapes: Shapes) -> list[numpy.ndarray]:
    rng = numpy.random.default_rng(0)
    return [rng.random(shape, dtype=numpy.float32) + 0.5 for shape in shapes]


def _step(function: Any, inputs: list[Any], dy: Any) -> Step:
    def step() -> None:
        for value in inputs:
            value.grad = None
        y = function(*inputs)
        if dy is None:
            y.backward()
        else:
            y.backward(dy)

    return step


def _minigrad(function: str, shapes: Shapes, labels: bool) -> Step:
    import minigrad as mg
    from minigrad import functional as F

    inputs = [mg.tensor(array, requires_grad=True) for array in _arrays(shapes)]
    call = getattr(F, function)
    if function in ("sum", "softmax", "logsumexp"):
        call = partial(call, axis=-1)
    if labels:
        target = mg.tensor(numpy.arange(shapes[0][0]) % shapes[0][1])
        return _step(lambda x: call(x, target), inputs, None)
    dy = mg.tensor(_arrays((call(*inputs).shape,))[0])
    return _step(call, inputs, dy)


def _torch_gaaf(x: Any) -> Any:
    """GAAF of tanh out of PyTorch's own functions; floor passes no gradient."""
    import torch  # pyright: ignore[reportMissingImports]

    scaled = x * 1e4
    sawtooth = (scaled - torch.floor(scaled) - 0.5) / 1e4
    return torch.tanh(x) + sawtooth * torch.exp(x * x * (-1 / 3))


def _torch(function: str, shapes: Shapes, labels: bool) -> Step:
    import torch  # pyright: ignore[reportMissingImports]

    inputs = [torch.from_numpy(array).requires_grad_() for array in _arrays(shapes)]
    functional = torch.nn.functional
    found = getattr(functional, function, None)
    call: Any = found or getattr(torch, function, _torch_gaaf)
    if function in ("sum", "softmax", "logsumexp"):
        call = partial(call, dim=-1)
    if labels:
        target = torch.arange(shapes[0][0]) % shapes[0][1]
        return _step(lambda x: call(x, target), inputs, None)
    dy = torch.from_numpy(_arrays((tuple(call(*inputs).shape),))[0])
    return _step(call, inputs, dy)


def _case(function: str, *shapes: tuple[int, ...], labels: bool = False) -> Case:
    sizes = " ".join("x".join(str(length) for length in shape) for shape in shapes)
    return Case(
        f"{function} {sizes}",
        minigrad=lambda: _minigrad(function, shapes, labels),
        torch=lambda: _torch(function, shapes, labels),
        steps=20,
    )


CASES = (
    _case("add", (1024, 1024), (1024, 1024)),
    _case("mul", (1024, 1024), (1024,)),
    _case("exp", (1024, 1024)),
    _case("sum", (1024, 1024)),
    _case("logsumexp", (1024, 1024)),
    _case("matmul", (32, 128, 128), (32, 128, 128)),
    _case("linear", (128, 784), (512, 784), (512,)),
    _case("tanh", (128, 512)),
    _case("tanh", (1024, 4096)),
    _case("gaaf", (128, 512)),
    _case("relu", (1024, 4096)),
    _case("sigmoid", (1024, 4096)),
    _case("gelu", (1024, 1024)),
    _case("softplus", (1024, 1024)),
    _case("softmax", (1024, 1024)),
    _case("cross_entropy", (128, 10), labels=True),
    _case("cross_entropy", (4096, 256), labels=True),
)

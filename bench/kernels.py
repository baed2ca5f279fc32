"""Single kernels, forward and backward, on sizes of a training step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy

from bench.engines import CHANNELS_LAST, ENGINES, Engine
from bench.harness import Case, Step
from bench.networks import fill

Shape = tuple[int, ...]

RECURRENT = ("GRU", "LSTM")
"""Layers that return their state beside y."""


def _array(shape: Shape, seed: int = 0) -> numpy.ndarray:
    rng = numpy.random.default_rng(seed)
    return rng.random(shape, dtype=numpy.float32) + numpy.float32(0.5)


def _leaf(engine: Engine, array: numpy.ndarray) -> Any:
    leaf = engine.tensor(array)
    leaf.requires_grad = array.dtype.kind == "f"
    return leaf


def _pass(call: Callable[..., Any], inputs: list[Any], leaves: list[Any]) -> Any:
    """Return step(dy), which runs call forward and backward."""

    def step(dy: Any = None) -> None:
        for leaf in leaves:
            leaf.grad = None
        call(*inputs).backward(dy)

    return step


def _torch_gaaf(x: Any) -> Any:
    """GAAF of tanh out of PyTorch's own functions; floor passes no gradient."""
    import torch  # pyright: ignore[reportMissingImports]

    scaled = x * 1e4
    sawtooth = (scaled - torch.floor(scaled) - 0.5) / 1e4
    return torch.tanh(x) + sawtooth * torch.exp(x * x * (-1 / 3))


def _function(name: str, shapes: tuple[Shape, ...], labels: bool, engine: str) -> Step:
    """Set up a function of arrays; with labels it is a loss."""
    space = ENGINES[engine]()
    call: Any = getattr(space.F, name, None)
    if call is None:
        call = _torch_gaaf if name == "gaaf" else getattr(space.arrays, name)
    inputs = [_leaf(space, _array(shape)) for shape in shapes]
    if name in ("sum", "softmax", "logsumexp"):
        call = partial(_along_last, call)
    if labels:
        target = space.tensor(numpy.arange(shapes[0][0]) % shapes[0][1])
        return _pass(call, [*inputs, target], inputs)
    dy = space.tensor(_array(tuple(call(*inputs).shape), seed=1))
    return partial(_pass(call, inputs, inputs), dy)


def _along_last(call: Any, x: Any) -> Any:
    # By position: one engine says axis, the other dim.
    return call(x, -1)


def _layer(name: str, sizes: Shape, shape: Shape, options: Any, engine: str) -> Step:
    """Set up a layer of nn; images lie in memory as they do between two layers."""
    space = ENGINES[engine]()
    lay: Any = space.between_layers if name.endswith("d") else numpy.asarray
    if name == "Embedding":
        x = numpy.random.default_rng(0).integers(0, sizes[0], shape)
    else:
        x = lay(_array(shape))
    layer = getattr(space.nn, name)(*sizes, **options)
    fill(layer, space)
    layer = space.place(layer)
    call = (lambda x: layer(x)[0]) if name in RECURRENT else layer
    inputs = [_leaf(space, x)]
    leaves = [leaf for leaf in (*inputs, *layer.parameters()) if leaf.requires_grad]
    dy = space.tensor(lay(_array(tuple(call(*inputs).shape), seed=1)))
    return partial(_pass(call, inputs, leaves), dy)


def _x(shape: Shape) -> str:
    return "x".join(str(length) for length in shape)


def _case(function: str, *shapes: Shape, labels: bool = False) -> Case:
    return Case(
        " ".join([function, *map(_x, shapes)]),
        engines={
            engine: partial(_function, function, shapes, labels, engine)
            for engine in ("minigrad", "torch")
        },
        steps=20,
    )


def _layer_case(
    name: str, *sizes: int, x: Shape, steps: int = 10, **options: Any
) -> Case:
    """List a layer that is made with sizes and options, on x."""
    words = [f"{key} {value}" for key, value in options.items()]
    engines = [e for e in ENGINES if e != CHANNELS_LAST or name.endswith("2d")]
    return Case(
        " ".join([name, *map(str, sizes), *words, "on", _x(x)]),
        engines={e: partial(_layer, name, sizes, x, options, e) for e in engines},
        steps=steps,
    )


def _conv(
    batch: int, inputs: int, outputs: int, size: int, kernel: int = 3, stride: int = 1
) -> Case:
    x = (batch, inputs, size, size)
    return _layer_case(
        "Conv2d",
        inputs,
        outputs,
        kernel,
        stride=stride,
        padding=kernel // 2,
        x=x,
        steps=5,
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
    _case("dropout", (1024, 4096)),
    _case("cross_entropy", (128, 10), labels=True),
    _case("cross_entropy", (4096, 256), labels=True),
    _case("scaled_dot_product_attention", *[(8, 4, 128, 64)] * 3),
    _conv(64, 64, 64, 32),
    _conv(64, 64, 128, 16),
    _conv(64, 128, 128, 16),
    _conv(64, 256, 256, 8),
    _conv(64, 512, 512, 4),
    _conv(32, 64, 64, 32),
    _conv(32, 128, 128, 16),
    _conv(32, 256, 256, 8),
    _conv(128, 32, 32, 28),
    _conv(128, 64, 64, 7),
    _conv(32, 16, 64, 32),
    _conv(128, 32, 32, 28, stride=2),
    _conv(32, 128, 256, 16, stride=2),
    _conv(32, 64, 64, 32, kernel=5),
    _conv(64, 128, 128, 16, kernel=1),
    _layer_case("MaxPool2d", 2, x=(64, 64, 32, 32)),
    _layer_case("AvgPool2d", 2, x=(64, 64, 32, 32)),
    _layer_case("BatchNorm2d", 64, x=(32, 64, 32, 32)),
    _layer_case("BatchNorm2d", 256, x=(32, 256, 8, 8)),
    _layer_case("LayerNorm", 512, x=(2048, 512)),
    _layer_case("GroupNorm", 8, 64, x=(32, 64, 32, 32)),
    _layer_case("Embedding", 20000, 128, x=(80, 32)),
    _layer_case("LSTM", 128, 128, x=(80, 32, 128)),
    _layer_case("GRU", 128, 128, x=(80, 32, 128)),
)

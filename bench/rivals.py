"""Other engines that differentiate Python: the MLP, in JAX the CNN, a chain of sums.

They spell things differently, so each has its own version here, with the weights and
the batch of `bench.networks`; their first losses are compared like PyTorch's.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy

from bench.networks import NETWORKS, weights

OPERATIONS = 1000
RATE, MOMENTUM = 0.001, 0.9
Step = Callable[[], object]


def _mlp() -> list[numpy.ndarray]:
    """Return the weights (in, out) and biases of the MLP in turn."""
    shapes: dict[str, tuple[int, ...]] = {}
    for index, (inputs, outputs) in enumerate(pairwise((784, 512, 256, 256, 10))):
        shapes[f"{2 * index}.weight"] = (outputs, inputs)
        shapes[f"{2 * index}.bias"] = (outputs,)
    drawn = weights(shapes)
    return [numpy.ascontiguousarray(drawn[name].T) for name in shapes]


def _logits(parameters: Any, x: Any, tanh: Callable[[Any], Any]) -> Any:
    """Run the MLP in any engine that has @ and +."""
    for index in range(0, len(parameters), 2):
        if index:
            x = tanh(x)
        x = x @ parameters[index] + parameters[index + 1]
    return x


def _jitted(name: str, arrays: list[numpy.ndarray], logits: Callable[..., Any]) -> Step:
    """Make the whole step one jitted function."""
    import jax  # pyright: ignore[reportMissingImports]

    x, labels = map(jax.numpy.asarray, NETWORKS[name].batch())

    def loss_of(parameters: Any) -> Any:
        scores = jax.nn.log_softmax(logits(parameters, x))
        return -scores[jax.numpy.arange(len(labels)), labels].mean()

    def update(parameters: Any, velocities: Any) -> Any:
        loss, slopes = jax.value_and_grad(loss_of)(parameters)
        moved = [MOMENTUM * v + d for v, d in zip(velocities, slopes, strict=True)]
        kept = [p - RATE * v for p, v in zip(parameters, moved, strict=True)]
        return loss, kept, moved

    jitted = jax.jit(update)
    state: list[Any] = [[jax.numpy.asarray(array) for array in arrays]]
    state.append([jax.numpy.zeros_like(array) for array in state[0]])

    def step() -> float:
        loss, *state[:] = jitted(*state)
        return float(loss)

    return step


def mlp_jax() -> Step:
    """The MLP, jitted."""
    import jax  # pyright: ignore[reportMissingImports]

    return _jitted("mlp", _mlp(), lambda p, x: _logits(p, x, jax.numpy.tanh))


def cnn_jax() -> Step:
    """The CNN of bench.networks, jitted; images are (N, C, H, W)."""
    import jax  # pyright: ignore[reportMissingImports]

    shapes: dict[str, tuple[int, ...]] = {}
    for index, (inputs, outputs) in enumerate(pairwise((1, 32, 32, 64, 64, 64))):
        shapes[f"{2 * index}.weight"] = (outputs, inputs, 3, 3)
        shapes[f"{2 * index}.bias"] = (outputs,)
    for index, (inputs, outputs) in ((11, (3136, 128)), (13, (128, 10))):
        shapes[f"{index}.weight"] = (outputs, inputs)
        shapes[f"{index}.bias"] = (outputs,)
    drawn = weights(shapes)

    def logits(parameters: Any, x: Any) -> Any:
        for index, stride in enumerate((1, 2, 1, 2, 1)):
            w, b = parameters[2 * index : 2 * index + 2]
            x = jax.lax.conv_general_dilated(x, w, (stride,) * 2, ((1, 1), (1, 1)))
            x = jax.nn.relu(x + b[:, None, None])
        w1, b1, w2, b2 = parameters[10:]
        return jax.nn.relu(x.reshape(len(x), -1) @ w1.T + b1) @ w2.T + b2

    return _jitted("cnn", [drawn[name] for name in shapes], logits)


def mlp_autograd() -> Step:
    """Gradient function of a NumPy function."""
    import autograd.numpy as anp  # pyright: ignore[reportMissingImports]
    from autograd import value_and_grad  # pyright: ignore[reportMissingImports]
    from autograd.scipy.special import (  # pyright: ignore[reportMissingImports]
        logsumexp,
    )

    images, labels = NETWORKS["mlp"].batch()
    rows = numpy.arange(len(labels))

    def loss_of(parameters: Any) -> Any:
        logits = _logits(parameters, images, anp.tanh)
        return (logsumexp(logits, axis=1) - logits[rows, labels]).mean()

    parameters = _mlp()
    velocities = [numpy.zeros_like(array) for array in parameters]
    slope_of = value_and_grad(loss_of)

    def step() -> float:
        loss, slopes = slope_of(parameters)
        for p, v, slope in zip(parameters, velocities, slopes, strict=True):
            _move(p, v, slope)
        return float(loss)

    return step


def mlp_mygrad() -> Step:
    """Tensors of MyGrad; its examples update the arrays themselves."""
    import mygrad as mg  # pyright: ignore[reportMissingImports]
    from mygrad.nnet.losses import (  # pyright: ignore[reportMissingImports]
        softmax_crossentropy,
    )

    images, labels = NETWORKS["mlp"].batch()
    parameters = [mg.tensor(array) for array in _mlp()]
    velocities = [numpy.zeros_like(tensor.data) for tensor in parameters]

    def step() -> float:
        loss = softmax_crossentropy(_logits(parameters, images, mg.tanh), labels)
        loss.backward()
        for p, v in zip(parameters, velocities, strict=True):
            _move(p.data, v, p.grad)
        return loss.item()

    return step


def mlp_dezero() -> Step:
    """DeZero's functions and its optimizer."""
    _mend_numpy()
    import dezero.functions as functions  # pyright: ignore[reportMissingImports]
    from dezero import Parameter, optimizers  # pyright: ignore[reportMissingImports]
    from dezero.models import Model  # pyright: ignore[reportMissingImports]

    images, labels = NETWORKS["mlp"].batch()
    model = Model()
    parameters = [Parameter(array) for array in _mlp()]
    for index, parameter in enumerate(parameters):
        setattr(model, f"p{index}", parameter)
    optimizer = optimizers.MomentumSGD(RATE, MOMENTUM).setup(model)

    def step() -> float:
        x: Any = images
        for w, b in zip(parameters[::2], parameters[1::2], strict=True):
            x = functions.linear(x if w is parameters[0] else functions.tanh(x), w, b)
        loss = functions.softmax_cross_entropy(x, labels)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return float(loss.data)

    return step


def _mend_numpy() -> None:
    """Give back np.int, which DeZero 0.0.13 reads at import and NumPy 1.24 removed."""
    old_numpy: Any = numpy
    old_numpy.int = int


def _move(parameter: Any, velocity: Any, slope: Any) -> None:
    """SGD with momentum, in place."""
    velocity *= MOMENTUM
    velocity += slope
    parameter -= RATE * velocity


def _chain(x: Any, bias: Any) -> Any:
    """Add bias a thousand times, as in bench.tape."""
    for _ in range(OPERATIONS):
        x = x + bias
    return x


def chain_jax() -> Step:
    """Not jitted: the tape is what is measured."""
    import jax  # pyright: ignore[reportMissingImports]

    slopes_of = jax.grad(lambda x, bias: _chain(x, bias)[0], argnums=(0, 1))
    x = jax.numpy.zeros(1)
    return lambda: slopes_of(x, x)


def chain_autograd() -> Step:
    """The tape of autograd."""
    from autograd import grad  # pyright: ignore[reportMissingImports]

    slopes_of = grad(lambda x, bias: _chain(x, bias)[0], argnum=(0, 1))
    x = numpy.zeros(1, numpy.float32)
    return lambda: slopes_of(x, x)


def chain_mygrad() -> Step:
    """MyGrad's graph."""
    import mygrad as mg  # pyright: ignore[reportMissingImports]

    x, bias = (mg.tensor(numpy.zeros(1, numpy.float32)) for _ in range(2))
    return lambda: _chain(x, bias).backward()


def chain_dezero() -> Step:
    """DeZero's graph."""
    _mend_numpy()
    from dezero import Variable  # pyright: ignore[reportMissingImports]

    x, bias = (Variable(numpy.zeros(1, numpy.float32)) for _ in range(2))

    def step() -> None:
        x.cleargrad()
        bias.cleargrad()
        _chain(x, bias).backward()

    return step


Setups = dict[str, Callable[[], Step]]

MLP: Setups = {
    "jax": mlp_jax,
    "autograd": mlp_autograd,
    "mygrad": mlp_mygrad,
    "dezero": mlp_dezero,
}
CNN: Setups = {"jax": cnn_jax}
CHAIN: Setups = {
    "jax": chain_jax,
    "autograd": chain_autograd,
    "mygrad": chain_mygrad,
    "dezero": chain_dezero,
}

"""Functions of tensors that layers are made of: linear map, activations.

Names, arguments and defaults are PyTorch's, but for `axis`. Tensors of any shape and of
a float dtype; the result has the input's dtype, and its shape unless stated.
"""

from __future__ import annotations

from typing import Any

from minigrad.errors import ArgumentError, got
from minigrad.kernels import activations, gated
from minigrad.kernels import gaaf as gaaf_kernel
from minigrad.kernels import linear as linear_kernel
from minigrad.kernels import softmax as softmax_kernel
from minigrad.kernels.gaaf import Curve
from minigrad.tape import Tensor, apply


def linear(x: Any, weight: Any, bias: Any = None) -> Tensor:
    """Map x (..., I) to x weight' + bias (..., O); weight (O, I), bias (O,) or None.

    Raises ShapeError if the last axes of x and weight differ.

    >>> from minigrad.tape import tensor
    >>> linear(tensor([[1.0, 2.0]]), tensor([[3.0, 4.0]]), tensor([0.5])).tolist()
    [[11.5]]
    """
    if bias is None:
        return apply(linear_kernel.LINEAR_NO_BIAS_KERNEL, x, weight)
    return apply(linear_kernel.LINEAR_KERNEL, x, weight, bias)


def relu(x: Any) -> Tensor:
    """Take the greater of x and 0; slope 0 at 0.

    >>> from minigrad.tape import tensor
    >>> relu(tensor([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    return apply(activations.RELU_KERNEL, x)


def leaky_relu(x: Any, negative_slope: float = 0.01) -> Tensor:
    """Scale x by negative_slope where x <= 0.

    >>> from minigrad.tape import tensor
    >>> leaky_relu(tensor([-1.0, 2.0]), 0.25).tolist()
    [-0.25, 2.0]
    """
    return apply(activations.LEAKY_RELU_KERNEL, x, negative_slope=negative_slope)


def elu(x: Any, alpha: float = 1.0) -> Tensor:
    """Bend x <= 0 to alpha * (exp(x) - 1); slope alpha at 0.

    >>> from minigrad.tape import tensor
    >>> [round(y, 4) for y in elu(tensor([-1.0, 2.0])).tolist()]
    [-0.6321, 2.0]
    """
    return apply(activations.ELU_KERNEL, x, alpha=alpha)


def gelu(x: Any, approximate: str = "none") -> Tensor:
    """Multiply x by the probability that a standard normal variable is below it.

    approximate "tanh" replaces that probability by a formula with tanh, which is off by
    less than 0.0005. The terms are `direct` and `through_gate`.

    >>> from minigrad.tape import tensor
    >>> [round(y, 4) for y in gelu(tensor([-1.0, 2.0])).tolist()]
    [-0.1587, 1.9545]
    """
    if approximate == "tanh":
        return apply(gated.GELU_TANH_KERNEL, x)
    if approximate != "none":
        rule = "'none' or 'tanh'"
        raise ArgumentError(got("gelu", "approximate", repr(approximate), rule))
    return apply(gated.GELU_KERNEL, x)


def silu(x: Any) -> Tensor:
    """Multiply x by sigmoid(x); the terms are `direct` and `through_gate`.

    >>> from minigrad.tape import tensor
    >>> [round(y, 4) for y in silu(tensor([-1.0, 2.0])).tolist()]
    [-0.2689, 1.7616]
    """
    return apply(gated.SILU_KERNEL, x)


def sigmoid(x: Any) -> Tensor:
    """Map x to 1 / (1 + exp(-x)), in (0, 1).

    >>> from minigrad.tape import tensor
    >>> [round(y, 4) for y in sigmoid(tensor([-1.0, 2.0])).tolist()]
    [0.2689, 0.8808]
    """
    return apply(activations.SIGMOID_KERNEL, x)


def tanh(x: Any) -> Tensor:
    """Map x to its hyperbolic tangent, in (-1, 1).

    >>> from minigrad.tape import tensor
    >>> [round(y, 4) for y in tanh(tensor([-1.0, 2.0])).tolist()]
    [-0.7616, 0.964]
    """
    return apply(activations.TANH_KERNEL, x)


def hardtanh(x: Any, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """Cut x to [min_val, max_val]; slope 0 at both ends.

    Raises ArgumentError if min_val is above max_val.

    >>> from minigrad.tape import tensor
    >>> hardtanh(tensor([-2.0, 0.5])).tolist()
    [-1.0, 0.5]
    """
    kernel = activations.HARDTANH_KERNEL
    return apply(kernel, x, min_val=min_val, max_val=max_val)


def softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Round relu off to log(1 + exp(beta * x)) / beta; x where beta * x > threshold.

    Raises ArgumentError unless beta > 0.

    >>> from minigrad.tape import tensor
    >>> [round(y, 4) for y in softplus(tensor([-1.0, 2.0])).tolist()]
    [0.3133, 2.1269]
    """
    kernel = activations.SOFTPLUS_KERNEL
    return apply(kernel, x, beta=beta, threshold=threshold)


def softmax(x: Any, axis: int = -1) -> Tensor:
    """Turn x into probabilities along axis: exp(x) over its sum.

    The terms are `direct` and `through_sum`. Raises ShapeError if x has no such axis.

    >>> from minigrad.tape import tensor
    >>> [round(y, 4) for y in softmax(tensor([0.0, 1.0])).tolist()]
    [0.2689, 0.7311]
    """
    return apply(softmax_kernel.SOFTMAX_KERNEL, x, axis=axis)


def log_softmax(x: Any, axis: int = -1) -> Tensor:
    """Take the natural logarithm of softmax; exact also where softmax is 0 in floats.

    The terms are `direct` and `through_sum`. Raises ShapeError if x has no such axis.

    >>> from minigrad.tape import tensor
    >>> log_softmax(tensor([0.0, 1000.0])).tolist()
    [-1000.0, 0.0]
    """
    return apply(softmax_kernel.LOG_SOFTMAX_KERNEL, x, axis=axis)


def gaaf(
    x: Any,
    activation: str | Curve = "tanh",
    shape: str | Curve | None = None,
    k: float = 1e4,
    mode: str = "exact",
) -> Tensor:
    """Activate x, and let gradient through where the activation saturates.

    y = phi(x) + g(x) s(x), where the sawtooth g has k teeth per unit of x, the height
    1 / k and the slope 1. The terms are `activation`, `acceleration` and `shape`. See
    minigrad.kernels.gaaf.

    Args:
        x: any shape; integers become float32.
        activation: phi: a name that minigrad.nn.GAAF takes, such as "tanh" or "relu",
            or a Curve.
        shape: s, in [0, 1]: "gaussian", "sigmoid", "laplace", "one", or a Curve;
            default: the one recommended for an activation given by name.
        k: teeth per unit of x, from 1e-30 to 1e30; see minigrad.nn.GAAF.
        mode: "exact", or "backward_only", which gives phi(x) with the same gradient.

    Raises ArgumentError for unknown names, modes and k.

    >>> from minigrad.tape import tensor
    >>> x = tensor([0.0, 3.0], requires_grad=True)
    >>> gaaf(x).sum().backward()
    >>> [round(dx, 4) for dx in x.grad.tolist()]
    [2.0, 0.0597]
    """
    if not isinstance(activation, Curve):
        activation = _look_up("activation", activation, gaaf_kernel.ACTIVATIONS)
    if shape is None:
        shape = gaaf_kernel.RECOMMENDED.get(activation)
        if shape is None:
            known = ", ".join(curve.name for curve in gaaf_kernel.RECOMMENDED)
            raise ArgumentError(
                f"gaaf: shape None for activation {activation.name!r}, expected a "
                f"shape; only {known} have a recommended one"
            )
    elif not isinstance(shape, Curve):
        shape = _look_up("shape", shape, gaaf_kernel.SHAPES)
    return apply(
        gaaf_kernel.KERNEL, x, activation=activation, shape=shape, k=k, mode=mode
    )


def _look_up(what: str, name: object, known: dict[str, Curve]) -> Curve:
    curve = known.get(name) if isinstance(name, str) else None
    if curve is None:
        rule = f"a Curve or one of {', '.join(map(repr, known))}"
        raise ArgumentError(got("gaaf", what, repr(name), rule))
    return curve

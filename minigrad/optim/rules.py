"""The update rules: what one step does to a parameter's array and its state.

Pure arithmetic in place. `p` is the parameter, `g` its gradient (never written), the
arrays after them are state, `scratch` two working arrays like p. Options are Python
numbers, so float32 stays float32. Every formula is PyTorch's; `d` is the gradient with
weight decay added, d = g + weight_decay * p.
"""

from __future__ import annotations

import math
from typing import Any

from minigrad.backend import add_scaled
from minigrad.typing import Array

Scratch = tuple[Array, Array]


def _decayed(xp: Any, out: Array, p: Array, g: Array, weight_decay: float) -> Array:
    """Return d: g itself, or g + weight_decay * p written to out."""
    if not weight_decay:
        return g
    xp.multiply(p, weight_decay, out=out)
    return xp.add(out, g, out=out)


def _average_square(xp: Any, out: Array, mean: Array, x: Array, keep: float) -> None:
    """Move mean towards x * x: mean = keep * mean + (1 - keep) * x * x."""
    add_scaled(mean, xp.multiply(x, x, out=out), 1 - keep, keep, scratch=out)


def sgd(
    xp: Any, scratch: Scratch, p: Array, g: Array, *, lr: float, weight_decay: float
) -> None:
    """Apply p -= lr * d."""
    s, t = scratch
    add_scaled(p, _decayed(xp, s, p, g, weight_decay), -lr, scratch=t)


def sgd_momentum(
    xp: Any,
    scratch: Scratch,
    p: Array,
    g: Array,
    buffer: Array,
    *,
    lr: float,
    momentum: float,
    dampening: float,
    nesterov: bool,
    weight_decay: float,
    first: bool,
) -> None:
    """Apply b = momentum * b + (1 - dampening) * d, then p -= lr * b.

    In the first step b = d. With nesterov p -= lr * (d + momentum * b).
    """
    s, t = scratch
    d = _decayed(xp, s, p, g, weight_decay)
    if first:
        buffer[...] = d
    else:
        add_scaled(buffer, d, 1 - dampening, momentum, scratch=t)
    if nesterov:
        xp.multiply(buffer, momentum, out=t)
        add_scaled(p, xp.add(t, d, out=t), -lr, scratch=s)
    else:
        add_scaled(p, buffer, -lr, scratch=t)


def adam(
    xp: Any,
    scratch: Scratch,
    p: Array,
    g: Array,
    mean: Array,
    square: Array,
    *,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    decoupled: bool,
    step: int,
) -> None:
    """Apply p -= lr * m_hat / (sqrt(v_hat) + eps) in step number step >= 1.

    m and v average d and d * d; hats divide them by 1 - beta ** step. Decoupled decay
    (AdamW) shrinks p by 1 - lr * weight_decay and leaves d = g. Kingma & Ba 2015,
    arXiv:1412.6980, algorithm 1; Loshchilov & Hutter 2019, arXiv:1711.05101.
    """
    s, t = scratch
    if decoupled and weight_decay:
        xp.multiply(p, 1 - lr * weight_decay, out=p)
    d = _decayed(xp, s, p, g, 0 if decoupled else weight_decay)
    beta1, beta2 = betas
    add_scaled(mean, d, 1 - beta1, beta1, scratch=t)
    _average_square(xp, t, square, d, beta2)
    # lr * (m / c1) / (sqrt(v) / c2 + eps) = (lr * c2 / c1) * m / (sqrt(v) + c2 * eps):
    # two passes over memory fewer.
    correction1 = 1 - beta1**step
    correction2 = math.sqrt(1 - beta2**step)
    xp.sqrt(square, out=t)
    xp.add(t, eps * correction2, out=t)
    xp.divide(mean, t, out=t)
    add_scaled(p, t, -lr * correction2 / correction1, scratch=s)


def rmsprop(
    xp: Any,
    scratch: Scratch,
    p: Array,
    g: Array,
    square: Array,
    *state: Array,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    centered: bool,
) -> None:
    """Apply p -= lr * d / (sqrt(v) + eps), v the average of d * d.

    centered subtracts the squared average of d from v (one more state array); momentum
    sums b = momentum * b + d / (sqrt(v) + eps) and applies p -= lr * b (one more).
    Tieleman & Hinton 2012, lecture 6.5; Graves 2013, arXiv:1308.0850 (centered).
    """
    s, t = scratch
    d = _decayed(xp, s, p, g, weight_decay)
    _average_square(xp, t, square, d, alpha)
    if centered:
        mean = state[-1]
        add_scaled(mean, d, 1 - alpha, alpha, scratch=t)
        xp.multiply(mean, mean, out=t)
        xp.sqrt(xp.subtract(square, t, out=t), out=t)
    else:
        xp.sqrt(square, out=t)
    xp.add(t, eps, out=t)
    direction = xp.divide(d, t, out=t)
    if momentum:
        buffer = state[0]
        add_scaled(buffer, t, 1.0, momentum, scratch=s)
        direction = buffer
    add_scaled(p, direction, -lr, scratch=s)


def adadelta(
    xp: Any,
    scratch: Scratch,
    p: Array,
    g: Array,
    square: Array,
    delta_square: Array,
    *,
    lr: float,
    rho: float,
    eps: float,
    weight_decay: float,
) -> None:
    """Apply p -= lr * x, x = d * sqrt(u + eps) / sqrt(v + eps).

    v averages d * d, u averages x * x. Zeiler 2012, arXiv:1212.5701, algorithm 1.
    """
    s, t = scratch
    d = _decayed(xp, s, p, g, weight_decay)
    _average_square(xp, t, square, d, rho)
    xp.add(square, eps, out=t)
    x = xp.divide(d, xp.sqrt(t, out=t), out=t)
    # d is not needed any more: s is free.
    xp.add(delta_square, eps, out=s)
    xp.multiply(x, xp.sqrt(s, out=s), out=x)
    _average_square(xp, s, delta_square, x, rho)
    add_scaled(p, x, -lr, scratch=s)

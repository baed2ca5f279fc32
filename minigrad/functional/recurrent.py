"""Recurrent layers: one call runs one direction of one layer over all time steps.

x (T, N, I) lies with time first. Weights are PyTorch's: weight_ih (G * H, I), weight_hh
(G * H, H), bias_ih and bias_hh (G * H,) or None, with G blocks of rows, one a gate. The
first state (N, H) is zero where it is None. With mask (T, N), a sequence whose mask is
False passes that step with its state unchanged, and its y there is 0. With reverse, the
last time comes first; y stays in the order of x, and the last state is that of time 0.

The gradient of x, a weight or a bias has one term per gate; see minigrad.kernels.lstm,
gru and rnn. minigrad.nn has the layers, with PyTorch's names and stacks of them.
"""

from __future__ import annotations

from typing import Any

import numpy

from minigrad.backend import array_module, to_host
from minigrad.errors import ArgumentError, DTypeError, ShapeError, got
from minigrad.functional._inputs import as_tensor
from minigrad.kernels import Kernel, _recurrent
from minigrad.kernels import gru as gru_kernel
from minigrad.kernels import lstm as lstm_kernel
from minigrad.kernels import rnn as rnn_kernel
from minigrad.tape import Tensor, apply


def rnn(
    x: Any,
    h0: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any = None,
    bias_hh: Any = None,
    mask: Any = None,
    *,
    nonlinearity: str = "tanh",
    reverse: bool = False,
) -> _recurrent.Output:
    """Run h = f(x weight_ih' + bias_ih + h weight_hh' + bias_hh); f is tanh or relu.

    Returns y (T, N, H), all states, and h (N, H), the last one. Raises ShapeError where
    shapes disagree, ArgumentError for another nonlinearity.

    >>> from minigrad.tape import tensor
    >>> one = tensor([[1.0]])
    >>> y, h = rnn(tensor([[[0.5]], [[0.0]]]), None, one, one)
    >>> [round(value, 4) for value in y.flatten().tolist()]
    [0.4621, 0.4318]
    """
    kernels = rnn_kernel.RNN_KERNEL, rnn_kernel.RNN_MASKED_KERNEL
    weights = (weight_ih, weight_hh, bias_ih, bias_hh)
    options: dict[str, Any] = {"nonlinearity": nonlinearity, "reverse": reverse}
    return _run(kernels, x, (h0,), weights, mask, **options)


def gru(
    x: Any,
    h0: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any = None,
    bias_hh: Any = None,
    mask: Any = None,
    *,
    reverse: bool = False,
) -> _recurrent.Output:
    """Run a gated recurrent unit; blocks of the weights: reset, update, new gate.

    Returns y (T, N, H), all states, and h (N, H), the last one. Raises ShapeError where
    shapes disagree.

    >>> from minigrad.tape import tensor
    >>> w = tensor([[1.0], [1.0], [1.0]])
    >>> y, h = gru(tensor([[[0.5]], [[0.0]]]), None, w, w)
    >>> [round(value, 4) for value in y.flatten().tolist()]
    [0.1745, 0.138]
    """
    kernels = gru_kernel.GRU_KERNEL, gru_kernel.GRU_MASKED_KERNEL
    weights = (weight_ih, weight_hh, bias_ih, bias_hh)
    return _run(kernels, x, (h0,), weights, mask, reverse=reverse)


def lstm(
    x: Any,
    h0: Any,
    c0: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any = None,
    bias_hh: Any = None,
    mask: Any = None,
    *,
    state_factor: Any = None,
    reverse: bool = False,
) -> lstm_kernel.Output:
    """Run long short-term memory; blocks of the weights: input, forget, cell, output.

    Returns y (T, N, H), all states, h (N, H), the last one, and c (N, H), the last
    cell. With state_factor (N, H), which gets no gradient, the gates see h *
    state_factor in the place of h at every time: an array of zeros and 1 / keep_prob
    drops states for a whole sequence. Raises ShapeError where shapes disagree.

    >>> from minigrad.tape import tensor
    >>> w = tensor([[1.0], [1.0], [1.0], [1.0]])
    >>> y, h, c = lstm(tensor([[[0.5]], [[0.0]]]), None, None, w, w)
    >>> [round(value, 4) for value in [*y.flatten().tolist(), c.item()]]
    [0.1743, 0.1331, 0.2501]
    """
    kernels = lstm_kernel.LSTM_KERNEL, lstm_kernel.LSTM_MASKED_KERNEL
    constants: tuple[Any, ...] = ()
    if state_factor is not None:
        constants = (state_factor,)
        kernels = (
            lstm_kernel.LSTM_DROPPED_KERNEL,
            lstm_kernel.LSTM_DROPPED_MASKED_KERNEL,
        )
    weights = (weight_ih, weight_hh, bias_ih, bias_hh)
    return _run(kernels, x, (h0, c0), weights, mask, constants, reverse=reverse)


def _run(
    kernels: tuple[Kernel, Kernel],
    x: Any,
    states: tuple[Any, ...],
    weights: tuple[Any, ...],
    mask: Any,
    constants: tuple[Any, ...] = (),
    **options: Any,
) -> Any:
    """Put zeros in the place of what is None, and run the kernel for mask or none."""
    x, w_ih, w_hh, *biases = as_tensor(x), *map(as_tensor, weights[:2]), *weights[2:]
    xp = array_module(x.data)
    # Constants: no gradient is computed for them. Of axes that are not there the kernel
    # complains.
    rest = xp.zeros((*x.shape[1:2], *w_hh.shape[1:2]), x.dtype)
    none = xp.zeros(w_hh.shape[:1], x.dtype)
    states = tuple(rest if state is None else state for state in states)
    biases = [none if bias is None else bias for bias in biases]
    inputs = (x, *states, w_ih, w_hh, *biases, *constants)
    if mask is None:
        return apply(kernels[0], *inputs, **options)
    return apply(kernels[1], *inputs, mask, **options)


def step_mask(who: str, lengths: Any, x: Tensor, batch_first: bool) -> Any:
    """Return the mask (T, N) for x (T, N, I), or None if every sequence is full.

    lengths is (N,) integers, or a mask of booleans (T, N), or (N, T) if batch_first.
    Raises ArgumentError, naming the sequence, for a length that is not 1 to T.
    """
    values = lengths.data if isinstance(lengths, Tensor) else lengths
    try:
        host = numpy.asarray(to_host(values) if hasattr(values, "ndim") else values)
    except ValueError:
        host = numpy.asarray(None)
    steps, count = x.shape[:2]
    if host.dtype.kind == "b":
        mask = host.T if batch_first else host
    elif host.dtype.kind in "iu" or (host.ndim == 1 and not host.size):
        if host.shape != (count,):
            rule = f"({count},), one for each sequence of x"
            raise ShapeError(got(who, "lengths have shape", host.shape, rule))
        mask = numpy.arange(steps)[:, None] < host
        _expect_between(who, host, steps)
    else:
        rule = "integers (N,) or a mask of booleans"
        raise DTypeError(got(who, "lengths have dtype", host.dtype, rule))
    if mask.shape != (steps, count):
        rule = f"{(count, steps) if batch_first else (steps, count)}, that of x"
        raise ShapeError(got(who, "the mask has shape", host.shape, rule))
    _expect_steps(who, mask)
    if mask.all():
        return None
    return array_module(x.data).asarray(numpy.ascontiguousarray(mask))


_REMEDY = "take empty sequences out of the batch"


def _expect_between(who: str, lengths: numpy.ndarray, steps: int) -> None:
    wrong = numpy.flatnonzero((lengths < 1) | (lengths > steps))
    if wrong.size:
        at = wrong[0]
        what, rule = f"lengths[{at}] is", f"1 to {steps}, the steps of x"
        remedy = _REMEDY if lengths[at] < 1 else ""
        raise ArgumentError(got(who, what, lengths[at], rule, remedy))


def _expect_steps(who: str, mask: numpy.ndarray) -> None:
    wrong = numpy.flatnonzero(~mask.any(axis=0))
    if wrong.size:
        what, rule = f"the mask of sequence {wrong[0]} is", "one step of it True"
        raise ArgumentError(got(who, what, "False at all steps", rule, _REMEDY))

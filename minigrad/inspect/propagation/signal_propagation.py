"""One forward and one backward pass, seen layer by layer.

Source of what is looked at: Glorot & Bengio 2010, section 4.2, variances of activations
and of back-propagated gradients; Saxe, McClelland & Ganguli 2013, arXiv:1312.6120,
singular values of Jacobians (all 1: dynamical isometry).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy

from minigrad.backend import array_module
from minigrad.errors import ArgumentError, got
from minigrad.inspect.backward_work.backward_cost import lent
from minigrad.inspect.backward_work.recorded import reached
from minigrad.inspect.curvature.complex_step import expect_scalar
from minigrad.inspect.flow import Flow
from minigrad.inspect.model_summary._meter import alone, untouched
from minigrad.inspect.propagation.calls import Call, watched
from minigrad.inspect.propagation.jacobian import WHO, singular_values
from minigrad.inspect.propagation.propagation import INPUT, Propagation
from minigrad.inspect.propagation.signals import Layer, Signal, moments
from minigrad.inspect.record.records import Target
from minigrad.inspect.record.selection import Globs
from minigrad.inspect.recording import gradient_flow
from minigrad.inspect.units.outputs import chosen
from minigrad.random import generator
from minigrad.tape import Tensor, enable_grad

LARGEST: Final = 2048
"""A singular value decomposition of this many rows and columns takes seconds."""


def signal_propagation(
    model: Any,
    x: Any,
    *,
    layers: Globs = None,
    loss: Callable[[Any], Tensor] | None = None,
    jacobian: Globs = None,
    example: int = 0,
    largest: int = LARGEST,
    seed: int = 0,
) -> Propagation:
    """Run model forward and backward on x, and measure the signals between its layers.

    Weights, gradients, buffers, training mode and random streams are what they were
    before; the model runs in its present mode. Recordings around the call do not see
    it. A layer is a call of a module; of modules that return the very same tensor, as a
    container and its last part do, the innermost is listed.

    Of gradients the mean square is measured, not the variance: a recording keeps sums
    of squares, not the numbers. The mean square is their variance about 0, which is
    the mean that Glorot & Bengio and He et al. assume for gradients, and it is never
    less than the variance about their own mean.

    Args:
        model: a Module.
        x: a Tensor or an array (N, ...), examples along the first axis.
        layers: shell patterns for paths, as "conv*": these modules alone, all that
            fit; "" is the path of the model itself.
        loss: makes a scalar of what model returns; the default is a gradient drawn at
            random at the model's output, of norm 1.
        jacobian: patterns likewise: of these layers the singular values of dy/dx at one
            example are computed, from one pass through the layer for each number of
            its input; default: of none. They are listed even if `layers` leaves them
            out.
        example: at which; counts along the first axis.
        largest: numbers that a layer's input, and output, may have for one example.
        seed: of the gradient drawn at random.

    Raises ArgumentError for what is no Module, no array or no pattern that fits, and
    for a layer with a Jacobian that mixes examples (batch norm in training) or draws at
    random; ShapeError for a Jacobian that is larger; GraphError where nothing needs a
    gradient; and what the model raises.

    >>> from minigrad import inspect, nn, tensor
    >>> model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU())
    >>> model[0].weight.data[:] = [[0.0, 3.0], [1.0, 0.0]]
    >>> x = tensor([[1.0, 1.0], [-1.0, 1.0]])
    >>> found = inspect.signal_propagation(model, x, jacobian="0")
    >>> found.layer("0").gain, found.layer("1").gain
    (5.0, 0.95)
    >>> found.layer("0").singular_values
    array([3., 1.])
    """
    paths = set(chosen(WHO, model, layers).values())
    wanted = None if layers is None else paths
    differentiated: set[str] = set()
    if jacobian is not None:
        differentiated = set(chosen(WHO, model, jacobian).values())
    given = _leaf(x, example)
    with untouched(model), enable_grad(), alone():
        calls: list[Call] = []
        with watched(model, calls.append):
            y = model(given)
        flow = _backward(model, y, loss, seed)
        rows = _listed(calls, given, wanted, differentiated)
        signals = _Signals(flow, given)
        found = [
            _layer(
                call,
                number,
                signals,
                singular_values(call, example, largest)
                if call.path in differentiated
                else None,
            )
            for call, number in rows
        ]
    return Propagation(type(model).__name__, signals.of(given), found, flow)


def _leaf(x: Any, example: int) -> Tensor:
    """Return x as a leaf; floats get a gradient."""
    try:
        data = x.data if isinstance(x, Tensor) else Tensor(x).data
    except TypeError:
        kind = f"a {type(x).__name__}"
        raise ArgumentError(got(WHO, "x is", kind, "a Tensor or an array")) from None
    count = len(data) if data.ndim else 0
    if type(example) is not int or not 0 <= example < count:
        rule = f"the number of one of {count} examples, from 0"
        raise ArgumentError(got(WHO, "example", repr(example), rule))
    return Tensor(data, requires_grad=data.dtype.kind == "f", name=INPUT)


def _backward(
    model: Any, y: Any, loss: Callable[[Any], Tensor] | None, seed: int
) -> Flow:
    """Run backward from loss(y), or from y with a gradient at random; record it."""
    if loss is None:
        if not isinstance(y, Tensor):
            kind, remedy = f"a {type(y).__name__}", "give a loss that makes it a scalar"
            raise ArgumentError(
                got(WHO, "the model returned", kind, "a Tensor", remedy)
            )
        root, dy = y, _unit(y, seed)
    else:
        root, dy = expect_scalar(WHO, "loss", loss(y)), None
    targets = (target for node in reached(root) for target in node.targets)
    leaves = {one for one in targets if isinstance(one, Tensor)}
    with lent(leaves), gradient_flow(model) as flow:
        root.backward(dy)
    return flow


def _unit(y: Tensor, seed: int) -> Tensor:
    """Draw a gradient for y: normal numbers, scaled to norm 1."""
    numbers = generator(seed, WHO).standard_normal(y.shape)
    norm = float(numpy.linalg.norm(numbers))
    return Tensor(array_module(y.data).asarray(numbers / (norm or 1.0), y.dtype))


def _listed(
    calls: Sequence[Call],
    given: Tensor,
    wanted: set[str] | None,
    differentiated: set[str],
) -> list[tuple[Call, int]]:
    """Choose the calls that are layers, each with its number among its module's."""
    counts: Counter[str] = Counter()
    known = {id(given)}
    found: list[tuple[Call, int]] = []
    for call in calls:
        counts[call.path] += 1
        gave = call.gave
        if gave is None or gave.dtype.kind != "f":
            continue
        new = id(gave) not in known and gave is not call.given
        known.add(id(gave))
        if call.path in differentiated or (
            new if wanted is None else call.path in wanted
        ):
            found.append((call, counts[call.path]))
    return found


class _Signals:
    """Signals by their tensors, each measured once."""

    def __init__(self, flow: Flow, given: Tensor) -> None:
        """Know the gradients of a recording; given is the model's input."""
        targets = flow.passes[-1].values() if flow.count else ()
        self._gradients: dict[int, Target] = {}
        self._leaf: Target | None = None
        for target in targets:
            if target.number is not None:
                self._gradients[target.number] = target
            elif target.kind == "leaf" and target.name.partition("#")[0] == INPUT:
                self._leaf = target
        self._given = given
        self._known: dict[int, Signal] = {}

    def of(self, tensor: Tensor | None) -> Signal | None:
        """Return the signal of a tensor; None for what is none, or holds no floats."""
        if tensor is None or tensor.dtype.kind != "f":
            return None
        if id(tensor) not in self._known:
            self._known[id(tensor)] = Signal(
                tensor.shape, moments(tensor.data), self._gradient(tensor)
            )
        return self._known[id(tensor)]

    def _gradient(self, tensor: Tensor) -> Target | None:
        if tensor.node is not None:
            return self._gradients.get(tensor.node.number)
        return self._leaf if tensor is self._given else None


def _layer(call: Call, number: int, signals: _Signals, spectrum: Any) -> Layer:
    gave = signals.of(call.gave)
    assert gave is not None
    kind = type(call.module).__name__
    return Layer(call.path, kind, number, signals.of(call.given), gave, spectrum)

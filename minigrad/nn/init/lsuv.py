"""Layer-sequential unit variance: weights scaled by what a batch makes of them.

Source: Mishkin & Matas 2015, "All you need is a good init", arXiv:1511.06422,
algorithm 1.
"""

from __future__ import annotations

import math
from collections import abc
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import numpy
from numpy.random import Generator

from minigrad.backend import to_host
from minigrad.errors import ArgumentError, got
from minigrad.kernels._arguments import is_real, per_axis
from minigrad.nn.init._fill import draws
from minigrad.nn.init.orthogonal import orthogonal_
from minigrad.nn.module import Module
from minigrad.tape import Node, Parameter, modes, no_grad
from minigrad.typing import Array

_M = TypeVar("_M", bound=Module)

_WHO: Final = "lsuv_"

_PRODUCTS: Final = ("linear", "conv")
"""How the names of the kernels begin whose result is a product x w, plus a bias."""


class _Products:
    """Traces the products with weights, in the order of their first results.

    Kernels are looked at, not modules: whatever a layer is called and holds beside its
    weight, a norm's gain or an embedding is never taken for the weight of a product.
    """

    def __init__(self) -> None:
        self.weights: dict[int, Parameter] = {}
        self.variances: dict[int, float] = {}

    def ran(
        self,
        kernel: Any,
        inputs: tuple[Any, ...],
        arrays: list[Array],
        y: Any,
        node: Node | None,
    ) -> None:
        """Note a product's weight and the variance of its first result, x w."""
        if not kernel.name.startswith(_PRODUCTS):
            return
        weight = inputs[1]
        if isinstance(weight, Parameter) and id(weight) not in self.weights:
            self.weights[id(weight)] = weight
            bias = arrays[2] if len(arrays) > 2 else None
            if bias is not None and kernel.name.startswith("conv"):
                bias = bias.reshape(-1, *[1] * (y.ndim - 2))
            self.variances[id(weight)] = _variance(y, bias)

    def returned(self, module: Any, y: Any) -> None:
        """Calls of modules are of no concern."""


def _variance(y: Array, bias: Array | None) -> float:
    """Return the variance of y - bias; scaling a weight leaves the bias as it is."""
    with numpy.errstate(invalid="ignore", over="ignore"):
        product = y if bias is None else y - bias
        return float(to_host(product.var(dtype="float64")))


def _products(model: Module, x: Any) -> _Products:
    seen = _Products()
    with modes.traced(seen):
        model(x)
    return seen


@contextmanager
def _evaluation(model: Module) -> abc.Generator[None]:
    """Evaluate inside the block, recording nothing; then each module as it was."""
    were = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        for module, training in were:
            module.training = training


def lsuv_(
    model: _M,
    x: Any,
    *,
    tolerance: float = 0.1,
    max_steps: int = 10,
    rng: Generator | None = None,
) -> _M:
    """Start model so that each linear and convolutional layer gives x unit variance.

    All their weights become orthogonal (see orthogonal_). Then, in the order in which x
    meets them, each is divided by the std of its layer's output over the whole batch,
    until the variance is within tolerance of 1. The output is judged without the
    layer's bias, which the paper starts at 0; layers behind it see the bias. The model
    runs in evaluation and returns to its modes: batch norm uses and keeps its running
    statistics, dropout is off. Biases, norms, embeddings and recurrent weights stay as
    they are.

    A layer whose output has variance 0, or one that is not finite, stays orthogonal. A
    weight that is used twice goes by its first output. Weights are the same on every
    backend up to rounding.

    Args:
        model: any module, called as model(x): about twice a layer.
        x: a batch of what the model will be trained on.
        tolerance: how far from 1 a variance may be, above 0.
        max_steps: how often a weight is scaled at most.
        rng: draws the orthogonal weights.

    Returns the model. Raises ArgumentError for the options, for a model that has no
    such layer, and for a layer whose variance max_steps do not bring within tolerance:
    its weight is then orthogonal.

    >>> from minigrad import nn, tensor
    >>> model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
    >>> x = tensor([[1.0, 2.0], [3.0, -1.0], [0.5, 2.0]])
    >>> bool(abs(nn.init.lsuv_(model, x)(x).data.var() - 1) < 0.1)
    True
    """
    _expect_options(model, tolerance, max_steps)
    source = draws(rng, _WHO)
    with _evaluation(model):
        weights = _products(model, x).weights
        if not weights:
            rule = "a model with a linear or convolutional layer"
            raise ArgumentError(got(_WHO, "model is", type(model).__name__, rule))
        for weight in weights.values():
            orthogonal_(weight, rng=source)
        for weight in weights.values():
            _scale(weight, model, x, tolerance, max_steps)
    return model


def _scale(
    weight: Parameter, model: Module, x: Any, tolerance: float, max_steps: int
) -> None:
    """Divide weight by the std of its product until the variance is close to 1."""
    orthogonal, steps = weight.data.copy(), 0
    variance = _products(model, x).variances[id(weight)]
    while 0 < variance < math.inf and abs(variance - 1) >= tolerance:
        if steps == max_steps:
            weight.data[...] = orthogonal
            raise _unfit(weight, model, variance, tolerance, max_steps)
        weight.data /= math.sqrt(variance)
        steps += 1
        variance = _products(model, x).variances[id(weight)]
    if not 0 < variance < math.inf:
        weight.data[...] = orthogonal


def _unfit(
    weight: Parameter, model: Module, variance: float, tolerance: float, max_steps: int
) -> ArgumentError:
    """Word that the variance does not come close to 1."""
    names = {id(part): name for name, part in model.named_parameters()}
    whose = names.get(id(weight), "a weight that is no part of the model")
    what = f"after max_steps={max_steps} the variance by {whose} is"
    rule = f"less than {tolerance} from 1"
    return ArgumentError(got(_WHO, what, f"{variance:.9g}", rule, "raise tolerance"))


def _expect_options(model: Any, tolerance: Any, max_steps: Any) -> None:
    if not isinstance(model, Module):
        kind = f"a {type(model).__name__}"
        raise ArgumentError(got(_WHO, "model is", kind, "a Module"))
    if not (is_real(tolerance) and tolerance > 0):
        rule = "a number > 0"
        raise ArgumentError(got(_WHO, "tolerance", repr(tolerance), rule))
    per_axis(_WHO, "max_steps", max_steps, 1, 1)

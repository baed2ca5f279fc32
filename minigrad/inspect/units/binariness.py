"""How near the outputs of hidden units are to their signs.

Source: Li, Ni, Sheng & Zhao 2019, "Gradient Adapter for Hard-Threshold Deep Neural
Networks", section 3.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from minigrad.backend import array_module, is_array, to_host
from minigrad.errors import ArgumentError, got
from minigrad.inspect.units._values import real_values
from minigrad.tape import Tensor


def mse_hlo(outputs: Any) -> float:
    """Mean of (sign(h) - h)^2 over all hidden outputs h: MSE-HLO.

    Each output of each unit for each input counts alike, so wide layers count for more.
    It is 0 if all are -1, 0 or 1, and tends to 1 as they shrink: at 0 it jumps, as sign
    does. It is computed in float64; NaN where an output is, inf where one is infinite.

    Args:
        outputs: what `inspect.outputs` collected: path -> arrays, one for each call;
            several arrays or Tensors in any iterable; or one of any shape.

    Raises ArgumentError where there is no output or no array, DTypeError for what is
    not real.

    >>> import numpy
    >>> from minigrad import inspect
    >>> inspect.mse_hlo({"activation1": [numpy.array([[-1.0, 0.5], [1.0, -0.5]])]})
    0.125
    """
    total, count = 0.0, 0
    for name, given in _named(outputs):
        h = real_values("mse_hlo", name, given)
        gap = array_module(h).sign(h) - h
        total += float(to_host((gap * gap).sum()))
        count += h.size
    if not count:
        raise ArgumentError(got("mse_hlo", "outputs given", 0, "at least one"))
    return total / count


def _named(outputs: Any) -> list[tuple[str, Any]]:
    if isinstance(outputs, Tensor) or is_array(outputs):
        return [("outputs", outputs)]
    if isinstance(outputs, Mapping):
        return [(str(name), h) for name, calls in outputs.items() for h in calls]
    if isinstance(outputs, Iterable) and not isinstance(outputs, str):
        return [(f"outputs[{i}]", h) for i, h in enumerate(outputs)]
    kind = f"a {type(outputs).__name__}"
    rule = "arrays, Tensors or what inspect.outputs collected"
    raise ArgumentError(got("mse_hlo", "outputs is", kind, rule))

"""How near the outputs of hidden units are to their signs.

Source: Li, Ni, Sheng & Zhao 2019, "Gradient Adapter for Hard-Threshold Deep Neural
Networks", section 3.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minigrad.backend import array_module, is_array
from minigrad.errors import ArgumentError, got
from minigrad.inspect.units._values import finite_values
from minigrad.tape import Tensor


def mse_hlo(outputs: Any) -> float:
    """Mean of (sign(h) - h)^2 over all hidden outputs h: MSE-HLO.

    Each output of each unit for each input counts alike, so wide layers count for more.
    It is 0 if all are -1, 0 or 1, and tends to 1 as they shrink; it is computed in
    float64.

    Args:
        outputs: what `inspect.outputs` collected: path -> arrays, one for each call; or
            one array or Tensor of any shape.

    Raises ArgumentError where there is no output, or one that is not finite.

    >>> import numpy
    >>> from minigrad import inspect
    >>> inspect.mse_hlo({"activation1": [numpy.array([[-1.0, 0.5], [1.0, -0.5]])]})
    0.125
    """
    total, count = 0.0, 0
    for name, h in _named(outputs):
        h = finite_values("mse_hlo", name, h)
        gap = array_module(h).sign(h) - h
        total += float((gap * gap).sum())
        count += h.size
    if not count:
        raise ArgumentError(got("mse_hlo", "outputs given", 0, "at least one"))
    return total / count


def _named(outputs: Any) -> list[tuple[str, Any]]:
    if isinstance(outputs, Tensor) or is_array(outputs):
        return [("outputs", outputs)]
    if not isinstance(outputs, Mapping):
        kind = f"a {type(outputs).__name__}"
        rule = "an array, a Tensor or what inspect.outputs collected"
        raise ArgumentError(got("mse_hlo", "outputs is", kind, rule))
    return [(str(name), h) for name, calls in outputs.items() for h in calls]

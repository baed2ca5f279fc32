"""What convolution and its transpose share: what they save, and a bias or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from minigrad.errors import ShapeError, got
from minigrad.kernels._convolution import dispatch
from minigrad.kernels._convolution.bias import add_bias, bias_gradient
from minigrad.kernels._convolution.geometry import Geometry
from minigrad.kernels._layout import channels_second, spatial_first, taps_first
from minigrad.kernels._spec import Kernel, expect_float, expect_shapes
from minigrad.typing import Array, Result, Rule, Terms

Compute = Callable[[Array, Array, Geometry, int, str | None], Array]
"""(x, w, geometry, groups, algorithm) -> y, all as they lie in memory."""


class Saved(NamedTuple):
    """x (*S, N, C) and w (*K, C / groups, O) as they lie in memory, and the rest.

    Of a transposed convolution x is (*S, N, O), and the geometry that of the
    convolution it is the adjoint of.
    """

    x: Array
    w: Array
    geometry: Geometry
    groups: int
    algorithm: str | None


def _b_terms(dy: Array, saved: Saved) -> Terms:
    """Sum dy over images and pixels."""
    return {"direct": bias_gradient(spatial_first(dy))}


def kernels(
    name: str,
    axes: int,
    layout: str,
    geometry: Callable[..., Geometry],
    compute: Compute,
    terms: dict[str, Rule],
) -> tuple[Kernel, Kernel]:
    """Make the kernels for so many spatial axes, with and without a bias.

    layout names the first two axes of w. geometry takes the kernel's name, the shapes
    of x and w, and the options that name it.
    """

    def run(x: Array, w: Array, params: dict[str, Any]) -> tuple[Array, Saved]:
        """Return y as it lies in memory, without bias, and what the rules read."""
        expect_float(name, x=x, w=w)
        if w.ndim != axes + 2:
            names = "L" if axes == 1 else ", ".join("DHW"[3 - axes :])
            rule = f"({layout}, {names})"
            raise ShapeError(got(name, "w has shape", w.shape, rule))
        options = {**params}
        algorithm, groups = options.pop("algorithm", None), options.get("groups", 1)
        g = geometry(name, x.shape, w.shape, **options)
        dispatch.expect_algorithm(name, algorithm, g, x)
        saved = Saved(spatial_first(x), taps_first(w), g, groups, algorithm)
        return compute(saved.x, saved.w, g, groups, algorithm), saved

    def with_bias(x: Array, w: Array, b: Array, **params: Any) -> Result:
        """Compute without_bias and add b, one number a channel of the result."""
        y, saved = run(x, w, params)
        expect_shapes(name, (y.shape[-1],), b=b)
        add_bias(y, b)
        return channels_second(y), saved

    def without_bias(x: Array, w: Array, **params: Any) -> Result:
        """Compute y of x (N, channels, *S) and w."""
        y, saved = run(x, w, params)
        return channels_second(y), saved

    return (
        Kernel(name, with_bias, {**terms, "b": _b_terms}),
        Kernel(f"{name}_no_bias", without_bias, terms),
    )

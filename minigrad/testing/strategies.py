"""Hypothesis strategies for cases; the only module that imports hypothesis.

Hypothesis draws shapes, parameters and one seed, and shrinks them; values come from
`default_rng(seed)` inside each input's domain. Extreme values belong into explicit
examples: luck does not find them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from minigrad.errors import MinigradError
from minigrad.testing.cases import Case, Input, normal, shapes_of
from minigrad.typing import Shape

MAX_LEAD = 3
"""Most axes that "..." stands for."""

Spec = Input | tuple[str | int, ...]
"""An input with its domain, or its axes alone, which means `normal`."""


def _strategies() -> Any:
    try:
        return importlib.import_module("hypothesis.strategies")
    except ImportError as error:
        raise MinigradError(
            "kernel_cases: hypothesis is not installed, expected it for drawing cases; "
            "`pip install hypothesis`, or make cases with Case.draw"
        ) from error


def kernel_cases(
    *,
    params: Mapping[str, Any] | None = None,
    sizes: Mapping[str, tuple[int, int]] | None = None,
    broadcast: bool = False,
    zero: bool = True,
    **inputs: Spec,
) -> Any:
    """Make a strategy that draws a `Case` for a kernel with these inputs.

    `kernel_cases(x=("...", "D"), gamma=("D",), t=integers("...", high="D"))`: a letter
    is one length, 1 to 5, wherever it stands; a number is that length; "..." in front
    is 0 to 3 axes, the same for every input.

    Args:
        params: kernel parameter -> a value, a strategy, or a function from
            {input: shape} to either, for what depends on the shapes.
        sizes: letter -> (smallest, largest) length, where not (1, 5).
        broadcast: let "..." differ between inputs as broadcasting allows: axes missing
            in front, or of length 1.
        zero: let an axis of "..." now and then have length 0.
        **inputs: the kernel's arrays in order, as axes or as `positive("...", "D")`.

    >>> from hypothesis import find
    >>> find(kernel_cases(x=("...", "D"), gamma=("D",)), lambda case: True)
    Case.draw(0, x=normal(1), gamma=normal(1))
    """
    st = _strategies()
    specs = {name: _spec(spec) for name, spec in inputs.items()}
    limits = dict(sizes or {})
    letters = sorted(
        {a for s in specs.values() for a in s.axes if isinstance(a, str) and a != "..."}
        | {spec.high for spec in specs.values() if isinstance(spec.high, str)}
    )

    def build(draw: Callable[[Any], Any]) -> Case:
        lead = _draw_lead(draw, st, zero) if _has_lead(specs) else ()
        lengths = {
            letter: draw(st.integers(*limits.get(letter, (1, 5)))) for letter in letters
        }
        drawn: dict[str, Input] = {}
        for name, spec in specs.items():
            own = _narrow(draw, st, lead) if broadcast else lead
            drawn[name] = _resolve(spec, own, lengths)
        shapes = shapes_of(drawn)
        values = {
            name: _draw_param(draw, st, value, shapes)
            for name, value in (params or {}).items()
        }
        seed = draw(st.integers(0, 2**32 - 1))
        return Case.draw(seed, params=values, **drawn)

    return st.composite(build)()


def axis_of(
    name: str, *, none: bool = True, several: bool = False
) -> Callable[[Mapping[str, Shape]], Any]:
    """Draw a valid `axis` parameter for the input called name.

    Args:
        name: the input.
        none: also draw None.
        several: also draw tuples of axes.

    >>> from hypothesis import find
    >>> cases = kernel_cases(x=("N", "D"), params={"axis": axis_of("x", none=False)})
    >>> find(cases, lambda case: True)
    Case.draw(0, params={'axis': 0}, x=normal(1, 1))
    """

    def choose(shapes: Mapping[str, Shape]) -> Any:
        st = _strategies()
        ndim = len(shapes[name])
        choices = [st.none()] if none or not ndim else []
        if ndim:
            choices.append(st.integers(-ndim, ndim - 1))
        if ndim and several:
            choices.append(
                st.lists(
                    st.integers(0, ndim - 1), min_size=1, max_size=ndim, unique=True
                ).map(tuple)
            )
        return st.one_of(choices)

    return choose


def _spec(spec: Spec) -> Input:
    return spec if isinstance(spec, Input) else normal(*spec)


def _has_lead(specs: Mapping[str, Input]) -> bool:
    return any("..." in spec.axes for spec in specs.values())


def _draw_lead(draw: Callable[[Any], Any], st: Any, zero: bool) -> Shape:
    lead = draw(st.lists(st.integers(1, 4), max_size=MAX_LEAD))
    # One case in ten: more would waste examples in which there is nothing to check.
    if zero and lead and draw(st.integers(0, 9)) == 9:
        lead[draw(st.integers(0, len(lead) - 1))] = 0
    return tuple(lead)


def _narrow(draw: Callable[[Any], Any], st: Any, lead: Shape) -> Shape:
    """Drop axes in front and shorten others to 1, as broadcasting allows."""
    kept = lead[draw(st.integers(0, len(lead))) :] if lead else ()
    return tuple(1 if draw(st.integers(0, 3)) == 3 else length for length in kept)


def _resolve(spec: Input, lead: Shape, lengths: Mapping[str, int]) -> Input:
    """Replace letters and "..." by lengths."""
    axes: list[int] = []
    for axis in spec.axes:
        if axis == "...":
            axes += lead
        else:
            axes.append(lengths[axis] if isinstance(axis, str) else axis)
    high = lengths[spec.high] if isinstance(spec.high, str) else spec.high
    return spec._replace(axes=tuple(axes), high=high)


def _draw_param(
    draw: Callable[[Any], Any], st: Any, value: Any, shapes: Mapping[str, Shape]
) -> Any:
    if callable(value) and not isinstance(value, st.SearchStrategy):
        value = value(shapes)
    return draw(value) if isinstance(value, st.SearchStrategy) else value

"""A function of one variable with its derivative: what activations are built from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import numpy

from minigrad.backend import array_module, elementwise
from minigrad.typing import Array


@dataclass(frozen=True, eq=False)
class Curve:
    """A function of one variable together with its derivative.

    Both are made of ufuncs of xp, `where` and `real` only, and branch on `xp.real(x)`.
    An activation gives its limits at infinite x; a shape is asked for finite x only.

    Attributes:
        name: what it is called in reports.
        function: (xp, x) -> a new array y.
        derivative: (xp, x, y) -> dy/dx, where y is what function gave.
        whole: function may be made of anything, as it is given whole arrays, not
            blocks of them, and is not fused on a GPU.
        from_x: derivative does not read y, and may be given None for it.
    """

    name: str
    function: Callable[[Any, Array], Array]
    derivative: Callable[[Any, Array, Array], Any]
    whole: bool = False
    from_x: bool = False
    value: Callable[[Array], Array] = field(init=False, repr=False)
    """function, evaluated the fast way of the array's backend."""

    def __copy__(self) -> Self:
        """Return itself: curves do not change, RECOMMENDED knows them by identity."""
        return self

    def __deepcopy__(self, memo: object) -> Self:
        """Return itself."""
        return self

    def __post_init__(self) -> None:
        def formula(xp: Any, x: Array, **out: Array) -> Array:
            # exp(-x**2) is 0 where x**2 is inf: no cause to warn.
            with numpy.errstate(over="ignore"):
                return self.function(xp, x)

        def at_once(x: Array) -> Array:
            return formula(array_module(x), x)

        value = at_once if self.whole else elementwise(formula)
        object.__setattr__(self, "value", value)

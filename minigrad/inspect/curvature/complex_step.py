"""Forward mode and second order by complex step, exact to rounding.

f(x + ihv) = f(x) + ih J v + O(h**2), so Im f / h is J v: forward mode without a rule of
its own. The tape's gradient is such a function, too, whose J is the Hessian: Im / h of
the backward pass at w + ihv is H v. Nothing is subtracted, so there is no step to tune.

Source: Squire & Trapp 1998, SIAM Review 40(1).

Both follow the arithmetic. What detach() or no_grad() holds back from a gradient still
moves with x here, so hvp is the derivative of the gradient that backward() gives, and
where a rule is a surrogate it differentiates the surrogate's.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import numpy
from numpy.exceptions import ComplexWarning

from minigrad.backend import array_module, backend_of, is_array, to_backend, to_host
from minigrad.errors import ArgumentError, DTypeError, ShapeError, got
from minigrad.kernels._spec import as_array
from minigrad.tape import Node, Tensor, backward, enable_grad, graph, modes, no_grad
from minigrad.typing import Array

STEP: Final = 2.0**-100
"""About 1e-30. h**2, the relative error, is 45 digits below what float64 shows, while
products of up to ten parts of size h are still far above its least number, 2e-308. A
power of two, so that no digit changes when v is multiplied and the result divided."""


def jvp(
    f: Callable[..., Tensor], primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[Tensor, Tensor]:
    """Return f(*primals) and its derivative along tangents, float64; f is called once.

    Args:
        f: takes as many tensors as there are primals, of complex128 here; returns one.
        primals: tensors or arrays, float32 ones widened exactly.
        tangents: what each primal moves along, of its shape.

    Raises ShapeError, DTypeError and ArgumentError for what does not fit, and
    DTypeError where f casts to real numbers.

    >>> from minigrad.tape import tensor
    >>> y, dy = jvp(lambda x: (x * x).sum(), (tensor([1.0, 2.0]),), ([1.0, 0.5],))
    >>> y.item(), dy.item()
    (5.0, 4.0)
    """
    move = Move.along("jvp", primals, tangents)
    with complex_pass("jvp"), no_grad():
        y = expect_result("jvp", "f", f(*map(Tensor, move.points)))
    return Tensor(_real(y.data)), Tensor(move.slope(y.data))


def hvp(
    f: Callable[..., Tensor], primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[Tensor, ...]:
    """Return f(*primals), and for each primal its part of H v, float64.

    H holds the second derivatives of the scalar f by all primals, v the tangents; f is
    called once, and no tensor's .grad changes. Arguments and errors are those of jvp,
    and ShapeError if f is no scalar.

    >>> y, hv = hvp(lambda x: (x * x * x).sum(), ([1.0, 2.0],), ([1.0, 0.0],))
    >>> y.item(), hv.tolist()
    (9.0, [6.0, 0.0])
    """
    move = Move.along("hvp", primals, tangents)
    leaves = [Tensor(point, requires_grad=True) for point in move.points]
    with complex_pass("hvp") as first, enable_grad():
        y = expect_scalar("hvp", "f", f(*leaves))
        found = gradients_of(y, leaves, first)
    parts = [
        array_module(leaf.data).zeros(leaf.shape) if dx is None else move.slope(dx)
        for leaf, dx in zip(leaves, found, strict=True)
    ]
    return Tensor(_real(y.data)), *map(Tensor, parts)


class Move(NamedTuple):
    """Arrays at x + i STEP v / scale, with a scale of about max |v|, a power of two."""

    points: list[Array]
    scale: float

    @classmethod
    def along(cls, who: str, primals: Sequence[Any], tangents: Sequence[Any]) -> Move:
        """Check arrays x and what they move along, and move them."""
        for what, given in (("primals", primals), ("tangents", tangents)):
            if not isinstance(given, tuple | list):
                rule = "a tuple of tensors or arrays"
                raise ArgumentError(
                    got(who, f"{what} is a", type(given).__name__, rule)
                )
        if len(primals) != len(tangents):
            count = len(tangents)
            raise ArgumentError(
                got(
                    who, "tangents given", count, f"one each for {len(primals)} primals"
                )
            )
        xs = [_floats(who, f"primals[{at}]", x) for at, x in enumerate(primals)]
        vs = [
            _tangent(who, f"tangents[{at}]", v, x)
            for at, (v, x) in enumerate(zip(tangents, xs, strict=True))
        ]
        return cls.of(xs, vs)

    @classmethod
    def of(cls, xs: Sequence[Array], vs: Sequence[Array]) -> Move:
        """Move arrays of floats along finite ones of their shapes."""
        longest = max((_largest(v) for v in vs), default=0.0)
        # Within bounds so that scale and 1 / scale are ordinary numbers.
        exponent = min(max(math.frexp(longest)[1], -1000), 1000)
        scale = 2.0**exponent
        pairs = zip(xs, vs, strict=True)
        return cls([x + v / scale * (1j * STEP) for x, v in pairs], scale)

    def slope(self, value: Array) -> Array:
        """Return the derivative along v from what was computed at the points."""
        return as_array(array_module(value).imag(value) / STEP * self.scale)


def _floats(who: str, what: str, value: Any) -> Array:
    """Return the array of value; raise DTypeError unless it is one of floats."""
    data = value.data if isinstance(value, Tensor) else value
    data = data if is_array(data) else numpy.asarray(data)
    if data.dtype.kind != "f":
        rule = "a float dtype; close over what is not differentiated"
        raise DTypeError(got(who, f"{what} has dtype", data.dtype, rule))
    return data


def _tangent(who: str, what: str, value: Any, x: Array) -> Array:
    """Return value as float64 on the backend of x, whose shape it must have."""
    v = to_backend(_floats(who, what, value), backend_of(x).name).astype("float64")
    if v.shape != x.shape:
        raise ShapeError(got(who, f"{what} has shape", v.shape, f"{x.shape}"))
    if not _largest(v) < math.inf:
        raise ArgumentError(
            f"{who}: {what} has elements that are not finite, expected finite ones"
        )
    return v


def _largest(v: Array) -> float:
    xp = array_module(v)
    return float(to_host(xp.max(xp.abs(v)))) if v.size else 0.0


def _real(value: Array) -> Array:
    return as_array(array_module(value).real(value).astype("float64"))


@contextmanager
def complex_pass(who: str) -> Generator[int]:
    """Run what no observer sees, where a cast to real numbers raises DTypeError.

    Gives the number that the first node made inside will exceed.
    """
    watching = modes.observers.set(()), modes.tracers.set(())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ComplexWarning)
            yield graph.next_number()
    except ComplexWarning as error:
        raise DTypeError(
            f"{who}: a complex number is cast to a real one, which drops the "
            "derivative; expected tensors throughout, whose kernels take both"
        ) from error
    finally:
        modes.observers.reset(watching[0])
        modes.tracers.reset(watching[1])


def expect_result(who: str, what: str, y: Any) -> Tensor:
    """Return y; raise unless it is a tensor of real numbers or of complex128."""
    if not isinstance(y, Tensor):
        raise ArgumentError(
            got(who, f"{what} returned a", type(y).__name__, "a Tensor")
        )
    if y.dtype.kind != "f" and y.dtype != "complex128":
        rule = "complex128, or floats if it depends on no input"
        raise DTypeError(got(who, f"{what} returned dtype", y.dtype, rule))
    return y


def expect_scalar(who: str, what: str, y: Any) -> Tensor:
    """Return y; raise unless it is a tensor of one number."""
    if expect_result(who, what, y).size != 1:
        remedy = "reduce it with .mean() or .sum()"
        raise ShapeError(
            got(who, f"{what} returned shape", y.shape, "a scalar", remedy)
        )
    return y


def gradients_of(y: Tensor, wanted: Sequence[Tensor], first: int) -> list[Array | None]:
    """Return dy/dx for each of wanted, None where no path leads to it.

    The gradients that tensors hold stay as they are, and so do graphs made before node
    number first.
    """
    nodes, leaves = _below(y)
    held = [(leaf, leaf.cotangent, leaf.owned) for leaf in leaves.values()]
    passes = backward.passes
    try:
        for leaf in leaves.values():
            leaf.cotangent, leaf.owned = None, True
        if y.requires_grad:
            y.backward(retain_graph=any(node.number < first for node in nodes))
        return [x.cotangent if id(x) in leaves else None for x in wanted]
    finally:
        # What explains a missing gradient is not to count this pass.
        backward.passes = passes
        for leaf, cotangent, owned in held:
            leaf.cotangent, leaf.owned = cotangent, owned


def _below(y: Tensor) -> tuple[list[Node], dict[int, Tensor]]:
    """List the nodes that y depends on, and by id the tensors that get a gradient."""
    nodes = [] if y.node is None else [y.node]
    leaves = {id(y): y} if y.node is None else {}
    seen = set(nodes)
    for node in nodes:
        for target in (*node.targets, node.tensor):
            if isinstance(target, Tensor):
                leaves[id(target)] = target
            elif target is not None and target not in seen:
                seen.add(target)
                nodes.append(target)
    return nodes, leaves

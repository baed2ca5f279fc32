"""Scaled dot-product attention: y = p v, p = softmax(scale * q k' + bias).

Source: Vaswani et al. 2017, arXiv:1706.03762, eq. 1 (scale = 1 / sqrt(E)). A mask that
says who may attend to whom is a bias of 0 and -inf; dropout acts on p.

v has the term `direct`. The scores s carry the gradient of q, k and bias, and softmax
splits it: `direct` holds the sum of exp(s) fixed and draws a query towards the keys
whose values help; `through_sum` is what changing that sum takes from all keys.

The probabilities p are kept for the backward: memory grows with L * S.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy
from numpy import ndarray

from minigrad.backend import array_module, parallel_for
from minigrad.errors import DTypeError, got
from minigrad.kernels._arguments import real
from minigrad.kernels._attention import (
    expect_broadcasting,
    expect_readers,
    scores_shape,
)
from minigrad.kernels._drawn import scale_of
from minigrad.kernels._once import Once
from minigrad.kernels._reduction import total
from minigrad.kernels._spec import Kernel, expect_float
from minigrad.typing import Array, Result, Shape, Terms

LARGE: Final = 1 << 14
"""From so many scores a matrix on, NumPy goes matrix by matrix, shared by all threads.
Matrices of 32 x 32 take three times as long one by one as in one stack."""


class Saved(NamedTuple):
    """The inputs, the result y (..., L, Ev) and the probabilities p (..., L, S).

    keep is () or broadcasts to p; gain is 1 / keep_prob.
    """

    q: Array
    k: Array
    v: Array
    keep: Array
    y: Array
    p: Array
    scale: float
    gain: float
    once: Once


def with_mask(
    q: Array,
    k: Array,
    v: Array,
    mask: Array,
    keep: Array,
    *,
    scale: float,
    keep_prob: float = 1.0,
) -> Result:
    """Let queries q (..., L, E) read v (..., S, Ev) by keys k (..., S, E).

    mask, booleans that broadcast to (..., L, S), is True where a query may read; ()
    stands for all True. keep (..., L, S) is True where dropout leaves p, which is then
    divided by keep_prob; () stands for no dropout. A query that may read nothing
    raises ArgumentError, and to look for one waits for a device.
    """
    expect_float("attention", q=q, k=k, v=v)
    shape = scores_shape("attention", q, k, v)
    expect_broadcasting("attention", shape, mask=mask, keep=keep)
    if mask.dtype.kind != "b":
        rule = "booleans, True where a query may attend"
        raise DTypeError(got("attention", "mask has dtype", mask.dtype, rule))
    bias = None
    if mask.ndim:
        expect_readers("attention", mask, shape)
        zero = array_module(mask).zeros((), q.dtype)
        bias = array_module(mask).where(mask, zero, -math.inf)
    return _attend("attention", shape, (q, k, v), bias, keep, scale, keep_prob)


def with_bias(
    q: Array,
    k: Array,
    v: Array,
    b: Array,
    keep: Array,
    *,
    scale: float,
    keep_prob: float = 1.0,
) -> Result:
    """Do what with_mask does, with numbers b, as (..., L, S), added to the scores."""
    name = "attention_with_bias"
    expect_float(name, q=q, k=k, v=v, b=b)
    shape = scores_shape(name, q, k, v)
    expect_broadcasting(name, shape, b=b, keep=keep)
    expect_readers(name, b.real > -math.inf, shape)
    return _attend(name, shape, (q, k, v), b, keep, scale, keep_prob)


def _by_matrix(
    formula: Callable[..., tuple[Array, ...]], size: int, *arrays: Array | None
) -> tuple[Array, ...]:
    """Call formula on stacks of matrices (..., M, N); None is passed on as it is.

    size is the number of scores a matrix.
    """
    stacks = [array for array in arrays if array is not None]
    lead = numpy.broadcast_shapes(*(array.shape[:-2] for array in stacks))
    if size < LARGE or math.prod(lead) < 2 or type(stacks[0]) is not ndarray:
        return formula(*arrays)
    views = [
        None if array is None else numpy.broadcast_to(array, lead + array.shape[-2:])
        for array in arrays
    ]

    def at(place: tuple[int, ...]) -> tuple[Array, ...]:
        return formula(*(None if view is None else view[place] for view in views))

    places = list(numpy.ndindex(lead))
    first = at(places[0])
    results = tuple(numpy.empty(lead + part.shape, part.dtype) for part in first)

    def body(number: int) -> None:
        parts = at(places[number]) if number else first
        for result, part in zip(results, parts, strict=True):
            result[places[number]] = part

    parallel_for(len(places), body)
    return results


def _dropped(p: Array, keep: Array | None, gain: float) -> Array:
    return p if keep is None else p * keep * gain


def _attend(
    name: str,
    shape: Shape,
    arrays: tuple[Array, Array, Array],
    bias: Array | None,
    keep: Array,
    scale: float,
    keep_prob: float,
) -> Result:
    scale = real(name, "scale", scale)
    gain = scale_of(name, keep_prob)
    xp = array_module(*arrays)

    def attend(
        q: Array, k: Array, v: Array, bias: Array | None, keep: Array | None
    ) -> tuple[Array, ...]:
        p = (q * scale) @ k.swapaxes(-1, -2)
        if bias is not None:
            # In place unless the sum has a wider dtype: complex beside real.
            p = xp.add(p, bias, out=p if p.dtype == bias.dtype else None)
        p -= p.real.max(axis=-1, keepdims=True)
        xp.exp(p, out=p)
        p /= total(p, -1, keepdims=True)
        return _dropped(p, keep, gain) @ v, p

    q, k, v = arrays
    # v may have batch axes of its own; p gets all.
    wide = xp.broadcast_to(q, shape[:-2] + q.shape[-2:])
    size = shape[-2] * shape[-1]
    y, p = _by_matrix(attend, size, wide, k, v, _matrix(bias), _matrix(keep))
    return y, Saved(q, k, v, keep, y, p, scale, gain, Once())


def _matrix(mask: Array | None) -> Array | None:
    """Give a mask of one row a second axis; () is none."""
    if mask is None or not mask.ndim:
        return None
    return mask if mask.ndim > 1 else mask[None]


def _score_terms(dy: Array, saved: Saved) -> Terms:
    """Split the gradient of the scores: p fixed in its sum, and through the sum."""
    dp = dy @ saved.v.swapaxes(-1, -2)
    dp = _dropped(dp, _matrix(saved.keep), saved.gain)
    # The sum over keys of p dp is that over features of y dy, which are fewer.
    mean = total(dy * saved.y, -1, keepdims=True)
    return {"direct": saved.p * dp, "through_sum": saved.p * -mean}


def _score_gradient(
    dy: Array, y: Array, p: Array, v: Array, keep: Array | None, gain: float
) -> Array:
    """Return the sum of _score_terms."""
    dp = _dropped(dy @ v.swapaxes(-1, -2), keep, gain)
    return p * (dp - total(dy * y, -1, keepdims=True))


def _q_gradient(ds: Array, k: Array, scale: float) -> Array:
    return ds @ (k * scale)


def _k_gradient(ds: Array, q: Array, scale: float) -> Array:
    return ds.swapaxes(-1, -2) @ (q * scale)


def _q_terms(dy: Array, saved: Saved) -> Terms:
    parts = _score_terms(dy, saved).items()
    return {name: _q_gradient(ds, saved.k, saved.scale) for name, ds in parts}


def _k_terms(dy: Array, saved: Saved) -> Terms:
    parts = _score_terms(dy, saved).items()
    return {name: _k_gradient(ds, saved.q, saved.scale) for name, ds in parts}


def _gradients(dy: Array, saved: Saved) -> dict[str, Array]:
    """Form those of q and k together, so that the scores' need not be kept."""
    q, k, v, keep, y, p, scale, gain, _ = saved

    def at(
        dy: Array, y: Array, p: Array, q: Array, k: Array, v: Array, keep: Any
    ) -> tuple[Array, ...]:
        ds = _score_gradient(dy, y, p, v, keep, gain)
        return _q_gradient(ds, k, scale), _k_gradient(ds, q, scale)

    size = p.shape[-2] * p.shape[-1]
    dq, dk = _by_matrix(at, size, dy, y, p, q, k, v, _matrix(keep))
    return {"q": dq, "k": dk}


def _q_fused(dy: Array, saved: Saved) -> Array:
    return saved.once.take("q", _gradients, dy, saved)


def _k_fused(dy: Array, saved: Saved) -> Array:
    return saved.once.take("k", _gradients, dy, saved)


def _b_fused(dy: Array, saved: Saved) -> Array:
    def at(
        dy: Array, y: Array, p: Array, v: Array, keep: Array | None
    ) -> tuple[Array, ...]:
        return (_score_gradient(dy, y, p, v, keep, saved.gain),)

    p = saved.p
    size = p.shape[-2] * p.shape[-1]
    return _by_matrix(at, size, dy, saved.y, p, saved.v, _matrix(saved.keep))[0]


def _v_terms(dy: Array, saved: Saved) -> Terms:
    """Send dy back to the values, in proportion to p."""

    def at(dy: Array, p: Array, keep: Array | None) -> tuple[Array, ...]:
        return (_dropped(p, keep, saved.gain).swapaxes(-1, -2) @ dy,)

    p = saved.p
    size = p.shape[-2] * p.shape[-1]
    return {"direct": _by_matrix(at, size, dy, p, _matrix(saved.keep))[0]}


ATTENTION_KERNEL = Kernel(
    name="attention",
    forward=with_mask,
    terms={"q": _q_terms, "k": _k_terms, "v": _v_terms, "mask": None, "keep": None},
    fused={"q": _q_fused, "k": _k_fused},
)
ATTENTION_WITH_BIAS_KERNEL = Kernel(
    name="attention_with_bias",
    forward=with_bias,
    terms={
        "q": _q_terms,
        "k": _k_terms,
        "v": _v_terms,
        "b": _score_terms,
        "keep": None,
    },
    fused={"q": _q_fused, "k": _k_fused, "b": _b_fused},
)

"""Attention of tensors."""

from __future__ import annotations

import math
from typing import Any

from minigrad.backend import array_module, backend_of, parallel_for, to_backend
from minigrad.errors import ArgumentError, DTypeError, got
from minigrad.functional._draws import Source, expect_probability, next_draw
from minigrad.functional._inputs import as_tensor
from minigrad.kernels import attention
from minigrad.kernels._attention import scores_shape
from minigrad.random import keep_mask
from minigrad.tape import Tensor, apply
from minigrad.typing import Shape


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    *,
    rng: Source = None,
) -> Tensor:
    """Let each query read the values, by how well it fits their keys: y (..., L, Ev).

    y = softmax(scale * query key' + bias) value. The terms of query and key are
    `direct` and `through_sum`; memory grows with L * S. See minigrad.kernels.attention.

    Args:
        query: (..., L, E); batch axes, such as those of heads, broadcast.
        key: (..., S, E).
        value: (..., S, Ev).
        attn_mask: as (..., L, S): booleans, True where a query may attend, or numbers
            of the dtype of query that are added to the scores and may need a gradient.
        dropout_p: probability to drop each of the softmax's results, in [0, 1]; 0 in
            evaluation, for nothing here knows of training. Rounded to n / 65536.
        is_causal: whether query i attends to the keys 0 to i only; without attn_mask.
        scale: of the scores; default 1 / sqrt(E).
        rng: draws what is dropped; default: the stream "dropout" of the default
            streams.

    Raises ShapeError where axes disagree, and ArgumentError for a query that may attend
    to nothing, where PyTorch gives 0 (before 2.5 NaN): 0 would look like a result.
    Looking for one waits for a device.

    >>> from minigrad.tape import tensor
    >>> x = tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> y = scaled_dot_product_attention(x, x, x, is_causal=True)
    >>> [[round(number, 4) for number in row] for row in y.tolist()]
    [[1.0, 0.0], [0.3302, 0.6698]]
    """
    who = "scaled_dot_product_attention"
    q, k, v = as_tensor(query), as_tensor(key), as_tensor(value)
    shape = scores_shape(who, q.data, k.data, v.data)
    if is_causal and attn_mask is not None:
        raise ArgumentError(
            f"{who}: is_causal beside attn_mask, expected one of them; "
            "mask the keys behind each query in attn_mask, too"
        )
    mask = _mask(who, q, shape, attn_mask, is_causal)
    keep, keep_prob = array_module(q.data).ones((), bool), 1.0
    expect_probability(who, dropout_p)
    if dropout_p:
        draw = next_draw(rng, "dropout")
        host, keep_prob = keep_mask(draw, shape, dropout_p, loop=parallel_for)
        keep = to_backend(host, backend_of(q.data).name)
    kernel = attention.ATTENTION_KERNEL
    if mask.dtype.kind == "f":
        kernel = attention.ATTENTION_WITH_BIAS_KERNEL
    if scale is None:
        scale = 1 / math.sqrt(q.shape[-1])
    return apply(kernel, q, k, v, mask, keep, scale=scale, keep_prob=keep_prob)


def _mask(who: str, q: Tensor, shape: Shape, attn_mask: Any, is_causal: bool) -> Tensor:
    """Return booleans or numbers that broadcast to the scores; () for no mask."""
    xp = array_module(q.data)
    if is_causal:
        return Tensor(xp.tri(*shape[-2:], 0, bool))
    if attn_mask is None:
        return Tensor(xp.ones((), bool))
    mask = as_tensor(attn_mask)
    if mask.dtype.kind not in "bf":
        rule = "bool, or a float dtype for numbers to add to the scores"
        raise DTypeError(got(who, "attn_mask has dtype", mask.dtype, rule))
    # To the kernel () is no mask at all.
    return mask if mask.ndim else mask.reshape(1, 1)

"""Looking rows of a table up by number."""

from __future__ import annotations

from typing import Any

from minigrad.backend import is_array
from minigrad.kernels import embedding as embedding_kernel
from minigrad.tape import Tensor, apply, tensor


def embedding(x: Any, weight: Any, padding_idx: int | None = None) -> Tensor:
    """Look the rows x of weight up: y[...] = weight[x[...]].

    Args:
        x: integers (...) in [0, V), as a tensor, an array or lists.
        weight: (V, D).
        padding_idx: a row that gets no gradient, in [-V, V); None: every row gets one.

    y (..., D) has the dtype of weight. A row that is read several times gets the sum of
    the gradients, added in a fixed order. Raises BadIndexError (an ArgumentError and an
    IndexError) for an index out of range, negative ones included; to look for one waits
    for a device. DTypeError for an x that is not of integers.

    >>> from minigrad.tape import tensor
    >>> embedding([[2, 0]], tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])).tolist()
    [[[5.0, 6.0], [1.0, 2.0]]]
    """
    if not isinstance(x, Tensor) and not is_array(x):
        x = tensor(x)
        # Of an empty list tensor makes floats.
        x = x if x.size else x.to("int64")
    return apply(embedding_kernel.KERNEL, x, weight, padding_idx=padding_idx)

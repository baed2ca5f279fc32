"""Sums over the pieces of a convolution, shared by all threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from minigrad.backend import array_module, num_threads, parallel_for
from minigrad.typing import Array

_Piece = TypeVar("_Piece")


def fill_with_sum(
    out: Array, pieces: Sequence[_Piece], add: Callable[[_Piece, Array], None]
) -> None:
    """Fill out with what add(piece, sums) adds to sums, zeros like out, over pieces.

    Each thread has a fixed share of pieces and sums of its own, so that the result does
    not depend on which thread was faster.
    """
    shares = max(1, min(num_threads(), len(pieces)))
    xp = array_module(out)
    sums = xp.zeros((shares, *out.shape), out.dtype)

    def body(share: int) -> None:
        for piece in pieces[share::shares]:
            add(piece, sums[share])

    parallel_for(shares, body)
    xp.sum(sums, axis=0, out=out)

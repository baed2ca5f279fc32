"""The layer that turns tokens into vectors."""

from __future__ import annotations

from typing import Any, Self

from numpy.random import Generator

from minigrad import functional as F
from minigrad.errors import ShapeError, got
from minigrad.functional._inputs import as_tensor
from minigrad.kernels._arguments import per_axis
from minigrad.kernels._spec import expect_float
from minigrad.kernels.embedding import padding_row
from minigrad.nn import init
from minigrad.nn.module import Module, new_parameter
from minigrad.tape import Parameter, Tensor
from minigrad.typing import DType


class Embedding(Module):
    """A table of vectors: y (..., embedding_dim) are its rows x (...).

    weight (num_embeddings, embedding_dim) starts standard normal, as in PyTorch, of
    whose arguments max_norm, norm_type, scale_grad_by_freq and sparse are missing.

    Args:
        num_embeddings: number of rows; the indices are 0 to num_embeddings - 1.
        embedding_dim: length of a row.
        padding_idx: a row that starts as zeros and gets no gradient; a negative one
            counts from the end.
        dtype: of the weight.
        rng: draws the weight; default: the stream "init" of the default streams.

    >>> from minigrad import nn, tensor
    >>> layer = nn.Embedding(10, 3, padding_idx=0)
    >>> layer(tensor([[4, 0]])).shape, layer(tensor(0)).tolist()
    ((1, 2, 3), [0.0, 0.0, 0.0])
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        dtype: DType = "float32",
        rng: Generator | None = None,
        _weight: Parameter | None = None,
    ) -> None:
        (count,) = per_axis("Embedding", "num_embeddings", num_embeddings, 1, 1)
        (length,) = per_axis("Embedding", "embedding_dim", embedding_dim, 1, 1)
        self.num_embeddings, self.embedding_dim = count, length
        self.padding_idx = padding_row("Embedding", padding_idx, count)
        if _weight is not None:
            self.weight = _weight
            return
        weight = new_parameter((count, length), dtype, "weight")
        self.weight = init.normal_(weight, rng=rng)
        if self.padding_idx is not None:
            self.weight.data[self.padding_idx] = 0

    @classmethod
    def from_pretrained(
        cls, embeddings: Any, freeze: bool = True, padding_idx: int | None = None
    ) -> Self:
        """Make a layer of given vectors (num_embeddings, embedding_dim).

        Args:
            embeddings: a tensor or an array, whose memory is shared, or nested lists.
            freeze: whether the weight gets no gradient.
            padding_idx: a row that gets no gradient; it keeps its values.

        Raises ShapeError unless embeddings has two axes, DTypeError unless of floats.

        >>> from minigrad import nn, tensor
        >>> nn.Embedding.from_pretrained([[1.0, 2.0], [3.0, 4.0]])(tensor(1)).tolist()
        [3.0, 4.0]
        """
        who = "Embedding.from_pretrained"
        table = as_tensor(embeddings)
        expect_float(who, embeddings=table.data)
        if table.ndim != 2:
            rule = "(num_embeddings, embedding_dim)"
            raise ShapeError(got(who, "embeddings has shape", table.shape, rule))
        weight = Parameter(table.data, not freeze, "weight")
        num_rows, length = table.shape
        return cls(num_rows, length, padding_idx, _weight=weight)

    def forward(self, x: Tensor) -> Tensor:
        """Look up x (...), integers in [0, num_embeddings)."""
        return F.embedding(x, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        """Describe the sizes, and padding_idx if there is one."""
        sizes = f"{self.num_embeddings}, {self.embedding_dim}"
        row = self.padding_idx
        return sizes if row is None else f"{sizes}, padding_idx={row}"

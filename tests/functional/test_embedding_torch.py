"""Embeddings beside PyTorch's, over random tables, degenerate ones included."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import functional as F
from minigrad import tensor

torch = pytest.importorskip("torch")


def drawn(seed):
    """Draw the indices, the shape of the table, and its row without a gradient."""
    rng = np.random.default_rng(seed)
    rows, length = int(rng.choice([1, 2, 5, 300])), int(rng.integers(1, 9))
    shape = tuple(int(n) for n in rng.integers(0, 8, rng.integers(0, 4)))
    padding_idx = int(rng.integers(-rows, rows)) if seed % 2 else None
    return rng.integers(0, rows, shape), (rows, length), padding_idx


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(50))
def test_rows_and_gradient_are_pytorchs(seed, dtype):
    index, shape, padding_idx = drawn(seed)
    rng = np.random.default_rng(seed)
    w = rng.standard_normal(shape).astype(dtype)
    ours, theirs = tensor(w, requires_grad=True), torch.tensor(w, requires_grad=True)
    found = F.embedding(tensor(index), ours, padding_idx)
    expected = torch.nn.functional.embedding(torch.tensor(index), theirs, padding_idx)
    assert_array_equal(found.numpy(), expected.detach().numpy())
    dy = rng.standard_normal(found.shape).astype(dtype)
    found.backward(dy)
    expected.backward(torch.tensor(dy))
    assert ours.grad.dtype == dtype
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), tolerance, tolerance)

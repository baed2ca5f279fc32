"""The embedding layer: its start, its padding row, vectors from elsewhere."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import functional as F
from minigrad import manual_seed, nn, optim, tensor
from minigrad.errors import (
    ArgumentError,
    BadIndexError,
    DTypeError,
    GraphError,
    ShapeError,
)
from minigrad.random import generator


def test_weight_starts_standard_normal_and_the_padding_row_zero():
    layer = nn.Embedding(500, 20, padding_idx=-1, rng=generator(0, "init"))
    weight = layer.weight.numpy()
    assert weight.dtype == "float32"
    assert_allclose([weight[:-1].mean(), weight[:-1].std()], [0, 1], atol=0.02)
    assert_array_equal(weight[-1], 0)
    assert layer.padding_idx == 499


def test_same_seed_gives_the_same_weight():
    weights = []
    for _ in range(2):
        manual_seed(3)
        weights.append(nn.Embedding(4, 2).weight.numpy())
    assert_array_equal(*weights)


def test_training_leaves_the_padding_row_alone():
    layer = nn.Embedding(5, 3, padding_idx=0)
    before = layer.weight.numpy().copy()
    optimizer = optim.SGD(layer.parameters(), lr=0.1)
    (layer(tensor([[0, 1, 1], [2, 0, 0]])) ** 2).sum().backward()
    optimizer.step()
    assert_array_equal(layer.weight.numpy()[[0, 3, 4]], before[[0, 3, 4]])
    assert_allclose(layer.weight.numpy()[1], before[1] * 0.6, rtol=1e-6)
    assert_allclose(layer.weight.numpy()[2], before[2] * 0.8, rtol=1e-6)


def test_state_has_the_names_of_pytorch():
    torch = pytest.importorskip("torch")
    theirs, ours = torch.nn.Embedding(4, 3, padding_idx=1), nn.Embedding(4, 3, 1)
    state = {key: value.numpy() for key, value in theirs.state_dict().items()}
    ours.load_state_dict(state)
    index = np.array([[3, 1], [0, 0]])
    expected = theirs(torch.tensor(index)).detach().numpy()
    assert_array_equal(ours(tensor(index)).numpy(), expected)
    assert repr(ours) == repr(theirs)


def test_pretrained_vectors_are_frozen_unless_asked():
    vectors = np.arange(6.0).reshape(3, 2)
    frozen = nn.Embedding.from_pretrained(vectors)
    assert_array_equal(frozen(tensor([2, 0])).numpy(), [[4, 5], [0, 1]])
    assert not frozen.weight.requires_grad
    tuned = nn.Embedding.from_pretrained(vectors, freeze=False, padding_idx=0)
    tuned(tensor([0, 1])).sum().backward()
    assert_array_equal(tuned.weight.grad.numpy(), [[0, 0], [1, 1], [0, 0]])
    assert_array_equal(tuned.weight.numpy(), vectors)


def test_pretrained_vectors_draw_nothing():
    streams = manual_seed(0)
    nn.Embedding.from_pretrained(np.zeros((3, 2)))
    assert streams.steps == {}


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (2.5, 3), ("a", 3), (True, 3)])
def test_sizes_that_are_no_counts_are_refused(sizes):
    with pytest.raises(ArgumentError, match=r"embedding.+, expected an int >= 1"):
        nn.Embedding(*sizes)


def test_other_mistakes_are_named():
    with pytest.raises(
        ArgumentError, match="Embedding: padding_idx 4, expected None or"
    ):
        nn.Embedding(4, 3, padding_idx=4)
    with pytest.raises(ShapeError, match=r"embeddings has shape \(3,\), expected"):
        nn.Embedding.from_pretrained([1.0, 2.0, 3.0])
    with pytest.raises(DTypeError, match="embeddings has dtype int64, expected a flo"):
        nn.Embedding.from_pretrained([[1, 2]])
    with pytest.raises(ShapeError, match="nested lists, expected rows of equal length"):
        F.embedding([[0], [1, 2]], tensor([[1.0]]))
    with pytest.raises(
        BadIndexError, match=r"index 4 at \[1\], expected 0 <= index < 4"
    ):
        nn.Embedding(4, 3)(tensor([0, 4]))
    with pytest.raises(GraphError):
        nn.Embedding.from_pretrained([[1.0]])(tensor([0])).backward()


def test_the_layer_runs_on_every_backend(backend):
    layer = nn.Embedding(5, 3, padding_idx=2, rng=generator(0, "init"))
    y = layer(tensor([[4, 2], [4, 0]]))
    y.sum().backward()
    expected = np.array([1, 0, 0, 0, 2])[:, None] * np.ones(3)
    assert_array_equal(layer.weight.grad.numpy(), expected)

"""Normalisation beside PyTorch: forward and every gradient, on drawn configurations."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minigrad import functional as F
from minigrad.tape import tensor

torch = pytest.importorskip("torch")

# Of the largest value: float32 sums differ in their order.
CLOSE = {"float32": 2e-5, "float64": 1e-11}


def compare(ours, theirs, arrays, dtype):
    """Run both functions forward and backward and compare all that they give."""
    rng = np.random.default_rng(1)
    arrays = [array.astype(dtype) for array in arrays]
    mine = [tensor(array, requires_grad=True) for array in arrays]
    other = [torch.tensor(array, requires_grad=True) for array in arrays]
    y, wanted = ours(*mine), theirs(*other)
    dy = rng.standard_normal(y.shape).astype(dtype)
    y.backward(dy)
    wanted.backward(torch.tensor(dy))
    pairs = [
        (y, wanted.detach()),
        *((m.grad, o.grad) for m, o in zip(mine, other, strict=True)),
    ]
    for found, expected in pairs:
        found, expected = found.numpy(), expected.numpy()
        assert found.dtype == dtype
        assert found.shape == expected.shape
        scale = max(abs(expected).max(initial=0), 1)
        assert_allclose(found, expected, rtol=0, atol=CLOSE[dtype] * scale)


def draw(seed):
    """Draw a dtype, batch, channels, and up to three axes behind them."""
    rng = np.random.default_rng(seed)
    dtype = "float32" if seed % 2 else "float64"
    space = tuple(int(n) for n in rng.integers(1, 8, rng.integers(0, 4)))
    batch, channels = int(rng.integers(1, 6)), int(rng.integers(1, 10))
    shape = (batch, channels, *space)
    mean, std = rng.choice([0.0, 3.0]), rng.uniform(0.5, 2)
    x = rng.standard_normal(shape) * std + mean
    # Two values that are nearly equal make float32 lose as many digits as eps allows.
    eps = float(rng.choice([1e-3, 0.1] if dtype == "float32" else [1e-5, 0.1]))
    return rng, dtype, x, eps


def vectors(rng, count, *shape):
    return [rng.standard_normal(shape) for _ in range(count)]


@pytest.mark.parametrize("seed", range(60))
def test_batch_norm_is_that_of_pytorch(seed):
    rng, dtype, x, eps = draw(seed)
    if x.size // x.shape[1] < 2:
        x = np.concatenate([x, x + rng.standard_normal(x.shape)])
    channels, momentum = x.shape[1], float(rng.uniform(0, 1))
    running = [rng.standard_normal(channels), rng.uniform(0.5, 2, channels)]
    running = [array.astype(dtype) for array in running]
    mine, other = map(tensor, running), map(torch.tensor, running)
    mine, other = list(mine), list(other)
    training, affine = bool(rng.integers(4)), bool(rng.integers(4))
    options = {"training": training, "momentum": momentum, "eps": eps}
    compare(
        lambda x, *affine: F.batch_norm(x, *mine, *affine, **options),
        lambda x, *affine: torch.nn.functional.batch_norm(
            x, *other, *affine, **options
        ),
        [x, *vectors(rng, 2 * affine, channels)],
        dtype,
    )
    for found, expected in zip(mine, other, strict=True):
        tolerance = CLOSE[dtype]
        assert_allclose(found.numpy(), expected.numpy(), tolerance, tolerance)


@pytest.mark.parametrize("seed", range(60))
def test_layer_norm_is_that_of_pytorch(seed):
    rng, dtype, x, eps = draw(seed)
    shape = x.shape[int(rng.integers(x.ndim)) :]
    compare(
        lambda x, *affine: F.layer_norm(x, shape, *affine, eps=eps),
        lambda x, *affine: torch.nn.functional.layer_norm(x, shape, *affine, eps=eps),
        [x, *vectors(rng, int(rng.integers(3)), *shape)],
        dtype,
    )


@pytest.mark.parametrize("seed", range(60))
def test_group_norm_is_that_of_pytorch(seed):
    rng, dtype, x, eps = draw(seed)
    divisors = [n for n in range(1, x.shape[1] + 1) if x.shape[1] % n == 0]
    groups = int(rng.choice(divisors))
    if x.size == groups:
        # PyTorch refuses one value a group and a batch of one.
        x = np.concatenate([x, -x])
    compare(
        lambda x, *affine: F.group_norm(x, groups, *affine, eps=eps),
        lambda x, *affine: torch.nn.functional.group_norm(x, groups, *affine, eps=eps),
        [x, *vectors(rng, int(rng.integers(3)), x.shape[1])],
        dtype,
    )


@pytest.mark.parametrize("seed", range(40))
def test_local_response_norm_is_that_of_pytorch(seed):
    rng, dtype, x, _ = draw(seed)
    if x.ndim < 3:
        x = x[..., None]
    size = int(rng.integers(1, 8))
    numbers = [
        float(v) for v in (rng.uniform(0, 2), rng.uniform(0, 1), 1 + rng.random())
    ]
    compare(
        lambda x: F.local_response_norm(x, size, *numbers),
        lambda x: torch.nn.functional.local_response_norm(x, size, *numbers),
        [x],
        dtype,
    )


@pytest.mark.parametrize("seed", range(40))
def test_normalize_is_that_of_pytorch(seed):
    rng, dtype, x, _ = draw(seed)
    axis, eps = int(rng.integers(-x.ndim, x.ndim)), float(rng.choice([1e-12, 1.0]))
    compare(
        lambda x: F.normalize(x, axis=axis, eps=eps),
        lambda x: torch.nn.functional.normalize(x, dim=axis, eps=eps),
        [x],
        dtype,
    )


@pytest.mark.parametrize("seed", range(40))
def test_cosine_similarity_is_that_of_pytorch(seed):
    rng, dtype, x, _ = draw(seed)
    axis = int(rng.integers(-x.ndim, x.ndim))
    other = rng.standard_normal(x.shape)[: rng.integers(1, 2 + (x.shape[0] < 2))]
    compare(
        lambda a, b: F.cosine_similarity(a, b, axis=axis),
        lambda a, b: torch.nn.functional.cosine_similarity(a, b, dim=axis),
        [x, other],
        dtype,
    )


@pytest.mark.parametrize("shape", [(0, 4), (0, 4, 3), (2, 4, 0)])
def test_empty_batches_go_as_in_pytorch(shape):
    x = np.zeros(shape)
    functional = torch.nn.functional
    options = {"training": False}
    statistics = np.zeros(4), np.ones(4)
    compare(
        lambda x: F.batch_norm(x, *map(tensor, statistics), **options),
        lambda x: functional.batch_norm(x, *map(torch.tensor, statistics), **options),
        [x],
        "float64",
    )
    compare(
        lambda x: F.group_norm(x, 2),
        lambda x: functional.group_norm(x, 2),
        [x],
        "float64",
    )
    last = shape[-1:]
    compare(
        lambda x: F.layer_norm(x, last),
        lambda x: functional.layer_norm(x, last),
        [x],
        "float64",
    )


@pytest.mark.parametrize("mean", [0.0, 1000.0])
def test_float32_statistics_of_a_large_batch_are_those_of_pytorch(mean):
    x = np.random.default_rng(0).standard_normal((16, 8, 70, 70)) + mean
    x = x.astype("float32")
    mine = [tensor(np.zeros(8, "float32")), tensor(np.zeros(8, "float32"))]
    other = [torch.zeros(8), torch.zeros(8)]
    F.batch_norm(tensor(x), *mine, training=True, momentum=1.0)
    torch.nn.functional.batch_norm(torch.tensor(x), *other, training=True, momentum=1.0)
    for found, expected in zip(mine, other, strict=True):
        assert_allclose(found.numpy(), expected.numpy(), rtol=1e-5, atol=1e-5)

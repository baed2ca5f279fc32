"""Attention beside PyTorch's, over random heads and masks, and what it refuses."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import functional as F
from minigrad import tensor
from minigrad.errors import ArgumentError, DTypeError, GraphError, ShapeError
from minigrad.random import generator

attend = F.scaled_dot_product_attention


def drawn(seed):
    """Draw q, k, v, a mask or None, and the options."""
    rng = np.random.default_rng(seed)
    queries, keys = (int(n) for n in rng.integers(1, 9, 2))
    if seed % 9 == 0:
        queries, keys = 150, 130  # Large enough for one matrix at a time.
    length, width = (int(n) for n in rng.integers(1, 9, 2))
    lead = tuple(int(n) for n in rng.integers(1, 4, rng.integers(0, 3)))
    if seed % 10 == 1:
        lead = (0, 2)
    own = [tuple(1 if rng.random() < 0.2 else n for n in lead) for _ in "qkv"]
    ends = ((queries, length), (keys, length), (keys, width))
    arrays = [
        rng.standard_normal(front + end) for front, end in zip(own, ends, strict=True)
    ]
    # PyTorch's mask must not have batch axes that only v has.
    full = np.broadcast_shapes(*own[:2])
    options = {"scale": None if seed % 2 else float(rng.normal())}
    kind, mask = seed % 4, None
    front = full if rng.random() < 0.5 else ()
    if kind == 1:
        options["is_causal"] = True
    elif kind == 2:
        mask = rng.random((*front, queries, keys)) < 0.6
        mask[..., int(rng.integers(keys))] = True
    elif kind == 3:
        mask = rng.standard_normal((*front, queries, keys))
    return arrays, mask, options


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(64))
def test_result_and_gradients_are_pytorchs(seed, dtype):
    torch = pytest.importorskip("torch")
    arrays, mask, options = drawn(seed)
    arrays = [array.astype(dtype) for array in arrays]
    ours = [tensor(array, requires_grad=True) for array in arrays]
    theirs = [torch.tensor(array, requires_grad=True) for array in arrays]
    if mask is not None:
        biased = mask.dtype == float
        mask = mask.astype(dtype) if biased else mask
        ours.append(tensor(mask, requires_grad=biased))
        theirs.append(torch.tensor(mask, requires_grad=biased))
    found = attend(*ours, **options)
    expected = torch.nn.functional.scaled_dot_product_attention(*theirs, **options)
    dy = np.random.default_rng(seed).standard_normal(found.shape).astype(dtype)
    found.backward(dy)
    expected.backward(torch.tensor(dy))
    pairs = [(found.numpy(), expected.detach().numpy())]
    pairs += [
        (our.grad.numpy(), their.grad.numpy())
        for our, their in zip(ours, theirs, strict=True)
        # For an empty batch PyTorch gives a mask no gradient.
        if their.grad is not None
    ]
    tolerance = 2e-5 if dtype == "float32" else 1e-12
    for our, their in pairs:
        assert our.dtype == their.dtype == dtype
        largest = max(1, np.abs(their).max(initial=0))
        assert_allclose(our, their, rtol=0, atol=tolerance * largest)


X = np.random.default_rng(0).standard_normal((2, 4, 3))


def test_dropout_keeps_the_mean_and_gates_the_gradient():
    ones = tensor(np.ones((200, 3), "float32"), requires_grad=True)
    y = attend(ones, ones, ones, dropout_p=0.5, rng=generator(0, "mask"))
    assert_allclose(y.numpy().mean(), 1, atol=0.02)
    assert len(np.unique(y.numpy())) > 10
    y.backward(np.ones_like(y.data))
    assert_allclose(ones.grad.numpy().sum(), y.numpy().sum(), rtol=1e-4)


def test_everything_dropped_gives_zeros():
    assert_array_equal(attend(X, X, X, dropout_p=1.0).numpy(), 0 * X)


def test_same_generator_drops_the_same():
    first, second = (attend(X, X, X, None, 0.3, rng=generator(1, "a")) for _ in "ab")
    assert_array_equal(first.numpy(), second.numpy())


def test_a_boolean_mask_has_no_gradient():
    mask = tensor(np.ones((4, 4), bool))
    x = tensor(X, requires_grad=True)
    attend(x, x, x, mask).sum().backward()
    with pytest.raises(GraphError):
        _ = mask.grad


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"is_causal": True, "attn_mask": X[0, :, :1] > 0},
            ArgumentError,
            "beside attn",
        ),
        ({"dropout_p": 1.5}, ArgumentError, r"p 1.5, expected 0 <= p <= 1"),
        ({"attn_mask": np.ones((4, 4), int)}, DTypeError, "dtype int64, expected bool"),
        ({"attn_mask": np.ones((4, 4), "float32")}, DTypeError, "one float dtype"),
        ({"attn_mask": np.ones((3, 4), bool)}, ShapeError, "mask has shape"),
        (
            {"attn_mask": np.zeros((4, 4), bool)},
            ArgumentError,
            r"row \[0\] of the mask",
        ),
        ({"attn_mask": False}, ArgumentError, r"row \[0\] of the mask lets"),
        ({"attn_mask": np.zeros(4, bool)}, ArgumentError, "attention: the mask lets a"),
        ({"scale": "a"}, ArgumentError, "scale 'a', expected a number"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_named(options, error, message):
    with pytest.raises(error, match=message):
        attend(X, X, X, **options)


def test_axes_that_disagree_are_named():
    message = r"scaled_dot_product_attention: q has shape \(2, 4, 2\), expected a last"
    with pytest.raises(ShapeError, match=message):
        attend(X[..., :2], X, X)

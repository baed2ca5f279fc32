"""Losses of labels, distributions and margins beside PyTorch's, over random shapes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minigrad import functional as F
from minigrad import tensor
from minigrad.errors import ArgumentError, BadIndexError, MinigradError, ShapeError

REDUCTIONS = ("mean", "sum", "none")


def lengths(rng, low, high, count):
    return tuple(int(n) for n in rng.integers(low, high, count))


def drawn_nll(rng, seed):
    classes, tail = int(rng.integers(1, 6)), lengths(rng, 1, 4, rng.integers(0, 3))
    batch = () if not tail and seed % 5 == 0 else lengths(rng, 0, 6, 1)
    x = rng.standard_normal((*batch, classes, *tail))
    t = rng.integers(0, classes, batch + tail)
    options = {"ignore_index": -100}
    if seed % 3 == 0:
        options["ignore_index"] = int(rng.integers(classes))
    if seed % 2:
        options["weight"] = rng.random(classes) + 0.1
    return [x, t], options


def drawn_kl(rng, seed):
    shape = lengths(rng, 1, 5, rng.integers(0, 4))
    options = {"log_target": bool(seed % 2)}
    if seed % 5 == 0:
        options["reduction"] = "batchmean"
    return [rng.standard_normal(shape), rng.random(shape) + 0.1], options


def drawn_margin(rng, seed):
    classes = int(rng.integers(1, 6))
    # Of an empty batch PyTorch reads memory that it never wrote.
    batch = () if seed % 5 == 0 else lengths(rng, 1, 6, 1)
    x = rng.standard_normal((*batch, classes))
    options = {"p": 1 + seed % 2, "margin": float(rng.random() * 2)}
    if seed % 3 == 0:
        options["weight"] = rng.random(classes)
    return [x, rng.integers(0, classes, batch)], options


def drawn_embedding(rng, seed):
    shape = lengths(rng, 0, 5, rng.integers(0, 4))
    t = np.where(rng.random(shape) < 0.5, -1, 1)
    t = t.astype(float) if seed % 2 else t
    return [rng.standard_normal(shape), t], {"margin": float(rng.random() * 2)}


DRAWN = {
    "nll_loss": drawn_nll,
    "kl_div": drawn_kl,
    "multi_margin_loss": drawn_margin,
    "hinge_embedding_loss": drawn_embedding,
}


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(42))
@pytest.mark.parametrize("name", list(DRAWN))
def test_loss_and_gradients_are_pytorchs(name, seed, dtype):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng((seed, len(name)))
    drawn, options = DRAWN[name](rng, seed)
    arrays = [np.asarray(array) for array in drawn]
    arrays = [a.astype(dtype) if a.dtype == float else a for a in arrays]
    options = {"reduction": str(rng.choice(REDUCTIONS)), **options}
    # PyTorch gives hinge targets no gradient; only those of kl_div have one.
    needs = [True, name == "kl_div"]
    pairs = list(zip(arrays, needs, strict=True))
    ours = [tensor(a, requires_grad=need) for a, need in pairs]
    theirs = [torch.tensor(a, requires_grad=need) for a, need in pairs]
    for_torch = dict(options)
    if "weight" in options:
        options["weight"] = options["weight"].astype(dtype)
        for_torch["weight"] = torch.tensor(options["weight"])
    expected = getattr(torch.nn.functional, name)(*theirs, **for_torch)
    if not np.isfinite(expected.detach().numpy()).all():
        # The mean of nothing.
        with pytest.raises(MinigradError, match="mean"):
            getattr(F, name)(*ours, **options)
        return
    found = getattr(F, name)(*ours, **options)
    assert found.shape == tuple(expected.shape)
    dy = np.asarray(rng.standard_normal(found.shape), dtype)
    found.backward(dy)
    expected.backward(torch.tensor(dy))
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    assert found.dtype == dtype
    assert_allclose(found.numpy(), expected.detach().numpy(), tolerance, tolerance)
    for our, their, need in zip(ours, theirs, needs, strict=True):
        if need:
            assert our.grad.dtype == dtype
            assert_allclose(our.grad.numpy(), their.grad.numpy(), tolerance, tolerance)


def test_hinge_is_multi_margin_of_two_classes():
    rng = np.random.default_rng(0)
    x, signs = rng.standard_normal(9), rng.choice([-1, 1], 9)
    # The distance of the two scores is x, and each loss is divided by two classes.
    scores = np.stack([-x / 2, x / 2], axis=1)
    found = F.hinge_loss(tensor(x), signs)
    both = F.multi_margin_loss(tensor(scores), (signs + 1) // 2)
    assert_allclose(found.item(), 2 * both.item(), rtol=1e-12)


def test_nll_of_log_softmax_is_cross_entropy():
    rng = np.random.default_rng(0)
    x, t = tensor(rng.standard_normal((4, 3, 2))), rng.integers(0, 3, (4, 2))
    found = F.nll_loss(F.log_softmax(x, axis=1), t)
    assert_allclose(found.item(), F.cross_entropy(x, t).item(), rtol=1e-12)


def test_labels_and_weights_come_as_lists():
    x = [[-1.0, -2.0], [-3.0, -4.0]]
    assert F.nll_loss(x, [0, 1], [1.0, 3.0]).item() == 3.25
    assert F.multi_margin_loss(x, [0, 1], weight=[1.0, 3.0]).item() == 1.5
    assert F.hinge_loss([0.5], [1]).item() == 0.5
    assert F.hinge_embedding_loss([0.5], [1]).item() == 0.5


X = np.zeros((2, 3))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: F.nll_loss(X, [[0, 1]]),
            ShapeError,
            r"shape \(1, 2\), expected \(2,\)",
        ),
        (lambda: F.nll_loss(X, [0, 3]), BadIndexError, r"t has label 3 at \[1\]"),
        (lambda: F.nll_loss(X, [-100] * 2), ArgumentError, "labels sum to 0"),
        (lambda: F.nll_loss(0.5, 0), ShapeError, r"target has shape \(\), expected"),
        (
            lambda: F.multi_margin_loss(X, [0]),
            ShapeError,
            r"shape \(1,\), expected that",
        ),
        (lambda: F.hinge_loss(X, X), ArgumentError, "expected -1 or 1 everywhere"),
        (lambda: F.kl_div(X, X[0]), ShapeError, r"t has shape \(3,\), expected"),
    ],
)
def test_what_does_not_fit_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()

"""Sums of terms, edges and sources equal the gradient, and shares sum to 1.

Here for whole networks; for each kernel alone in tests/kernels/test_every_kernel.py.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from bench.engines import minigrad
from bench.networks import NETWORKS
from minigrad import functional as F
from minigrad.inspect import along, gradient_flow
from minigrad.random import manual_seed
from minigrad.tape import tensor
from models.networks.vgg import vgg


def images(channels, size):
    return lambda rng: rng.normal(size=(3, channels, size, size)).astype(np.float32)


def words(rng):
    return rng.integers(0, 256, (6, 3))


def samples(rng):
    return rng.integers(0, 256, (3, 12))


def benched(name):
    return lambda: NETWORKS[name].build(minigrad())


MODELS = {
    "mlp": (benched("mlp"), lambda rng: rng.normal(size=(3, 784)).astype(np.float32)),
    "cnn": (benched("cnn"), images(1, 28)),
    "vgg with batch norm": (
        lambda: vgg((8, "M", 8, 8, "M"), batch_norm=True, seed=0),
        images(3, 32),
    ),
    "wide residual net": (benched("wrn"), images(3, 8)),
    "lstm": (benched("lstm"), words),
    "wavenet": (benched("wavenet"), samples),
}


def loss_of(model, x):
    """Return the losses of the examples (N,)."""
    logits = model(tensor(x))
    labels = tensor(np.zeros((logits.shape[0], *logits.shape[2:]), int))
    losses = F.cross_entropy(logits, labels, reduction="none")
    return losses if losses.ndim == 1 else losses.mean(axis=1)


@pytest.mark.parametrize("name", MODELS)
def test_a_network_conserves_its_gradients(name):
    build, draw = MODELS[name]
    manual_seed(0)
    model = build()

    @settings(max_examples=2)
    @given(seed=st.integers(0, 2**32 - 1))
    def hold(seed):
        model.zero_grad()
        losses = loss_of(model, draw(np.random.default_rng(seed)))
        example = {"example": along(losses)}
        with gradient_flow(model, sources=example, keep="arrays") as flow:
            losses.mean().backward()
        flow.assert_conserved(1e-4)
        for target in flow.targets.values():
            expect_sums(target)
        for parameter_name, parameter in model.named_parameters():
            kept = flow.into(parameter_name).array
            assert_allclose(kept, parameter.grad.numpy(), atol=1e-6 * abs(kept).max())

    hold()


def expect_sums(target):
    """Compare sums of kept arrays with the gradient, and shares with 1."""
    whole = np.asarray(target.array, np.float64)
    terms = [term for edge in target.edges for term in edge.terms]
    size = 1e-30 + sum(abs(np.asarray(term.array, np.float64)) for term in terms)
    for parts in (terms, target.sources):
        if not parts:
            continue
        total = sum(np.asarray(part.array, np.float64) for part in parts)
        assert abs(total - whole).max() <= 1e-4 * np.max(size)
        if target.measures.share is None:
            continue
        shares = [part.measures.share for part in parts]
        # Rounding of the parts is in the sum, in units of the gradient.
        spread = sum(part.measures.norm for part in parts) / target.measures.norm
        assert sum(shares) == pytest.approx(1, abs=1e-5 * (1 + spread))

"""Losses as modules hand their options on; class weights move with the module."""

import numpy as np
import pytest

from minigrad import functional as F
from minigrad import nn, tensor

RNG = np.random.default_rng(0)
SCORES, LABELS = tensor(RNG.standard_normal((6, 3))), tensor(RNG.integers(0, 3, 6))
WEIGHT = np.array([0.5, 1.0, 2.0])
X, SIGNS = tensor(RNG.standard_normal(6)), tensor(RNG.choice([-1, 1], 6))
CALLS = {
    "NLLLoss": ((WEIGHT,), {"ignore_index": 1}, F.nll_loss, SCORES, LABELS),
    "MultiMarginLoss": ((2, 0.5, WEIGHT), {}, F.multi_margin_loss, SCORES, LABELS),
    "KLDivLoss": ((), {"log_target": True}, F.kl_div, SCORES, SCORES * 2),
    "HingeLoss": ((), {"margin": 0.5}, F.hinge_loss, X, SIGNS),
    "HingeEmbeddingLoss": ((), {"margin": 0.5}, F.hinge_embedding_loss, X, SIGNS),
}


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", list(CALLS))
def test_module_is_its_function_with_options(name, reduction):
    given, options, function, x, t = CALLS[name]
    options = {**options, "reduction": reduction}
    found = getattr(nn, name)(*given, **options)(x, t)
    assert found.tolist() == function(x, t, *given, **options).tolist()


@pytest.mark.parametrize("kind", [nn.NLLLoss, nn.MultiMarginLoss])
def test_class_weights_are_a_buffer(kind):
    loss = kind(weight=WEIGHT)
    assert list(loss.state_dict()) == ["weight"]
    assert list(loss.parameters()) == []
    assert kind().weight is None


def test_class_weights_move_with_their_module(backend):
    loss = nn.NLLLoss(WEIGHT)
    x, t = tensor(SCORES.numpy()), tensor(LABELS.numpy())
    expected = F.nll_loss(SCORES, LABELS, WEIGHT).item()
    assert loss.to(x.backend)(x, t).item() == pytest.approx(expected)


def test_margin_is_the_first_argument_as_in_pytorch():
    x, t = tensor([0.5, 3.0]), tensor([-1, -1])
    assert nn.HingeEmbeddingLoss(2.0)(x, t).item() == 0.75
    assert F.hinge_embedding_loss(x, t, 2.0).item() == 0.75

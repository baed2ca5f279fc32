"""The gate and the loss of policies, as functions of tensors."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import minigrad as mg
from minigrad import functional as F
from minigrad.errors import ShapeError
from minigrad.inspect import gradient_flow
from minigrad.testing import check_function

A, B = np.random.default_rng(0).standard_normal((2, 4, 3))
U = np.array([1, 0, 0, 1])
Q = np.random.default_rng(1).uniform(0.1, 0.9, (4, 3))


def test_gradients_reach_both_sides_of_a_gate():
    check_function(lambda a, b: F.gate(U, a, b), A, B)


def test_gradient_reaches_the_policy():
    drawn, advantage = Q > 0.4, np.array([1.0, -2.0, 0.0, 0.5])
    check_function(lambda q: F.policy_loss(q, drawn, advantage, [1, 0, 1], 0.1), Q)


def test_a_gate_says_what_it_let_through(backend):
    a, b = (mg.tensor(array, requires_grad=True) for array in (A, B))
    with gradient_flow(names={"a": a, "b": b}) as flow:
        F.gate(mg.tensor(U), a, b).sum().backward()
    flow.assert_conserved()
    for name, own in (("a", "kept"), ("b", "skipped")):
        (edge,) = flow.into(name).edges
        assert [part.name for part in edge.terms] == [own]
    assert_allclose(a.grad.numpy(), np.repeat(U[:, None], 3, axis=1))


def test_reward_and_entropy_have_shares():
    q = mg.tensor(Q, requires_grad=True)
    with gradient_flow(names={"q": q}) as flow:
        F.policy_loss(q, Q > 0.5, np.ones(4), entropy_weight=0.1).backward()
    flow.assert_conserved()
    (edge,) = flow.into("q").edges
    shares = {part.name: part.measures.share for part in edge.terms}
    assert set(shares) == {"reward", "entropy"}
    assert sum(shares.values()) == pytest.approx(1)
    assert abs(shares["reward"]) > abs(shares["entropy"]) > 0


def test_without_a_mask_all_decisions_count():
    drawn = Q > 0.5
    found = [F.policy_loss(Q, drawn, np.ones(4), m).item() for m in (None, [1] * 3)]
    assert found[0] == found[1]
    with pytest.raises(ShapeError, match=r"policy_loss: q has shape \(3,\)"):
        F.policy_loss(Q[0], drawn[0], 1.0)

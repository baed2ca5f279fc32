"""Decisions for each example: a gate that carries them out, a loss that learns them."""

from __future__ import annotations

from typing import Any

from minigrad.backend import array_module
from minigrad.functional._inputs import as_tensor
from minigrad.kernels import gate as gate_kernel
from minigrad.kernels import policy_loss as policy_loss_kernel
from minigrad.tape import Tensor, apply


def gate(u: Any, a: Any, b: Any) -> Tensor:
    """Take a where u is 1 and b where u is 0: y_n = u_n a_n + (1 - u_n) b_n.

    The gradient of a is the term `kept`, that of b `skipped`; u has none.

    Args:
        u: (N,), in [0, 1] or boolean.
        a: (N, ...); float. What is not taken of a and b must be finite, too.
        b: the shape of a.

    Source: Wu et al. 2018, arXiv:1711.08393, section 3. Raises ShapeError for other
    shapes, ArgumentError for u outside [0, 1], DTypeError for a complex u.

    >>> from minigrad.tape import tensor
    >>> gate([1, 0], tensor([[1.0, 2.0]] * 2), tensor([[3.0, 4.0]] * 2)).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    return apply(gate_kernel.KERNEL, as_tensor(a), as_tensor(b), as_tensor(u))


def policy_loss(
    q: Any, u: Any, advantage: Any, mask: Any = None, entropy_weight: float = 0.0
) -> Tensor:
    """Make decisions likelier that did better than expected, others less likely.

    The surrogate of the policy gradient, with a bonus for undecided probabilities: mean
    over n of -advantage_n ln p(u_n) - entropy_weight H(q_n), each summed over the
    decisions. Only q gets a gradient, in the terms `reward` and `entropy`. See
    minigrad.kernels.policy_loss.

    Args:
        q: (N, K), probability in (0, 1) that a decision is 1; float.
        u: (N, K), the decisions, 0 or 1, drawn with q.
        advantage: (N,), the reward of u_n less what was expected, such as the reward
            of the likeliest decisions.
        mask: (K,), 0 for decisions that were not drawn with q, 1 for others; None: all.
        entropy_weight: of the entropy, in nats.

    Sources: Williams 1992; Wu et al. 2018, arXiv:1711.08393, section 3. Raises
    ShapeError for other shapes, ArgumentError for other q and u, and for an
    entropy_weight that is no number, DTypeError for complex constants beside a real q.

    >>> from minigrad.tape import tensor
    >>> q = tensor([[0.5, 0.8]], requires_grad=True)
    >>> policy_loss(q, [[1, 0]], [2.0]).backward()
    >>> [round(dq, 2) for dq in q.grad.tolist()[0]]
    [-4.0, 10.0]
    """
    q = as_tensor(q)
    if mask is None:
        mask = array_module(q.data).ones(q.shape[-1:], q.dtype)
    inputs = (q, as_tensor(u), as_tensor(advantage), as_tensor(mask))
    return apply(policy_loss_kernel.KERNEL, *inputs, entropy_weight=entropy_weight)

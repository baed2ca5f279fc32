"""The reward: fewer blocks are better, but only for an image that is classified right.

    R(u) = 1 - (sum_k u_k / K)^2 if the prediction is right, else -gamma
    advantage A = R(u) - R([q >= 1/2])

The second reward is that of what the policy would do at test time: decisions gain if
they beat it ("self-critical"). Source: Wu et al. 2018, eqs. 2 and 5.
"""

import numpy as np
import numpy.typing as npt

from minigrad.tape import Tensor
from models.layerout.blockdrop.policy import Decisions

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def is_right(logits: Tensor, labels: npt.NDArray[np.int64]) -> Flags:
    """Tell (N,) where the largest of logits (N, C) is the label's."""
    return logits.numpy().argmax(axis=1) == labels


def reward(u: Decisions, right: Flags, gamma: float) -> Floats:
    """Return R (N,), in [-gamma, 1], of decisions u (N, K).

    >>> u = np.array([[True, False], [False, False], [False, False]])
    >>> reward(u, np.array([True, True, False]), gamma=5.0).tolist()
    [0.75, 1.0, -5.0]
    """
    return np.where(right, 1 - u.mean(axis=1) ** 2, -gamma)

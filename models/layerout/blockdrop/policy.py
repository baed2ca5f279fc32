"""The policy: a small residual network that decides which blocks to keep.

    q = sigmoid(policy(x))    qb = a q + (1 - a) (1 - q)    u_k ~ Bernoulli(qb_k)

Bounding q by a < 1 keeps every decision open: qb lies in [1 - a, a]. What is not drawn
but decided is u_k = [q_k >= 1/2]. Source: Wu et al. 2018, section 3.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from minigrad import functional as F
from minigrad import nn
from minigrad.random import generator
from minigrad.tape import Tensor
from models.networks.resnet import resnet

Decisions = npt.NDArray[np.bool_]
"""u (N, K): which of K blocks are kept for each of N images."""


class PolicyNet(nn.Module):
    """Images (N, C, H, W) -> probabilities (N, K) to keep each of K blocks."""

    def __init__(self, logits: nn.Module) -> None:
        self.logits = logits

    def forward(self, x: Tensor) -> Tensor:
        """Compute q, each in (0, 1) unless its logit is huge."""
        return F.sigmoid(self.logits(x))


def policy_net(
    blocks: int, *, in_channels: int, widths: Sequence[int] = (16, 32, 64), seed: int
) -> PolicyNet:
    """Build the paper's policy for K = blocks: a ResNet-8, one basic block a group.

    Its weights do not depend on those of a ResNet that is drawn from the same seed. The
    public code's head for the value of a state, which nothing uses, is not there.
    """
    own = int(generator(seed, "blockdrop policy").integers(2**32))
    return PolicyNet(
        resnet(
            (1,) * len(widths),
            widths=widths,
            shortcut="average",
            in_channels=in_channels,
            classes=blocks,
            seed=own,
        )
    )


def bounded(q: Tensor, bound: float) -> Tensor:
    """Draw probabilities q away from 0 and 1: a q + (1 - a) (1 - q), a = bound."""
    return q * (2 * bound - 1) + (1 - bound)


def drawn(q: Tensor, rng: np.random.Generator) -> Decisions:
    """Draw decisions, each True with its probability q (N, K)."""
    return rng.random(q.shape) < q.numpy()


def likeliest(q: Tensor) -> Decisions:
    """Take the likelier decision of each: True where q (N, K) is at least 1/2."""
    return q.numpy() >= 0.5


def last(count: int, blocks: int) -> Decisions:
    """Mark (K,) the last count of K = blocks, all if there are not so many."""
    return np.arange(blocks) >= blocks - count


def forced(u: Decisions, decided: Decisions) -> Decisions:
    """Keep (N, K) every block that is not decided (K,)."""
    return u | ~decided

"""A ResNet under decisions: gated, as it is trained, and with blocks really skipped.

Block k gives relu(f(x) + s(x)) where it is kept and s(x), its shortcut, where not. Both
ways to compute that give the same numbers up to rounding, values and gradients, as long
as batch norms use their running statistics: in training those of `gated` see all
images, those of `skipping` only the ones that keep the block.
"""

from typing import cast

import numpy as np

from minigrad import functional as F
from minigrad import nn, tensor
from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.inspect import summary
from minigrad.tape import Tensor
from models.layerout.blockdrop.policy import (
    Decisions,
    PolicyNet,
    forced,
    last,
    likeliest,
)
from models.networks.resnet import ResNet


class BlockDropNet(nn.Module):
    """A ResNet and the policy that drops its blocks.

    Args:
        net: the ResNet; its blocks have survival 1.
        policy: of as many decisions as net has blocks.

    Attributes:
        decided: how many blocks, the last, are up to the policy; the others run for
            every image. All at first; with 0 the policy does not run.

    Raises ArgumentError for blocks of stochastic depth.
    """

    def __init__(self, net: ResNet, policy: PolicyNet) -> None:
        random = [k for k, block in enumerate(_blocks(net)) if block.survival != 1]
        if random:
            rule = "none, as the policy alone drops blocks"
            what = "blocks of a survival below 1 are"
            raise ArgumentError(got("BlockDropNet", what, random, rule))
        self.net, self.policy, self.decided = net, policy, len(net.blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Compute logits with the blocks that the policy finds likelier kept."""
        if not self.decided:
            return self.net(x)
        return skipping(self.net, x, self.decide(self.policy(x)))

    def decide(self, q: Tensor) -> Decisions:
        """Return the likelier decisions u (N, K) for probabilities q (N, K)."""
        return forced(likeliest(q), self.mask)

    @property
    def mask(self) -> Decisions:
        """Which blocks (K,) are up to the policy."""
        return last(self.decided, len(self.net.blocks))

    def extra_repr(self) -> str:
        """Describe how many blocks are decided."""
        return f"decided={self.decided}"


def _blocks(net: ResNet) -> list[nn.Residual]:
    return cast("list[nn.Residual]", list(net.blocks))


def gated(net: ResNet, x: Tensor, u: Decisions) -> Tensor:
    """Compute logits of x (N, C, H, W): run every block, and gate it by u (N, K)."""
    _expect_decisions("gated", net, x, u)
    x = net.stem(x)
    for k, block in enumerate(_blocks(net)):
        skipped = _shortcut(block, x)
        x = F.gate(tensor(u[:, k]), _kept(block, x, skipped), skipped)
    return net.head(x)


def skipping(net: ResNet, x: Tensor, u: Decisions) -> Tensor:
    """Compute logits of x (N, C, H, W): run a block only on images that keep it.

    They are gathered, run as a smaller batch, and put back in their places.
    """
    _expect_decisions("skipping", net, x, u)
    x = net.stem(x)
    for k, block in enumerate(_blocks(net)):
        skipped = _shortcut(block, x)
        keep, skip = np.flatnonzero(u[:, k]), np.flatnonzero(~u[:, k])
        if not len(skip):
            x = _kept(block, x, skipped)
        elif len(keep):
            rows = tensor(keep)
            ran = _kept(block, F.take(x, rows), F.take(skipped, rows))
            both = F.concat([ran, F.take(skipped, tensor(skip))])
            x = F.take(both, tensor(np.argsort(np.concatenate([keep, skip]))))
        else:
            x = skipped
    return net.head(x)


def _shortcut(block: nn.Residual, x: Tensor) -> Tensor:
    return x if block.shortcut is None else block.shortcut(x)


def _kept(block: nn.Residual, x: Tensor, skipped: Tensor) -> Tensor:
    """Return what a block gives for x, whose shortcut is skipped."""
    y = block.branch(x) + skipped
    return y if block.activation is None else block.activation(y)


def _expect_decisions(who: str, net: ResNet, x: Tensor, u: Decisions) -> None:
    expected = (x.shape[0], len(net.blocks))
    if u.shape != expected:
        rule = f"{expected}, a decision for each image and block"
        raise ShapeError(got(who, "u has shape", u.shape, rule))
    if u.dtype != bool:
        raise ArgumentError(got(who, "u has dtype", u.dtype, "bool", "compare it"))


def multiply_adds(model: nn.Module, x: Tensor) -> float:
    """Count the multiply-adds that an image of x (N, C, H, W) costs model on average.

    They are those of the kernels that ran: blocks that are skipped cost nothing, and a
    policy counts.
    """
    return summary(model, x).total_multiply_adds / x.shape[0]

"""Policy gradient of independent yes-or-no decisions, with a bonus for entropy.

    L = mean_n[-A_n sum_k m_k ln p(u_nk)] - w mean_n[sum_k m_k H(q_nk)]

q is the probability that u is 1, so that p(u) = q**u (1 - q)**(1 - u), and H(q) = -q ln
q - (1 - q) ln(1 - q), in nats. The loss is a surrogate: its gradient in q, averaged
over u drawn with q, is that of minus the mean reward, for an advantage A that is the
reward of u less any baseline that does not depend on u. It has two terms: `reward`,
-A m (u / q - (1 - u) / (1 - q)) / N, and `entropy`, -w m ln((1 - q) / q) / N.

Sources: Williams 1992, doi:10.1007/BF00992696; Wu et al. 2018, "BlockDrop",
arXiv:1711.08393, eqs. 4 to 6.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from minigrad.backend import array_module, elementwise, to_host
from minigrad.errors import ArgumentError, DTypeError, ShapeError, got
from minigrad.kernels._arguments import real
from minigrad.kernels._reduction import reduced
from minigrad.kernels._spec import Kernel, expect_float, expect_shapes
from minigrad.typing import Array, Result, Terms


class Saved(NamedTuple):
    """Probabilities and decisions (N, K), and what they weigh.

    advantage (N, 1) and weight, the entropy's, are divided by N; mask (K,).
    """

    q: Array
    u: Array
    mask: Array
    advantage: Array
    weight: float


@elementwise
def _losses(
    xp: Any,
    q: Array,
    u: Array,
    mask: Array,
    advantage: Array,
    weight: float,
    **out: Array,
) -> Array:
    yes, no = xp.log(q), xp.log1p(-q)
    # -A ln p(u) - w H(q), sorted by the logarithms.
    score = (u * advantage - q * weight) * yes
    other = ((1 - u) * advantage - (1 - q) * weight) * no
    return xp.multiply(mask, -(score + other), **out)


@elementwise
def _reward(
    xp: Any, q: Array, u: Array, mask: Array, advantage: Array, dy: Array, **out: Array
) -> Array:
    return xp.multiply(mask * advantage * dy, (1 - u) / (1 - q) - u / q, **out)


@elementwise
def _entropy(
    xp: Any, q: Array, mask: Array, weight: float, dy: Array, **out: Array
) -> Array:
    return xp.multiply(mask * dy * weight, xp.log(q) - xp.log1p(-q), **out)


@elementwise
def _both(
    xp: Any,
    q: Array,
    u: Array,
    mask: Array,
    advantage: Array,
    weight: float,
    dy: Array,
    **out: Array,
) -> Array:
    slope = advantage * ((1 - u) / (1 - q) - u / q)
    bonus = weight * (xp.log(q) - xp.log1p(-q))
    return xp.multiply(mask * dy, slope + bonus, **out)


def forward(
    q: Array, u: Array, advantage: Array, mask: Array, *, entropy_weight: float = 0.0
) -> Result:
    """Score decisions u (N, K), 0 or 1, that were drawn with probabilities q (N, K).

    q lies in (0, 1). advantage (N,) is constant, as is mask (K,): 0 for decisions that
    are not up to q, else 1, or what they weigh. Looking at q and u waits for a device.
    """
    name = "policy_loss"
    expect_float(name, q=q)
    if q.ndim != 2:
        raise ShapeError(got(name, "q has shape", q.shape, "(N, K)"))
    expect_shapes(name, q.shape, u=u)
    expect_shapes(name, q.shape[:1], advantage=advantage)
    expect_shapes(name, q.shape[1:], mask=mask)
    if not len(q):
        rule = "at least one example; the mean of an empty batch does not exist"
        raise ShapeError(got(name, "q has shape", q.shape, rule))
    _expect_real(q, u=u, advantage=advantage, mask=mask)
    weight = real(name, "entropy_weight", entropy_weight)
    inside = (q.real > 0) & (q.real < 1)
    _expect_all(inside, "q", "probabilities inside (0, 1)", "bound q away from both")
    _expect_all((u == 0) | (u == 1), "u", "0 and 1", "draw it with q")
    u, mask = u.astype(q.dtype, copy=False), mask.astype(q.dtype, copy=False)
    advantage = advantage.astype(q.dtype, copy=False)[:, None]
    count = 1 / len(q)
    y = reduced(_losses(q, u, mask, advantage, weight), "mean", count)
    return y, Saved(q, u, mask, advantage * count, weight * count)


def _expect_real(q: Array, **constants: Array) -> None:
    """Raise DTypeError for complex constants, unless q has made them complex."""
    for what, array in constants.items():
        if array.dtype.kind == "c" != q.dtype.kind:
            found = f"{what} has dtype"
            raise DTypeError(got("policy_loss", found, array.dtype, "a real dtype"))


def _expect_all(good: Array, what: str, rule: str, remedy: str) -> None:
    bad = good.size - int(to_host(array_module(good).sum(good)))
    if bad:
        found = f"others {bad} times among {good.size}"
        raise ArgumentError(got("policy_loss", f"{what} has", found, rule, remedy))


def _q_terms(dy: Array, saved: Saved) -> Terms:
    """Split into what the reward asks for, and what keeps decisions open."""
    q, u, mask, advantage, weight = saved
    return {
        "reward": _reward(q, u, mask, advantage, dy),
        "entropy": _entropy(q, mask, weight, dy),
    }


KERNEL = Kernel(
    name="policy_loss",
    forward=forward,
    terms={"q": _q_terms, "u": None, "advantage": None, "mask": None},
    fused={"q": lambda dy, saved: _both(*saved, dy)},
)

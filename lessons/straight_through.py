# %% [markdown]
# # Straight through: the gradient that is not one
#
# A unit that answers yes or no cannot be trained by its derivative, which is 0 wherever
# there is one. People train such units all the same, with a backward that belongs to
# another function: the straight-through estimator. We write one, see the checker refuse
# it and then accept what it honestly claims to be, find out whose derivative it really
# is, and measure by how much three kinds of it are wrong, and how well each trains.

# %%
"""Straight-through estimators of sign: what they are, their bias, how they train."""

import itertools
import textwrap
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from matplotlib import pyplot as plt

import minigrad as mg
from datasets import Split, as_float, digits, flat
from minigrad import functional as F
from minigrad import nn, optim
from minigrad.backend import array_module
from minigrad.kernels import Kernel
from minigrad.tape import apply
from minigrad.testing import Case, check_kernel, normal

# %% [markdown]
# ## Yes or no
#
# The kernel has two inputs: `x`, and a noise that is added before the sign is taken. We
# need that later; for now it can be 0. First the honest backward.


# %%
class Saved(NamedTuple):
    """x, of any shape."""

    x: Any


def forward(x: Any, noise: Any) -> tuple[Any, Saved]:
    """Return -1, 0 or 1: the sign of x + noise."""
    xp = array_module(x)
    return xp.sign(xp.real(x) + noise), Saved(x)


HONEST = Kernel(
    "sign", forward, {"x": lambda dy, saved: {"direct": dy * 0}, "noise": None}
)
case = Case.draw(0, x=normal(3, 4), noise=normal(3, 4))
print(check_kernel(HONEST, case))


class Sign(nn.Module):
    """A kernel of sign as a layer, without noise."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        """Return the signs of x."""
        return apply(self.kernel, x, mg.tensor(np.zeros_like(x.data)))


rng = np.random.default_rng(0)
model = nn.Sequential(nn.Linear(4, 8, rng=rng), Sign(HONEST), nn.Linear(8, 2, rng=rng))
y = model(mg.tensor(rng.normal(size=(16, 4)), dtype="float32"))
with mg.inspect.gradient_flow(model) as flow:
    F.cross_entropy(y, mg.tensor(rng.integers(2, size=16))).backward()
print(textwrap.fill(flow.why("0.weight"), 84))

# %% [markdown]
# The checker is content, and the network is finished before it has begun. Nothing is
# wrong with this derivative. It is the right answer to a useless question: what does an
# infinitely small step change? Nothing, of course. Steps of training are not infinitely
# small.
#
# ## A backward from somewhere else
#
# So take a function `g` that has the same sign as `x` but a slope, and use its slope
# where that of the sign should be: `dx = dy g'(x)`. The literature calls `g` an
# adapter. Three are common: `g(x) = x`, which hands `dy` straight through; *hardtanh*,
# which does so between -1 and 1; and *tanh* (Li et al. 2018).


# %%
class Adapter(NamedTuple):
    """A function and its slope: (xp, x) -> array."""

    value: Callable[[Any, Any], Any]
    slope: Callable[[Any, Any], Any]


ADAPTERS = {
    "identity": Adapter(lambda xp, x: x, lambda xp, x: xp.ones_like(x)),
    "hardtanh": Adapter(
        lambda xp, x: xp.where(abs(xp.real(x)) <= 1, x, xp.sign(xp.real(x))),
        lambda xp, x: xp.where(abs(xp.real(x)) <= 1, xp.ones_like(x), 0),
    ),
    "tanh": Adapter(lambda xp, x: xp.tanh(x), lambda xp, x: 1 - xp.tanh(x) ** 2),
}


def sign(adapter: Adapter, claims: Any = None) -> Kernel:
    """Return sign with the slope of an adapter, as the gradient of what it claims."""

    def x_terms(dy: Any, saved: Saved) -> dict[str, Any]:
        """Not the derivative: that of the adapter."""
        return {"adapter": dy * adapter.slope(array_module(dy), saved.x)}

    terms: dict[str, Any] = {"x": x_terms, "noise": None}
    return Kernel("sign", forward, terms, gradient_of=claims)


def verdict(kernel: Kernel) -> str:
    """Return "passes", or the first line of what the checker says."""
    try:
        check_kernel(kernel, case)
    except mg.GradientCheckError as error:
        return str(error).splitlines()[0]
    return "passes"


def value_of(adapter: Adapter) -> Callable[..., Any]:
    """Return an adapter's value as a function of the kernel's arrays."""
    return lambda x, noise: adapter.value(array_module(x), x)


tanh = ADAPTERS["tanh"]
doubled = tanh._replace(slope=lambda xp, x: 2 * tanh.slope(xp, x))
for said, kernel in (
    ("as the derivative of sign", sign(tanh)),
    ("as that of tanh", sign(tanh, value_of(tanh))),
    ("twice as large", sign(doubled, value_of(tanh))),
):
    print(textwrap.fill(f"{said}: {verdict(kernel)}", 84, subsequent_indent="    "))
KERNELS = {name: sign(one, value_of(one)) for name, one in ADAPTERS.items()}
assert verdict(sign(tanh)) != "passes" != verdict(sign(doubled, value_of(tanh)))
assert {verdict(kernel) for kernel in KERNELS.values()} == {"passes"}

# %% [markdown]
# As the derivative of its forward, the rule is refused. That is how it should be:
# nobody ought to slip a wrong gradient past a checker by calling it an estimator. With
# `gradient_of` the kernel says whose gradient it has, and is held to that as strictly
# as any other, to the factor of two.
#
# ## Whose derivative is it?
#
# That of tanh, we said. But tanh is nowhere in the network. Is there something that
# *is* in the network and has this slope? Shake the unit. The mean of `sign(x + noise)`
# is no longer a step, and its slope is twice the density of the noise at `-x`. Now read
# that backwards. For hardtanh, twice the density must be 1 between -1 and 1: *uniform*
# noise. For tanh it must be `1 - tanh(x)^2`, and half of that is the density of the
# *logistic* distribution with scale one half.

# %%
NOISES: dict[str, tuple[str, Callable[..., Any]]] = {
    "uniform": ("hardtanh", lambda rng, size: rng.uniform(-1, 1, size)),
    "logistic": ("tanh", lambda rng, size: rng.logistic(0, 0.5, size)),
}
grid = np.linspace(-3, 3, 25)
figure, axes = plt.subplots(
    num="Figure 1. Dots: mean of sign(x + noise) over 20,000 draws of uniform and of "
    "logistic noise. Lines: hardtanh and tanh. Dashed: the identity."
)
for at, (name, (adapter, draw)) in enumerate(NOISES.items(), 1):
    noise = draw(rng, (20_000, 1))
    seen = np.sign(grid + noise).mean(axis=0)
    line = ADAPTERS[adapter].value(np, grid)
    axes.plot(grid, line, color=f"C{at}", label=adapter)
    axes.plot(grid, seen, "o", color=f"C{at}", markersize=4, label=f"{name} noise")
    assert np.abs(seen - line).max() < 0.03
axes.plot(grid, grid, "--", color="gray", linewidth=1)
axes.set(xlabel="x", ylabel="mean of sign(x + noise)", ylim=(-1.3, 1.3))
axes.legend(fontsize=9)

# %% [markdown]
# Figure 1 is the point of this lesson. **A straight-through gradient is the true
# gradient of a unit that is shaken**, and each adapter is a bet on how. Only the
# identity bets on nothing. Noise whose density is one half everywhere does not exist:
# no unit, however shaken, answers with 3.
#
# ## How wrong is it?
#
# If the loss is a straight line in the answer of each unit, the bet pays in full: what
# a unit changes by going from -1 to 1 is then exactly what its gradient says. But a
# loss is curved, and the gradient at either end is not the way between. So we measure.
# Six sign units read 128 digits, and ten logits are computed from them. Six units have
# only 64 joint answers, so the mean loss under noise can be summed *exactly*, and its
# slope by the weights found by finite differences: that is the truth. Then the
# estimators: the three adapters, each run on the tape with 64 draws of noise; their
# mean has a *bias*, and single runs have a *spread* around it.
#
# As a fourth we take an estimator without bias, which uses no slope of the loss at all:
# draw answers, and make those more probable that did better than average (*score*).

# %%
UNITS, RUNS = 6, 64
data = digits.load()
scale = as_float(data.train.images)


def inputs_of(split: Split) -> Any:
    """Return a split's pixels (N, 64), centred and scaled as the training set's."""
    return (flat(as_float(split.images)) - scale.mean()) / scale.std()


pixels, test = inputs_of(data.train), inputs_of(data.test)
x, labels = pixels[:128].astype("float64"), data.train.labels[:128]
head = rng.normal(size=(UNITS, 10))
answers = np.array(list(itertools.product((-1.0, 1.0), repeat=UNITS)))  # (64, 6)
logits = answers @ head
losses = np.log(np.exp(logits).sum(axis=1))[:, np.newaxis] - logits[:, labels]


def smoothed(z: Any, noise: str) -> Any:
    """Return each example's mean loss (N,) under noise, for net values z (N, 6)."""
    mean = ADAPTERS[NOISES[noise][0]].value(np, z)
    chances = np.prod((1 + answers[:, np.newaxis] * mean) / 2, axis=2)  # (64, N)
    return np.sum(chances * losses, axis=0)


def truth(w: Any, noise: str, step: float = 1e-5) -> Any:
    """Return the slope of the mean smoothed loss by w (6, 64), by central differences.

    Examples do not meet, so a step of one unit's net values is taken for all of them.
    """
    z, nudges = x @ w.T, step * np.eye(UNITS)
    slopes = [
        (smoothed(z + nudge, noise) - smoothed(z - nudge, noise)) / (2 * step)
        for nudge in nudges
    ]
    return np.array(slopes) @ x / len(x)


def straight(w: Any, noise: Any, name: str) -> Any:
    """Return one straight-through gradient by w, under one draw of noise (N, 6)."""
    weight = mg.tensor(w, requires_grad=True)
    signs = apply(KERNELS[name], F.linear(mg.tensor(x), weight), mg.tensor(noise))
    F.cross_entropy(signs @ mg.tensor(head), mg.tensor(labels)).backward()
    return weight.grad.numpy()


def score(w: Any, noise: Any, name: str) -> Any:
    """Return one unbiased gradient by w: loss times d log probability."""
    z, adapter = x @ w.T, ADAPTERS[name]
    signs = np.sign(z + noise)
    loss = losses[(signs > 0) @ 2 ** np.arange(UNITS)[::-1], np.arange(len(x))]
    mean, slope = adapter.value(np, z), adapter.slope(np, z)
    rows = (loss - loss.mean())[:, np.newaxis] * signs * slope / (1 + signs * mean)
    return rows.T @ x / len(x)


def quality(w: Any, noise: str, name: str) -> tuple[float, float]:
    """Return bias and spread of an estimator, in units of the true gradient's norm."""
    adapter, draw = NOISES[noise]
    exact, rng = truth(w, noise), np.random.default_rng(1)
    draws = (draw(rng, (len(x), UNITS)) for _ in range(RUNS))
    one = score if name == "score" else straight
    found = np.array([one(w, e, adapter if one is score else name) for e in draws])
    off = found.mean(axis=0) - exact
    spread = np.sqrt(np.mean(np.sum((found - found.mean(axis=0)) ** 2, axis=(1, 2))))
    size = np.linalg.norm(exact)
    return float(np.linalg.norm(off) / size), float(spread / size)


weights = rng.normal(size=(UNITS, 64)) / 8  # Net values of deviation about 1.
large = 2 * weights
errors = {
    (noise, name): quality(large, noise, name)
    for noise in NOISES
    for name in (*ADAPTERS, "score")
}
print(
    f"Table 1. Bias and spread of one gradient, in units of the true one; {RUNS} runs"
)
print("noise     estimator   bias  spread")
for (noise, name), (bias, spread) in errors.items():
    print(f"{noise:8}  {name:9}  {bias:5.2f}  {spread:6.2f}")

# %% [markdown]
# In Table 1, under each noise the adapter that bets on it has the least bias of the
# three, and the other is not far behind: the two densities are alike. What bias is left
# comes from the curved loss. The identity's gradient is off by nearly twice the length
# of the true one. And *score* shows why people put up with a bias at all. It has none
# (its number is what chance leaves after so many runs), but a single run of it is
# typically off by the length of the true gradient or more, three or four times as far
# as the others spread.
#
# Why is the identity so bad? It trains units that are beyond help. Where `x` is large,
# no noise changes the answer, so the true slope is 0, and the identity says 1. So its
# bias should grow with the weights:

# %%
SIZES = (0.25, 0.5, 1.0, 2.0, 4.0)
growth = {
    name: [quality(size * weights, "logistic", name)[0] for size in SIZES]
    for name in ADAPTERS
}
figure, axes = plt.subplots(
    num="Figure 2. Bias of the straight-through gradient under logistic noise, by the "
    "size of the weights, in units of the true gradient's norm."
)
for name, biases in growth.items():
    axes.loglog(SIZES, biases, "o-", label=name)
axes.set(xlabel="deviation of the net values", ylabel="bias")
axes.set_xticks(SIZES, [f"{size:g}" for size in SIZES])
axes.set_yticks((0.2, 0.5, 1, 2, 5), ("0.2", "0.5", "1", "2", "5"))
axes.minorticks_off()
axes.legend()
assert growth["identity"] == sorted(growth["identity"])
assert growth["tanh"][-1] < growth["tanh"][1] < growth["hardtanh"][1]

# %% [markdown]
# In Figure 2 small weights make no difference between the three: near 0 they have the
# same slope. From there the identity's bias only grows. The others' shrinks again,
# since they know which units to leave alone.

# %%
for noise, (adapter, _) in NOISES.items():
    off = {name: errors[noise, name][0] for name in ADAPTERS}
    assert off[adapter] == min(off.values())
    assert off["identity"] > 1.5
    bias, spread = errors[noise, "score"]
    assert bias < 2 * spread / RUNS**0.5

# %% [markdown]
# ## Does it matter?
#
# Now for what people do: two hidden layers of 64 sign units, no noise anywhere, trained
# on the digits by Adam, 300 steps, three times from different weights. Beside the three
# adapters stands the honest derivative, which leaves the hidden layers as they were.


# %%
def trained(kernel: Kernel, seed: int, steps: int = 300) -> tuple[float, ...]:
    """Train a network; return its loss (nats), test error (%), and layer 1's zeros (%).

    The zeros are those in the gradient at the net values, at the end of training.
    """
    rng = np.random.default_rng(seed)
    parts: list[nn.Module] = []
    for _ in range(2):
        parts += [nn.Linear(64, 64, rng=rng), Sign(kernel)]
    model = nn.Sequential(*parts, nn.Linear(64, 10, rng=rng))
    optimizer = optim.Adam(model.parameters(), lr=0.003)

    def loss_of(rows: Any) -> mg.Tensor:
        answers = model(mg.tensor(pixels[rows]))
        return F.cross_entropy(answers, mg.tensor(data.train.labels[rows]))

    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(rng.choice(len(pixels), 64, replace=False)).backward()
        optimizer.step()
    with mg.inspect.gradient_flow(model) as flow:
        loss = loss_of(slice(None))
        loss.backward()
    with mg.no_grad():
        answers = model(mg.tensor(test)).numpy().argmax(axis=1)
    wrong = 100 * float(np.mean(answers != data.test.labels))
    return loss.item(), wrong, 100 * flow.into("0/linear#1").measures.dead


SEEDS = (0, 1, 2)
table: dict[str, Any] = {
    name: np.array([trained(kernel, seed) for seed in SEEDS])
    for name, kernel in (("none", HONEST), *KERNELS.items())
}
print("Table 2. Sign networks after 300 steps: mean of three, and the deviation")
print("adapter   train loss  test error      zeros at layer 1")
for name, rows in table.items():
    loss, wrong, dead = rows.mean(axis=0)
    deviation = rows[:, 1].std(ddof=1)
    print(f"{name:8}  {loss:10.3f}  {wrong:4.1f} +- {deviation:3.1f} %  {dead:16.0f} %")

# %% [markdown]
# Table 2 repeats the order of Table 1. The worst gradient of the three still beats the
# honest one by far: it points roughly where the loss falls, while the truth points
# nowhere. The two with a bet are better again, and between them three runs cannot
# decide. Their last column differs: hardtanh gives exactly nothing to net values beyond
# 1, tanh gives everybody a little. A unit that is beyond 1 for *every* digit would be
# lost to hardtanh for good.
#
# When you meet a backward that is not the derivative of its forward, ask the three
# questions of this lesson: whose derivative is it, under which noise would it be right,
# and how far off is it here?

# %%
losses_of = {name: rows[:, 0].mean() for name, rows in table.items()}
wrong_of = {name: rows[:, 1].mean() for name, rows in table.items()}
for found in (losses_of, wrong_of):
    assert found["none"] > 2 * found["identity"]
    assert found["identity"] > 1.15 * max(found["hardtanh"], found["tanh"])
assert abs(wrong_of["hardtanh"] - wrong_of["tanh"]) < 1
assert table["none"][:, 2].min() == 100
assert table["hardtanh"][:, 2].min() > 20 > 1 > table["tanh"][:, 2].max()

# %% [markdown]
# ## To try
#
# - Make the loss a straight line in the answers, `losses = logits[:, 0]` and the same
#   on the tape. Which biases in Table 1 become 0, up to chance?
# - Find the adapter for normal noise of deviation 1. (Its slope is twice a density.)
#   How does it do under the other two?
# - Train as in Table 2 with logistic noise in the forward, and take it away for the
#   test. Is the true gradient of a shaken network better for the one that is not?
# - Round to whole numbers instead of taking the sign. What would you use for `g`?

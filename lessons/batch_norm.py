# %% [markdown]
# # Batch norm's three paths
#
# Batch norm looks harmless: subtract the mean, divide by the deviation. Its gradient is
# where students give up, because every output depends on every example of the batch. We
# take that gradient apart into the three paths it consists of, find that two of them
# only ever *remove* something, see what exactly, and measure how much is left of a real
# loss when the batch is small.

# %%
"""The terms of batch norm's gradient, for ones, for a real loss, by batch size."""

import textwrap
from typing import Any

import numpy as np
from matplotlib import pyplot as plt

import minigrad as mg
from datasets import as_float, digits, flat
from minigrad import functional as F
from minigrad import nn, optim

# %% [markdown]
# ## Three ways from an input to the loss
#
# For one channel, and the `N` examples of a batch:
#
#     x_hat = (x - mean) / std
#     y = weight x_hat + bias
#
# where `mean` and `std` are those of the batch. Move one example's `x` a little, and
# three things happen. Its own `x_hat` moves. The mean moves, so everybody's `x_hat`
# moves the other way. And the deviation moves, so everybody is scaled anew. Each is a
# path for the gradient. With `dy` what comes back from the loss, and E the mean over
# the batch:
#
#     direct       =  dy weight / std
#     through_mean = -E[direct]
#     through_var  = -x_hat E[direct x_hat]
#     dx           =  direct + through_mean + through_var
#
# Here they are for eight numbers, from the tape and from these lines. (Batch norm adds
# a little to the variance, so that nobody divides by zero. The usual 0.00001 would blur
# what we are about to see; in float64 a far smaller number will do.)

# %%
EPS = 1e-12
rng = np.random.default_rng(0)
x, dy = rng.normal(size=(2, 8, 1))  # eight examples, one channel

leaf = mg.tensor(x, requires_grad=True)
y = F.batch_norm(leaf, None, None, training=True, eps=EPS)
with mg.inspect.gradient_flow(names={"x": leaf}, keep="arrays") as flow:
    y.backward(mg.tensor(dy))
print(flow.into("x").table())

std = np.sqrt(x.var() + EPS)
x_hat = (x - x.mean()) / std
direct = dy / std
by_hand = (direct, -direct.mean(), -x_hat * (direct * x_hat).mean())
for term, expected in zip(flow.into("x").edges[0].terms, by_hand, strict=True):
    assert np.allclose(np.asarray(term.array), expected, rtol=1e-12), term.name

# %% [markdown]
# The column *gain* is a norm over that of `dy`, and *dead %* the share of elements that
# are exactly 0. *cosine* is that of the angle between a term and their sum, the result:
# 1 is its direction, 0 a right angle. Look at the column *share*, which says how much
# of the result each term accounts for. The direct path has all of it. The other two
# have norms of their own, and shares of practically nothing: they are at right angles
# to the result. Whatever they do, they do not push it anywhere. They take something
# away.
#
# ## The gradient of a sum is nothing
#
# Before we find out what they take, let them take everything. The quickest way to try
# out a backward is `y.sum().backward()`, a `dy` of all ones:

# %%
ones = mg.tensor(x, requires_grad=True)
with mg.inspect.gradient_flow(names={"x": ones}) as flow:
    F.batch_norm(ones, None, None, training=True, eps=EPS).sum().backward()
print(flow.into("x").table())
assert np.allclose(ones.grad.numpy(), 0, atol=1e-12)

# %% [markdown]
# The direct term and the one through the mean are equally large and opposite, and what
# is left is rounding at most. It has to be so: normalised numbers sum to zero, always,
# so their sum does not depend on `x` at all. Remember this when you test a gradient. A
# batch norm whose backward returned zeros would pass every test that sums the output,
# which is why minigrad's checker draws its `dy` at random.
#
# ## A real loss
#
# Now a network on real digits: 64 pixels to 32 units, batch norm, ReLU, and on to ten
# classes, trained for a hundred steps.

# %%
data = digits.load().train
pixels = flat(as_float(data.images)).astype("float64")
pixels = (pixels - pixels.mean()) / pixels.std()


def network() -> nn.Sequential:
    """Return a new network; its first weights are always the same."""
    weights = np.random.default_rng(0)
    return nn.Sequential(
        nn.Linear(64, 32, dtype="float64", rng=weights),
        nn.BatchNorm1d(32, eps=EPS, dtype="float64"),
        nn.ReLU(),
        nn.Linear(32, 10, dtype="float64", rng=weights),
    )


def loss_of(model: nn.Sequential, rows: Any) -> mg.Tensor:
    """Return the mean cross-entropy of these examples, in nats."""
    return F.cross_entropy(model(mg.tensor(pixels[rows])), mg.tensor(data.labels[rows]))


def some(count: int) -> Any:
    """Draw the row numbers of count different examples."""
    return rng.choice(len(data), count, replace=False)


untrained, model = network(), network()
optimizer = optim.SGD(model.parameters(), lr=0.1)
for _ in range(100):
    optimizer.zero_grad()
    loss_of(model, some(64)).backward()
    optimizer.step()
for title, one in (("untrained", untrained), ("trained", model)):
    print(f"{title:9}  loss of 256 digits: {loss_of(one, some(256)).item():.2f} nats")

# %% [markdown]
# One batch of 64 digits, and the gradient that batch norm hands back to the result of
# the first linear layer:

# %%
batch = some(64)
model.zero_grad()
with mg.inspect.gradient_flow(model, keep="arrays") as flow:
    loss_of(model, batch).backward()
into = flow.into("0/linear#1")
print(into.table())

# %% [markdown]
# The column *cancel* is 0 when all terms point the same way and 1 when they cancel
# altogether, as for the sum above. A real loss lies in between: its terms have more
# length together than the gradient that comes out. But what is it that they cancel?
#
# ## What the two paths take away
#
# Plot, for one channel, what the direct path says about each digit against where that
# digit stands in the batch, its `x_hat`. Then fit a straight line to the points. Its
# height is E[direct] and its slope is E[direct x_hat], because `x_hat` has mean 0 and
# variance 1: the two numbers in the formulas above. **The gradient through batch norm
# is what a straight line cannot explain**, the residual of a linear regression. The
# path through the mean removes the height of the line, the path through the variance
# its slope.

# %%
direct, _, through_var = (np.asarray(term.array) for term in into.edges[0].terms)
dx = np.asarray(into.array)
z = model[0](mg.tensor(pixels[batch])).numpy()  # what batch norm saw: (64, 32)
x_hat = (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + EPS)

# The channel whose gradient the line explains best.
taken = np.linalg.norm(through_var, axis=0) / np.linalg.norm(direct, axis=0)
channel = int(np.argmax(taken))
across, up = x_hat[:, channel], direct[:, channel]
slope, height = np.polyfit(across, up, 1)
line = height + slope * across

assert np.isclose(height, up.mean())
assert np.isclose(slope, np.mean(up * across))
assert np.allclose(up - line, dx[:, channel], rtol=0, atol=1e-9 * up.std())

figure, axes = plt.subplots(
    num=f"Figure 1. Channel {channel} of 32, 64 digits: the direct term (dots), the "
    "line that the other two terms take away, and what is left (the distance to it)."
)
axes.vlines(across, line, up, colors="C4", linewidth=1, label="left: dx")
axes.plot(across, up, "o", color="C0", markersize=4, label="direct")
ends = np.array([across.min(), across.max()])
axes.plot(ends, height + slope * ends, color="C1", label="taken away")
axes.set(xlabel="x_hat of a digit", ylabel="gradient")
axes.legend()

# %% [markdown]
# Many dots of Figure 1 lie at height 0: where the ReLU behind it is off, no direct
# gradient comes back. Their `dx` is not 0 all the same. Digits that the unit is silent
# for get a gradient through the statistics of the batch.
#
# ## What follows from the line
#
# Residuals of a fit sum to zero and are uncorrelated with what was fitted. So for every
# channel `sum(dx) = 0` and `sum(dx x_hat) = 0`. Three things follow, and you can meet
# each of them in practice.
#
# *A bias in front of batch norm never learns.* Its gradient is `sum(dx)`:

# %%
print(textwrap.fill(flow.why("0.bias"), 84))
assert np.abs(model[0].bias.grad.numpy()).max() < 1e-15

# %% [markdown]
# *Weights in front of batch norm are only ever turned.* The gradient of a unit's
# weights is at right angles to these weights, since making them longer changes nothing
# that batch norm would not undo. (That is a matter of small steps: one of length s at
# right angles also makes weights of length l longer, by about s^2 / 2l.) The largest
# cosine between the two, over all 32 units:

# %%
weight, gradient = (array.numpy() for array in (model[0].weight, model[0].weight.grad))
lengths = np.linalg.norm(weight, axis=1) * np.linalg.norm(gradient, axis=1)
cosines = np.sum(weight * gradient, axis=1) / lengths
print(f"{np.abs(cosines).max():.1e}")
assert np.abs(cosines).max() < 1e-9

# %% [markdown]
# *Squares add up.* What is left and the two parts that are taken away are at right
# angles to each other, so by Pythagoras their squared norms sum to that of the direct
# term. That gives an honest measure of how much batch norm takes: three fractions of
# |direct|^2 that sum to 1.


# %%
def fractions(model: nn.Sequential, count: int, repeats: int = 25) -> Any:
    """Return what of |direct|^2 is taken through the mean, through the var, and left.

    Means over some batches of count digits.
    """
    found: list[Any] = []
    for _ in range(repeats):
        model.zero_grad()
        with mg.inspect.gradient_flow(model) as flow:
            loss_of(model, some(count)).backward()
        into = flow.into("0/linear#1")
        direct, mean, var = (term.measures.norm for term in into.edges[0].terms)
        found.append(np.square([mean, var, into.measures.norm]) / direct**2)
        assert np.isclose(found[-1].sum(), 1, rtol=1e-3)
    return np.mean(found, axis=0)


# %% [markdown]
# ## Small batches
#
# A line has two parameters, and a batch has `N` points. If `dy` were noise, the line
# would take 2 of `N` directions, and `(N - 2) / N` of the squared norm would be left.
# Through two points there is always a line: with a batch of two, **nothing is left**.
# And for a real loss? Batches of 2 to 256 digits, before training and after:

# %%
SIZES = (2, 4, 8, 16, 64, 256)
before = {size: fractions(untrained, size) for size in SIZES}
after = {size: fractions(model, size) for size in SIZES}

figure, axes = plt.subplots(
    num="Figure 2. Where the squared norm of the direct term goes, by batch size, in "
    "the trained network. Marks: how much of a gradient that is noise would be taken."
)
bottom = np.zeros(len(SIZES))
names = ("taken through the mean", "taken through the variance", "left")
for place, name, colour in zip((0, 1, 2), names, ("C1", "C3", "C0"), strict=True):
    heights = 100 * np.array([after[size][place] for size in SIZES])
    axes.bar(range(len(SIZES)), heights, bottom=bottom, color=colour, label=name)
    bottom += heights
noise = [200 / size for size in SIZES]
axes.plot(range(len(SIZES)), noise, "_", color="black", markersize=28)
axes.set_xticks(range(len(SIZES)), [str(size) for size in SIZES])
axes.set(xlabel="batch size", ylabel="% of |direct| squared", ylim=(0, 101))
axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.22), ncols=3, fontsize=9)

print("Table 1. Where the squared norm of the direct term goes, in %")
print("batch  network      mean    var   left  left of noise")
for size in SIZES:
    for title, rows in (("untrained", before), ("trained", after)):
        mean, var, left = 100 * rows[size]
        expected = 100 * (size - 2) / size
        print(
            f"{size:5}  {title:9}  {mean:6.1f} {var:6.1f} {left:6.1f}  {expected:13.1f}"
        )

# %% [markdown]
# Read Table 1 and Figure 2 from the small batches up. With two examples nothing is
# left: the layers in front learn nothing at all. (With the usual 0.00001 under the root
# they learn what that number lets through, which is no better.) With eight, a good
# half is left in the trained network, less than of noise, and less than before
# training: the gradient of a loss is *not* noise, it has a height and a slope of its
# own for a line to take. With 64, about a tenth is taken, and a batch of 256 gives back
# little of it. That part is no accident of the batch: it is what the loss would gain
# from larger or shifted activations, and batch norm refuses that to every batch.

# %%
assert after[2][2] < 1e-3
assert before[2][2] < 1e-3
assert 0.5 < after[8][2] < before[8][2] < 6 / 8
assert 0.85 < after[64][2] < 0.95
assert abs(after[256][2] - after[64][2]) < 0.06

# %% [markdown]
# ## To try
#
# - Call `model.eval()` before the batch of Figure 1. Which terms does the table show,
#   and why could the bias learn now?
# - Put `nn.LayerNorm(32, dtype="float64")` in the place of batch norm. It fits a line,
#   too: through which points? What does Table 1 become?
# - A convolution gives batch norm `N x H x W` values per channel. Would a batch of two
#   images be as bad?

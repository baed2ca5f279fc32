# %% [markdown]
# # Vanishing gradients, and what really helps
#
# Twenty layers of sigmoids, small random weights: for decades, the textbook way to
# build a network that does not learn. We watch its gradient die on the way back, find
# the two numbers a layer that kill it, see the same product explode instead, and then
# put the famous remedies to the test: which of them makes the first layer *learn*, and
# how would we know?

# %%
"""Gradients through depth: products of gains, and ten networks of twenty layers."""

import textwrap
from functools import partial
from typing import Any

import numpy as np
from matplotlib import pyplot as plt

import minigrad as mg
from datasets import as_float, digits, flat
from minigrad import functional as F
from minigrad import nn, optim
from minigrad.nn import init

# %% [markdown]
# ## A network that does not learn
#
# The data are 1,415 scans of digits, 64 pixels each. The network has twenty linear
# layers, 32 units wide, with a sigmoid after each but the last. The weights are normal
# numbers of deviation 0.1, the biases 0.

# %%
DEPTH, WIDTH, RATE = 20, 32, 0.1
data = digits.load().train
pixels = flat(as_float(data.images))
pixels = (pixels - pixels.mean()) / pixels.std()
small = partial(init.normal_, std=0.1)


def network(activation: Any, start: Any, wrap: Any = None) -> Any:
    """Return a new network; wrap makes one module of each layer between the ends."""
    rng = np.random.default_rng(0)
    parts: list[nn.Module] = []
    for at in range(DEPTH):
        ends = 64 if at == 0 else WIDTH, 10 if at == DEPTH - 1 else WIDTH
        linear: Any = nn.Linear(*ends, rng=rng)
        start(linear.weight, rng=rng)
        init.zeros_(linear.bias)
        if at == DEPTH - 1:
            parts += [linear]
        elif wrap is None or at == 0:
            parts += [linear, activation()]
        else:
            parts += [wrap(linear, activation())]
    return nn.Sequential(*parts)


def weights_of(model: Any) -> list[str]:
    """Name the weights of the linear layers, from the first to the last."""
    return [name for name, one in model.named_parameters() if one.ndim == 2]


def loss_of(model: Any, rows: Any) -> mg.Tensor:
    """Return the mean cross-entropy of these examples, in nats."""
    return F.cross_entropy(model(mg.tensor(pixels[rows])), mg.tensor(data.labels[rows]))


def train(model: Any, steps: int) -> None:
    """Take steps of SGD on 64 digits each, always the same ones in the same order.

    Stops early where the loss is no number.
    """
    optimizer = optim.SGD(model.parameters(), lr=RATE)
    rng = np.random.default_rng(1)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of(model, rng.choice(len(data), 64, replace=False))
        if np.isnan(loss.item()):
            break
        loss.backward()
        optimizer.step()


model = network(nn.Sigmoid, small)
FIRST, *_, LAST = weights_of(model)
with mg.inspect.gradient_flow(model) as training:
    train(model, 20)

followed: dict[str, Any] = {n: training.over_time(n).sketches for n in (LAST, FIRST)}
print("weight     gradient: first     last     update / weight: median      max")
for name, sketch in followed.items():
    norm, update = sketch["norm"], sketch["update"]
    print(
        f"{name:9}  {norm.first:15.1e}  {norm.last:7.1e}"
        f"  {update.quantile(0.5):23.1e}  {update.maximum:7.1e}"
    )
print(f"\nloss {loss_of(model, slice(None)).item():.3f} nats; guess: {np.log(10):.3f}")

# %% [markdown]
# The block holds the steps of the optimizer as well, so the recording knows how far
# each of them moved the weights, in units of the weights' own length: *update /
# weight*. Something from a thousandth to a few hundredths is what one wants to see
# there, and the last layer has it. The first has 0, and that is no rounded number: in
# twenty steps, not one bit of it has changed. It gets a gradient at every step, but a
# float32 weight plus 1e-18 is the same float32 weight.

# %%
assert followed[LAST]["update"].minimum > 1e-3
assert followed[FIRST]["norm"].minimum > followed[FIRST]["update"].maximum == 0
untouched = network(nn.Sigmoid, small)
assert np.array_equal(model[0].weight.numpy(), untouched[0].weight.numpy())

# %% [markdown]
# ## The same, through depth
#
# One backward of the new network, and the gradient of every weight, from the first
# layer to the last:


# %%
def first_pass(model: Any) -> mg.inspect.Flow:
    """Record one pass, on 256 digits."""
    loss = loss_of(model, slice(256))
    with mg.inspect.gradient_flow(model) as flow:
        loss.backward()
    return flow


def through_depth(model: Any, flow: mg.inspect.Flow) -> Any:
    """Return the norm of each weight's gradient, from the first layer on."""
    return np.array([flow.into(name).measures.norm for name in weights_of(model)])


model = network(nn.Sigmoid, small)
flow = first_pass(model)
norms = through_depth(model, flow)
SLOPE, SIZE = 1 / 4, 0.1 * np.sqrt(WIDTH)
layers = np.arange(1, DEPTH + 1)

figure, axes = plt.subplots(
    num="Figure 1. Norm of the gradient of each layer's weights before training. "
    f"Dashed: a factor of {SLOPE} x {SIZE:.2f} for each layer down from the last."
)
axes.semilogy(layers, norms, "o-", label="sigmoid, small weights")
guess = norms[-1] * (SLOPE * SIZE) ** (DEPTH - layers)
axes.semilogy(layers, guess, "--", color="gray", label="slope x size of the weights")
axes.set(xlabel="layer", ylabel="gradient", xticks=[1, 5, 10, 15, 20])
axes.legend()
each = (norms[0] / norms[-1]) ** (1 / (DEPTH - 1))
print(f"first / last {norms[0] / norms[-1]:.0e}, that is {each:.3f} a layer")
assert np.all(np.abs(np.log10(guess / norms)) < 1.5)

# %% [markdown]
# Figure 1 is a straight line on a logarithmic axis: the same factor at each layer, and
# fifteen orders of magnitude in all. The dashed guess fits, but we need not guess. The
# recording of the training can be asked why:

# %%
print(textwrap.fill(training.why(FIRST), 84))

# %% [markdown]
# Read it piece by piece.
#
# - *tiny: rms ..., below 1e-8*: a step moves weights by the gradient's root mean square
#   times the rate. Nothing so small can move a float32 weight.
# - *started ... with norm 1*: every backward starts with d loss / d loss.
# - *of the 40 edges from there*: the way back has forty steps, mostly a sigmoid and a
#   product by turns, and each has a *gain*, what left it over what arrived.
# - *the 19 of sigmoid ... those of linear ...*: gains multiply. The product of all is
#   the whole loss of gradient, and here it is split by kernel: the sigmoids took most.
# - *the slope of sigmoid is at most 1/4*: not some unlucky unit. The best slope that
#   there is, nineteen times.
#
# ## Two numbers a layer
#
# Each layer thus has two gains, that of its activation and that of its weights.
# Backwards through `y = sigmoid(z)` the gradient is multiplied by the slope at `z`. And
# through `z = W x` it is multiplied by the transpose of `W`; if its entries are random,
# of deviation s, a vector of n entries gets longer or shorter by about `s sqrt(n)`.
# Here are both for three activations, and what the weights would have to be for the two
# to cancel:


# %%
def gains(flow: mg.inspect.Flow, kernel: str) -> float:
    """Return the typical gain of a kernel's edges: their geometric mean."""
    found = [
        edge.measures.gain or 0
        for target in flow.targets.values()
        for edge in target.edges
        if edge.kernel == kernel and edge.input == "x"
    ]
    return float(np.exp(np.mean(np.log(found))))


print(f"gain of weights of deviation 0.1: expected {SIZE:.2f}")
print("activation  its gain  gain of 0.1  deviation for a product of 1, x sqrt(n)")
needed: dict[str, float] = {}
for name, activation in (("sigmoid", nn.Sigmoid), ("tanh", nn.Tanh), ("relu", nn.ReLU)):
    seen = first_pass(network(activation, small))
    slope, size = gains(seen, name), gains(seen, "linear")
    needed[name] = 1 / slope
    print(f"{name:10}  {slope:8.2f}  {size:11.2f}  {needed[name]:39.2f}")

# %% [markdown]
# The last column is the theory of initialisation, measured. For tanh it is 1: weights
# of deviation 1 / sqrt(n), which is **Glorot's** start for layers of equal width. For
# ReLU, which is off for half of its inputs, it is about the root of two: deviation
# sqrt(2 / n), **He's** start. And the sigmoid would need 4, weights so large that its
# units saturate and the slope is no longer 1/4. No start will do for it.

# %%
assert 0.95 < needed["tanh"] < 1.05
assert 1.3 < needed["relu"] < 1.5
assert 4 < needed["sigmoid"] < 4.3

# %% [markdown]
# ## The same product, exploding
#
# A recurrent network is a deep one whose layers share their weights, so there is but
# one factor. Take the simplest, `h = h W` for sixty steps with no activation, and let
# `W` be a rotation times 0.8, 1 or 1.25. A gradient comes in at the end; how much is
# left of it when it gets to step t?

# %%
BACK, SCALES = 60, (0.8, 1.0, 1.25)
over_time: dict[float, Any] = {}
recurrent: dict[float, mg.inspect.Flow] = {}
for scale in SCALES:
    rng = np.random.default_rng(0)
    w = init.orthogonal_(mg.tensor(np.zeros((16, 16))), gain=scale, rng=rng)
    h = mg.tensor(rng.normal(size=(1, 16)), requires_grad=True)
    states = {"h0": h}
    for step in range(1, BACK + 1):
        h = h @ w
        states[f"h{step}"] = h
    with mg.inspect.gradient_flow(names=states) as recurrent[scale]:
        h.backward(mg.tensor(rng.normal(size=(1, 16))))
    norms = [recurrent[scale].into(name).measures.norm for name in states]
    over_time[scale] = np.array(norms)

figure, axes = plt.subplots(
    num="Figure 2. Gradient at each step of a linear recurrent network, by the size of "
    "its one matrix."
)
for scale in SCALES:
    axes.semilogy(over_time[scale], label=f"{scale}")
axes.set(xlabel="step", ylabel="gradient")
axes.legend(title="size of W", ncols=3)
print(textwrap.fill(recurrent[1.25].why("h0"), 84))
for scale in SCALES:
    ratio = over_time[scale][0] / over_time[scale][-1]
    assert np.isclose(ratio, scale**BACK, rtol=1e-9)

# %% [markdown]
# Exactly the size to the power of the steps, and the same sentence with the opposite
# verdict. Between death and explosion in Figure 2 there is no room: a factor of 0.99
# dies as surely as 0.8, only later. Depth turns *about 1* into *anything*.
#
# In a deep network it looks like this. ReLU with weights of deviation 0.5, twice He's
# start, and two steps of training:

# %%
large = partial(init.normal_, std=0.5)
try:
    exploding = network(nn.ReLU, large)
    with mg.inspect.detect_nonfinite(exploding):
        train(exploding, 2)
except mg.NonFiniteError as error:
    print(textwrap.fill(str(error), 84))

# %% [markdown]
# ## Ten networks
#
# Now the remedies. Better starts, other activations, and two that leave the sigmoids
# and their small weights as they are: *batch norm* in each layer, and a *skip
# connection* around it, `x + layer(x)`.


# %%
class Skip(nn.Module):
    """Adds to x what a layer makes of it."""

    def __init__(self, *layer: nn.Module) -> None:
        self.layer = nn.Sequential(*layer)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        """Return x + layer(x)."""
        return x + self.layer(x)


def normed(linear: nn.Module, activation: nn.Module) -> nn.Module:
    """Put a batch norm between the two."""
    return nn.Sequential(linear, nn.BatchNorm1d(WIDTH), activation)


VARIANTS: dict[str, tuple[Any, ...]] = {
    "sigmoid, small": (nn.Sigmoid, small),
    "sigmoid, Glorot": (nn.Sigmoid, init.xavier_normal_),
    "tanh, small": (nn.Tanh, small),
    "tanh, Glorot": (nn.Tanh, init.xavier_normal_),
    "ReLU, Glorot": (nn.ReLU, init.xavier_normal_),
    "ReLU, He": (nn.ReLU, init.kaiming_normal_),
    "ReLU, large": (nn.ReLU, large),
    "sigmoid, small, norm": (nn.Sigmoid, small, normed),
    "sigmoid, small, skip": (nn.Sigmoid, small, Skip),
    "tanh, small, skip": (nn.Tanh, small, Skip),
}

SHOWN = (
    "tanh, Glorot",
    "sigmoid, small, norm",
    "sigmoid, small, skip",
    "tanh, small",
    "sigmoid, Glorot",
    "sigmoid, small",
)
figure, axes = plt.subplots(
    figsize=(6, 4.2),
    num="Figure 3. Norm of the gradient of each layer's weights before training, in "
    "six of the ten networks.",
)
flows: dict[str, mg.inspect.Flow] = {}
for name in SHOWN:
    model = network(*VARIANTS[name])
    flows[name] = first_pass(model)
    axes.semilogy(layers, through_depth(model, flows[name]), label=name)
axes.set(xlabel="layer", ylabel="gradient", xticks=[1, 5, 10, 15, 20])
axes.legend(fontsize=9, loc="center right", bbox_to_anchor=(1, 0.42))

# %% [markdown]
# Four of the six lines in Figure 3 stay within two orders of magnitude. How do the two
# do it that have the same sigmoids and the same small weights as the worst one? Look
# into them. Here is what arrives at the output of the first sigmoid where there are
# skips, and at that of the second linear layer where there is batch norm:

# %%
skip = flows["sigmoid, small, skip"].into("1/sigmoid#1")
norm = flows["sigmoid, small, norm"].into("2.0/linear#1")
print(skip.table(), norm.table(), sep="\n\n")

# %% [markdown]
# The *skip* has an edge of its own, an addition, whose gain is 1: not about 1, but 1.
# It brings nearly all of the gradient, past all nineteen layers. The layer itself still
# takes away most of what goes through it, and it does not matter. *Batch norm* lies on
# the only path, but its gain is the inverse of the deviation that it divides by, and as
# the small weights make that deviation small, it gives back what they take.

# %%
through, around = (edge.measures for edge in skip.edges)
assert around.gain == 1
assert (around.share or 0) > 0.95 > 0.05 > (through.share or 0)
assert (norm.edges[0].measures.gain or 0) > 10

# %% [markdown]
# ## Does the first layer learn?
#
# A level line is a means, not an end. So train each network for 120 steps, and then ask
# something that no gradient can answer: **put the first layer's weights back to where
# they began, and see what the loss becomes.** If it stays, the first layer has learned
# nothing that matters, whatever its gradient was. One more number is taken on the way
# *forwards*: how far apart two digits are in the last hidden layer before training, as
# the distance between the directions that their hidden values point in. Where it is 0,
# all digits are one.


# %%
def distance(model: Any) -> float:
    """Return the typical distance of two digits' last hidden values, at length 1."""
    hidden = mg.tensor(pixels[:256])
    with mg.no_grad():
        for part in list(model)[:-1]:
            hidden = part(hidden)
    values = hidden.numpy().astype("float64")
    units = values / np.linalg.norm(values, axis=1, keepdims=True)
    # The mean of |u - v|^2 over pairs is twice the variance, that of u - u[0] as well:
    # it has no rounding where all are equal.
    return float(np.sqrt(2 * (units - units[0]).var(axis=0, ddof=1).sum()))


def tried(name: str, steps: int = 120) -> tuple[float, ...]:
    """Train a network; return a row of Table 1."""
    model = network(*VARIANTS[name])
    weight, apart = model[0].weight, distance(model)
    untrained = weight.numpy().copy()
    with np.errstate(over="ignore", invalid="ignore"):
        with mg.inspect.gradient_flow(model) as flow:
            train(model, 1)
        train(model, steps - 1)
        with mg.no_grad():
            loss = loss_of(model, slice(None)).item()
            weight.data[...] = untrained
            back = loss_of(model, slice(None)).item()
    norms = through_depth(model, flow)
    return norms[0] / norms[-1], flow.into(FIRST).update or 0, apart, loss, back


table = {name: tried(name) for name in VARIANTS}
print("Table 1. Before training, in its first step, and after 120 steps (nats)")
print("                      gradient   update /                    layer 1")
print("network               1 / last   weight 1    apart    loss  put back")
for name, (ratio, update, apart, loss, back) in table.items():
    early = f"{ratio:8.1e}  {update:9.1e}  {apart:7.1e}"
    print(f"{name:20}  {early}  {loss:6.2f}  {back:8.2f}")

# %% [markdown]
# Read Table 1 row by row.
#
# - *sigmoid, Glorot*: ten thousand times more gradient than with small weights, and
#   just as dead. And it is dead in both directions: what makes two digits differ is
#   shrunk by the same slopes and the same weights on its way forwards, so that the last
#   hidden layer has the same values for all digits, *apart* by not one bit.
# - *tanh, small*: the first column is fine, and nothing is learned. A weight's gradient
#   is what comes back from the loss times the input that came forwards. Here both
#   shrink from layer to layer, each on its own way, so the gradient is the same
#   everywhere: nothing. **The ratio of first to last is no measure of health.** *Update
#   / weight* is.
# - *tanh, Glorot* has the product that theory asks for, and learns. So has *ReLU, He*;
#   Glorot's start, too small for ReLU by the root of two nineteen times over, has not.
#   But He's network is far behind that with tanh. Its gradient has the right size, and
#   *apart* hints at what it lacks. A ReLU passes no negative number on, and nineteen
#   layers on all digits point in nearly the same direction. A gradient can only teach
#   the layers to tell apart what the forward has kept apart.
# - *ReLU, large*: a first step twenty thousand times as long as the weights, and then
#   no number at all.
# - *norm* and *skip* make the worst network of all learn. Now put layer 1 back. With
#   batch norm that costs an eighth of what was gained: the later layers did most of the
#   learning. With skips it costs more than all of it.
# - *tanh, small, skip* learns best, from the small weights that learned nothing without
#   the skips. Where each layer starts as *almost nothing, added to its input*, small
#   weights are no fault. They are the point.

# %%
for name in ("sigmoid, small", "sigmoid, Glorot", "tanh, small"):
    assert table[name][3] > 2.29
assert 0.5 < table["tanh, small"][0] < 2
assert table["tanh, small"][1] < 1e-5
assert table["sigmoid, Glorot"][2] == 0
assert table["ReLU, He"][2] < 0.2 < 0.9 < table["tanh, Glorot"][2]
assert np.isnan(table["ReLU, large"][3])
_, _, _, loss, back = table["sigmoid, small, norm"]
assert 0.08 < (back - loss) / (np.log(10) - loss) < 0.17
assert table["sigmoid, small, skip"][4] > np.log(10)
assert min(table, key=lambda name: table[name][3]) == "tanh, small, skip"

# %% [markdown]
# ## To try
#
# - Give the sigmoids the weights that their slope asks for, deviation 4 / sqrt(n). What
#   does `why` say then, and what does batch norm make of it?
# - Draw the matrix of Figure 2 from normal numbers of deviation 1 / sqrt(n). Is its
#   line level? What about the product of twenty *different* ones?
# - Give *ReLU, He* the batch norm of `normed`. What becomes of *apart*, and of the
#   loss?
# - Save *ReLU, large* by clipping: scale each gradient, before the step, to a norm of
#   at most 1. Does its layer 1 learn then?

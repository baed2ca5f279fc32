# %% [markdown]
# # What an LSTM remembers: carry and gates over time
#
# A recurrent network reads step by step, and its gradient walks the same steps back. If
# every step of that walk shrinks it by half, nothing arrives at the beginning. The LSTM
# was built against this: beside its gates it has a lane on which a gradient can travel
# undisturbed. We make a network wait before it may answer, look at what travels on
# which lane, and find the one number that decides whether it learns at all.

# %%
"""The terms of an LSTM's gradient over time: the carry, the gates, the forget bias."""

from typing import Any

import numpy as np
from matplotlib import pyplot as plt

import minigrad as mg
from datasets import Split, as_float, digits
from minigrad import functional as F
from minigrad import nn, optim

# %% [markdown]
# ## Read, wait, answer
#
# The data are scans of digits, 8 pixels by 8. The network reads one row of pixels at
# each step, 8 steps in all. Then come 16 steps of nothing, and only after the last one
# it is asked which digit it was (Figure 1). It has to carry the answer through the
# silence.

# %%
READ, WAIT, UNITS = 8, 16, 16
STEPS = READ + WAIT
data = digits.load()


def sequences(split: Split) -> Any:
    """Return digits as sequences of rows, then of zeros: (T, N, 8), in [0, 1]."""
    rows = as_float(split.images)[:, 0].transpose(1, 0, 2)  # (N, 8, 8) -> (8, N, 8)
    return np.concatenate([rows, np.zeros((WAIT, *rows.shape[1:]), rows.dtype)])


train, test = sequences(data.train), sequences(data.test)

figure, axes = plt.subplots(
    figsize=(6, 2.2),
    num=f"Figure 1. A {data.train.labels[3]} as the network sees it: one column is one "
    f"step, {READ} steps of 8 pixels, then {WAIT} steps of nothing.",
)
axes.imshow(train[:, 3].T, cmap="gray", interpolation="nearest")
axes.set(xlabel="step", ylabel="pixel", xticks=range(0, STEPS, 4), yticks=[0, 7])
axes.grid(False)

# %% [markdown]
# ## The cell and its lane
#
# At each step an LSTM computes four values from the input `x` and its last output `h`:
# the input gate `i`, the forget gate `f` and the output gate `o`, between 0 and 1, and
# a proposal `g` between -1 and 1. With these it updates its memory, the cell `c`:
#
#     c = f * c_before + i * g
#     h = o * tanh(c)
#
# Look at the first product. Backwards, the gradient of `c_before` is `f` times that of
# `c`, and nothing else happens to it: no matrix, no squashing. That is the lane; its
# inventors called it the constant error carousel, and minigrad calls its term `carry`.
# If `f` is 1, the gradient arrives whole, however many steps it takes. If `f` is one
# half, it is halved at each.
#
# And `f` is a sigmoid of a sum, so before any training it is about the sigmoid of its
# bias. The usual start, a bias near 0, means one half. What is left after all 24 steps:

# %%
BIASES = (0, 1, 3)
forget = {bias: 1 / (1 + np.exp(-bias)) for bias in BIASES}
print("forget bias  forget gate  what the lane keeps over 24 steps")
for bias, gate in forget.items():
    print(f"{bias:11}  {gate:11.3f}  {gate**STEPS:33.1e}")
assert forget[0] ** STEPS < 1e-7
assert 0.2 < forget[3] ** STEPS < 0.4


# %% [markdown]
# ## Looking at the lanes
#
# The network: one LSTM of 16 units, and a linear layer that answers from the last `h`.
# The forget gates get the bias that we ask for; all else starts as usual.


# %%
class Reader(nn.Module):
    """Reads x (T, N, 8) and answers with logits (N, 10) after the last step."""

    def __init__(self, forget_bias: float) -> None:
        weights = np.random.default_rng(0)
        self.lstm: Any = nn.LSTM(8, UNITS, rng=weights)
        self.head = nn.Linear(UNITS, 10, rng=weights)
        # Blocks of rows: input, forget, cell, output. The sum has two biases.
        self.lstm.bias_ih_l0.data[UNITS : 2 * UNITS] = forget_bias
        self.lstm.bias_hh_l0.data[UNITS : 2 * UNITS] = 0

    def read(self, x: Any, c0: Any = None) -> Any:
        """Return all outputs, the last one, the last cells; c0 is zeros if None."""
        lstm = self.lstm
        weights = (lstm.weight_ih_l0, lstm.weight_hh_l0)
        biases = (lstm.bias_ih_l0, lstm.bias_hh_l0)
        return F.lstm(x, None, c0, *weights, *biases)

    def forward(self, x: Any, c0: Any = None) -> mg.Tensor:
        """Start with the cells c0 (N, units), zeros if None."""
        return self.head(self.read(x, c0)[0][-1])


def observed(model: Reader, count: int = 64) -> mg.inspect.Flow:
    """Record the gradients of x and of the first cells, for the first digits."""
    x = mg.tensor(train[:, :count], requires_grad=True)
    c0 = mg.tensor(np.zeros((count, UNITS), "float32"), requires_grad=True)
    names = {"x": x, "c0": c0}
    with mg.inspect.gradient_flow(model, names=names, keep="arrays") as flow:
        F.cross_entropy(model(x, c0), mg.tensor(data.train.labels[:count])).backward()
    return flow


flows = {bias: observed(Reader(bias)) for bias in BIASES}
for bias in (0, 3):
    print(f"forget bias {bias}")
    print(flows[bias].into("c0").table(), end="\n\n")

# %% [markdown]
# These are the gradients of `c0`, the memory before the first step. Follow a small
# change of it forwards. Either it stays in the cells for all 24 steps and is read at
# the end: that is `carry`. Or some `h` takes it out of the cells and into a gate of the
# next step, and the terms are named by the first gate that it enters.
#
# The column *gain* compares with what comes back to the outputs `h`, and the first
# table begins in the cell. Between the two lies `h = o * tanh(c)`, which has a gain of
# its own. Divide by it, and the carry can be held against the lane of that table:


# %%
def into_cell(model: Reader, count: int = 64) -> float:
    """Return the typical gain from the last h to its cell: o (1 - tanh(c)^2)."""
    with mg.no_grad():
        _, h, c = (array.numpy() for array in model.read(mg.tensor(train[:, :count])))
    slopes = h / np.tanh(c) * (1 - np.tanh(c) ** 2)
    return float(np.sqrt(np.mean(slopes**2)))


print("forget bias  carry's gain  of that h to cell  the rest  lane of the first table")
for bias in (0, 3):
    gain = flows[bias].into("c0").edges[0].terms[0].measures.gain or 0
    first = into_cell(Reader(bias))
    lane = forget[bias] ** STEPS
    print(f"{bias:11}  {gain:12.1e}  {first:17.2f}  {gain / first:8.1e}  {lane:23.1e}")
    assert 1 < gain / first / lane < 3

# %% [markdown]
# The lane keeps somewhat more than the table says, because the gates are not all at the
# sigmoid of their bias, and the wider ones let most through. With bias 0 the detours
# bring more than that, and still next to nothing arrives. With bias 3 there is tens of
# thousands of times as much. Note that most of it came by a detour, above all through
# the cell gate `g`. The carry is not the only lane: what enters by a gate is put back
# into the cells, and has to survive *there* until the end. That is why the forget bias
# helps every lane and not just its own.

# %%
arrived = {bias: flow.into("c0").measures.norm for bias, flow in flows.items()}
print(f"bias 3 against bias 0: {arrived[3] / arrived[0]:.0e} times as much")
assert 1e4 < arrived[3] / arrived[0] < 1e5
for bias in (0, 3):
    shares = {
        t.name: t.measures.share or 0 for t in flows[bias].into("c0").edges[0].terms
    }
    assert max(shares, key=lambda name: shares[name]) == "cell_gate"

# %% [markdown]
# ## Gate by gate, step by step
#
# The gradient that reaches the *input* at each step is the sum of four terms as well,
# one for each gate that the input feeds. Here is the norm of each, over time.


# %%
def by_gate(flow: mg.inspect.Flow) -> dict[str, Any]:
    """Return gate -> norm of what reaches x through it at each step: (T,)."""
    (edge,) = flow.into("x").edges
    return {
        term.name.replace("_", " "): np.linalg.norm(np.asarray(term.array), axis=(1, 2))
        for term in edge.terms
    }


figure, panels = plt.subplots(
    2,
    1,
    sharex=True,
    figsize=(6, 5.6),
    num="Figure 2. Gradient that reaches the input at each step, by gate, before "
    "training: forget bias 0 in the upper half, 3 in the lower. In grey the steps of "
    "waiting.",
)
for axes, bias in zip(panels, (0, 3), strict=True):
    for gate, norms in by_gate(flows[bias]).items():
        # A norm of exactly 0 has no place on a logarithmic axis.
        axes.semilogy(np.where(norms > 0, norms, np.nan), label=gate)
    axes.axvspan(READ - 0.5, STEPS - 0.5, color="gray", alpha=0.15, linewidth=0)
    axes.set(ylabel=f"norm, bias {bias}")
panels[0].legend(ncols=2)
panels[1].set(xlabel="step", ylim=(1e-5, 1e-1))

# %% [markdown]
# Figure 2 has three things to see. With bias 0 the lines are nearly straight on a
# logarithmic scale, and parallel: each step back costs the same factor, whatever the
# gate, because behind each of them the way to the end leads over the same cells. With
# bias 3 they are nearly level. And in both, the cell gate, which decides *what* is
# written, gets several times the gradient of those that decide how much: a sigmoid has
# a slope of 1/4 at most, and what it multiplies is still near zero before training. The
# output gate alone has a moment of its own, the last step, when the answer is read
# through it.

# %%
for bias in (0, 3):
    norms = by_gate(flows[bias])
    others = [norm[:READ].mean() for gate, norm in norms.items() if gate != "cell gate"]
    ratio = norms["cell gate"][:READ].mean() / max(others)
    print(f"bias {bias}: the cell gate has {ratio:.0f} times the gradient of the next")
    assert ratio > 4

# %% [markdown]
# ## How far back the loss can see
#
# Add the gates up again, and compare three forget biases. What reaches step `t`, in
# units of what reaches the last step, says how well the loss sees step `t`.

# %%
sight = {
    bias: np.linalg.norm(np.asarray(flow.into("x").array), axis=(1, 2))
    for bias, flow in flows.items()
}
sight = {bias: norms / norms[-1] for bias, norms in sight.items()}
left = STEPS - 1 - np.arange(STEPS)

figure, axes = plt.subplots(
    num="Figure 3. Gradient at each step in units of the last step's, by forget bias, "
    "before training. Dashed: the forget gate to the power of the steps still to go."
)
for at, (bias, norms) in enumerate(sight.items()):
    axes.semilogy(norms, color=f"C{at}", label=f"bias {bias}")
    axes.semilogy(forget[bias] ** left, "--", color=f"C{at}", linewidth=1)
axes.axvspan(READ - 0.5, STEPS - 0.5, color="gray", alpha=0.15, linewidth=0)
axes.set(xlabel="step", ylabel="gradient / that of the last step")
axes.legend(ncols=2)

# %% [markdown]
# The dashed lines of Figure 3 are the lane alone, sigmoid(bias) to the power of the
# steps: no network is needed to draw them. The solid lines follow them, lifted by what
# the detours bring back. With bias 0 the loss sees the rows of the digit thousands of
# times worse than the last, empty step; with bias 3 it sees them half as well.
#
# ## Does it learn?
#
# 300 steps of Adam on 32 digits each, in the same order for each of the three:


# %%
def accuracy(model: Reader) -> float:
    """Return the percentage of the test digits that are right."""
    with mg.no_grad():
        answers = model(mg.tensor(test)).numpy().argmax(axis=1)
    return 100 * float(np.mean(answers == data.test.labels))


def trained(bias: float, steps: int = 300) -> tuple[float, float]:
    """Train a new network; return its last loss, in nats, and its test accuracy."""
    model, loss = Reader(bias), 0.0
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    rng = np.random.default_rng(0)
    for _ in range(steps):
        batch = rng.choice(train.shape[1], 32, replace=False)
        optimizer.zero_grad()
        logits = model(mg.tensor(train[:, batch]))
        mean = F.cross_entropy(logits, mg.tensor(data.train.labels[batch]))
        mean.backward()
        optimizer.step()
        loss = mean.item()
    return loss, accuracy(model)


table = {bias: trained(bias) for bias in BIASES}
print("Table 1. What the forget bias decides")
print("bias  gate at the start  gradient at step 0  last loss  test accuracy")
for bias, (loss, right) in table.items():
    print(
        f"{bias:4}  {forget[bias]:17.3f}  {sight[bias][0]:18.1e}  {loss:9.2f}"
        f"  {right:11.1f} %"
    )
print(f"guessing at random: {np.log(10):.2f} nats, 10 %")

# %% [markdown]
# Table 1 puts the measurement from before training, *gradient at step 0*, beside what
# training then achieves. With bias 0 the network is where guessing is. Nothing is wrong
# with its weights, its gates or its optimizer; the loss just cannot see the digit. One
# number, which costs nothing, changes that. This is why a forget bias of 1 or more is a
# good start, and the more the longer the wait.

# %%
assert sight[0][:READ].max() < 1e-3
assert sight[3][:READ].min() > 0.4
assert table[0][1] < 20 < table[1][1] < table[3][1]

# %% [markdown]
# ## To try
#
# - Set `WAIT` to 0. Which biases learn now?
# - Record the flow of a network that has been trained with bias 3. Has the order of the
#   gates in Figure 2 changed?
# - The rows of waiting are all zeros. Does a gradient with respect to them mean
#   anything? What would a network gain that could choose them?

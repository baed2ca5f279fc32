# %% [markdown]
# # The chain rule by hand, and on the tape
#
# A network is one long formula, and its gradient is the chain rule applied to that
# formula, step by step, from the loss backwards. We do it by hand for a network that
# fits on a blackboard, let the tape do the same, and then ask a third witness, who has
# never heard of the chain rule, which of the two is right.

# %%
"""Back-propagation written out in NumPy, beside the tape and the complex step."""

from typing import Any

import numpy as np
from matplotlib import pyplot as plt

import minigrad as mg

# %% [markdown]
# ## One neuron
#
# One input `x`, one hidden value, one output, one target `t`, and three weights:
#
#     z = w x + b
#     h = tanh(z)
#     y = v h
#     loss = (y - t)^2
#
# With numbers, line by line:

# %%
x, t = 0.5, 1.0
w, b, v = 2.0, -0.5, 1.5

z = w * x + b
h = np.tanh(z)
y = v * h
loss = (y - t) ** 2

print(f"z = {z:.4f}   h = {h:.4f}   y = {y:.4f}   loss = {loss:.4f}")

# %% [markdown]
# The output is too small, so the loss wants it larger. How much does it want that, and
# what does it want of `w`? Write `dq` for d loss / d q: by how much the loss grows when
# `q` grows by one very small unit. Then walk through the same four lines in the
# opposite order. Each line of the forward is asked one question only, *if your result
# matters this much, how much does what went into you matter?*, and each answers with
# its own derivative, multiplied by the `d` that came back to it from the loss.

# %%
dloss = 1.0
dy = dloss * 2 * (y - t)  # loss = (y - t)^2
dv = dy * h  # y = v h
dh = dy * v
dz = dh * (1 - h**2)  # h = tanh(z)
dw = dz * x  # z = w x + b
db = dz * 1.0

print("quantity   value  comes from  times its derivative  gradient")
for name, value, source, local, gradient in (
    ("y", y, "loss", 2 * (y - t), dy),
    ("v", v, "y", h, dv),
    ("h", h, "y", v, dh),
    ("z", z, "h", 1 - h**2, dz),
    ("w", w, "z", x, dw),
    ("b", b, "z", 1.0, db),
):
    print(f"{name:8}{value:8.4f}  {source:>10}  {local:20.4f}  {gradient:8.4f}")

# %% [markdown]
# Nothing in the row of `z` knows about the target, and nothing in the row of `y` knows
# about tanh. That is the whole trick: **every derivative is local**, and the
# gradient of a weight is the product of the local derivatives on the way to it.
#
# A gradient is a prediction, so let us hold it to its word. If `w` grows by 0.01, the
# loss should change by 0.01 times `dw`, up to an error of second order:

# %%
step = 0.01
predicted = step * dw
happened = (v * np.tanh((w + step) * x + b) - t) ** 2 - loss
print(f"predicted {predicted:.6f}, happened {happened:.6f}")
assert abs(happened - predicted) < step**2

# %% [markdown]
# ## Three neurons, four examples
#
# Now a network that does something: two inputs, three hidden units, one output, and
# the four examples of XOR as the rows of `x`. The loss is a mean over examples, plus a
# small weight decay on `w1`, so that `w1` is used twice.

# %%
x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])  # (4, 2)
t = np.array([[0.0], [1.0], [1.0], [0.0]])  # (4, 1)
DECAY = 0.05

rng = np.random.default_rng(0)
weights: dict[str, Any] = {
    "w1": 0.5 * rng.normal(size=(2, 3)),
    "b1": 0.5 * rng.normal(size=3),
    "w2": 0.5 * rng.normal(size=(3, 1)),
    "b2": 0.5 * rng.normal(size=1),
}


def forward(w1: Any, b1: Any, w2: Any, b2: Any) -> tuple[Any, Any, Any]:
    """Return the hidden values (4, 3), the outputs (4, 1) and the loss."""
    z = x @ w1 + b1  # (4, 2) @ (2, 3) -> (4, 3)
    h = np.tanh(z)
    y = h @ w2 + b2  # (4, 3) @ (3, 1) -> (4, 1)
    loss = np.mean((y - t) ** 2) + DECAY * np.sum(w1 * w1)
    return h, y, loss


# %% [markdown]
# The chain rule stays what it was; arrays only add bookkeeping. Three rules are all
# there is to it:
#
# 1. *A product of matrices sends back a product with the other factor transposed.* From
#    `y = h @ w2`, `dh = dy @ w2.T` and `dw2 = h.T @ dy`. No other order has fitting
#    shapes, since a gradient always has the shape of the thing it is the gradient of.
# 2. *What was repeated forwards is summed backwards.* `b1` was added to all four rows,
#    so its gradient is the sum of the four rows that come back.
# 3. *What was used twice gets a gradient from each use, and they add up.* `w1` gets one
#    from the data and one from the decay.

# %%
h, y, loss = forward(**weights)
hand = {}
dy = 2 * (y - t) / len(x)  # mean of (y - t)^2: (4, 1)
hand["w2"] = h.T @ dy  # rule 1: (3, 4) @ (4, 1) -> (3, 1)
hand["b2"] = dy.sum(axis=0)  # rule 2: (4, 1) -> (1,)
dh = dy @ weights["w2"].T  # rule 1: (4, 1) @ (1, 3) -> (4, 3)
dz = dh * (1 - h * h)  # tanh, element by element
from_data = x.T @ dz  # rule 1: (2, 4) @ (4, 3) -> (2, 3)
from_decay = DECAY * 2 * weights["w1"]
hand["w1"] = from_data + from_decay  # rule 3
hand["b1"] = dz.sum(axis=0)  # rule 2: (4, 3) -> (3,)

print(f"loss {loss:.4f}")
for name, gradient in hand.items():
    print(f"d{name} {gradient.shape}: {np.array2string(gradient.ravel(), precision=4)}")

# %% [markdown]
# ## The same on the tape
#
# A tape notes down every operation while the forward runs. `backward()` then does what
# we did: it reads its notes from the last to the first and calls, for each, the rule of
# that one operation.

# %%
leaves = {name: mg.tensor(w, requires_grad=True) for name, w in weights.items()}
h_tape = (mg.tensor(x) @ leaves["w1"] + leaves["b1"]).tanh()
y_tape = h_tape @ leaves["w2"] + leaves["b2"]
loss_tape = ((y_tape - t) ** 2).mean() + DECAY * (leaves["w1"] ** 2).sum()

with mg.inspect.gradient_flow(names={**leaves, "h": h_tape}) as flow:
    loss_tape.backward()
tape = {name: leaf.grad.numpy() for name, leaf in leaves.items()}
print(f"loss {loss_tape.item():.4f}\n")
print(flow.into("w1").table())

# %% [markdown]
# The table is rule 3 made visible. `w1` has two *edges*: one to the matrix product that
# it was a factor of, one to the square in the weight decay. Their norms are those of
# `from_data` and `from_decay` above, and their shares say how much of the total each
# one is. Where a value feeds several places (a skip connection, a weight that is
# tied, a hidden state used at every time step), this is where to look first.

# %%
for edge, part in zip(flow.into("w1").edges, (from_data, from_decay), strict=True):
    on_tape, by_hand = edge.measures.norm, np.linalg.norm(part)
    print(f"{edge.title:14} {on_tape:.6f}  by hand {by_hand:.6f}")
    assert np.isclose(on_tape, by_hand, rtol=1e-12)

# %% [markdown]
# ## A witness who knows no chain rule
#
# Hand and tape may share a mistake: whoever believes a wrong rule writes it down twice.
# So ask the loss itself. The oldest way is to nudge a weight by a step `s` and look:
#
#     central difference    (loss(w + s) - loss(w - s)) / 2s
#
# It has a dilemma. A large step measures a curve by a chord, a small one subtracts two
# almost equal numbers and keeps only their last, wrong digits. There is a way around
# it: take the step in the imaginary direction. To first order,
#
#     loss(w + i s) = loss(w) + i s loss'(w)
#
# so the derivative stands in the imaginary part **alone**. Nothing is subtracted, no
# digit is lost, and the step may be as small as one likes.


# %%
def nudged(name: str, place: tuple[int, ...], step: complex) -> Any:
    """Return the loss with one number of one weight moved by step."""
    moved = {key: array.astype(complex) for key, array in weights.items()}
    moved[name][place] += step
    return forward(**moved)[2]


def central(name: str, place: tuple[int, ...], step: float) -> float:
    """Return the derivative of the loss for one number, by two real steps."""
    ahead, behind = nudged(name, place, step), nudged(name, place, -step)
    return (ahead - behind).real / (2 * step)


def complex_step(name: str, place: tuple[int, ...], step: float = 1e-30) -> float:
    """Return the derivative of the loss for one number, by one imaginary step."""
    return nudged(name, place, 1j * step).imag / step


steps = 10.0 ** -np.arange(1, 17)
truth = hand["w1"][0, 0]
errors = {
    method.__name__.replace("_", " "): [
        # The smallest error that can be told from none, so that 0 has a place.
        max(abs(method("w1", (0, 0), s) / truth - 1), 1e-17)
        for s in steps
    ]
    for method in (central, complex_step)
}

figure, axes = plt.subplots(
    num="Figure 1. Error of the derivative for w1[0, 0], by step: the central "
    "difference loses digits even at its best step, the complex step loses none."
)
axes.loglog(steps, errors["central"], "o-", label="central difference")
axes.loglog(steps, errors["complex step"], "s-", label="complex step")
axes.axhline(2.0**-52, linestyle=":", color="gray", label="float64's rounding")
axes.set(xlabel="step", ylabel="relative error")
axes.invert_xaxis()
axes.legend()

best = min(errors["central"])
print(f"central difference at its best step {best:.0e}")
print(f"complex step at the smallest        {errors['complex step'][-1]:.0e}")

# %% [markdown]
# Figure 1 shows both branches of the dilemma: going right, the error of the central
# difference falls with the square of the step, turns round, and rises again as digits
# cancel. The complex step falls and stays. This is why minigrad's own gradient checker
# steps by 1e-30 in the imaginary direction: a wrong rule cannot hide behind "probably
# rounding".

# %%
assert 1e-12 < best < 1e-8
assert errors["complex step"][-1] < 1e-14

# %% [markdown]
# ## Three witnesses
#
# Now all thirteen numbers, three ways. Differences are given in units of the rounding
# of a float64 number of the gradient's size (2.2e-16 times its largest entry), so that
# 1 means *equal but for the last bit*.


# %%
def in_roundings(one: Any, other: Any) -> float:
    """Return the largest difference, in roundings of the largest entry."""
    return float(np.max(np.abs(one - other)) / (np.max(np.abs(one)) * 2.0**-52))


third = {
    name: np.array([complex_step(name, place) for place in np.ndindex(array.shape)])
    for name, array in weights.items()
}
table: dict[str, tuple[float, float]] = {}
print("Table 1. Norms by hand, and differences in roundings")
print("weight   shape    norm  hand - tape  hand - complex step")
for name, by_hand in hand.items():
    to_tape = in_roundings(by_hand, tape[name])
    to_third = in_roundings(by_hand.ravel(), third[name])
    table[name] = to_tape, to_third
    norm, shape = np.linalg.norm(by_hand), str(by_hand.shape)
    print(f"{name:6}  {shape:>6}  {norm:.4f}  {to_tape:11.1f}  {to_third:19.1f}")
assert max(max(row) for row in table.values()) < 20

# %% [markdown]
# Table 1 is the result of this lesson: hand and tape agree, and both agree with a
# method that never used the chain rule. The tape is not clever. It keeps notes, it
# knows one rule for each operation, and it never forgets to add.
#
# ## To try
#
# - Leave out `from_decay`. Which rows of Table 1 change, and which of the three
#   witnesses notices?
# - Use `h` twice: let the loss also have `0.1 * np.mean(h * h)`. Which lines of the
#   backward by hand change? Look at `flow.into("h").table()`.
# - Write `np.abs(w1) ** 2` for `w1 * w1` in `forward`: for real numbers the same. Which
#   column of Table 1 breaks, and why?

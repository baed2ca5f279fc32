# %% [markdown]
# # Dropout's hidden gradient
#
# Dropout is told as a story about committees: units that cannot rely on each other.
# Hahn and Choi (2019, arXiv:1806.09783) tell another one. The masks shake the net value
# of each unit, so one that is stuck where its slope is flat now and then finds itself
# on the slope, and learns. We follow that gradient through one unit and see that it is
# there, do the same without any noise by GAAF, and then ask a trained network how much
# of what dropout does to its gradient is really due to that.

# %%
"""Gradient through saturated units by dropout's masks, by GAAF, and in a network."""

from typing import Any

import numpy as np
from matplotlib import pyplot as plt

import minigrad as mg
from datasets import Split, as_float, digits, flat
from minigrad import functional as F
from minigrad import nn, optim

# %% [markdown]
# ## One saturated unit
#
# A unit has a hundred inputs `x` between 0 and 1, and a bias that puts its net value `z
# = w x + b` at 3. There tanh is nearly 1 and its slope nearly 0: whatever the loss
# wants of this unit, a hundredth of it gets through. Now the same input ten thousand
# times, each time under another mask that drops every second number of `x` and doubles
# the rest. The size of `w` is chosen so that the net values vary as much as the paper
# measured in the middle of its network, with a variance of 1.07.

# %%
MASKS, AT, SPREAD = 10_000, 3.0, 1.07
rng = np.random.default_rng(0)
x = rng.uniform(size=100)
w = rng.normal(size=100)
w *= np.sqrt(SPREAD / np.sum((w * x) ** 2))


def unit(masks: int, p: float = 0.5) -> tuple[Any, mg.inspect.Flow]:
    """Return net values (masks, 1), and the flow of a gradient of 1 to each of them."""
    rows = np.tile(x, (masks, 1))
    dropped = F.dropout(mg.tensor(rows), p, rng=np.random.default_rng(1))
    weight = mg.tensor(w[np.newaxis], requires_grad=True)
    z = F.linear(dropped, weight, mg.tensor(np.array([AT - w @ x])))
    y = z.tanh()
    with mg.inspect.gradient_flow(names={"z": z}) as flow:
        y.backward(mg.tensor(np.ones_like(y.numpy())))
    return z.numpy()[:, 0], flow


still, without = unit(1, p=0)
shaken, masked = unit(MASKS)
for title, flow in (("without masks", without), ("with masks", masked)):
    into = flow.into("z")
    print(
        f"{title:13}  mean slope {into.measures.mean_abs:.4f},"
        f"  saturated {100 * (into.edges[0].idle or 0):3.0f} %"
    )

slopes = 1 - np.tanh(shaken) ** 2
out = shaken < 2
print(f"\n{100 * out.mean():.0f} % of the masks have a net value below 2,")
print(f"and {100 * slopes[out].sum() / slopes.sum():.0f} % of the gradient")

figure, axes = plt.subplots(
    num=f"Figure 1. Net values of one unit under {MASKS:,} masks. Without them it lies "
    f"at {AT:.0f}. Red: the slope of tanh, which is what a gradient is multiplied by."
)
axes.hist(shaken, bins=80, density=True, color="C0", alpha=0.6, label="net values")
grid = np.linspace(-1, 7, 200)
axes.plot(grid, 1 - np.tanh(grid) ** 2, color="C1", label="slope of tanh")
axes.axvline(AT, color="gray", linestyle="--", linewidth=1)
axes.set(xlabel="net value", ylabel="density, slope", xlim=(-1, 7))
axes.legend()

# %% [markdown]
# Where the two shapes of Figure 1 overlap, gradient flows. Few masks lead there, and
# they bring most of it: five times as much on average as the unit gets without masks.
# This is the hidden gradient. It is no trick of the backward, whose terms are what they
# always were. It comes from where the forward puts the unit.

# %%
factor = masked.into("z").measures.mean_abs / without.into("z").measures.mean_abs
assert 4.5 < factor < 6
assert out.mean() < 0.2 < 0.75 < slopes[out].sum() / slopes.sum()

# %% [markdown]
# ## How far the masks shake
#
# Each term of `w x` is independently left out. A mask `d` of zeros and ones, 0 with
# probability p, has variance p (1 - p), so
#
#     variance of  sum w d x  =  p (1 - p) sum (w x)^2
#
# which is the paper's equation 6. Today the numbers that stay are divided by their
# share, so that nothing need be changed after training; the variance is then `p / (1 -
# p) sum (w x)^2`. The paper estimated it from 20 masks:

# %%
print("   p   formula  20 masks  10,000 masks")
errors: list[float] = []
for p in (0.1, 0.3, 0.5, 0.7):
    formula = p / (1 - p) * np.sum((w * x) ** 2)
    few, many = (unit(masks, p)[0].var(ddof=1) for masks in (20, MASKS))
    errors.append(abs(many / formula - 1))
    print(f"{p:4}  {formula:8.3f}  {few:8.3f}  {many:12.3f}")
assert max(errors) < 0.05

# %% [markdown]
# ## On purpose: GAAF
#
# If saturated units need a slope, why not give them one? **GAAF**, gradient
# acceleration in activation functions, adds to tanh a sawtooth `g` of ten thousand
# teeth per unit, each 0.0001 high with slope 1, and a shape `s` that says where it
# counts:
#
#     y  =  tanh(z) + g(z) s(z)        s(z) = exp(-z^2 / 3)
#     dz =  dy tanh'(z)                activation
#         + dy s(z)                    acceleration
#         + dy g(z) s'(z)              shape
#
# The value is tanh's to within 0.00005. The slope is not. For our unit:

# %%
z = mg.tensor(np.array([AT + 0.3e-4]), requires_grad=True)
y = nn.GAAF("tanh")(z)
with mg.inspect.gradient_flow(names={"z": z}) as flow:
    y.sum().backward()
print(flow.into("z").table())
print(f"\nvalue {y.item():.6f}, of tanh {np.tanh(AT):.6f}")

print("slope measured by a step of")
measured: dict[float, float] = {}
for step in (1e-6, 1e-2):
    ends = nn.GAAF("tanh")(mg.tensor(z.item() + np.array([-step, step]))).numpy()
    measured[step] = (ends[1] - ends[0]) / (2 * step)
    print(f"  {step:.0e}: {measured[step]:.4f}")

# %% [markdown]
# The last two lines say what kind of thing this is. The gradient is *true*: a step that
# stays on one tooth measures it. And it is *irrelevant* to the loss: a step across many
# teeth measures tanh. A step of training is of that kind. GAAF is a gradient that is
# wrong on purpose, or a hint that happens to be a derivative.
#
# Compare the two shapes. Let the unit have its mean net value anywhere, not just at 3:

# %%
assert np.isclose(measured[1e-6], z.grad.item(), rtol=1e-4)
assert np.isclose(measured[1e-2], 1 - np.tanh(AT) ** 2, rtol=0.02)

noise = shaken - AT
across = np.linspace(-5, 5, 101)
bare = 1 - np.tanh(across) ** 2
by_masks = np.array([np.mean(1 - np.tanh(at + noise) ** 2) for at in across])
points = mg.tensor(across, requires_grad=True)
nn.GAAF("tanh")(points).sum().backward()
accelerated = points.grad.numpy()


def draw_slopes(axes: Any) -> None:
    """Draw slope against mean net value, of tanh as it is and under masks."""
    axes.semilogy(across, bare, color="C0", label="tanh")
    axes.semilogy(across, by_masks, color="C1", label="tanh, mean over masks")
    axes.set(xlabel="mean net value", ylabel="slope", ylim=(1e-4, 3))


figure, axes = plt.subplots(
    num="Figure 2. Slope of a unit by its mean net value: of tanh, of tanh on average "
    "over the masks of Figure 1, and of GAAF."
)
draw_slopes(axes)
axes.semilogy(across, accelerated, color="C2", label="GAAF")
axes.legend(fontsize=9, loc="lower center")
middle = len(across) // 2
print(
    f"at 0: tanh 1, over masks {by_masks[middle]:.2f}, GAAF {accelerated[middle]:.2f}"
)

# %% [markdown]
# Beyond 2 the two rescuers in Figure 2 run side by side. In the middle they do opposite
# things. GAAF doubles the slope that is there anyway; the masks *lower* it, since most
# of them push the unit off the top. Remember that dip.

# %%
assert 0.55 < by_masks[middle] < 0.63 < 1.9 < accelerated[middle] < 2.1

# %% [markdown]
# ## In a network
#
# So much for one unit. Three networks learn digits, 64 pixels and three layers of 64
# units: with tanh, with tanh and dropout behind each hidden layer, and with GAAF. Their
# *gradient information* is the paper's measure, the mean absolute gradient of a layer's
# weights; here it is averaged over every twentieth step of the training.

# %%
STEPS = 500
data = digits.load()
scale = as_float(data.train.images)


def inputs_of(split: Split) -> Any:
    """Return a split's pixels (N, 64), centred and scaled as the training set's."""
    return (flat(as_float(split.images)) - scale.mean()) / scale.std()


pixels, test = inputs_of(data.train), inputs_of(data.test)


def network(activation: Any, drops: bool = False) -> nn.Sequential:
    """Return a new network of three hidden layers."""
    weights, masks = np.random.default_rng(0), np.random.default_rng(1)
    parts: list[nn.Module] = []
    for outputs in (64, 64, 64, 10):
        linear = nn.Linear(64, outputs, rng=weights)
        nn.init.xavier_uniform_(linear.weight, rng=weights)
        parts += [linear, activation()]
        if drops:
            parts.append(nn.Dropout(0.5, rng=masks))
    return nn.Sequential(*parts[: -2 if drops else -1])


def recorded(model: nn.Sequential, rows: Any, keep: str = "scalars") -> Any:
    """Run one backward of the loss of some digits; return the loss and the flow."""
    labels = mg.tensor(data.train.labels[rows])
    model.zero_grad()
    loss = F.cross_entropy(model(mg.tensor(pixels[rows])), labels)
    with mg.inspect.gradient_flow(model, keep=keep) as flow:
        loss.backward()
    return loss.item(), flow


def train(model: nn.Sequential) -> tuple[float, ...]:
    """Train a network; return the information of layers 1 to 3, and test accuracy."""
    optimizer = optim.SGD(model.parameters(), lr=0.3)
    batches = np.random.default_rng(2)
    found: list[list[float]] = []
    for step in range(STEPS):
        rows = batches.choice(len(pixels), 64, replace=False)
        if step % 20 == 0:
            _, flow = recorded(model, rows)
            layers = list(flow.gradient_information().values())[:3]
            found.append([layer.batch for layer in layers])
        else:
            model.zero_grad()
            labels = mg.tensor(data.train.labels[rows])
            F.cross_entropy(model(mg.tensor(pixels[rows])), labels).backward()
        optimizer.step()
    with mg.no_grad():
        answers = model.eval()(mg.tensor(test)).numpy().argmax(axis=1)
    right = 100 * float(np.mean(answers == data.test.labels))
    return *np.mean(found, axis=0), right


networks = {
    "tanh": network(nn.Tanh),
    "tanh, dropout": network(nn.Tanh, drops=True),
    "GAAF": network(nn.GAAF),
}
table = {name: train(model) for name, model in networks.items()}
print(
    "Table 1. Mean gradient information in training, times that of tanh, and accuracy"
)
print("network        layer 1          layer 2          layer 3          test")
base = table["tanh"]
for name, (*layers, right) in table.items():
    cells = "  ".join(
        f"{one:.1e} ({one / of:3.1f} x)" for one, of in zip(layers, base, strict=False)
    )
    print(f"{name:13}  {cells}  {right:.1f} %")

# %% [markdown]
# Table 1 has what the paper's table 2 has for MNIST. There dropout has 5.5, 4.7 and 6.2
# times the gradient information of layers 1 to 3 without it, and GAAF, as we read its
# text, 10.7, 4.6 and 1.9 times. Dropout raises all layers alike, GAAF the early ones
# most, since every layer on the way back accelerates once more. The claim is reproduced
# on digits in seconds. Is the *reason* right as well?
#
# ## Whose gradient is it?
#
# Take the trained network with dropout. Its weights stay as they are now; run a
# backward with masks, and one without. The network is a chain, so the norm that arrives
# at layer 1 is the norm at the logits times a product of gains. Group them by kernel,
# divide with by without, and the whole increase falls into factors:

# %%
model = networks["tanh, dropout"]
rows = np.arange(512)


def factors(flow: mg.inspect.Flow) -> dict[str, float]:
    """Return the norm at the logits, and by kernel the product of gains before them."""
    results = [one for one in flow.targets.values() if one.kind == "result"]
    found = {"dropout": 1.0, "linear": 1.0, "tanh": 1.0}
    for target in results:
        for edge in target.edges:
            if edge.kernel in found:
                found[edge.kernel] *= edge.measures.gain or 0
            else:
                found["starts at the logits"] = target.measures.norm
    arrived = flow.into("0/linear#1").measures.norm
    assert np.isclose(np.prod(list(found.values())), arrived, rtol=1e-4)
    return {**found, "arrives at layer 1": arrived}


runs: dict[str, Any] = {}
for title, masks in (("without", False), ("with", True)):
    runs[title] = recorded(model.train(masks), rows, keep="arrays")
    print(f"{title:7} masks: loss {runs[title][0]:.3f} nats")
alone, shaking = (factors(flow) for _, flow in runs.values())
ratios = {name: shaking[name] / alone[name] for name in shaking}

print("\nTable 2. The gradient at layer 1, with masks / without, by where it is made")
for name in ("starts at the logits", "dropout", "linear", "tanh", "arrives at layer 1"):
    print(
        f"{name:20}  {alone[name]:8.2e} -> {shaking[name]:8.2e}  x {ratios[name]:.2f}"
    )

# %% [markdown]
# Table 2 has a surprise in its row *tanh*. With masks, the slopes let through **less**.
# Most of the increase is made before any slope has been met: the masks make the network
# err, so the loss stays larger, and so does what it sends back. The masks double what
# they do not drop (*dropout*), and the weights in front average half of that away again
# (*linear*). And still the first part of this lesson was right. Look at the units of
# layer 3 one by one, sorted by the net value that they have without masks:

# %%
net = mg.tensor(pixels[rows])
with mg.no_grad():
    for part in list(model.eval())[:7]:
        net = part(net)
net = net.numpy()
saturated = np.abs(net) > 2


def through_tanh(flow: mg.inspect.Flow) -> tuple[Any, Any]:
    """Return what arrives at the outputs of layer 3, and at its net values."""
    outputs, nets = flow.into("7/tanh#1").array, flow.into("6/linear#1").array
    return np.asarray(outputs), np.asarray(nets)


figure, axes = plt.subplots(
    num="Figure 3. Slope of the units of layer 3 in the trained network, by their net "
    "value without masks. Dots: means over units and digits. Lines: as in Figure 2."
)
draw_slopes(axes)
edges = np.linspace(-4.5, 4.5, 19)
shares: dict[str, tuple[float, float]] = {}
print("saturated units of layer 3, beyond 2: their gain, and their part of |dz|^2")
for at, (title, (_, flow)) in enumerate(runs.items()):
    outputs, nets = through_tanh(flow)
    ratio = nets / np.where(outputs == 0, np.inf, outputs)
    places = [(net > low) & (net < low + 0.5) & (outputs != 0) for low in edges[:-1]]
    means = [ratio[place].mean() for place in places]
    axes.semilogy(edges[:-1] + 0.25, means, "o^"[at], color=f"C{at}", label=title)
    gain = np.linalg.norm(nets[saturated]) / np.linalg.norm(outputs[saturated])
    part = np.sum(nets[saturated] ** 2) / np.sum(nets**2)
    shares[title] = float(gain), float(part)
    print(f"{title:7} masks: {gain:.3f}, {100 * part:4.1f} %")
axes.legend(fontsize=9, ncols=2, loc="lower center")
print(f"they are {100 * saturated.mean():.0f} % of all")

# %% [markdown]
# The dots of Figure 3 are a network's, the lines a single unit's from the beginning of
# the lesson, and they tell the same story: under masks the flanks are lifted, on the
# far ends even more so, and the top is cut off. The saturated units, two of five, get
# next to nothing without masks and a fifth of the layer's gradient with them. That is
# the hidden gradient, in the open. But three of five units are not saturated, they have
# the larger slopes, and they lose.
#
# So the paper is right about *who* gets more gradient, and Table 2 says that this is
# not *why there is more of it*. Tables like the paper's, which compare sums, cannot
# tell the two apart. Factors can.

# %%
assert 3 < table["tanh, dropout"][0] / base[0] < 8
gaaf = [one / of for one, of in zip(table["GAAF"], base, strict=True)][:3]
assert gaaf == sorted(gaaf, reverse=True)
assert ratios["tanh"] < 0.95 < 2 < ratios["starts at the logits"]
assert shares["with"][0] > 8 * shares["without"][0]
assert shares["without"][1] < 0.01 < 0.15 < shares["with"][1]
assert 0.35 < saturated.mean() < 0.45

# %% [markdown]
# ## To try
#
# - Look at layer 1 in the way of Figure 3. Nothing is dropped before it: what must the
#   dots do there?
# - Train three times as long. More units saturate; does the row *tanh* of Table 2 ever
#   get above 1?
# - `with mg.inspect.drop("acceleration"):` around the backward of the GAAF network
#   takes its gradient away and leaves its forward alone. What do you expect of training
#   then?
# - Give GAAF a shape that is 0 where tanh is steep, `s(z) = 1 - tanh'(z)`, as a
#   `minigrad.kernels.gaaf.Curve`. Is that the gradient that dropout has?

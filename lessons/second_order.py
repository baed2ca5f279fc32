# %% [markdown]
# # Second order without second derivatives
#
# The gradient says which way the loss falls, and nothing about how far one may go. That
# is a question of curvature, of second derivatives, and minigrad has no rule for a
# second derivative anywhere. It needs none: the same backward, run at a point a hair
# off the real axis, gives them to the last digit. We see why no digit is lost, look at
# all 226 directions in which a small network's loss is curved, and predict from one
# number how far gradient descent may step.

# %%
"""Complex step, Hessian products, sharpness, and the largest stable learning rate."""

from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from scipy.optimize import minimize

import minigrad as mg
from datasets import as_float, digits
from minigrad import functional as F
from minigrad import nn
from minigrad.inspect import Hessian, hvp, jvp

# %% [markdown]
# ## A difference without subtraction
#
# A derivative is a difference over a step `h`, and differences of nearly equal numbers
# are where digits go to die. Here is a function from the paper that made the way around
# it known (Squire & Trapp 1998), with its slope at 1.5 by a step of 1e-10:


# %%
def f(x: Any) -> Any:
    """Return exp(x) / sqrt(sin(x)^3 + cos(x)^3)."""
    return np.exp(x) / np.sqrt(np.sin(x) ** 3 + np.cos(x) ** 3)


AT, STEP = 1.5, 1e-10
sin, cos = np.sin(AT), np.cos(AT)
exact = f(AT) * (1 - 1.5 * sin * cos * (sin - cos) / (sin**3 + cos**3))
lifted = f(AT + 1j * STEP).imag

print(f"f(x + h)            {f(AT + STEP):.16f}")
print(f"f(x)                {f(AT):.16f}")
print(f"difference / h      {(f(AT + STEP) - f(AT)) / STEP:.16f}")
print(f"Im f(x + ih)        {lifted:.16e}")
print(f"Im f(x + ih) / h    {lifted / STEP:.16f}")
print(f"f'(x)               {exact:.16f}")

# %% [markdown]
# The first two numbers agree in nine digits. Their difference is made of the few that
# are left, and no division brings the others back. The fourth number was never
# subtracted from anything. A step along the imaginary axis changes `f(x)` to
#
#     f(x + ih)  =  f(x)  +  ih f'(x)  -  h^2 f''(x) / 2  - ...
#
# and the slope stands in a part of its own, at its own size, with all its digits. The
# computer keeps the two parts in two different numbers. All that is wrong is of order
# `h^2`, so make `h` small, and it is gone:

# %%
steps = 10.0 ** -np.arange(1, 21)
methods = {
    "forward difference": lambda h: (f(AT + h) - f(AT)) / h,
    "central difference": lambda h: (f(AT + h) - f(AT - h)) / (2 * h),
    "complex step": lambda h: f(AT + 1j * h).imag / h,
}
errors = {
    name: np.array([abs(slope(h) / exact - 1) for h in steps])
    for name, slope in methods.items()
}
figure, axes = plt.subplots(
    num="Figure 1. Relative error of the slope, by step. To the left the formulas are "
    "wrong, to the right the arithmetic is, but for the complex step."
)
for (name, error), mark in zip(errors.items(), "os^", strict=True):
    # An error of 0 is drawn at 1e-17, below all that float64 can tell from 0.
    axes.loglog(steps, np.maximum(error, 1e-17), f"{mark}-", markersize=4, label=name)
axes.axhline(2.0**-52, linestyle=":", color="gray", label="float64's rounding")
axes.set(xlabel="step", ylabel="relative error", ylim=(1e-18, 30))
axes.invert_xaxis()
axes.legend(fontsize=9)
for name, error in errors.items():
    print(f"{name:18}  best {error.min():.0e} at step {steps[error.argmin()]:.0e}")

# %% [markdown]
# Figure 1 has the famous V twice, for the two differences: each gains by smaller steps
# until the lost digits cost more. The best of the one is seven digits, of the other
# nearly ten, and who does not know the answer does not know where the bottom is. The
# complex step comes down as fast as the central difference, and stays.

# %%
assert 1e-10 < errors["forward difference"].min() < 1e-7
assert 1e-13 < errors["central difference"].min() < 1e-9
assert errors["complex step"][8:].max() < 1e-15

# %% [markdown]
# ## The same for a network: jvp and hvp
#
# Every kernel of minigrad runs on complex numbers. So its forward at `w + ihv` gives
# the slope of the loss along `v` (*jvp*, a Jacobian times a vector). And its
# **backward** is a function like any other, from weights to a gradient: run it at `w +
# ihv`, take the imaginary part, and there is the derivative of the gradient along `v`.
# That is `H v`, the Hessian times a vector (*hvp*). By hand it is three lines.
#
# The network is small, so that we can afford to know everything about it: digits of 4
# by 4 pixels, 8 tanh units, 10 classes, 226 parameters, in float64.

# %%
COUNT, DECAY = 200, 0.01
data = digits.load().train
images = as_float(data.images[:COUNT])[:, 0].astype("float64")
pixels = images.reshape(COUNT, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(COUNT, 16)
x = mg.tensor((pixels - pixels.mean()) / pixels.std())
labels = mg.tensor(data.labels[:COUNT])
rng = np.random.default_rng(0)
model: Any = nn.Sequential(
    nn.Linear(16, 8, dtype="float64", rng=rng),
    nn.Tanh(),
    nn.Linear(8, 10, dtype="float64", rng=rng),
)


def loss_of(w: mg.Tensor) -> mg.Tensor:
    """Return the loss as a function of the first layer's weights (8, 16), in nats."""
    hidden = F.linear(x, w, model[0].bias).tanh()
    return F.cross_entropy(model[2](hidden), labels)


def gradient(w: Any) -> Any:
    """Run the backward at weights w, real or complex."""
    leaf = mg.tensor(w, requires_grad=True)
    loss_of(leaf).backward()
    return leaf.grad.numpy()


w = model[0].weight.numpy().copy()
v = rng.normal(size=w.shape)
by_hand = gradient(w + 1e-30j * v).imag / 1e-30

_, hv = hvp(loss_of, (w,), (v,))
_, along = jvp(loss_of, (w,), (v,))


def off(found: Any, true: Any) -> float:
    """Return the distance of two arrays, relative to the second."""
    return float(np.linalg.norm(found - true) / np.linalg.norm(true))


differences = [
    off((gradient(w + h * v) - gradient(w - h * v)) / (2 * h), hv.numpy())
    for h in 10.0 ** -np.arange(1, 10)
]
u = rng.normal(size=w.shape)
mirrored = hvp(loss_of, (w,), (u,))[1].numpy()
print(f"slope along v:  jvp {along.item():.15f}")
print(f"    gradient times v {np.sum(gradient(w) * v):.15f}")
print(f"H v, hvp against three lines by hand:        {off(by_hand, hv.numpy()):.0e}")
print(f"     against differences, at their best step: {min(differences):.0e}")
symmetry = np.sum(u * hv.numpy()) / np.sum(v * mirrored) - 1
print(f"u H v against v H u:                         {abs(symmetry):.0e}")
assert np.isclose(along.item(), np.sum(gradient(w) * v), rtol=1e-13)
assert off(by_hand, hv.numpy()) < 1e-14
assert abs(symmetry) < 1e-13

# %% [markdown]
# The last line is a check that costs one more product and that no first-order test can
# make: a Hessian is symmetric. A backward that is not the derivative of any loss (see
# the lesson on straight-through estimators) has no reason to pass it.
#
# ## The whole Hessian, and its ends
#
# With 226 parameters we can form all of `H`, one product a column, and ask LAPACK for
# its eigenvalues. With millions one cannot, and need not: *Lanczos' method* finds the
# greatest from a few dozen products alone. We do both, before training and at the
# bottom of the loss. To have a bottom at all, the loss gets some weight decay, and
# SciPy walks down to where the gradient is 0.

# %%
parameters = list(model.parameters())


def loss() -> mg.Tensor:
    """Return the mean cross-entropy, in nats, plus weight decay."""
    squares = [(one * one).sum() for one in parameters]
    decay = squares[0] + squares[1] + squares[2] + squares[3]
    return F.cross_entropy(model(x), labels) + 0.5 * DECAY * decay


def put(flat: Any) -> None:
    """Set all parameters from one vector (226,)."""
    ends = np.cumsum([one.size for one in parameters])
    for one, values in zip(parameters, np.split(flat, ends[:-1]), strict=True):
        one.data[...] = values.reshape(one.shape)


def flat(arrays: Any) -> Any:
    """Return arrays as one vector (226,)."""
    return np.concatenate([np.ravel(array) for array in arrays])


def loss_and_gradient(weights: Any) -> tuple[float, Any]:
    """Return the loss at weights (226,), and its gradient (226,)."""
    put(weights)
    model.zero_grad()
    value = loss()
    value.backward()
    return value.item(), flat([one.grad.numpy() for one in parameters])


spectra: dict[str, Any] = {}


def look(title: str) -> Any:
    """Print the ends of the spectrum by both ways; return what Lanczos found."""
    whole = Hessian(loss, model)
    spectra[title] = np.linalg.eigvalsh(whole.matrix())[::-1]
    found = Hessian(loss, model).eigenvalues(5)
    print(f"the five greatest {title}")
    for name, values, count in (
        ("LAPACK", spectra[title], whole.products),
        ("Lanczos", found.values, found.products),
    ):
        print(f"  {name:7} {np.round(values[:5], 4)}, {count} products")
    assert np.abs(found.values - spectra[title][:5]).max() < 1e-9
    return found


first = look("at the start")
options = {"maxiter": 2000, "gtol": 1e-9, "ftol": 0, "maxcor": 50}
start = flat([one.data for one in parameters])
bottom: Any = minimize(
    loss_and_gradient, start, jac=True, method="L-BFGS-B", options=options
)
put(bottom.x)
top = look("at the bottom")

figure, axes = plt.subplots(
    num="Figure 2. All eigenvalues of the Hessian in descending order, before training "
    "and at the bottom of the loss."
)
for title, values in spectra.items():
    axes.plot(range(1, 227), values, "o", markersize=3, label=title)
axes.axhline(DECAY, linestyle=":", color="gray", label="the weight decay")
axes.set(xlabel="eigenvalue number", ylabel="curvature")
axes.legend()
start_values, bottom_values = spectra.values()
print(f"\nat the start {np.sum(start_values < 0)} of 226 are below 0")
print(f"at the bottom {np.sum(bottom_values < 0.1)} of 226 are from 0 to 0.1")

# %% [markdown]
# In Figure 2 the loss is a saddle at the start: it falls away in a third of all
# directions. At the bottom it is a valley, steep in eight directions and nearly flat in
# most of the others, where little but the weight decay bends it. Trained networks of
# all sizes have been found to look like that, and it is why one number, the greatest
# eigenvalue, can decide so much. It is called the *sharpness*.

# %%
assert 50 < np.sum(start_values < 0) < 90
assert bottom_values.min() > 0
assert bottom_values[7] > 2 * bottom_values[8]
assert np.sum(bottom_values < 0.1) > 180

# %% [markdown]
# ## The parabola and the loss
#
# Curvature is a prediction, and can be held to its word. Go back to the start, and from
# there along a straight line of direction `d`, of length 1. To second order, the loss
# on it is a parabola,
#
#     loss(w + r d)  =  loss(w) + r g d + r^2 (d H d) / 2
#
# with the gradient `g`, and `H d` is one product. Three lines: along the eigenvector of
# the greatest eigenvalue, along the gradient, and along a random direction.

# %%
value, slopes = loss_and_gradient(start)
hessian = Hessian(loss, model)
directions = {
    "sharpest": first.vectors[0],
    "gradient": mg.inspect.gradient_direction(loss, model),
    "random": mg.inspect.random_direction(model, seed=0, normalise=None),
}
radii = np.linspace(-1, 1, 41)
bends: dict[str, float] = {}
figure, axes = plt.subplots(
    num="Figure 3. The loss along three lines through the start (solid), and the "
    "parabola that one product H d predicts (dashed)."
)
print("direction  slope g d  curvature d H d  parabola off by: r = 0.1  r = 1")
for at, (name, d) in enumerate(directions.items()):
    bends[name] = float(flat(d.values()) @ flat(hessian.product(d).values()))
    slope = slopes @ flat(d.values())
    measured = mg.inspect.loss_curve(loss, model, d, radii)
    predicted = value + radii * slope + radii**2 * bends[name] / 2
    axes.plot(radii, measured, color=f"C{at}", label=name)
    axes.plot(radii, predicted, "--", color=f"C{at}")
    near, far = np.abs(measured - predicted)[[22, -1]]
    print(f"{name:9}  {slope:9.3f}  {bends[name]:15.3f}  {near:25.4f}  {far:5.2f}")
    assert near < 1e-3
axes.set(xlabel="distance r", ylabel="loss (nats)")
axes.legend()

# %% [markdown]
# Every dashed line in Figure 3 touches its solid one so closely that they part only
# after a while, the sharpest first. Whoever walks at random meets hardly any curvature:
# the mean of `d H d` over all directions is the mean of the eigenvalues, and most of
# them are next to 0. The gradient is no random direction. It leans towards the sharp
# ones, and that is the trouble with it.
#
# ## The largest stable rate
#
# Let gradient descent stand at the bottom, and push it a little way off along the
# sharpest direction, with eigenvalue L. The gradient there is L times the distance, so
# a step of rate `s` multiplies the distance by `1 - s L`. That is between -1 and 1, and
# the push is forgotten, if `s` is below **2 / L**. Above it each step overshoots by
# more than it corrects. So a single eigenvalue predicts the rate at which training
# breaks, and the speed at which it does, without one step of training. We push by 0.001
# and take 200 steps at rates around 2 / L.

# %%
assert np.isclose(bends["sharpest"], first.values[0])
assert bends["gradient"] > 10 * abs(bends["random"])

sharpness, sharpest = top.values[0], flat(top.vectors[0].values())
print(f"sharpness {sharpness:.4f}, so the largest stable rate is {2 / sharpness:.4f}")


def descent(rate: float, steps: int = 200) -> tuple[Any, list[float]]:
    """Return distances along the sharpest direction, and the sharpness at times."""
    weights, away, sharp = bottom.x + 1e-3 * sharpest, list[float](), list[float]()
    for step in range(1, steps + 1):
        _, gradient = loss_and_gradient(weights)
        away.append(abs((weights - bottom.x) @ sharpest))
        weights = weights - rate * gradient
        if step % 50 == 0:
            put(weights)
            sharp.append(float(Hessian(loss, model).eigenvalues().values[0]))
    return np.array(away), sharp


table: dict[float, tuple[float, float, float, list[float]]] = {}
figure, axes = plt.subplots(
    num="Figure 4. Distance from the bottom along the sharpest direction, at rates of "
    "0.9 to 1.1 times 2 / L. Dashed: the prediction |1 - s L| at each step."
)
for at, part in enumerate((0.9, 0.99, 1.01, 1.1)):
    away, sharp = descent(part * 2 / sharpness)
    predicted = abs(1 - part * 2)
    seen = float((away[10] / away[0]) ** 0.1)
    table[part] = predicted, seen, float(away.max()), sharp
    axes.semilogy(away, color=f"C{at}", label=f"{part} x 2 / L")
    axes.semilogy(1e-3 * predicted ** np.arange(200), "--", color=f"C{at}")
axes.set(xlabel="step", ylabel="distance", ylim=(1e-10, 1e3))
axes.legend(fontsize=9)

print("\nTable 1. Gradient descent after a push of 0.001 from the bottom")
print("          factor a step:        farthest     sharpness after         stable up")
print("s L / 2  predicted  measured    away      50   100   150   200 steps  to 2 / s")
for part, (predicted, seen, farthest, sharp) in table.items():
    ends = "  ".join(f"{one:.2f}" for one in sharp)
    factors = f"{predicted:9.3f}  {seen:8.3f}"
    limit = f"{sharpness / part:14.2f}"
    print(f"{part:7}  {factors}  {farthest:8.4f}    {ends}{limit}")

# %% [markdown]
# In Table 1 the factors agree to the third digit. At 0.99 of the limit the network
# comes home, slowly; at 1.01 it leaves. Figure 4 shows what the parabola cannot know:
# how the flight ends. The distance grows as predicted until the loss is no parabola any
# more. Then, at 1.1, the network neither explodes nor settles. It is thrown into a
# flatter place, where its rate is a stable one; it slides back down, into sharper ones;
# and as soon as the sharpness is beyond 2 / s, it is on its way out again. **Gradient
# descent cannot stay where the sharpness is above 2 / s**, and this bottom, the lowest
# around, is one that it never settles in. That large rates lead to flat minima is often
# said; here is one reason.

# %%
for predicted, seen, _, _ in table.values():
    assert np.isclose(seen, predicted, rtol=2e-3)
assert table[0.99][2] < 1.1e-3 < 1e-2 < table[1.01][2]
assert np.isclose(table[0.99][3][-1], sharpness, rtol=1e-3)
assert table[1.1][3][0] < sharpness / 1.1 < sharpness

# %% [markdown]
# ## To try
#
# - With momentum m the limit is 2 (1 + m) / L. Is it?
# - Train from the start by gradient descent at a rate of 1.5, and look at
#   `Hessian(loss, model).eigenvalues()` every ten steps. Where does the sharpness go,
#   and where does it stop?
# - The mean of `v H v` over random signs `v` is the sum of all eigenvalues. Compare
#   `Hessian.trace()` with the sum that you know. How many products does it take?
# - Replace tanh by ReLU. Which of the numbers of this page stay, and what is the second
#   derivative of a function that is made of straight lines?

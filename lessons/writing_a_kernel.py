# %% [markdown]
# # Write a kernel, and prove it
#
# A derivative written by hand is wrong more often than its author thinks, and a network
# trained with a wrong one often learns nearly as well. So in minigrad a kernel is not
# done when it runs, but when it has been proved. We write one with two paths, RMS norm,
# plant mistakes in it and read what the checker says, and end by asking whether the
# checker can be trusted.

# %%
"""RMS norm as a kernel: two terms, the checker's verdicts, and a property test."""

import textwrap
from typing import Any, NamedTuple

import numpy as np
from hypothesis import find, given, settings

import minigrad as mg
from minigrad.backend import array_module
from minigrad.kernels import Kernel
from minigrad.tape import apply
from minigrad.testing import Case, check_kernel, kernel_cases, mutants, normal

# %% [markdown]
# ## The formula, and its two paths
#
# RMS norm divides a vector `x` of length `D` by its root mean square, and scales it by
# weights:
#
#     r = 1 / sqrt(mean(x^2) + eps)
#     y = w x r
#
# An element `x_j` reaches the loss in two ways. It stands in its own `y_j`: with `r`
# held fixed, that gives `dy w r`. And it stands in `r`, which scales *every* element.
# Since d r / d x_j is `-r^3 x_j / D`, that path gives
#
#     sum over i of  dy_i w_i x_i (-r^3 x_j / D)
#
# which looks better if we use the first result to write the second:
#
#     direct      =  dy w r
#     through_rms = -x r^2 mean(direct x)
#
# ## The kernel
#
# A kernel is two things: a *forward* from arrays to a result and what the backward will
# need, and for each input a *rule*, which makes named terms of the `dy` that comes
# back; their sum is the gradient. There is no tape in it, no tensor, no class to
# inherit from. It is pure mathematics over arrays, so it can be tested as such.


# %%
class Saved(NamedTuple):
    """x (..., D), r (..., 1), w (D,)."""

    x: Any
    r: Any
    w: Any


def forward(x: Any, w: Any, *, eps: float = 1e-6) -> tuple[Any, Saved]:
    """Divide x (..., D) by its root mean square over D, scale it by w (D,)."""
    xp = array_module(x, w)  # NumPy, or CuPy: the arrays decide.
    r = 1 / xp.sqrt(xp.mean(x * x, axis=-1, keepdims=True) + eps)
    return w * x * r, Saved(x, r, w)


def x_terms(dy: Any, saved: Saved) -> dict[str, Any]:
    """Split dL/dx by its path: direct, and through the root mean square."""
    x, r, w = saved
    direct = dy * w * r
    mean = array_module(dy).mean(direct * x, axis=-1, keepdims=True)
    return {"direct": direct, "through_rms": -x * r**2 * mean}


def w_terms(dy: Any, saved: Saved) -> dict[str, Any]:
    """Give one row a vector; the kernel sums them, as forward repeated w."""
    return {"direct": dy * saved.x * saved.r}


RMS_NORM = Kernel("rms_norm", forward, {"x": x_terms, "w": w_terms})

# %% [markdown]
# ## The checker
#
# `check_kernel` wants a case to try: arrays, here three vectors of length four, drawn
# from a seed. It takes a random `dy` and a random direction `v` and compares two
# numbers that must be equal. One is made of the forward alone: how much `<dy, y>`
# changes when `x` moves along `v`, found by a step in the imaginary direction, which is
# exact to rounding. The other is made of the rule alone: `<sum of terms, v>`.

# %%
case = Case.draw(0, x=normal(3, 4), w=normal(4))
print(check_kernel(RMS_NORM, case))

# %% [markdown]
# It also holds the kernel to the laws that have nothing to do with calculus: nobody
# writes into arrays that belong to others, two calls agree to the bit, float32 stays
# float32, a strict stand-in for a GPU gives the same numbers.
#
# ## Four mistakes
#
# Each is a rule for `x` with one thing wrong, of a kind that backward rules written by
# hand have had.


# %%
def forgets_a_path(dy: Any, saved: Saved) -> dict[str, Any]:
    """Treat the root mean square as a constant."""
    return {"direct": x_terms(dy, saved)["direct"]}


def flips_a_sign(dy: Any, saved: Saved) -> dict[str, Any]:
    """Lose the minus of the second path."""
    direct, through_rms = x_terms(dy, saved).values()
    return {"direct": direct, "through_rms": -through_rms}


def sums_for_mean(dy: Any, saved: Saved) -> dict[str, Any]:
    """Forget to divide by D."""
    direct, through_rms = x_terms(dy, saved).values()
    return {"direct": direct, "through_rms": through_rms * saved.x.shape[-1]}


def writes_into_dy(dy: Any, saved: Saved) -> dict[str, Any]:
    """Save an array by computing in place."""
    dy *= saved.w
    return x_terms(dy / saved.w, saved)


def verdict(kernel: Kernel, case: Case) -> str:
    """Return "passes", or what the checker thinks is wrong, in its own words."""
    try:
        check_kernel(kernel, case)
    except mg.GradientCheckError as error:
        sentence = str(error).splitlines()[0].removeprefix(f"{kernel.name}: ")
        return sentence.partition("likely cause: ")[2] or sentence
    return "passes"


for rule in (forgets_a_path, flips_a_sign, sums_for_mean, writes_into_dy):
    wrong = Kernel("rms_norm", forward, {"x": rule, "w": w_terms})
    said = verdict(wrong, case)
    print(textwrap.fill(f"{rule.__name__}: {said}", 84, subsequent_indent="    "))
    assert said != "passes"

# %% [markdown]
# Read the first verdict again. The checker does not know the formula. It looked at what
# is *missing*, found that along each vector it is a multiple of `x`, and concluded that
# a path through a norm or a variance was left out. For the third it found that one term
# is right but for a factor, and names the term and the factor: one quarter, and `D` is
# four here. A whole report, with the worst element and the lines that repeat it:

# %%
try:
    check_kernel(Kernel("rms_norm", forward, {"x": sums_for_mean, "w": w_terms}), case)
except mg.GradientCheckError as error:
    print(error)

# %% [markdown]
# ## One case is an anecdote
#
# The fifth mistake is of another kind. For a table of vectors, `axis=1` and `axis=-1`
# are the same:


# %%
def counts_from_the_front(dy: Any, saved: Saved) -> dict[str, Any]:
    """Take the mean over axis 1, which is the last one for two axes."""
    x, r, w = saved
    direct = dy * w * r
    mean = array_module(dy).mean(direct * x, axis=1, keepdims=True)
    return {"direct": direct, "through_rms": -x * r**2 * mean}


FRAGILE = Kernel("rms_norm", forward, {"x": counts_from_the_front, "w": w_terms})
print("three vectors of length four:", verdict(FRAGILE, case))
assert verdict(FRAGILE, case) == "passes"

# %% [markdown]
# A test that passes says something about the case it tried. So do not choose the case:
# describe what is allowed, and let hypothesis choose. Here `x` has any number of axes
# in front, and the last one, `D`, is as long as `w`. (`settings` only make the page the
# same each time.)

# %%
CASES: Any = kernel_cases(x=("...", "D"), w=("D",))
REPEATABLE = settings(max_examples=100, derandomize=True, database=None, deadline=None)


@REPEATABLE
@given(CASES)
def test_rms_norm(case: Case) -> None:
    """Hold the kernel to every law, whatever the shapes."""
    check_kernel(RMS_NORM, case)


test_rms_norm()
print("the kernel passes 100 cases")


def breaks(case: Case) -> bool:
    """Tell whether the fragile kernel fails, by a verdict or by an exception."""
    try:
        return verdict(FRAGILE, case) != "passes"
    except np.exceptions.AxisError:
        return True


smallest = find(CASES, breaks, settings=REPEATABLE)
print(f"the fragile one fails at {smallest}")
assert smallest.arrays[0].ndim == 1

# %% [markdown]
# Hypothesis does not stop at the first failure. It makes the case smaller as long as it
# still fails, so what it prints is about the simplest there is, and can be pasted into
# a test: a single vector, which has no axis 1 at all. With three axes there is one, but
# the wrong one, and the checker has the word:

# %%
deep = Case.draw(0, x=normal(2, 3, 4), w=normal(4))
print("two tables of three vectors:", verdict(FRAGILE, deep))
assert verdict(FRAGILE, deep) != "passes"

# %% [markdown]
# ## What the maths promises
#
# The checker compares the rule with the forward. Nobody has yet compared the forward
# with *our intentions*: a kernel of another function, with a right gradient, passes,
# too. Two more tests belong to every kernel: a reference that is written differently,
# and one property that the formula promises. RMS norm does not change when `x` is
# scaled, so `dx` must be at right angles to `x`: what `through_rms` takes away is the
# part of the direct term along `x`. On the tape we can watch it do that.

# %%
x = mg.tensor(case.arrays[0], requires_grad=True)
w = mg.tensor(case.arrays[1])
y = apply(RMS_NORM, x, w, eps=0.0)

for row, out in zip(case.arrays[0], y.numpy(), strict=True):
    length = sum(value * value for value in row) / len(row)
    assert np.allclose(out, case.arrays[1] * row / length**0.5)

with mg.inspect.gradient_flow(names={"x": x}) as flow:
    y.backward(case.cotangent(y.numpy()))
print(flow.into("x").table())
print("\n<dx, x> for each vector:", np.round((x.grad.numpy() * x.numpy()).sum(1), 12))
assert np.allclose((x.grad.numpy() * x.numpy()).sum(axis=1), 0)

# %% [markdown]
# With `apply` the kernel is an operation like any other, and its terms are seen by
# name. The share of `through_rms` is zero although its norm is not, as befits a term
# that is at right angles to the result.
#
# ## Who checks the checker?
#
# A checker that says "passes" to everything looks just like a good one, as long as the
# kernels are right. So minigrad keeps a collection of mistakes and plants each of them
# in a given kernel. The checker is worth what it refuses.

# %%
verdicts: dict[tuple[str, str], str] = {}
for mutant in mutants(RMS_NORM, case):
    if mutant.kernel is None:
        continue  # This mistake cannot be made here, as with one term to drop.
    verdicts[mutant.input, mutant.name] = verdict(mutant.kernel, case)

print("Table 1. Mistakes planted in the rule of x, and the verdicts")
for (name, bug), said in verdicts.items():
    if name == "x":
        print(f"{bug:22}{textwrap.shorten(said, 72, placeholder=' ...')}")
rejected = sum(said != "passes" for said in verdicts.values())
print(f"\n{rejected} of {len(verdicts)} rejected, those in the rule of w included")
assert rejected == len(verdicts)

# %% [markdown]
# Table 1 is the proof of the proof. Every mistake was refused, and almost every one was
# called by its name.
#
# ## To try
#
# - Write a kernel for `x * softplus(x)`, with a term for each of its two paths, and
#   have it checked.
# - Compute the mean square in `forward` with `np.abs(x) ** 2`, which is the same for
#   real numbers. What does the checker say, and what does "analytic" mean in it?
# - Give RMS norm a `fused` backward, one formula for the sum of both terms:
#   `Kernel(..., fused={"x": ...})`. Which row of Table 1 is about that?
# - Which mistake could you make that Table 1 does not list? Plant it, and see.

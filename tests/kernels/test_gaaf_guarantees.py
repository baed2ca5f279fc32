"""What GAAF guarantees for every input, curve and k.

1. The terms sum to the gradient.
2. The acceleration is dy * s(x), at the jumps of the sawtooth, too.
3. The value is that of the activation but for s(x) / (2 k), and rounding.
"""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from minigrad.errors import GradientCheckError
from minigrad.kernels import gaaf
from minigrad.kernels._spec import Kernel
from minigrad.kernels.gaaf import KERNEL, TANH, Curve
from minigrad.testing import Case, check_kernel, normal

BENT = Curve(
    "bent identity",
    lambda xp, x: (xp.sqrt(x * x + 1) - 1) * 0.5 + x,
    lambda xp, x, y: x / xp.sqrt(x * x + 1) * 0.5 + 1,
)
LORENTZ = Curve(
    "lorentz", lambda xp, x: 1 / (1 + x * x), lambda xp, x, s: -2 * x * s * s
)
SHAPES = [*gaaf.SHAPES.values(), gaaf.gaussian(0.7), gaaf.shifted_sigmoid(-1.0, 2.0)]
ACTIVATIONS = list(gaaf.ACTIVATIONS.values())
KS = [1e-30, 1.0, 4.0, 1e4, 1e6, 1e8, 1e30]

dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
pairs = pytest.mark.parametrize(
    ("activation", "shape"),
    [
        pytest.param(phi, s, id=f"{phi.name}, {s.name}")
        for phi, s in product([*ACTIVATIONS, BENT], [*SHAPES, LORENTZ])
    ],
)


def points(seed, dtype, k):
    """Draw x in [-1e4, 1e4] of every magnitude, at jumps, beside them, and at 0."""
    rng = np.random.default_rng(seed)
    even = rng.uniform(-1e4, 1e4, 40)
    magnitudes = 10 ** rng.uniform(-40, 4, 40) * rng.choice([-1, 1], 40)
    near, far = np.arange(-5, 6) / k, np.rint(even[:20] * k) / k
    jumps = np.concatenate([near, far]).clip(-1e4, 1e4).astype(dtype)
    beside = [np.nextafter(jumps, jumps.dtype.type(end)) for end in (-1e5, 1e5)]
    rest = np.concatenate([even, magnitudes, [0.0, -0.0, 1e4, -1e4]]).astype(dtype)
    return np.concatenate([jumps, *beside, rest])


def expect_guarantees(kernel, x, dy, *, activation, shape, k):
    """Assert all three."""
    params = {"activation": activation, "shape": shape, "k": k}
    y, record = kernel.run(x, **params)
    terms = kernel.backward_terms("x", dy, record)
    dx = kernel.backward("x", dy, record)
    assert list(terms) == ["activation", "acceleration", "shape"]
    assert {array.dtype for array in (y, dx, *terms.values())} == {x.dtype}

    eps, tiny = np.finfo(x.dtype).eps, 4 * float(np.finfo(x.dtype).smallest_subnormal)
    wide = [term.astype("float64") for term in terms.values()]
    size = sum(map(np.abs, wide))
    assert (np.abs(sum(wide) - dx) <= 4 * eps * size + tiny).all()

    s = shape.value(x)
    assert_array_equal(terms["acceleration"], dy * s)

    phi = kernel.run(x, mode="backward_only", **params)[0].astype("float64")
    tooth = 0.5 / k * np.abs(s).astype("float64")
    rounding = eps * (np.abs(phi) + 4 * tooth) + tiny
    assert (np.abs(y - phi) <= tooth + rounding).all()

    slope = np.abs(shape.derivative(np, x, s)).astype("float64")
    most = np.abs(dy) * (0.5 / k) * slope
    assert (np.abs(terms["shape"]) <= most * (1 + 4 * eps) + tiny).all()


def cotangent(x, seed=1):
    return np.random.default_rng(seed).standard_normal(len(x)).astype(x.dtype)


@dtypes
@pairs
def test_every_pair_keeps_the_guarantees(activation, shape, dtype):
    for k in KS:
        x = points(0, dtype, k)
        params = {"activation": activation, "shape": shape, "k": k}
        expect_guarantees(KERNEL, x, cotangent(x), **params)


@given(
    seed=st.integers(0, 2**32 - 1),
    dtype=st.sampled_from(["float32", "float64"]),
    exponent=st.floats(-3, 12),
    activation=st.sampled_from([*ACTIVATIONS, BENT]),
    shape=st.sampled_from([*SHAPES, LORENTZ]),
)
def test_any_k_keeps_the_guarantees(seed, dtype, exponent, activation, shape):
    k = 10.0**exponent
    x = points(seed, dtype, k)
    params = {"activation": activation, "shape": shape, "k": k}
    expect_guarantees(KERNEL, x, cotangent(x, seed), **params)


@pytest.mark.parametrize("activation", [*ACTIVATIONS, BENT], ids=lambda one: one.name)
def test_the_checker_finds_nothing_wrong_with_any_activation(activation):
    shape = gaaf.RECOMMENDED.get(activation, LORENTZ)
    case = Case.draw(3, x=normal(60))
    report = check_kernel(KERNEL, case, activation=activation, shape=shape, k=4.0)
    assert report.methods == {"x": "complex step"}


# -- planted errors --------------------------------------------------------------------


def higher(x, **params):
    """Give teeth of twice the height."""
    y, saved = KERNEL.forward(x, **params)
    phi = saved.activation.value(x)
    return y + (y - phi), saved


def raised(x, **params):
    """Give g from 0 to 1 / k."""
    y, saved = KERNEL.forward(x, **params)
    if params.get("mode") == "backward_only":
        return y, saved
    return y + 0.5 / saved.k * saved.shape.value(x), saved


def with_terms(change):
    """Plant change(terms, dy, saved) in the terms."""

    def rule(dy, saved):
        terms = KERNEL.terms["x"](dy, saved)
        return terms | change(terms, dy, saved)

    return {"x": rule}


WRONG_VALUES = {"teeth of twice the height": higher, "teeth from 0 up": raised}
WRONG_TERMS = {
    "no acceleration": lambda t, dy, saved: {"acceleration": 0 * dy},
    "acceleration without the shape": lambda t, dy, saved: {"acceleration": dy},
    "half the acceleration": lambda t, dy, saved: {
        "acceleration": t["acceleration"] / 2
    },
    "acceleration by the slope": lambda t, dy, saved: {
        "acceleration": t["acceleration"] + t["activation"]
    },
    "the shape upside down": lambda t, dy, saved: {"shape": -t["shape"]},
    "the shape forgotten": lambda t, dy, saved: {"shape": 0 * dy},
    "a wide tooth in the shape": lambda t, dy, saved: {"shape": t["shape"] * saved.k},
    "the activation forgotten": lambda t, dy, saved: {"activation": 0 * dy},
}


@pytest.mark.parametrize("name", WRONG_VALUES)
@dtypes
def test_a_wrong_sawtooth_breaks_the_guarantees(name, dtype):
    wrong = Kernel("wrong", WRONG_VALUES[name], KERNEL.terms, KERNEL.fused)
    x = points(0, dtype, 4.0)
    with pytest.raises(AssertionError):
        expect_guarantees(
            wrong, x, cotangent(x), activation=TANH, shape=gaaf.GAUSSIAN, k=4.0
        )


@pytest.mark.parametrize("name", WRONG_TERMS)
@dtypes
def test_a_wrong_term_breaks_the_guarantees(name, dtype):
    rules = with_terms(WRONG_TERMS[name])
    wrong = Kernel("wrong", KERNEL.forward, rules, KERNEL.fused)
    x = points(0, dtype, 4.0)
    with pytest.raises(AssertionError):
        expect_guarantees(
            wrong, x, cotangent(x), activation=TANH, shape=gaaf.GAUSSIAN, k=4.0
        )


@pytest.mark.parametrize("name", WRONG_TERMS)
def test_the_checker_rejects_a_wrong_term_that_fused_agrees_with(name):
    rules = with_terms(WRONG_TERMS[name])
    wrong = Kernel("wrong", KERNEL.forward, rules, gradient_of=gaaf.exact)
    with pytest.raises(GradientCheckError):
        check_kernel(wrong, Case.draw(3, x=normal(60)), k=4.0)


def test_an_acceleration_that_stops_at_the_jumps_breaks_the_guarantees():
    def stop(terms, dy, saved):
        at_jump = saved.x * saved.k == np.floor(saved.x * saved.k)
        return {"acceleration": terms["acceleration"] * ~at_jump}

    wrong = Kernel("wrong", KERNEL.forward, with_terms(stop))
    x = points(0, "float64", 4.0)
    with pytest.raises(AssertionError):
        expect_guarantees(
            wrong, x, cotangent(x), activation=TANH, shape=gaaf.GAUSSIAN, k=4.0
        )

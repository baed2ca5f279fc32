"""Which functions may stand in for sign's slope, and what is said of the others."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from minigrad import backend
from minigrad.errors import ArgumentError
from minigrad.kernels import activations, arithmetic, dropout, elementary, gaaf, sign
from minigrad.kernels import adapters as A
from minigrad.kernels._adapter_check import _checked
from minigrad.kernels.adapters import ADAPTERS, Curve, adapter_of, clipped, scaled_tanh
from minigrad.testing import Case, check_kernel, is_gradient_adapter, normal

X = np.linspace(-60, 60, 4802)  # 0, 1 and 2 are no points.
OTHERS = [scaled_tanh(3.0), scaled_tanh(0.5, 2.0), clipped(0.3)]
CURVES = [*ADAPTERS.values(), *OTHERS]
every_curve = pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)


def curve(function, derivative, **options):
    return Curve("mine", function, derivative, **options)


def slope_of(one, x):
    return A.slope_of(one, x) * np.ones_like(x)


# -- those there are -------------------------------------------------------------------


@every_curve
def test_the_derivative_is_that_of_the_function(curve):
    exact = curve.value(X + 1e-30j).imag / 1e-30
    assert_allclose(slope_of(curve, X), exact, rtol=1e-12, atol=1e-15)


@every_curve
def test_the_derivative_is_analytic(curve):
    found = slope_of(curve, X + 1e-30j)
    assert_allclose(found.real, slope_of(curve, X), rtol=1e-12, atol=1e-15)


@every_curve
def test_float32_stays_float32_and_close(curve):
    x = X.astype("float32")
    y, slope = curve.value(x), slope_of(curve, x)
    assert y.dtype == slope.dtype == np.float32
    wide = x.astype("float64")
    assert_allclose(y, curve.value(wide), rtol=1e-6)
    assert_allclose(slope, slope_of(curve, wide), rtol=2e-5, atol=1e-7)


@every_curve
def test_a_copy_under_another_identity_passes_every_check(curve):
    # Those of ADAPTERS are not looked at in use.
    copy = Curve("copy", curve.function, curve.derivative, from_x=curve.from_x)
    assert adapter_of(copy) is copy
    check_kernel(sign.KERNEL, Case.draw(0, x=normal(30)), adapter=copy)


@pytest.mark.parametrize("name", list(ADAPTERS))
def test_a_name_stands_for_its_curve(name):
    assert adapter_of(name) is ADAPTERS[name] is adapter_of(ADAPTERS[name])


@pytest.mark.parametrize("make", [clipped, scaled_tanh])
@pytest.mark.parametrize("number", [0, -1.0, math.inf, math.nan, "1", None, True])
def test_a_size_must_be_a_positive_number(make, number):
    with pytest.raises(
        ArgumentError, match=r"(clipped: limit|scaled_tanh: beta) .+ a "
    ):
        make(number)


def test_numpy_scalars_in_a_curve_keep_float32():
    x = X.astype("float32")
    for one in (clipped(np.float64(2)), scaled_tanh(np.float64(2), np.float64(2))):
        assert one.value(x).dtype == slope_of(one, x).dtype == np.float32


# -- propositions 3.1 and 3.2 ----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        *(("identity", math.inf), ("hardtanh", 1), ("tanh", 1), ("ramp", 1.5)),
        *(("lecun_tanh", 1.7519), ("sigmoid", 0.5), ("arctan", 1), ("softsign", 1)),
    ],
)
def test_every_adapter_keeps_the_sign_and_all_but_identity_saturate(name, limit):
    report = is_gradient_adapter(name)
    assert report
    assert (report.keeps_sign, report.counterexample) == (True, None)
    assert report.saturates == (name != "identity")
    assert report.limit == pytest.approx(limit)
    assert str(report).startswith(f"{name}: Proposition 3.1 holds")


@pytest.mark.parametrize(
    ("function", "keeps", "saturates", "limit"),
    [
        (lambda xp, x: xp.arcsinh(x), True, False, math.inf),
        (lambda xp, x: xp.sign(x) * xp.log1p(abs(x)), True, False, math.inf),
        (lambda xp, x: xp.sign(x) * xp.log1p(xp.log1p(abs(x))), True, False, math.inf),
        (lambda xp, x: x**3, True, False, math.inf),
        (lambda xp, x: 1e-20 * xp.tanh(x), True, True, 1e-20),
        (lambda xp, x: xp.where(x > 0, 2, 1) * xp.tanh(x), True, False, math.nan),
        (lambda xp, x: -xp.tanh(x), False, False, 1),
        (lambda xp, x: x * xp.exp(-abs(x)), False, False, 0),
        (lambda xp, x: x * 0, False, False, 0),
        (lambda xp, x: xp.maximum(x, 0), False, False, math.inf),
        (lambda xp, x: xp.cos(x), False, False, math.nan),
    ],
)
def test_a_function_is_judged_by_its_sign_and_by_its_limits(
    function, keeps, saturates, limit
):
    def alike(xp, x):
        return function(xp, x).astype(x.dtype)

    report = is_gradient_adapter(curve(alike, lambda xp, x, y: 1))
    assert (bool(report), report.saturates) == (keeps, saturates)
    assert report.limit == pytest.approx(limit, nan_ok=True)
    assert ("3.1 holds" in str(report)) == keeps
    assert ("3.2 holds" in str(report)) == saturates


@given(shift=st.floats(1e-12, 10), up=st.booleans())
def test_a_shifted_tanh_has_a_counterexample_that_is_one(shift, up):
    by = shift if up else -shift
    g = curve(lambda xp, x: xp.tanh(x + by), lambda xp, x, y: 1 - y * y)
    report = is_gradient_adapter(g)
    assert not report
    x = report.counterexample
    assert np.sign(math.tanh(x + by)) != np.sign(x)
    assert abs(x) <= shift
    assert f"g({x:.4g}) is {report.value:.4g}" in str(report)


@given(width=st.floats(1e-12, 10))
def test_a_dead_zone_is_found_however_narrow(width):
    g = curve(
        lambda xp, x: xp.sign(x) * xp.maximum(abs(x) - width, 0),
        lambda xp, x, y: abs(x) > width,
    )
    assert 0 < abs(is_gradient_adapter(g).counterexample) <= width


@pytest.mark.parametrize("where", [0.0, -0.0, 1e-20, -1e-20, 7.77, 1e25, -1e30])
def test_nan_at_one_magnitude_is_found(where):
    near = 0.02 * abs(where)
    g = curve(
        lambda xp, x: xp.where(abs(x - where) <= near, math.nan, x).astype(x.dtype),
        lambda xp, x, y: 1,
    )
    report = is_gradient_adapter(g)
    assert not report
    assert report.counterexample == pytest.approx(where, rel=0.02)
    with pytest.raises(ArgumentError, match="sign: adapter 'mine' gives nan at x = "):
        adapter_of(g)


def test_flushing_denormal_numbers_takes_no_sign_from_an_adapter():
    try:
        if not backend.set_flush_denormal(True):
            pytest.skip("this platform has no switch")
        # Half of the smallest normal number is 0 then.
        assert is_gradient_adapter(scaled_tanh(1.0, 0.5))
        assert adapter_of(scaled_tanh(1.0, 0.5))
    finally:
        backend.set_flush_denormal(False)


# -- one's own -------------------------------------------------------------------------

GOOD = {
    "asinh": curve(lambda xp, x: xp.arcsinh(x), lambda xp, x, y: (1 + x * x) ** -0.5),
    "sinh": curve(lambda xp, x: xp.sinh(x), lambda xp, x, y: xp.cosh(x)),
    "cube": curve(lambda xp, x: x**3, lambda xp, x, y: 3 * x * x),
    "leaky": curve(
        lambda xp, x: xp.where(x > 0, x, 0.1 * x),
        lambda xp, x, y: xp.where(x > 0, 1, 0.1),
    ),
    "a jump at 0": curve(lambda xp, x: x + xp.sign(x), lambda xp, x, y: 1.0),
    "sign and its derivative": curve(
        lambda xp, x: xp.sign(x), lambda xp, x, y: 0, whole=True
    ),
    "x itself": curve(lambda xp, x: x, lambda xp, x, y: True),
}


@pytest.mark.parametrize("one", GOOD.values(), ids=GOOD)
def test_a_function_that_keeps_the_sign_is_taken(one):
    assert adapter_of(one) is one
    assert is_gradient_adapter(one)


@given(beta=st.floats(-3, 10).map(lambda e: 10.0**e), height=st.floats(1e-3, 1e3))
def test_tanh_of_any_scale_is_taken(beta, height):
    assert adapter_of(scaled_tanh(beta, height))


@given(limit=st.floats(-6, 6).map(lambda e: 10.0**e))
def test_hardtanh_of_any_width_is_taken(limit):
    assert adapter_of(clipped(limit))


@given(
    kinks=st.lists(st.floats(0.05, 15), min_size=1, max_size=2, unique=True),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_line_with_kinks_anywhere_is_taken_and_one_with_a_slope_amiss_is_not(
    kinks, seed
):
    # Three of them could fill three cells in a row.
    ends = np.array([0, *sorted(kinks)])
    slopes = np.random.default_rng(seed).uniform(0.1, 2, len(ends))
    heights = np.concatenate([[0], np.cumsum(np.diff(ends) * slopes[:-1])])

    def place(x):
        return np.searchsorted(ends, abs(x), "right") - 1

    def function(xp, x):
        at = place(x)
        y = heights[at] + slopes[at] * (abs(x) - ends[at])
        return (np.sign(x) * y).astype(x.dtype)

    assert adapter_of(curve(function, lambda xp, x, y: slopes[place(x)]))
    wrong = slopes.copy()
    wrong[-1] *= 1.03
    with pytest.raises(ArgumentError, match="expected the slope of its function"):
        adapter_of(curve(function, lambda xp, x, y: wrong[place(x)]))


def tanh(xp, x):
    return xp.tanh(x)


def tanh_slope(xp, x, y):
    return 1 - y * y


def writing(xp, x, y):
    x *= 2
    return 1


def raising(*_):
    raise KeyError("no such thing")


SIGN = r"expected a number of x's sign; take a function that is 0 at 0 and rises"
SLOPE = r"expected the slope of its function there, "
BAD = {
    "turned": (
        curve(lambda xp, x: -x, lambda xp, x, y: -1),
        "gives 1 at x = -1, " + SIGN,
    ),
    "not 0 at 0": (
        curve(lambda xp, x: 1 / (1 + xp.exp(-x)), lambda xp, x, y: y * (1 - y)),
        r"gives 0\.26\d+ at x = -1, " + SIGN,
    ),
    "a jump that takes 0 along": (
        curve(lambda xp, x: xp.where(x > 0, x + 1, x - 1), lambda xp, x, y: 1),
        "gives -1 at x = -0, " + SIGN,
    ),
    "NaN": (
        curve(lambda xp, x: xp.sqrt(x), lambda xp, x, y: 1),
        "gives nan at x = -1, " + SIGN,
    ),
    "falling": (
        curve(lambda xp, x: x + xp.sin(2 * x) * 0.9, tanh_slope),
        r"falls from .+ at x = .+ to .+ at .+, expected a function that does not",
    ),
    "another shape": (
        curve(lambda xp, x: x.sum(axis=None), tanh_slope, whole=True),
        r"gives shape \(\) and float64 for x of shape \(0,\) and float64, expected",
    ),
    "another dtype": (
        curve(lambda xp, x: x * np.float64(2) + np.zeros(1), tanh_slope),
        r"gives shape .+ and float64 for x of shape .+, expected the same; compute it",
    ),
    "no array": (
        curve(lambda xp, x: None, tanh_slope),
        r"gives a NoneType for x of shape \(0,\) and float64, expected an array; ",
    ),
    "several at once": (
        curve(lambda xp, x: x - x.sum() / 1e3, lambda xp, x, y: 1, whole=True),
        "has a function that mixes the elements of x, expected one that looks at each",
    ),
    "a writer": (
        curve(lambda xp, x: xp.tanh(x, out=x), tanh_slope),
        "has a function that writes to x, expected one that leaves x as it is",
    ),
    "a writer of slopes": (
        curve(lambda xp, x: x + 0, writing),
        "has a derivative that writes to x, expected",
    ),
    "a raiser": (
        curve(raising, tanh_slope),
        "has a function that raised KeyError: 'no such thing', expected one that takes",
    ),
    "a raiser of slopes": (
        curve(tanh, raising),
        "has a derivative that raised KeyError: 'no such thing', expected",
    ),
    "a reader of y that says it reads none": (
        curve(tanh, tanh_slope, from_x=True),
        r"raised TypeError: .+; leave out from_x=True if it reads y",
    ),
    "twice the slope": (
        curve(tanh, lambda xp, x, y: 2 * tanh_slope(xp, x, y)),
        r"has derivative 0\.8\d+ at x = -0\.99\d+, " + SLOPE + r"0\.42\d+; correct it",
    ),
    "the slope at h": (
        curve(tanh, lambda xp, x, y: 1 - xp.tanh(y) ** 2),
        SLOPE,
    ),
    "no slope": (curve(tanh, lambda xp, x, y: 1), SLOPE),
    "a constant that is one percent amiss": (
        curve(tanh, lambda xp, x, y: 1.01 * tanh_slope(xp, x, y)),
        SLOPE,
    ),
    "the slope of something else than sign": (
        curve(lambda xp, x: xp.sign(x), lambda xp, x, y: 1 - xp.tanh(x) ** 2),
        SLOPE + "0; correct it, or give the function that it is the derivative of",
    ),
    "a negative slope": (
        curve(lambda xp, x: x + 0, lambda xp, x, y: -1),
        r"has derivative -1 at x = .+ in float64, expected a finite number >= 0",
    ),
    "a NaN as slope": (
        curve(lambda xp, x: x + 0, lambda xp, x, y: x / x),
        "has derivative nan at x = -0 in float64, expected a finite number",
    ),
    "an infinite slope": (
        curve(lambda xp, x: xp.cbrt(x), lambda xp, x, y: 1 / (3 * y * y)),
        "has derivative inf at x = -0 in float64, expected a finite number",
    ),
    "slopes of another shape": (
        curve(tanh, lambda xp, x, y: np.ones(7)),
        r"has a derivative of shape \(7,\) for x of shape \(0,\), expected real",
    ),
    "complex slopes": (
        curve(tanh, lambda xp, x, y: 1j),
        "has a derivative of dtype complex128 for x of shape",
    ),
    "no slopes": (
        curve(tanh, lambda xp, x, y: None),
        "has a derivative of dtype object for x of shape",
    ),
}


@pytest.mark.parametrize(("one", "said"), BAD.values(), ids=BAD)
def test_what_is_no_adapter_is_refused_in_one_sentence_each_time(one, said):
    for _ in range(2):
        with pytest.raises(ArgumentError, match="^sign: adapter 'mine' .*" + said):
            adapter_of(one)


def test_what_a_function_raised_is_the_cause():
    with pytest.raises(ArgumentError) as caught:
        adapter_of(curve(raising, tanh_slope))
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize(
    ("kernel", "said"),
    [
        (activations.RELU_KERNEL, "gives 0 at x = -1"),
        (elementary.SQUARE_KERNEL, "gives 1 at x = -1"),
        (gaaf.KERNEL, "gives .+ at x = "),
        (sign.KERNEL, r"has derivative 0\.42\d+ at x = "),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
def test_a_kernel_that_is_no_adapter_is_refused(kernel, said):
    with pytest.raises(ArgumentError, match=f"^sign: adapter '{kernel.name}' {said}"):
        adapter_of(kernel)


@pytest.mark.parametrize(
    "kernel", [arithmetic.ADD_KERNEL, dropout.KERNEL], ids=lambda one: one.name
)
def test_a_kernel_of_two_inputs_is_refused(kernel):
    said = f"^sign: adapter is the kernel '{kernel.name}' of ., .+, expected one of a"
    for take in (adapter_of, is_gradient_adapter):
        with pytest.raises(ArgumentError, match=said):
            take(kernel)


@pytest.mark.parametrize(
    "other", [lambda x: x, 3, None, [1], {}, np.ones(2), Curve, "Tanh", b"tanh"]
)
def test_another_type_is_answered_with_what_there_is(other):
    said = r"^sign: adapter .+, expected a Curve, a kernel, or one of 'identity', "
    for take in (adapter_of, is_gradient_adapter):
        with pytest.raises(ArgumentError, match=said):
            take(other)


def test_a_curve_is_looked_at_once():
    calls = []

    def counting(xp, x):
        calls.append(x.shape)
        return xp.tanh(x)

    one = curve(counting, tanh_slope)
    adapter_of(one)
    before = len(calls)
    assert before
    assert adapter_of(one) is one
    assert len(calls) == before


def test_a_kernel_is_looked_at_once():
    before = _checked.cache_info().misses
    first = adapter_of(activations.HARDTANH_KERNEL)
    assert adapter_of(activations.HARDTANH_KERNEL) is first
    assert _checked.cache_info().misses <= before + 1

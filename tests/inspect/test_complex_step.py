"""Forward mode and Hessian-vector products of functions whose derivatives are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import functional as F
from minigrad import inspect, no_grad, tensor
from minigrad.backend import new_array
from minigrad.errors import ArgumentError, DTypeError, GraphError, ShapeError
from minigrad.inspect.curvature.complex_step import hvp, jvp
from minigrad.kernels._spec import NOTHING, Kernel
from minigrad.tape import Parameter, Tensor, apply

EXACT = {"rtol": 1e-14, "atol": 1e-14}
RNG = np.random.default_rng(0)
A, X, U, V = RNG.normal(size=(3, 4)), *RNG.normal(size=(3, 4))


def normal(*shape):
    return RNG.normal(size=shape)


def bumpy(x):
    """Mix kernels of many kinds into one number."""
    h = (x @ tensor(A.T)).tanh()
    return F.logsumexp(h * h) + (h.exp() / (1 + x[0] * x[0])).sum()


def rosenbrock(x):
    """Have the gradient and Hessian that textbooks list."""
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] * x[0]) ** 2


seeds = st.integers(0, 10_000)


# -- forward mode ----------------------------------------------------------------------


def test_jvp_of_a_matrix_product_is_its_differential():
    y, dy = jvp(lambda a, x: a @ x, (A, X), (2 * A, V))
    assert_allclose(y.numpy(), A @ X, **EXACT)
    assert_allclose(dy.numpy(), 2 * A @ X + A @ V, **EXACT)


@pytest.mark.parametrize(
    ("f", "derivative"),
    [
        (F.sin, np.cos),
        (lambda x: x.tanh(), lambda x: 1 / np.cosh(x) ** 2),
        (lambda x: 1 / x, lambda x: -1 / x**2),
        (F.abs, np.sign),
        (lambda x: x.relu(), lambda x: x > 0.0),
    ],
    ids=["sin", "tanh", "reciprocal", "abs", "relu"],
)
def test_jvp_is_exact_to_rounding(f, derivative):
    _, dy = jvp(f, (X,), (V,))
    assert_allclose(dy.numpy(), derivative(X) * V, rtol=1e-14)


@given(seeds)
def test_jvp_is_linear_in_its_tangents(seed):
    x, u, v = np.random.default_rng(seed).normal(size=(3, 4))
    _, both = jvp(bumpy, (x,), (2 * u - v,))
    (_, one), (_, two) = jvp(bumpy, (x,), (u,)), jvp(bumpy, (x,), (v,))
    assert_allclose(both.item(), 2 * one.item() - two.item(), rtol=1e-12, atol=1e-12)


@given(seeds)
def test_jvp_and_backward_agree(seed):
    x, v = np.random.default_rng(seed).normal(size=(2, 4))
    point = tensor(x, requires_grad=True)
    bumpy(point).backward()
    _, dy = jvp(bumpy, (x,), (v,))
    assert_allclose(dy.item(), point.grad.numpy() @ v, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("exponent", [-1000, -300, -50, 50, 300, 900])
def test_the_length_of_a_tangent_changes_no_digit(exponent):
    _, unit = jvp(bumpy, (X,), (V,))
    _, scaled = jvp(bumpy, (X,), (np.ldexp(V, exponent),))
    assert scaled.item() == np.ldexp(unit.item(), exponent)


@given(seeds)
def test_no_digit_of_a_tangent_is_lost(seed):
    v = np.random.default_rng(seed).normal(size=4)
    assert_array_equal(jvp(lambda x: x + 1.0, (X,), (v,))[1].numpy(), v)
    assert_array_equal(hvp(lambda x: 0.5 * (x * x).sum(), (X,), (v,))[1].numpy(), v)


def test_products_of_small_parts_do_not_vanish():
    # (ih)**2 must not be 0, or the slope of the root of a square at 0 would be lost.
    _, dy = jvp(lambda x: (x * x).sqrt(), ([0.0],), ([1.0],))
    assert_allclose(np.abs(dy.numpy()), 1, rtol=1e-14)


def test_a_steep_sawtooth_has_its_exact_slope():
    x = np.array([0.31234, -1.7])
    _, dy = jvp(lambda x: F.gaaf(x, "tanh", k=1e4), (x,), ([1.0, 1.0],))
    point = tensor(x, requires_grad=True)
    F.gaaf(point, "tanh", k=1e4).sum().backward()
    assert_allclose(dy.numpy(), point.grad.numpy(), rtol=1e-12)


def test_f_is_called_once():
    calls = []

    def f(x):
        calls.append(x.dtype)
        return x * x

    jvp(f, (X,), (V,))
    assert calls == ["complex128"]


def test_float32_is_widened_exactly():
    narrow = X.astype("float32")
    found = jvp(bumpy, (tensor(narrow),), (V.astype("float32"),))
    wide = jvp(bumpy, (narrow.astype("float64"),), (V.astype("float32"),))
    assert [part.dtype for part in found] == ["float64", "float64"]
    assert [part.item() for part in found] == [part.item() for part in wide]


def test_float32_constants_of_f_take_part():
    w = tensor(A.astype("float32"))
    _, dy = jvp(lambda x: w @ x, (X,), (V,))
    assert_allclose(dy.numpy(), w.numpy().astype("float64") @ V, **EXACT)


def test_a_result_that_depends_on_nothing_has_the_slope_0():
    y, dy = jvp(lambda x: tensor([2.0]), (X,), (V,))
    assert_array_equal((y.numpy(), dy.numpy()), [[2.0], [0.0]])


def test_a_kernel_that_is_stepwise_has_the_slope_0():
    def forward(x):
        return np.sign(x.real), NOTHING

    sign = Kernel("sign", forward, {"x": lambda dy, saved: {"straight_through": dy}})
    y, dy = jvp(lambda x: apply(sign, x) * tensor(A[0]), (X,), (V,))
    assert_array_equal(y.numpy(), np.sign(X) * A[0])
    assert_array_equal(dy.numpy(), np.zeros(4))


def test_both_run_on_every_backend(backend):
    x, v = new_array(X), new_array(V)
    w = tensor(A)
    y, dy = jvp(lambda x: (w @ x).tanh(), (x,), (v,))
    assert y.backend == dy.backend == backend
    z = A @ X
    assert_allclose(dy.numpy(), A @ V / np.cosh(z) ** 2, **EXACT)
    _, hv = hvp(lambda x: (w @ x).tanh().sum(), (x,), (v,))
    bend = -2 * np.tanh(z) / np.cosh(z) ** 2
    assert_allclose(hv.numpy(), A.T @ (bend * (A @ V)), **EXACT)


# -- second order ----------------------------------------------------------------------


def test_hvp_of_a_quadratic_is_its_matrix_times_v():
    b = A.T @ A
    y, hv = hvp(lambda x: 0.5 * x @ (tensor(b) @ x), (X,), (V,))
    assert_allclose(y.item(), 0.5 * X @ b @ X, **EXACT)
    assert_allclose(hv.numpy(), b @ V, **EXACT)


def test_hvp_of_rosenbrock_is_that_of_the_textbook():
    a, b = x = np.array([-1.2, 1.0])
    h = np.array([[2 - 400 * (b - 3 * a * a), -400 * a], [-400 * a, 200.0]])
    _, hv = hvp(rosenbrock, (x,), ([0.3, -2.0],))
    assert_allclose(hv.numpy(), h @ [0.3, -2.0], rtol=1e-13)


@given(seeds)
def test_hvp_is_symmetric_and_linear(seed):
    x, u, v = np.random.default_rng(seed).normal(size=(3, 4))
    hu, hv, both = (hvp(bumpy, (x,), (d,))[1].numpy() for d in (u, v, u - 3 * v))
    size = np.abs(hu).sum() + np.abs(hv).sum()
    assert_allclose(u @ hv, v @ hu, rtol=0, atol=1e-12 * size)
    assert_allclose(both, hu - 3 * hv, rtol=0, atol=1e-12 * size)


@given(seeds)
def test_hvp_is_the_slope_of_the_gradient(seed):
    x, v = np.random.default_rng(seed).normal(size=(2, 4))

    def gradient(x):
        point = tensor(x, requires_grad=True)
        bumpy(point).backward()
        return point.grad.numpy()

    _, hv = hvp(bumpy, (x,), (v,))
    h = 1e-5
    central = (gradient(x + h * v) - gradient(x - h * v)) / (2 * h)
    assert_allclose(
        hv.numpy(), central, rtol=1e-6, atol=1e-6 * np.abs(hv.numpy()).max()
    )


def test_hvp_mixes_the_derivatives_of_several_primals():
    # f = x' A y: the second derivatives are A between x and y, and 0 elsewhere.
    x, y, u, v = normal(3), normal(4), normal(3), normal(4)
    _, hu, hv = hvp(lambda x, y: x @ (tensor(A) @ y), (x, y), (u, v))
    assert_allclose(hu.numpy(), A @ v, **EXACT)
    assert_allclose(hv.numpy(), A.T @ u, **EXACT)


def test_a_primal_that_is_not_used_has_zeros():
    _, hx, hy = hvp(lambda x, y: (x * x).sum(), (X, A), (V, A))
    assert_allclose(hx.numpy(), 2 * V, **EXACT)
    assert_array_equal(hy.numpy(), np.zeros((3, 4)))


@pytest.mark.parametrize("f", [lambda x: x, lambda x: tensor([1.0])], ids=["x", "1"])
def test_hvp_without_a_graph_is_0(f):
    _, hv = hvp(f, ([2.0],), ([3.0],))
    assert_array_equal(hv.numpy(), [0.0])


def test_hvp_runs_under_no_grad():
    with no_grad():
        _, hv = hvp(lambda x: (x * x).sum(), (X,), (V,))
    assert_allclose(hv.numpy(), 2 * V, **EXACT)


def test_hvp_is_the_slope_of_a_gradient_that_detach_has_cut():
    # backward() gives x for x * x.detach(), not 2 x.
    _, hv = hvp(lambda x: (x * x.detach()).sum(), (X,), (V,))
    assert_array_equal(hv.numpy(), V)


# -- what stays as it was --------------------------------------------------------------


def test_gradients_of_what_f_closes_over_stay():
    w = Parameter(A.copy())
    (w * 3).sum().backward()
    unused = Parameter(A.copy())
    before = w.grad.numpy()
    _, hv = hvp(lambda x: ((w @ x) ** 2).sum(), (X,), (V,))
    assert_allclose(hv.numpy(), 2 * A.T @ (A @ V), **EXACT)
    assert w.grad.numpy() is before
    assert_array_equal(before, np.full((3, 4), 3.0))
    with pytest.raises(GraphError, match=r"backward\(\) has not run since it was made"):
        _ = unused.grad


def test_a_graph_that_f_closes_over_can_still_run_backward():
    w = Parameter(A.copy())
    h = (w * w).retain_grad()
    hvp(lambda x: ((h @ x) ** 2).sum(), (X,), (V,))
    assert not h.has_grad
    h.sum().backward()
    assert_allclose(w.grad.numpy(), 2 * A, **EXACT)


def test_an_observer_does_not_see_the_pass():
    w = Parameter(A.copy(), name="w")
    with inspect.gradient_flow() as flow:
        hvp(lambda x: ((w @ x) ** 2).sum(), (X,), (V,))
        (w * 2).sum().backward()
    assert flow.count == 1


def test_an_error_in_f_leaves_gradients_and_observers():
    w = Parameter(A.copy())
    (w * 3).sum().backward()
    before = w.grad.numpy()

    def broken(dy, saved):
        raise ZeroDivisionError

    kernel = Kernel("broken", lambda x: (x * 1, NOTHING), {"x": broken})
    with pytest.raises(ZeroDivisionError):
        hvp(lambda x: apply(kernel, w @ x).sum(), (X,), (V,))
    assert w.grad.numpy() is before
    with inspect.gradient_flow() as flow:
        (w * 2).sum().backward()
    assert flow.count == 1


# -- errors ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("primals", "tangents", "error", "said"),
    [
        (X, (V,), ArgumentError, "primals is a ndarray, expected a tuple"),
        ((X,), Tensor(V), ArgumentError, "tangents is a Tensor, expected a tuple"),
        ((X, X), (V,), ArgumentError, "tangents given 1, expected one each for 2"),
        (
            (X,),
            (V[:2],),
            ShapeError,
            r"tangents\[0\] has shape \(2,\), expected \(4,\)",
        ),
        (
            ([1, 2],),
            ([1.0, 2.0],),
            DTypeError,
            r"primals\[0\] has dtype int64, expected",
        ),
        ((X,), (V + 1j,), DTypeError, r"tangents\[0\] has dtype complex128, expected"),
        ((X,), (V * np.inf,), ArgumentError, "has elements that are not finite"),
        ((X,), (V * np.nan,), ArgumentError, "has elements that are not finite"),
    ],
)
@pytest.mark.parametrize("function", [jvp, hvp])
def test_arguments_that_do_not_fit_are_refused(
    function, primals, tangents, error, said
):
    with pytest.raises(error, match=f"^{function.__name__}: .*{said}"):
        function(lambda *x: x[0].sum(), primals, tangents)


@pytest.mark.parametrize(
    ("f", "error", "said"),
    [
        (lambda x: 1.0, ArgumentError, "f returned a float, expected a Tensor"),
        (
            lambda x: tensor(1),
            DTypeError,
            "f returned dtype int64, expected complex128",
        ),
        (
            lambda x: x.astype("complex64").sum(),
            DTypeError,
            "f returned dtype complex64, expected complex128",
        ),
        (
            lambda x: Tensor(x.numpy().astype("float64")).sum(),
            DTypeError,
            "a complex number is cast to a real one, which drops the derivative",
        ),
    ],
)
@pytest.mark.parametrize("function", [jvp, hvp])
def test_what_f_must_not_return_is_refused(function, f, error, said):
    with pytest.raises(error, match=f"^{function.__name__}: {said}"):
        function(f, (X,), (V,))


def test_hvp_wants_a_scalar():
    said = r"hvp: f returned shape \(4,\), expected a scalar; reduce it with .mean"
    with pytest.raises(ShapeError, match=said):
        hvp(lambda x: x * x, (X,), (V,))

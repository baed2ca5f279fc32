"""The fake device refuses what CuPy refuses, and what costs a transfer there."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minigrad.backend import (
    array_module,
    backend_of,
    elementwise,
    is_array,
    new_array,
    scatter_add,
    special,
    to_backend,
    to_host,
    use_backend,
)
from minigrad.errors import BackendError
from minigrad.kernels.arithmetic import ADD_KERNEL
from minigrad.tape import Tensor
from minigrad.testing import fake_device

HOST = np.arange(6.0).reshape(2, 3)


@pytest.fixture(autouse=True)
def _fake():
    with fake_device(), use_backend("fake"):
        yield


@pytest.fixture
def x():
    return new_array(HOST)


@pytest.fixture
def xp(x):
    return array_module(x)


def same(found, wanted):
    assert backend_of(found).name == "fake"
    assert_array_equal(to_host(found), wanted)
    return True


def test_values_go_there_and_back_as_copies():
    host = np.ones(3)
    there = to_backend(host)
    host[0] = 5.0
    assert same(there, [1.0, 1.0, 1.0])
    back = to_host(there)
    back[0] = 7.0
    assert same(there, [1.0, 1.0, 1.0])


@pytest.mark.parametrize(
    "use",
    [bool, float, int, complex, list, range, lambda a: a.item(), lambda a: a.tolist()],
    ids=["bool", "float", "int", "complex", "list", "index", "item", "tolist"],
)
def test_a_transfer_that_is_not_asked_for_is_refused(use):
    with pytest.raises(BackendError, match="expected no transfer to the host"):
        use(new_array([1.0]))


def test_a_device_array_does_not_become_a_host_array_unasked(x):
    with pytest.raises(TypeError, match="Implicit conversion to a NumPy array"):
        np.asarray(x)


@pytest.mark.parametrize(
    "mix",
    [
        lambda x, xp: x + HOST,
        lambda x, xp: HOST + x,
        lambda x, xp: x < HOST,
        lambda x, xp: xp.add(x, HOST),
        lambda x, xp: xp.stack([x, HOST]),
        lambda x, xp: x.dot(HOST.T),
        lambda x, xp: x.__iadd__(HOST),
        lambda x, xp: x.__setitem__(0, HOST[0]),
        lambda x, xp: np.add(HOST, x),
    ],
    ids=["x+h", "h+x", "x<h", "add", "stack", "dot", "+=", "setitem", "ufunc"],
)
def test_host_and_device_arrays_do_not_mix(x, xp, mix):
    with pytest.raises(TypeError, match="Unsupported type"):
        mix(x, xp)


def test_kernels_refuse_mixed_arrays_in_our_words(x):
    with pytest.raises(BackendError, match="add: arrays live on different backends"):
        ADD_KERNEL.run(x, HOST)


def test_numbers_and_numpy_scalars_mix(x):
    assert same(2 * x + np.float64(1), 2 * HOST + 1)
    assert same(1 / (x + 1) - x**2, 1 / (HOST + 1) - HOST**2)


@pytest.mark.parametrize(
    "reduce",
    [
        lambda x, xp: x.sum(),
        lambda x, xp: xp.max(x),
        lambda x, xp: x[1, 2],
        lambda x, xp: x.ravel() @ x.ravel(),
        lambda x, xp: xp.tensordot(x, x),
    ],
)
def test_reductions_and_elements_are_0_d_arrays(x, xp, reduce):
    found = reduce(x, xp)
    assert is_array(found)
    assert found.shape == ()


@pytest.mark.parametrize("name", ["einsum_path", "errstate", "nditer", "vecdot"])
def test_what_cupy_lacks_is_not_there(xp, name):
    assert hasattr(np, name)
    with pytest.raises(AttributeError, match=name):
        getattr(xp, name)


@pytest.mark.parametrize(
    "call",
    [
        lambda x, xp: xp.sum(x, where=x > 1),
        lambda x, xp: xp.max(x, initial=0.0),
        lambda x, xp: xp.add(x, 1, where=True),
        lambda x, xp: xp.linalg.norm(x, axes=0),
    ],
)
def test_keywords_that_cupy_does_not_take_are_refused(x, xp, call):
    with pytest.raises(TypeError, match="takes no argument"):
        call(x, xp)


def test_integer_arrays_wrap_where_they_point_outside(x, xp):
    far = xp.asarray([3, -4])
    assert same(x[:, far], HOST[:, [0, 2]])
    assert same(x[..., far], HOST[..., [0, 2]])
    assert same(x[None, :, far], HOST[None][:, :, [0, 2]])
    assert same(xp.take(x, far, axis=0), HOST[[1, 0]])
    assert same(x.take(far, axis=1), HOST[:, [0, 2]])
    with pytest.raises(IndexError):
        x[:, 3]


def test_small_integers_index_axes_that_they_cannot_count(xp):
    rows = np.arange(256.0)
    codes = xp.asarray(np.array([0, 255], np.uint8))
    assert same(new_array(rows)[codes], rows[[0, 255]])


def test_boolean_arrays_and_lists_index(x):
    assert same(x[x > 2], HOST[HOST > 2])
    assert same(x[x.sum(axis=1) > 4, 1:], HOST[[1], 1:])
    assert same(x[[1, 0]], HOST[[1, 0]])
    assert same(x[[]], HOST[[]].reshape(0, 3))


def test_scatter_add_counts_duplicates_and_wraps(x):
    scatter_add(x, new_array([0, 0, 2]), new_array([[1.0, 1, 1]] * 3))
    assert same(x, HOST + np.array([[3.0], [0.0]]))


def test_ufunc_at_works_in_place(x, xp):
    xp.add.at(x, (slice(None), xp.asarray([0, 0])), 1.0)
    assert same(x, HOST + np.array([2.0, 0, 0]))


def test_views_share_memory_and_know_their_base(x):
    view = x.T[1:]
    view[...] = 0.0
    assert same(x, HOST * [1.0, 0, 0])
    assert view.base is not None
    assert new_array([1.0]).base is None
    assert x.copy().base is None


def test_in_place_operators_return_the_array_itself(x):
    before = x
    x += 1.0
    x *= 2.0
    assert x is before
    assert same(x, (HOST + 1) * 2)


def test_out_is_what_is_returned(x, xp):
    out = xp.empty_like(x)
    assert xp.multiply(x, 2, out=out) is out
    assert same(out, 2 * HOST)


def test_conversions_that_change_nothing_return_the_array_itself(x, xp):
    assert xp.asarray(x) is x
    assert xp.real(x) is x
    assert x.astype(x.dtype, copy=False) is x
    assert xp.asarray(x, dtype="float32") is not x


def test_arrays_have_cupys_attributes(x, xp):
    assert (x.shape, x.ndim, x.size, len(x)) == ((2, 3), 2, 6, 2)
    assert (x.dtype, x.itemsize, x.nbytes) == (np.float64, 8, 48)
    assert x.strides == HOST.strides
    assert x.flags.c_contiguous
    assert x.T.flags.f_contiguous
    assert not hasattr(x.flags, "writeable")
    assert not hasattr(x, "setflags")
    z = xp.asarray(1j * HOST + 2)
    assert same(z.real, HOST * 0 + 2)
    assert same(z.imag, HOST)
    assert same(x.mT, HOST.T)
    with pytest.raises(TypeError, match="unhashable"):
        hash(x)


def test_numpys_ufuncs_run_on_the_device(x):
    assert same(np.exp(x), np.exp(HOST))
    with pytest.raises(TypeError, match=r"does not support|returned NotImplemented"):
        np.add.reduce(x)


def test_where_takes_a_device_array_only(x, xp):
    assert same(xp.where(x > 2, x, 0.0), np.where(HOST > 2, HOST, 0.0))
    with pytest.raises(TypeError, match="device array as condition"):
        xp.where(True, x, 0.0)


def test_tensors_take_over_from_arrays(x):
    total = x + Tensor(x)
    assert isinstance(total, Tensor)
    assert same(total.data, 2 * HOST)


def test_special_has_what_cupyx_has(x):
    assert same(special(x).erf(x), special(HOST).erf(HOST))
    assert not hasattr(special(x), "faddeeva")


def test_parts_of_the_module_are_there(x, xp):
    windows = xp.lib.stride_tricks.sliding_window_view(x, 2, axis=1)
    assert windows.shape == (2, 2, 2)
    assert same(xp.linalg.norm(x), np.linalg.norm(HOST))
    assert xp.float32 is np.float32
    assert xp.newaxis is None
    assert same(xp.zeros(2, "float32"), [0.0, 0.0])


def test_a_fused_formula_sees_ufuncs_where_and_operators(x):
    @elementwise
    def formula(xp, x, k, **out):
        return xp.multiply(xp.where(xp.real(x) > k, -x, x), 2.0, **out)

    assert same(formula(x, 2.0), np.where(HOST > 2, -HOST, HOST) * 2)


@pytest.mark.parametrize(
    "use",
    [
        lambda xp, x: xp.sum(x),
        lambda xp, x: x.sum(),
        lambda xp, x: x.real,
        lambda xp, x: x[0],
        lambda xp, x: x.shape,
        lambda xp, x: 2**x,
        lambda xp, x: abs(x),
        lambda xp, x: x if x > 0 else -x,
        lambda xp, x: xp.asarray(x),
    ],
    ids=["sum", ".sum", ".real", "index", "shape", "2**", "abs", "if", "asarray"],
)
def test_a_fused_formula_cannot_do_what_cupy_cannot_fuse(x, use):
    formula = elementwise(lambda xp, x, **out: use(xp, x))
    with pytest.raises((TypeError, AttributeError)):
        formula(x)


@pytest.mark.parametrize(
    "use",
    [
        lambda xp, x, k: x * -k,
        lambda xp, x, k: x * (1 - k),
        lambda xp, x, k: x * (k / 2),
        lambda xp, x, k: x + k * k,
        lambda xp, x, k: x * xp.exp(k),
        lambda xp, x, k: x * k.__float__(),
        lambda xp, x, k: x if k > 0 else -x,
        lambda xp, x, k: x if k else -x,
    ],
    ids=["-k", "1 - k", "k / 2", "k * k", "exp(k)", "float(k)", "if k > 0", "if k"],
)
def test_a_fused_formula_combines_numbers_with_arrays_only(x, use):
    formula = elementwise(lambda xp, x, k, **out: use(xp, x, k))
    with pytest.raises(BackendError, match="numbers only inside a fused formula"):
        formula(x, 2.0)


@pytest.mark.parametrize(
    "use",
    [
        lambda xp, x, k: k * x,
        lambda xp, x, k: k - x,
        lambda xp, x, k: k / (x + 1),
        lambda xp, x, k: xp.where(k < x, k, x),
        lambda xp, x, k: xp.minimum(xp.maximum(x, k), 3),
    ],
    ids=["*", "-", "/", "where", "minimum"],
)
def test_a_fused_formula_combines_numbers_with_arrays(x, use):
    formula = elementwise(lambda xp, x, k, **out: use(xp, x, k))
    assert same(formula(x, 2.0), use(np, HOST, 2.0))


def test_a_fused_formula_takes_no_host_array(x):
    formula = elementwise(lambda xp, x, y, **out: x + y)
    with pytest.raises(TypeError, match="Unsupported type"):
        formula(x, HOST)


def test_blocks_nest():
    with fake_device():
        new_array([1.0])
    assert backend_of(new_array([1.0])).name == "fake"

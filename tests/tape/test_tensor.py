"""The tensor as an array: making, showing, exporting, operators, mixed arrays."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.errors import (
    ArgumentError,
    BackendError,
    DTypeError,
    GraphError,
    ShapeError,
)
from minigrad.kernels._spec import Kernel
from minigrad.tape import Parameter, Tensor, apply, from_dlpack, tensor
from minigrad.testing import fake_device


class TestMaking:
    def test_python_floats_are_float32(self):
        assert tensor([1.0, 2.0]).dtype == np.float32

    def test_integers_stay_integers(self):
        assert tensor([1, 2]).dtype == np.int64

    def test_arrays_keep_their_dtype_and_are_copied(self):
        values = np.ones(3)
        x = tensor(values)
        values[0] = 7.0
        assert x.dtype == np.float64
        assert_array_equal(x.data, np.ones(3))

    def test_parameter_of_a_tensor_takes_its_array(self):
        assert Parameter(tensor([1.0])).data.tolist() == [1.0]

    def test_parameter_of_a_list_is_refused(self):
        with pytest.raises(DTypeError, match=r"data is a list.*minigrad\.tensor"):
            Parameter([1.0])

    def test_unknown_dtype_is_refused(self):
        with pytest.raises(DTypeError, match="'floaty', expected a dtype"):
            tensor([1.0], dtype="floaty")

    def test_text_is_refused(self):
        with pytest.raises(DTypeError, match="expected numbers or booleans"):
            tensor(["a"])

    def test_ragged_lists_are_refused_in_one_sentence(self):
        with pytest.raises(ShapeError, match="rows of equal length"):
            tensor([[1.0, 2.0], [3.0]])


class TestShowing:
    def test_repr_of_few_elements_shows_them(self):
        x = tensor([1.0, 2.5], requires_grad=True, name="w")
        assert repr(x) == (
            "Tensor('w', shape=(2,), dtype=float32, backend=numpy, "
            "requires_grad (leaf), [1.  2.5])"
        )

    def test_repr_of_many_elements_shows_statistics(self):
        assert "mean=49.5, std=28.87, min=0, max=99" in repr(tensor(np.arange(100.0)))

    def test_repr_counts_what_is_not_finite(self):
        values = np.ones(10)
        values[3] = np.nan
        assert "1 not finite" in repr(tensor(values))

    def test_item_of_many_elements_is_refused(self):
        with pytest.raises(ShapeError, match="exactly one element"):
            tensor([1.0, 2.0]).item()


class TestExporting:
    def test_dlpack_shares_memory_both_ways(self):
        x, array = tensor([1.0, 2.0]), np.ones(2)
        assert np.shares_memory(x.data, np.from_dlpack(x))
        assert np.shares_memory(array, from_dlpack(array).data)

    def test_torch_reads_and_gives_memory(self):
        torch = pytest.importorskip("torch")
        x = tensor([1.0, 2.0])
        assert torch.from_dlpack(x).tolist() == [1.0, 2.0]
        assert from_dlpack(torch.tensor([3.0])).tolist() == [3.0]

    def test_numpy_reads_a_tensor_as_an_array(self):
        assert np.asarray(tensor([1.0, 2.0])).tolist() == [1.0, 2.0]

    def test_numpy_does_not_read_past_a_gradient(self):
        with pytest.raises(GraphError, match=r"detach\(\)\.numpy\(\)"):
            np.asarray(tensor([1.0], requires_grad=True))

    def test_dlpack_of_a_tensor_with_gradient_is_refused(self):
        with pytest.raises(GraphError, match=r"detach\(\)"):
            np.from_dlpack(tensor([1.0], requires_grad=True))


class TestOperators:
    def test_array_on_the_left_gives_a_tensor(self):
        x = tensor([1.0, 2.0], requires_grad=True)
        y = np.array([3.0, 4.0], "float32") * x
        assert isinstance(y, Tensor)
        y.backward(np.ones(2, "float32"))
        assert_array_equal(x.grad.data, [3.0, 4.0])

    def test_numpy_functions_are_recorded(self):
        x = tensor([0.0, 1.0], requires_grad=True)
        np.exp(x).backward(np.ones(2, "float32"))
        assert_allclose(x.grad.data, np.exp([0.0, 1.0]), rtol=1e-6)

    def test_unknown_numpy_function_is_a_type_error(self):
        with pytest.raises(TypeError, match="operand"):
            np.arctan(tensor([1.0]))

    def test_scalar_keeps_float32(self):
        assert (2.0 * tensor([1.0]) - 1).dtype == np.float32

    def test_comparison_gives_booleans(self):
        assert (tensor([1.0, 3.0]) > 2.0).tolist() == [False, True]

    def test_mixed_float_dtypes_are_refused(self):
        with pytest.raises(DTypeError, match=r"float32 and b float64.*\.to\(.float32"):
            tensor([1.0]) * np.ones(1)

    def test_integers_are_told_to_become_floats(self):
        with pytest.raises(DTypeError, match=r"a has dtype int64.*\.to\(.float32"):
            tensor([1]) * tensor([1.0])

    @pytest.mark.parametrize(
        ("other", "said"), [(None, "None"), ("1", "a str"), ([1.0], "a list")]
    )
    def test_what_is_no_number_is_refused(self, other, said):
        with pytest.raises(DTypeError, match=f"add: an input is {said}, expected a"):
            tensor([1.0]) + other

    def test_comparison_with_none_is_false(self):
        assert (tensor([1.0]) == None) is False  # noqa: E711 (the case under test)

    def test_shapes_that_do_not_broadcast(self):
        with pytest.raises(ShapeError, match=r"add: shapes a \(2,\), b \(3,\)"):
            tensor([1.0, 2.0]) + tensor([1.0, 2.0, 3.0])

    def test_cast_passes_the_gradient_back_in_its_own_dtype(self):
        x = tensor([1.0], requires_grad=True)
        x.to("float64").backward()
        assert x.grad.dtype == np.float32

    def test_clone_passes_the_gradient(self):
        x = tensor([1.0], requires_grad=True)
        x.clone().backward()
        assert_array_equal(x.grad.data, [1.0])


class TestShapes:
    @pytest.mark.parametrize(
        ("start", "shape"), [(0, (24,)), (1, (2, 12)), (-1, (2, 3, 4))]
    )
    def test_flatten(self, start, shape):
        assert tensor(np.zeros((2, 3, 4))).flatten(start).shape == shape

    def test_flatten_of_nothing_and_of_one(self):
        assert tensor(np.zeros((0, 3))).flatten(1).shape == (0, 3)
        assert tensor(1.0).flatten().shape == (1,)

    def test_flatten_axis_out_of_range(self):
        with pytest.raises(ArgumentError, match="start_axis 3, expected -2 to 1"):
            tensor(np.zeros((2, 3))).flatten(3)


class TestDevices:
    def test_mixing_host_and_device_names_the_kernel_and_both_backends(self):
        with fake_device():
            device = tensor([1.0]).to("fake")
            with pytest.raises(BackendError, match=r"add: .*\(numpy, fake\).*\.to\("):
                tensor([1.0]) + device

    def test_moving_there_and_back_keeps_the_values(self):
        with fake_device():
            x = tensor([1.0, 2.0], requires_grad=True).to("fake")
            assert x.backend == "fake"
            assert x.requires_grad
            (x * x).sum().backward()
            assert x.grad.to("numpy").tolist() == [2.0, 4.0]

    def test_result_that_is_there_already_need_not_move(self):
        y = tensor([1.0], requires_grad=True) * 2.0
        assert y.to("numpy") is y

    def test_moving_a_result_is_refused(self):
        with fake_device():
            y = tensor([1.0], requires_grad=True) * 2.0
            with pytest.raises(GraphError, match="expected a leaf"):
                y.to("fake")

    def test_unknown_backend(self):
        with pytest.raises(DTypeError, match="'cuda'"):
            tensor([1.0]).to("cuda")


def test_a_kernel_that_saves_a_bare_array_is_told_what_to_save():
    kernel = Kernel("bare", lambda x: (2 * x, x), {"x": lambda dy, x: {"direct": dy}})
    x = tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(ArgumentError, match="bare: saved is a ndarray, expected a Nam"):
        apply(kernel, x)

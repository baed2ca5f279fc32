"""What the losses of tensors add to their kernels: shapes, labels, names."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minigrad.errors import ArgumentError, ShapeError
from minigrad.functional import losses
from minigrad.tape import tensor
from minigrad.testing import check_function

RNG = np.random.default_rng(0)
LAYOUTS = {
    "one example": ((3,), ()),
    "batch": ((5, 3), (5,)),
    "pixels": ((2, 3, 4, 5), (2, 4, 5)),
}


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_cross_entropy_takes_the_layouts_of_pytorch(layout, soft, reduction):
    torch = pytest.importorskip("torch")
    shape, label_shape = LAYOUTS[layout]
    x = RNG.standard_normal(shape)
    t = RNG.random(shape) if soft else RNG.integers(0, 3, label_shape)
    ours, theirs = tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    params = {"reduction": reduction, "label_smoothing": 0.1}

    found = losses.cross_entropy(ours, tensor(t), **params)
    expected = torch.nn.functional.cross_entropy(theirs, torch.tensor(t), **params)

    assert found.shape == tuple(expected.shape)
    assert_allclose(found.numpy(), expected.detach().numpy(), 1e-12)
    dy = np.asarray(RNG.standard_normal(found.shape))
    found.backward(dy)
    expected.backward(torch.tensor(dy))
    assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), 1e-10, 1e-12)


@pytest.mark.parametrize("labels", [[0, 2], np.array([0, 2]), tensor([0, 2])])
def test_labels_come_as_lists_arrays_or_tensors(labels):
    x = tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    assert_allclose(losses.cross_entropy(x, labels).item(), 1.407606, rtol=1e-6)


def test_label_minus_100_is_ignored():
    x = tensor([[1.0, 2.0], [5.0, 1.0]])
    found = losses.cross_entropy(x, [0, -100])
    assert found.item() == losses.cross_entropy(x[:1], [0]).item()


@pytest.mark.parametrize("eps", [0.1, 0.7, 1.0])
def test_label_smoothing_is_cross_entropy_with_smoothed_labels(eps):
    """Y_ls = (1 - eps) Y + eps / C, as in the kernel's docstring."""
    x, labels = RNG.standard_normal((5, 3)), RNG.integers(0, 3, 5)
    smoothed = (1 - eps) * np.eye(3)[labels] + eps / 3
    ours, written_out = (tensor(x, requires_grad=True) for _ in range(2))
    found = losses.cross_entropy(ours, labels, label_smoothing=eps)
    expected = losses.cross_entropy(written_out, smoothed)
    assert_allclose(found.item(), expected.item(), rtol=1e-13)
    for loss in (found, expected):
        loss.backward()
    assert_allclose(ours.grad.numpy(), written_out.grad.numpy(), atol=1e-15)


def test_gradient_reaches_a_soft_target():
    t = RNG.random((2, 3))
    check_function(losses.cross_entropy, RNG.standard_normal((2, 3)), t)


@pytest.mark.parametrize(
    "function",
    [
        losses.mse_loss,
        losses.huber_loss,
        losses.binary_cross_entropy_with_logits,
        lambda x, t: losses.huber_loss(x, t, delta=0.1, reduction="sum"),
        lambda x, t: losses.mse_loss(x, t, reduction="none"),
    ],
)
def test_gradient_reaches_both_inputs(function):
    check_function(function, RNG.standard_normal((4, 3)), RNG.random((4, 3)))


def test_target_that_does_not_fit_is_refused():
    message = (
        r"target has shape \(2, 1\), expected \(2,\) or, as probabilities, \(2, 3\)"
    )
    with pytest.raises(ShapeError, match=message):
        losses.cross_entropy(tensor(np.zeros((2, 3))), np.zeros((2, 1), int))


def test_label_out_of_range_is_refused():
    with pytest.raises(ArgumentError, match=r"t has label 3 at \[1\], expected 0 <="):
        losses.cross_entropy(tensor(np.zeros((2, 3))), [0, 3])


def test_shapes_are_never_broadcast():
    with pytest.raises(ShapeError, match="mse_loss: t has shape"):
        losses.mse_loss(tensor(np.zeros((3, 1))), tensor(np.zeros(3)))


def test_mean_over_ignored_labels_only_is_refused():
    with pytest.raises(ArgumentError, match="all 2 labels are ignore_index"):
        losses.cross_entropy(tensor(np.zeros((2, 3))), [-100, -100])


def test_lists_of_floats_are_float32():
    found = losses.cross_entropy([[1.0, 2.0]], [[0.5, 0.5]])
    assert found.dtype == np.float32


@pytest.mark.parametrize("loss", [losses.cross_entropy, losses.nll_loss])
def test_what_no_label_can_be_is_not_to_be_ignored(loss):
    with pytest.raises(ArgumentError, match="ignore_index 'pad', expected an int or N"):
        loss(np.zeros((2, 3)), [0, 1], ignore_index="pad")

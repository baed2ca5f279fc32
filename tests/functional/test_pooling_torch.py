"""Pooling and resampling are those of PyTorch, at random configurations."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minigrad import functional as F
from minigrad.tape import tensor

torch = pytest.importorskip("torch")

DRAWS = pytest.mark.parametrize("seed", range(45))


class Draw:
    """A random number of axes, shape of x, and choices."""

    def __init__(self, seed, longest=12):
        self.rng = np.random.default_rng(seed)
        self.axes = 1 + seed % 2
        self.sizes = self.ints(1, longest)
        batch = [(), (0,), (1,), (3,)][self.rng.integers(4)]
        self.shape = (*batch, int(self.rng.integers(1, 5)), *self.sizes)

    def ints(self, low, high):
        return tuple(int(n) for n in self.rng.integers(low, high + 1, self.axes))

    def flag(self):
        return bool(self.rng.integers(2))

    def pick(self, *values):
        return tuple(float(self.rng.choice(values)) for _ in range(self.axes))


def expect_equal(draw, name, *args, single=1e-5, ties=False, **options):
    """Compare y and dx of F.<name> in float64 (1e-11) and float32 (single)."""
    values = draw.rng.standard_normal(draw.shape)
    values = np.sign(values) if ties else values
    for dtype, tolerance in (("float64", 1e-11), ("float32", single)):
        array = values.astype(dtype)
        x, x_torch = tensor(array, requires_grad=True), torch.tensor(array)
        x_torch.requires_grad_()
        y = getattr(F, name)(x, *args, **options)
        y_torch = getattr(torch.nn.functional, name)(x_torch, *args, **options)
        dy = draw.rng.standard_normal(y.shape).astype(dtype)
        y.backward(dy)
        y_torch.backward(torch.tensor(dy))
        assert (y.shape, y.dtype) == (tuple(y_torch.shape), dtype)
        found, wanted = y.numpy(), y_torch.detach().numpy()
        assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)
        found, wanted = x.grad.numpy(), x_torch.grad.numpy()
        assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


def windows(draw, dilate):
    """Draw windows that fit, each of which has elements of x in it."""
    while True:
        kernel, stride = draw.ints(1, 5), draw.ints(1, 5)
        padding = tuple(int(draw.rng.integers(k // 2 + 1)) for k in kernel)
        dilation = draw.ints(1, 3) if dilate else (1,) * draw.axes
        spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
        numbers = list(zip(draw.sizes, spans, padding, dilation, strict=True))
        # In a window of padding alone PyTorch writes the gradient somewhere else.
        if all(n + 2 * p >= s and n >= d for n, s, p, d in numbers):
            return kernel, stride, padding, dilation


@DRAWS
def test_max_pool(seed):
    draw = Draw(seed)
    kernel, stride, padding, dilation = windows(draw, dilate=True)
    expect_equal(
        draw,
        f"max_pool{draw.axes}d",
        kernel,
        stride if seed % 5 else None,
        padding=padding,
        dilation=dilation,
        ceil_mode=draw.flag(),
        ties=draw.flag(),
    )


@DRAWS
def test_avg_pool(seed):
    draw = Draw(seed)
    kernel, stride, padding, _ = windows(draw, dilate=False)
    options = {"divisor_override": 3} if draw.axes == 2 and draw.flag() else {}
    expect_equal(
        draw,
        f"avg_pool{draw.axes}d",
        kernel,
        stride,
        padding=padding,
        ceil_mode=draw.flag(),
        count_include_pad=draw.flag(),
        **options,
    )


@DRAWS
@pytest.mark.parametrize("kind", ["max", "avg"])
def test_adaptive_pool(seed, kind):
    draw = Draw(seed)
    sizes = draw.ints(1, 14)
    if draw.axes == 2:
        sizes = [sizes, sizes[0], (None, sizes[1]), 1][seed // 2 % 4]
    else:
        sizes = sizes[0]
    ties = kind == "max" and draw.flag()
    expect_equal(draw, f"adaptive_{kind}_pool{draw.axes}d", sizes, ties=ties)


def batched(seed):
    draw = Draw(seed)
    draw.shape = (2, *draw.shape[-draw.axes - 1 :])
    return draw


MODES = ["nearest", "linear"]


@DRAWS
@pytest.mark.parametrize("mode", MODES)
def test_interpolate_to_a_size(seed, mode):
    draw = batched(seed)
    options = {}
    if mode == "linear":
        mode = ["linear", "bilinear"][draw.axes - 1]
        options = {"align_corners": draw.flag()}
    # PyTorch computes positions in the dtype of x: up to 40 of them, each to 1e-7.
    sizes = draw.ints(1, 40)
    expect_equal(draw, "interpolate", sizes, mode=mode, single=3e-4, **options)


@DRAWS
@pytest.mark.parametrize("mode", MODES)
def test_interpolate_by_a_factor(seed, mode):
    draw = batched(seed)
    factors = draw.pick(0.3, 0.5, 0.7, 1.3, 1.5, 2.0, 3.0)
    outs = [int(n * f) for n, f in zip(draw.sizes, factors, strict=True)]
    # On one axis, where nearest keeps the length, PyTorch's backward is not that of its
    # forward; and there must be something left.
    odd = mode == "nearest" and draw.axes == 1 and outs[0] in (draw.sizes[0], 0)
    if odd or 0 in outs:
        factors = (2.0,) * draw.axes
    if mode == "linear":
        mode = ["linear", "bilinear"][draw.axes - 1]
    expect_equal(draw, "interpolate", scale_factor=factors, mode=mode, single=3e-4)

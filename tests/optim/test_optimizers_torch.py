"""Random optimizers on random parameters take PyTorch's steps."""

import numpy
import pytest
from numpy.testing import assert_allclose

from minigrad import optim
from minigrad.random import generator
from minigrad.tape import Parameter

torch = pytest.importorskip("torch")

SHAPES = (), (1,), (0,), (3, 0, 2), (7,), (4, 3), (5, 2, 3, 3), (90, 100), (1, 6)
LAYOUTS = {
    "plain": lambda array: array,
    "reversed": lambda array: array.T.copy().T,
    "taps first": lambda array: numpy.moveaxis(
        numpy.moveaxis(array, 0, -1).copy(), -1, 0
    ),
    "with gaps": lambda array: numpy.repeat(array, 2, axis=-1)[..., ::2],
}
TOLERANCE = {"float64": (1e-10, 1e-12), "float32": (2e-4, 2e-5)}


def drawn_optimizer(rng):
    """Draw a name and options that both sides take."""

    def some(*values):
        return values[rng.integers(len(values))]

    name = some("SGD", "SGD", "Adam", "AdamW", "RMSprop", "Adadelta")
    options = {"lr": some(0.3, 0.01), "weight_decay": some(0, 0, 0.1)}
    if name == "SGD":
        options["momentum"] = some(0, 0.5, 0.9)
        options["nesterov"] = bool(options["momentum"]) and some(True, False)
        options["dampening"] = 0 if options["nesterov"] else some(0, 0.4)
    elif name in ("Adam", "AdamW"):
        options["betas"] = some((0.9, 0.999), (0.5, 0.8), (0.0, 0.9))
        options["eps"] = some(1e-8, 1e-3)
    elif name == "RMSprop":
        options["alpha"] = some(0.99, 0.6)
        options["momentum"] = some(0, 0.7)
        options["centered"] = some(True, False)
        options["eps"] = some(1e-8, 1e-3)
    else:
        options["rho"] = some(0.9, 0.3)
        options["eps"] = some(1e-6, 1e-3)
    return name, options


def laid_out(rng, array):
    """Lay the values of array out in memory in a drawn way."""
    name = sorted(LAYOUTS)[rng.integers(len(LAYOUTS))]
    return LAYOUTS[name](array) if array.ndim else array


@pytest.mark.parametrize("seed", range(60))
def test_steps_are_those_of_pytorch(seed):
    rng = generator(seed, "optimizer sweep")
    dtype = ("float32", "float64")[seed % 2]
    name, options = drawn_optimizer(rng)
    shapes = [SHAPES[i] for i in rng.integers(len(SHAPES), size=rng.integers(1, 8))]
    values = [numpy.asarray(rng.normal(size=shape), dtype) for shape in shapes]
    ours = [Parameter(laid_out(rng, value.copy())) for value in values]
    theirs = [torch.nn.Parameter(torch.from_numpy(value)) for value in values]
    optimizer = getattr(optim, name)(ours, **options)
    oracle = getattr(torch.optim, name)(theirs, **options)
    for _ in range(6):
        rate = options["lr"] * rng.uniform(0.5, 1)
        optimizer.param_groups[0]["lr"] = oracle.param_groups[0]["lr"] = rate
        for p, q in zip(ours, theirs, strict=True):
            p.grad = q.grad = None
            if rng.random() < 0.8:
                gradient = numpy.asarray(rng.normal(size=p.shape), dtype)
                p.grad = laid_out(rng, gradient)
                q.grad = torch.from_numpy(gradient)
        optimizer.step()
        oracle.step()
        rtol, atol = TOLERANCE[dtype]
        for p, q in zip(ours, theirs, strict=True):
            assert p.dtype == dtype
            assert_allclose(p.data, q.detach().numpy(), rtol=rtol, atol=atol)

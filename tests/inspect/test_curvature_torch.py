"""Hessian-vector products against PyTorch's double backward."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minigrad import functional as F
from minigrad import manual_seed, nn, tensor
from minigrad.inspect.curvature.complex_step import hvp, jvp
from minigrad.inspect.curvature.hessian import Hessian

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(32, 12)).astype("float32")
IMAGES = RNG.normal(size=(6, 3, 12, 12)).astype("float32")
SERIES = RNG.normal(size=(7, 4, 5)).astype("float32")
LABELS = RNG.integers(0, 4, 32)


def mlp(lib):
    return lib.Sequential(
        lib.Linear(12, 16),
        lib.Tanh(),
        lib.Linear(16, 16),
        lib.GELU(),
        lib.Linear(16, 4),
    )


def small(lib):
    return lib.Sequential(lib.Linear(12, 4), lib.Tanh(), lib.Linear(4, 4))


def convolutions(lib):
    return lib.Sequential(
        lib.Conv2d(3, 8, 3, padding=1, bias=False),
        lib.BatchNorm2d(8),
        lib.ReLU(),
        lib.MaxPool2d(2),
        lib.Conv2d(8, 8, 3, padding=1),
        lib.BatchNorm2d(8),
        lib.SiLU(),
        lib.AvgPool2d(2),
        lib.Flatten(),
        lib.Linear(72, 4),
    )


def recurrent(lib):
    return lib.LSTM(5, 6, num_layers=2, bidirectional=True)


def scores_of(y):
    """Take two numbers of each direction of an LSTM, summed over time, as scores."""
    return y[0].sum(0)[:, 4:8] if isinstance(y, tuple) else y


def pair(build, x):
    """Make a float32 model, PyTorch's in float64 with the same weights, both losses."""
    manual_seed(1)
    mine, theirs = build(nn), build(torch.nn)
    theirs.load_state_dict(
        {name: torch.tensor(value) for name, value in mine.state_dict().items()}
    )
    theirs = theirs.double()
    labels = LABELS[: x.shape[1] if x is SERIES else len(x)]
    x_mine, x_theirs = tensor(x), torch.tensor(x).double()

    def loss():
        return F.cross_entropy(scores_of(mine(x_mine)), labels)

    def their_loss():
        scores = scores_of(theirs(x_theirs))
        return torch.nn.functional.cross_entropy(scores, torch.tensor(labels))

    return mine, loss, theirs, their_loss


def double_backward(model, loss, v):
    """Return PyTorch's H v by name."""
    parameters = dict(model.named_parameters())
    first = torch.autograd.grad(loss, parameters.values(), create_graph=True)
    along = sum(
        (g * torch.tensor(v[name])).sum()
        for name, g in zip(parameters, first, strict=True)
    )
    second = torch.autograd.grad(along, parameters.values())
    return {name: part.numpy() for name, part in zip(parameters, second, strict=True)}


@pytest.mark.parametrize(
    ("build", "x", "without"),
    [
        (mlp, ROWS, ()),
        # Batch norm takes a bias before it off again.
        (convolutions, IMAGES, ("4.bias",)),
        (recurrent, SERIES, ()),
    ],
    ids=["mlp", "batch norm in training", "lstm"],
)
def test_products_are_those_of_double_backward(build, x, without):
    mine, loss, theirs, their_loss = pair(build, x)
    hessian = Hessian(loss, mine)
    rng = np.random.default_rng(2)
    v = {name: rng.normal(size=shape) for name, shape in hessian.shapes.items()}
    expected_loss = their_loss()
    expected = double_backward(theirs, expected_loss, v)
    found = hessian.product(v)
    assert_allclose(hessian.loss, expected_loss.item(), rtol=1e-13)
    assert list(found) == list(expected)
    size = max(np.abs(part).max() for part in expected.values())
    for name, part in expected.items():
        assert (np.abs(part).max() > 1e-4 * size) == (name not in without), name
        assert_allclose(found[name], part, rtol=1e-10, atol=1e-12 * size, err_msg=name)


def test_the_greatest_eigenvalue_is_that_of_pytorch():
    mine, loss, theirs, their_loss = pair(small, ROWS)
    names = [name for name, _ in theirs.named_parameters()]
    shapes = [tuple(p.shape) for p in theirs.parameters()]
    ends = np.cumsum([np.prod(shape) for shape in shapes])
    columns = []
    for unit in np.eye(ends[-1]):
        parts = np.split(unit, ends[:-1])
        v = {
            name: part.reshape(shape)
            for name, part, shape in zip(names, parts, shapes, strict=True)
        }
        found = double_backward(theirs, their_loss(), v)
        columns.append(np.concatenate([part.reshape(-1) for part in found.values()]))
    exact = np.linalg.eigvalsh(np.stack(columns))
    values = Hessian(loss, mine).eigenvalues(3, tolerance=0).values
    assert_allclose(values, exact[:-4:-1], rtol=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_functions_of_several_tensors_agree_with_pytorch(seed):
    rng = np.random.default_rng(seed)
    primals, tangents = rng.normal(size=(2, 3, 5, 4))

    def mine(q, k, v):
        return F.mean(((F.softmax(q @ k.T / 2.0, 1) @ v).tanh() * q) ** 2)

    def theirs(q, k, v):
        scores = torch.softmax(q @ k.T / 2.0, 1)
        return torch.mean(((scores @ v).tanh() * q) ** 2)

    given = tuple(map(torch.tensor, primals)), tuple(map(torch.tensor, tangents))
    y, dy = jvp(mine, tuple(primals), tuple(tangents))
    expected = torch.autograd.functional.jvp(theirs, *given)
    assert_allclose([y.item(), dy.item()], [e.item() for e in expected], rtol=1e-12)
    _, expected = torch.autograd.functional.hvp(theirs, *given)
    _, *found = hvp(mine, tuple(primals), tuple(tangents))
    for part, wanted in zip(found, expected, strict=True):
        assert_allclose(part.numpy(), wanted.numpy(), rtol=1e-10, atol=1e-13)

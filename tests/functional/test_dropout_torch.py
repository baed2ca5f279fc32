"""The dropout family against the same formulas in PyTorch, on the masks drawn here."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minigrad import functional as F
from minigrad import nn
from minigrad.random import generator, keep_mask, normal_noise
from minigrad.tape import tensor

torch = pytest.importorskip("torch")

TOLERANCE = {"float32": 2e-5, "float64": 1e-11}


def shape_of(rng, axes):
    """Draw lengths, 0 and 1 among them."""
    return tuple(int(length) for length in rng.choice([0, 1, 2, 3, 5], axes))


def seeded(seed):
    return generator(seed, "sweep")


def agree(ours, theirs, arrays, dtype, seed):
    """Compare the value and every gradient of two functions of the same arrays."""
    arrays = [array.astype(dtype) for array in arrays]
    xs = [tensor(array, requires_grad=True) for array in arrays]
    ts = [torch.tensor(array, requires_grad=True) for array in arrays]
    y, expected = ours(*xs), theirs(*ts)
    assert y.shape == tuple(expected.shape)
    assert y.dtype == dtype
    tolerance = TOLERANCE[dtype]
    assert_allclose(y.numpy(), expected.detach().numpy(), tolerance, tolerance)
    dy = np.random.default_rng(seed).standard_normal(y.shape).astype(dtype)
    y.backward(dy)
    expected.backward(torch.tensor(dy))
    for x, t in zip(xs, ts, strict=True):
        assert_allclose(x.grad.numpy(), t.grad.numpy(), tolerance, tolerance)


def floats(array, dtype):
    return torch.tensor(np.array(array, dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(20))
def test_drop_connect(seed, dtype):
    rng = np.random.default_rng(seed)
    lead, (size, out) = shape_of(rng, rng.integers(0, 3)), shape_of(rng, 2)
    p = float(rng.choice([0.25, 0.5, 0.75]))
    per_example, bias = bool(rng.integers(2)), bool(rng.integers(2))
    arrays = [rng.standard_normal(s) for s in ((*lead, size), (out, size), (out,))]
    draw, rows = seeded(seed), lead if per_example else ()
    m = floats(keep_mask(draw, (*rows, out, size), p)[0], dtype) / (1 - p)
    mb = floats(keep_mask(draw, (*rows, out), p)[0], dtype) / (1 - p)

    def theirs(x, w, b=None):
        y = torch.einsum("...i,...oi->...o", x, m * w)
        return y if b is None else y + mb * b

    def ours(x, w, b=None):
        return F.drop_connect(x, w, b, p, per_example=per_example, rng=seeded(seed))

    agree(ours, theirs, arrays[: 2 + bias], dtype, seed)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(12))
def test_dropout_of_elements_and_channels(seed, dtype):
    rng = np.random.default_rng(seed)
    axes, name = [(2, "dropout1d"), (4, "dropout2d"), (5, "dropout3d"), (3, "dropout")][
        seed % 4
    ]
    shape, p = shape_of(rng, axes), 0.25
    spatial = {"dropout1d": 1, "dropout2d": 2, "dropout3d": 3, "dropout": 0}[name]
    kept = shape[: axes - spatial] + (1,) * spatial
    mask = floats(keep_mask(seeded(seed), kept, p)[0], dtype) / (1 - p)
    agree(
        lambda x: getattr(F, name)(x, p, rng=seeded(seed)),
        lambda x: x * mask,
        [rng.standard_normal(shape)],
        dtype,
        seed,
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(12))
def test_gaussian_noise_of_both_kinds(seed, dtype):
    rng = np.random.default_rng(seed)
    shape, p = shape_of(rng, rng.integers(0, 4)), 0.2
    noise = floats(normal_noise(seeded(seed), shape), dtype)
    pairs = [
        (lambda x: F.gaussian_noise(x, p, rng=seeded(seed)), lambda x: x + p * noise),
        (
            lambda x: F.gaussian_dropout(x, p, rng=seeded(seed)),
            lambda x: x * (1 + 0.5 * noise),
        ),
    ]
    agree(*pairs[seed % 2], [rng.standard_normal(shape)], dtype, seed)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(16))
def test_noisy_activation(seed, dtype):
    rng = np.random.default_rng(seed)
    shape = shape_of(rng, rng.integers(1, 4))
    function, alpha, c = ["tanh", "sigmoid"][seed % 2], [0.8, 1.15][seed // 2 % 2], 1.5
    half = bool(seed // 4 % 2)
    noise = floats(normal_noise(seeded(seed), shape), dtype)
    noise = noise.abs() if half else noise

    def theirs(x, p):
        u = x if function == "tanh" else x / 4 + 0.5
        h = torch.clamp(u, -1 if function == "tanh" else 0, 1)
        sigma = c * (torch.sigmoid(p * (h - u)) - 0.5) ** 2
        d = -torch.sign(x) * np.sign(1 - alpha)
        return alpha * h + (1 - alpha) * u + d * sigma * noise

    def ours(x, p):
        return F.noisy_activation(x, p, function, alpha, c, half, rng=seeded(seed))

    p = rng.standard_normal(shape[-1:] if seed % 3 else (1,))
    agree(ours, theirs, [rng.standard_normal(shape) * 3, p], dtype, seed)


def torch_rnn_drop(x, weights, mask, q, reverse):
    """Run one direction of RnnDrop over x (T, N, I)."""
    w_ih, w_hh, b_ih, b_hh = weights
    h = c = torch.zeros(x.shape[1], w_hh.shape[1], dtype=x.dtype)
    ys = []
    for step in reversed(x) if reverse else x:
        z = step @ w_ih.T + b_ih + h @ w_hh.T + b_hh
        i, f, g, o = z.chunk(4, 1)
        c = mask * (torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g))
        h = torch.sigmoid(o) * torch.tanh(c) / q
        ys.append(h)
    return torch.stack(ys[::-1] if reverse else ys), h, c


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(8))
def test_rnn_drop(seed, dtype):
    rng = np.random.default_rng(seed)
    steps, count, size, units = (int(n) for n in rng.integers(1, 5, 4))
    both, p = bool(seed % 2), 0.25
    layer = nn.RnnDropLSTM(
        size, units, p=p, bidirectional=both, dtype=dtype, rng=seeded(seed)
    )
    draw = seeded(seed)
    theirs = torch.nn.LSTM(size, units, bidirectional=both).to(getattr(torch, dtype))
    state = {name: torch.tensor(value) for name, value in layer.state_dict().items()}
    theirs.load_state_dict(state)

    def forward(x):
        held = dict(theirs.named_parameters())
        stems = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        outs = []
        for way in ("", "_reverse")[: 1 + both]:
            mask = floats(keep_mask(draw, (count, units), p)[0], dtype)
            weights = [held[stem + way] for stem in stems]
            outs.append(torch_rnn_drop(x, weights, mask, 1 - p, way != ""))
        y = torch.cat([out[0] for out in outs], 2)
        ends = [torch.stack([out[at] for out in outs]) for at in (1, 2)]
        return torch.cat([y.flatten(), *(end.flatten() for end in ends)])

    def ours(x):
        y, (h, c) = layer(x)
        return F.concat([part.reshape(-1) for part in (y, h, c)])

    agree(ours, forward, [rng.standard_normal((steps, count, size))], dtype, seed)
    for name, parameter in theirs.named_parameters():
        found = dict(layer.named_parameters())[name].grad.numpy()
        tolerance = TOLERANCE[dtype]
        assert_allclose(found, parameter.grad.numpy(), tolerance, tolerance)

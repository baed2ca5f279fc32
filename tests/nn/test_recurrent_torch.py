"""Recurrent layers against PyTorch's: values, last states and every gradient."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minigrad import nn, tensor

torch = pytest.importorskip("torch")

TOLERANCE = {"float32": 2e-5, "float64": 1e-11}
"""Of the largest number of each array: float32 sums of up to 10 steps, 7 units."""

SEEDS = range(60)


def drawn(seed, kind):
    """Draw how a layer is built and called."""
    rng = np.random.default_rng((seed, len(kind)))
    batched = rng.random() < 0.9
    lengths = None
    count, steps = int(rng.integers(1, 6)), int(rng.integers(1, 11))
    if batched and rng.random() < 0.5:
        lengths = rng.integers(1, steps + 1, count)
    options = {
        "num_layers": int(rng.integers(1, 4)),
        "bias": bool(rng.random() < 0.8),
        "batch_first": bool(rng.random() < 0.5),
        "bidirectional": bool(rng.random() < 0.5),
    }
    if kind == "RNN":
        options["nonlinearity"] = str(rng.choice(["tanh", "relu"]))
    sizes = int(rng.integers(1, 6)), int(rng.integers(1, 8))
    dtype = "float64" if rng.random() < 0.5 else "float32"
    with_state = bool(rng.random() < 0.5)
    return rng, sizes, options, dtype, batched, count, steps, lengths, with_state


def run_theirs(layer, x, state, lengths, batch_first):
    """Run a layer of PyTorch; lengths by packing and padding."""
    if lengths is None:
        return layer(x, state)
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        x, torch.tensor(lengths), batch_first, enforce_sorted=False
    )
    y, last = layer(packed, state)
    length = x.shape[1 if batch_first else 0]
    y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, batch_first, total_length=length)
    return y, last


def several(state):
    return list(state) if isinstance(state, tuple) else [state]


def expect_close(found, theirs, dtype):
    expected = theirs.detach().numpy()
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    assert found.dtype == dtype
    assert_allclose(found.numpy(), expected, rtol=0, atol=TOLERANCE[dtype] * scale)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_layer_and_gradients_are_those_of_pytorch(kind, seed):
    rng, sizes, options, dtype, batched, count, steps, lengths, with_state = drawn(
        seed, kind
    )
    theirs = getattr(torch.nn, kind)(*sizes, **options, dtype=getattr(torch, dtype))
    ours = getattr(nn, kind)(*sizes, **options, dtype=dtype)
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})

    def values(*shape):
        return rng.standard_normal(shape).astype(dtype)

    shape = (count, steps) if options["batch_first"] else (steps, count)
    x = values(*(shape if batched else (steps,)), sizes[0])
    places = options["num_layers"] * (1 + options["bidirectional"])
    state_shape = (places, *((count,) if batched else ()), sizes[1])
    first = [values(*state_shape) for _ in range(2 if kind == "LSTM" else 1)]
    x_ours, x_theirs = tensor(x, requires_grad=True), torch.tensor(x).requires_grad_()
    s_ours = [tensor(s, requires_grad=True) for s in first]
    s_theirs = [torch.tensor(s).requires_grad_() for s in first]
    pack = tuple if kind == "LSTM" else (lambda states: states[0])
    given = pack(s_ours) if with_state else None
    y, last = ours(x_ours, given, lengths)
    y_theirs, last_theirs = run_theirs(
        theirs, x_theirs, pack(s_theirs) if with_state else None, lengths,
        options["batch_first"],
    )  # fmt: skip

    outs = [y, *several(last)]
    outs_theirs = [y_theirs, *several(last_theirs)]
    cotangents = [values(*out.shape) for out in outs]
    pairs = list(zip(outs, cotangents, strict=True))
    sum((out * dy).sum() for out, dy in pairs).backward()
    pairs = list(zip(outs_theirs, cotangents, strict=True))
    sum((out * torch.tensor(dy)).sum() for out, dy in pairs).backward()

    for out, expected in zip(outs, outs_theirs, strict=True):
        expect_close(out.detach(), expected, dtype)
    expect_close(x_ours.grad, x_theirs.grad, dtype)
    if with_state:
        for state, expected in zip(s_ours, s_theirs, strict=True):
            expect_close(state.grad, expected.grad, dtype)
    expected = dict(theirs.named_parameters())
    assert [name for name, _ in ours.named_parameters()] == list(expected)
    for name, parameter in ours.named_parameters():
        expect_close(parameter.grad, expected[name].grad, dtype)


def test_the_draws_meet_every_edge():
    met = set()
    for kind, seed in itertools.product(["RNN", "GRU", "LSTM"], SEEDS):
        _, sizes, options, _, batched, count, steps, lengths, _ = drawn(seed, kind)
        edges = {
            "one unit": sizes[1] == 1,
            "one step": steps == 1,
            "one sequence": count == 1,
            "no batch": not batched,
            "lengths": lengths is not None,
            "lengths, both ways": lengths is not None and options["bidirectional"],
            "three layers": options["num_layers"] == 3,
        }
        met |= {(kind, edge) for edge, there in edges.items() if there}
    assert len(met) == 3 * 7


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("RNNCell", {}),
        ("RNNCell", {"nonlinearity": "relu"}),
        ("GRUCell", {}),
        ("LSTMCell", {}),
    ],
)
def test_cell_is_that_of_pytorch(kind, options, bias, batched, dtype):
    theirs = getattr(torch.nn, kind)(3, 4, bias, **options, dtype=getattr(torch, dtype))
    ours = getattr(nn, kind)(3, 4, bias, **options, dtype=dtype)
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    rng = np.random.default_rng(0)
    lead = (5,) if batched else ()
    x = rng.standard_normal((*lead, 3)).astype(dtype)
    states = [
        rng.standard_normal((*lead, 4)).astype(dtype)
        for _ in range(2 if kind == "LSTMCell" else 1)
    ]
    state = tuple(states) if kind == "LSTMCell" else states[0]
    given = tuple(map(torch.tensor, states))
    state_theirs = given if kind == "LSTMCell" else given[0]
    for first, second in ((None, None), (state, state_theirs)):
        ours.zero_grad()
        theirs.zero_grad()
        found = several(ours(tensor(x), first))
        expected = several(theirs(torch.tensor(x), second))
        sum((out * out).sum() for out in found).backward()
        sum((out * out).sum() for out in expected).backward()
        for out, wanted in zip(found, expected, strict=True):
            expect_close(out.detach(), wanted, dtype)
        for name, parameter in theirs.named_parameters():
            expect_close(
                dict(ours.named_parameters())[name].grad, parameter.grad, dtype
            )

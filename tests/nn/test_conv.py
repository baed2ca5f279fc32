"""Convolutional layers: parameters, what is refused when a layer is made, no batch."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError, DTypeError

LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.__name__)
def test_state_and_start_are_pytorchs(layer):
    torch = pytest.importorskip("torch")
    theirs = getattr(torch.nn, layer.__name__)(4, 6, 3, stride=2, padding=1, groups=2)
    ours = layer(4, 6, 3, stride=2, padding=1, groups=2)
    shapes = {name: tuple(p.shape) for name, p in theirs.state_dict().items()}
    assert {name: p.shape for name, p in ours.state_dict().items()} == shapes
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        # Uniform within the same bound: the largest of many comes close to it.
        assert np.abs(p.numpy()).max() <= 1 / np.sqrt(np.prod(shapes["weight"][1:]))
        assert float(q.detach().abs().max()) <= 1 / np.sqrt(
            np.prod(shapes["weight"][1:])
        )
    ours.load_state_dict(
        {k: mg.tensor(v.numpy()) for k, v in theirs.state_dict().items()}
    )
    x = np.random.default_rng(0).standard_normal((2, 4, 7, 6, 5)[: ours.axes + 2])
    x = x.astype("float32")
    expected = theirs(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(ours(mg.tensor(x)).numpy(), expected, atol=1e-5)


def test_the_weight_lies_with_its_taps_first():
    weight = nn.Conv2d(3, 4, 5).weight
    assert weight.shape == (4, 3, 5, 5)
    assert weight.data.transpose(2, 3, 1, 0).flags.c_contiguous


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.__name__)
def test_an_example_may_come_without_a_batch(layer):
    net = layer(2, 3, 2)
    x = np.random.default_rng(0).standard_normal((2, 5, 4, 3)[: net.axes + 1])
    x = mg.tensor(x, dtype="float32")
    alone, among = net(x), net(x.reshape(1, *x.shape))
    np.testing.assert_array_equal(alone.numpy(), among.numpy()[0])


REFUSED = [
    (lambda: nn.Conv2d(0, 4, 3), "Conv2d: in_channels 0, expected an int >= 1"),
    (lambda: nn.Conv2d(3, True, 3), "out_channels True, expected an int >= 1"),
    (
        lambda: nn.Conv2d(3, 4, (3, 0)),
        r"kernel_size \(3, 0\), expected an int >= 1, or 2",
    ),
    (lambda: nn.Conv2d(3, 4, 3, stride=0), "stride 0, expected an int >= 1"),
    (lambda: nn.Conv2d(3, 4, 3, padding=-1), "padding -1, expected an int >= 0"),
    (lambda: nn.Conv2d(3, 4, 3, padding="sam"), "padding 'sam', expected ints, 'same'"),
    (lambda: nn.Conv2d(3, 4, 3, 2, "same"), "padding 'same' with stride"),
    (lambda: nn.Conv2d(3, 4, 3, groups=2), "groups 2, expected a divisor of 3 and 4"),
    (lambda: nn.Conv2d(3, 4, 3, algorithm="x"), "algorithm 'x', expected None or one"),
    (
        lambda: nn.ConvTranspose2d(3, 4, 3, padding="same"),
        "padding 'same', expected an",
    ),
]


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_sizes_that_make_no_layer_are_refused(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_a_dtype_that_is_no_float_is_refused():
    with pytest.raises(
        DTypeError, match="weight: dtype 'flot', expected a float dtype"
    ):
        nn.Conv2d(3, 4, 3, dtype="flot")


def test_repr_names_what_differs_from_the_defaults():
    layer = nn.Conv1d(2, 4, 3, padding="causal", dilation=2, groups=2, bias=False)
    assert repr(layer) == (
        "Conv1d(2, 4, kernel_size=(3,), stride=(1,), padding='causal', "
        "dilation=(2,), groups=2, bias=False)"
    )

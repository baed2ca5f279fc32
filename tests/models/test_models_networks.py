from functools import partial

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError
from minigrad.random import Streams
from models.networks import vgg as networks
from models.networks.small_cnn import small_cnn
from models.networks.vgg import vgg


def size(model):
    return sum(parameter.size for parameter in model.parameters())


def images(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def torch_twin(torch, model):
    """The same network in PyTorch, with the same weights."""
    twin = torch.nn.Sequential()
    for name, part in model.named_children():
        match part:
            case nn.Conv2d():
                sizes = part.in_channels, part.out_channels, part.kernel_size
                bias = part.bias is not None
                made = torch.nn.Conv2d(*sizes, part.stride, padding=1, bias=bias)
            case nn.Linear():
                sizes, bias = (part.in_features, part.out_features), part.bias
                made = torch.nn.Linear(*sizes, bias=bias is not None)
            case nn.BatchNorm2d():
                made = torch.nn.BatchNorm2d(part.num_features)
            case nn.BatchNorm1d():
                made = torch.nn.BatchNorm1d(part.num_features)
            case nn.MaxPool2d():
                made = torch.nn.MaxPool2d(2)
            case _:
                made = getattr(torch.nn, type(part).__name__)()
        twin.add_module(name, made)
    state = {name: torch.from_numpy(a) for name, a in model.state_dict().items()}
    twin.load_state_dict(state)
    return twin


MODELS = {
    "small_cnn": (lambda: small_cnn(seed=0), (2, 1, 28, 28)),
    "small_cnn on 9x9": (
        lambda: small_cnn(in_channels=3, image_size=9, classes=4, seed=0),
        (3, 3, 9, 9),
    ),
    "tiny": (lambda: vgg(networks.TINY, hidden=(64,), seed=0), (2, 3, 32, 32)),
    "small with norms": (
        lambda: vgg(networks.SMALL, batch_norm=True, seed=0),
        (4, 3, 32, 32),
    ),
    "norms on dense layers": (
        lambda: vgg(networks.TINY, hidden=(32, 16), batch_norm=True, seed=0),
        (8, 3, 32, 32),
    ),
    "vgg10": (lambda: vgg(networks.VGG10, seed=0), (2, 3, 32, 32)),
    "four_conv": (
        lambda: vgg(networks.FOUR_CONV, hidden=(512, 256), seed=0),
        (2, 3, 32, 32),
    ),
    "on odd images": (
        lambda: vgg((8, "M"), in_channels=1, image_size=7, seed=0),
        (2, 1, 7, 7),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_networks_compute_what_their_twins_in_pytorch_do(name):
    torch = pytest.importorskip("torch")
    make, shape = MODELS[name]
    model, x = make(), images(*shape)
    twin = torch_twin(torch, model)
    logits, expected = model(mg.tensor(x)), twin(torch.from_numpy(x))
    np.testing.assert_allclose(
        logits.numpy(), expected.detach().numpy(), rtol=1e-3, atol=1e-3
    )
    dy = images(*logits.shape)
    logits.backward(mg.tensor(dy))
    expected.backward(torch.from_numpy(dy))
    gradients = dict(twin.named_parameters())
    for path, parameter in model.named_parameters():
        wanted = gradients[path].grad.numpy()
        error = np.abs(parameter.grad.numpy() - wanted).max()
        # Single relus may flip on a rounding; see the norm, not the elements.
        assert error <= 1e-2 * np.abs(wanted).max() + 1e-6, path


def test_sizes_are_those_of_the_papers():
    # 13 convolutions with bias and dense 4096, 4096, 10: 33.64 million.
    assert size(vgg(networks.VGG16, hidden=(4096, 4096), seed=0)) == 33_638_218
    assert size(vgg(networks.VGG10, seed=0)) == 7_655_754
    assert size(vgg(networks.VGG10, hidden=(512, 512), seed=0)) == 8_952_138
    # 65,568 in the convolutions, then 4096 to 512 to 256 to 10.
    assert size(vgg(networks.FOUR_CONV, hidden=(512, 256), seed=0)) == 2_297_130
    assert size(small_cnn(seed=0)) == 504_746


@pytest.mark.parametrize(
    ("build", "options"),
    [
        (partial(vgg, networks.TINY), {"activation": nn.Tanh}),
        (partial(vgg, networks.TINY), {"batch_norm": True}),
        (partial(vgg, networks.TINY, hidden=(16,)), {"batch_norm": True}),
        (small_cnn, {"activation": nn.Tanh}),
    ],
)
def test_first_weights_depend_on_seed_and_name_alone(build, options):
    one, other = build(seed=1), build(seed=1, **options)
    ours, theirs = one.state_dict(), other.state_dict()
    shared = [name for name in ours if name.endswith("weight") and name in theirs]
    assert len(shared) >= 5
    for name in shared:
        np.testing.assert_array_equal(ours[name], theirs[name])


def test_norms_take_the_place_of_biases_behind_all_layers_but_the_last():
    model = vgg((8, "M"), image_size=4, hidden=(16,), batch_norm=True, seed=0)
    assert [name for name, _ in model.named_children()] == [
        *("conv1", "norm1", "activation1", "pool1", "flatten"),
        *("dense1", "dense_norm1", "dense_activation1", "output"),
    ]
    biases = {name for name, _ in model.named_parameters() if name.endswith("bias")}
    assert biases == {"norm1.bias", "dense_norm1.bias", "output.bias"}


def test_seeds_differ():
    one, other = (vgg(networks.TINY, seed=seed) for seed in (0, 1))
    weights = one.state_dict()["conv2.weight"], other.state_dict()["conv2.weight"]
    assert np.abs(weights[0] - weights[1]).max() > 0.1


def test_first_weights_are_he_normal():
    weight = vgg(networks.VGG10, seed=0).state_dict()["conv10.weight"]
    assert weight.std() == pytest.approx(np.sqrt(2 / (512 * 9)), rel=0.01)
    assert weight.mean() == pytest.approx(0, abs=1e-4)


def test_signals_keep_their_size_through_the_deepest_network():
    model = vgg(networks.VGG16, seed=0)
    logits = model(mg.tensor(images(4, 3, 32, 32))).numpy()
    assert 0.1 < logits.std() < 10


def test_dropout_draws_from_the_streams_given():
    def build():
        return vgg(
            networks.TINY, hidden=(64,), drop_prob=0.5, streams=Streams(7), seed=0
        )

    x = mg.tensor(images(2, 3, 32, 32))
    one, other = build(), build()
    np.testing.assert_array_equal(one(x).numpy(), other(x).numpy())
    assert not np.array_equal(one(x).numpy(), one.eval()(x).numpy())
    assert [name for name, _ in one.named_children()][-4:] == [
        "dense1",
        "dense_activation1",
        "dropout1",
        "output",
    ]


def test_images_that_are_too_small_are_refused():
    with pytest.raises(ArgumentError, match="5 poolings for images of 31x31"):
        vgg(networks.VGG16, image_size=31, seed=0)
    with pytest.raises(ArgumentError, match="image_size is 0, expected at least 1"):
        small_cnn(image_size=0, seed=0)

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError
from models.networks.strided_cnn import strided_cnn
from models.networks.vgg import VGG16, vgg


def images(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def size(modules):
    return sum(one.size for part in modules for one in part.parameters())


@pytest.fixture
def unfilled(monkeypatch):
    """Leave weights at 0, where only sizes count: drawing them takes the time."""
    for name in ("normal_", "uniform_"):
        monkeypatch.setattr(nn.init, name, lambda weight, *_, **__: weight)


# -- the network for MNIST -------------------------------------------------------------

MNIST_LAYERS = [
    ("conv1", (32, 30, 30), 320, 259_200),
    ("conv2", (64, 14, 14), 18_496, 3_612_672),
    ("conv3", (128, 12, 12), 73_856, 10_616_832),
    ("conv4", (64, 5, 5), 73_792, 1_843_200),
    ("conv5", (32, 3, 3), 18_464, 165_888),
    ("dense1", (1024,), 295_936, 294_912),
    ("output", (10,), 10_250, 10_240),
]


@pytest.fixture(scope="module")
def mnist_summary():
    return mg.inspect.summary(strided_cnn(seed=0), (1, 1, 32, 32))


@pytest.mark.parametrize(("name", "shape", "parameters", "multiply_adds"), MNIST_LAYERS)
def test_each_layer_for_mnist_has_the_size_of_the_papers(
    mnist_summary, name, shape, parameters, multiply_adds
):
    row = mnist_summary.row(name)
    assert row.shapes == ((1, *shape),)
    assert row.parameters == parameters
    assert row.cost.multiply_adds == multiply_adds


def test_the_network_for_mnist_has_seven_units_of_half_a_million(mnist_summary):
    units = nn.LayerOut(strided_cnn(seed=0)).units
    assert [unit.name for unit in units] == [name for name, *_ in MNIST_LAYERS]
    assert mnist_summary.total_parameters == 491_114
    assert mnist_summary.total_multiply_adds == 16_802_944


def test_relus_stand_behind_all_layers_but_the_last():
    model = strided_cnn((4, 6), hidden=8, image_size=8, seed=0)
    assert [name for name, _ in model.named_children()] == [
        *("conv1", "activation1", "conv2", "activation2", "flatten"),
        *("dense1", "dense_activation1", "output"),
    ]
    assert sum(isinstance(part, nn.ReLU) for part in model.children()) == 3


def test_it_computes_what_pytorch_does():
    torch = pytest.importorskip("torch")
    model = strided_cnn(
        (3, 4, 5, 4, 3), hidden=7, in_channels=2, image_size=27, classes=6, seed=0
    ).to("float64")
    weights = {
        name: torch.tensor(p.numpy(), requires_grad=True)
        for name, p in model.named_parameters()
    }

    def layer(name, function, h, **options):
        return function(
            h, weights[f"{name}.weight"], weights[f"{name}.bias"], **options
        )

    functional = torch.nn.functional
    x, dy = images(3, 2, 27, 27).astype(float), images(3, 6).astype(float)
    h = torch.from_numpy(x)
    for number, stride in enumerate((1, 2, 1, 2, 1), 1):
        h = layer(f"conv{number}", functional.conv2d, h, stride=stride).relu()
    h = layer("dense1", functional.linear, h.flatten(1)).relu()
    expected = layer("output", functional.linear, h)
    logits = model(mg.tensor(x))
    np.testing.assert_allclose(logits.numpy(), expected.detach(), rtol=1e-9)
    logits.backward(mg.tensor(dy))
    expected.backward(torch.from_numpy(dy))
    for name, parameter in model.named_parameters():
        wanted = weights[name].grad.numpy()
        scale = np.abs(wanted).max()
        np.testing.assert_allclose(parameter.grad, wanted, atol=1e-9 * scale, rtol=0)


@pytest.mark.parametrize(
    ("name", "fan_in", "fan_out"),
    [("conv3", 64 * 9, 128 * 9), ("dense1", 288, 1024)],
)
def test_weights_are_glorot_normal_or_as_in_pytorch(name, fan_in, fan_out):
    glorot = strided_cnn(seed=0).state_dict()
    weight = glorot[f"{name}.weight"]
    std = math.sqrt(2 / (fan_in + fan_out))
    assert weight.std() == pytest.approx(std, rel=0.01)
    assert np.abs(weight).max() > 3.5 * std, "not uniform"
    assert not glorot[f"{name}.bias"].any()
    pytorch = strided_cnn(start="pytorch", seed=0).state_dict()
    for part, least in (("weight", 0.999), ("bias", 0.9)):
        largest = np.abs(pytorch[f"{name}.{part}"]).max()
        assert least / math.sqrt(fan_in) < largest <= 1 / math.sqrt(fan_in)


@pytest.mark.parametrize("start", ["glorot", "pytorch"])
def test_first_weights_depend_on_seed_and_name_alone(start):
    one = strided_cnn((4, 5), image_size=9, start=start, seed=1).state_dict()
    mg.manual_seed(5)
    options = {"activation": nn.Tanh, "hidden": 8, "start": start}
    same = strided_cnn((4, 5, 6), image_size=16, seed=1, **options).state_dict()
    other = strided_cnn((4, 5), image_size=9, start=start, seed=2).state_dict()
    for name in ("conv1.weight", "conv2.weight", "conv2.bias"):
        np.testing.assert_array_equal(one[name], same[name])
    assert not np.array_equal(one["conv2.weight"], other["conv2.weight"])


def test_what_strided_cnn_cannot_build_is_refused():
    with pytest.raises(ArgumentError, match=r"5 convolutions for images of 20x20.*few"):
        strided_cnn(image_size=20, seed=0)
    assert strided_cnn(image_size=21, seed=0)(mg.tensor(images(1, 1, 21, 21))).size
    with pytest.raises(ArgumentError, match="start is 'he', expected 'glorot' or"):
        strided_cnn(start="he", seed=0)


# -- the modified VGG-16 ---------------------------------------------------------------

MODIFIED = {
    "hidden": (4096, 4096),
    "dense_activation": nn.Identity,
    "batch_norm": True,
    "dense_batch_norm": False,
    "norm_bias": True,
}


@pytest.mark.parametrize(
    ("classes", "layers", "parameters"),
    [(10, 33_638_218, 33_646_666), (100, 34_006_948, 34_015_396)],
)
def test_vgg16_has_the_size_of_the_papers(unfilled, classes, layers, parameters):
    model = vgg(VGG16, **MODIFIED, classes=classes, seed=0)
    weighted = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert (len(weighted), size(weighted)) == (16, layers)
    assert len(nn.LayerOut(model).units) == 16
    assert size([model]) == parameters


def test_vgg16_takes_332_million_multiply_adds(unfilled):
    model = vgg(VGG16, **MODIFIED, seed=0).eval()
    found = mg.inspect.summary(model, (1, 3, 32, 32))
    assert found.row("flatten").shapes == ((1, 512),)
    # 3x3 convolutions of (channels, filters, side), and the dense layers.
    plan = [
        *((3, 64, 32), (64, 64, 32), (64, 128, 16), (128, 128, 16)),
        *((128, 256, 8), (256, 256, 8), (256, 256, 8)),
        *((256, 512, 4), (512, 512, 4), (512, 512, 4), *((512, 512, 2),) * 3),
    ]
    convolutions = sum(9 * c * f * side**2 for c, f, side in plan)
    dense = 512 * 4096 + 4096 * 4096 + 4096 * 10
    assert found.total_multiply_adds == convolutions + dense
    assert round(found.total_multiply_adds / 1e6) == 332


def test_its_dense_layers_have_biases_but_neither_norms_nor_activations():
    model = vgg((4, "M"), image_size=4, **MODIFIED | {"hidden": (6, 5)}, seed=0)
    assert [name for name, _ in model.named_children()] == [
        *("conv1", "norm1", "activation1", "pool1", "flatten"),
        *("dense1", "dense_activation1", "dense2", "dense_activation2", "output"),
    ]
    biases = {name for name, _ in model.named_parameters() if name.endswith("bias")}
    layers = ("conv1", "norm1", "dense1", "dense2", "output")
    assert biases == {f"{name}.bias" for name in layers}
    # Without an activation the dense layers are one affine map: f(a) + f(b) = 2 f(mid).
    head = nn.Sequential(*list(model.children())[4:])
    a, b = images(2, 3, 4, 2, 2)
    both = head(mg.tensor(a)).numpy() + head(mg.tensor(b)).numpy()
    middle = head(mg.tensor((a + b) / 2)).numpy()
    np.testing.assert_allclose(both, 2 * middle, rtol=1e-4, atol=1e-5)


def test_dense_activations_can_be_others_than_those_of_convolutions():
    options = MODIFIED | {"hidden": (5,), "dense_activation": nn.Tanh}
    model = vgg((4, "M"), image_size=4, **options, seed=0)
    kinds = {name: type(part) for name, part in model.named_children()}
    assert kinds["activation1"] is nn.ReLU
    assert kinds["dense_activation1"] is nn.Tanh

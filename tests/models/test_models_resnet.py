import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError
from minigrad.random import Streams
from models.networks.resnet import resnet

KINDS = [
    (block, shortcut)
    for block in ("basic", "bottleneck")
    for shortcut in ("pad", "average", "conv")
]


def images(*shape):
    return np.random.default_rng(0).standard_normal(shape)


def size(modules):
    return sum(one.size for part in modules for one in part.parameters(recurse=False))


@pytest.fixture
def unfilled(monkeypatch):
    """Leave weights at 0, where only sizes count: drawing them takes the time."""
    for name in ("normal_", "uniform_"):
        monkeypatch.setattr(nn.init, name, lambda weight, *_, **__: weight)


def torch_twin(torch, model, shortcut):
    """The same network in PyTorch, written with its functions, with the same state."""
    functional = torch.nn.functional

    def layer(part):
        match part:
            case nn.Conv2d():
                sizes = part.in_channels, part.out_channels, part.kernel_size
                pad = (part.kernel_size[0] - 1) // 2
                return torch.nn.Conv2d(*sizes, part.stride, pad, bias=False)
            case nn.BatchNorm2d():
                return torch.nn.BatchNorm2d(part.num_features)
            case nn.Linear():
                return torch.nn.Linear(part.in_features, part.out_features)
            case nn.ReLU():
                return torch.nn.ReLU()
            case nn.AdaptiveAvgPool2d():
                return torch.nn.AdaptiveAvgPool2d(1)
            case _:
                return torch.nn.Flatten()

    def row(parts):
        named = torch.nn.Sequential()
        for name, part in parts.named_children():
            named.add_module(name, layer(part))
        return named

    class Block(torch.nn.Module):
        def __init__(self, block):
            super().__init__()
            self.branch = row(block.branch)
            if shortcut == "conv" and block.shortcut is not None:
                self.shortcut = row(block.shortcut)

        def forward(self, x):
            y = self.branch(x)
            if shortcut == "conv":
                return functional.relu(y + getattr(self, "shortcut", lambda x: x)(x))
            if x.shape[-1] != y.shape[-1]:
                average = functional.avg_pool2d(x, 2, ceil_mode=True)
                x = x[:, :, ::2, ::2] if shortcut == "pad" else average
            rest = torch.zeros(len(y), y.shape[1] - x.shape[1], *y.shape[2:])
            return functional.relu(y + torch.cat([x, rest.to(x.dtype)], dim=1))

    twin = torch.nn.Sequential()
    twin.add_module("stem", row(model.stem))
    twin.add_module("blocks", torch.nn.Sequential(*map(Block, model.blocks)))
    twin.add_module("head", row(model.head))
    state = {name: torch.from_numpy(a) for name, a in model.state_dict().items()}
    twin.double().load_state_dict(state)
    return twin


@pytest.mark.parametrize("side", [8, 7])
@pytest.mark.parametrize(("block", "shortcut"), KINDS)
def test_it_computes_what_its_twin_in_pytorch_does(block, shortcut, side):
    torch = pytest.importorskip("torch")
    model = resnet(
        (2, 2, 1), block=block, shortcut=shortcut, widths=(3, 4, 6), classes=5, seed=0
    ).to("float64")
    twin = torch_twin(torch, model, shortcut)
    x, dy = images(4, 3, side, side), images(4, 5)
    logits, expected = model(mg.tensor(x)), twin(torch.from_numpy(x))
    np.testing.assert_allclose(logits.numpy(), expected.detach(), rtol=1e-9)
    logits.backward(mg.tensor(dy))
    expected.backward(torch.from_numpy(dy))
    theirs = dict(twin.named_parameters())
    for name, parameter in model.named_parameters():
        wanted = theirs.pop(name).grad.numpy()
        scale = np.abs(wanted).max()
        np.testing.assert_allclose(parameter.grad, wanted, atol=1e-9 * scale, rtol=0)
    assert not theirs
    statistics = dict(twin.named_buffers())
    for name, buffer in model.named_buffers():
        np.testing.assert_allclose(buffer.numpy(), statistics[name], rtol=1e-9)


# Multiply-adds of a 1x1 convolution from 16 channels to 16 at 32x32, and as well of
# one from 32 to 32 at 16x16 or from 64 to 64 at 8x8.
ONE = 16 * 16 * 32 * 32
STEM = 3 * 16 * 9 * 32 * 32
# The first convolutions of groups 2 and 3 have half the channels on one side.
BASIC = STEM + 106 * 9 * ONE + 2 * 9 * ONE // 2 + 640
# 1x1 from 64, 3x3, 1x1 to 64; the first block of group 1 has 16 and 1x1 beside it; in
# those of groups 2 and 3 the first 1x1 and that beside it run over larger maps.
BOTTLENECK = (
    STEM + 51 * 17 * ONE + (1 + 9 + 4 + 4) * ONE + 2 * (8 + 9 + 4 + 8) * ONE + 2560
)


@pytest.mark.parametrize(
    ("options", "parameters", "units", "norms", "multiply_adds"),
    [
        ({"shortcut": "pad"}, 1_727_962, 110, 8_096, BASIC),
        ({"shortcut": "average"}, 1_727_962, 110, 8_096, BASIC),
        ({"shortcut": "conv"}, 1_730_714, 112, 8_288, BASIC + ONE),
        (
            {"block": "bottleneck", "shortcut": "conv"},
            *(1_704_154, 167, 25_120, BOTTLENECK),
        ),
        (
            {"block": "bottleneck", "shortcut": "conv", "classes": 100},
            *(1_727_284, 167, 25_120, BOTTLENECK + 90 * 256),
        ),
    ],
)
def test_resnet110_has_the_size_of_the_papers(
    unfilled, options, parameters, units, norms, multiply_adds
):
    model = resnet((18, 18, 18), **options, seed=0)
    modules = list(model.modules())
    weighted = [m for m in modules if isinstance(m, nn.Conv2d | nn.Linear)]
    normalising = [m for m in modules if isinstance(m, nn.BatchNorm2d)]
    assert (len(weighted), size(weighted)) == (units, parameters - norms)
    assert size(normalising) == norms
    assert len(nn.LayerOut(model).units) == units
    found = mg.inspect.summary(model.eval(), (1, 3, 32, 32))
    assert found.total_parameters == parameters
    assert found.total_multiply_adds == multiply_adds
    assert round(multiply_adds / 1e6) in (248, 253)


def test_blocks_are_named_and_ordered_as_the_image_runs_through_them():
    model = resnet((1, 1), block="bottleneck", widths=(4, 8), shortcut="conv", seed=0)
    branch = ("conv1", "conv2", "conv3")
    assert [unit.name for unit in nn.LayerOut(model).units] == [
        "stem.conv",
        *(f"blocks.0.branch.{name}" for name in branch),
        "blocks.0.shortcut.conv",
        *(f"blocks.1.branch.{name}" for name in branch),
        "blocks.1.shortcut.conv",
        "head.output",
    ]
    assert [name for name, _ in model.blocks[1].branch.named_children()] == [
        *("conv1", "norm1", "activation1", "conv2", "norm2", "activation2"),
        *("conv3", "norm3"),
    ]
    assert [m.stride for m in model.modules() if isinstance(m, nn.Conv2d)] == [
        *((1, 1),) * 6,
        *((2, 2), (1, 1), (2, 2)),
    ]


def test_shortcuts_change_shapes_only_where_a_branch_does():
    model = resnet((2, 2), widths=(4, 8), seed=0)
    assert [block.shortcut is None for block in model.blocks] == [
        *(True, True, False, True)
    ]
    x = images(2, 4, 5, 5)
    padded = model.blocks[2].shortcut(mg.tensor(x)).numpy()
    np.testing.assert_array_equal(padded[:, :4], x[:, :, ::2, ::2])
    assert padded.shape == (2, 8, 3, 3)
    assert not padded[:, 4:].any()


def test_halving_without_more_channels_adds_none():
    model = resnet((1, 1), widths=(4, 4), shortcut="average", seed=0)
    assert [name for name, _ in model.blocks[1].shortcut.named_children()] == ["stride"]


def test_first_weights_are_he_normal_by_fan_out():
    state = resnet((1, 1, 1), widths=(16, 32, 64), in_channels=48, seed=0).state_dict()
    for name, fan_out in [
        ("stem.conv", 16 * 9),
        ("blocks.1.branch.conv1", 32 * 9),
        ("blocks.2.branch.conv2", 64 * 9),
    ]:
        weight = state[f"{name}.weight"]
        assert weight.std() == pytest.approx(np.sqrt(2 / fan_out), rel=0.05)
        assert abs(weight.mean()) < 0.1 * weight.std()
    for part in ("stem.norm", "blocks.1.branch.norm2"):
        assert (state[f"{part}.weight"] == 1).all()
        assert (state[f"{part}.bias"] == 0).all()
    assert (state["head.output.bias"] == 0).all()


def test_first_weights_depend_on_seed_and_name_alone():
    one = resnet((1, 1), widths=(4, 8), seed=1).state_dict()
    mg.manual_seed(5)
    options = {"shortcut": "conv", "survivals": (1, 0.5), "streams": Streams(3)}
    same = resnet((1, 1), widths=(4, 8), seed=1, **options).state_dict()
    other = resnet((1, 1), widths=(4, 8), seed=2).state_dict()
    for name, values in one.items():
        np.testing.assert_array_equal(values, same[name])
        if ".conv" in name:
            assert not np.array_equal(values, other[name])
    equal = resnet((2,), widths=(4,), seed=1).state_dict()
    convs = [equal[f"blocks.{n}.branch.conv1.weight"] for n in (0, 1)]
    assert not np.array_equal(*convs)


def test_survivals_go_to_their_blocks_and_draw_from_the_streams_given():
    def build():
        survivals = (1.0, 0.75, 0.5)
        return resnet(
            (2, 1), widths=(4, 8), survivals=survivals, streams=Streams(7), seed=0
        )

    one, other = build(), build()
    assert [block.survival for block in one.blocks] == [1.0, 0.75, 0.5]
    x = mg.tensor(images(2, 3, 8, 8).astype(np.float32))
    runs = [one(x).numpy() for _ in range(8)]
    for first in runs:
        np.testing.assert_array_equal(other(x).numpy(), first)
    assert len({first.tobytes() for first in runs}) > 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"block": "wide"}, "block is 'wide', expected 'basic' or 'bottleneck'"),
        ({"shortcut": "A"}, "shortcut is 'A', expected 'pad' or 'average' or 'conv'"),
        ({"blocks": ()}, r"blocks are \(\), expected at least one group"),
        ({"blocks": (1, 0, 1)}, r"blocks are \(1, 0, 1\), expected at least one group"),
        ({"widths": (4, 8)}, r"widths are \(4, 8\), expected one for each of 3 groups"),
        (
            {"widths": (8, 8, 4)},
            r"widths are \(8, 8, 4\), expected none below.*pass shortcut='conv'",
        ),
        ({"survivals": (1, 1)}, "the number of survivals is 2, expected 3, one for"),
    ],
)
def test_what_it_cannot_build_is_refused(options, message):
    with pytest.raises(ArgumentError, match=message):
        resnet(**{"blocks": (1, 1, 1), "seed": 0} | options)


def test_fewer_channels_need_a_convolution():
    model = resnet((1, 1), widths=(8, 4), shortcut="conv", seed=0)
    assert model(mg.tensor(images(2, 3, 4, 4).astype(np.float32))).shape == (2, 10)

import numpy as np
import pytest

import minigrad as mg
from minigrad import functional as F
from minigrad import nn, optim
from minigrad.errors import ArgumentError
from minigrad.random import Streams
from models.networks.wide_resnet import wide_resnet

# As the paper and its public code state them.
SIZES = {
    (28, 10, 10): 36_479_194,
    (28, 10, 100): 36_536_884,
    (16, 8, 10): 10_961_370,
    (10, 1, 10): 77_850,
}


def torch_twin(torch, depth, width, model):
    """The same network in PyTorch, written anew, with the same state."""
    count, stages = (depth - 4) // 6, ((width * base) for base in (16, 32, 64))

    def conv(channels, filters, size, stride):
        return torch.nn.Conv2d(
            *(channels, filters, size, stride), padding=size // 2, bias=False
        )

    class Block(torch.nn.Module):
        def __init__(self, channels, filters, stride):
            super().__init__()
            self.norm1 = torch.nn.BatchNorm2d(channels)
            self.conv1 = conv(channels, filters, 3, stride)
            self.norm2 = torch.nn.BatchNorm2d(filters)
            self.conv2 = conv(filters, filters, 3, 1)
            if channels != filters or stride != 1:
                self.shortcut = conv(channels, filters, 1, stride)

        def forward(self, x):
            o = torch.relu(self.norm1(x))
            y = self.conv2(torch.relu(self.norm2(self.conv1(o))))
            return y + (self.shortcut(o) if hasattr(self, "shortcut") else x)

    blocks, channels = [], 16
    for stage, filters in enumerate(stages):
        for place in range(count):
            blocks.append(Block(channels, filters, 2 if stage and not place else 1))
            channels = filters
    twin = torch.nn.Module()
    twin.stem, twin.blocks = conv(3, 16, 3, 1), torch.nn.ModuleList(blocks)
    twin.head = torch.nn.Module()
    twin.head.norm = torch.nn.BatchNorm2d(channels)
    twin.head.output = torch.nn.Linear(channels, model.head.output.out_features)
    state = {name: torch.from_numpy(a) for name, a in model.state_dict().items()}
    twin.to(state["stem.weight"].dtype).load_state_dict(state)

    def forward(x):
        x = twin.stem(x)
        for block in twin.blocks:
            x = block(x)
        return twin.head.output(torch.relu(twin.head.norm(x)).mean((2, 3)))

    return twin, forward


def difference(torch, model, twin, forward, x):
    """Largest relative difference of outputs, of gradients and of statistics."""
    labels = np.arange(len(x))
    y = model(mg.tensor(x))
    F.cross_entropy(y, mg.tensor(labels)).backward()
    their_y = forward(torch.from_numpy(x))
    torch.nn.functional.cross_entropy(their_y, torch.from_numpy(labels)).backward()
    ours = {name: p.grad.numpy() for name, p in model.named_parameters()}
    theirs = {name: p.grad.numpy() for name, p in twin.named_parameters()}
    assert set(ours) == set(theirs)
    buffers = dict(twin.named_buffers())
    pairs = [(y.numpy(), their_y.detach().numpy())]
    pairs += [(ours[name], theirs[name]) for name in ours]
    pairs += [
        (buffer.numpy(), buffers[name].numpy())
        for name, buffer in model.named_buffers()
    ]
    return max(abs(a - b).max() / (abs(b).max() or 1) for a, b in pairs)


def images(*shape, dtype="float64"):
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("sizes", SIZES)
def test_sizes_are_those_of_the_paper(sizes, monkeypatch):
    # Drawing the weights takes the time.
    monkeypatch.setattr(nn.init, "kaiming_normal_", lambda weight, **_: weight)
    depth, width, classes = sizes
    model = wide_resnet(depth, width, classes=classes, seed=0)
    assert sum(p.size for p in model.parameters()) == SIZES[sizes]
    assert len(model.blocks) == (depth - 4) // 2


@pytest.mark.parametrize(("depth", "width"), [(10, 1), (16, 2)])
def test_outputs_and_gradients_are_pytorchs(depth, width):
    torch = pytest.importorskip("torch")
    model = wide_resnet(depth, width, seed=0).to("float64")
    twin, forward = torch_twin(torch, depth, width, model)
    x = images(4, 3, 8, 8)
    assert difference(torch, model, twin, forward, x) < 1e-9


@pytest.mark.slow
def test_one_step_of_wrn_28_10_is_pytorchs():
    torch = pytest.importorskip("torch")
    model = wide_resnet(28, 10, seed=0).to("float64")
    twin, forward = torch_twin(torch, 28, 10, model)
    assert sum(p.numel() for p in twin.parameters()) == SIZES[28, 10, 10]
    assert difference(torch, model, twin, forward, images(2, 3, 32, 32)) < 1e-9
    step = {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}
    optim.SGD(model.parameters(), **step).step()
    torch.optim.SGD(twin.parameters(), **step).step()
    theirs = dict(twin.named_parameters())
    for name, parameter in model.named_parameters():
        expected = theirs[name].detach().numpy()
        np.testing.assert_allclose(parameter.numpy(), expected, atol=1e-10, rtol=0)


def test_dropout_lies_between_the_convolutions_of_a_block():
    block = wide_resnet(10, 1, dropout=0.5, streams=Streams(0), seed=0).blocks[1]
    plain = wide_resnet(10, 1, seed=0).blocks[1]
    plain.load_state_dict(block.state_dict())
    assert block.dropout.p == 0.5
    x = mg.tensor(images(2, 16, 8, 8, dtype="float32"))
    put = mg.tensor(images(2, 32, 4, 4, dtype="float32"))
    seen = []

    class InPlaceOfDropout(nn.Module):
        def forward(self, x):
            seen.append(x)
            return put

    block.dropout = InPlaceOfDropout()
    o = F.relu(plain.norm1(x))
    given, gave = F.relu(plain.norm2(plain.conv1(o))), plain.conv2(put)
    y = block(x)
    np.testing.assert_array_equal(seen[0].numpy(), given.numpy())
    np.testing.assert_array_equal(y.numpy(), (gave + plain.shortcut(o)).numpy())


def test_in_evaluation_nothing_is_dropped():
    x = mg.tensor(images(2, 3, 8, 8, dtype="float32"))
    dropping, plain = (
        wide_resnet(10, 1, dropout=p, streams=Streams(0), seed=0).eval()
        for p in (0.5, 0.0)
    )
    np.testing.assert_array_equal(dropping(x).numpy(), plain(x).numpy())
    assert (dropping.train()(x).numpy() != plain.train()(x).numpy()).any()


def test_weights_depend_on_seed_and_name_alone():
    one, same = wide_resnet(10, 1, seed=0), wide_resnet(10, 1, dropout=0.3, seed=0)
    other, deeper = wide_resnet(10, 1, seed=1), wide_resnet(16, 1, seed=0)
    a, b, c, d = (m.stem.weight.numpy() for m in (one, same, other, deeper))
    assert (a == b).all()
    assert (a == d).all()
    assert (a != c).any()


@pytest.mark.parametrize("depth", [4, 18, 27])
def test_other_depths_are_refused(depth):
    with pytest.raises(ArgumentError, match=f"depth is {depth}, expected 6n"):
        wide_resnet(depth, 1, seed=0)
    with pytest.raises(ArgumentError, match="width is 0"):
        wide_resnet(10, 0, seed=0)

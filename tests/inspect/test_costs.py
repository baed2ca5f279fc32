"""Operations of kernel calls: known numbers, numbers by hand, PyTorch's counter."""

import math

import numpy as np
import pytest

from minigrad import functional as F
from minigrad import nn
from minigrad.inspect.model_summary.costs import RULES, Cost, cost
from minigrad.kernels import KERNELS
from minigrad.kernels._spec import NOTHING, Kernel
from minigrad.tape import modes, tensor

BY_NAME = {kernel.name: kernel for kernel in KERNELS}


def shaped(*shape):
    """An array of a shape that takes no memory."""
    return np.broadcast_to(np.float32(0), shape)


class Counter:
    """A tracer that adds up the costs of all calls."""

    def __init__(self):
        self.total = Cost(0, 0)

    def ran(self, kernel, inputs, arrays, y, node):
        found = cost(kernel, arrays, y)
        self.total = Cost(*(sum(pair) for pair in zip(self.total, found, strict=True)))

    def returned(self, module, y):
        pass


def counted(compute):
    counter = Counter()
    with modes.traced(counter):
        compute()
    return counter.total


def array(*shape):
    return tensor(np.random.default_rng(0).normal(size=shape).astype("float32"))


def test_every_kernel_has_a_rule_and_no_rule_is_left_over():
    assert set(RULES) == set(BY_NAME)


def test_vgg16_has_its_known_multiply_adds():
    """15,470,264,320 for one image of 224x224; Simonyan & Zisserman's network D."""
    total, size, before = 0, 224, 3
    plan = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", *(512, 512, 512, "M") * 2)
    for part in plan:
        if part == "M":
            size //= 2
            continue
        arrays = shaped(1, before, size, size), shaped(part, before, 3, 3), shaped(part)
        y = shaped(1, part, size, size)
        total += cost(BY_NAME["conv2d"], arrays, y).multiply_adds
        before = part
    for inputs, outputs in ((512 * 7 * 7, 4096), (4096, 4096), (4096, 1000)):
        arrays = shaped(1, inputs), shaped(outputs, inputs), shaped(outputs)
        total += cost(BY_NAME["linear"], arrays, shaped(1, outputs)).multiply_adds
    assert total == 15_470_264_320


@pytest.mark.parametrize(
    ("compute", "want"),
    [
        # x (2, 3) times w' (3, 5), and 5 biases each.
        (lambda: F.linear(array(2, 3), array(5, 3), array(5)), Cost(30, 10)),
        (lambda: F.linear(array(2, 3), array(5, 3)), Cost(30, 0)),
        (lambda: array(4, 2, 3) @ array(3, 5), Cost(4 * 2 * 3 * 5, 0)),
        (lambda: array(3) @ array(3), Cost(3, 0)),
        # Padding counts: 8 x 8 places, each 3 channels by 3 x 3.
        (
            lambda: F.conv2d(array(1, 3, 8, 8), array(4, 3, 3, 3), padding=1),
            Cost(4 * 64 * 27, 0),
        ),
        # Each filter of a group sees 2 of 4 channels.
        (
            lambda: F.conv1d(array(1, 4, 5), array(6, 2, 3), array(6), groups=2),
            Cost(6 * 3 * 2 * 3, 18),
        ),
        (
            lambda: F.conv_transpose1d(array(1, 4, 5), array(4, 3, 2), stride=2),
            Cost(4 * 5 * 3 * 2, 0),
        ),
        (lambda: array(2, 3) + array(3), Cost(0, 6)),
        (lambda: array(2, 3).tanh(), Cost(0, 6)),
        (lambda: array(2, 3).sum(), Cost(0, 6)),
        (lambda: array(2, 3).reshape(6), Cost(0, 0)),
        (lambda: F.max_pool2d(array(1, 1, 4, 4), 2), Cost(0, 16)),
        (lambda: F.softmax(array(2, 3)), Cost(0, 30)),
    ],
)
def test_costs_are_those_counted_by_hand(compute, want):
    assert counted(compute) == want


@pytest.mark.parametrize(("layer", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
def test_recurrent_layers_multiply_at_every_step_of_every_sequence(layer, gates):
    steps, batch, inputs, hidden = 5, 2, 3, 4
    found = counted(lambda: layer(inputs, hidden)(array(steps, batch, inputs)))
    assert found.multiply_adds == steps * batch * gates * hidden * (inputs + hidden)
    assert found.other > 0


def test_attention_is_two_products_and_a_softmax():
    lead, queries, keys, width, values = 6, 5, 7, 4, 3
    q, k, v = (
        array(2, 3, queries, width),
        array(2, 3, keys, width),
        array(2, 3, keys, 3),
    )
    found = counted(lambda: F.scaled_dot_product_attention(q, k, v))
    scores = lead * queries * keys
    assert found == Cost(scores * (width + values), 7 * scores)


def test_a_kernel_that_is_not_known_counts_its_elements():
    own = Kernel("own", lambda x: (x, NOTHING), {"x": None})
    assert cost(own, [shaped(2, 3)], shaped(4, 5)) == Cost(0, 20)


def test_a_multiply_add_is_two_flops():
    assert Cost(10, 3).flops == 23


def small_networks():
    rng = np.random.default_rng(0)
    return [
        (
            "cnn",
            lambda nn: nn.Sequential(
                nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                nn.Conv2d(8, 12, 3, stride=2, groups=4), nn.Tanh(), nn.Flatten(),
                nn.Linear(12 * 9, 10),
            ),
            rng.normal(size=(2, 3, 16, 16)),
        ),
        (
            "mlp",
            lambda nn: nn.Sequential(nn.Linear(7, 5), nn.Sigmoid(), nn.Linear(5, 3)),
            rng.normal(size=(4, 6, 7)),
        ),
        (
            "upwards",
            lambda nn: nn.Sequential(
                nn.ConvTranspose2d(4, 6, 3, stride=2), nn.ReLU(), nn.Conv2d(6, 2, 1)
            ),
            rng.normal(size=(2, 4, 5, 5)),
        ),
        (
            "dilated",
            lambda nn: nn.Sequential(
                nn.Conv1d(3, 4, 3, dilation=2), nn.ConvTranspose1d(4, 2, 4, padding=1)
            ),
            rng.normal(size=(2, 3, 20)),
        ),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("build", "x"),
    [pytest.param(*rest, id=name) for name, *rest in small_networks()],
)
def test_products_are_those_of_pytorchs_counter(build, x):
    torch = pytest.importorskip("torch")
    flop_counter = pytest.importorskip("torch.utils.flop_counter")
    x = x.astype("float32")
    counter = flop_counter.FlopCounterMode(display=False)
    with counter:
        build(torch.nn)(torch.from_numpy(x))
    found = counted(lambda: build(nn)(tensor(x)))
    assert 2 * found.multiply_adds == counter.get_total_flops()
    assert found.flops > 2 * found.multiply_adds


def test_resnet18_has_its_known_multiply_adds():
    """1,814,073,344 for one image of 224x224 (He et al. 2015, table 1: 1.8e9)."""

    def conv(size, inputs, outputs, kernel):
        arrays = shaped(1, inputs, 1, 1), shaped(outputs, inputs, kernel, kernel)
        y = shaped(1, outputs, size, size)
        return cost(BY_NAME["conv2d_no_bias"], arrays, y).multiply_adds

    total, before = conv(112, 3, 64, 7), 64
    for width, size in ((64, 56), (128, 28), (256, 14), (512, 7)):
        total += conv(size, before, width, 3) + 3 * conv(size, width, width, 3)
        if before != width:
            total += conv(size, before, width, 1)
        before = width
    total += math.prod((512, 1000))
    assert total == 1_814_073_344

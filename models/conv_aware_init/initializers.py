"""The initializations that are compared, and starting a network from one of them.

Every arm has the same network, so that only the first weights differ:

| parameters | start |
| --- | --- |
| convolutions | the initializer's `conv` |
| dense layers; each gate of a recurrent layer, of x and of h | its `dense` |
| embeddings | uniform in +-0.05 |
| biases | 0; of an LSTM's forget gate 1 |
| batch norm | scale 1, shift 0 |

Convolution-aware initialization is one of convolutions: elsewhere the paper has He's
normal numbers for images, and orthogonal matrices for text.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from math import sqrt
from types import MappingProxyType
from typing import Any

from numpy.random import Generator

from minigrad import nn
from minigrad.nn import init
from minigrad.random import generator
from minigrad.tape import Parameter, Tensor
from models.networks.text import EMBEDDING_BOUND

Fill = Callable[..., Any]
"""(tensor, rng=Generator) -> None: fills a weight (out, in, ...)."""
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
RECURRENT = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
"""Beginnings of the names of a recurrent layer's parameters."""


@dataclass(frozen=True)
class Initializer:
    """An initialization, as a table calls it.

    Attributes:
        label: in tables.
        conv: fills the weights of convolutions.
        dense: fills those of dense layers, and of each gate of a recurrent layer.
    """

    label: str
    conv: Fill
    dense: Fill


def _everywhere(label: str, fill: Fill) -> Initializer:
    return Initializer(label, fill, fill)


def _orthogonal(gain: float, words: str) -> Initializer:
    fill = partial(init.orthogonal_, gain=gain)
    return _everywhere(f"orthogonal, scale {words}", fill)


_he = partial(init.kaiming_normal_, nonlinearity="relu")
_he_uniform = partial(init.kaiming_uniform_, nonlinearity="relu")

INITIALIZERS: Mapping[str, Initializer] = MappingProxyType(
    {
        "cai": Initializer("CAI", init.convolution_aware_, _he),
        "cai_orthogonal": Initializer(
            "CAI, else orthogonal", init.convolution_aware_, init.orthogonal_
        ),
        "he_normal": _everywhere("He normal", _he),
        "he_uniform": _everywhere("He uniform", _he_uniform),
        "glorot_normal": _everywhere("Glorot normal", init.xavier_normal_),
        "glorot_uniform": _everywhere("Glorot uniform", init.xavier_uniform_),
        "lecun_normal": _everywhere("LeCun normal", init.lecun_normal_),
        "lecun_uniform": _everywhere("LeCun uniform", init.lecun_uniform_),
        "orthogonal": _orthogonal(1.0, "1"),
        "orthogonal_11": _orthogonal(1.1, "1.1"),
        "orthogonal_sqrt2": _orthogonal(sqrt(2), "sqrt 2"),
        "orthogonal_03": _orthogonal(0.3, "0.3"),
        "orthogonal_02": _orthogonal(0.2, "0.2"),
        "delta_orthogonal": Initializer(
            "delta-orthogonal", init.delta_orthogonal_, init.orthogonal_
        ),
        "uniform_005": _everywhere(
            "uniform, +-0.05", partial(init.uniform_, a=-0.05, b=0.05)
        ),
        "normal_03": _everywhere("normal, std 0.3", partial(init.normal_, std=0.3)),
        "normal_02": _everywhere("normal, std 0.2", partial(init.normal_, std=0.2)),
    }
)


def start(model: nn.Module, initializer: Initializer, seed: int) -> None:
    """Give all parameters of model the start of an initializer; see the module.

    What is drawn depends on seed, the name of the parameter and its shape alone.
    """
    for path, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            full = f"{path}.{name}" if path else name
            _start(module, name, parameter, initializer, generator(seed, full))


def _start(
    module: nn.Module,
    name: str,
    parameter: Parameter,
    initializer: Initializer,
    rng: Generator,
) -> None:
    if name.startswith(RECURRENT):
        _start_recurrent(module, name, parameter, initializer.dense, rng)
    elif parameter.ndim == 1:
        # Of a batch norm the scale; else a bias or a shift.
        init.constant_(parameter, float(name == "weight"))
    elif isinstance(module, nn.Embedding):
        init.uniform_(parameter, -EMBEDDING_BOUND, EMBEDDING_BOUND, rng=rng)
    elif isinstance(module, CONVOLUTIONS):
        initializer.conv(parameter, rng=rng)
    else:
        initializer.dense(parameter, rng=rng)


def _start_recurrent(
    module: nn.Module, name: str, parameter: Parameter, dense: Fill, rng: Generator
) -> None:
    """Fill a weight gate by gate, (H, I) or (H, H) each; a bias with 0 or 1."""
    gates = list(_gates(parameter, parameter.shape[0] // _units(module)))
    for place, gate in enumerate(gates):
        if parameter.ndim > 1:
            dense(gate, rng=rng)
        else:
            # PyTorch's order of four gates: input, forget, cell, output.
            forgets = len(gates) == 4 and place == 1 and name.startswith("bias_ih")
            init.constant_(gate, float(forgets))


def _units(module: Any) -> int:
    return module.hidden_size


def _gates(parameter: Parameter, count: int) -> Iterator[Tensor]:
    """Views of the rows of each gate."""
    rows = parameter.shape[0] // count
    for gate in range(count):
        yield Tensor(parameter.data[gate * rows : (gate + 1) * rows])

"""What the MNIST experiments compare: ways to send gradient through a sign."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from minigrad import nn

Activations = Callable[[int], list[nn.Module]]
"""Number of hidden layers -> what stands behind each of them."""


def every(make: Callable[[], nn.Module]) -> Activations:
    """Put the same behind all hidden layers."""
    return lambda count: [make() for _ in range(count)]


def _signs(adapter: str) -> Activations:
    return every(lambda: nn.Sign(adapter))


def _first_sign(adapter: str) -> Activations:
    """DTP's network: a sign behind layer1, tanh behind the others."""
    return lambda count: [nn.Sign(adapter), *(nn.Tanh() for _ in range(count - 1))]


@dataclass(frozen=True)
class Arm:
    """One way to build the network.

    Attributes:
        label: how tables call it.
        activations: what stands behind the hidden layers.
    """

    label: str
    activations: Activations


ARMS: Mapping[str, Arm] = {
    "ste": Arm("STE", _signs("identity")),
    "sste": Arm("SSTE", _signs("hardtanh")),
    "bpga": Arm("BPGA tanh", _signs("tanh")),
    "ste_one": Arm("STE, one sign", _first_sign("identity")),
    "bpga_one": Arm("BPGA tanh, one sign", _first_sign("tanh")),
    # What trains otherwise, or not at all: see models.gradient_adapter.table1.
    "dtp": Arm("DTP", _first_sign("tanh")),
    "frozen": Arm("hidden layers frozen", _first_sign("tanh")),
    "frozen1": Arm("layer1 frozen", _first_sign("tanh")),
    # Adapters in the place of sign, section 4.1.
    "identity": Arm("I", every(nn.Identity)),
    "hardtanh": Arm("Htanh", every(nn.Hardtanh)),
    "tanh": Arm("tanh", every(nn.Tanh)),
}

LABELS: Mapping[str, str] = {name: arm.label for name, arm in ARMS.items()}

"""The starts that cai.propagation compares: all initializations, and LSUV."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from models.conv_aware_init.initializers import INITIALIZERS, Initializer

LSUV = "lsuv"


@dataclass(frozen=True)
class Start:
    """A start of the network.

    Attributes:
        label: in tables.
        initializer: None for LSUV, which needs images.
    """

    label: str
    initializer: Initializer | None


# The network has no dense layers: what differs in them alone would be there twice.
SAME = ("cai_orthogonal",)
ARMS: Mapping[str, Start] = MappingProxyType(
    {
        **{
            arm: Start(made.label, made)
            for arm, made in INITIALIZERS.items()
            if arm not in SAME
        },
        LSUV: Start("LSUV", None),
    }
)
SHOWN = (
    "cai",
    "he_normal",
    "orthogonal_sqrt2",
    "delta_orthogonal",
    "glorot_normal",
    "orthogonal",
    "uniform_005",
    LSUV,
)
"""Those that the figure has."""

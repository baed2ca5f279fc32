"""What cai.bounds compares, and the kernels that it is measured at."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Arm:
    """A way to draw kernels.

    Attributes:
        label: in tables.
        options: of nn.init.convolution_aware_; None if kernels have no rows, and are
            those of models.conv_aware_init.initializers under the arm's name.
    """

    label: str
    options: Mapping[str, Any] | None = field(default_factory=dict[str, Any])

    @property
    def has_rows(self) -> bool:
        """Whether kernels come of orthonormal rows that are real half spectra."""
        return self.options is not None and "spectrum" not in self.options


def _cai(label: str, **options: Any) -> Arm:
    return Arm(f"CAI, {label}", options)


ARMS: Mapping[str, Arm] = MappingProxyType(
    {
        "cai": Arm("CAI"),
        "eigh": _cai("eigenvectors", method="eigh"),
        "spd": _cai("definite", method="spd"),
        "qr": _cai("QR", method="qr"),
        "own_svd": _cai("own signs", random_sign=False),
        "own_eigh": _cai("eigenvectors, own signs", method="eigh", random_sign=False),
        "own_spd": _cai("definite, own signs", method="spd", random_sign=False),
        "complex": _cai("whole spectra", spectrum="complex"),
        "he_normal": Arm("He normal", None),
        "orthogonal": Arm("orthogonal", None),
    }
)
ROWS = tuple(name for name, arm in ARMS.items() if arm.has_rows)
RANDOM = ("cai", "eigh", "spd", "qr")
"""Arms whose rows have random signs, or need none."""
OWN = ("own_svd", "own_eigh", "own_spd")
"""Arms whose rows have the signs that LAPACK gives them, as in the paper's code."""

SIZES: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "2": (2,),
        "3": (3,),
        "5": (5,),
        "7": (7,),
        "2x2": (2, 2),
        "3x3": (3, 3),
        "4x4": (4, 4),
        "5x5": (5, 5),
        "7x7": (7, 7),
        "3x3x3": (3, 3, 3),
    }
)
ONE = [name for name, size in SIZES.items() if len(size) == 1]
"""Kernels of one axis."""


def dimension(size: tuple[int, ...]) -> int:
    """D: how many frequencies the half spectrum of a kernel has."""
    return math.prod(size[:-1]) * (size[-1] // 2 + 1)

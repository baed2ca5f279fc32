"""What the paper lets one expect of estimators in deep networks of signs."""

from typing import Any

from models.experiments.claims import Claim, Ordered, Quantity
from models.gradient_adapter.arms import LABELS
from models.gradient_adapter.common import DECISIVE

KINDS = ("ste", "sste", "bpga", "tanh")
"""Ways to send gradient through a sign; and, last, networks of tanh, without a sign."""
DEPTHS = (2, 4, 6, 8)
"""Numbers of hidden layers."""
SSTE_OVER_STE = 0.06
"""Points of accuracy in Table 1; a smaller lead counts against a claim."""
BPGA_OVER_STE, BPGA_OVER_SSTE = 0.31, 0.25


def name_of(kind: str, depth: int) -> str:
    """Arm of a kind of network with so many hidden layers."""
    return f"{kind}{depth}"


def accuracy(kind: str, depth: int, metric: str = "best_test_accuracy") -> Quantity:
    """Highest test accuracy over all epochs, in %, as in Table 1."""
    return Quantity(name_of(kind, depth), metric, f"{LABELS[kind]}, {depth} layers")


def loss_of_depth(kind: str) -> Quantity:
    """Points of accuracy that the shallowest networks have and the deepest lack."""
    shallow, deep = name_of(kind, DEPTHS[0]), name_of(kind, DEPTHS[-1])
    label = f"loss of {LABELS[kind]}"
    return Quantity(shallow, "best_test_accuracy", label, minus=deep)


def _above(better: str, worse: str, effect: float) -> Ordered:
    pairs = tuple((accuracy(worse, n), accuracy(better, n)) for n in DEPTHS)
    return Ordered(pairs, (effect,) * len(DEPTHS))


def _lead(better: str, worse: str) -> Quantity:
    deepest = DEPTHS[-1]
    return Quantity(
        name_of(better, deepest),
        "best_test_accuracy",
        f"{LABELS[better]} minus {LABELS[worse]}, {deepest} layers",
        minus=name_of(worse, deepest),
    )


_BEYOND = "beyond the paper"
_HIDDEN = (
    "beyond the paper; section 3.3: `correctly retrieves the sign when considering a "
    "single layer. However, this condition is not guaranteed when backpropagating "
    "through hidden layers`"
)
_SATURATED = "beyond the paper; section 3.3: `more suitable` than the identity"
_LISTED = f"{', '.join(map(str, DEPTHS[:-1]))} and {DEPTHS[-1]} hidden layers"
_LOST = f"from {DEPTHS[0]} to {DEPTHS[-1]} hidden layers"


def _claim(name: str, source: str, relation: Any, published: str = "-") -> Claim:
    return Claim(name, published, source, relation, **DECISIVE)


CLAIMS = (
    _claim(
        f"STE loses accuracy {_LOST} (points)",
        _HIDDEN,
        Ordered(((0.0, loss_of_depth("ste")),), (0.0,)),
    ),
    _claim(
        f"SSTE is more accurate than STE with {_LISTED} (%)",
        _SATURATED,
        _above("sste", "ste", SSTE_OVER_STE),
        "98.35 > 98.29, 2 layers",
    ),
    _claim(
        f"BPGA is more accurate than STE with {_LISTED} (%)",
        _SATURATED,
        _above("bpga", "ste", BPGA_OVER_STE),
        "98.60 > 98.29, 2 layers",
    ),
    _claim(
        f"BPGA is more accurate than SSTE with {_LISTED} (%)",
        _BEYOND,
        _above("bpga", "sste", BPGA_OVER_SSTE),
        "98.60 > 98.35, 2 layers",
    ),
    _claim(
        f"with {DEPTHS[-1]} hidden layers BPGA is at least as accurate as SSTE (lead "
        f"in points, above -{BPGA_OVER_SSTE})",
        _BEYOND,
        Ordered(((-BPGA_OVER_SSTE, _lead("bpga", "sste")),), (0.0,)),
    ),
    _claim(
        f"{_LOST} BPGA loses less accuracy than STE (points)",
        _HIDDEN,
        Ordered(((loss_of_depth("bpga"), loss_of_depth("ste")),), (0.0,)),
    ),
    _claim(
        f"control: {_LOST} networks of tanh, without a sign, lose less accuracy than "
        "STE (points)",
        _BEYOND,
        Ordered(((loss_of_depth("tanh"), loss_of_depth("ste")),), (0.0,)),
    ),
)

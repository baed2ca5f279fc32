"""What sections 3 to 5 state of the shape s(x) and of K, and what decides it."""

from models.experiments.claims import Claim, Near, Ordered, Quantity
from models.gaaf.arms import LABELS
from models.gaaf.common import DECISIVE

GAIN = 0.12
"""Points that Table 4 has GAAF above the base; a smaller difference of accuracies
counts against a claim."""
SAME = 0.1
"""Points within which accuracies count as the same: less than that gain."""
FURTHER = 1.0
"""Percent of nets; a smaller shift counts against a claim."""


def accuracy(arm: str, minus: str | None = None) -> Quantity:
    """Test accuracy in %, or points above that of another arm."""
    return Quantity(arm, "test_accuracy", LABELS[arm], minus=minus)


def saturated(arm: str, where: str = "all") -> Quantity:
    """Percent of the nets with |z| > 2, of a layer or of all hidden layers."""
    return Quantity(arm, f"saturated.{where}", LABELS[arm])


def _more_accurate(name: str, source: str, less: str, more: str) -> Claim:
    return Claim(
        f"{name} (%)",
        "98.23 < 98.35 %" if (less, more) == ("base", "gaaf") else "-",
        source,
        Ordered(((accuracy(less), accuracy(more)),), (GAIN,)),
        **DECISIVE,
    )


def _as_accurate(name: str, source: str, arm: str) -> Claim:
    return Claim(
        f"{name} (within {SAME} points)",
        "-",
        source,
        Near(accuracy(arm), accuracy("gaaf"), SAME),
        **DECISIVE,
    )


def _more_saturated(name: str, source: str, less: str, more: str) -> Claim:
    return Claim(
        f"{name} (% of hidden nets with |z| > 2)",
        "-",
        source,
        Ordered(((saturated(less), saturated(more)),), (FURTHER,)),
        form=".1f",
        **DECISIVE,
    )


_FUTURE = "section 5.1, future work: `further towards saturation areas`"
_CONTROL = "beyond the paper"

CLAIMS = (
    _more_accurate("GAAF is more accurate than the base", "Table 4", "base", "gaaf"),
    _more_accurate(
        "without a shape (s = 1) GAAF is less accurate",
        "section 4: s `needs to be defined properly`",
        "one",
        "gaaf",
    ),
    _more_saturated(
        "a wider shape pushes the nets further into saturation", _FUTURE, "gaaf", "wide"
    ),
    _more_saturated(
        "control: a narrower shape pushes them less far", _CONTROL, "narrow", "gaaf"
    ),
    _more_accurate(
        "the wider shape, whose nets are to be more saturated, is more accurate",
        "section 3.2: saturation is `critical to have better generalization`",
        "gaaf",
        "wide",
    ),
    _as_accurate("control: K = 100 is as accurate as K = 10,000", _CONTROL, "k100"),
    _as_accurate(
        "control: K = 10^8, a sawtooth that float32 cannot see, is as accurate as "
        "K = 10,000",
        _CONTROL,
        "k1e8",
    ),
    _as_accurate(
        "control: K = 10, a sawtooth 0.05 high, is as accurate as K = 10,000",
        _CONTROL,
        "k10",
    ),
    _more_accurate(
        "acceleration where tanh saturates, and little elsewhere, is more accurate "
        "than the base",
        "sections 1, 3.2, 4: gradients added `where dropout generates gradients`",
        "base",
        "saturated",
    ),
    _as_accurate(
        "control: acceleration where tanh saturates is as accurate as GAAF's",
        _CONTROL,
        "saturated",
    ),
    _more_accurate(
        "control: GAAF is more accurate than the base with a doubled rate",
        _CONTROL,
        "rate2",
        "gaaf",
    ),
    _more_accurate(
        "control: GAAF is more accurate than the base with rates x 8, 4, 2, 1",
        _CONTROL,
        "rate842",
        "gaaf",
    ),
)

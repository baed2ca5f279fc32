"""What section 4 states of g, s and phi_new, and what decides it."""

from typing import Any

from models.experiments.claims import Claim, Near, Ordered, Quantity
from models.gaaf.measures.sawtooth import TEETH

NAMES = {"tanh": "tanh", "relu": "ReLU", "sigmoid": "sigmoid"}
LARGEST = 1e4
"""Of |x|, at random points."""


def of(arm: str, metric: str, label: str = "") -> Quantity:
    """A number of an activation; see models.gaaf.fig4.train."""
    return Quantity(arm, metric, label or NAMES[arm])


def _each(metric: str, label: str = "") -> tuple[Quantity, ...]:
    return tuple(of(arm, metric, f"{name}{label}") for arm, name in NAMES.items())


def _below(bound: float, *quantities: Quantity) -> Ordered:
    return Ordered(tuple((q, bound) for q in quantities), (0.0,) * len(quantities))


def _rises(smaller: str, larger: str, labels: tuple[str, str]) -> Ordered:
    pairs: Any = zip(_each(smaller, labels[0]), _each(larger, labels[1]), strict=True)
    return Ordered(tuple(pairs), (0.0,) * len(NAMES))


def _changes_everywhere(dtype: str) -> Ordered:
    where = of("tanh", f"{dtype}.changes_until", "changes up to |x| =")
    return Ordered(((LARGEST, where),), (0.0,))


CLAIMS = (
    Claim(
        "g is almost zero: |g| < 1 / K (greatest |g| K)",
        "< 1 / K; sharp is 0.5 / K",
        "below eq. 7",
        _below(
            1.0,
            of("tanh", "float64.sawtooth", "in float64"),
            of("tanh", "float32.sawtooth", "in float32"),
        ),
        form=".4f",
    ),
    Claim(
        "the gradient of g is 1 almost everywhere, regardless of x: by differences "
        "between the jumps, |x| up to 10^4 (greatest |slope - 1|, within 1e-6)",
        "1",
        "below eq. 7",
        Near(of("tanh", "slope_error", "|slope - 1|"), 0.0, 1e-6),
        form=".1e",
    ),
    Claim(
        "phi and phi_new differ by less than 1 / K (greatest difference x K)",
        "< 1 / K, `negligible`",
        "section 4, below eq. 7",
        _below(
            1.0,
            *_each("float64.difference", " in float64"),
            *_each("float32.difference", " in float32"),
        ),
        form=".4f",
    ),
    Claim(
        "GAAF adds gradient where phi saturates, phi' < 0.1 (mean slope)",
        "in words: `directly adds gradients even in the saturation areas`",
        "section 1; eqs. 7, 8",
        _rises("saturated.plain", "saturated.accelerated", (" phi", " phi_new")),
        form=".3f",
    ),
    Claim(
        "s takes the acceleration off the leftmost and rightmost areas (mean s at "
        "|x| > 12, of ReLU at x < -12, against |x| < 1)",
        "in words: `we also decrease the gradient acceleration on those areas`",
        "section 4, above eq. 8; Fig. 5",
        _rises("acceleration.far", "acceleration.near", (" far", " near")),
        form=".2g",
    ),
    Claim(
        "control: |phi_new - phi| <= s / 2K, half of what the paper says (greatest "
        "excess, in units of the last place, < 1)",
        "not in the paper; follows from eqs. 7, 8",
        "control of eq. 8",
        _below(
            1.0,
            *_each("float64.beyond_bound", " in float64"),
            *_each("float32.beyond_bound", " in float32"),
        ),
        form=".2f",
    ),
    Claim(
        f"control: over {2 * TEETH} whole teeth the mean slope of phi_new is phi', not "
        "phi' + s: steps of training do not see g (greatest difference < 1e-4)",
        "not in the paper; the mean slope of g is 0",
        "control of eq. 7",
        _below(
            1e-4,
            *_each("mean_slope_error"),
            of("tanh", "mean_slope_sawtooth", "mean slope of g"),
        ),
        form=".1e",
    ),
    Claim(
        "control: phi', s and g s' add up to the gradient (greatest relative error, in "
        "roundings, < 4)",
        "not in the paper; product rule of eq. 8",
        "control of eq. 8",
        _below(
            4.0,
            *_each("float64.sum_error", " in float64"),
            *_each("float32.sum_error", " in float32"),
        ),
        form=".1f",
    ),
    Claim(
        "control: the term g s', of which the paper does not speak, is negligible for "
        "|x| < 5 (share of all terms < 1e-4)",
        "not in the paper; of size 1 / K",
        "control of eq. 8",
        _below(1e-4, *_each("shares.shape")),
        form=".1e",
    ),
    Claim(
        "control: in float64, g changes at every |x| up to 10^4",
        "in words: `regardless of the input value x`",
        "control of eq. 7",
        _changes_everywhere("float64"),
        form=".0f",
    ),
    Claim(
        "control: in float32, too, g changes at every |x| up to 10^4",
        "in words: `regardless of the input value x`",
        "control of eq. 7",
        _changes_everywhere("float32"),
        form=".1f",
    ),
)

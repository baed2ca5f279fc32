"""Figs. 3, 4: what sections 3.2 and 3.3 state about adapters, and controls."""

from models.experiments.claims import Claim, Ordered, Quantity
from models.gradient_adapter.arms import LABELS

MAIN = ("identity", "hardtanh", "tanh")
NAMES = {
    **{arm: LABELS[arm] for arm in MAIN},
    "ramp": "ramp",
    "lecun_tanh": "LeCun's tanh",
    "sigmoid": "sigmoid(2x) - 1/2",
    "arctan": "arctan",
    "softsign": "softsign",
}
LARGEST = 1e4
"""Of |x|, at random points."""
NEAR_ZERO = 0.1
"""Nets with |z| below this are near 0."""
YES = 0.5
"""Between no, 0, and yes, 1."""
NONE = 1e-9
"""Percent: less than one of all points."""
DTYPES = ("float64", "float32")


def of(arm: str, metric: str, label: str = "") -> Quantity:
    """A number of an adapter; see models.gradient_adapter.fig3.train."""
    return Quantity(arm, metric, f"{NAMES[arm]}{label and ', '}{label}")


def _below(bound: float, *quantities: Quantity) -> Ordered:
    return Ordered(tuple((q, bound) for q in quantities), (0.0,) * len(quantities))


def _above(bound: float, *quantities: Quantity) -> Ordered:
    return Ordered(tuple((bound, q) for q in quantities), (0.0,) * len(quantities))


def _both(arm: str, metric: str) -> tuple[Quantity, ...]:
    return tuple(of(arm, f"{dtype}.{metric}", dtype) for dtype in DTYPES)


def _meets(*arms: str) -> tuple[Quantity, ...]:
    both = (("keeps_sign", "3.1"), ("saturates", "3.2"))
    return tuple(of(arm, metric, label) for arm in arms for metric, label in both)


CLAIMS = (
    Claim(
        "an adapter does not change what a sign gives (points, +-0, +-1 and +-2 "
        "included, where F.sign differs from numpy.sign)",
        "in words: `the neural network remains unchanged`",
        "Proposition 3.1",
        _below(0.5, *(q for arm in NAMES for q in _both(arm, "wrong_signs"))),
        form=".0f",
    ),
    Claim(
        "backward takes sign as I, and g as what it is (greatest difference between "
        "the gradient of ones and differences of g, kinks left out, < 1e-6)",
        "grad J(h) (sign o g)' ~ grad J(h) g'",
        "section 3.1",
        _below(1e-6, *(q for arm in NAMES for q in _both(arm, "slope_error"))),
        form=".0e",
    ),
    Claim(
        "Htanh(x) = sign(x) for all |x| >= 1 (greatest difference)",
        "`Htanh(x) = sign(x), for all |x| >= 1`",
        "section 3.3, eq. 7",
        _below(1e-12, *_both("hardtanh", "off_sign_beyond_1")),
        form=".0e",
    ),
    Claim(
        "Htanh' is 1 for |x| <= 1 and 0 beyond (greatest difference)",
        "1 for |x| <= 1, 0 for |x| > 1",
        "section 3.2, Fig. 3",
        _below(1e-12, *_both("hardtanh", "off_indicator")),
        form=".0e",
    ),
    Claim(
        "STE is BPGA with I (greatest difference between its gradient and dy)",
        "`the STE is a special case of BPGA`",
        "section 3.2",
        _below(1e-12, *_both("identity", "off_ste")),
        form=".0e",
    ),
    Claim(
        "SSTE is BPGA with Htanh (greatest difference between its gradient and dy "
        "(|x| <= 1))",
        "`the SSTE is a special case of BPGA`",
        "section 3.2",
        _below(1e-12, *_both("hardtanh", "off_sste")),
        form=".0e",
    ),
    Claim(
        "I meets Proposition 3.1 but not 3.2 (1: met, 0: not)",
        "`it meets Proposition 3.1 but not Proposition 3.2`",
        "section 3.3, eq. 6",
        Ordered(
            (
                (YES, of("identity", "keeps_sign", "3.1")),
                (of("identity", "saturates", "3.2"), YES),
            ),
            (0.0, 0.0),
        ),
        form=".0f",
    ),
    Claim(
        "Htanh and tanh meet both Propositions (1: met, 0: not)",
        "`it meets Proposition 3.2`, of both",
        "section 3.3, eqs. 7, 8",
        _above(YES, *_meets("hardtanh", "tanh")),
        form=".0f",
    ),
    Claim(
        "Htanh is bounded, and tanh too: |g| tends to 1 (distance from 1)",
        "`bounded and saturated`, `asymptotically equal to the sign function`",
        "section 3.3, eqs. 7, 8",
        _below(1e-6, of("hardtanh", "limit_gap"), of("tanh", "limit_gap")),
        form=".0e",
    ),
    Claim(
        "Htanh disables units, tanh none (share of N(0, 1) nets with slope 0, %)",
        "`thus disabling these units`; `no dead units`",
        "section 3.3",
        Ordered(
            (
                *((NONE, q) for q in _both("hardtanh", "dead")),
                *((q, NONE) for q in _both("tanh", "dead")),
            ),
            (0.0,) * 4,
        ),
        form=".1f",
    ),
    Claim(
        "Htanh' is not smooth, tanh' is (greatest change of slope over steps of "
        "0.001: above 0.5, below 0.01)",
        "`its derivative is not smooth`; `it is a smooth function`",
        "section 3.3, Fig. 3",
        Ordered(
            ((0.5, of("hardtanh", "slope_jump")), (of("tanh", "slope_jump"), 0.01)),
            (0.0, 0.0),
        ),
        form=".4f",
    ),
    Claim(
        "control: tanh has no dead units wherever |x| <= 10^4, in float32 too (share "
        "of points with slope 0, %)",
        "in words: `no dead units`",
        "control of section 3.3",
        _below(NONE, of("tanh", "float32.dead_far")),
        form=".1f",
    ),
    Claim(
        "control: near 0 neither Htanh nor tanh is near sign, as nothing continuous is "
        f"(least |sign(z) - g(z)| of nets |z| < {NEAR_ZERO:g}, above 0.5)",
        "`approximately` equal; Proposition 3.2 does not say where",
        "control of Proposition 3.2",
        _above(0.5, *(of(arm, "gap_near_zero") for arm in ("hardtanh", "tanh"))),
        form=".2f",
    ),
    Claim(
        "control: as functions, Htanh is nearer to sign than tanh (mean (sign(z) - "
        "g(z))^2 over N(0, 1)): if tanh's outputs are nearer once trained, as Fig. 5 "
        "says, nets have grown",
        "not in the paper; |tanh(x)| <= |Htanh(x)| <= 1 for all x",
        "control of Proposition 3.2, Fig. 5",
        Ordered(((of("hardtanh", "mse"), of("tanh", "mse")),), (0.0,)),
        form=".3f",
    ),
)

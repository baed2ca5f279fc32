"""What is claimed of signals, gradients and Jacobians at the first weights."""

from models.conv_aware_init.propagation_arms import ARMS, LSUV
from models.experiments.claims import Claim, Near, Ordered, Quantity

HE = 2.0
"""Mean square of what a layer gives for N(0, 1): fan_in times 2 / fan_in."""
CONSTANT = 12.32
"""Percent of the energy of CAI's 3x3 kernels at frequency 0: 1/8 of what the inverse
transform gives, where squares of the half spectrum's numbers, all of one mean, count 1
at frequency 0, 1/2 twice beside it, and 2 three times in the other column; and 1/9 of
the noise, which is 13.2 % of the whole."""
WIDE = ("small", "full")
"""Presets with Jacobians of many rows."""
KEPT = (0.3, 30.0)
LOST = 0.01
KEEP, LOSE = ("cai", "he_normal"), ("orthogonal", "glorot_normal")
SENTENCE = (
    "`to insure that the activations of the convolutional network will not explode`"
)
NO_CLAIM = "not in the paper"


def of(arm: str, metric: str, label: str = "", **options: str) -> Quantity:
    """A number of an arm; see models.conv_aware_init.propagation.train."""
    return Quantity(arm, metric, ARMS[arm].label + label, **options)


def _ordered(*pairs: tuple[Quantity | float, Quantity | float]) -> Ordered:
    """Each first below its second, compared as ratios."""
    return Ordered(pairs, (1.0,) * len(pairs), logarithmic=True)


def _within(low: float, high: float, metric: str, *arms: str) -> Ordered:
    found = [of(arm, metric) for arm in arms]
    return _ordered(*((low, one) for one in found), *((one, high) for one in found))


def _below(bound: float, metric: str, *arms: str) -> Ordered:
    return _ordered(*((of(arm, metric), bound) for arm in arms))


CLAIMS = (
    Claim(
        "CAI's scale is that of He normal: the first layer gives N(0, 1) variance 2 "
        "(within 5 %)",
        "`scale the filters variance to match the variance scheme` of He normal",
        "section 2",
        _within(0.95 * HE, 1.05 * HE, "noise.first", *KEEP),
        form=".3f",
    ),
    Claim(
        "CAI and He normal keep the variance of N(0, 1) through 15 layers (in the last "
        f"from {KEPT[0]} to {KEPT[1]:.0f})",
        SENTENCE,
        "section 2.1.2",
        _within(*KEPT, "noise.last", *KEEP),
    ),
    Claim(
        "control: CAI's kernels have more of their energy at frequency 0 than 11.11 %, "
        f"the share of independent taps ({CONSTANT} %, within 0.15)",
        f"{NO_CLAIM}; from the spectra of even kernels",
        "control of section 2",
        Near(of("cai", "constant_share"), CONSTANT, 0.15),
    ),
    Claim(
        "control: so CAI's variance grows, as behind relus signals have a mean: more "
        "than He normal's (last layer)",
        NO_CLAIM,
        "control of section 2.1.2",
        _ordered((of("he_normal", "noise.last"), of("cai", "noise.last"))),
    ),
    Claim(
        "CAI and He normal keep the variance of images through 15 layers (in the last "
        f"from {KEPT[0]} to {KEPT[1]:.0f})",
        SENTENCE,
        "section 2.1.2",
        _within(*KEPT, "images.last", *KEEP),
    ),
    Claim(
        "control: orthogonal weights of scale 1 and Glorot normal lose it: half of a "
        f"signal is off at each relu (variance in the last layer < {LOST})",
        NO_CLAIM,
        "control of section 2.1.2",
        _below(LOST, "noise.last", *LOSE),
        form=".1e",
    ),
    Claim(
        "the gradient, too, is kept by CAI and He normal (mean square in the first "
        "layer / in the last, from 1/30 to 30)",
        f"{NO_CLAIM}; He et al. 2015, eq. 14",
        "control of section 2.1.2",
        _within(1 / KEPT[1], KEPT[1], "noise.gradient_ratio", *KEEP),
    ),
    Claim(
        "control: and lost by orthogonal weights of scale 1 and Glorot normal (< "
        f"{LOST})",
        NO_CLAIM,
        "control of section 2.1.2",
        _below(LOST, "noise.gradient_ratio", *LOSE),
        form=".1e",
    ),
    Claim(
        "CAI's layers are nearer to an isometry than He normal's, which have no "
        "orthogonality (mean s^4 / (mean s^2)^2 of a layer's Jacobian, 1 if all s are "
        "equal)",
        "`maintaining orthogonality of the filters in the Fourier space`, of which the "
        "paper does not say what it does to signals",
        "section 2.1.2",
        _ordered(
            (of("cai", "spectra.layer.spread"), of("he_normal", "spectra.layer.spread"))
        ),
        presets=WIDE,
        form=".3f",
    ),
    Claim(
        "control: the Jacobians of both have the mean square of He's scale, 2 (within "
        "5 %)",
        "in words: the same variance",
        "control of section 2",
        _within(0.95 * HE, 1.05 * HE, "spectra.layer.square", *KEEP),
        presets=WIDE,
        form=".3f",
    ),
    Claim(
        "control: delta-orthogonal convolutions are isometries (greatest |s - 1| < "
        "1e-5)",
        f"{NO_CLAIM}; Xiao et al. 2018",
        "control of section 2.1.2",
        _below(1e-5, "spectra.layer.off_one", "delta_orthogonal"),
        form=".0e",
    ),
    Claim(
        "control: LSUV gives variance 1 in every layer (greatest |variance - 1| < 0.1)",
        f"{NO_CLAIM}; Mishkin & Matas 2015",
        "control of section 2.1.2",
        _ordered(
            (of(LSUV, "noise.worst", ", N(0, 1)"), 0.1),
            (of(LSUV, "images.worst", ", images"), 0.1),
        ),
        form=".3f",
    ),
    Claim(
        "control: behind batch norm the scale is nothing: orthogonal weights of scales "
        "0.3 and 1 give one gradient (ratio of both's mean square, within 1 %)",
        NO_CLAIM,
        "control of section 2.1.2",
        _ordered(
            (0.99, of("orthogonal_03", "noise_norm.gradient_ratio", per="orthogonal")),
            (of("orthogonal_03", "noise_norm.gradient_ratio", per="orthogonal"), 1.01),
        ),
        form=".4f",
    ),
    Claim(
        "control: with batch norm no start loses the gradient; it grows towards the "
        "input (mean square in the first layer / in the last, above 1)",
        f"{NO_CLAIM}; Yang et al. 2019, arXiv:1902.08129",
        "control of section 2.1.2",
        _ordered(*((1.0, of(arm, "noise_norm.gradient_ratio")) for arm in ARMS)),
        form=".1f",
    ),
)

"""What section 2 states of finite differences and SPSA, and what decides it."""

import itertools
from dataclasses import dataclass

from models.experiments.claims import Claim, Near, Ordered, Quantity, Record
from models.gradient_adapter.common import DECISIVE
from models.gradient_adapter.stochastic_measures import SIZES, key_of
from models.gradient_adapter.stochastic_training import ARMS

COMMON = "bpga"
"""Arm whose trained network all estimators are compared at."""
SMALL_STEP, STEP, LARGE_STEP = 1e-4, 1e-1, 1.0
WITHIN_POINTS, WITHIN_COSINE = 5.0, 0.1
"""What counts as comparable, in test accuracy and in cosine."""
PERTURBING = ("spsa", "node")
WITHOUT_BACKWARD = ("differences", "spsa", "node")


def of(arm: str, metric: str) -> Quantity:
    """A number of a training; see models.gradient_adapter.stochastic.train."""
    return Quantity(arm, metric, ARMS[arm].label)


def quality(name: str, metric: str) -> Quantity:
    """A number of an estimator at the common network."""
    return Quantity(COMMON, f"estimators.{name}.{metric}", ARMS[name].label)


def at_step(metric: str, step: float) -> Quantity:
    """A number that depends on the perturbation's size."""
    return Quantity(COMMON, f"by_step.{key_of(step)}.{metric}", f"step {step:g}")


def exponent_of(name: str) -> Quantity:
    """Power of N with which the cost of an estimator grows."""
    return Quantity(COMMON, f"exponents.{name}", ARMS[name].label)


def of_size(size: str, metric: str) -> Quantity:
    """A number of one of the untrained networks whose cost is measured."""
    return Quantity(COMMON, f"sizes.{size}.{metric}", size)


@dataclass(frozen=True)
class TimesTheWeights(Quantity):
    """A metric of the arm over that of `per`, in units of the number of weights."""

    def of(self, record: Record) -> float:
        """Read the number from one seed's record."""
        return super().of(record) / record["arms"][COMMON]["weights"]


def _ascending(pairs: tuple[tuple[Quantity, Quantity], ...]) -> Ordered:
    """Any lead counts; none is published."""
    return Ordered(pairs, (0.0,) * len(pairs))


_COST = (
    "`computational cost [...] for finite-difference approximation is N^2 and that for "
    "stochastic perturbation-based methods is N`"
)
_EFFICIENCY = (
    "`comparable efficiency when the perturbation is not around 0, whereas the "
    "perturbation is invalid if it is not sufficiently small`"
)
_SECTION = "section 2"
_CONTROL = "beyond the paper"


def _grows(name: str, power: int) -> Claim:
    return Claim(
        f"operations for a gradient by {ARMS[name].label} grow with the number N of "
        f"parameters to the power {power} (exponent, within 0.1)",
        _COST,
        _SECTION,
        Near(exponent_of(name), float(power), 0.1),
    )


def _comparable(reading: str, relation: Near, form: str = ".2f") -> Claim:
    return Claim(
        f"SPSA and weight differences are comparably efficient, read as {reading}",
        _EFFICIENCY,
        _SECTION,
        relation,
        form=form,
        **DECISIVE,
    )


COST = (
    _grows("differences", 2),
    _grows("spsa", 1),
    _grows("node", 1),
    Claim(
        "weight differences take N times the losses of SPSA (ratio over N, within "
        "0.05)",
        "`less computation than finite-difference approximation`; N^2 and N",
        _SECTION,
        Near(
            TimesTheWeights(
                "differences", "cost.losses", "losses, ratio over N", per="spsa"
            ),
            1.0,
            0.05,
        ),
    ),
)

EFFICIENCY = (
    _comparable(
        "test accuracy after equal steps (%, within 5 points)",
        Near(of("spsa", "at_common"), of("differences", "at_common"), WITHIN_POINTS),
    ),
    _comparable(
        "test accuracy after equally many losses (%, within 5 points)",
        Near(
            of("spsa", "last_test_accuracy"),
            of("differences", "last_test_accuracy"),
            WITHIN_POINTS,
        ),
    ),
    _comparable(
        "how well N draws of SPSA, which cost as much, point along the slope of the "
        "smoothed loss (cosine, within 0.1)",
        Near(
            quality("spsa", "mean_cosine"),
            quality("differences", "mean_cosine"),
            WITHIN_COSINE,
        ),
        ".3f",
    ),
    Claim(
        f"around 0 the perturbation tells less: fewer weights below the signs change "
        f"the loss when moved by {SMALL_STEP:g} than by {STEP:g} (share), and SPSA "
        "points less along the slope of the smoothed loss (cosine of N draws)",
        _EFFICIENCY,
        _SECTION,
        _ascending(
            (
                (at_step("seen", SMALL_STEP), at_step("seen", STEP)),
                (at_step("spsa", SMALL_STEP), at_step("spsa", STEP)),
            )
        ),
        form=".3f",
        **DECISIVE,
    ),
    Claim(
        "a perturbation that is not small is invalid: at the output layer, where the "
        "loss has a slope, weight differences are further off it with "
        f"{LARGE_STEP:g} than with {STEP:g} (error over the slope's norm)",
        _EFFICIENCY,
        _SECTION,
        _ascending(
            ((at_step("output_error", STEP), at_step("output_error", LARGE_STEP)),)
        ),
        form=".2e",
        **DECISIVE,
    ),
    Claim(
        "a perturbation that is not small is invalid: SPSA points less along that "
        f"slope with {LARGE_STEP:g} than with {STEP:g} (cosine of N draws)",
        _EFFICIENCY,
        _SECTION,
        _ascending(
            ((at_step("spsa_output", LARGE_STEP), at_step("spsa_output", STEP)),)
        ),
        form=".3f",
        **DECISIVE,
    ),
)


def _adapter_ahead(metric: str) -> Ordered:
    return _ascending(
        tuple((of(name, metric), of("bpga", metric)) for name in WITHOUT_BACKWARD)
    )


CONTROLS = (
    Claim(
        "control: after equal steps BPGA is more accurate than what needs no backward "
        "pass (test accuracy %)",
        "-",
        _CONTROL,
        _adapter_ahead("at_common"),
        **DECISIVE,
    ),
    Claim(
        "control: so it is at the end, having taken fewer losses (test accuracy %)",
        "-",
        _CONTROL,
        _adapter_ahead("last_test_accuracy"),
        **DECISIVE,
    ),
    Claim(
        "control: after equally many losses SPSA is more accurate than weight "
        "differences (test accuracy %)",
        "-",
        _CONTROL,
        _ascending(
            (
                (
                    of("differences", "last_test_accuracy"),
                    of("spsa", "last_test_accuracy"),
                ),
            )
        ),
        **DECISIVE,
    ),
    Claim(
        "control: one gradient of BPGA points more along the slope of the smoothed "
        "loss than one perturbation does (cosine)",
        "-",
        _CONTROL,
        _ascending(
            tuple(
                (quality(name, "cosine"), quality("bpga", "cosine"))
                for name in PERTURBING
            )
        ),
        form=".3f",
        **DECISIVE,
    ),
    Claim(
        "control: the variance of SPSA grows with N, over three untrained networks "
        "(nats squared)",
        "-",
        _CONTROL,
        _ascending(
            tuple(
                (of_size(small, "variance"), of_size(large, "variance"))
                for small, large in itertools.pairwise(SIZES)
            )
        ),
        form=".3g",
        **DECISIVE,
    ),
)

CLAIMS = (*COST, *EFFICIENCY, *CONTROLS)

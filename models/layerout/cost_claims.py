"""Three numbers that the paper takes for one another: parameters, work, seconds."""

from typing import Any

from models.experiments.claims import Claim, Near, Quantity
from models.layerout import claims
from models.layerout.arms import ARMS
from models.layerout.claims import control, of, ordered
from models.layerout.cost_panels import NETWORKS, PUBLISHED, STRATEGIES

MNIST: Any = {"presets": ("small", "full"), "datasets": ("mnist",)}
FROZEN = ("since_start", "warm_up", "dfreeze", "efreeze")
SPREAD = {"since_start": 10.9, "warm_up": 12.1, "dfreeze": 10.1, "efreeze": 10.6}
"""Three standard deviations of what `small` freezes on average, in points."""
POINTS = 2.0
"""Shares of parameters and of work within so many points would pass for one another."""
SAID = "`thereby achieving a significant reduction in number of trainable parameters`"
"""Of `far fewer backward computations`; no other number is given for them."""
TABLES = {"mnist": "Table 1", "vgg16": "Table 2"}


def late(arm: str) -> Quantity:
    """Test accuracy in percent, mean over the last five epochs."""
    return of(arm, "late_test_accuracy")


def beforehand(network: str, strategy: str, share: str, words: str) -> Quantity:
    """Name a share by formula, in percent; the baseline's process computes them all."""
    label = f"{STRATEGIES[strategy]}, {words} %"
    return Quantity("baseline", f"expected.{network}.{strategy}.{share}", label)


def _said_of_work(arm: str) -> Claim:
    return Claim(
        f"{ARMS[arm].label} saves as many percent of backward's multiply-adds as it "
        f"freezes of the parameters (within {POINTS:g} points)",
        SAID,
        "section 6.3",
        Near(of(arm, "saved_share", "saved"), of(arm, "frozen_share"), POINTS),
        **MNIST,
    )


def _said_of_seconds(arm: str) -> Claim:
    ratio = of(arm, "backward_seconds", "share of the baseline's", per="baseline")
    trained = of(arm, "trained_part", "share of parameters trained")
    return Claim(
        f"{ARMS[arm].label} takes the share of the baseline's seconds of backward that "
        f"it trains of the parameters (within {POINTS / 100:g})",
        SAID,
        "section 6.3",
        Near(ratio, trained, POINTS / 100),
        **MNIST,
    )


def _said_of_parameters(network: str, strategy: str, number: float) -> Claim:
    return Claim(
        f"{NETWORKS[network]}: {STRATEGIES[strategy]} freezes {number:.2f} % of the "
        f"parameters on average (within {POINTS:g} points; by formula)",
        f"{number:.2f} %",
        TABLES[network],
        Near(beforehand(network, strategy, "frozen", "frozen"), number, POINTS),
    )


SAME_ACCURACY = tuple(
    control(
        f"{ARMS[arm].label} is within 0.3 points of the baseline (mean of the last "
        "five epochs)",
        Near(late(arm), late("baseline"), 0.3),
        MNIST,
    )
    for arm in FROZEN
)
AS_DRAWN = tuple(
    control(
        f"{ARMS[arm].label} freezes what its probabilities let expect (within "
        f"{SPREAD[arm]:g} points, three standard deviations of one run)",
        Near(
            of(arm, "frozen_share", "frozen %"),
            of(arm, "expected_share", "expected %"),
            SPREAD[arm],
        ),
        {"presets": ("small",), "datasets": ("mnist",)},
    )
    for arm in FROZEN
)
ORDER = control(
    "efreeze takes fewer seconds of backward than dfreeze: early layers are worth "
    "freezing, as backward ends behind them",
    ordered(
        (
            of("efreeze", "backward_seconds", "seconds"),
            of("dfreeze", "backward_seconds", "seconds"),
        )
    ),
    MNIST,
)
OVERSTATED = tuple(
    control(
        f"{ARMS[arm].label}: the share of frozen parameters is more than {POINTS:g} "
        "points above that of backward's multiply-adds saved",
        ordered((POINTS, of(arm, "overstated", "points above"))),
        MNIST,
    )
    # Of efreeze, whose large first layer freezes most, 2.99 points are expected: its
    # shares cannot be told apart by this bound.
    for arm in FROZEN
    if arm != "efreeze"
)
OVERSTATED_STEP = control(
    f"for no arm the share of frozen parameters comes within {POINTS:g} points of the "
    "multiply-adds of a whole training step saved: it is above by more",
    ordered(*((POINTS, of(arm, "overstated_step", "points above")) for arm in FROZEN)),
    MNIST,
)


def _inverted(network: str) -> Claim:
    frozen, saved = "parameters frozen", "multiply-adds saved"
    return control(
        f"{NETWORKS[network]}: dfreeze freezes more parameters than efreeze, and saves "
        "fewer multiply-adds of backward (by formula)",
        ordered(
            (
                beforehand(network, "efreeze", "frozen", frozen),
                beforehand(network, "dfreeze", "frozen", frozen),
            ),
            (
                beforehand(network, "dfreeze", "saved", saved),
                beforehand(network, "efreeze", "saved", saved),
            ),
        ),
        {},
    )


SEVENTY = Claim(
    f"{NETWORKS['vgg16']}: {STRATEGIES['dfreeze']} saves 70 % of the multiply-adds of "
    f"a training step (within {POINTS:g} points; by formula, batch norms frozen with "
    "the layers before them)",
    "`up to 70% reduction, on an average, and in an epoch, in computation`",
    "abstract",
    Near(beforehand("vgg16", "dfreeze", "step", "saved"), 70.0, POINTS),
)

CLAIMS = (
    SEVENTY,
    *(_said_of_work(arm) for arm in FROZEN),
    *(_said_of_seconds(arm) for arm in FROZEN),
    *(
        _said_of_parameters(network, strategy, number)
        for (network, strategy), numbers in PUBLISHED.items()
        for number in numbers
    ),
    claims.saves_seconds(
        "efreeze",
        0.75,
        "efreeze saves at least a quarter of backward's seconds",
        MNIST,
    ),
    *SAME_ACCURACY,
    *AS_DRAWN,
    claims.honest(FROZEN),
    ORDER,
    *OVERSTATED,
    OVERSTATED_STEP,
    *map(_inverted, ("mnist", "vgg16")),
)

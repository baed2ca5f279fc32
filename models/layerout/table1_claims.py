"""Table 1: what the paper states about MNIST, and controls."""

from typing import Any

from models.experiments.claims import Near
from models.layerout import claims
from models.layerout.arms import ARMS
from models.layerout.claims import accuracy, control, of, ordered

ACCURACY = {
    "baseline": 98.87,
    "since_start": 98.87,
    "warm_up": 99.01,
    "dfreeze": 99.03,
    "efreeze": 99.08,
}
"""Highest test accuracy in percent over the epochs, of one run."""
FROZEN = {"since_start": 31.20, "warm_up": 28.50, "dfreeze": 34.90, "efreeze": 22.30}
"""Parameters frozen in an epoch, in percent."""
MNIST: Any = {"presets": ("small", "full"), "datasets": ("mnist",)}
FULL: Any = {"presets": ("full",), "datasets": ("mnist",)}
PAIRS = (
    ("warm_up", "baseline"),
    ("dfreeze", "baseline"),
    ("efreeze", "baseline"),
    ("warm_up", "since_start"),
    ("dfreeze", "since_start"),
    ("efreeze", "since_start"),
    ("efreeze", "warm_up"),
    ("efreeze", "dfreeze"),
)

CLAIMS = (
    *(claims.above(*pair, ACCURACY, "Table 1", MNIST) for pair in PAIRS),
    *(claims.reaches(arm, ACCURACY[arm], "Table 1", FULL) for arm in ACCURACY),
    *(claims.freezes(arm, FROZEN[arm], "Table 1", FULL) for arm in FROZEN),
    claims.saves_seconds(
        "efreeze",
        0.75,
        "efreeze saves at least a quarter of backward's seconds",
        MNIST,
    ),
    claims.honest(tuple(FROZEN)),
    control(
        "dfreeze freezes more parameters than efreeze, and saves fewer multiply-adds "
        "and seconds: % of parameters are not % of work",
        ordered(
            (
                of("efreeze", "frozen_share", "frozen %"),
                of("dfreeze", "frozen_share", "frozen %"),
            ),
            (
                of("dfreeze", "saved_share", "multiply-adds saved %"),
                of("efreeze", "saved_share", "multiply-adds saved %"),
            ),
            (
                of("efreeze", "backward_seconds", "seconds"),
                of("dfreeze", "backward_seconds", "seconds"),
            ),
        ),
        MNIST,
    ),
    *(
        control(
            f"{ARMS[arm].label} is within 1.5 points of the baseline, after as many "
            "epochs, which were fewer updates",
            Near(accuracy(arm), accuracy("baseline"), 1.5),
            MNIST,
        )
        for arm in FROZEN
    ),
    control(
        "fresh momentum in every epoch, as in the code, does not change the baseline "
        "(within 1 point)",
        Near(accuracy("baseline_reset"), accuracy("baseline"), 1.0),
        MNIST,
    ),
    control(
        "fresh momentum in every epoch does not change efreeze (within 1 point)",
        Near(accuracy("efreeze_reset"), accuracy("efreeze"), 1.0),
        MNIST,
    ),
    control(
        "with only the leading run frozen, as in the code, efreeze is the baseline "
        "(within 1 point)",
        Near(accuracy("efreeze_prefix"), accuracy("baseline"), 1.0),
        MNIST,
    ),
    control(
        "with only the leading run frozen, efreeze freezes less than half as many "
        "parameters",
        ordered((of("efreeze_prefix", "frozen_share", "frozen", per="efreeze"), 0.5)),
        MNIST,
    ),
    control(
        "a v drawn once costs accuracy against one drawn every epoch",
        ordered((accuracy("warm_up_once"), accuracy("warm_up"))),
        MNIST,
    ),
)

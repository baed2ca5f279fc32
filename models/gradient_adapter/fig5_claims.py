"""Figs. 5 to 8: what section 4.1 states about hidden outputs, and controls."""

from models.experiments.claims import Claim, Ordered, Quantity, Side
from models.gradient_adapter.arms import LABELS
from models.gradient_adapter.common import DECISIVE

MAIN = ("identity", "hardtanh", "tanh")
DECAY = "_decay"
"""Ends the names of arms that train with weight decay."""
SMALL = 0.05
"""MSE-HLO of a network that is said to have got to 0."""
FEW = 5.0
"""Percent: fewer outputs than that are few."""


def label_of(arm: str) -> str:
    """How tables call an arm."""
    if arm.endswith(DECAY):
        return f"{LABELS[arm.removesuffix(DECAY)]}, weight decay"
    return LABELS[arm]


def measured(arm: str, when: str, metric: str = "mse_hlo") -> Quantity:
    """MSE-HLO or another measure: at the "start", after epoch "first" or "last"."""
    return Quantity(arm, f"{when}.{metric}", f"{label_of(arm)}, {when}")


def _claim(
    words: str, said: str, source: str, *pairs: tuple[Side, Side], form: str = ".3f"
) -> Claim:
    relation = Ordered(pairs, (0.0,) * len(pairs))
    return Claim(words, said, source, relation, **DECISIVE, form=form)


def _falls(arm: str) -> tuple[Quantity, Quantity]:
    return measured(arm, "last"), measured(arm, "first")


def _rises(arm: str, metric: str = "mse_hlo") -> tuple[Quantity, Quantity]:
    return measured(arm, "first", metric), measured(arm, "last", metric)


_FIG5, _FIGS = "section 4.1, Fig. 5", "section 4.1, Figs. 6-8"

CLAIMS = (
    _claim(
        "MSE-HLO of I rises with the epochs (from the first to the last)",
        "`increases with the number of epochs`",
        _FIG5,
        _rises("identity"),
    ),
    _claim(
        "MSE-HLO of Htanh and of tanh falls (from the first epoch to the last)",
        "`an opposite trend`",
        _FIG5,
        _falls("hardtanh"),
        _falls("tanh"),
    ),
    _claim(
        "at first MSE-HLO of Htanh is the lowest (after the first epoch)",
        "`Initially, the MSE-HLO of Htanh is the lowest`",
        _FIG5,
        (measured("hardtanh", "first"), measured("tanh", "first")),
        (measured("hardtanh", "first"), measured("identity", "first")),
    ),
    _claim(
        "later that of tanh is lower than that of Htanh (last epoch)",
        "`but it grows higher than that of tanh afterwards`",
        _FIG5,
        (measured("tanh", "last"), measured("hardtanh", "last")),
    ),
    Claim(
        f"MSE-HLO of Htanh and tanh gets to 0 (below {SMALL})",
        "`If MSE-HLO asymptotically reaches 0`, Proposition 3.2 is met",
        "sections 3.1, 4.1",
        Ordered(
            tuple((measured(arm, "last"), SMALL) for arm in ("hardtanh", "tanh")),
            (0.0, 0.0),
        ),
        presets=("full",),
        datasets=("mnist",),
        form=".3f",
    ),
    _claim(
        "I's outputs converge to 0 (share of |h| < 0.1, %, first epoch to last)",
        "`the values converge to 0 as the number of epochs increases`",
        "section 4.1, Fig. 6",
        _rises("identity", "near_zero"),
        form=".1f",
    ),
    _claim(
        "few of I's outputs are close to 1 (0.9 < |h| < 1.1, last epoch, below "
        f"{FEW:g} %)",
        "`with only few outputs being close to 1`",
        "section 4.1, Fig. 6",
        (measured("identity", "last", "close_to_one"), FEW),
        form=".1f",
    ),
    _claim(
        "the outputs of Htanh and tanh converge to -1 and 1 (share of |h| > 0.9, %, "
        "first epoch to last)",
        "`converge to binary values -1 and 1`",
        "section 4.1, Figs. 7, 8",
        _rises("hardtanh", "near_one"),
        _rises("tanh", "near_one"),
        form=".1f",
    ),
    _claim(
        "tanh's outputs are closer to the sign function than Htanh's (share of |h| > "
        "0.9, %, last epoch)",
        "`the outputs of tanh seem closer to the sign function than those of Htanh`",
        _FIGS,
        (
            measured("hardtanh", "last", "near_one"),
            measured("tanh", "last", "near_one"),
        ),
        form=".1f",
    ),
    _claim(
        "control: with weight decay I's MSE-HLO rises",
        "-",
        "beyond the paper, which names no weight decay here",
        _rises("identity" + DECAY),
    ),
    _claim(
        "control: with weight decay that of Htanh and tanh falls, too",
        "-",
        "beyond the paper, which names no weight decay here",
        _falls("hardtanh" + DECAY),
        _falls("tanh" + DECAY),
    ),
)

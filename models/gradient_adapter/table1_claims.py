"""Table 1 and Fig. 10: what the paper states about MNIST, and controls."""

from typing import Any

from models.experiments.claims import Claim, Near, Ordered, Quantity, Side
from models.gradient_adapter.arms import LABELS
from models.gradient_adapter.common import DECISIVE

ERROR = {"ste": 1.71, "sste": 1.65, "dtp": 1.54, "bpga": 1.40}
"""Lowest test error over all epochs, in percent."""
FULL: Any = {"presets": ("full",), "datasets": ("mnist",)}
EARLY: Any = {"presets": ("small",), "datasets": ("mnist",)}
"""Where the last epoch is one of the first 50."""


def error(arm: str, metric: str = "lowest_error") -> Quantity:
    """Test error in percent: the lowest of all epochs, unless metric is another."""
    return Quantity(arm, metric, LABELS[arm])


def _lower(better: str, worse: str, words: str, source: str = "Table 1") -> Claim:
    return Claim(
        words,
        f"{ERROR[better]:.2f} < {ERROR[worse]:.2f} %",
        source,
        Ordered(((error(better), error(worse)),), (ERROR[worse] - ERROR[better],)),
        **DECISIVE,
    )


def _in_words(
    words: str,
    said: str,
    source: str,
    *pairs: tuple[Side, Side],
    where: Any = DECISIVE,
) -> Claim:
    relation = Ordered(pairs, (0.0,) * len(pairs))
    return Claim(words, said, source, relation, **where)


def _about(arm: str) -> Claim:
    return Claim(
        f"{LABELS[arm]} reaches {ERROR[arm]:.2f} % (within 0.2 points)",
        f"{ERROR[arm]:.2f} %",
        "Table 1",
        Near(error(arm), ERROR[arm], 0.2),
        **FULL,
    )


def _gain(over: str, points: float) -> Claim:
    gain = Quantity("bpga", "lowest_error", "BPGA's gain", minus=over)
    return Claim(
        f"BPGA's error is {points:.2f} points below {LABELS[over]}'s (within half)",
        f"-{points:.2f}",
        "abstract",
        Near(gain, -points, points / 2),
        **FULL,
    )


def _control(words: str, relation: Ordered | Near) -> Claim:
    source = "beyond the paper"
    return Claim(f"control: {words}", "-", source, relation, **DECISIVE)


CLAIMS = (
    _lower("bpga", "ste", "BPGA's lowest error is below STE's"),
    _lower("bpga", "sste", "BPGA's lowest error is below SSTE's"),
    _lower("bpga", "dtp", "BPGA's lowest error is below DTP's"),
    _lower("sste", "ste", "SSTE's lowest error is below STE's"),
    *(_about(arm) for arm in ERROR),
    _gain("ste", 0.31),
    _gain("sste", 0.25),
    _in_words(
        "STE ends at a higher error than all the others (last epoch)",
        "`quickly converging to a minimum error that is higher than that of the other "
        "methods`",
        "section 4.2, Fig. 10",
        *(
            (error(arm, "last_error"), error("ste", "last_error"))
            for arm in ("sste", "bpga", "dtp")
        ),
    ),
    _in_words(
        "STE's error declines at first (first epoch above the lowest)",
        "`its classification error initially declines`",
        "section 4.2, Fig. 10",
        (error("ste"), error("ste", "first_error")),
    ),
    _in_words(
        "within its first 50 epochs DTP has a higher error than SSTE and BPGA (last "
        "epoch)",
        "`a relatively high classification error during the first 50 epochs`",
        "section 4.2, Fig. 10",
        (error("sste", "last_error"), error("dtp", "last_error")),
        (error("bpga", "last_error"), error("dtp", "last_error")),
        where=EARLY,
    ),
    _in_words(
        "SSTE and BPGA converge faster than DTP (mean error over the epochs)",
        "`seem to retrieve fast convergence and low classification error`",
        "section 4.2, Fig. 10",
        (error("sste", "mean_error"), error("dtp", "mean_error")),
        (error("bpga", "mean_error"), error("dtp", "mean_error")),
    ),
    _control(
        "DTP trains the hidden layers: its error is at least 2 points below that of "
        "its network with them frozen",
        Ordered(
            ((2.0, Quantity("frozen", "lowest_error", "frozen - DTP", minus="dtp")),),
            (0.0,),
        ),
    ),
    _control(
        "DTP's error is below that of its network with layer1 frozen, all that sign's "
        "true derivative leaves to train, and the rest trained by Adam",
        Ordered(((error("dtp"), error("frozen1")),), (0.0,)),
    ),
    _control(
        "with one sign, in DTP's network, STE's error is lower than with two",
        Ordered(((error("ste_one"), error("ste")),), (0.0,)),
    ),
    _control(
        "with one sign BPGA's error is below STE's",
        Ordered(((error("bpga_one"), error("ste_one")),), (0.0,)),
    ),
    _control(
        "BPGA and SSTE cannot be told apart (within 0.15 points)",
        Near(error("bpga"), error("sste"), 0.15),
    ),
)

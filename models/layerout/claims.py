"""Claims that the experiments share: about accuracy, and about what freezing saves."""

from collections.abc import Mapping
from typing import Any

from models.experiments.claims import Claim, Near, Ordered, Quantity, Side
from models.layerout.arms import ARMS


def of(arm: str, metric: str, words: str = "", per: str | None = None) -> Quantity:
    """Name a metric of an arm as tables call it."""
    label = ARMS[arm].label
    return Quantity(arm, metric, f"{label}, {words}" if words else label, per=per)


def accuracy(arm: str, metric: str = "last_test_accuracy") -> Quantity:
    """Test accuracy in percent: of the last epoch, unless metric is another."""
    return of(arm, metric)


def above(
    better: str, worse: str, published: Mapping[str, float], source: str, where: Any
) -> Claim:
    """One arm tests better than another, as the published numbers say."""
    gain = published[better] - published[worse]
    return Claim(
        f"{ARMS[better].label} is more accurate than {ARMS[worse].label} (last epoch)",
        f"{published[better]:.2f} > {published[worse]:.2f} %",
        source,
        Ordered(((accuracy(worse), accuracy(better)),), (gain,)),
        **where,
    )


def reaches(arm: str, number: float, source: str, where: Any) -> Claim:
    """An arm gets to the published accuracy, the highest over all epochs."""
    return Claim(
        f"{ARMS[arm].label} reaches {number:.2f} % (within 0.3 points)",
        f"{number:.2f} %",
        source,
        Near(accuracy(arm, "best_test_accuracy"), number, 0.3),
        **where,
    )


def freezes(arm: str, number: float, source: str, where: Any) -> Claim:
    """An arm freezes the published share of the parameters."""
    return Claim(
        f"{ARMS[arm].label} freezes {number:.2f} % of the parameters (within 3 points; "
        "mean over the epochs behind the warm-up)",
        f"{number:.2f} %",
        source,
        Near(of(arm, "frozen_share"), number, 3.0),
        **where,
    )


def saves_seconds(arm: str, share: float, words: str, where: Any) -> Claim:
    """An arm's backward takes less than a share of the baseline's seconds."""
    ratio = of(arm, "backward_seconds", "share of the baseline's", per="baseline")
    return Claim(
        f"{words} (the bound is not the paper's, which has no seconds)",
        "`the amount of computation time during back propagation significantly falls "
        "down`",
        "section 4.2",
        Ordered(((ratio, share),), (0.0,)),
        **where,
    )


def honest(frozen: tuple[str, ...]) -> Claim:
    """What is reported as frozen did not change, and nothing else stood still."""
    return control(
        "in every epoch the share reported as frozen is that of the parameters that "
        "are the same afterwards, bit for bit (largest difference in points, < 1e-9)",
        ordered(*((of(arm, "misreported"), 1e-9) for arm in frozen)),
        {},
        form=".0e",
    )


def ordered(*pairs: tuple[Side, Side]) -> Ordered:
    """In each pair the first is smaller, by however little."""
    return Ordered(pairs, (0.0,) * len(pairs))


def control(
    words: str, relation: Ordered | Near, where: Any, form: str = ".2f"
) -> Claim:
    """A claim that the paper does not make."""
    source = "beyond the paper"
    return Claim(f"control: {words}", "-", source, relation, form=form, **where)

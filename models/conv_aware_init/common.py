"""What the experiments of the paper on convolution-aware initialization share."""

import statistics

from models.experiments.claims import Claim, Ordered, Quantity
from models.experiments.metrics import History

PAPER = "Aghajanyan, Convolution Aware Initialization, 2017"
SPEED = "mean_test_loss"
"""Test loss in nats, the mean over all epochs: small if a network learns fast."""


def losses(history: History) -> dict[str, float]:
    """Read "last_test_loss", of the last epoch, and "mean_test_loss", in nats."""
    found = [epoch["test_loss"] for epoch in history]
    return {"last_test_loss": found[-1], SPEED: statistics.fmean(found)}


def faster(words: str, one: Quantity, other: Quantity, **where: object) -> Claim:
    """CAI learns faster than another initialization; the paper has no number for it.

    words: of the table, where it has several networks; one, other: losses as SPEED.
    """
    options: dict[str, object] = {"form": ".4f", **where}
    return Claim(
        f"{words}{one.label} learns faster than {other.label}: its test loss, in the "
        "mean over all epochs, is lower (nats)",
        "`faster convergence in general`",
        "sections 3.3 and 5",
        Ordered(((one, other),), (0.0,)),
        **options,  # type: ignore[arg-type]
    )

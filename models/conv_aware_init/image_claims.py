"""Tables 2 to 4: what the paper states about images, and controls."""

from collections.abc import Mapping
from typing import Any

from models.conv_aware_init.common import SPEED, faster
from models.conv_aware_init.images import Arm
from models.experiments.claims import Claim, Near, Ordered, Quantity

Numbers = Mapping[str, float]
"""Arm -> a published number."""

TABLE2: Mapping[str, Numbers] = {
    "cifar10": {"cai_soft": 96.31, "he_normal_soft": 96.18, "he_normal": 96.12},
    "cifar100": {"cai_soft": 79.25, "he_normal_soft": 78.31, "he_normal": 78.22},
}
"""Rows 1, 2 and 4: the paper's own runs; test accuracy in percent."""
TABLE3_ACCURACY: Numbers = {
    **{"cai_soft": 96.31, "he_normal_soft": 96.18, "orthogonal_11_soft": 96.11},
    **{"cai": 96.24, "he_normal": 96.10, "orthogonal_11": 95.98},
}
TABLE3_LOSS: Numbers = {
    **{"cai_soft": 0.1911, "he_normal_soft": 0.1930, "orthogonal_11_soft": 0.2008},
    **{"cai": 0.1920, "he_normal": 0.1938, "orthogonal_11": 0.2028},
}
TABLE4_ACCURACY: Numbers = {
    **{"cai": 97.61, "he_normal": 97.31},
    **{"he_uniform": 97.09, "glorot_normal": 97.20},
}
TABLE4_LOSS: Numbers = {
    **{"cai": 0.1102, "he_normal": 0.1108},
    **{"he_uniform": 0.1223, "glorot_normal": 0.1120},
}


def where(dataset: str, *presets: str) -> Any:
    """Restrict a claim to a data set and to presets."""
    return {"presets": presets, "datasets": (dataset,)}


class ImageClaims:
    """Makes the claims of one table from its arms and published numbers."""

    def __init__(self, table: str, dataset: str, arms: Mapping[str, Arm]) -> None:
        self.table, self.dataset, self.arms = table, dataset, arms

    def of(self, arm: str, metric: str) -> Quantity:
        """Name a metric of an arm as tables call it."""
        return Quantity(arm, metric, self.arms[arm].label)

    def more_accurate(self, better: str, worse: str, published: Numbers) -> Claim:
        """One arm has the higher test accuracy after the last epoch."""
        a, b = self.arms[better].label, self.arms[worse].label
        pair = tuple(self.of(arm, "last_test_accuracy") for arm in (worse, better))
        gain = published[better] - published[worse]
        return Claim(
            f"{a} is more accurate than {b} (last epoch)",
            f"{published[better]:.2f} > {published[worse]:.2f} %",
            self.table,
            Ordered(((pair[0], pair[1]),), (gain,)),
            **where(self.dataset, "small", "full"),
        )

    def lower_loss(self, better: str, worse: str, published: Numbers) -> Claim:
        """One arm has the lower test loss after the last epoch."""
        a, b = self.arms[better].label, self.arms[worse].label
        pair = tuple(self.of(arm, "last_test_loss") for arm in (better, worse))
        gain = published[worse] - published[better]
        return Claim(
            f"{a} has a lower loss than {b} (last epoch, nats)",
            f"{published[better]:.4f} < {published[worse]:.4f}",
            self.table,
            Ordered(((pair[0], pair[1]),), (gain,)),
            form=".4f",
            **where(self.dataset, "small", "full"),
        )

    def reaches(self, arm: str, number: float) -> Claim:
        """An arm gets to the published accuracy."""
        return Claim(
            f"{self.arms[arm].label} reaches {number:.2f} % (within 0.3 points)",
            f"{number:.2f} %",
            self.table,
            Near(self.of(arm, "last_test_accuracy"), number, 0.3),
            **where(self.dataset, "full"),
        )

    def control(
        self, words: str, relation: Ordered | Near, form: str = ".2f", **kind: Any
    ) -> Claim:
        """A claim that the paper does not make."""
        source = "beyond the paper"
        scale = kind or where(self.dataset, "small", "full")
        return Claim(f"control: {words}", "-", source, relation, form=form, **scale)

    def faster(self, arm: str, other: str, **where: Any) -> Claim:
        """An arm learns faster, by the mean of its test loss over all epochs."""
        return faster("", self.of(arm, SPEED), self.of(other, SPEED), **where)


def pairs_of(arms: Mapping[str, Arm], winner: str) -> list[tuple[str, str]]:
    """Pair the CAI arm with each other arm that has the same targets."""
    soft = arms[winner].soft
    others = (name for name, arm in arms.items() if arm.soft == soft)
    return [(winner, name) for name in others if name != winner]

"""Table 6: what the paper states about WaveNet, and controls."""

import math
from collections.abc import Sequence
from typing import Any

from models.conv_aware_init.common import SPEED, faster
from models.conv_aware_init.initializers import INITIALIZERS
from models.experiments.claims import Claim, Near, Ordered, Quantity

PUBLISHED = {
    "orthogonal_02": 4.809,
    "glorot_uniform": 4.810,
    "normal_02": 4.811,
    "cai": 4.771,
}
"""Cross-entropy in nats, median of 5 runs."""
OTHERS = tuple(arm for arm in PUBLISHED if arm != "cai")
ARMS = (*PUBLISHED, "he_normal")
"""He normal is not in the table: it has CAI's variances, and not its spectra."""
UNIFORM = math.log(256)
SPEECH: Any = {"presets": ("small", "full"), "datasets": ("fsdd", "vctk")}
FULL: Any = {"presets": ("full",), "datasets": ("vctk",)}


def loss(arm: str, metric: str = "last_test_loss") -> Quantity:
    """Test loss in nats: of the last epoch, unless metric is another."""
    return Quantity(arm, metric, INITIALIZERS[arm].label)


def _lower(other: str) -> Claim:
    """CAI ends lower than another initialization, as the published numbers say."""
    gap = PUBLISHED[other] - PUBLISHED["cai"]
    return Claim(
        f"CAI has a lower loss than {INITIALIZERS[other].label} (last epoch, nats)",
        f"{PUBLISHED['cai']:.3f} < {PUBLISHED[other]:.3f}",
        "Table 6",
        Ordered(((loss("cai"), loss(other)),), (gap,)),
        form=".3f",
        **SPEECH,
    )


def _reaches(arm: str) -> Claim:
    number = PUBLISHED[arm]
    return Claim(
        f"{INITIALIZERS[arm].label} ends at {number:.3f} nats (within 0.05)",
        f"{number:.3f}",
        "Table 6",
        Near(loss(arm), number, 0.05),
        form=".3f",
        **FULL,
    )


def _control(words: str, relation: Ordered | Near, where: Any) -> Claim:
    """Make a claim that the paper does not make."""
    source = "beyond the paper"
    return Claim(f"control: {words}", "-", source, relation, form=".3f", **where)


def _below(metric: str, words: str, arms: Sequence[str]) -> Ordered:
    """Order the losses of arms below what a simpler model reaches."""
    pairs = tuple((loss(arm), Quantity(arm, metric, words)) for arm in arms)
    return Ordered(pairs, (0.0,) * len(pairs))


CLAIMS = (
    *map(_lower, OTHERS),
    *map(_reaches, PUBLISHED),
    *(faster("", loss("cai", SPEED), loss(arm, SPEED), **SPEECH) for arm in OTHERS),
    _control(
        "every network ends below the entropy of the samples, so it has learnt more "
        "than how often each occurs",
        _below("unigram_loss", "unigram", ARMS),
        SPEECH,
    ),
    _control(
        "every network ends at least half a nat below ln 256, where guesses begin",
        Ordered(tuple((loss(arm), UNIFORM - 0.5) for arm in ARMS), (0.0,) * len(ARMS)),
        SPEECH,
    ),
    _control(
        "every network ends below what pairs of samples tell; not asked of orthogonal, "
        "whose small weights cost it half of the steps",
        _below("bigram_loss", "bigram", ARMS[1:]),
        SPEECH,
    ),
    _control(
        "CAI has a lower loss than He normal, of the same variances (last epoch)",
        Ordered(((loss("cai"), loss("he_normal")),), (0.0,)),
        SPEECH,
    ),
    _control(
        "the published losses are near the entropy of the samples (4.81, within 0.1): "
        "those networks had hardly learnt more than how often each occurs",
        Near(Quantity("cai", "unigram_loss", "unigram"), 4.81, 0.1),
        FULL,
    ),
)

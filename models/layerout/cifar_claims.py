"""Tables 2 to 5: what the paper states about CIFAR-10 and CIFAR-100, and controls."""

from collections.abc import Mapping
from typing import Any

from models.experiments.claims import Claim, Near
from models.layerout import claims
from models.layerout.arms import ARMS
from models.layerout.claims import accuracy, control, of, ordered

VGG: Mapping[str, Mapping[str, float]] = {
    "cifar10": {
        **{"baseline": 93.75, "dfreeze": 94.00, "efreeze": 94.02},
        **{"baseline_re": 93.79, "dfreeze_re": 94.05, "efreeze_re": 94.07},
    },
    "cifar100": {
        **{"baseline": 72.83, "dfreeze": 73.13, "efreeze": 73.28},
        **{"baseline_re": 73.37, "dfreeze_re": 73.54, "efreeze_re": 73.81},
    },
}
"""Tables 2 and 4: highest test accuracy in percent over the epochs, of one run."""
VGG_FROZEN: Mapping[str, Mapping[str, float]] = {
    "cifar10": {"dfreeze": 69.91, "efreeze": 53.66},
    "cifar100": {"dfreeze": 70.05, "efreeze": 53.90},
}
"""Parameters frozen in an epoch, in percent."""
RESNET: Mapping[str, Mapping[str, float]] = {
    "cifar10": {
        **{"baseline": 93.57, "since_start": 95.07, "warm_up": 95.27},
        **{"baseline_re": 93.66, "since_start_re": 94.97, "warm_up_re": 95.01},
    },
    "cifar100": {
        **{"baseline": 73.33, "since_start": 77.14, "warm_up": 77.57},
        **{"baseline_re": 76.48, "since_start_re": 77.22, "warm_up_re": 77.57},
    },
}
"""Tables 3 and 5, likewise."""
RESNET_FROZEN: Mapping[str, Mapping[str, float]] = {
    "cifar10": {"since_start": 49.12, "warm_up": 47.34},
    "cifar100": {"since_start": 50.07, "warm_up": 47.66},
}


def _where(dataset: str, *presets: str) -> Any:
    return {"presets": presets, "datasets": (dataset,)}


def _published(
    numbers: Mapping[str, float],
    frozen: Mapping[str, float],
    pairs: tuple[tuple[str, str], ...],
    source: str,
    dataset: str,
) -> tuple[Claim, ...]:
    """The orders of a table, its numbers, and its shares of frozen parameters."""
    both = _where(dataset, "small", "full")
    full = _where(dataset, "full")
    orders = [(one + tail, two + tail) for tail in ("", "_re") for one, two in pairs]
    return (
        *(claims.above(*pair, numbers, source, both) for pair in orders),
        claims.above("baseline_re", "baseline", numbers, source, both),
        *(claims.reaches(arm, numbers[arm], source, full) for arm in numbers),
        *(claims.freezes(arm, frozen[arm], source, full) for arm in frozen),
        claims.honest(tuple(arm for arm in numbers if ARMS[arm].v is not None)),
    )


def vgg_claims(table: str, dataset: str) -> tuple[Claim, ...]:
    """Claims about the modified VGG-16 on one data set."""
    pairs = (("dfreeze", "baseline"), ("efreeze", "baseline"), ("efreeze", "dfreeze"))
    both = _where(dataset, "small", "full")
    return (
        *_published(VGG[dataset], VGG_FROZEN[dataset], pairs, table, dataset),
        control(
            "dfreeze freezes more parameters than efreeze, and saves fewer "
            "multiply-adds",
            ordered(
                (
                    of("efreeze", "frozen_share", "frozen %"),
                    of("dfreeze", "frozen_share", "frozen %"),
                ),
                (
                    of("dfreeze", "saved_share", "multiply-adds saved %"),
                    of("efreeze", "saved_share", "multiply-adds saved %"),
                ),
            ),
            both,
        ),
    )


def resnet_claims(table: str, dataset: str) -> tuple[Claim, ...]:
    """Claims about ResNet-110 on one data set."""
    pairs = (
        ("since_start", "baseline"),
        ("warm_up", "baseline"),
        ("warm_up", "since_start"),
    )
    both = _where(dataset, "small", "full")
    return (
        *_published(RESNET[dataset], RESNET_FROZEN[dataset], pairs, table, dataset),
        control(
            "with the published code's rates, a hundredth behind the first step, and "
            "its weight decay the baseline is less accurate than with LayerOut's",
            ordered((accuracy("baseline_code"), accuracy("baseline"))),
            both,
        ),
        control(
            "LayerOut with warm-up is more accurate than the baseline with the code's "
            "rates",
            ordered((accuracy("baseline_code"), accuracy("warm_up"))),
            both,
        ),
        *(
            control(
                f"{ARMS[arm].label} is within 2 points of the baseline",
                Near(accuracy(arm), accuracy("baseline"), 2.0),
                both,
            )
            for arm in ("since_start", "warm_up")
        ),
        control(
            "half of the parameters frozen is not half of backward saved "
            "(multiply-adds saved / parameters frozen, below 0.75)",
            ordered((of("warm_up", "saved_per_frozen"), 0.75)),
            both,
        ),
    )

"""Table 6: LayerOut beside stochastic depth and BlockDrop, and controls."""

from typing import Any

from models.experiments.claims import Near, Quantity
from models.layerout import claims
from models.layerout.claims import accuracy, control, of, ordered

ACCURACY = {
    "baseline": 93.20,
    "block_drop": 93.60,
    "stochastic_depth": 94.75,
    "warm_up": 95.27,
}
"""Test accuracy on CIFAR-10 in percent; all but the last are quoted by the paper."""
CIFAR10: Any = {"presets": ("small", "full"), "datasets": ("cifar10",)}
PAIRS = (
    ("warm_up", "stochastic_depth"),
    ("warm_up", "block_drop"),
    ("warm_up", "baseline"),
    ("stochastic_depth", "block_drop"),
    ("stochastic_depth", "baseline"),
    ("block_drop", "baseline"),
)
KEPT = Quantity("block_drop", "kept_share", "blocks that run at test time %")

CLAIMS = (
    *(claims.above(*pair, ACCURACY, "Table 6", CIFAR10) for pair in PAIRS),
    claims.honest(("warm_up",)),
    control(
        "BlockDrop runs fewer blocks at test time (below 90 %), and its "
        "multiply-adds, the policy's among them, are fewer than the baseline's",
        ordered(
            (KEPT, 90.0),
            (of("block_drop", "test_multiply_adds", per="baseline"), 1.0),
        ),
        CIFAR10,
    ),
    control(
        "BlockDrop's network is within 3 points of its own, before blocks are dropped",
        Near(accuracy("block_drop"), of("block_drop", "pretrained_accuracy"), 3.0),
        CIFAR10,
    ),
    control(
        "an epoch of stochastic depth takes less of the processor's time than the "
        "baseline's",
        ordered((of("stochastic_depth", "epoch_seconds", per="baseline"), 1.0)),
        CIFAR10,
    ),
    control(
        "an epoch of LayerOut takes less of the processor's time than the baseline's",
        ordered((of("warm_up", "epoch_seconds", per="baseline"), 1.0)),
        CIFAR10,
    ),
    *(
        control(
            f"{words} at the output is within 2 points of the baseline",
            Near(accuracy(arm), accuracy("baseline"), 2.0),
            CIFAR10,
        )
        for arm, words in (("dropout", "dropout"), ("drop_connect", "DropConnect"))
    ),
)

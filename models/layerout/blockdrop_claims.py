"""What BlockDrop must show: about as accurate, with fewer blocks, and not by chance."""

from typing import Any

from models.experiments.claims import Claim, Ordered, Quantity

ARM = "blockdrop"
BOTH: Any = {"presets": ("small", "full"), "datasets": ("mnist", "cifar10")}
_BEYOND = "beyond the LayerOut paper"
_TABLE = "BlockDrop, Table 1"


def of(metric: str, words: str) -> Quantity:
    """Name a metric of the one arm."""
    return Quantity(ARM, metric, words)


def _policy_above(other: str, words: str) -> Claim:
    better = of("accuracy.policy", "blocks of the policy")
    return Claim(
        f"control: the policy's blocks are more accurate than as many {words} (test %)",
        "-",
        _BEYOND,
        Ordered(((of(f"accuracy.{other}", words), better),), (0.0,)),
        **BOTH,
    )


CLAIMS = (
    Claim(
        "BlockDrop tests less than 1 point below the pretrained network with all "
        "blocks (change in points, above -1)",
        "93.6 with 16.9 of 54 blocks, 93.2 with all",
        _TABLE,
        Ordered(((-1.0, of("accuracy_change", "change")),), (0.0,)),
        **BOTH,
    ),
    Claim(
        "BlockDrop runs less than three quarters of the blocks (%)",
        "16.9 of 54",
        _TABLE,
        Ordered(((of("kept_share", "blocks that run %"), 75.0),), (0.0,)),
        **BOTH,
    ),
    Claim(
        "BlockDrop takes fewer multiply-adds than the whole network, the policy's "
        "included (% of the network's, below 100)",
        "16.9 of 54 blocks, 1.81e8 FLOPs",
        _TABLE,
        Ordered(((of("work", "multiply-adds %"), 100.0),), (0.0,)),
        form=".1f",
        **BOTH,
    ),
    Claim(
        "images take different paths (different decisions among test images, above 1)",
        "-",
        "BlockDrop, section 4",
        Ordered(((1.0, of("paths", "paths")),), (0.0,)),
        form=".0f",
        **BOTH,
    ),
    _policy_above("random", "at random"),
    _policy_above("first", "that are the first"),
)

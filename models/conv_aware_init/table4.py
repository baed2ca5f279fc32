"""Table 4 and Figure 2: SVHN from CAI, He normal, He uniform and Glorot normal.

The paper's network is "of depth 18 and widening 8, the best one reported"; no depth
6n + 4 is 18, and the best one reported is WRN-16-8. It trains on the part `train` of
SVHN here; whether the paper used `extra`, too, is not said. Batches of 128 and the
first rate are those of the public scripts for wide residual networks.

At `small` the network is WRN-10-1, on a part of the images; the rate starts higher.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from models.conv_aware_init import image_panels, image_tables, images
from models.conv_aware_init.common import PAPER
from models.conv_aware_init.image_claims import (
    TABLE4_ACCURACY,
    TABLE4_LOSS,
    ImageClaims,
    pairs_of,
)
from models.conv_aware_init.images import Arm, Checkpoints, ImageConfig
from models.conv_aware_init.table3 import TINY
from models.experiments.claims import Claim, Ordered, Record
from models.experiments.config import Preset
from models.experiments.experiment import Experiment, Explanation
from models.experiments.pool import Hooks, Job
from models.experiments.tables import Table

ARMS = {name: Arm(name) for name in ("cai", "he_normal", "he_uniform", "glorot_normal")}
PAIRS = pairs_of(ARMS, "cai")
PUBLISHED = {"last_test_accuracy": TABLE4_ACCURACY, "last_test_loss": TABLE4_LOSS}
EARLIER = 15
"""Epochs by which CAI is said to reach its peak before the others."""
PRESETS = {
    "tiny": Preset(
        replace(TINY, rates=((0, 0.05),), plateau=True, normalise=False, shift=0),
        2,
        "seconds, offline",
    ),
    "small": Preset(
        ImageConfig(
            dataset="svhn",
            depth=10,
            width=1,
            dropout=0.0,
            epochs=12,
            rates=((0, 0.05),),
            plateau=True,
            batch_size=64,
            max_examples=3300,
            max_test=2000,
            validation_share=1 / 11,
            shift=0,
            flip=False,
            normalise=False,
        ),
        4,
        "WRN-10-1 on 3,000 images",
    ),
    "full": Preset(
        ImageConfig(
            dataset="svhn",
            depth=16,
            width=8,
            dropout=0.4,
            epochs=130,
            rates=((0, 0.01),),
            plateau=True,
            shift=0,
            flip=False,
            normalise=False,
        ),
        5,
        "WRN-16-8 on the part train",
    ),
}


def _claims() -> tuple[Claim, ...]:
    """Orders of Table 4, its numbers, and how early CAI reaches its peak."""
    make = ImageClaims("Table 4", "svhn", ARMS)
    peaks = {arm: make.of(arm, "best_test_epoch") for arm in ARMS}
    others = tuple(arm for arm in ARMS if arm != "cai")
    early = Claim(
        "CAI reaches its highest test accuracy earlier than the others",
        f"`roughly {EARLIER} epochs before all other initializations`",
        "section 3.3",
        Ordered(tuple((peaks["cai"], peaks[arm]) for arm in others), (EARLIER,) * 3),
        form=".1f",
        presets=("full",),
        datasets=("svhn",),
    )
    return (
        *(make.more_accurate(*pair, TABLE4_ACCURACY) for pair in PAIRS),
        *(make.lower_loss(*pair, TABLE4_LOSS) for pair in PAIRS),
        *(make.reaches(arm, number) for arm, number in TABLE4_ACCURACY.items()),
        early,
        *(make.faster("cai", arm, presets=("small", "full")) for arm in others),
    )


def train(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Train the network of an arm; see images.train."""
    return images.train(job, hooks, ARMS)


def tables(records: Sequence[Record]) -> list[Table]:
    """Table 4, measured beside published, and differences under the same seed."""
    return [
        image_tables.accuracies("Table 4", ARMS, records, PUBLISHED),
        image_tables.differences(ARMS, records, PAIRS),
    ]


def draw(figure: Any, records: Sequence[Record]) -> None:
    """Draw Figure 2, loss and accuracy by epoch, and paired differences."""
    image_panels.draw(figure, ARMS, records, PAIRS)


def explain(config: ImageConfig, checkpoints: Checkpoints) -> Explanation:
    """Look at the gradient of the network that began with CAI."""
    return images.explain(config, checkpoints, ARMS, "cai")


TABLE4 = Experiment(
    id="cai.table4",
    recipe="cai.plateau",
    title="SVHN from CAI, He normal, He uniform and Glorot normal",
    paper=PAPER,
    presets=PRESETS,
    datasets=("digits", "mnist", "svhn"),
    published_datasets=("svhn",),
    arms=tuple(ARMS),
    claims=_claims(),
    prepare=images.prepare,
    train=train,
    tables=tables,
    draw=draw,
    figure_size=(14, 5.2),
    explain=explain,
    aliases=("cai.fig2",),
)

"""Table 3 and Figure 1: CIFAR-10 from CAI, He normal and orthogonal matrices.

Each with and without SoftTarget. The paper does not give the scale of its orthogonal
matrices; 1.1 was the default of the library that it used. As relu halves the signal,
sqrt 2 is the scale that keeps it, and an arm of its own.

At `small` the network is WRN-10-1, on a part of the images for some epochs, without
dropout, which is for networks that overfit; its rate is higher and falls in the same
ratios.
"""

from collections.abc import Sequence
from typing import Any

from models.conv_aware_init import image_panels, image_tables, images
from models.conv_aware_init.common import PAPER, SPEED
from models.conv_aware_init.image_claims import (
    TABLE3_ACCURACY,
    TABLE3_LOSS,
    ImageClaims,
    pairs_of,
    where,
)
from models.conv_aware_init.images import Arm, Checkpoints, ImageConfig
from models.experiments.claims import Claim, Near, Ordered, Record
from models.experiments.config import Preset
from models.experiments.experiment import Experiment, Explanation
from models.experiments.pool import Hooks, Job
from models.experiments.tables import Table

RECIPE = "cai.wide_resnet"
ARMS = {
    "cai_soft": Arm("cai", soft=True),
    "he_normal_soft": Arm("he_normal", soft=True),
    "orthogonal_11_soft": Arm("orthogonal_11", soft=True),
    "cai": Arm("cai"),
    "he_normal": Arm("he_normal"),
    "orthogonal_11": Arm("orthogonal_11"),
    "orthogonal_sqrt2": Arm("orthogonal_sqrt2"),
}
PUBLISHED = {"last_test_accuracy": TABLE3_ACCURACY, "last_test_loss": TABLE3_LOSS}
TINY = ImageConfig(
    dataset="digits",
    depth=10,
    width=1,
    dropout=0.0,
    epochs=3,
    rates=((0, 0.05), (2, 0.01)),
    burn_in=1,
    batch_size=32,
    max_examples=480,
    max_test=160,
    validation_share=1 / 6,
    image_size=8,
    shift=1,
    flip=False,
)
PRESETS = {
    "tiny": Preset(TINY, 2, "seconds, offline"),
    "small": Preset(
        ImageConfig(
            dataset="cifar10",
            depth=10,
            width=1,
            dropout=0.0,
            epochs=6,
            rates=((0, 0.05), (3, 0.01), (5, 0.002)),
            burn_in=2,
            batch_size=64,
            max_examples=3300,
            max_test=2000,
            validation_share=1 / 11,
        ),
        6,
        "WRN-10-1 on 3,000 images",
    ),
    "full": Preset(
        ImageConfig(
            dataset="cifar10",
            epochs=200,
            rates=((0, 0.01), (60, 0.002), (120, 0.0004), (160, 0.00008)),
        ),
        5,
        "the paper's WRN-28-10",
    ),
}


PAIRS = [*pairs_of(ARMS, "cai_soft"), *pairs_of(ARMS, "cai")]
CLAIMS = ImageClaims("Table 3", "cifar10", ARMS)
SQRT2 = "orthogonal_sqrt2"


def _published() -> tuple[Claim, ...]:
    """Orders of Table 3 by accuracy and by loss, its numbers, and who is faster."""
    make = CLAIMS
    pairs = [pair for pair in PAIRS if SQRT2 not in pair]
    softened = [(f"{arm}_soft", arm) for arm in ("cai", "he_normal", "orthogonal_11")]
    scale = where("cifar10", "small", "full")
    return (
        *(make.more_accurate(*pair, TABLE3_ACCURACY) for pair in pairs),
        *(make.lower_loss(*pair, TABLE3_LOSS) for pair in pairs),
        *(make.more_accurate(*pair, TABLE3_ACCURACY) for pair in softened),
        *(make.lower_loss(*pair, TABLE3_LOSS) for pair in softened),
        *(make.reaches(arm, number) for arm, number in TABLE3_ACCURACY.items()),
        *(make.faster("cai", arm, **scale) for arm in ("he_normal", "orthogonal_11")),
    )


def _controls() -> tuple[Claim, ...]:
    """What the paper does not say, but a reader should know."""
    make, last = CLAIMS, "last_test_loss"
    speed = make.of("cai", SPEED), make.of("he_normal", SPEED)
    guess = tuple((make.of(arm, last), 2.0) for arm in ARMS)
    return (
        make.control(
            "CAI and He normal learn alike: the means of their losses over all epochs "
            "differ by less than 0.05 nats",
            Near(*speed, 0.05),
            form=".4f",
        ),
        make.control(
            "with batch norm the scale of orthogonal matrices matters little: the last "
            "losses of 1.1 and sqrt 2 differ by less than 0.05 nats",
            Near(make.of("orthogonal_11", last), make.of(SQRT2, last), 0.05),
            form=".4f",
        ),
        make.control(
            "every initialization learns: all losses are below 2.0; a guess costs "
            "2.303",
            Ordered(guess, (0.0,) * len(guess)),
            form=".3f",
        ),
    )


def train(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Train the network of an arm; see images.train."""
    return images.train(job, hooks, ARMS)


def tables(records: Sequence[Record]) -> list[Table]:
    """Table 3, measured beside published, and differences under the same seed."""
    return [
        image_tables.accuracies("Table 3", ARMS, records, PUBLISHED),
        image_tables.differences(ARMS, records, PAIRS),
    ]


def draw(figure: Any, records: Sequence[Record]) -> None:
    """Draw Figure 1, loss and accuracy by epoch, and paired differences."""
    image_panels.draw(figure, ARMS, records, PAIRS)


def explain(config: ImageConfig, checkpoints: Checkpoints) -> Explanation:
    """Look at the gradient of the network that began with CAI."""
    return images.explain(config, checkpoints, ARMS, "cai")


TABLE3 = Experiment(
    id="cai.table3",
    recipe=RECIPE,
    title="CIFAR-10 from CAI, He normal and orthogonal, with and without SoftTarget",
    paper=PAPER,
    presets=PRESETS,
    datasets=("digits", "cifar10"),
    published_datasets=("cifar10",),
    arms=tuple(ARMS),
    claims=(*_published(), *_controls()),
    prepare=images.prepare,
    train=train,
    tables=tables,
    draw=draw,
    figure_size=(14, 5.2),
    explain=explain,
    aliases=("cai.fig1",),
)

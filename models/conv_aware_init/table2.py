"""Table 2: CIFAR-10 and CIFAR-100, wide residual networks of the paper's own.

Its other rows are quoted from other papers, of networks that were trained otherwise,
and are not run; "Wide ResNet (our tests)" is He normal without SoftTarget. Settings for
CIFAR-100 are not given; here they are those for CIFAR-10, whose networks are Table 3's.
"""

from collections.abc import Sequence
from typing import Any

from models.conv_aware_init import image_panels, image_tables, images
from models.conv_aware_init.common import PAPER
from models.conv_aware_init.image_claims import TABLE2 as NUMBERS
from models.conv_aware_init.image_claims import ImageClaims
from models.conv_aware_init.images import Checkpoints, ImageConfig
from models.conv_aware_init.table3 import ARMS as ALL
from models.conv_aware_init.table3 import PRESETS, RECIPE, train
from models.experiments.claims import Claim, Record
from models.experiments.experiment import Experiment, Explanation
from models.experiments.tables import Table

ARMS = {arm: ALL[arm] for arm in ("cai_soft", "he_normal_soft", "he_normal")}
PAIRS = [("cai_soft", "he_normal_soft"), ("he_normal_soft", "he_normal")]
WORDS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}


def _claims(dataset: str) -> tuple[Claim, ...]:
    make, numbers = ImageClaims("Table 2", dataset, ARMS), NUMBERS[dataset]
    return (
        *(make.more_accurate(*pair, numbers) for pair in PAIRS),
        *(make.reaches(arm, number) for arm, number in numbers.items()),
    )


def tables(records: Sequence[Record]) -> list[Table]:
    """Table 2: both published columns, and what was measured on one data set."""
    table = image_tables.accuracies("Table 2", ARMS, records, {})
    column = table.header.index("accuracy %, published")
    rows = tuple(
        (row[0], *(f"{NUMBERS[name][arm]:.2f}" for name in NUMBERS), *row[column + 1 :])
        for arm, row in zip(ARMS, table.rows, strict=True)
    )
    published = tuple(f"accuracy %, published, {WORDS[name]}" for name in NUMBERS)
    header = (table.header[0], *published, *table.header[column + 1 :])
    return [
        Table(table.title, header, rows),
        image_tables.differences(ARMS, records, PAIRS),
    ]


def draw(figure: Any, records: Sequence[Record]) -> None:
    """Draw loss and accuracy by epoch, and paired differences."""
    image_panels.draw(figure, ARMS, records, PAIRS)


def explain(config: ImageConfig, checkpoints: Checkpoints) -> Explanation:
    """Look at the gradient of the network that began with CAI."""
    return images.explain(config, checkpoints, ARMS, "cai_soft")


TABLE2 = Experiment(
    id="cai.table2",
    recipe=RECIPE,
    title="CIFAR-10 and CIFAR-100 from CAI and He normal with SoftTarget",
    paper=PAPER,
    presets=PRESETS,
    datasets=("digits", "cifar10", "cifar100"),
    published_datasets=("cifar10", "cifar100"),
    arms=tuple(ARMS),
    claims=tuple(claim for dataset in NUMBERS for claim in _claims(dataset)),
    prepare=images.prepare,
    train=train,
    tables=tables,
    draw=draw,
    figure_size=(14, 5.2),
    explain=explain,
)

"""Tables 2 to 5: LayerOut on CIFAR-10 and CIFAR-100, with VGG-16 and ResNet-110.

The paper states the highest test accuracy over the epochs, of one run, with and without
random erasing; the last epoch's stands beside it, and decides. Its published scripts
give the baseline of ResNet-110 other rates than LayerOut (multiplied by 0.1 at epochs
4, 82 and 123, where LayerOut's are set to 0.1, 0.01, 0.001), and less weight decay.
Here all arms have LayerOut's; "baseline, the code's rates" shows what the others do.

As in the code, nothing but linear layers follows VGG's convolutions. Its scripts for
CIFAR-100 step the rates every 50 epochs, and freeze by dfreeze's probabilities under
the name of efreeze; here CIFAR-100 is trained as CIFAR-10, as the paper says. Public
code for the same ResNet, with rates of its own, states 94.90 and 76.27 % without any
freezing, more than the paper's baselines.

At `small` the networks are small members of the same families, on a part of the images
at half their resolution; freeze probabilities of VGG then fall or rise in equal steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from minigrad import nn
from models.experiments.claims import Record
from models.experiments.config import Preset
from models.experiments.experiment import Experiment, Explanation
from models.experiments.pool import Hooks, Job
from models.experiments.tables import Table
from models.layerout import common, panels, training
from models.layerout import tables as shared
from models.layerout.arms import ARMS, Arm, chosen
from models.layerout.cifar_claims import (
    RESNET,
    RESNET_FROZEN,
    VGG,
    VGG_FROZEN,
    resnet_claims,
    vgg_claims,
)
from models.layerout.common import PAPER, Checkpoints, TrainingConfig, prepare
from models.layerout.training import FreezingTraining
from models.networks.resnet import resnet
from models.networks.vgg import VGG16, Plan, vgg

_VGG_NAMES = ("baseline", "dfreeze", "efreeze")
_RESNET_NAMES = ("baseline", "since_start", "warm_up")
VGG_ARMS = chosen(*_VGG_NAMES, *(f"{name}_re" for name in _VGG_NAMES))
RESNET_ARMS = chosen(
    *_RESNET_NAMES, *(f"{name}_re" for name in _RESNET_NAMES), "baseline_code"
)


@dataclass(frozen=True, kw_only=True)
class VggConfig(TrainingConfig):
    """One scale of Tables 2 and 4.

    Attributes:
        plan: filters of the convolutions, "M" for a pooling.
        dense: widths of the hidden dense layers.
    """

    plan: Plan = VGG16
    dense: tuple[int, ...] = (4096, 4096)


@dataclass(frozen=True, kw_only=True)
class ResNetConfig(TrainingConfig):
    """One scale of Tables 3 and 5.

    Attributes:
        blocks: bottleneck blocks of each group; 18 each are what the published code
            calls ResNet-110.
        widths: of the 3x3 convolutions of each group.
    """

    blocks: tuple[int, ...] = (18, 18, 18)
    widths: tuple[int, ...] = (16, 32, 64)


_TINY: Any = {
    "dataset": "digits",
    "epochs": 3,
    "warm_up": 1,
    "batch_size": 32,
    "max_examples": 480,
    "max_test": 160,
    "image_size": 8,
    "shift": 1,
    "flip": False,
}
_SMALL: Any = {
    "epochs": 16,
    "warm_up": 3,
    "batch_size": 64,
    "max_examples": 3300,
    "max_test": 1000,
    "validation_share": 1 / 11,
    "image_size": 16,
    "shift": 2,
}


def vgg_presets(dataset: str) -> dict[str, Preset]:
    """Scales of Tables 2 and 4; the last is the paper's."""
    tiny = VggConfig(
        **_TINY, rates=((0, 0.02), (2, 0.002)), plan=(8, "M", 16, 16, "M"), dense=(32,)
    )
    small = VggConfig(
        **_SMALL,
        dataset=dataset,
        rates=((0, 0.01), (8, 0.001), (12, 0.0001)),
        plan=(*(16, 16, "M"), *(32, 32, "M"), *(64, 64, "M")),
        dense=(256, 256),
    )
    full = VggConfig(
        dataset=dataset,
        epochs=300,
        warm_up=20,
        rates=((0, 0.1), (150, 0.01), (225, 0.001)),
        validation_share=1 / 50,
    )
    return _presets(tiny, small, full)


def resnet_presets(dataset: str) -> dict[str, Preset]:
    """Scales of Tables 3 and 5; the last is the paper's."""
    tiny = ResNetConfig(
        **_TINY,
        rates=((0, 0.01), (1, 0.1), (2, 0.01)),
        blocks=(1, 1, 1),
        widths=(4, 8, 8),
    )
    small = ResNetConfig(
        **_SMALL,
        dataset=dataset,
        rates=((0, 0.01), (1, 0.1), (8, 0.01), (12, 0.001)),
        blocks=(1, 1, 1),
        widths=(8, 16, 32),
    )
    full = ResNetConfig(
        dataset=dataset,
        epochs=164,
        warm_up=20,
        batch_size=32,
        rates=((0, 0.01), (4, 0.1), (82, 0.01), (123, 0.001)),
        validation_share=1 / 50,
    )
    return _presets(tiny, small, full)


def _presets(tiny: Any, small: Any, full: Any) -> dict[str, Preset]:
    return {
        "tiny": Preset(tiny, 2, "seconds, offline"),
        "small": Preset(small, 3, "a small member of the family, a part of the images"),
        "full": Preset(full, 3, "the paper's"),
    }


# -- networks --------------------------------------------------------------------------


def build_vgg(config: VggConfig, arm: str, seed: int) -> FreezingTraining:
    """Build a VGG with batch norm, and what trains and freezes it."""
    examples = common.examples_of(config)
    model = vgg(
        config.plan,
        in_channels=examples.train.images.shape[1],
        image_size=examples.train.images.shape[2],
        hidden=config.dense,
        classes=examples.num_classes,
        dense_activation=nn.Identity,
        batch_norm=True,
        dense_batch_norm=False,
        norm_bias=True,
        seed=seed,
    )
    return training.build(config, VGG_ARMS[arm], seed, model)


def build_resnet(config: ResNetConfig, arm: str, seed: int) -> FreezingTraining:
    """Build a ResNet of bottlenecks, and what trains and freezes it."""
    examples = common.examples_of(config)
    model = resnet(
        config.blocks,
        block="bottleneck",
        widths=config.widths,
        shortcut="conv",
        in_channels=examples.train.images.shape[1],
        classes=examples.num_classes,
        seed=seed,
    )
    if arm == "baseline_code":
        config = as_code(config)
    return training.build(config, RESNET_ARMS[arm], seed, model)


def as_code(config: ResNetConfig) -> ResNetConfig:
    """Give the rates and the weight decay of the published baseline.

    Each step multiplies by 0.1, where LayerOut's first multiplies by 10.
    """
    first = config.rates[0][1]
    rates = [(epoch, first * 0.1**step) for step, (epoch, _) in enumerate(config.rates)]
    return replace(config, rates=tuple(rates), weight_decay=1e-4)


# -- tables ----------------------------------------------------------------------------


def _experiment(
    table: int, dataset: str, network: str, arms: dict[str, Arm], **parts: Any
) -> Experiment:
    """Make one of Tables 2 to 5, which differ in network and data set."""
    build, numbers, frozen = parts["build"], parts["numbers"], parts["frozen"]

    def tables(records: Sequence[Record]) -> list[Table]:
        return [
            shared.accuracies(f"Table {table}", arms, records, numbers),
            shared.savings(arms, records, frozen),
        ]

    def draw(figure: Any, records: Sequence[Record]) -> None:
        shown = tuple(name for name in arms if not ARMS[name].erase)
        panels.accuracies_and_savings(figure, arms, records, numbers, shown)

    def explain(config: Any, checkpoints: Checkpoints) -> Explanation:
        arm = next(name for name in reversed(arms) if arms[name].v is not None)
        made = build(config, arm, 0)
        return training.explain(made, checkpoints[arm], arms[arm].label)

    return Experiment(
        id=f"layerout.table{table}",
        recipe=parts["recipe"],
        title=f"test accuracy on {dataset} of {network} with frozen layers",
        paper=PAPER,
        presets=parts["presets"],
        datasets=("digits", dataset),
        published_datasets=(dataset,),
        arms=tuple(arms),
        claims=parts["claims"],
        prepare=prepare,
        train=parts["train"],
        tables=tables,
        draw=draw,
        figure_size=(14, 5.4),
        explain=explain,
    )


def train_vgg(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Train a VGG, and say what freezing saved."""
    return training.train(job, hooks, build_vgg)


def train_resnet(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Train a ResNet, and say what freezing saved."""
    return training.train(job, hooks, build_resnet)


def _of_vgg(table: int, dataset: str) -> Experiment:
    return _experiment(
        table,
        dataset,
        "VGG-16",
        VGG_ARMS,
        recipe="layerout.vgg",
        build=build_vgg,
        train=train_vgg,
        presets=vgg_presets(dataset),
        numbers=VGG[dataset],
        frozen=VGG_FROZEN[dataset],
        claims=vgg_claims(f"Table {table}", dataset),
    )


def _of_resnet(table: int, dataset: str) -> Experiment:
    return _experiment(
        table,
        dataset,
        "ResNet-110",
        RESNET_ARMS,
        recipe="layerout.resnet",
        build=build_resnet,
        train=train_resnet,
        presets=resnet_presets(dataset),
        numbers=RESNET[dataset],
        frozen=RESNET_FROZEN[dataset],
        claims=resnet_claims(f"Table {table}", dataset),
    )


TABLE2 = _of_vgg(2, "cifar10")
TABLE3 = _of_resnet(3, "cifar10")
TABLE4 = _of_vgg(4, "cifar100")
TABLE5 = _of_resnet(5, "cifar100")

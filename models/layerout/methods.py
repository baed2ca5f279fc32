"""The networks of Table 6: one ResNet, trained by LayerOut and by other methods."""

from dataclasses import dataclass
from typing import Any

from minigrad import nn
from minigrad.random import Streams
from models.experiments.config import Preset
from models.layerout import common, training
from models.layerout.arms import chosen
from models.layerout.blockdrop import training as blockdrop
from models.layerout.blockdrop.inference import BlockDropNet
from models.layerout.blockdrop.policy import policy_net
from models.layerout.blockdrop.training import BlockDropTraining, Recipe
from models.layerout.common import TrainingConfig
from models.layerout.training import FreezingTraining
from models.networks.resnet import ResNet, resnet

METHODS = chosen(
    *("baseline", "dropout", "drop_connect", "stochastic_depth", "block_drop"),
    "warm_up",
)
LAST_SURVIVAL = 0.5


@dataclass(frozen=True, kw_only=True)
class MethodsConfig(TrainingConfig):
    """One scale of Table 6.

    Attributes:
        blocks: basic blocks of each group.
        widths: filters of each group.
        policy_epochs, joint_epochs: of BlockDrop, behind the epochs of all methods.
        policy_batch, joint_batch: examples per step in them.
    """

    blocks: tuple[int, ...]
    widths: tuple[int, ...] = (16, 32, 64)
    policy_epochs: int
    joint_epochs: int
    policy_batch: int = 2048
    joint_batch: int = 256

    @property
    def recipe(self) -> Recipe:
        """How BlockDrop trains."""
        return Recipe(
            pretraining=self.epochs,
            policy=self.policy_epochs,
            policy_batch=self.policy_batch,
            joint_batch=self.joint_batch,
        )


PRESETS = {
    "tiny": Preset(
        MethodsConfig(
            dataset="digits",
            epochs=4,
            warm_up=1,
            rates=((0, 0.05), (3, 0.005)),
            batch_size=32,
            max_examples=640,
            max_test=160,
            image_size=8,
            shift=1,
            flip=False,
            blocks=(1, 1, 1),
            widths=(4, 8, 8),
            policy_epochs=3,
            joint_epochs=1,
            policy_batch=64,
            joint_batch=64,
        ),
        2,
        "seconds, offline",
    ),
    "small": Preset(
        MethodsConfig(
            dataset="cifar10",
            epochs=16,
            warm_up=3,
            rates=((0, 0.01), (1, 0.1), (8, 0.01), (12, 0.001)),
            batch_size=64,
            max_examples=3300,
            max_test=1000,
            validation_share=1 / 11,
            image_size=16,
            shift=2,
            blocks=(2, 2, 2),
            widths=(8, 16, 32),
            policy_epochs=10,
            joint_epochs=4,
            policy_batch=128,
            joint_batch=64,
        ),
        3,
        "a small ResNet, a part of the images",
    ),
    "full": Preset(
        MethodsConfig(
            dataset="cifar10",
            epochs=164,
            warm_up=20,
            rates=((0, 0.01), (4, 0.1), (82, 0.01), (123, 0.001)),
            validation_share=1 / 50,
            blocks=(18, 18, 18),
            policy_epochs=5000,
            joint_epochs=2000,
        ),
        3,
        "ResNet-110; the paper quotes three of its rows",
    ),
}


# -- networks --------------------------------------------------------------------------


def network(config: MethodsConfig, arm: str, streams: Streams, seed: int) -> ResNet:
    """Build the ResNet of a method; all start from the same weights."""
    examples = common.examples_of(config)
    count = sum(config.blocks)
    random = arm == "stochastic_depth"
    model = resnet(
        config.blocks,
        widths=config.widths,
        in_channels=examples.train.images.shape[1],
        classes=examples.num_classes,
        survivals=nn.residual.linear_decay(count, LAST_SURVIVAL) if random else None,
        streams=streams,
        seed=seed,
    )
    parts = dict(model.head.named_children())
    if arm == "dropout":
        output = parts.pop("output")
        parts |= {"dropout": nn.Dropout(0.5, rng=streams), "output": output}
    if arm == "drop_connect":
        linear: Any = parts["output"]
        sizes = linear.in_features, linear.out_features
        parts["output"] = nn.DropConnectLinear(*sizes, p=0.5, rng=streams)
        parts["output"].load_state_dict(linear.state_dict())
    model.head = nn.Sequential(parts)
    return model


def build(config: MethodsConfig, arm: str, seed: int) -> FreezingTraining:
    """Build what trains the network of a method, but BlockDrop's."""
    streams = Streams(seed)
    model = network(config, arm, streams, seed)
    return training.build(config, METHODS[arm], seed, model, streams)


def build_block_drop(config: MethodsConfig, seed: int) -> BlockDropTraining:
    """Build what trains the baseline's network, then a policy, then both."""
    net = network(config, "block_drop", Streams(seed), seed)
    channels = common.examples_of(config).train.images.shape[1]
    policy = policy_net(
        sum(config.blocks), in_channels=channels, widths=config.widths, seed=seed
    )
    return blockdrop.build(config, config.recipe, BlockDropNet(net, policy), seed)

"""CIFAR-100: 50,000 + 10,000 colour images, 32x32, in the official binary files.

Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009,
https://www.cs.toronto.edu/~kriz/cifar.html. Every image has a fine label, one of 100
classes, and a coarse one, one of 20 superclasses of five classes each. Files lie in
ROOT/cifar-100-binary, in ROOT itself, or packed as published in
ROOT/cifar-100-binary.tar.gz, which is read without unpacking it, in a few seconds.

What is verified: sha256 of train.bin and test.bin, unpacked or packed; that the labels
of both kinds are in range; and that the two lists of names, which may be absent, are
those below. The archive itself is verified, by the md5 of that page, when it is
downloaded; one that was put there by hand is judged by what is inside.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from datasets._cifar_sets import CifarSet, Labels
from datasets._errors import DataError
from datasets._fetch import RemoteFile
from datasets._records import Dataset

NAME = "cifar100"
# One name a line, as in the two files, would be 120 lines.
CLASS_NAMES: tuple[str, ...] = tuple(
    """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge
    bus butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud
    cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish forest fox
    girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man
    maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree
    pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray
    road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel
    streetcar sunflower sweet_pepper table tank telephone television tiger tractor train
    trout tulip turtle wardrobe whale willow_tree wolf woman worm
    """.split()  # noqa: SIM905
)
COARSE_NAMES: tuple[str, ...] = tuple(
    """
    aquatic_mammals fish flowers food_containers fruit_and_vegetables
    household_electrical_devices household_furniture insects large_carnivores
    large_man-made_outdoor_things large_natural_outdoor_scenes
    large_omnivores_and_herbivores medium_mammals non-insect_invertebrates people
    reptiles small_mammals trees vehicles_1 vehicles_2
    """.split()  # noqa: SIM905
)
FOLDER = "cifar-100-binary"
ARCHIVE = "cifar-100-binary.tar.gz"

# As torchvision for Ruby checks them (github.com/ankane/torchvision-ruby, cifar100.rb,
# whose values for CIFAR-10 are those of cifar.py); test_cifar100 ties them to the sha1
# that MXNet checks.
CHECKSUMS: Mapping[str, str] = MappingProxyType(
    {
        "train.bin": "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29",
        "test.bin": "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a",
    }
)
_KINDS = ("coarse", "fine")  # in the order of their bytes in a record
_SET = CifarSet(
    name=NAME,
    module=__name__,
    folder_name=FOLDER,
    archive=RemoteFile(ARCHIVE, "md5:03b5dce01913d631647c71ecec9e9cb8"),
    train=("train.bin",),
    test=("test.bin",),
    labels=(
        Labels(COARSE_NAMES, "coarse_label_names.txt", "coarse"),
        Labels(CLASS_NAMES, "fine_label_names.txt", "fine"),
    ),
)


def load(
    root: str | os.PathLike[str] | None = None,
    *,
    download: bool = False,
    checksums: Mapping[str, str] | None = CHECKSUMS,
    labels: Literal["fine", "coarse"] = "fine",
) -> Dataset:
    """Load CIFAR-100, images (N, 3, 32, 32), channels red, green, blue.

    `labels` are the 100 classes, "fine", or the 20 superclasses, "coarse".
    `download` fetches ROOT/cifar-100-binary.tar.gz, 161 MiB, first if files are
    missing. `checksums` maps file names to sha256; None reads any files of the format,
    of any N. Raises DataError if a file is missing, damaged or not the official one,
    names the classes in another order, or `labels` is neither.
    """
    if labels not in _KINDS:
        raise DataError(
            f"{NAME}: labels is {labels!r}, expected 'fine' (100 classes) or 'coarse' "
            "(20 superclasses)"
        )
    return _SET.load(
        root,
        download=download,
        checksums=checksums,
        label_byte=_KINDS.index(labels),
    )


def folder(root: str | os.PathLike[str] | None = None) -> Path:
    """Folder of the unpacked files: ROOT/cifar-100-binary; see data_root."""
    return _SET.folder(root)


def missing(root: str | os.PathLike[str] | None = None) -> tuple[str, ...]:
    """Names of the files that lie nowhere; none if the published archive is there."""
    return _SET.missing(root)

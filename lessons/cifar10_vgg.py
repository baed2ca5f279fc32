# %% [markdown]
# # A convolutional network on CIFAR-10, on two cores
#
# Nothing here but NumPy computes: a small VGG with batch norm learns to tell ten kinds
# of things apart in 50,000 real photographs of 32x32 pixels. The goal: at least 70 % of
# the 10,000 test images right, in less than 15 minutes on two cores.
#
# From the root of the repository:
#
#     python -m lessons.cifar10_vgg
#
# Options: -h. The data is read from $MINIGRAD_DATA, else from ~/.cache/minigrad. What
# the run printed last is in results/cifar10_vgg.json, and as a figure beside it.

# %%
"""Train a small VGG on CIFAR-10; print, draw and file what it learns."""

import argparse
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import minigrad as mg
from datasets import DataError, Dataset, Loader, augment, cifar, console
from minigrad import functional as F
from minigrad import nn, optim
from models.experiments.figures import COLOURS, save_figure
from models.experiments.manifest import commit, hardware, now, versions
from models.experiments.results import write_json
from models.networks.vgg import SMALL, Plan, vgg

GOAL = 70  # % of the test images

Stats = tuple[Any, Any]
"""Mean and standard deviation of each channel of the training images."""

# %% [markdown]
# ## What is chosen before the run
#
# Six convolutions of 32 to 128 filters, 308,000 weights. The learning rate rises for a
# fifth of the steps, while the first weights still throw it off, and then falls to 0 in
# a straight line (Smith & Topin 2017, arXiv:1708.07120, in its simplest form). The
# result is the accuracy after the last epoch, not the best one.


# %%
@dataclass(frozen=True)
class Settings:
    """Everything the numbers depend on, besides the data.

    peak_lr is per step, for the mean loss of a batch; warm_up is the share of the steps
    before the peak.
    """

    plan: Plan = SMALL
    epochs: int = 5
    batch_size: int = 128
    peak_lr: float = 0.05
    warm_up: float = 0.2
    momentum: float = 0.9
    weight_decay: float = 5e-4
    seed: int = 0


# %% [markdown]
# ## The images
#
# Each time an image comes up it is shifted by up to 4 pixels and mirrored half of the
# time, so the network never sees the same pixels twice. A thread prepares the next
# batches while this one is trained on; which shift an image gets follows from the seed,
# the epoch and the number of the batch alone.


# %%
def training_batches(data: Dataset, stats: Stats, settings: Settings) -> Loader:
    """Shuffled, augmented, normalised batches of the training part."""

    def prepare(images: Any, rng: np.random.Generator) -> Any:
        images = augment.random_crop(images, rng, pad=4)
        images = augment.random_flip(images, rng)
        return augment.normalise(images, *stats)

    return Loader(
        (data.train.images, data.train.labels),
        settings.batch_size,
        seed=settings.seed,
        transform=prepare,
        drop_last=True,
    )


# %% [markdown]
# ## Training


# %%
def one_cycle(share: float, warm_up: float) -> float:
    """Factor of the learning rate after `share` of the steps: up to 1, down to 0."""
    return share / warm_up if share < warm_up else (1 - share) / (1 - warm_up)


class Clock:
    """Says every 100 steps how far a training is, and how long it will take."""

    def __init__(self, steps: int) -> None:
        self.steps, self.done, self.start = steps, 0, time.perf_counter()

    def seconds(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.start

    def step(self, loss: float) -> None:
        """Count a step of a batch with this loss."""
        self.done += 1
        if self.done % 100 == 0:
            left = self.seconds() / self.done * (self.steps - self.done)
            print(
                f"  step {self.done} of {self.steps}, loss {loss:.2f}, "
                f"ETA {clock_time(left)}",
                flush=True,
            )


def clock_time(seconds: float) -> str:
    """Minutes and seconds, rounded up."""
    minutes, seconds = divmod(math.ceil(seconds), 60)
    return f"{minutes}:{seconds:02d}"


def train(data: Dataset, settings: Settings) -> Iterator[dict[str, float]]:
    """Train a new network; yield the record of each epoch when it is done."""
    stats = augment.channel_stats(data.train.images)
    model = vgg(settings.plan, batch_norm=True, seed=settings.seed)
    loader = training_batches(data, stats, settings)
    optimizer = optim.SGD(
        model.parameters(),
        lr=settings.peak_lr,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        nesterov=True,
    )
    steps = settings.epochs * len(loader)
    schedule = optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: one_cycle(step / steps, settings.warm_up)
    )
    clock = Clock(steps)
    for epoch in range(settings.epochs):
        model.train()
        total = 0.0
        for images, labels in loader.epoch(epoch):
            loss = F.cross_entropy(model(mg.tensor(images)), mg.tensor(labels))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
            clock.step(loss.item())
        record = {"train_loss": total / len(loader)} | evaluate(model, data, stats)
        yield record | {"seconds": clock.seconds()}


def evaluate(model: nn.Module, data: Dataset, stats: Stats) -> dict[str, float]:
    """Mean loss in nats, and the percentage of the test images that are right."""
    model.eval()
    loss, right = 0.0, 0
    images, labels = data.test.images, data.test.labels
    with mg.no_grad():
        for x, t in Loader((images, labels), 500, seed=0, shuffle=False).epoch(0):
            logits = model(mg.tensor(augment.normalise(x, *stats)))
            loss += F.cross_entropy(logits, mg.tensor(t), reduction="sum").item()
            right += int((logits.numpy().argmax(1) == t).sum())
    count = len(data.test)
    return {"test_loss": loss / count, "test_accuracy": 100 * right / count}


# %% [markdown]
# ## What it learned
#
# The training loss is a mean over the epoch, on shifted and mirrored images, while the
# network is still changing; that is why the test loss can lie below it.


# %%
def draw(history: Sequence[dict[str, float]], path: Path) -> None:
    """Draw the losses and the test accuracy by epoch, as PNG."""
    epochs = range(1, len(history) + 1)

    def fill(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        for name, colour in (("train", COLOURS[1]), ("test", COLOURS[0])):
            losses = [record[f"{name}_loss"] for record in history]
            left.plot(epochs, losses, marker="o", color=colour, label=name)
        left.set(xlabel="epoch", ylabel="cross-entropy (nats)", xticks=epochs)
        left.legend()
        accuracies = [record["test_accuracy"] for record in history]
        right.plot(epochs, accuracies, marker="o", color=COLOURS[0])
        right.axhline(GOAL, color="#777777", linestyle=":", label=f"goal: {GOAL} %")
        right.set(xlabel="epoch", ylabel="test accuracy (%)", xticks=epochs)
        right.legend(loc="lower right")

    save_figure(path, fill, (9, 3.5))


def run(data: Dataset, settings: Settings, out: Path, *, official: bool) -> float:
    """Train, print and file the result; return the accuracy after the last epoch."""
    started = now()
    # Now, not after minutes of training, is the time to learn that it cannot be.
    out.mkdir(parents=True, exist_ok=True)
    print(
        f"{settings.epochs} epochs of {len(data.train)} images, then "
        f"{len(data.test)} to test on",
        flush=True,
    )
    history: list[dict[str, float]] = []
    for record in train(data, settings):
        history.append(record)
        print(
            f"epoch {len(history)} of {settings.epochs}: "
            f"train loss {record['train_loss']:.3f}, "
            f"test loss {record['test_loss']:.3f}, "
            f"test accuracy {record['test_accuracy']:.2f} %, "
            f"{clock_time(record['seconds'])} so far",
            flush=True,
        )
    accuracy = history[-1]["test_accuracy"]
    draw(history, out / "cifar10_vgg.png")
    write_json(
        out / "cifar10_vgg.json",
        {
            "settings": asdict(settings),
            "data": {
                "name": data.name,
                "train": len(data.train),
                "test": len(data.test),
                "official_files": official,
            },
            "epochs": history,
            "test_accuracy": accuracy,
            "seconds": history[-1]["seconds"],
            "versions": versions(),
            "hardware": hardware(),
            "commit": commit(),
            "started_time": started,
        },
    )
    reached = "reached" if accuracy >= GOAL else "missed"
    print(f"goal of {GOAL} %: {reached}; figure and numbers are in {out}")
    return accuracy


# %%
def main(argv: Sequence[str] | None = None) -> int:
    """Run the lesson; returns the exit status, errors are one line on stderr."""
    return console.run(lambda: _answer(argv))


def _answer(argv: Sequence[str] | None) -> int:
    try:
        options = _options(argv)
        # Copies that went through JPEG, say, will do for a lesson; the file says so.
        data, official = cifar.load(checksums=None), cifar.is_official()
        if not official:
            print(
                f"cifar10: {cifar.folder()} does not hold the published files (`python "
                "-m datasets check cifar10` names one), so the accuracy is not to be "
                "compared with published ones",
                file=sys.stderr,
            )
        settings = Settings(epochs=options.epochs, seed=options.seed)
        run(data, settings, options.out, official=official)
    except console.UsageError as error:
        return console.fail(str(error), 2)
    except (DataError, OSError) as error:
        return console.fail(str(error), 1)
    except KeyboardInterrupt:
        return console.fail("interrupted; nothing is kept of this run", 130)
    return 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = console.Parser(
        prog="python -m lessons.cifar10_vgg",
        description="Train a small VGG on CIFAR-10 and print what it learns.",
    )
    add = parser.add_argument
    add("--epochs", type=int, default=Settings.epochs, metavar="N", help="default: 5")
    add("--seed", type=int, default=Settings.seed, metavar="S", help="default: 0")
    results = Path(__file__).parent / "results"
    where = "folder of the figure and the numbers (default: lessons/results)"
    add("--out", type=Path, default=results, metavar="FOLDER", help=where)
    options = parser.parse_args(argv)
    if options.epochs < 1:
        parser.error(f"--epochs is {options.epochs}, expected at least 1")
    return options


if __name__ == "__main__":
    sys.exit(main())

"""Checkpoints: all that a training needs to go on as if it had never stopped."""

from pathlib import Path
from typing import Any, Protocol

from minigrad import nn, optim
from minigrad.errors import FileFormatError
from minigrad.optim.lr_scheduler import ReduceLROnPlateau
from minigrad.random import Streams
from minigrad.serialization import load_training_state, save_training_state
from models.experiments.data import Examples
from models.experiments.errors import RunError
from models.experiments.pool import Job


class Trained(Protocol):
    """What has a state: see models.experiments.loop.Training."""

    optimizer: optim.Optimizer
    scheduler: ReduceLROnPlateau | None
    streams: Streams
    examples: Examples

    @property
    def saved(self) -> nn.Module:
        """What parameters and buffers are of."""
        ...


def save(training: Trained, job: Job, history: list[dict[str, Any]]) -> None:
    """Write the state after an epoch, whole or not at all."""
    save_training_state(
        job.checkpoint,
        model=training.saved,
        optimizer=training.optimizer,
        scheduler=training.scheduler,
        streams=training.streams,
        extra={**_identity(training, job), "history": history},
    )


def load(training: Trained, job: Job) -> list[dict[str, Any]]:
    """Put training into the state of its checkpoint and return the history so far.

    Without a checkpoint nothing changes, and the history is empty. Raises RunError if
    the checkpoint is damaged or of another configuration.
    """
    if not job.checkpoint.exists():
        return []
    try:
        extra = restore(training, job.checkpoint)
    except FileFormatError as error:
        raise RunError(
            f"{error}, or delete it to train {job.arm}, seed {job.seed}, from the start"
        ) from None
    expected = _identity(training, job)
    found = {name: extra.get(name) for name in expected}
    if found != expected:
        raise RunError(
            f"{job.checkpoint} is a checkpoint of {found}, expected {expected}; "
            "delete it and run anew"
        )
    return extra["history"]


def restore(training: Trained, path: Path) -> dict[str, Any]:
    """Put training into the state that a checkpoint holds; return what came with it."""
    return load_training_state(
        path,
        model=training.saved,
        optimizer=training.optimizer,
        scheduler=training.scheduler,
        streams=training.streams,
    )


def _identity(training: Trained, job: Job) -> dict[str, Any]:
    return {
        "training_hash": job.training_hash,
        "arm": job.arm,
        "seed": job.seed,
        # Nobody shall take a network that was trained on a copy for one that was not.
        "official_files": training.examples.official,
    }

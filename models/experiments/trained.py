"""What experiments do with a network: train and measure it, look at its gradient."""

import time
from collections.abc import Callable
from typing import Any

import numpy

from minigrad.backend import use_backend
from minigrad.inspect import Flow, gradient_flow
from models.experiments.loop import Training, fit
from models.experiments.metrics import summarize
from models.experiments.pool import Hooks, Job

Build = Callable[[Any, str, int], Training]
"""(config, arm, seed) -> an untrained network with all that trains it."""
Measure = Callable[[Training, Job], dict[str, Any]]
"""What an experiment asks of a trained network: its metrics, by name."""


def train_and_measure(
    job: Job, hooks: Hooks, build: Build, measure: Measure | None = None
) -> dict[str, Any]:
    """Train the network of a job and return its metrics and its history."""
    # What overflows is seen in the loss, where it raises an error that says more.
    with use_backend(job.backend), numpy.errstate(all="ignore"):
        training = build(job.config, job.arm, job.seed)
        history = fit(training, job, hooks)
        started = time.process_time()
        measured = measure(training, job) if measure else {}
    return {
        "training_hash": job.training_hash,
        **summarize(history),
        "measuring_seconds": time.process_time() - started,
        **measured,
        "history": history,
    }


def record_flow(training: Training, size: int) -> Flow:
    """Record the backward pass of the first size training examples."""
    images, labels = training.examples.train
    training.model.train()
    with gradient_flow(training.model) as flow:
        training.loss(images[:size], labels[:size]).backward()
    return flow

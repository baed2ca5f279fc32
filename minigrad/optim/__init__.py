"""Optimizers and learning-rate schedules with PyTorch's names and formulas."""

from minigrad.optim import lr_scheduler
from minigrad.optim.adaptive import Adadelta, Adam, AdamW, RMSprop
from minigrad.optim.optimizer import Optimizer
from minigrad.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adadelta",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSprop",
    "lr_scheduler",
]

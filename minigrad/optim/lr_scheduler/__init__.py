"""Learning-rate schedules: call step() once an epoch, after the optimizer's steps.

Names, arguments and values are PyTorch's. StepLR and MultiStepLR multiply the rate that
is there, so they can be combined; CosineAnnealingLR and LambdaLR set it from the rate
at the start. To resume, make the scheduler as at first and load its state_dict.
"""

from minigrad.optim.lr_scheduler.plateau import ReduceLROnPlateau
from minigrad.optim.lr_scheduler.schedules import (
    CosineAnnealingLR,
    LambdaLR,
    LRScheduler,
    MultiStepLR,
    StepLR,
)

__all__ = [
    "CosineAnnealingLR",
    "LRScheduler",
    "LambdaLR",
    "MultiStepLR",
    "ReduceLROnPlateau",
    "StepLR",
]

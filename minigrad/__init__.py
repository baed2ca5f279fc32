"""minigrad: a neural-network engine on NumPy and CuPy that explains every gradient."""

from minigrad import functional, inspect, nn, optim, random
from minigrad.backend import use_backend
from minigrad.errors import (
    ArgumentError,
    BackendError,
    BadIndexError,
    DTypeError,
    FileFormatError,
    GradientCheckError,
    GraphError,
    MinigradError,
    NonFiniteError,
    ShapeError,
    WatchpointError,
)
from minigrad.inspect import summary
from minigrad.random import manual_seed
from minigrad.serialization import load, save
from minigrad.tape import (
    Parameter,
    Tensor,
    enable_grad,
    from_dlpack,
    is_grad_enabled,
    no_grad,
    tensor,
)

__version__ = "0.1.0"

__all__ = [
    "ArgumentError",
    "BackendError",
    "BadIndexError",
    "DTypeError",
    "FileFormatError",
    "GradientCheckError",
    "GraphError",
    "MinigradError",
    "NonFiniteError",
    "Parameter",
    "ShapeError",
    "Tensor",
    "WatchpointError",
    "__version__",
    "enable_grad",
    "from_dlpack",
    "functional",
    "inspect",
    "is_grad_enabled",
    "load",
    "manual_seed",
    "nn",
    "no_grad",
    "optim",
    "random",
    "save",
    "summary",
    "tensor",
    "use_backend",
]

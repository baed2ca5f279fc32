"""The backend switch: which array library runs, and what makes it fast."""

from minigrad.backend._blas import add_product, add_scaled, in_c_order
from minigrad.backend._elementwise import BLOCK, THRESHOLD, elementwise, memory_order
from minigrad.backend._registry import (
    Backend,
    array_module,
    backend_of,
    current_backend,
    is_array,
    is_backend_name,
    new_array,
    registered,
    scatter_add,
    special,
    to_backend,
    to_host,
    use_backend,
)
from minigrad.backend._scratch import scratch
from minigrad.backend._threads import num_threads, parallel_for
from minigrad.backend._tuning import set_flush_denormal, tune

__all__ = [
    "BLOCK",
    "THRESHOLD",
    "Backend",
    "add_product",
    "add_scaled",
    "array_module",
    "backend_of",
    "current_backend",
    "elementwise",
    "in_c_order",
    "is_array",
    "is_backend_name",
    "memory_order",
    "new_array",
    "num_threads",
    "parallel_for",
    "registered",
    "scatter_add",
    "scratch",
    "set_flush_denormal",
    "special",
    "to_backend",
    "to_host",
    "tune",
    "use_backend",
]

tune()

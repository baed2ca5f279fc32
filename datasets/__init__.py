"""Real data for the experiments: loaders that return plain NumPy arrays.

Every loader states shape, dtype, range and class order, verifies sha256, and never
downloads unless asked. `python -m datasets` lists the sets and where they lie.
"""

from datasets._batches import batches, epoch_order
from datasets._errors import DataError
from datasets._fetch import data_root
from datasets._loader import Loader, Transform
from datasets._records import Dataset, Split, as_float, flat, resize
from datasets._registry import DATASETS, load

__all__ = [
    "DATASETS",
    "DataError",
    "Dataset",
    "Loader",
    "Split",
    "Transform",
    "as_float",
    "batches",
    "data_root",
    "epoch_order",
    "flat",
    "load",
    "resize",
]

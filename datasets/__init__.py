"""Real data for the experiments: loaders that return plain NumPy arrays.

Every loader states shape, dtype, range and order, verifies the checksums that are
published, and never downloads unless asked. `load` reads images; `imdb.load` reads
text, of which `text.Vocabulary` makes numbers; `spoken_digits.load`, `fsdd.load` and
`vctk.load` read speech, of which `audio` makes classes. `python -m datasets` lists all
sets, and where they lie.
"""

from datasets import audio, fsdd, imdb, spoken_digits, text, vctk
from datasets._batches import batches, epoch_order
from datasets._errors import DataError
from datasets._fetch import data_root
from datasets._loader import Loader, Transform
from datasets._records import Dataset, Split, as_float, flat, resize
from datasets._registry import DATASETS, load
from datasets._sequences import SpeechDataset, SpeechSplit, TextDataset, TextSplit

__all__ = [
    "DATASETS",
    "DataError",
    "Dataset",
    "Loader",
    "SpeechDataset",
    "SpeechSplit",
    "Split",
    "TextDataset",
    "TextSplit",
    "Transform",
    "as_float",
    "audio",
    "batches",
    "data_root",
    "epoch_order",
    "flat",
    "fsdd",
    "imdb",
    "load",
    "resize",
    "spoken_digits",
    "text",
    "vctk",
]

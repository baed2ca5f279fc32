"""What freezing did in a training: parameters frozen, work and seconds saved.

Three numbers that the paper takes for one another: the share of the parameters that are
frozen, the share of the multiply-adds of backward that are saved, and that of its
measured seconds.
"""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

History = Sequence[Mapping[str, Any]]


def savings(history: History) -> dict[str, Any]:
    """Means over the epochs of a FreezingTraining.

    "active" epochs are those behind the warm-up; all of them, if it never ended.

    Returns:
        "frozen_share", "frozen_share_all": mean over active and over all epochs of the
            frozen part of the parameters, in percent.
        "expected_share": what the first is on average over draws of which are frozen.
        "misreported": largest difference, over epochs, between that part and the part
            of the parameters that an epoch left as they were, bit for bit; percent.
        "saved_share": mean over active epochs of the part of backward's multiply-adds
            that were not computed, in percent.
        "saved_per_frozen": that by "frozen_share"; 0 if nothing was frozen.
        "backward_seconds", "epoch_seconds": mean over active epochs, of the processor.
    """
    active = [epoch for epoch in history if epoch["active"]] or history

    def mean(name: str, epochs: History = active) -> float:
        return statistics.fmean(epoch[name] for epoch in epochs)

    frozen, saved = mean("frozen_share"), mean("saved_share")
    return {
        "frozen_share": frozen,
        "frozen_share_all": mean("frozen_share", history),
        "expected_share": mean("expected_share"),
        "misreported": max(
            abs(epoch["unchanged_share"] - epoch["frozen_share"]) for epoch in history
        ),
        "saved_share": saved,
        "saved_per_frozen": saved / frozen if frozen else 0.0,
        "backward_seconds": mean("backward_seconds"),
        "epoch_seconds": mean("seconds"),
    }

"""Table 6 and Figure 3: WaveNet on speech from CAI, orthogonal, Glorot and normal.

The paper trains on VCTK at 4,000 Hz, 50 epochs, and gives the median loss of 5 runs; of
which part and epoch it does not say. Here it is that of the test part after the last
epoch, and, beside it, after the epoch with the lowest validation loss. Its settings for
the optimizer hold for all arms: Nesterov's SGD, rate 0.1, momentum 0.9; batches of 16
fragments are those of the public code. "Glorot" is Glorot uniform, that code's default.
CAI fills the convolutions of two taps; of those of one tap it makes He normal numbers.

At `small` the network is a narrow one with a receptive field of 65 samples, on part of
a smaller data set; rate and momentum are the paper's. Without biases, and from weights
as small as the orthogonal ones of scale 0.2, 32 filters stay at ln 256 for the first
5,000 steps. So batches are half as large, which makes twice as many steps of an epoch,
and all networks train; at a rate of 0.5 CAI and normal would fall back to ln 256.

A run leaves a second of sound of each arm's first network: cai.wav and so on, beside
its figure.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from minigrad.inspect import Flow
from models.conv_aware_init import common, paired, speech, table6_panels
from models.conv_aware_init.image_tables import median_of
from models.conv_aware_init.images import Checkpoints
from models.conv_aware_init.initializers import INITIALIZERS
from models.conv_aware_init.speech import LOADERS, SpeechConfig
from models.conv_aware_init.table6_claims import ARMS, CLAIMS, PUBLISHED, UNIFORM
from models.experiments import checkpoint
from models.experiments.claims import Quantity, Record
from models.experiments.config import Preset
from models.experiments.experiment import Experiment, Explanation
from models.experiments.pool import Hooks, Job
from models.experiments.tables import Table, as_text
from models.experiments.trained import record_flow, train_and_measure
from models.experiments.verdicts import mean_std_of

PRESETS = {
    "tiny": Preset(
        SpeechConfig(
            dataset="spoken_digits",
            filters=16,
            skip_filters=16,
            dilations=(1, 2, 4, 8),
            epochs=6,
            batch_size=8,
            max_test=32,
        ),
        2,
        "seconds, offline",
    ),
    "small": Preset(
        SpeechConfig(
            dataset="fsdd",
            filters=32,
            skip_filters=32,
            dilations=(1, 2, 4, 8, 16, 32),
            epochs=10,
            batch_size=8,
            max_examples=6400,
            max_test=512,
        ),
        3,
        "an eighth of the width, spoken digits, minutes",
    ),
    # The mean of a million samples is known to a thousandth of a nat.
    "full": Preset(SpeechConfig(dataset="vctk", max_test=8192), 5, "the paper's"),
}


def train(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Train the WaveNet of an arm; add losses in nats to its metrics.

    "last_test_loss": of the last epoch; "best_test_loss": of the epoch with the lowest
    validation loss, which is "best_loss_epoch"; "unigram_loss" and "bigram_loss": what
    needs no network, see speech.uninformed_losses.
    """
    result = train_and_measure(job, hooks, speech.build)
    history, data = result["history"], speech.speech_of(job.config)
    validation = [epoch["validation_loss"] for epoch in history]
    best = validation.index(min(validation))
    uninformed = speech.uninformed_losses(data)
    return {
        **result,
        **common.losses(history),
        "best_test_loss": history[best]["test_loss"],
        "best_loss_epoch": best + 1,
        **{f"{name}_loss": value for name, value in uninformed.items()},
    }


def tables(records: Sequence[Record]) -> list[Table]:
    """Table 6, measured beside published, and what needs no network."""
    pairs = [
        paired.Pair(f"CAI - {INITIALIZERS[arm].label}", "cai", arm)
        for arm in ARMS
        if arm != "cai"
    ]
    return [
        losses(records),
        paired.differences(pairs, (paired.LOSS, paired.SPEED), records),
        uninformed(records),
    ]


def losses(records: Sequence[Record]) -> Table:
    """Test loss by initialization: published, of the last and of the best epoch."""
    rows = tuple(
        (
            INITIALIZERS[arm].label,
            f"{PUBLISHED[arm]:.3f}" if arm in PUBLISHED else "-",
            median_of(arm, "last_test_loss", records, ".3f"),
            mean_std_of(Quantity(arm, "last_test_loss", ""), records, ".3f"),
            mean_std_of(Quantity(arm, "best_test_loss", ""), records, ".3f"),
            mean_std_of(Quantity(arm, "best_loss_epoch", ""), records, ".1f"),
        )
        for arm in ARMS
    )
    header = (
        "initialization",
        "published, median",
        "last epoch, median",
        "last epoch",
        "epoch of lowest validation loss",
        "which is",
    )
    title = (
        "Table 6, test cross-entropy in nats: mean (std) but where it says median; "
        f"n = {len(records)}"
    )
    return Table(title, header, rows)


def uninformed(records: Sequence[Record]) -> Table:
    """Test loss of what needs no network."""
    names = {
        "unigram_loss": "how often each value occurs in the test part: its entropy",
        "bigram_loss": "the one sample before: counts of pairs in the training part",
    }
    rows = [("nothing: ln 256", f"{UNIFORM:.3f}")]
    rows += [
        (words, mean_std_of(Quantity("cai", name, ""), records[:1], ".3f"))
        for name, words in names.items()
    ]
    title = "What predicts without a network, cross-entropy in nats"
    return Table(title, ("told by", "nats"), tuple(rows))


# -- gradient flow ---------------------------------------------------------------------


def explain(config: SpeechConfig, checkpoints: Checkpoints) -> Explanation:
    """Tell which of its two ways brings the gradient to each block of CAI's WaveNet."""
    training = speech.build(config, "cai", 0)
    checkpoint.restore(training, checkpoints["cai"])
    flow = record_flow(training, training.batch_size)
    shares = residual_shares(flow, len(config.dilations))
    rows = tuple(
        (
            f"blocks.{number}",
            str(config.dilations[number]),
            f"{flow.into(f'blocks.{number}/mul#1').measures.norm:.2e}",
            f"{100 * share:.0f}",
            f"{100 * (1 - share):.0f}",
        )
        for number, share in enumerate(shares)
    )
    header = ("block", "dilation", "norm", "through later blocks %", "by its skip %")
    title = "Gradient that reaches tanh * sigmoid of each block, CAI, trained"
    early, late = shares[0], shares[-1]
    return Explanation(
        as_text(Table(title, header, rows)),
        f"Of the first block's gradient {100 * early:.0f} % come back through the "
        f"blocks behind it and the rest straight by its skip; of the last block's "
        f"{100 * late:.0f} %, as nothing but its skip reads it.",
        flow,
    )


def residual_shares(flow: Flow, blocks: int) -> list[float]:
    """Share of the gradient of each block's z that its residual convolution sends."""
    return [
        sum(
            edge.measures.share or 0.0
            for edge in flow.into(f"blocks.{number}/mul#1").edges
            if edge.module == f"blocks.{number}.residual"
        )
        for number in range(blocks)
    ]


TABLE6 = Experiment(
    id="cai.table6",
    recipe="cai.wavenet",
    title="WaveNet on speech from CAI, orthogonal, Glorot and normal",
    paper=common.PAPER,
    presets=PRESETS,
    datasets=tuple(LOADERS),
    published_datasets=("vctk",),
    arms=ARMS,
    claims=CLAIMS,
    prepare=speech.prepare,
    train=train,
    tables=tables,
    draw=table6_panels.draw,
    figure_size=(12, 5),
    explain=explain,
    aliases=("cai.fig3",),
    extras={f"{arm}.wav": partial(speech.write_sound, arm=arm) for arm in ARMS},
)

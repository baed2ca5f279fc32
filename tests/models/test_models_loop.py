from dataclasses import replace

import pytest

from models.experiments.errors import RunError
from models.experiments.metrics import is_over, summarize
from models.experiments.pool import Hooks, Job, Stopped
from models.gaaf import common
from models.gaaf.table2 import PRESETS

CONFIG = replace(PRESETS["tiny"].config, hidden=(16, 12, 8), epochs=4)


def job(path, arm="dropout", config=CONFIG, name="hash"):
    checkpoint = path / "a.safetensors"
    return Job(
        *("gaaf.table2", arm, 0, config, name, "numpy", checkpoint), train=common.train
    )


def train(job, report=lambda event: None, stopped=lambda: False):
    return common.train(job, Hooks(report, stopped))


class Steps:
    """Asks a training to stop at its n-th step."""

    def __init__(self, count):
        self.left = count

    def __call__(self):
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("arm", common.MAIN)
def test_a_training_stopped_anywhere_goes_on_bit_for_bit(tmp_path, stable, arm):
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole = train(job(tmp_path / "whole", arm))
    with pytest.raises(Stopped):
        train(job(tmp_path / "parts", arm), stopped=Steps(17))
    seen = []
    parts = train(
        job(tmp_path / "parts", arm),
        lambda event: seen.append((event.epoch, event.resumed)),
    )
    assert seen == [(1, True), (2, False), (3, False), (4, False)]
    assert stable(parts) == stable(whole)


def test_a_finished_training_is_read_not_repeated(tmp_path, stable):
    first = stable(train(job(tmp_path)))
    assert stable(train(job(tmp_path), stopped=lambda: True)) == first


def test_seeds_and_arms_differ_but_start_from_the_same_weights():
    base, gaaf = (common.build(CONFIG, arm, 0).model for arm in ("base", "gaaf"))
    other = common.build(CONFIG, "base", 1).model
    assert (base.layer1.weight.data == gaaf.layer1.weight.data).all()
    assert (base.layer1.weight.data != other.layer1.weight.data).any()


def test_a_checkpoint_of_another_configuration_is_refused(tmp_path):
    short = replace(CONFIG, epochs=1)
    train(job(tmp_path, config=short))
    with pytest.raises(
        RunError, match=r"is a checkpoint of .*; delete it and run anew"
    ):
        train(job(tmp_path, name="other"))


def test_sample_gradients_are_never_below_batch_gradients(tmp_path):
    result = train(job(tmp_path, "gaaf", replace(CONFIG, epochs=1, sample_every=1)))
    for layer in common.LAYERS:
        batch, sample = result["gradient_batch"], result["gradient_sample"]
        assert 0 < batch[layer] < sample[layer]


def history(*validation):
    return [
        {
            "train_loss": 0.1 / epoch**4,
            "validation_accuracy": value,
            "test_accuracy": 90.0 + epoch,
            "seconds": 1.0,
        }
        for epoch, value in enumerate(validation, 1)
    ]


def test_patience_counts_from_the_best_epoch():
    assert not is_over(history(1, 3, 2), 9, 2)
    assert is_over(history(1, 3, 2, 3), 9, 2)
    assert is_over(history(1, 2, 3), 3, None)
    assert not is_over([], 3, 1)


def test_the_test_set_is_read_at_the_best_validation_epoch():
    found = summarize(history(1, 3, 2, 3))
    assert (found["best_epoch"], found["test_accuracy"]) == (2, 92.0)
    assert (found["best_test_epoch"], found["best_test_accuracy"]) == (4, 94.0)
    assert found["fitted_epoch"] == 4
    assert summarize(history(1))["fitted_epoch"] is None

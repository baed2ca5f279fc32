"""Table 5 of CAI: its texts, its search, and what is read from a training."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from datasets import TextDataset, TextSplit
from models.conv_aware_init import search as searching
from models.conv_aware_init import table5, texts
from models.conv_aware_init.search import Found, Setting, Space, path_of
from models.conv_aware_init.table5 import TABLE5, best_by_loss, train
from models.conv_aware_init.table5_claims import ACCURACY
from models.conv_aware_init.text_arms import ARMS, NETWORKS, build, examples_of
from models.experiments import checkpoint
from models.experiments.claims import Quantity
from models.experiments.errors import RunError
from models.experiments.pool import Hooks, Job, Stopped

ARM = "embed_conv_lstm.cai_orthogonal"
EXAMPLE = Setting(1e-3, 32, 0.2, 0.2)
QUIET = Hooks(lambda event: None, lambda: False)
LITTLE = replace(
    TABLE5.presets["tiny"].config,
    epochs=2,
    length=20,
    search_examples=64,
    max_examples=200,
    max_test=50,
)


def job(folder, arm=ARM, **options):
    given = {
        "experiment": "cai.table5",
        "seed": 0,
        "config": LITTLE,
        "backend": "numpy",
    }
    given |= {"training_hash": "hash", "checkpoint": folder / f"{arm}-0.safetensors"}
    return Job(arm=arm, train=train, **given | options)


# -- texts -----------------------------------------------------------------------------


def reviews(count):
    labels = np.arange(count) % 2
    texts_ = tuple(f"a film {n} {'good' if n % 2 else 'bad'}" for n in labels)
    return TextSplit(texts_, labels.astype("int64"))


def test_reviews_become_rows_of_the_words_that_are_trained_on(monkeypatch):
    train_part, test_part = reviews(10), TextSplit(("a good book",), np.array([1]))
    loaded = TextDataset("imdb", train_part, test_part, ("neg", "pos"))
    monkeypatch.setattr(texts, "_imdb", lambda: (loaded.train, loaded.test))
    found = texts.load_texts.__wrapped__("imdb", 50, 6, 0.25, 8)
    assert (len(found.train.labels), len(found.validation.labels)) == (6, 2)
    np.testing.assert_array_equal(found.validation.labels, train_part.labels[6:8])
    assert found.train.images.shape == (6, 6)
    # a and film occur six times; of bad, good and the numbers each occurs three times.
    assert found.train.images[0].tolist() == [0, 0, 3, 4, 5, 7]
    assert found.test.images[0].tolist() == [0, 0, 0, 3, 8, 2]
    assert found.num_classes == 2


def test_words_of_the_validation_part_are_not_known(monkeypatch):
    parts = ("old", "old", "old", "new"), np.array([0, 1, 0, 1])
    split = TextSplit(*parts)
    monkeypatch.setattr(texts, "_imdb", lambda: (split, split))
    found = texts.load_texts.__wrapped__("imdb", 50, 1, 0.25)
    assert found.train.images.tolist() == [[3]] * 3
    assert found.validation.images.tolist() == [[2]]


def test_images_are_read_as_texts():
    found = texts.load_texts("digits", 1000, 64, 0.1)
    assert found.train.images.shape[1] == 64
    assert found.train.images.min() >= 3
    assert set(np.unique(found.train.labels)) == {0, 1}
    assert 0.4 < found.test.labels.mean() < 0.6


def test_losses_and_accuracies_are_those_of_the_sigmoid():
    made = build(LITTLE, ARM, 0, EXAMPLE)
    part = made.examples.test
    made.model.eval()
    logits = made.outputs(part.images).numpy().astype(float)
    likely = np.where(part.labels == 1, logits, -logits)
    measured = made.measure("test", part)
    expected = np.log1p(np.exp(-likely)).mean()
    assert measured["test_loss"] == pytest.approx(expected, rel=1e-6)
    assert measured["test_accuracy"] == 100 * (likely > 0).mean()
    made.measured = ("validation",)
    assert made.measure("test", part) == {}


def test_arms_differ_in_their_first_weights_alone():
    arms = [name for name, arm in ARMS.items() if arm.network == "embed_conv_lstm"]
    states = [build(LITTLE, arm, 0, EXAMPLE).model.state_dict() for arm in arms]
    for name, values in states[0].items():
        same = name.startswith("embedding") or "bias" in name
        for other in states[1:]:
            assert np.array_equal(values, other[name]) == same
    bias = states[0]["lstm.layer.bias_ih_l0"].reshape(4, -1)
    np.testing.assert_array_equal(bias.mean(1), [0, 1, 0, 0])


# -- search ----------------------------------------------------------------------------


def test_candidates_follow_from_the_seed_and_begin_with_the_example():
    space = Space()
    found = space.candidates(EXAMPLE, 50, seed=3)
    assert found == space.candidates(EXAMPLE, 50, seed=3)
    assert found[:10] == space.candidates(EXAMPLE, 10, seed=3)
    assert found[0] == EXAMPLE
    assert found[1:] != space.candidates(EXAMPLE, 50, seed=4)[1:]
    rates = [setting.learning_rate for setting in found[1:]]
    assert 3e-4 <= min(rates) < 5e-4 < 2e-3 < max(rates) <= 3e-3
    # The logarithm is uniform: half of the rates lie below the geometric mean.
    assert 15 < sum(rate < math.sqrt(9e-7) for rate in rates) < 34
    assert {setting.batch_size for setting in found} == {32, 64}
    for name in ("drop_prob", "recurrent_drop_prob"):
        drops = [getattr(setting, name) for setting in found]
        assert 0 <= min(drops) < 0.1 < 0.4 < max(drops) <= 0.5


def nothing(settings):
    """A search that has not begun."""
    return Found(tuple(settings), (), 0, 0.0)


def test_the_lowest_loss_is_chosen_and_what_diverged_is_not():
    settings = Space().candidates(EXAMPLE, 5, seed=0)
    losses = dict(zip(settings, (0.6, math.inf, 0.4, math.nan, 0.4), strict=True))
    *_, found = searching.search(nothing(settings), losses.__getitem__)
    assert found.losses == (0.6, None, 0.4, None, 0.4)
    assert found.chosen == settings[2]
    *_, found = searching.search(nothing(settings), lambda _: math.inf)
    assert found.chosen == EXAMPLE


def test_of_one_setting_nothing_is_tried():
    (found,) = searching.search(nothing([EXAMPLE]), pytest.fail)
    assert (found.chosen, found.losses) == (EXAMPLE, ())


def test_a_search_is_done_once(tmp_path):
    settings = Space().candidates(EXAMPLE, 3, seed=0)
    losses = iter((0.3, 0.1, 0.2))
    first = searching.search_once(job(tmp_path), settings, lambda _: next(losses))
    assert searching.search_once(job(tmp_path), settings, pytest.fail) == first
    assert searching.found_beside(job(tmp_path).checkpoint) == first
    assert isinstance(first, Found)
    assert first.chosen == settings[1]


def test_a_search_that_was_stopped_goes_on_behind_what_it_judged(tmp_path):
    settings = Space().candidates(EXAMPLE, 3, seed=0)
    tried = []

    def judge(setting):
        tried.append(setting)
        if len(tried) == 3:
            raise Stopped
        return 0.1 * len(tried)

    with pytest.raises(Stopped):
        searching.search_once(job(tmp_path), settings, judge)
    found = searching.search_once(job(tmp_path), settings, lambda _: 0.05)
    assert found.losses == (0.1, 0.2, 0.05)
    assert found.chosen == settings[2]


def test_a_search_of_another_training_is_refused(tmp_path):
    searching.search_once(job(tmp_path), [EXAMPLE], pytest.fail)
    other = job(tmp_path, training_hash="other")
    with pytest.raises(RunError, match=r"search\.json is not the search of .*'other'"):
        searching.search_once(other, [EXAMPLE], pytest.fail)
    others = Space().candidates(EXAMPLE, 2, seed=0)
    with pytest.raises(RunError, match=r"search\.json is not the search of"):
        searching.search_once(job(tmp_path), others, pytest.fail)
    path = path_of(job(tmp_path).checkpoint)
    held = json.loads(path.read_text())
    for damage in ("{", json.dumps({**held, "place": 7}), json.dumps({"losses": []})):
        path.write_text(damage)
        with pytest.raises(RunError, match=r"search\.json is damaged"):
            searching.search_once(job(tmp_path), [EXAMPLE], pytest.fail)
    path.unlink()
    with pytest.raises(RunError, match=r"search\.json is missing"):
        searching.found_beside(job(tmp_path).checkpoint)


def test_trials_do_not_see_the_test_part(tmp_path, monkeypatch):
    seen = []
    measure = texts.LossTraining.measure

    def watched(self, name, part):
        seen.append(name)
        return measure(self, name, part)

    monkeypatch.setattr(texts.LossTraining, "measure", watched)
    loss = table5._judge(job(tmp_path), QUIET, EXAMPLE)
    assert seen == ["validation"]
    assert 0 < loss < 1


def test_a_trial_that_diverges_is_the_worst(tmp_path):
    wild = replace(EXAMPLE, learning_rate=1e38)
    assert table5._judge(job(tmp_path), QUIET, wild) == math.inf


# -- training --------------------------------------------------------------------------


def test_a_run_that_was_stopped_anywhere_ends_in_the_same_bits(tmp_path, stable):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    expected = stable(train(job(whole), QUIET))
    found, stops = None, set()
    # In the search, which goes on behind what it has judged, and in each epoch.
    for count in (3, 5, 9, 12, 14, 1000):
        calls = iter(range(count))
        hooks = Hooks(lambda event: None, lambda calls=calls: next(calls, None) is None)
        try:
            found = train(job(parts), hooks)
        except Stopped:
            stops.add(tuple(path.suffix for path in sorted(parts.iterdir())))
    assert found is not None
    assert stable(found) == expected
    assert stops == {(".json",), (".safetensors", ".json")}
    ends: list[list[bytes]] = []
    for folder in (whole, parts):
        made = build(
            LITTLE, ARM, 0, searching.found_beside(job(folder).checkpoint).chosen
        )
        checkpoint.restore(made, job(folder).checkpoint)
        ends.append([array.tobytes() for array in made.model.state_dict().values()])
    assert ends[0] == ends[1]


def test_metrics_are_of_the_epoch_with_the_lowest_validation_loss(tmp_path):
    result = train(job(tmp_path), QUIET)
    best = result["history"][result["best_epoch"] - 1]
    losses = [epoch["validation_loss"] for epoch in result["history"]]
    assert best["validation_loss"] == min(losses) == result["validation_loss"]
    assert result["test_accuracy"] == best["test_accuracy"]
    positive = 100 * examples_of(LITTLE).test.labels.mean()
    assert result["majority_accuracy"] == max(positive, 100 - positive)
    assert len(result["search_losses"]) == LITTLE.trials
    assert result["setting"]["batch_size"] in (16, 30)
    json.dumps(result, allow_nan=False)
    history = [dict.fromkeys(best, value) for value in (2.0, 1.0, 1.0)]
    assert best_by_loss(history)["best_epoch"] == 2


def test_every_arm_has_a_published_number_and_no_other():
    assert set(ACCURACY) == set(ARMS)
    assert len(ARMS) == 11
    assert not any("cai" in arm for arm in ARMS if arm.startswith("embed_lstm"))
    for claim in TABLE5.claims:
        for quantity in claim.relation.quantities():
            assert isinstance(quantity, Quantity)
            assert quantity.arm in ARMS
    assert {made.network for made in ARMS.values()} == set(NETWORKS)

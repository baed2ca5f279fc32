import math
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import minigrad as mg
from datasets import DataError, audio, spoken_digits
from minigrad import functional as F
from models.conv_aware_init import speech, table6
from models.conv_aware_init.speech import Speech, speech_of
from models.conv_aware_init.table6_claims import ARMS
from models.experiments import run
from models.experiments.config import Preset
from models.experiments.data import Examples, Part
from models.experiments.pool import Hooks, Job
from models.experiments.run import Options, execute, plan

TINY = table6.PRESETS["tiny"].config
LITTLE = replace(
    TINY, filters=4, skip_filters=4, epochs=2, max_examples=16, max_test=8, seconds=0.1
)
HOOKS = Hooks(lambda event: None, lambda: False)


def job_of(config, path, arm="cai"):
    names = ("cai.table6", arm, 0, config, "hash", "numpy", path / f"{arm}.safetensors")
    return Job(*names, train=table6.train)


def test_each_fragment_is_followed_by_what_it_predicts():
    data = speech_of(TINY)
    field = TINY.receptive_field
    for part in data.examples[:3]:
        inputs = data.inputs(part.images)
        assert inputs.shape == (len(part.images), field - 1 + TINY.predicted)
        # From the first position that sees a whole field on, inputs are one behind.
        np.testing.assert_array_equal(inputs[:, field:], part.labels[:, :-1])
        np.testing.assert_array_equal(data.before(part), inputs[:, field - 1 :].ravel())


def test_fragments_are_the_clips_in_a_row_and_predict_each_sample_once():
    data, field = speech_of(replace(TINY, max_test=None)), TINY.receptive_field
    clips = spoken_digits.load(rate=4000)
    train = [audio.mu_law_encode(clip) for clip in clips.train.clips]
    test = [audio.mu_law_encode(clip) for clip in clips.test.clips]
    # 20 clips, of which the last tenth validates.
    for part, rows in zip(data.examples, (train[:18], train[18:], test), strict=False):
        codes, labels = np.concatenate(rows), part.labels.ravel()
        np.testing.assert_array_equal(labels, codes[field : field + len(labels)])
        assert len(codes) - len(labels) < field + TINY.predicted
    assert set(data.codes[: len(np.concatenate(train))].tolist()) <= set(range(256))


def test_limits_leave_the_first_fragments():
    whole, few = speech_of(TINY), speech_of(replace(TINY, max_examples=5, max_test=3))
    for part, some, count in zip(whole.examples, few.examples, (5, 3, 3), strict=False):
        np.testing.assert_array_equal(some.images, part.images[:count])
        np.testing.assert_array_equal(some.labels, part.labels[:count])


def test_too_little_speech_is_refused():
    with pytest.raises(DataError, match=r"spoken_digits: a part has .* for one frag"):
        speech_of(replace(TINY, dilations=(40_000,)))


def test_the_loss_is_that_of_positions_that_see_a_whole_receptive_field():
    training = speech.build(TINY, "cai", 0)
    places, labels = (part[:3] for part in training.examples.train)
    logits = training.model(speech_of(TINY).inputs(places)).numpy()
    seen = logits[:, :, TINY.receptive_field - 1 :].astype("float64")
    sums = np.log(np.exp(seen).sum(1))
    right = np.take_along_axis(seen, labels[:, None].astype(int), axis=1)[:, 0]
    expected = (sums - right).mean()
    assert math.isclose(training.loss(places, labels).item(), expected, rel_tol=1e-5)


def test_measured_losses_are_means_over_all_samples_of_a_part():
    training = replace(speech.build(LITTLE, "normal_02", 0), evaluation_batch=3)
    part = training.examples.test
    assert len(part.labels) > training.evaluation_batch
    with mg.no_grad():
        expected = F.cross_entropy(training.outputs(part.images), part.labels).item()
    measured = training.measure("test", part)["test_loss"]
    assert math.isclose(measured, expected, rel_tol=1e-5)


def test_a_step_on_a_device_is_that_on_numpy(backend):
    weights = []
    for place in ("numpy", backend):
        with mg.use_backend(place):
            training = speech.build(LITTLE, "cai", 0)
            training.loss(*(part[:3] for part in training.examples.train)).backward()
            training.optimizer.step()
            weights.append(training.model.state_dict())
    for name, weight in weights[0].items():
        np.testing.assert_allclose(weights[1][name], weight, rtol=1e-4, atol=1e-6)


def test_losses_without_a_network_are_those_of_counting():
    rng = np.random.default_rng(0)
    codes = rng.integers(100, 105, 90).astype(np.uint8)
    parts = [
        Part(start + 4 * np.arange(5), codes[start + 3 :][:20].reshape(5, 4))
        for start in (0, 30, 60)
    ]
    found = speech.uninformed_losses(Speech(codes, Examples(*parts, 256, True), 3))
    train, test = codes[2:23].tolist(), codes[62:83].tolist()
    marginal, pairs = Counter(train[1:]), Counter(pairwise(train))
    rows = Counter(train[:-1])
    weight = speech.PSEUDO_COUNTS

    def told(a, b):
        prior = (marginal[b] + 1) / (20 + 256)
        return (pairs[a, b] + weight * prior) / (rows[a] + weight)

    bigram = -sum(math.log(told(a, b)) for a, b in pairwise(test))
    shares = [count / 20 for count in Counter(test[1:]).values()]
    unigram = -sum(share * math.log(share) for share in shares)
    assert math.isclose(found["bigram"], bigram / 20, rel_tol=1e-12)
    assert math.isclose(found["unigram"], unigram, rel_tol=1e-12)


def weights_of(arm):
    """Name -> weight (O, I * K) at the start."""
    model = speech.build(TINY, arm, 0).model
    return {name: w.numpy().reshape(len(w), -1) for name, w in model.named_parameters()}


@pytest.mark.parametrize("arm", ARMS)
def test_each_arm_starts_as_it_says(arm):
    weights = weights_of(arm)
    assert len(weights) == 1 + 4 * 4 - 1 + 2
    for name, weight in weights.items():
        rows, fan_in = weight.shape
        match arm:
            case "orthogonal_02":
                products = weight @ weight.T if rows <= fan_in else weight.T @ weight
                expected = 0.04 * np.eye(len(products))
                np.testing.assert_allclose(products, expected, atol=1e-6)
            case "cai":
                assert math.isclose(weight.var(), 2 / fan_in, rel_tol=1e-5), name
            case "glorot_uniform":
                taps = 1 if fan_in == TINY.filters else 2
                bound = math.sqrt(6 / (fan_in + taps * rows))
                assert 0.9 * bound < np.abs(weight).max() <= bound, name
            case _:
                std = 0.2 if arm == "normal_02" else math.sqrt(2 / fan_in)
                assert math.isclose(weight.std(), std, rel_tol=0.2), name


def test_a_training_reports_the_last_and_the_best_epoch(tmp_path):
    result = table6.train(job_of(LITTLE, tmp_path), HOOKS)
    history = result["history"]
    assert result["last_test_loss"] == history[-1]["test_loss"]
    validation = [epoch["validation_loss"] for epoch in history]
    assert result["best_loss_epoch"] == 1 + int(np.argmin(validation))
    best = history[result["best_loss_epoch"] - 1]
    assert result["best_test_loss"] == best["test_loss"]
    assert 0 < result["unigram_loss"] < math.log(256)
    assert result["bigram_loss"] > 0


def test_the_bundled_clips_teach_cai_more_than_how_often_values_occur(tmp_path):
    result = table6.train(job_of(TINY, tmp_path), HOOKS)
    assert result["best_test_loss"] < result["unigram_loss"]


@pytest.fixture
def in_this_process(monkeypatch):
    """Train without worker processes."""

    def run_jobs(jobs, workers, report):
        for job in jobs:
            yield job, job.train(job, HOOKS)

    monkeypatch.setattr(run, "run_jobs", run_jobs)


def test_a_run_leaves_a_sound_of_each_arm(tmp_path, in_this_process, capsys):
    few = replace(table6.TABLE6, presets={"tiny": Preset(LITTLE, 1, "a test")})
    planned = plan(few, Options("tiny", "numpy", out=tmp_path))
    execute(planned, 1)
    printed = capsys.readouterr().out
    paths = [tmp_path / f"{arm}.wav" for arm in ARMS]
    for path in paths:
        samples, rate = audio.read_wav(path)
        assert rate == 4000
        assert len(samples) == 400
        assert np.unique(samples).size > 10, "it is not silent"
        assert f"wav       {path}" in printed
    assert "cai.wav" in printed

    before = [path.read_bytes() for path in paths]
    execute(planned, 1)
    assert "already done" in capsys.readouterr().out
    paths[0].unlink()
    execute(planned, 1)
    assert [path.read_bytes() for path in paths] == before
    assert len(set(before)) == len(ARMS), "each arm has a sound of its own"


def test_shares_of_the_ways_back_add_up(tmp_path):
    job = job_of(LITTLE, tmp_path)
    table6.train(job, HOOKS)
    explanation = table6.explain(LITTLE, {"cai": job.checkpoint})
    blocks = len(LITTLE.dilations)
    shares = table6.residual_shares(explanation.flow, blocks)
    assert shares[-1] == 0, "nothing but its skip reads the last block"
    for number in range(blocks - 1):
        edges = explanation.flow.into(f"blocks.{number}/mul#1").edges
        assert len(edges) == 2
        assert math.isclose(sum(edge.measures.share for edge in edges), 1, abs_tol=1e-6)
        assert 0 < shares[number] < 1


def test_the_full_preset_is_the_papers():
    full = table6.PRESETS["full"].config
    assert full.receptive_field == 1025
    assert full.receptive_field - 1 + full.predicted == 1024 + 128
    rate, sizes = (full.learning_rate, full.momentum), (full.filters, full.skip_filters)
    assert (rate, sizes) == ((0.1, 0.9), (256, 256))
    assert (full.epochs, full.batch_size, full.sample_rate) == (50, 16, 4000)

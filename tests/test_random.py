"""Random streams: a seed names the numbers, whatever else is drawn."""

import threading

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minigrad.backend import parallel_for
from minigrad.errors import ArgumentError
from minigrad.random import (
    NORMALS,
    WORDS,
    Streams,
    default_streams,
    generator,
    keep_mask,
    manual_seed,
    normal_noise,
)


def draw(gen):
    return gen.random(5)


def test_same_key_gives_the_same_numbers():
    assert_array_equal(draw(generator(1, "a", 2)), draw(generator(1, "a", 2)))


@pytest.mark.parametrize("key", [(2, "a", 2), (1, "b", 2), (1, "a", 3)])
def test_other_key_gives_other_numbers(key):
    assert not np.array_equal(draw(generator(1, "a", 2)), draw(generator(*key)))


def test_streams_do_not_shift_each_other():
    alone, mixed = Streams(0), Streams(0)
    mixed.next("other")
    assert_array_equal(draw(alone.next("a")), draw(mixed.next("a")))


def test_streams_resume_from_their_state():
    streams = Streams(3)
    streams.next("a")
    resumed = Streams()
    resumed.load_state_dict(streams.state_dict())
    assert_array_equal(draw(streams.next("a")), draw(resumed.next("a")))


def test_numpy_global_state_is_untouched():
    before = np.random.get_state()[1].copy()  # noqa: NPY002 (the state under test)
    manual_seed(0).next("a").random(10)
    assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_a_thread_has_to_seed_its_own_streams():
    found = []

    def work():
        try:
            default_streams()
        except ArgumentError as error:
            found.append(str(error))
        found.append(manual_seed(5).seed)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert "call manual_seed(seed) in it" in found[0]
    assert found[1] == 5


@pytest.mark.parametrize("seed", [-1, 1.5, True, 2**64])
def test_bad_seed(seed):
    with pytest.raises(ArgumentError, match="seed"):
        generator(seed, "a")


def test_mask_keeps_the_share_it_says():
    mask, keep_prob = keep_mask(generator(0, "m"), (200, 500), 0.3)
    assert mask.dtype == bool
    assert abs(mask.mean() - keep_prob) < 0.005


@pytest.mark.parametrize(("drop_prob", "kept"), [(0.0, True), (1.0, False)])
def test_mask_at_the_ends(drop_prob, kept):
    mask, keep_prob = keep_mask(generator(0, "m"), (3, 5), drop_prob)
    assert (mask == kept).all()
    assert keep_prob == float(kept)


def test_generator_of_half_words_is_refused():
    with pytest.raises(ArgumentError, match="MT19937, whose words have 32 bits"):
        keep_mask(np.random.Generator(np.random.MT19937(0)), (8,), 0.5)


@pytest.mark.parametrize("state", [{}, None, {"seed": 1, "steps": 3}])
def test_state_of_something_else_is_refused(state):
    with pytest.raises(ArgumentError, match=r"Streams\.state_dict"):
        Streams().load_state_dict(state)


def test_drop_prob_out_of_range():
    with pytest.raises(ArgumentError, match=r"drop_prob 1\.5"):
        keep_mask(generator(0, "m"), (3,), 1.5)


def backwards(count, body):
    for index in reversed(range(count)):
        body(index)


LOOPS = [{}, {"loop": parallel_for}, {"loop": backwards}]


@pytest.mark.parametrize("options", LOOPS)
@pytest.mark.parametrize("size", [0, 1, 7, 4 * WORDS, 4 * WORDS + 1, 12 * WORDS + 6])
def test_mask_is_that_of_the_raw_bits_in_every_loop(size, options):
    plain, blocks = generator(0, "m"), generator(0, "m")
    words = plain.bit_generator.random_raw(-(-size // 4)).view(np.uint16)
    mask, _ = keep_mask(blocks, (size,), 0.3, **options)
    assert_array_equal(mask, words[:size] >= round(0.3 * 65536))
    assert_array_equal(draw(blocks), draw(plain))


@pytest.mark.parametrize(
    "start",
    [
        lambda: np.random.default_rng(0),
        lambda: np.random.Generator(np.random.SFC64(0)),
        lambda: used(generator(0, "m"), lambda gen: gen.random()),
        lambda: used(generator(0, "m"), lambda gen: gen.random(dtype="float32")),
    ],
)
def test_mask_of_any_generator_is_that_of_its_raw_bits(start):
    plain, blocks = start(), start()
    words = plain.bit_generator.random_raw(2 * WORDS).view(np.uint16)
    mask, _ = keep_mask(blocks, (2, 4 * WORDS), 0.5, loop=parallel_for)
    assert_array_equal(mask.reshape(-1), words >= 32768)
    assert_array_equal(draw(blocks), draw(plain))


def used(gen, draw_one):
    draw_one(gen)
    return gen


@pytest.mark.parametrize("options", LOOPS)
def test_noise_is_the_same_in_every_loop(options):
    shape = (3, NORMALS - 1)
    gen = generator(0, "n")
    noise = normal_noise(gen, shape, **options)
    assert_array_equal(noise, normal_noise(generator(0, "n"), shape))
    assert not np.array_equal(noise, normal_noise(gen, shape, **options))
    blocks = noise.reshape(-1)[: 2 * NORMALS].reshape(2, NORMALS)
    assert np.abs(np.corrcoef(blocks)[0, 1]) < 0.02


@pytest.mark.parametrize(
    "start", [lambda: generator(1, "n"), lambda: np.random.default_rng(0)]
)
def test_noise_is_standard_normal(start):
    noise = normal_noise(start(), (200, 500))
    assert noise.dtype == np.float32
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 1) < 0.02
    assert abs((noise > 1.6449).mean() - 0.05) < 0.005


def test_noise_takes_no_numbers_and_one():
    assert normal_noise(generator(0, "n"), (3, 0)).shape == (3, 0)
    assert normal_noise(generator(0, "n"), ()).shape == ()

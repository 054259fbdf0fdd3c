"""Voices by rule: lines over time."""

import numpy as np
import pytest

pytest.importorskip("scipy", reason="voices need scipy")

from stemtune.data.rendering.oscillators import CONTROL_SAMPLES, at_every_sample, frequency_of, hertz, line_of
from stemtune.data.rendering.scores import Note
from stemtune.data.rendering.sound import SAMPLE_RATE
from stemtune.data.rendering.voice_lines import (
    VOICES,
    consonants,
    frequency_line,
    loudness_line,
    random_manner,
    slow_noise,
)

NOTES = [Note(0.2, 0.8, 57, 100), Note(1.0, 1.0, 64, 100), Note(3.0, 0.5, 57, 100)]


def test_lines_are_interpolated_between_their_values() -> None:
    for num_samples in (1, CONTROL_SAMPLES, 5 * CONTROL_SAMPLES + 7):
        places = np.arange(-(-num_samples // CONTROL_SAMPLES) + 1) * CONTROL_SAMPLES
        np.testing.assert_allclose(at_every_sample(3.0 * places + 1, num_samples), 3.0 * np.arange(num_samples) + 1)


def test_a_singer_reaches_every_note() -> None:
    generator = np.random.default_rng(0)
    line = frequency_line(NOTES, 4 * SAMPLE_RATE, random_manner(VOICES["tenor"], generator), generator)
    assert line.shape == (4 * SAMPLE_RATE,)
    for note in NOTES:
        start, stop = (round((note.start_seconds + share * note.duration_seconds) * SAMPLE_RATE) for share in (0.6, 1))
        assert np.median(line[start:stop]) == pytest.approx(float(hertz(float(note.pitch))), rel=0.03)


def test_loudness_follows_the_notes_and_knows_the_phrases() -> None:
    line, phrases = loudness_line(NOTES, 4 * SAMPLE_RATE, np.random.default_rng(0))
    assert phrases == [0.2, 3.0]
    assert line[: round(0.1 * SAMPLE_RATE)].max() < 1e-6
    assert line[round(2.3 * SAMPLE_RATE) : round(2.7 * SAMPLE_RATE)].max() < 1e-6
    for note in NOTES:
        assert line[round((note.start_seconds + note.duration_seconds / 2) * SAMPLE_RATE)] > 0.3


def test_consonants_sound_where_notes_begin_and_nowhere_else() -> None:
    manner = random_manner(VOICES["alto"], np.random.default_rng(1))
    heard = 0
    for seed in range(8):
        noise, voicing = consonants(NOTES, 4 * SAMPLE_RATE, manner, np.random.default_rng(seed))
        assert noise.shape == voicing.shape == (4 * SAMPLE_RATE,)
        for begin, end in ((0.4, 0.8), (1.2, 2.8), (3.2, 4.0)):
            piece = slice(round(begin * SAMPLE_RATE), round(end * SAMPLE_RATE))
            assert not noise[piece].any()
            np.testing.assert_allclose(voicing[piece], 1.0)
        heard += bool(noise.any())
    assert heard > 4


def test_slow_noise_is_slow_and_of_unit_variance() -> None:
    noise = slow_noise(20 * SAMPLE_RATE, 20.0, np.random.default_rng(0))
    assert 0.7 < noise.std() < 1.3
    power = np.square(np.abs(np.fft.rfft(noise)))
    assert power[20 * 100 :].sum() < 0.02 * power.sum()  # above 100 Hz


def test_the_frequency_of_a_line_of_notes() -> None:
    line = line_of(NOTES, 4 * SAMPLE_RATE)
    np.testing.assert_allclose(frequency_of(NOTES, 4 * SAMPLE_RATE), hertz(line))
    assert [line[round(seconds * SAMPLE_RATE)] for seconds in (0.0, 0.5, 1.5, 2.5, 3.9)] == [57, 57, 64, 64, 57]
    gliding = line_of(NOTES, 4 * SAMPLE_RATE, glide_seconds=0.1)
    assert gliding[SAMPLE_RATE] == pytest.approx(57)
    assert 57 < gliding[round(1.05 * SAMPLE_RATE)] < 64
    assert gliding[round(1.9 * SAMPLE_RATE)] == pytest.approx(64)
    short = frequency_of(NOTES, SAMPLE_RATE)  # ends before the second note
    np.testing.assert_allclose(short, hertz(57.0))

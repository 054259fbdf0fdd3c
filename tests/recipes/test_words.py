"""Singing with words: the pitch is the melody's, silence is where no note is."""

import shutil

import numpy as np
import pytest

from stemtune.data.rendering.scores import Note
from stemtune.data.rendering.sound import SAMPLE_RATE
from stemtune.data.rendering.words import Speaker, sing_words

pytestmark = pytest.mark.skipif(shutil.which("flite") is None, reason="Flite is not installed")


def test_a_note_is_sung_at_its_pitch_and_nothing_before_it() -> None:
    pytest.importorskip("pyworld", reason="pyworld is not installed")
    note = Note(start_seconds=1.0, duration_seconds=1.5, pitch=57, velocity=90)
    speaker = Speaker("rms", 45.0, 62.0, 1.0)
    voice = sing_words([note], 3 * SAMPLE_RATE, speaker, np.random.default_rng(0))
    assert voice.shape == (3 * SAMPLE_RATE,)
    assert np.isfinite(voice).all()
    sung = voice[round(1.4 * SAMPLE_RATE) : round(2.2 * SAMPLE_RATE)]
    spectrum = np.abs(np.fft.rfft(sung * np.hanning(sung.size), 1 << 18))
    correlation = np.fft.irfft(spectrum**2)
    lags = np.arange(round(SAMPLE_RATE / 330), round(SAMPLE_RATE / 140))
    pitch_hz = SAMPLE_RATE / lags[int(np.argmax(correlation[lags]))]
    assert pitch_hz == pytest.approx(220.0, rel=0.06)
    assert np.abs(voice[: round(0.7 * SAMPLE_RATE)]).max() < 0.02 * np.abs(sung).max()

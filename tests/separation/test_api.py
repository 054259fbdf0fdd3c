import subprocess
import sys

import numpy as np
import pytest
import torch

import stemtune
from stemtune.errors import InputError, UsageError
from stemtune.separation.api import _as_sound


def test_importing_costs_next_to_nothing():
    code = (
        "import sys, stemtune\n"
        "heavy = {'torch', 'numpy', 'pydantic', 'soundfile', 'av', 'soxr'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert 'separate' in dir(stemtune)\n"
        "assert stemtune.__version__[0].isdigit()\n"
        "try:\n    stemtune.nonsense\n"
        "except AttributeError as error:\n    assert 'separate' in str(error)\n"
        "else:\n    raise AssertionError\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_there():
    for name in stemtune.__all__:
        assert getattr(stemtune, name) is not None


def test_a_file(toy, noise, tmp_path):
    song = stemtune.Sound(noise(2, 48_000), 48000)
    path = song.save(tmp_path / "song.flac")
    stems = stemtune.separate(path, model=toy())
    assert stems.names == ("low", "high")
    saved = stems["low"].save(tmp_path / "low.wav")
    back = stemtune.Sound.load(saved)
    assert (back.sample_rate, back.num_samples, back.num_channels) == (48000, 48_000, 2)
    assert stemtune.separate(str(path), model=toy())["high"].samples.equal(stems["high"].samples)


def test_arrays(toy, noise):
    samples = noise(2, 20_000)
    expected = stemtune.separate(stemtune.Sound(samples, 44100), model=toy())
    for array in (samples, samples.numpy(), samples.double().numpy(), samples.numpy().T.copy().T):
        stems = stemtune.separate(array, sample_rate=44100, model=toy())
        assert stems["low"].samples.equal(expected["low"].samples)
    mono = stemtune.separate(samples[0].numpy(), sample_rate=22050, model=toy())
    assert mono["low"].samples.shape == (1, 20_000)


def test_options(toy, noise):
    samples = noise(2, 20_000)
    options = stemtune.SeparationOptions(overlap=0.5)
    chosen, default = (
        stemtune.separate(samples, sample_rate=44100, model=toy(), options=each)["low"].samples
        for each in (options, None)
    )
    assert not chosen.equal(default)
    torch.testing.assert_close(chosen, default, rtol=0, atol=0.1)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((20_000, 2)), "give array.T"),
        (torch.zeros(20_000, 2), "give array.T"),
        (np.zeros((2, 20_000), dtype=np.int16), "32768"),
        (torch.zeros(2, 100, dtype=torch.int32), "full scale"),
        (np.zeros((1, 2, 1000)), r"\(1, 2, 1000\)"),
        (np.zeros((2, 0)), "no samples"),
        (np.zeros(0), "no samples"),
        (np.zeros((100, 1000)), "at most 64 channels"),
        (np.array([0.0, np.nan, 0.0]), "sample 1 of channel 0 is nan"),
        (torch.tensor([[0.0, 0.0], [0.0, float("inf")]]), "sample 1 of channel 1 is inf"),
    ],
)
def test_arrays_that_are_no_waveforms(toy, array, message):
    with pytest.raises(InputError, match=message):
        stemtune.separate(array, sample_rate=44100, model=toy())


def test_wrong_requests(toy, tmp_path):
    with pytest.raises(UsageError, match="sample_rate="):
        stemtune.separate(np.zeros(100), model=toy())
    with pytest.raises(UsageError, match="in Hz"):
        stemtune.separate(np.zeros(100), sample_rate=44, model=toy())
    with pytest.raises(UsageError, match="got list"):
        _as_sound([0.0, 1.0], 44100)
    with pytest.raises(UsageError, match="not 48000"):
        stemtune.separate(stemtune.Sound(torch.zeros(1, 10), 44100), sample_rate=48000, model=toy())
    with pytest.raises(UsageError, match="unknown model"):
        stemtune.separate(np.zeros(100), sample_rate=44100, model="nonsense")
    with pytest.raises(InputError, match=r"song\.mp3"):
        stemtune.separate(tmp_path / "song.mp3", model=toy())

import os
import shutil

import numpy as np
import pytest
import soundfile
import torch

from stemtune.data.encoding import Encoding
from stemtune.errors import InputError, OutputError, UsageError
from stemtune.separation.files import name_outputs, output_stems, separate_file
from stemtune.separation.options import SeparationOptions
from stemtune.separation.stream import separate_waveform


@pytest.fixture(name="song")
def song_fixture(tmp_path, noise):
    def make(*, num_channels=2, num_samples=30_001, sample_rate=44100, level=1.0, subtype="PCM_16", name="song.wav"):
        path = tmp_path / name
        samples = (level * noise(num_channels, num_samples)).clamp(-1, 1 - 2**-15)
        soundfile.write(path, samples.T.numpy(), sample_rate, subtype=subtype)
        return path

    return make


def outputs(tmp_path, *, stems=("low", "high"), extension="wav"):
    return name_outputs(tmp_path / "out", stems, track="song", extension=extension)


def integers(path, dtype="int16"):
    return soundfile.read(path, dtype=dtype, always_2d=True)[0].astype(np.int64)


@pytest.mark.parametrize("sample_rate", [44100, 48000, 8000])
@pytest.mark.parametrize("num_channels", [1, 2, 3, 6])
def test_16_bit_stems_sum_to_the_16_bit_file_bit_for_bit(toy, song, tmp_path, sample_rate, num_channels):
    path = song(num_channels=num_channels, sample_rate=sample_rate)
    result = separate_file(toy(), path, outputs(tmp_path))
    assert result.gain == 1
    assert (result.sample_rate, result.num_channels, result.num_samples) == (sample_rate, num_channels, 30_001)
    total = sum(integers(stem) for stem in result.outputs.values())
    assert np.array_equal(total, integers(path))
    for stem in result.outputs.values():
        info = soundfile.info(stem)
        assert (info.samplerate, info.channels, info.frames) == (sample_rate, num_channels, 30_001)
        assert info.subtype == "PCM_16"


@pytest.mark.parametrize("extension", ["wav", "flac"])
def test_24_bit(toy, song, tmp_path, extension):
    path = song(subtype="PCM_24")
    encoding = Encoding(extension, "int24")
    result = separate_file(toy(), path, outputs(tmp_path, extension=extension), encoding=encoding)
    total = sum(integers(stem, "int32") for stem in result.outputs.values())
    assert np.array_equal(total, integers(path, "int32"))


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3", "m4a", "opus"])
def test_files_hold_the_stems(toy, song, tmp_path, extension):
    from stemtune.data.sound import Sound

    path = song(sample_rate=48000, num_samples=48_000)
    result = separate_file(toy(), path, outputs(tmp_path, extension=extension))
    expected = separate_waveform(toy(), Sound.load(path).samples, sample_rate=48000)
    for stem, truth in zip(("low", "high"), expected, strict=True):
        sound = Sound.load(result.outputs[stem])
        assert sound.sample_rate == 48000
        assert sound.num_samples == 48_000
        error = (sound.samples - truth).norm() / truth.norm()
        assert error < (0.001 if extension in ("wav", "flac") else 0.9)  # noise is hard to code
        correlation = torch.fft.irfft(torch.fft.rfft(sound.samples) * torch.fft.rfft(truth).conj())
        assert int(correlation.sum(dim=0).argmax()) == 0


def test_float_files_are_exact(toy, song, tmp_path):
    path = song(subtype="FLOAT")
    result = separate_file(toy(), path, outputs(tmp_path), encoding=Encoding("wav", "float32"))
    samples = torch.from_numpy(soundfile.read(path, dtype="float32")[0].T.copy())
    expected = separate_waveform(toy(), samples, sample_rate=44100)
    for stem, truth in zip(("low", "high"), expected, strict=True):
        written = soundfile.read(result.outputs[stem], dtype="float32")[0].T
        assert np.array_equal(written, truth.numpy())


def loud(tmp_path, noise, *, scale):
    path = tmp_path / "loud.wav"
    samples = scale * noise(2, 30_000)
    soundfile.write(path, samples.T.numpy(), 44100, subtype="FLOAT")
    return path, samples


@pytest.mark.parametrize("encoding", [Encoding("wav"), Encoding("flac", "int24"), Encoding("ogg")])
def test_one_common_gain_against_clipping(toy, noise, tmp_path, encoding):
    path, samples = loud(tmp_path, noise, scale=8.0)
    result = separate_file(
        toy(), path, outputs(tmp_path, extension=encoding.container), encoding=encoding, clip_mode="rescale"
    )
    assert 0 < result.gain < 0.5
    total = sum(soundfile.read(stem)[0] for stem in result.outputs.values()).T
    tolerance = 1e-4 if encoding.is_lossless else 0.2
    assert np.abs(total - result.gain * samples.numpy()).max() < tolerance
    highest = max(np.abs(soundfile.read(stem)[0]).max() for stem in result.outputs.values())
    assert highest > (0.99 if encoding.is_lossless else 0.9)
    if encoding.is_lossless:
        steps = 2 ** (15 if encoding.sample_format == "int16" else 23)
        mixture = np.round(result.gain * samples.double().numpy() * steps)
        assert np.abs(total * steps - mixture).max() < 1.01  # the gain is rounded to float32 when it is applied
        assert highest < 1


def test_clamping_and_leaving_alone(toy, noise, tmp_path):
    path, samples = loud(tmp_path, noise, scale=8.0)
    clamped = separate_file(toy(), path, outputs(tmp_path), clip_mode="clamp")
    assert clamped.gain == 1
    assert max(integers(stem).max() for stem in clamped.outputs.values()) == 32767
    free = separate_file(toy(), path, outputs(tmp_path), encoding=Encoding("wav", "float32"))
    assert free.gain == 1
    total = sum(soundfile.read(stem)[0] for stem in free.outputs.values()).T
    assert np.abs(total - samples.numpy()).max() < 1e-5


def test_full_scale_that_just_fits_is_not_turned_down(toy, tmp_path):
    path = tmp_path / "square.wav"
    square = np.tile(np.repeat([-32768, 32767], 50).astype(np.int16), 100)
    soundfile.write(path, square, 44100, subtype="PCM_16")
    result = separate_file(toy(what="copy", stems=("only",)), path, outputs(tmp_path, stems=("only",)))
    assert result.gain == 1
    assert np.array_equal(integers(result.outputs["only"])[:, 0], square)


def test_two_stems(toy, song, tmp_path):
    path = song()
    names = output_stems(("low", "high"), "high")
    assert names == ("high", "no_high")
    result = separate_file(toy(), path, outputs(tmp_path, stems=names), two_stems="high")
    assert np.array_equal(sum(integers(stem) for stem in result.outputs.values()), integers(path))
    all_stems = separate_file(toy(), path, outputs(tmp_path))
    assert np.abs(integers(result.outputs["high"]) - integers(all_stems.outputs["high"])).max() <= 1
    with pytest.raises(UsageError, match="unknown stem 'tuba'"):
        output_stems(("low", "high"), "tuba")


def test_silence_and_one_sample(toy, tmp_path):
    path = tmp_path / "silent.wav"
    soundfile.write(path, np.zeros((5000, 2)), 44100)
    result = separate_file(toy(what="nan"), path, outputs(tmp_path))
    assert not any(integers(stem).any() for stem in result.outputs.values())
    soundfile.write(path, np.full((1, 1), 0.5), 96000)
    result = separate_file(toy(), path, outputs(tmp_path))
    assert result.num_samples == 1
    assert sum(integers(stem) for stem in result.outputs.values())[0, 0] == 16384


def test_nothing_is_left_behind_when_it_fails(toy, song, tmp_path):
    path = song()

    def stop(_):
        raise KeyboardInterrupt

    before = sorted(tmp_path.rglob("*"))
    for encoding in (Encoding("wav"), Encoding("wav", "float32")):
        with pytest.raises(KeyboardInterrupt):
            separate_file(toy(), path, outputs(tmp_path), encoding=encoding, on_progress=stop)
        assert sorted(tmp_path.rglob("*")) == before
    cut = tmp_path / "cut.wav"
    cut.write_bytes(path.read_bytes()[:50_000])
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match="cut"):
        separate_file(toy(), cut, outputs(tmp_path))
    assert sorted(tmp_path.rglob("*")) == before


def test_a_failing_commit_takes_the_other_stems_back(toy, song, tmp_path, monkeypatch):
    from stemtune.data.writer import AudioWriter

    path, commit = song(), AudioWriter.commit

    def fail_on_second(self):
        if self.path.stem == "high":
            raise OutputError("no")
        return commit(self)

    monkeypatch.setattr(AudioWriter, "commit", fail_on_second)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputError):
        separate_file(toy(), path, outputs(tmp_path))
    assert sorted(tmp_path.rglob("*")) == before


def test_the_disk_is_checked_first(toy, song, tmp_path, monkeypatch):
    path = song()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: os.terminal_size and shutil._ntuple_diskusage(1, 1, 1000))
    with pytest.raises(OutputError, match="GB are free"):
        separate_file(toy(), path, outputs(tmp_path))


def test_the_input_is_never_overwritten(toy, song, tmp_path):
    path = song(name="low.wav")
    content = path.read_bytes()
    with pytest.raises(UsageError, match="is the input itself"):
        separate_file(toy(), path, {"low": path, "high": tmp_path / "high.wav"})
    assert path.read_bytes() == content


@pytest.mark.parametrize("pattern", ["{track}.{ext}", "../{stem}.{ext}", "/x/{stem}.{ext}", "{nonsense}", "{stem}"])
def test_patterns_that_lead_astray(tmp_path, pattern):
    with pytest.raises(UsageError):
        name_outputs(tmp_path, ("a", "b"), track="t", extension="wav", pattern=pattern)


def test_stems_that_need_not_sum(toy, song, tmp_path):
    path = song()
    result = separate_file(toy(), path, outputs(tmp_path), options=SeparationOptions(mixture_consistency=False))
    assert not np.array_equal(sum(integers(stem) for stem in result.outputs.values()), integers(path))
    with pytest.raises(UsageError, match="expected outputs"):
        separate_file(toy(), path, outputs(tmp_path, stems=("low",)))

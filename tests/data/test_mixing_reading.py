"""Reading for training gives what reading gives, bit for bit, from WAV files, decoded copies and everything else."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from stemtune.data.audio import open_audio, probe
from stemtune.data.audio_streams import stream_path
from stemtune.data.decoded import DecodedFiles
from stemtune.data.excerpts import ExcerptReader
from stemtune.data.pcm import locate_samples, read_samples
from stemtune.data.tracks import read_excerpt
from stemtune.errors import InputError, OutputError
from tests.data.conftest import Encode, noise

RATE = 16000
NUM_SAMPLES = 40_000


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two and a half seconds of stereo noise in the usual formats."""
    folder = tmp_path_factory.mktemp("files")
    samples = noise(NUM_SAMPLES, num_channels=2).T.numpy()
    made = {}
    for name, subtype in {"wav": "PCM_16", "flac": "PCM_16", "ogg": "VORBIS", "mp3": None}.items():
        made[name] = folder / f"sound.{name}"
        soundfile.write(made[name], samples, RATE, subtype=subtype)
    return made


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT"])
@pytest.mark.parametrize("num_channels", [1, 2, 3])
@pytest.mark.parametrize("container", ["WAV", "WAVEX", "RF64"])
def test_samples_of_wav_files_are_found(tmp_path: Path, subtype: str, num_channels: int, container: str) -> None:
    path = tmp_path / "sound.wav"
    sound = np.random.default_rng(0).uniform(-1, 1, (1000, num_channels))
    soundfile.write(path, sound, RATE, subtype=subtype, format=container)
    pcm = locate_samples(probe(path))
    assert pcm is not None
    with open_audio(path) as reader:
        reader.seek(100)
        assert torch.equal(read_samples(pcm, start=100, num_samples=500), reader.read(500))


@pytest.mark.parametrize("subtype", ["PCM_U8", "DOUBLE", "ALAW", "IMA_ADPCM"])
def test_less_common_wav_files_are_left_to_others(tmp_path: Path, subtype: str) -> None:
    path = tmp_path / "sound.wav"
    soundfile.write(path, np.zeros(1000), RATE, subtype=subtype)
    assert locate_samples(probe(path)) is None


def test_chunks_before_the_samples_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    soundfile.write(path, np.linspace(-1, 1, 1000), RATE, subtype="PCM_16")
    data = path.read_bytes()
    odd = b"LIST" + (5).to_bytes(4, "little") + b"odd!!" + b"\0"
    path.write_bytes(data[:12] + odd + data[12:])
    fixed = bytearray(path.read_bytes())
    fixed[4:8] = (len(fixed) - 8).to_bytes(4, "little")
    path.write_bytes(fixed)
    pcm = locate_samples(probe(path))
    assert pcm is not None
    with open_audio(path) as reader:
        assert torch.equal(read_samples(pcm, start=0, num_samples=1000), reader.read(1000))


@pytest.mark.parametrize("name", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("with_copies", [False, True])
def test_excerpts_are_the_same_by_every_way(
    files: dict[str, Path], tmp_path: Path, name: str, with_copies: bool
) -> None:
    reader = ExcerptReader(sample_rate=RATE, channels=2, decoded=tmp_path if with_copies else None)
    for start_seconds in (0.0, 0.7131, 2.0, 2.4, 5.0, -0.2, -5.0):
        wanted = read_excerpt(
            (files[name],), start_seconds=start_seconds, num_samples=10_000, sample_rate=RATE, channels=2
        )
        out = torch.full((2, 10_000), 7.0)
        got = reader.read((files[name],), start_seconds=start_seconds, num_samples=10_000, out=out)
        assert got is out
        assert torch.equal(got, wanted) or (name == "mp3" and torch.allclose(got, wanted, atol=1e-7, rtol=0.0))
    assert len(list(tmp_path.glob("*.wav"))) == (1 if with_copies and name != "wav" else 0)


@pytest.mark.parametrize(("sample_rate", "channels"), [(RATE, 1), (8000, 2), (8000, 1), (22050, 1), (44100, 2)])
def test_rates_and_channels_are_converted_as_elsewhere(files: dict[str, Path], sample_rate: int, channels: int) -> None:
    reader = ExcerptReader(sample_rate=sample_rate, channels=channels)
    for paths in ((files["wav"],), (files["flac"], files["wav"])):
        for start_seconds in (0.3, 2.2, -0.1):
            wanted = read_excerpt(
                paths, start_seconds=start_seconds, num_samples=9000, sample_rate=sample_rate, channels=channels
            )
            got = reader.read(paths, start_seconds=start_seconds, num_samples=9000)
            torch.testing.assert_close(got, wanted, atol=2e-7, rtol=1e-5)


def test_mono_becomes_stereo_and_several_files_are_added(files: dict[str, Path], tmp_path: Path) -> None:
    mono = tmp_path / "mono.wav"
    soundfile.write(mono, np.full(NUM_SAMPLES, 0.25), RATE, subtype="PCM_16")
    reader = ExcerptReader(sample_rate=RATE, channels=2)
    alone, both = (reader.read(paths, start_seconds=1.0, num_samples=500) for paths in (
        (files["wav"],), (mono, files["wav"]),
    ))  # fmt: skip
    torch.testing.assert_close(both, alone + 0.25)


def test_copies_hold_integers_where_these_suffice(files: dict[str, Path], tmp_path: Path) -> None:
    copies = DecodedFiles(tmp_path / "new" / "folder")
    assert soundfile.info(copies.copy_of(files["flac"])).subtype == "PCM_16"
    assert soundfile.info(copies.copy_of(files["ogg"])).subtype == "FLOAT"


def test_copies_are_made_once_and_again_when_the_file_changes(files: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "sound.flac"
    path.write_bytes(files["flac"].read_bytes())
    copies = DecodedFiles(tmp_path / "copies")
    first = copies.copy_of(path)
    written = first.stat().st_mtime_ns
    assert DecodedFiles(tmp_path / "copies").copy_of(path) == first
    assert first.stat().st_mtime_ns == written
    os.utime(path, ns=(1, 1))
    second = copies.copy_of(path)
    assert second != first
    assert not list((tmp_path / "copies").glob(".*"))


def test_streams_of_one_file_have_copies_of_their_own(encode: Encode, tmp_path: Path) -> None:
    sounds = [noise(RATE, 2, seed) for seed in range(2)]
    path = encode(tmp_path / "song.mka", *sounds, codec="flac", sample_rate=RATE)
    reader = ExcerptReader(sample_rate=RATE, channels=2, decoded=tmp_path / "copies")
    for number in range(2):
        address = stream_path(path, number)
        wanted = read_excerpt((address,), start_seconds=0.25, num_samples=4000, sample_rate=RATE, channels=2)
        assert torch.equal(reader.read((address,), start_seconds=0.25, num_samples=4000), wanted)
    assert len(list((tmp_path / "copies").iterdir())) == 2


def test_a_file_that_is_replaced_meanwhile_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    reader = ExcerptReader(sample_rate=RATE, channels=1)
    for value in (0.25, 0.5):
        soundfile.write(path, np.full(2000, value), RATE, subtype="PCM_16")
        os.utime(path, ns=(int(value * 1000), int(value * 1000)))
        assert torch.equal(reader.read((path,), start_seconds=0.0, num_samples=100), torch.full((1, 100), value))


def test_what_is_wrong_with_a_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    sound = np.zeros(2000, dtype=np.float32)
    sound[700] = np.nan
    soundfile.write(path, sound, RATE, subtype="FLOAT")
    reader = ExcerptReader(sample_rate=RATE, channels=1)
    reader.read((path,), start_seconds=0.0, num_samples=500)
    with pytest.raises(InputError, match=r"sound.wav: sample 700 of channel 0 is nan, where a finite number"):
        reader.read((path,), start_seconds=0.0, num_samples=1000)
    path.unlink()
    with pytest.raises(InputError, match=r"sound\.wav: (cannot be read|no such file)"):
        reader.read((path,), start_seconds=0.0, num_samples=500)


def test_a_folder_that_cannot_hold_copies_is_said(files: dict[str, Path], tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        DecodedFiles(blocked / "copies").copy_of(files["ogg"])

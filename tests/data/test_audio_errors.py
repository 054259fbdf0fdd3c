"""What is wrong with a file is one clear line, an `InputError`, and nothing is printed."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from stemtune.data.audio import open_audio, probe
from stemtune.data.sound import Sound
from stemtune.errors import InputError

from .conftest import Encode, noise

RATE = 44_100
LENGTH = 60_000


def error_of(path: Path, *, stream: int = 0) -> str:
    """Read the whole file, block by block, and return the one line that explains why that is impossible."""
    with pytest.raises(InputError) as caught, open_audio(path, stream=stream) as reader:
        for _ in reader.blocks(10_000):
            pass
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert len(message) < 300 + len(str(path))
    return message


def write(path: Path, container: str, subtype: str, rate: int = RATE, num_channels: int = 2) -> Path:
    soundfile.write(path, noise(LENGTH, num_channels).T.numpy(), rate, format=container, subtype=subtype)
    return path


def cut(path: Path, fraction: float = 0.6) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * fraction)])
    return path


def test_missing(tmp_path: Path) -> None:
    assert "no such file" in error_of(tmp_path / "nothing.wav")


def test_folder(tmp_path: Path) -> None:
    assert "is a folder" in error_of(tmp_path)


def test_empty(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    assert "is empty (0 bytes)" in error_of(tmp_path / "empty.wav")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    assert "not a regular file" in error_of(tmp_path / "pipe.wav")


def test_unreadable(tmp_path: Path) -> None:
    path = write(tmp_path / "secret.wav", "WAV", "PCM_16")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("permissions do not bind this user")
    assert "check its permissions" in error_of(path)


@pytest.mark.parametrize("container", ["WAV", "W64", "AIFF"])
def test_no_samples(tmp_path: Path, container: str) -> None:
    path = tmp_path / "silence"
    soundfile.write(path, np.zeros((0, 2)), RATE, format=container, subtype="PCM_16")
    assert "contains no samples" in error_of(path)


@pytest.mark.parametrize("text", ["la la la\n" * 500, "#EXTM3U\nother.wav\n", "ffconcat version 1.0\nfile other.wav\n"])
def test_text_is_not_audio_nor_a_playlist(tmp_path: Path, text: str) -> None:
    write(tmp_path / "other.wav", "WAV", "PCM_16")
    (tmp_path / "lyrics.mp3").write_text(text)
    assert "is text, not audio" in error_of(tmp_path / "lyrics.mp3")


def test_random_bytes(tmp_path: Path) -> None:
    (tmp_path / "junk.flac").write_bytes(np.random.default_rng(0).bytes(50_000))
    error_of(tmp_path / "junk.flac")


@pytest.mark.parametrize(
    ("container", "subtype"),
    [
        ("WAV", "PCM_16"),
        ("WAVEX", "PCM_24"),
        ("WAV", "FLOAT"),
        ("RF64", "PCM_16"),
        ("W64", "PCM_16"),
        ("AIFF", "PCM_24"),
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
        ("MP3", "MPEG_LAYER_III"),
    ],
)
@pytest.mark.parametrize("fraction", [0.05, 0.6, 0.999])
def test_cut_off(tmp_path: Path, container: str, subtype: str, fraction: float) -> None:
    message = error_of(cut(write(tmp_path / "short", container, subtype), fraction))
    assert "get the file again" in message or "is damaged" in message


def test_one_missing_byte(tmp_path: Path) -> None:
    path = write(tmp_path / "almost.wav", "WAV", "PCM_16")
    path.write_bytes(path.read_bytes()[:-1])
    assert "1 bytes of the sound that its header promises are missing" in error_of(path)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("end.m4a", "aac", {}),  # the index is at the end, and gone
        ("front.m4a", "aac", {"movflags": "faststart"}),
        ("cut.mkv", "flac", {}),
        ("cut.webm", "libopus", {}),
    ],
)
def test_cut_off_containers(tmp_path: Path, encode: Encode, name: str, codec: str, options: dict[str, str]) -> None:
    path = encode(tmp_path / name, noise(5 * 48_000, 2), codec=codec, sample_rate=48_000, options=options)
    error_of(cut(path))


@pytest.mark.parametrize(("container", "subtype"), [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")])
def test_damaged_in_the_middle(tmp_path: Path, container: str, subtype: str) -> None:
    path = write(tmp_path / "scratched", container, subtype)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4_000] = bytes(4_000)
    path.write_bytes(content)
    assert "damaged" in error_of(path)


def test_more_than_the_header_can_state(tmp_path: Path) -> None:
    path = write(tmp_path / "wrapped.wav", "WAV", "PCM_16")
    with path.open("rb+") as file:
        file.truncate(path.stat().st_size + 2**32)  # a hole: it takes no space on the disk
    assert "cannot state more than 4 GiB" in error_of(path)


def test_film_without_sound(tmp_path: Path, encode: Encode) -> None:
    path = encode(tmp_path / "silent film.mp4", codec="aac", sample_rate=RATE, with_video=True)
    assert "has video but no audio stream" in error_of(path)


def test_wrong_stream(tmp_path: Path, encode: Encode) -> None:
    path = encode(tmp_path / "two.stem.mp4", noise(9_000, 2), noise(9_000, 2), codec="aac", sample_rate=RATE)
    assert "no audio stream 2; the file has 2, counted from 0" in error_of(path, stream=2)
    assert "no audio stream -1" in error_of(path, stream=-1)
    wav = write(tmp_path / "one.wav", "WAV", "PCM_16")
    assert "no audio stream 1; the file has 1, counted from 0" in error_of(wav, stream=1)


def test_too_many_channels(tmp_path: Path) -> None:
    path = write(tmp_path / "dome.wav", "WAV", "PCM_16", num_channels=9)
    assert "has 9 channels, where 1 to 8 are supported" in error_of(path)


@pytest.mark.parametrize("rate", [7_999, 192_001])
def test_sample_rate_out_of_range(tmp_path: Path, rate: int) -> None:
    path = write(tmp_path / "strange.wav", "WAV", "PCM_16", rate)
    assert f"has a sample rate of {rate} Hz, where 8000 to 192000 are supported" in error_of(path)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["bad.wav", "bad.mkv"])
def test_not_finite(tmp_path: Path, encode: Encode, name: str, number: float) -> None:
    samples = noise(LENGTH, 2)
    samples[1, 23_456] = number
    samples[0, 40_000] = number
    path = tmp_path / name
    if name.endswith("wav"):
        soundfile.write(path, samples.T.numpy(), RATE, subtype="FLOAT")
    else:
        encode(path, samples, codec="pcm_f32le", sample_rate=RATE)
    message = error_of(path)
    assert f"sample 23456 of channel 1 is {number:g}" in message
    assert Sound.load(path, num_samples=23_456).num_samples == 23_456  # what is before it can be read


def test_loud_but_finite(tmp_path: Path) -> None:
    samples = torch.full((1, 1_000), 3e38)
    soundfile.write(tmp_path / "loud.wav", samples.T.numpy(), RATE, subtype="FLOAT")
    assert torch.equal(Sound.load(tmp_path / "loud.wav").samples, samples)


def test_damaged_header(tmp_path: Path) -> None:
    path = write(tmp_path / "header.wav", "WAV", "PCM_16")
    content = bytearray(path.read_bytes())
    struct.pack_into("<H", content, 22, 0)  # no channels
    path.write_bytes(content)
    error_of(path)


@pytest.mark.parametrize(("container", "at"), [("W64", 56), ("WAV", 16), ("AIFF", 16), ("RF64", 16)])
def test_absurd_chunk_size(tmp_path: Path, container: str, at: int) -> None:
    path = write(tmp_path / "absurd", container, "PCM_16")
    content = bytearray(path.read_bytes())
    content[at : at + (8 if container == "W64" else 4)] = b"\xfe" * (8 if container == "W64" else 4)
    path.write_bytes(content)
    error_of(path)


def test_nothing_is_printed(tmp_path: Path) -> None:
    """libmpg123 and FFmpeg write to the standard error of the process, below Python."""
    random = np.random.default_rng(0)
    whole = write(tmp_path / "whole.mp3", "MP3", "MPEG_LAYER_III").read_bytes()
    cases = {
        "text.mp3": b"la la la\n" * 20_000,
        "junk.mp3": b"ID3" + random.bytes(90_000),
        "scratched.mp3": whole[:9_000] + bytes(700) + whole[9_700:],
        "noisy.mp3": whole[:9_000] + random.bytes(3_000) + whole[12_000:],
        "start.mp3": whole[:700],
        "longer.mp3": whole + random.bytes(9_000),
        "junk.m4a": b"\0\0\0\x20ftypM4A " + random.bytes(9_000),
        "junk.ogg": b"OggS" + random.bytes(9_000),
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
    program = """
import sys
from stemtune.data.audio import open_audio
from stemtune.errors import InputError
failed = 0
for path in sys.argv[1:]:
    try:
        with open_audio(path) as reader:
            for block in reader.blocks(5000):
                pass
            reader.seek(100)
    except InputError:
        failed += 1
print("a line", file=sys.stderr)
print(failed)
"""
    paths = [str(tmp_path / name) for name in cases]
    result = subprocess.run([sys.executable, "-c", program, *paths], capture_output=True, text=True, check=True)
    assert result.stderr == "a line\n"
    assert int(result.stdout) >= len(cases) - 2


def test_the_context_closes_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "song.wav", "WAV", "PCM_16")
    for _ in range(3):
        probe(path)
    reader = open_audio(path)
    with reader:
        pass
    with pytest.raises((RuntimeError, InputError)):
        reader.read(1)

"""Samples out of pipes and into them: the same as from files, and clear words for what is something else."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from stemtune.data.audio import open_audio
from stemtune.data.pipe import PipeReader, PipeWriter, RawFormat, open_pipe
from stemtune.errors import InputError, UsageError


class Dribble(io.RawIOBase):
    """Gives seven bytes at a time, and cannot be sought in, as a pipe."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        return self._content.read(min(size, 7))

    def seek(self, *_: object) -> int:
        raise OSError("a pipe")

    tell = seek


def read_all(reader: PipeReader, block_samples: int = 100) -> torch.Tensor:
    return torch.cat(list(reader.blocks(block_samples)), dim=1)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT"])
@pytest.mark.parametrize("num_channels", [1, 2, 3])
def test_a_wav_file_in_a_pipe_is_the_file(tmp_path: Path, subtype: str, num_channels: int) -> None:
    noise = 0.3 * np.random.default_rng(0).standard_normal((1234, num_channels))
    soundfile.write(tmp_path / "a.wav", noise.clip(-1, 1), 22050, subtype=subtype)
    reader = open_pipe(Dribble((tmp_path / "a.wav").read_bytes() + b"LIST\4\0\0\0abcd"), raw=None, name="a")
    assert (reader.format.sample_rate, reader.format.num_channels) == (22050, num_channels)
    with open_audio(tmp_path / "a.wav") as file:
        assert torch.equal(read_all(reader), file.read(5000)), "and what follows the samples is none of them"


@pytest.mark.parametrize("sample_format", ["int16", "int24", "int32", "float32"])
@pytest.mark.parametrize("header", [True, False])
def test_what_is_written_is_read_again(sample_format: str, header: bool) -> None:
    raw = RawFormat(sample_format, 8000, 2)
    samples = torch.randint(-(2**15), 2**15, (2, 501), dtype=torch.int32)
    content = samples / 2.0**15 if sample_format == "float32" else samples
    pipe = io.BytesIO()
    writer = PipeWriter(pipe, raw, header=header, name="pipe")
    writer.write(content[:, :200])
    writer.write(content[:, 200:])
    reader = open_pipe(Dribble(pipe.getvalue()), raw=None if header else raw, name="pipe")
    assert reader.format == raw
    bits = {"int16": 16, "int24": 24, "int32": 32, "float32": 16}[sample_format]
    assert torch.equal(read_all(reader), samples / 2.0 ** (bits - 1))


def test_other_programs_read_what_is_written(tmp_path: Path) -> None:
    with (tmp_path / "a.wav").open("wb") as file:
        PipeWriter(file, RawFormat("int16", 8000, 2), header=True, name="a").write(torch.ones(2, 90, dtype=torch.int32))
    samples, rate = soundfile.read(tmp_path / "a.wav", dtype="int16")
    assert (rate, samples.shape, samples.min()) == (8000, (90, 2), 1)


def test_a_last_sample_that_is_not_whole_is_left_out() -> None:
    reader = open_pipe(Dribble(b"\1\0\2\0\3"), raw=RawFormat("int16", 8000, 1), name="pipe")
    assert torch.equal(read_all(reader), torch.tensor([[1.0, 2.0]]) / 2**15)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("int16", "expected FORMAT:RATE:CHANNELS"),
        ("int16:44100:2:1", "expected FORMAT:RATE:CHANNELS"),
        ("mp3:44100:2", "the formats are int16, int24"),
        ("int16:-1:2", "expected FORMAT:RATE:CHANNELS"),
        ("int16:100:2", "a rate of 100 Hz; expected 8000 to 192000"),
        ("int16:44100:9", "9 channels; expected 1 to 8"),
    ],
)
def test_wrong_formats_are_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        RawFormat.parse(text)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"OggS" + bytes(100), b"RIFF\0\0\0\0WAVEfmt "])
def test_what_is_no_wav_is_named(content: bytes) -> None:
    with pytest.raises(InputError, match="the pipe: does not begin as an uncompressed WAV file does"):
        open_pipe(Dribble(content), raw=None, name="the pipe")

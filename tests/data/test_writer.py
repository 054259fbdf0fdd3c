"""What was written is what is read, in every format, and nothing half-written is ever seen."""

import errno
import os
import struct
from pathlib import Path

import pytest
import soundfile
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stemtune.data import encoders, wav
from stemtune.data.audio import probe
from stemtune.data.encoding import SampleFormat
from stemtune.data.sound import Sound
from stemtune.data.wav import wav_header
from stemtune.data.writer import AudioWriter, Encoding
from stemtune.errors import OutputError, UsageError

from .conftest import lag_samples, noise

RATE = 48_000
ENCODINGS = {
    "16.wav": Encoding("wav"),
    "24.wav": Encoding("wav", "int24"),
    "32.wav": Encoding("wav", "int32"),
    "float.wav": Encoding("wav", "float32"),
    "16.flac": Encoding("flac"),
    "24.flac": Encoding("flac", "int24"),
    "a.ogg": Encoding("ogg"),
    "a.opus": Encoding("opus"),
    "small.opus": Encoding("opus", bitrate_kbps=64),
    "a.mp3": Encoding("mp3"),
    "small.mp3": Encoding("mp3", bitrate_kbps=128),
    "a.m4a": Encoding("m4a"),
    "small.m4a": Encoding("m4a", bitrate_kbps=96),
}
BITS: dict[SampleFormat, int] = {"int16": 16, "int24": 24, "int32": 32}


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("num_samples", [1, 50_021])
def test_length_and_lag(tmp_path: Path, name: str, num_samples: int) -> None:
    encoding, original = ENCODINGS[name], noise(num_samples, 2)
    path = Sound(original, RATE).save(tmp_path / name, encoding=encoding)
    info, loaded = probe(path), Sound.load(path).samples
    assert (info.num_samples, info.exact_length, info.sample_rate, info.num_channels) == (num_samples, True, RATE, 2)
    assert loaded.shape == original.shape
    if encoding.is_lossless:
        step = 0.0 if encoding.sample_format == "float32" else 2.0 ** -BITS[encoding.sample_format]
        assert (loaded - original).abs().max() <= step
    elif num_samples > 1:
        assert all(lag_samples(estimate=loaded[c], reference=original[c]) == 0 for c in range(2))
        assert (loaded - original).square().sum() < 0.05 * original.square().sum()


@pytest.mark.parametrize("name", ["16.wav", "float.wav", "16.flac", "a.ogg", "a.mp3", "a.m4a"])
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lengths=st.lists(st.integers(0, 3_000), min_size=1, max_size=6).filter(any))
def test_blocks_of_any_length_give_the_same_file(tmp_path: Path, name: str, lengths: list[int]) -> None:
    original = noise(sum(lengths), 2)
    whole = Sound(original, RATE).save(tmp_path / f"whole {name}", encoding=ENCODINGS[name])
    with AudioWriter(tmp_path / name, sample_rate=RATE, num_channels=2, encoding=ENCODINGS[name]) as writer:
        for block in original.split(lengths, dim=1):
            writer.write(block)
        assert writer.num_samples == sum(lengths)
    assert torch.equal(Sound.load(tmp_path / name).samples, Sound.load(whole).samples)


@pytest.mark.parametrize("name", ["16.wav", "24.wav", "16.flac", "24.flac"])
@pytest.mark.parametrize("num_channels", [1, 2, 8])
def test_integers_are_kept_exactly(tmp_path: Path, name: str, num_channels: int) -> None:
    limit = 1 << (BITS[ENCODINGS[name].sample_format] - 1)
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randint(-limit, limit, (num_channels, 5_001), generator=generator, dtype=torch.int32)
    numbers[:, :2] = torch.tensor([-limit, limit - 1])
    with AudioWriter(tmp_path / name, sample_rate=RATE, num_channels=num_channels, encoding=ENCODINGS[name]) as writer:
        writer.write_integers(numbers[:, :1_000])
        writer.write_integers(numbers[:, 1_000:])
    assert torch.equal((Sound.load(tmp_path / name).samples * limit).to(torch.int32), numbers)
    again = Sound.load(tmp_path / name).save(tmp_path / f"again {name}", encoding=ENCODINGS[name])
    assert torch.equal(Sound.load(again).samples, Sound.load(tmp_path / name).samples)


def test_integers_that_do_not_fit(tmp_path: Path) -> None:
    with AudioWriter(tmp_path / "a.wav", sample_rate=RATE, num_channels=1) as writer:
        writer.write_integers(torch.zeros(1, 1, dtype=torch.int32))
        with pytest.raises(ValueError, match="do not fit 16 bits"):
            writer.write_integers(torch.tensor([[32_768]], dtype=torch.int32))
    for name in ("float.wav", "a.mp3"):
        with (
            pytest.raises(UsageError, match="not integers"),
            AudioWriter(tmp_path / name, sample_rate=RATE, num_channels=1, encoding=ENCODINGS[name]) as writer,
        ):
            writer.write_integers(torch.zeros(1, 1, dtype=torch.int32))


@pytest.mark.parametrize("name", ["16.wav", "24.wav", "32.wav", "16.flac"])
def test_what_is_too_loud_is_clamped(tmp_path: Path, name: str) -> None:
    limit = 1 << (BITS[ENCODINGS[name].sample_format] - 1)
    loud = torch.tensor([[-5.0, -1.0, 0.0, 1.0, 5.0]])
    loaded = Sound.load(Sound(loud, RATE).save(tmp_path / name, encoding=ENCODINGS[name])).samples
    expected = torch.tensor([[-1.0, -1.0, 0.0, (limit - 1) / limit, (limit - 1) / limit]])
    torch.testing.assert_close(loaded, expected, atol=1e-9, rtol=0)


def test_floats_are_not_clamped(tmp_path: Path) -> None:
    loud = torch.tensor([[-5.0, 5.0]])
    assert torch.equal(
        Sound.load(Sound(loud, RATE).save(tmp_path / "a.wav", encoding=ENCODINGS["float.wav"])).samples, loud
    )


@pytest.mark.parametrize("name", ["16.wav", "24.wav", "float.wav", "16.flac", "a.ogg", "a.opus"])
@pytest.mark.parametrize("num_channels", range(1, 9))
def test_channels_keep_their_order(tmp_path: Path, name: str, num_channels: int) -> None:
    original = noise(20_000, num_channels)
    path = Sound(original, RATE).save(tmp_path / name, encoding=ENCODINGS[name])
    similarity = torch.corrcoef(torch.cat([original, Sound.load(path).samples]))[:num_channels, num_channels:]
    assert similarity.argmax(dim=1).tolist() == list(range(num_channels))


@pytest.mark.parametrize("name", ["16.wav", "float.wav", "16.flac", "a.ogg"])
@pytest.mark.parametrize("sample_rate", [8_000, 11_025, 44_056, 192_000])
def test_rates_are_kept(tmp_path: Path, name: str, sample_rate: int) -> None:
    loaded = Sound.load(Sound(noise(5_000), sample_rate).save(tmp_path / name, encoding=ENCODINGS[name]))
    assert (loaded.sample_rate, loaded.num_samples) == (sample_rate, 5_000)


@pytest.mark.parametrize("container", ["mp3", "opus", "m4a"])
def test_bit_rates(tmp_path: Path, container: str) -> None:
    seconds = 4
    sizes = {}
    for kbps in (64, 128):
        path = tmp_path / f"{kbps}.{container}"
        Sound(noise(seconds * RATE, 2), RATE).save(path, encoding=Encoding.for_path(path, bitrate_kbps=kbps))
        sizes[kbps] = path.stat().st_size * 8 / seconds / 1_000
    assert all(0.8 * kbps < size < 1.25 * kbps for kbps, size in sizes.items())


@pytest.mark.parametrize("sample_rate", [8_000, 11_025, 16_000, 24_000, 32_000, 44_100])
def test_mp3_at_every_rate(tmp_path: Path, sample_rate: int) -> None:
    original = noise(20_001)
    loaded = Sound.load(Sound(original, sample_rate).save(tmp_path / "a.mp3"))
    assert (loaded.sample_rate, loaded.num_samples) == (sample_rate, 20_001)
    assert lag_samples(estimate=loaded.samples[0], reference=original[0]) == 0


@pytest.mark.parametrize(
    ("name", "sample_rate", "num_channels", "words"),
    [
        ("a.opus", 44_100, 2, "opus holds sample rates of 8000, 12000, 16000, 24000, 48000 Hz, not 44100; resample"),
        ("a.mp3", 96_000, 2, "mp3 holds sample rates of .*, not 96000; resample first, or use wav"),
        ("a.mp3", 44_100, 3, "mp3 holds 1 to 2 channels, not 3; use wav, flac, ogg, opus"),
        ("a.m4a", 44_100, 6, "m4a holds 1 to 2 channels, not 6; use wav, flac, ogg, opus"),
        ("a.wav", 44_100, 9, "wav holds 1 to 8 channels, not 9; write fewer channels"),
    ],
)
def test_what_a_format_cannot_hold(tmp_path: Path, name: str, sample_rate: int, num_channels: int, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        AudioWriter(tmp_path / name, sample_rate=sample_rate, num_channels=num_channels)
    assert list(tmp_path.iterdir()) == []


def test_encodings_that_do_not_exist() -> None:
    with pytest.raises(UsageError, match=r"flac cannot hold float32 samples; choose int16, int24"):
        Encoding("flac", "float32")
    with pytest.raises(UsageError, match=r"flac takes no bit rate"):
        Encoding.for_path("a.flac", bitrate_kbps=128)
    with pytest.raises(UsageError, match=r"mp3 takes a bit rate of 8 to 320 kbit/s; 999 was asked for"):
        Encoding.for_path("a.mp3", bitrate_kbps=999)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("name", ["16.wav", "16.flac", "a.ogg", "a.mp3", "a.m4a"])
def test_an_exception_leaves_the_old_file(tmp_path: Path, name: str, error: type[BaseException]) -> None:
    target = tmp_path / name
    target.write_text("old")

    def write_half() -> None:
        with AudioWriter(target, sample_rate=RATE, num_channels=2, encoding=ENCODINGS[name]) as writer:
            writer.write(noise(5_000, 2))
            assert len(list(tmp_path.iterdir())) == 2
            raise error

    with pytest.raises(error):
        write_half()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_commit_and_abort_by_hand(tmp_path: Path) -> None:
    writer = AudioWriter(tmp_path / "a.wav", sample_rate=RATE, num_channels=1)
    writer.write(noise(10))
    assert not (tmp_path / "a.wav").exists()
    assert writer.commit() == writer.commit() == tmp_path / "a.wav"
    writer.abort()
    assert Sound.load(tmp_path / "a.wav").num_samples == 10
    with pytest.raises(ValueError, match="nothing can be added"):
        writer.write(noise(10))
    with (
        pytest.raises(ValueError, match="2 were given"),
        AudioWriter(tmp_path / "b.wav", sample_rate=RATE, num_channels=1) as writer,
    ):
        writer.write(noise(10, 2))


def test_not_finite_is_not_written(tmp_path: Path) -> None:
    samples = noise(100)
    samples[0, 7] = torch.nan
    with pytest.raises(OutputError, match="not a finite number"):
        Sound(samples, RATE).save(tmp_path / "a.wav")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "a.wav").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        Sound(noise(5), RATE).save(tmp_path / "a.wav")


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class FullFile(wav.WavFile):
        def write(self, samples: torch.Tensor) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(encoders, "WavFile", FullFile)
    with pytest.raises(OutputError, match="free some space") as caught:
        Sound(noise(100), RATE).save(tmp_path / "a.wav")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["16.wav", "float.wav", "16.flac", "a.ogg", "a.opus", "a.mp3", "a.m4a"])
def test_a_file_that_may_not_grow(tmp_path: Path, name: str) -> None:
    """The system's limit on the size of a file stops encoders as a full disk does, and they do not all say so."""
    resource = pytest.importorskip("resource", reason="this system has no limit on the size of files")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    sound = Sound(noise(RATE * 4, 2), RATE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OutputError) as caught:
            sound.save(tmp_path / name, encoding=ENCODINGS[name])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sample_format", ["int16", "int24", "int32", "float32"])
@pytest.mark.parametrize("num_channels", [1, 2, 6])
def test_header_on_both_sides_of_four_gib(tmp_path: Path, sample_format: SampleFormat, num_channels: int) -> None:
    frame_bytes = num_channels * {"int16": 2, "int24": 3, "int32": 4, "float32": 4}[sample_format]
    edge = (2**32 - 200) // frame_bytes
    headers = {}
    for num_samples in (0, edge, edge + 200, 2**33):
        header = wav_header(
            num_samples=num_samples, num_channels=num_channels, sample_rate=RATE, sample_format=sample_format
        )
        headers[num_samples] = header
        path = tmp_path / f"{num_samples}.wav"
        with path.open("wb") as file:
            file.write(header)
            file.truncate(len(header) + num_samples * frame_bytes)  # a hole: it takes no space on the disk
        if num_samples:
            info = soundfile.info(str(path))
            assert (info.frames, info.channels, info.samplerate) == (num_samples, num_channels, RATE)
            assert probe(path).num_samples == num_samples
        path.unlink()
    assert len({len(header) for header in headers.values()}) == 1
    assert [header[:4] for header in headers.values()] == [b"RIFF", b"RIFF", b"RF64", b"RF64"]
    assert headers[edge][4:8] == struct.pack("<I", len(headers[edge]) - 8 + edge * frame_bytes + edge * frame_bytes % 2)


def test_a_long_file_becomes_rf64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wav, "RIFF_MAX_BYTES", 10_000)
    for num_samples, expected in ((4_000, "WAV"), (40_000, "RF64")):
        path = Sound(noise(num_samples), RATE).save(tmp_path / "a.wav")
        assert soundfile.info(str(path)).format == expected
        assert Sound.load(path).num_samples == num_samples

"""What every file format owes its reader: its length, its place in time, its channels, from any sample on."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stemtune.data.audio import AUDIO_EXTENSIONS, AudioReader, open_audio, probe
from stemtune.data.sound import Sound
from stemtune.errors import InputError

from .conftest import Encode, lag_samples, noise

RATE = 48_000
LENGTH = 70_003
LIBSNDFILE = {
    "int16.wav": ("WAV", "PCM_16"),
    "int24.wav": ("WAV", "PCM_24"),
    "int32.wav": ("WAV", "PCM_32"),
    "float.wav": ("WAV", "FLOAT"),
    "double.wav": ("WAV", "DOUBLE"),
    "long.rf64": ("RF64", "PCM_16"),
    "long.w64": ("W64", "PCM_24"),
    "apple.aiff": ("AIFF", "PCM_16"),
    "small.flac": ("FLAC", "PCM_16"),
    "large.flac": ("FLAC", "PCM_24"),
    "vorbis.ogg": ("OGG", "VORBIS"),
    "speech.opus": ("OGG", "OPUS"),
    "layer3.mp3": ("MP3", "MPEG_LAYER_III"),
}
FFMPEG = {
    "aac.m4a": "aac",
    "alac.m4a": "alac",
    "aac.mp4": "aac",
    "opus.webm": "libopus",
    "opus.mkv": "libopus",
    "aac.mkv": "aac",
    "flac.mkv": "flac",
    "lame.mp3": "libmp3lame",
    "ffmpeg.opus": "libopus",
}
NO_NOISE_SUBSTITUTION = {"aac_pns": "0"}  # drawn noise would differ after a seek


@pytest.fixture(scope="module")
def original() -> torch.Tensor:
    return noise(LENGTH, 2)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, encode: Encode, original: torch.Tensor) -> Path:
    folder = tmp_path_factory.mktemp("formats")
    for name, (container, subtype) in LIBSNDFILE.items():
        with soundfile.SoundFile(folder / name, "w", RATE, 2, subtype, format=container) as file:
            for block in original.T.split(16_384):
                file.write(block.numpy())
    for name, codec in FFMPEG.items():
        options = NO_NOISE_SUBSTITUTION if codec == "aac" else {}
        encode(folder / name, original, codec=codec, sample_rate=RATE, codec_options=options)
    return folder


@pytest.fixture(scope="module")
def whole(files: Path) -> dict[str, torch.Tensor]:
    return {name: Sound.load(files / name).samples for name in [*LIBSNDFILE, *FFMPEG]}


@pytest.mark.parametrize("name", [*LIBSNDFILE, *FFMPEG])
def test_length_and_lag(files: Path, original: torch.Tensor, whole: dict[str, torch.Tensor], name: str) -> None:
    info, samples = probe(files / name), whole[name]
    assert (info.sample_rate, info.num_channels, info.num_streams) == (RATE, 2, 1)
    assert samples.dtype == torch.float32
    assert samples.is_contiguous()
    expected = -(-LENGTH // 1024) * 1024 if name == "aac.mkv" else LENGTH  # Matroska does not tell where AAC ends
    assert samples.shape == (2, expected)
    if info.exact_length:
        assert info.num_samples == LENGTH
    else:
        assert abs(info.num_samples - LENGTH) < RATE // 10
        assert name.endswith(("mkv", "webm"))
    for channel in range(2):
        assert lag_samples(estimate=samples[channel], reference=original[channel]) == 0
        assert torch.corrcoef(torch.stack([samples[channel, :LENGTH], original[channel]]))[0, 1] > 0.95


@pytest.mark.parametrize("name", [*LIBSNDFILE, *FFMPEG])
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    starts=st.lists(st.integers(0, LENGTH + 10) | st.integers(LENGTH - 600, LENGTH), min_size=1, max_size=4),
    count=st.integers(0, 3_000),
)
def test_seek_is_exact(files: Path, whole: dict[str, torch.Tensor], name: str, starts: list[int], count: int) -> None:
    with open_audio(files / name) as reader:
        for start in starts:
            reader.seek(start)
            for offset in (start, start + count):  # twice, to see that reading goes on in place
                expected = whole[name][:, offset : offset + count]
                torch.testing.assert_close(reader.read(count), expected, atol=2e-6, rtol=0)


@pytest.mark.parametrize("name", [*LIBSNDFILE, *FFMPEG])
@pytest.mark.parametrize("block_samples", [1_000, 4_999, LENGTH])
def test_blocks_join_to_the_whole(files: Path, whole: dict[str, torch.Tensor], name: str, block_samples: int) -> None:
    with open_audio(files / name) as reader:
        blocks = list(reader.blocks(block_samples))
        assert torch.equal(torch.cat(blocks, dim=1), whole[name])
        assert {block.shape[1] for block in blocks[:-1]} <= {block_samples}
        assert reader.read(5).shape == (2, 0)
        assert reader.position == whole[name].shape[1]


def test_a_part_is_a_slice(files: Path, whole: dict[str, torch.Tensor]) -> None:
    part = Sound.load(files / "vorbis.ogg", start_samples=12_345, num_samples=600)
    assert torch.equal(part.samples, whole["vorbis.ogg"][:, 12_345:12_945])
    rest = Sound.load(files / "small.flac", start_samples=LENGTH - 5, num_samples=600)
    assert torch.equal(rest.samples, whole["small.flac"][:, -5:])


@pytest.mark.parametrize("name", ["int16.wav", "small.flac", "aac.m4a", "opus.webm"])
def test_the_name_is_only_a_name(files: Path, whole: dict[str, torch.Tensor], tmp_path: Path, name: str) -> None:
    disguised = tmp_path / "song.mp3"
    disguised.write_bytes((files / name).read_bytes())
    assert torch.equal(Sound.load(disguised).samples, whole[name])


def test_five_streams(tmp_path: Path, encode: Encode) -> None:
    streams = [noise(20_000, 2, seed=seed) for seed in range(5)]
    path = encode(tmp_path / "song.stem.mp4", *streams, codec="aac", sample_rate=44_100)
    for number, stream in enumerate(streams):
        info = probe(path, stream=number)
        assert (info.num_streams, info.num_samples, info.exact_length) == (5, 20_000, True)
        loaded = Sound.load(path, stream=number)
        assert loaded.num_samples == 20_000
        assert lag_samples(estimate=loaded.samples[1], reference=stream[1]) == 0
        part = Sound.load(path, stream=number, start_samples=18_000, num_samples=1_500)
        assert lag_samples(estimate=part.samples[0], reference=stream[0, 18_000:19_500]) == 0


@pytest.mark.parametrize("tag", [b"drms", b"enca"])
def test_protected_files_are_named_as_such(files: Path, tmp_path: Path, tag: bytes) -> None:
    content = (files / "aac.m4a").read_bytes()
    place = content.index(b"mp4a", content.index(b"stsd"))
    path = tmp_path / "bought.m4p"
    path.write_bytes(content[:place] + tag + content[place + 4 :])
    with pytest.raises(InputError, match=r"bought\.m4p: is protected against copying \(DRM\)"):
        open_audio(path)


def test_video_with_sound(tmp_path: Path, encode: Encode) -> None:
    original = noise(30_000, 2)
    path = encode(tmp_path / "film.mp4", original, codec="aac", sample_rate=44_100, with_video=True)
    loaded = Sound.load(path)
    assert loaded.num_samples == 30_000
    assert lag_samples(estimate=loaded.samples[0], reference=original[0]) == 0


@pytest.mark.parametrize(("name", "codec"), [("loud.m4a", "aac"), ("loud.mkv", "flac"), ("loud.webm", "libopus")])
@pytest.mark.parametrize("num_channels", [1, 6, 8])
def test_many_channels_through_ffmpeg(tmp_path: Path, encode: Encode, name: str, codec: str, num_channels: int) -> None:
    original = noise(20_000, num_channels)
    path = encode(tmp_path / name, original, codec=codec, sample_rate=RATE, bit_rate=96_000 * num_channels)
    loaded = Sound.load(path).samples[:, :20_000]
    assert loaded.shape == (num_channels, 20_000)
    similarity = torch.corrcoef(torch.cat([original, loaded]))[:num_channels, num_channels:]
    low_frequency_effects = 3  # kept below 120 Hz by lossy codecs
    for channel in set(range(num_channels)) - ({low_frequency_effects} if num_channels > 2 else set()):
        assert similarity[channel].argmax() == channel


@pytest.mark.parametrize("codec_options", [{}, {"flags": "+qscale", "global_quality": "236"}])
def test_mp3_without_a_table_of_contents(tmp_path: Path, encode: Encode, codec_options: dict[str, str]) -> None:
    quiet_then_loud = noise(RATE * 4, 1) * (torch.arange(RATE * 4) > RATE * 2)
    path = encode(
        tmp_path / "stream.mp3",
        quiet_then_loud,
        codec="libmp3lame",
        sample_rate=RATE,
        options={"write_xing": "0", "id3v2_version": "0"},
        codec_options=codec_options,
    )
    info, loaded = probe(path), Sound.load(path)
    assert not info.exact_length
    assert loaded.num_samples >= RATE * 4  # nothing is lost, though the bit rate suggests another length


def test_two_mp3_files_in_a_row(files: Path, tmp_path: Path) -> None:
    path = tmp_path / "both.mp3"
    path.write_bytes((files / "layer3.mp3").read_bytes() * 2)
    assert Sound.load(path).num_samples >= 2 * LENGTH


def test_streamed_wav_of_unknown_length(files: Path, tmp_path: Path, whole: dict[str, torch.Tensor]) -> None:
    content = bytearray((files / "int16.wav").read_bytes())
    at = content.index(b"data") + 4
    content[4:8] = content[at : at + 4] = b"\xff" * 4
    path = tmp_path / "pipe.wav"
    path.write_bytes(content)
    assert torch.equal(Sound.load(path).samples, whole["int16.wav"])


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    num_samples=st.integers(1, 3_000),
    num_channels=st.integers(1, 8),
    sample_rate=st.sampled_from([8_000, 11_025, 22_050, 44_100, 96_000, 192_000]),
)
def test_any_rate_and_channels(tmp_path: Path, num_samples: int, num_channels: int, sample_rate: int) -> None:
    path = tmp_path / "any.wav"
    original = noise(num_samples, num_channels)
    soundfile.write(path, original.T.numpy(), sample_rate, subtype="FLOAT")
    loaded = Sound.load(path)
    assert (loaded.sample_rate, loaded.num_channels, loaded.num_samples) == (sample_rate, num_channels, num_samples)
    assert torch.equal(loaded.samples, original)


def test_ten_hours_are_probed_and_entered_anywhere(tmp_path: Path) -> None:
    num_samples = 10 * 3600 * RATE
    path = tmp_path / "ten hours.wav"
    soundfile.write(path, np.zeros((1, 2), dtype=np.int16), RATE, format="RF64", subtype="PCM_16")
    content = bytearray(path.read_bytes())
    at = content.index(b"ds64") + 8
    content[at : at + 24] = b"".join(
        number.to_bytes(8, "little") for number in (num_samples * 4 + len(content) - 12, num_samples * 4, num_samples)
    )
    with path.open("wb") as file:
        file.write(content)
        file.truncate(content.index(b"data") + 8 + num_samples * 4)  # a hole: it takes no space on the disk
    with open_audio(path) as reader:
        assert reader.info.num_samples == num_samples
        assert reader.info.duration_seconds == 36_000
        reader.seek(num_samples - 7)
        assert reader.read(100).shape == (2, 7)


def test_misuse(files: Path) -> None:
    with open_audio(str(files / "int16.wav")) as reader:
        assert isinstance(reader, AudioReader)
        with pytest.raises(ValueError, match="sample -1"):
            reader.seek(-1)
        with pytest.raises(ValueError, match="-1 samples"):
            reader.read(-1)
        with pytest.raises(ValueError, match="at least one sample"):
            next(reader.blocks(0))


def test_extensions_are_lower_case_with_a_dot() -> None:
    assert {".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aac", ".mp4", ".mkv", ".webm"} <= AUDIO_EXTENSIONS
    assert all(extension == extension.lower() and extension.startswith(".") for extension in AUDIO_EXTENSIONS)


def test_ogg_whose_last_page_promises_too_much_ends_in_silence(files: Path, tmp_path: Path) -> None:
    """As a file does that some encoder cut: its last granule position is a little beyond its last sample."""
    content = bytearray((files / "vorbis.ogg").read_bytes())
    last = content.rfind(b"OggS")
    content[last + 6 : last + 14] = (LENGTH + 320).to_bytes(8, "little")
    content[last + 22 : last + 26] = bytes(4)
    checksum = 0
    for byte in content[last:]:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = (checksum << 1 ^ (0x04C11DB7 if checksum & 0x80000000 else 0)) & 0xFFFFFFFF
    content[last + 22 : last + 26] = checksum.to_bytes(4, "little")
    (tmp_path / "long.ogg").write_bytes(content)
    with open_audio(tmp_path / "long.ogg") as reader, open_audio(files / "vorbis.ogg") as original:
        assert reader.info.num_samples == LENGTH + 320
        whole = torch.cat(list(reader.blocks(10_000)), dim=1)
        assert whole.shape[1] == LENGTH + 320
        assert torch.equal(whole[:, : LENGTH - 1000], original.read(LENGTH - 1000))
        reader.seek(LENGTH - 500)
        assert torch.equal(reader.read(820), whole[:, LENGTH - 500 :])

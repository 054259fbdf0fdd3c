"""Stems as codes: what is kept is what would be decoded, in the space that is claimed."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from stemtune.data.codes import CodesInfo, StemCodes, read_codes, write_codes
from stemtune.data.sound import Sound
from stemtune.errors import InputError, UsageError
from stemtune.models.vqvae import CodecConfig, Unmix, UnmixConfig
from stemtune.nn.vector_quantiser import VectorQuantiserConfig
from stemtune.separation.codes import decode_stems, encode_stems
from stemtune.separation.options import SeparationOptions
from stemtune.separation.stream import separate_waveform

CODEC = CodecConfig(stages=3, width=6, blocks=3, quantiser=VectorQuantiserConfig(num_codes=24, features=5))
RATE = 8000
AS_IT_IS = SeparationOptions(mixture_consistency=False)


@pytest.fixture
def unmix(noise) -> Unmix:
    torch.manual_seed(0)
    network = UnmixConfig(codec=CODEC, stems=("drums", "bass"), sample_rate=RATE).build().train()
    network(noise(1, 4000)[None])
    return network.eval()


@pytest.mark.parametrize(("num_channels", "num_samples"), [(1, 1), (1, 16_384), (2, 50_003)])
def test_what_is_played_is_what_separation_gives(unmix: Unmix, noise, tmp_path: Path, num_channels, num_samples):
    sound = Sound(noise(num_channels, num_samples), RATE)
    write_codes(tmp_path / "song.codes", encode_stems(unmix, sound))
    decoded = decode_stems(unmix, read_codes(tmp_path / "song.codes"))
    expected = separate_waveform(unmix, sound.samples, sample_rate=RATE, options=AS_IT_IS)
    for stem, waveform in zip(unmix.stems, expected, strict=True):
        assert torch.allclose(decoded[stem].samples, waveform, atol=1e-5)


def test_another_rate_comes_back(unmix: Unmix, noise) -> None:
    sound = Sound(noise(1, 11_111), 11_025)
    decoded = decode_stems(unmix, encode_stems(unmix, sound))["bass"]
    expected = separate_waveform(unmix, sound.samples, sample_rate=11_025, options=AS_IT_IS)[1]
    assert (decoded.sample_rate, decoded.num_samples) == (11_025, 11_111)
    assert torch.allclose(decoded.samples, expected, atol=1e-6)


def test_a_silent_channel_stays_silent(unmix: Unmix, noise) -> None:
    sound = Sound(torch.cat([noise(1, 9000), torch.zeros(1, 9000)]), RATE)
    decoded = decode_stems(unmix, encode_stems(unmix, sound))["drums"].samples
    assert decoded[0].any()
    assert not decoded[1].any()


def test_a_code_takes_as_many_bits_as_it_needs(unmix: Unmix, noise, tmp_path: Path) -> None:
    size = write_codes(tmp_path / "a", encode_stems(unmix, Sound(noise(2, 80_000), RATE)))
    bits = 2 * 2 * 10_000 * 5  # stems, channels, frames, bits of a book of 24
    assert size == (tmp_path / "a").stat().st_size
    assert bits / 8 <= size <= bits / 8 + 1000


def test_jukeboxs_rate() -> None:
    codec = CodecConfig()
    info = CodesInfo(
        stems=("drums",), model="", sample_rate=44100, num_samples=44100, hop_length=codec.hop_length,
        num_codes=codec.quantiser.num_codes, original_rate=44100, original_samples=44100,
    )  # fmt: skip
    assert info.num_frames * info.bits == pytest.approx(60_638, abs=11)


@pytest.mark.parametrize("num_codes", [2, 3, 255, 256, 257, 2048, 32768])
def test_every_code_survives(tmp_path: Path, num_codes: int) -> None:
    frames = min(num_codes, 500)
    codes = torch.cat([torch.arange(frames), torch.arange(num_codes - frames, num_codes)]).reshape(1, 2, frames)
    info = CodesInfo(
        stems=("a",), model="m", sample_rate=8000, num_samples=4 * frames, hop_length=4, num_codes=num_codes,
        original_rate=8000, original_samples=4 * frames,
    )  # fmt: skip
    write_codes(tmp_path / "a", StemCodes(codes, torch.tensor([True, False]), info))
    back = read_codes(tmp_path / "a")
    assert torch.equal(back.codes, codes)
    assert back.audible.tolist() == [True, False]
    assert back.info == info


def test_codes_of_another_model_are_refused(unmix: Unmix, noise, toy) -> None:
    codes = encode_stems(unmix, Sound(noise(1, 800), RATE))
    unmix.decoders[0].out.bias.data += 1
    with pytest.raises(UsageError, match="codes mean something to the model that wrote them only"):
        decode_stems(unmix, codes)
    with pytest.raises(UsageError, match="a Toy has no codes"):
        encode_stems(toy(), Sound(noise(1, 800), RATE))


def test_bad_sounds_and_files_are_refused(unmix: Unmix, noise, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no samples"):
        encode_stems(unmix, Sound(torch.zeros(1, 0), RATE))
    with pytest.raises(InputError, match="not a finite number"):
        encode_stems(unmix, Sound(torch.full((1, 9), float("nan")), RATE))
    with pytest.raises(InputError, match="cannot be read"):
        read_codes(tmp_path / "missing")
    (tmp_path / "text").write_text("To be, or not to be")
    with pytest.raises(InputError, match="is damaged or holds no codes"):
        read_codes(tmp_path / "text")
    save_file({"a": torch.zeros(2)}, tmp_path / "weights")
    with pytest.raises(InputError, match="holds no codes of stems"):
        read_codes(tmp_path / "weights")
    write_codes(tmp_path / "codes", encode_stems(unmix, Sound(noise(1, 8000), RATE)))
    content = (tmp_path / "codes").read_bytes()
    (tmp_path / "codes").write_bytes(content[:-100])
    with pytest.raises(InputError, match="damaged"):
        read_codes(tmp_path / "codes")
    (tmp_path / "codes").write_bytes(content[:-1200] + b"\xff" * 1200)
    with pytest.raises(InputError, match="it has the code 31, of 24"):
        read_codes(tmp_path / "codes")

"""Networks that hear block by block: the same as at once, and as early as they can."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from stemtune.errors import InputError, WeightsError
from stemtune.models.vqvae import CodecConfig, Unmix, UnmixConfig
from stemtune.nn.vector_quantiser import VectorQuantiserConfig
from stemtune.separation.options import SeparationOptions
from stemtune.separation.stream import separate_blocks, separate_waveform

CODEC = CodecConfig(stages=3, width=6, blocks=3, quantiser=VectorQuantiserConfig(num_codes=16, features=5))
RATE = 8000
AS_IT_IS = SeparationOptions(mixture_consistency=False)


@pytest.fixture
def unmix(noise) -> Unmix:
    torch.manual_seed(0)
    network = UnmixConfig(codec=CODEC, stems=("drums", "bass"), sample_rate=RATE).build().train()
    network(noise(1, 4000)[None])
    return network.double().eval()  # in which no latent lies halfway between two codes


def test_it_is_the_network_applied_to_the_whole(unmix: Unmix, noise) -> None:
    mixture = noise(2, 50_001)
    stems = separate_waveform(unmix.float(), mixture, sample_rate=RATE, options=AS_IT_IS)
    unmix.double()
    with torch.no_grad():
        whole = torch.cat([unmix(channel[None, None].double()).sources for channel in mixture], dim=2)[0]
    assert stems.shape == (2, 2, 50_001)
    # Single precision may choose another code where two are equally near: rare, and heard nowhere else.
    assert ((stems - whole).abs() < 1e-4).double().mean() > 0.99


@pytest.mark.parametrize("block_samples", [1, 999, 16384, 60_000])
def test_blocks_and_threads_make_no_difference(unmix: Unmix, noise, block_samples: int) -> None:
    mixture = noise(1, 3_001 if block_samples == 1 else 50_001)
    reference = separate_waveform(unmix.float(), mixture, sample_rate=RATE)
    options = SeparationOptions(threads=1)
    blocks = separate_blocks(
        unmix, torch.split(mixture, block_samples, dim=1), sample_rate=RATE, num_channels=1, options=options
    )
    assert torch.equal(torch.cat(list(blocks), dim=-1), reference)


def test_stems_come_out_as_soon_as_they_are_certain(unmix: Unmix, noise) -> None:
    mixture, block = noise(1, 20 * 16384), 16384
    heard: list[int] = []

    def listen() -> Iterator[Tensor]:
        for piece in torch.split(mixture, block, dim=1):
            heard.append(piece.shape[1])
            yield piece

    said, lags = 0, []
    for stems in separate_blocks(unmix.float(), listen(), sample_rate=RATE, num_channels=1):
        said += stems.shape[-1]
        lags.append(sum(heard) - said)
    reach = 2 * CODEC.reach_samples
    assert said == mixture.shape[1]
    assert max(lags) <= reach + 3 * block, "the answers lag behind by what must be heard, and by blocks under way"


def test_silence_stays_silent(unmix: Unmix) -> None:
    assert not separate_waveform(unmix.float(), torch.zeros(2, 9000), sample_rate=RATE).any()


def test_stems_that_are_not_the_whole_mixture_are_left_alone(unmix: Unmix, noise) -> None:
    mixture = noise(1, 9000)
    raw = separate_waveform(unmix.float(), mixture, sample_rate=RATE, options=AS_IT_IS)
    partial = unmix.config.override({"complete": False}).build().eval()
    partial.load_state_dict(unmix.state_dict())
    assert torch.equal(separate_waveform(partial, mixture, sample_rate=RATE), raw)
    consistent = separate_waveform(unmix, mixture, sample_rate=RATE)
    assert torch.allclose(consistent.sum(dim=0), mixture, atol=1e-5)
    assert not torch.allclose(raw.sum(dim=0), mixture, atol=1e-3)


def test_masks_need_chunks(unmix: Unmix, noise) -> None:
    masked = unmix.config.override({"refine": "mask", "n_fft": 256}).build().eval()
    masked.load_state_dict(unmix.state_dict())
    assert masked.stream() is None
    assert separate_waveform(masked.float(), noise(1, 9000), sample_rate=RATE).shape == (2, 1, 9000)


def test_nothing_and_what_is_not_finite(unmix: Unmix, noise) -> None:
    with pytest.raises(InputError, match="no samples"):
        separate_waveform(unmix.float(), torch.zeros(1, 0), sample_rate=RATE)
    with pytest.raises(InputError, match="not a finite number"):
        separate_waveform(unmix, noise(1, 100) * float("nan"), sample_rate=RATE)
    unmix.decoders[0].out.bias.data.fill_(float("inf"))
    with pytest.raises(WeightsError, match="not finite"):
        separate_waveform(unmix, noise(1, 5000), sample_rate=RATE)

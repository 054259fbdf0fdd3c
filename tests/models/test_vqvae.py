"""The auto-encoder of a stem and Unmix."""

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from stemtune.models.vqvae import VQVAE, CodecConfig, UnmixConfig, VQVAEConfig
from stemtune.nn.vector_quantiser import VectorQuantiserConfig

SMALL = CodecConfig(stages=3, width=8, blocks=3, quantiser=VectorQuantiserConfig(num_codes=16, features=8))


def noise(*shape: int, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def trained(config: VQVAEConfig) -> VQVAE:
    torch.manual_seed(0)
    network = config.build().train()
    network(noise(4, 1, 4000))
    return network.eval()


def test_it_is_as_large_as_jukeboxs_level_0() -> None:
    network = VQVAEConfig().build()
    assert sum(p.numel() for p in network.encoder.parameters()) == 441_856
    assert sum(p.numel() for p in network.decoder.parameters()) == 458_177
    assert network.quantiser.codebook.shape == (2048, 64)


def test_a_code_hears_two_seconds() -> None:
    """91,878 samples, as measured in the reference."""
    codec = CodecConfig()
    assert codec.hop_length == 8
    encoder = codec.encoder()
    signal = torch.zeros(1, 1, 8 * 16_000, requires_grad=True)
    encoder(signal)[0, :, 8_000].sum().backward()
    heard = signal.grad.flatten().nonzero().flatten()
    assert int(heard[-1] - heard[0]) + 1 == 91_878
    assert 91_878 / 2 <= codec.reach_samples <= 91_878 / 2 + 20


def test_encode_and_decode_are_what_forward_does() -> None:
    network = trained(VQVAEConfig(codec=SMALL))
    waveform = noise(2, 1, 1003, seed=1)
    with torch.no_grad():
        estimate = network(waveform)
        encoded = network.encode(waveform)
        decoded = network.decode(encoded.codes, num_samples=encoded.num_samples)
    assert encoded.latents.shape == (2, 8, 126)
    assert encoded.codes.shape == (2, 126)
    assert torch.equal(estimate.codes[:, 0], encoded.codes)
    assert torch.allclose(estimate.latents[:, 0], encoded.latents)
    assert torch.allclose(estimate.sources[:, 0], decoded, atol=1e-6)


def test_inference_in_blocks_and_on_cores_is_the_plain_computation() -> None:
    network = trained(VQVAEConfig(codec=SMALL)).double()  # in which no latent lies halfway between two codes
    waveform = noise(1, 1, 50_001, seed=2).double()
    plain = network(waveform)  # with gradients: the layers one after the other
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with torch.inference_mode():
            fast = network(waveform)
    finally:
        torch.set_num_threads(before)
    assert torch.allclose(fast.latents, plain.latents, atol=1e-6)
    assert torch.equal(fast.codes, plain.codes)
    assert torch.allclose(fast.sources, plain.sources, atol=1e-5)


def test_the_codebook_follows_in_training_only() -> None:
    network = trained(VQVAEConfig(codec=SMALL))
    before = network.quantiser.codebook.clone()
    network(noise(2, 1, 2000, seed=3))
    assert torch.equal(network.quantiser.codebook, before)
    network.train()(noise(2, 1, 2000, seed=3))
    assert not torch.equal(network.quantiser.codebook, before)


def test_unmix_with_a_stems_own_encoder_is_the_stems_auto_encoder() -> None:
    codec = trained(VQVAEConfig(codec=SMALL, stems=("drums",)))
    network = UnmixConfig(codec=SMALL, stems=("vocals", "drums")).build().eval()
    network.take_codec("drums", codec)
    network.encoders[1].load_state_dict(codec.encoder.state_dict())
    waveform = noise(1, 1, 3000, seed=4)
    with torch.no_grad():
        assert torch.allclose(network(waveform).sources[:, 1], codec(waveform).sources[:, 0], atol=1e-6)


def test_a_codec_of_other_sizes_is_refused() -> None:
    network = UnmixConfig(codec=SMALL).build()
    with pytest.raises(ValueError, match="'drums' has other sizes"):
        network.take_codec("drums", VQVAEConfig(codec=SMALL.override({"width": 4})).build())


def test_masks_share_the_mixture() -> None:
    codec = trained(VQVAEConfig(codec=SMALL, stems=("drums",)))
    network = UnmixConfig(codec=SMALL, stems=("drums",), refine="mask", n_fft=256).build().eval()
    network.take_codec("drums", codec)
    mixture = noise(1, 1, 3000, seed=5)
    with torch.no_grad():
        refined = network(mixture).sources
        plain = UnmixConfig(codec=SMALL, stems=("drums",)).build().eval()
        plain.load_state_dict(network.state_dict())
        decoded = plain(mixture).sources
    assert refined.shape == decoded.shape
    assert not torch.allclose(refined, decoded)
    spectrum = torch.stft(mixture[0], 256, window=torch.hann_window(256), return_complex=True).abs()
    masked = torch.stft(refined[0, 0], 256, window=torch.hann_window(256), return_complex=True).abs()
    assert (masked <= spectrum * 1.5 + 1e-3).double().mean() > 0.95, "a mask does not make anything louder"


def test_latents_can_be_learnt_without_decoding() -> None:
    network = UnmixConfig(codec=SMALL, stems=("drums",), decode_in_training=False).build().train()
    estimate = network(noise(2, 1, 800))
    assert estimate.sources.shape == (2, 1, 1, 800)
    assert not estimate.sources.any()
    assert estimate.latents is not None
    assert estimate.latents.requires_grad
    with torch.no_grad():
        assert network.eval()(noise(2, 1, 800)).sources.any()


def test_wrong_configurations_are_refused() -> None:
    with pytest.raises(ValidationError, match="different names"):
        UnmixConfig(stems=("drums", "drums"))
    with pytest.raises(ValidationError):
        VQVAEConfig(stems=("drums", "bass"))
    with pytest.raises(ValidationError):
        VQVAEConfig(channels=2)


def test_sound_beyond_full_scale_is_heard_as_it_is() -> None:
    """Nothing clips it, and what comes out is finite, however loud."""
    network = trained(VQVAEConfig(codec=SMALL))
    loud = 30 * noise(1, 1, 4000)
    assert float(loud.abs().max()) > 5
    with torch.no_grad():
        encoded = network.encode(loud)
        estimate = network(loud)
        clipped = network.encode(loud.clamp(-1, 1))
    assert estimate.sources.isfinite().all()
    assert not torch.equal(encoded.codes, clipped.codes)
    assert int(encoded.codes.max()) < SMALL.quantiser.num_codes

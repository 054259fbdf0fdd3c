"""A waveform through an encoder, a codebook and a decoder: at once for learning, in blocks for everything else.

waveform -> prolonged to whole frames -> encoder -> latents -> nearest codes -> decoder -> cut to its length
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from stemtune.nn.dilated import DilatedDecoder, DilatedEncoder, stream_whole
from stemtune.nn.vector_quantiser import VectorQuantiser

__all__ = ["CodeStream", "decode_vectors", "encode_waveform"]

_BLOCK_SAMPLES = 16384  # what is computed at a time in inference: temporaries stay in the cache


def encode_waveform(
    encoder: DilatedEncoder, waveform: Float[Tensor, "batch channel time"], *, reach_samples: int
) -> Float[Tensor, "batch feature frame"]:
    """The latents of a waveform, which is prolonged by reflection to a whole number of frames."""
    missing = -waveform.shape[-1] % encoder.hop_length
    padded = _prolonged(waveform, missing) if missing else waveform
    if torch.is_grad_enabled():
        return encoder(padded)
    return stream_whole(encoder, padded, block_frames=_BLOCK_SAMPLES, reach_frames=reach_samples)


def decode_vectors(
    decoder: DilatedDecoder, vectors: Float[Tensor, "batch feature frame"], *, reach_samples: int, num_samples: int
) -> Float[Tensor, "batch channel time"]:
    """The waveform of some frames, cut to its length."""
    if torch.is_grad_enabled():
        return decoder(vectors)[..., :num_samples]
    hop_length = decoder.hop_length
    waveform = stream_whole(
        decoder,
        vectors,
        block_frames=max(1, _BLOCK_SAMPLES // hop_length),
        reach_frames=-(-reach_samples // hop_length),
    )
    return waveform[..., :num_samples]


class CodeStream:
    """Encoder, codebook and decoder of one stem, block by block."""

    def __init__(self, encoder: DilatedEncoder, quantiser: VectorQuantiser, decoder: DilatedDecoder) -> None:
        self._encoder, self._decoder, self._quantiser = encoder.stream(), decoder.stream(), quantiser
        self._hop_length = encoder.hop_length
        self._recent: Tensor | None = None
        self._heard = self._said = 0
        self._audible = False

    def push(self, mixture: Float[Tensor, "batch channel time"]) -> Float[Tensor, "batch channel its_time"]:
        """See `stemtune.models.base.StemStream`."""
        self._heard += mixture.shape[-1]
        self._audible = self._audible or bool(mixture.any())
        recent = mixture if self._recent is None else torch.cat([self._recent, mixture], dim=2)
        self._recent = recent[:, :, -2 * self._hop_length :]
        return self._answer(self._decoder.push(self._vectors(self._encoder.push(mixture))))

    def finish(self) -> Float[Tensor, "batch channel its_time"]:
        """See `stemtune.models.base.StemStream`."""
        if self._recent is None:
            raise ValueError("the signal has no samples at all; push something first")
        rest: list[Tensor] = []
        if missing := -self._heard % self._hop_length:
            tail = _prolonged(self._recent, missing)[:, :, -missing:]
            rest.append(self._encoder.push(tail))
        rest.append(self._encoder.finish())
        last = self._decoder.push(self._vectors(torch.cat(rest, dim=2)))
        return self._answer(torch.cat([last, self._decoder.finish()], dim=2))

    def _vectors(self, latents: Tensor) -> Tensor:
        return self._quantiser.decode(self._quantiser.encode(latents))

    def _answer(self, waveform: Tensor) -> Tensor:
        waveform = waveform[:, :, : self._heard - self._said].float()
        self._said += waveform.shape[-1]
        return waveform if self._audible else torch.zeros_like(waveform)


def _prolonged(waveform: Float[Tensor, "batch channel time"], missing: int) -> Float[Tensor, "batch channel longer"]:
    """Reflected at its end, or held where there is too little to reflect."""
    return functional.pad(waveform, (0, missing), mode="reflect" if missing < waveform.shape[-1] else "replicate")

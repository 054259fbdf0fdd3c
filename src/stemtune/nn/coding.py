"""A waveform through an encoder, a codebook and a decoder: at once for learning, in blocks for everything else.

waveform -> prolonged to whole frames -> encoder -> latents -> nearest codes -> decoder -> cut to its length
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from stemtune.nn.dilated import DilatedDecoder, DilatedEncoder, stream_whole
from stemtune.nn.vector_quantiser import VectorQuantiser

__all__ = ["CodeStream", "Coder", "DecodingStream", "EncodingStream", "decode_vectors", "encode_waveform"]

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


@dataclass(frozen=True)
class Coder:
    """What writes one stem down as codes and plays it back."""

    encoder: DilatedEncoder
    quantiser: VectorQuantiser
    decoder: DilatedDecoder


class EncodingStream:
    """Waveforms into codes, block by block; good for one signal."""

    def __init__(self, coder: Coder) -> None:
        self._encoder, self._quantiser = coder.encoder.stream(), coder.quantiser
        self._hop_length = coder.encoder.hop_length
        self._recent: Tensor | None = None
        self.num_samples = 0

    def push(self, waveform: Float[Tensor, "batch channel time"]) -> Int[Tensor, "batch frame"]:
        """The codes that are certain after the next block; may be none."""
        self.num_samples += waveform.shape[-1]
        recent = waveform if self._recent is None else torch.cat([self._recent, waveform], dim=2)
        self._recent = recent[:, :, -2 * self._hop_length :]
        return self._quantiser.encode(self._encoder.push(waveform))

    def finish(self) -> Int[Tensor, "batch frame"]:
        """The rest; the last frame is filled up by reflection."""
        if self._recent is None:
            raise ValueError("the signal has no samples at all; push something first")
        rest: list[Tensor] = []
        if missing := -self.num_samples % self._hop_length:
            tail = _prolonged(self._recent, missing)[:, :, -missing:]
            rest.append(self._encoder.push(tail))
        rest.append(self._encoder.finish())
        return self._quantiser.encode(torch.cat(rest, dim=2))


class DecodingStream:
    """Codes into waveforms, block by block; good for one signal. The last frame may be longer than the signal."""

    def __init__(self, coder: Coder) -> None:
        self._decoder, self._quantiser = coder.decoder.stream(), coder.quantiser

    def push(self, codes: Int[Tensor, "batch frame"]) -> Float[Tensor, "batch channel time"]:
        """The samples that are certain after the next codes; may be none."""
        return self._decoder.push(self._quantiser.decode(codes))

    def finish(self) -> Float[Tensor, "batch channel time"]:
        """The rest."""
        return self._decoder.finish()


class CodeStream:
    """Encoder, codebook and decoder of one stem, block by block."""

    def __init__(self, coder: Coder) -> None:
        self._encoding, self._decoding = EncodingStream(coder), DecodingStream(coder)
        self._said = 0
        self._audible = False

    def push(self, mixture: Float[Tensor, "batch channel time"]) -> Float[Tensor, "batch channel its_time"]:
        """See `stemtune.models.base.StemStream`."""
        self._audible = self._audible or bool(mixture.any())
        return self._answer(self._decoding.push(self._encoding.push(mixture)))

    def finish(self) -> Float[Tensor, "batch channel its_time"]:
        """See `stemtune.models.base.StemStream`."""
        last = self._decoding.push(self._encoding.finish())
        return self._answer(torch.cat([last, self._decoding.finish()], dim=2))

    def _answer(self, waveform: Tensor) -> Tensor:
        waveform = waveform[:, :, : self._encoding.num_samples - self._said].float()
        self._said += waveform.shape[-1]
        return waveform if self._audible else torch.zeros_like(waveform)


def _prolonged(waveform: Float[Tensor, "batch channel time"], missing: int) -> Float[Tensor, "batch channel longer"]:
    """Reflected at its end, or held where there is too little to reflect."""
    return functional.pad(waveform, (0, missing), mode="reflect" if missing < waveform.shape[-1] else "replicate")

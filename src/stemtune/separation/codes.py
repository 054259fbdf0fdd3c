"""A song as the codes of its stems, and back: Unmix's output in a tenth of the space, as it would be decoded.

    codes = quantise(encode_mixture(x)),        decode(codes) = separate(x)  without mixture consistency, to rounding.

Both ways go block by block; what grows with the length is the codes themselves, two bytes for eight samples.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from stemtune.data.codes import CodesInfo, StemCodes
from stemtune.data.sound import Sound
from stemtune.errors import InputError, UsageError, WeightsError
from stemtune.models.base import Separator
from stemtune.models.vqvae import VQVAE, Unmix
from stemtune.nn.coding import Coder, DecodingStream, EncodingStream
from stemtune.separation.channels import channel_index, gather_channels
from stemtune.separation.manifest import model_fingerprint
from stemtune.separation.network import device_of, require_evaluation_mode
from stemtune.separation.streamed import STREAM_BLOCK_SAMPLES
from stemtune.signal.level import all_finite
from stemtune.signal.resample import fit_length, resample_blocks
from stemtune.types import StemSet

__all__ = ["decode_stems", "encode_stems"]


def encode_stems(separator: Separator, sound: Sound) -> StemCodes:
    """Find the codes of each stem in a mixture (for a `VQVAE`, of the stem itself).

    Raises:
        UsageError: if the model has no codes.
        InputError: if the sound is empty or has values that are not finite.
    """
    coders, hop_length, num_codes = _require_codes(separator)
    require_evaluation_mode(separator)
    if not sound.num_samples:
        raise InputError("the input has no samples; there is nothing to write down")
    if not all_finite(sound.samples):
        raise InputError("a sample of the input is not a finite number; repair the input or export it anew")
    heard = sound.samples.float()
    if sound.sample_rate != separator.sample_rate:
        blocks = resample_blocks([heard], source_rate=sound.sample_rate, target_rate=separator.sample_rate)
        heard = torch.cat(list(blocks), dim=1)
    index = channel_index(num_channels=sound.num_channels, model_channels=separator.channels)
    items = gather_channels(heard, index).to(device_of(separator))
    info = CodesInfo(
        stems=separator.stems,
        model=model_fingerprint(separator),
        sample_rate=separator.sample_rate,
        num_samples=heard.shape[1],
        hop_length=hop_length,
        num_codes=num_codes,
        original_rate=sound.sample_rate,
        original_samples=sound.num_samples,
    )
    with torch.inference_mode():
        codes = torch.stack([_encode(coder, items) for coder in coders])
    return StemCodes(codes.cpu(), items.abs().amax(dim=(1, 2)).cpu() > 0, info)


def decode_stems(separator: Separator, codes: StemCodes) -> StemSet[Sound]:
    """Play codes; the sounds have the rate and the length of what was written down.

    Raises:
        UsageError: if the model has no codes, or they are those of another model.
        WeightsError: if what is decoded is not finite.
    """
    coders, _, _ = _require_codes(separator)
    require_evaluation_mode(separator)
    info = codes.info
    if model_fingerprint(separator) != info.model:
        raise UsageError(
            f"these codes are of a model with the fingerprint {info.model}, this one's is "
            f"{model_fingerprint(separator)}: codes mean something to the model that wrote them only"
        )
    decoded: dict[str, Sound] = {}
    device = device_of(separator)
    for stem, coder, of_stem in zip(info.stems, coders, codes.codes, strict=True):
        with torch.inference_mode():
            waveform = torch.cat(list(_decode(coder, of_stem.to(device))), dim=2)[:, 0, : info.num_samples].cpu()
        if not all_finite(waveform):
            raise WeightsError("the model decoded values that are not finite; its weights are damaged")
        waveform = torch.where(codes.audible[:, None], waveform, 0.0)
        decoded[stem] = Sound(_at_original_rate(waveform, info), info.original_rate)
    return StemSet(decoded)


def _encode(coder: Coder, items: Tensor) -> Tensor:
    stream = EncodingStream(coder)
    parts = [stream.push(block).to(torch.int16) for block in torch.split(items, STREAM_BLOCK_SAMPLES, dim=2)]
    return torch.cat([*parts, stream.finish().to(torch.int16)], dim=1)


def _decode(coder: Coder, codes: Tensor) -> Iterable[Tensor]:
    stream = DecodingStream(coder)
    for block in torch.split(codes.long(), STREAM_BLOCK_SAMPLES // coder.encoder.hop_length, dim=1):
        yield stream.push(block).float()
    yield stream.finish().float()


def _at_original_rate(waveform: Tensor, info: CodesInfo) -> Tensor:
    if info.original_rate == info.sample_rate:
        return waveform
    blocks = resample_blocks([waveform], source_rate=info.sample_rate, target_rate=info.original_rate)
    return torch.cat(list(fit_length(blocks, info.original_samples)), dim=1)


def _require_codes(separator: Separator) -> tuple[tuple[Coder, ...], int, int]:
    """Of each stem what writes and reads its codes, the hop, and the size of a codebook."""
    if not isinstance(separator, VQVAE | Unmix):
        raise UsageError(f"a {type(separator).__name__} has no codes; expected a VQVAE or an Unmix model")
    codec = separator.config.codec
    return separator.coders, codec.hop_length, codec.quantiser.num_codes

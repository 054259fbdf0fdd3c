"""Stems written down as codes: a file of packed integers, and what is needed to play them.

A code of a book of n entries takes as many bits as its number needs, and no more,

    bits per second  =  sample_rate / hop_length * ceil(log2 n)      for each stem and channel,

which for Jukebox's level 0 are 60.6 kbit/s, where 16-bit samples take 705.6. The file is a safetensors file: plain
numbers with a header of names and text, in which nothing can be executed.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int
from numpy.typing import NDArray
from pydantic import Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from stemtune.config import Frozen
from stemtune.data.files import PendingFile, output_error
from stemtune.errors import InputError

__all__ = ["CodesInfo", "StemCodes", "read_codes", "write_codes"]

_FORMAT = "stemtune-codes-1"


class CodesInfo(Frozen):
    """What must be known to play codes.

    Attributes are stated in the file's header, as JSON.
    """

    stems: tuple[str, ...] = Field(min_length=1)
    model: str = Field(description="fingerprint of the model whose codes they are")
    sample_rate: int = Field(ge=1, description="of the codes' waveforms, in Hz")
    num_samples: int = Field(ge=1, description="of each waveform")
    hop_length: int = Field(ge=1, description="samples per code")
    num_codes: int = Field(ge=2, le=32768, description="entries of a codebook")
    original_rate: int = Field(ge=1, description="of the sound that was written down, in Hz")
    original_samples: int = Field(ge=1)

    @property
    def num_frames(self) -> int:
        """Codes of a waveform."""
        return -(-self.num_samples // self.hop_length)

    @property
    def bits(self) -> int:
        """Of a code in the file."""
        return (self.num_codes - 1).bit_length()


@dataclass(frozen=True, eq=False)
class StemCodes:
    """The codes of some stems of a sound.

    Attributes:
        codes: ``stem channel frame``.
        audible: ``channel``, false where there was silence throughout, for which no code exists.
        info: see `CodesInfo`.
    """

    codes: Int[Tensor, "stem channel frame"]
    audible: Bool[Tensor, " channel"]
    info: CodesInfo

    def __post_init__(self) -> None:
        stems, channels, frames = self.codes.shape
        if (stems, frames) != (len(self.info.stems), self.info.num_frames) or self.audible.shape != (channels,):
            raise ValueError(
                f"codes of {tuple(self.codes.shape)} do not fit {len(self.info.stems)} stems of "
                f"{self.info.num_frames} frames"
            )


def write_codes(path: Path | str, codes: StemCodes) -> int:
    """Write codes, all or nothing; returns the size of the file in bytes.

    Raises:
        OutputError: if that is impossible.
    """
    packed = _pack(codes.codes.to(torch.int32).numpy(), codes.info.bits)
    tensors = {"packed": torch.from_numpy(packed), "audible": codes.audible.to(torch.uint8)}
    content = save(tensors, metadata={"format": _FORMAT, "info": codes.info.model_dump_json()})
    pending = PendingFile(path)
    try:
        with pending:
            pending.path.write_bytes(content)
    except OSError as error:
        raise output_error(Path(path), error) from None
    return len(content)


def read_codes(path: Path | str) -> StemCodes:
    """Read what `write_codes` wrote.

    Raises:
        InputError: if the file is missing, damaged or of another kind.
    """
    try:
        header, tensors = _read(path)
        if header.get("format") != _FORMAT or not {"packed", "audible"} <= tensors.keys():
            raise InputError(f"{path}: holds no codes of stems; expected what `stemtune codes encode` wrote")
        info = CodesInfo.model_validate_json(header.get("info", ""))
        packed, audible = tensors["packed"], tensors["audible"].bool()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); check the name") from None
    except (SafetensorError, ValidationError) as error:
        raise InputError(f"{path}: is damaged or holds no codes ({str(error).splitlines()[0]})") from None
    shape = (len(info.stems), audible.shape[0], info.num_frames)
    if packed.numel() != -(-int(np.prod(shape)) * info.bits // 8):
        raise InputError(f"{path}: is damaged: {packed.numel()} bytes cannot be codes of {shape}")
    codes = torch.from_numpy(_unpack(packed.numpy(), shape, info.bits))
    if int(codes.max()) >= info.num_codes:
        raise InputError(f"{path}: is damaged: it has the code {int(codes.max())}, of {info.num_codes}")
    return StemCodes(codes, audible, info)


def _read(path: Path | str) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The texts and the tensors of a safetensors file."""
    opened: Any = safe_open(str(path), framework="pt")
    with opened as file:
        return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _pack(codes: NDArray[np.int32], bits: int) -> NDArray[np.uint8]:
    """The lowest bits of each number, one behind the other."""
    places = np.arange(bits - 1, -1, -1, dtype=np.int32)
    return np.packbits((codes.reshape(-1, 1) >> places & 1).astype(np.uint8))


def _unpack(packed: NDArray[np.uint8], shape: tuple[int, ...], bits: int) -> NDArray[np.int64]:
    count = int(np.prod(shape))
    single = np.unpackbits(packed, count=count * bits).reshape(count, bits).astype(np.int64)
    return (single << np.arange(bits - 1, -1, -1)).sum(axis=1).reshape(shape)

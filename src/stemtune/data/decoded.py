"""Decoded copies of compressed files, so that each is decoded once and not for every excerpt.

Reading six seconds of stereo takes a fifth of a millisecond from a WAV file, and five to ten of FLAC or Ogg, which
must be decoded from some earlier place on. A folder that the user names therefore keeps what was decoded, as WAV:

    copy(file) = FOLDER/<name>-<hash of path, size and time of change>.wav

A file that changes gets another copy, so a copy is never out of date. It holds the very samples that decoding gives
(16-bit integers where the file has no more, 32-bit floats otherwise), so that training hears the same, bit for bit,
with and without it (but for MP3 and AAC, see below). The folder may be removed at any time.

Deviations:
    Where decoding begins matters to two decoders. That of MP3 rounds every other frame differently, by less than 1e-7
    (which a time stretch may magnify to 1e-3); AAC may code noise by its energy only, and then another one is drawn.
"""

import hashlib
from pathlib import Path

import torch

from stemtune.data.audio import open_audio
from stemtune.data.audio_streams import split_stream
from stemtune.data.files import PendingFile, output_error
from stemtune.data.wav import WavFile
from stemtune.errors import InputError

__all__ = ["DecodedFiles"]

_BLOCK_SAMPLES = 1 << 16
_NAME_CHARACTERS = 40
_SIXTEEN_BITS = ("pcm_16", "pcm_s8", "pcm_u8")


class DecodedFiles:
    """A folder of decoded copies, which may be shared by processes and by experiments."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def copy_of(self, path: Path) -> Path:
        """The decoded copy of an audio file (or of one stream, ``FILE#2``), which is made if it is not there yet.

        Raises:
            InputError: if the file cannot be decoded.
            OutputError: if the copy cannot be written.
        """
        copy = self._folder / self._name(path)
        if not copy.exists():
            self._decode(path, copy)
        return copy

    def _name(self, path: Path) -> str:
        file, stream = split_stream(path)
        try:
            status = file.stat()
            identity = f"{file.resolve()}|{stream}|{status.st_size}|{status.st_mtime_ns}"
        except OSError as error:
            raise InputError(f"{file}: cannot be read ({error.strerror}); was it moved or removed?") from None
        return f"{file.stem[:_NAME_CHARACTERS]}-{hashlib.sha256(identity.encode()).hexdigest()[:24]}.wav"

    def _decode(self, path: Path, copy: Path) -> None:
        with open_audio(path) as reader, PendingFile(copy) as pending:
            info = reader.info
            is_short = info.codec in _SIXTEEN_BITS
            wav = WavFile(
                pending.path,
                sample_rate=info.sample_rate,
                num_channels=info.num_channels,
                sample_format="int16" if is_short else "float32",
            )
            try:
                for block in reader.blocks(_BLOCK_SAMPLES):
                    wav.write((block * 2**15).to(torch.int16) if is_short else block)
                wav.finish()
            except OSError as error:
                raise output_error(copy, error) from None
            finally:
                wav.close()

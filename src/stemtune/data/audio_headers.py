"""What a file's bytes promise, checked before a decoder believes them.

Decoders read a shortened file to its new end without a word. We compare instead what the headers promise with
what is there:

    missing bytes = max(0, promised end of the sample data - size of the file).

References:
    RIFF and RF64: EBU Tech 3306. AIFF: Apple, "Audio Interchange File Format" 1.3. Ogg: RFC 3533.
    The Xing/Info frame of MP3: the LAME project, "Mp3 Info Tag revision 1".

Deviations:
    A data chunk of 0xFFFFFFFF or 0 bytes at the end of a file is the mark of a streaming writer that did not know
    the length; such a file is read to its end.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

__all__ = ["Mp3Header", "OggTail", "check_promised_size", "is_mp3", "read_mp3_header", "read_ogg_tail"]

OGG_TAIL_BYTES = 4 * 65307  # four pages of the largest size
_UNKNOWN_SIZES = (0xFFFFFFFF, 0x7FFFFFFF, 0x80000000)
_W64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_MAX_CHUNKS = 10_000


@dataclass(frozen=True)
class OggTail:
    """How an Ogg file ends: whether its last page is marked so, and the sample at which that page begins."""

    is_complete: bool
    last_page_start: int


@dataclass(frozen=True)
class Mp3Header:
    """What the Xing/Info frame of an MP3 file promises.

    Attributes:
        missing_bytes: how many of the promised bytes are not there.
        is_reliable: whether the frame exists, counts the frames and agrees with the size of the file. Only then is
            the length known without decoding everything.
    """

    missing_bytes: int
    is_reliable: bool


def check_promised_size(path: Path) -> int:
    """How many bytes of sample data a WAV, RF64, W64 or AIFF file promises but does not have.

    Args:
        path: any readable file.

    Returns:
        0 if nothing is missing or if the file is of another kind.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        magic = file.read(16)
        if magic[:4] in (b"RIFF", b"RF64") and magic[8:12] == b"WAVE":
            return _missing_in_riff(file, size, is_rf64=magic[:4] == b"RF64")
        if magic[:4] == b"FORM" and magic[8:12] in (b"AIFF", b"AIFC"):
            return _missing_in_aiff(file, size)
        if magic == _W64_RIFF:
            return _missing_in_w64(file, size)
    return 0


def _missing_in_riff(file: BinaryIO, size: int, *, is_rf64: bool) -> int:
    position, long_data_size = 12, 0
    for _ in range(_MAX_CHUNKS):
        file.seek(position)
        header = file.read(8)
        if len(header) < 8:
            return 0
        name, chunk_size = header[:4], int.from_bytes(header[4:], "little")
        if name == b"ds64":
            long_data_size = int.from_bytes(file.read(16)[8:16], "little")
        if name == b"data":
            if is_rf64 and chunk_size == 0xFFFFFFFF and long_data_size:
                chunk_size = long_data_size
            return 0 if chunk_size in _UNKNOWN_SIZES else max(0, position + 8 + chunk_size - size)
        position += 8 + chunk_size + chunk_size % 2
    return 0


def _missing_in_aiff(file: BinaryIO, size: int) -> int:
    position = 12
    for _ in range(_MAX_CHUNKS):
        file.seek(position)
        header = file.read(8)
        if len(header) < 8:
            return 0
        chunk_size = int.from_bytes(header[4:], "big")
        if header[:4] == b"SSND":
            return max(0, position + 8 + chunk_size - size)
        position += 8 + chunk_size + chunk_size % 2
    return 0


def _missing_in_w64(file: BinaryIO, size: int) -> int:
    position = 40
    for _ in range(_MAX_CHUNKS):
        file.seek(position)
        header = file.read(24)
        if len(header) < 24:
            return 0
        chunk_size = int.from_bytes(header[16:], "little")
        if header[:4] == b"data":
            return max(0, position + chunk_size - size)
        position += max(24, (chunk_size + 7) // 8 * 8)
    return 0


def read_ogg_tail(path: Path) -> OggTail:
    """Look at the last pages of an Ogg file (RFC 3533, section 6)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - OGG_TAIL_BYTES))
        tail = file.read()
    granules: list[int] = []
    is_complete = False
    position = tail.rfind(b"OggS")
    while position >= 0 and len(granules) < 2:
        page = tail[position : position + 27]
        segments = tail[position + 27 : position + 27 + page[26]] if len(page) == 27 else b""
        if len(page) == 27 and page[4] == 0 and len(segments) == page[26]:
            granule = int.from_bytes(page[6:14], "little", signed=True)
            if not granules:
                is_complete = bool(page[5] & 4) and position + 27 + len(segments) + sum(segments) <= len(tail)
            if granule >= 0 or not granules:
                granules.append(granule)
        elif not granules:
            return OggTail(is_complete=False, last_page_start=0)
        position = tail.rfind(b"OggS", 0, position)
    return OggTail(is_complete=is_complete, last_page_start=max(0, granules[1]) if len(granules) > 1 else 0)


def is_mp3(beginning: bytes) -> bool:
    """Whether a file that begins so is an MPEG layer I to III stream, perhaps after an ID3 tag."""
    return beginning[:3] == b"ID3" or _is_frame_header(beginning[:4])


def _is_frame_header(header: bytes) -> bool:
    return (
        len(header) == 4
        and header[0] == 0xFF
        and header[1] & 0xE0 == 0xE0
        and header[1] & 0x18 != 0x08  # a reserved version
        and header[1] & 0x06 != 0x00  # a reserved layer, or AAC
        and header[2] & 0xF0 != 0xF0  # a forbidden bit rate
        and header[2] & 0x0C != 0x0C  # a reserved sample rate
    )


def read_mp3_header(path: Path) -> Mp3Header:
    """Read the Xing/Info frame that encoders put first, if it is there."""
    size = path.stat().st_size
    unknown = Mp3Header(missing_bytes=0, is_reliable=False)
    with path.open("rb") as file:
        tag = file.read(10)
        start = 0
        if tag[:3] == b"ID3" and len(tag) == 10:
            start = 10 + (tag[6] << 21 | tag[7] << 14 | tag[8] << 7 | tag[9]) + (10 if tag[5] & 0x10 else 0)
        file.seek(start)
        frame = file.read(192)
    if not _is_frame_header(frame[:4]):
        return unknown
    is_mpeg1, is_mono = frame[1] & 0x18 == 0x18, frame[3] & 0xC0 == 0xC0
    offset = 4 + ((17 if is_mono else 32) if is_mpeg1 else (9 if is_mono else 17))
    info = frame[offset : offset + 16]
    if info[:4] not in (b"Xing", b"Info") or len(info) < 16 or not info[7] & 1:
        return unknown
    if not info[7] & 2:
        return Mp3Header(missing_bytes=0, is_reliable=True)
    promised, available = int.from_bytes(info[12:16], "big"), size - start
    slack = promised // 50 + (1 << 17)  # for tags behind the audio
    return Mp3Header(missing_bytes=max(0, promised - available), is_reliable=available <= promised + slack)

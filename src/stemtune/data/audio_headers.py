"""What a file's bytes promise, checked before a decoder believes them.

Decoders read a shortened file to its new end without a word, and stop where a header says so even if more sound
follows. We compare what the headers promise with what is there:

    missing bytes = promised end of the sample data - size of the file.

References:
    RIFF and RF64: EBU Tech 3306. AIFF: Apple, "Audio Interchange File Format" 1.3. Ogg: RFC 3533.
    The Xing/Info frame of MP3: the LAME project, "Mp3 Info Tag revision 1".

Deviations:
    A data chunk of 0xFFFFFFFF or about half as many bytes is the mark of a streaming writer that did not know the
    length; such a file is read to its end.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from stemtune.errors import InputError

__all__ = ["Mp3Header", "OggTail", "check_sizes", "is_mp3", "read_mp3_header", "read_ogg_tail"]

OGG_TAIL_BYTES = 4 * 65307  # four pages of the largest size
_UNKNOWN_SIZES = (0xFFFFFFFF, 0x7FFFFFFF, 0x80000000)
_W64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
RIFF_MAX_BYTES = 0xFFFFFFFF
_MAX_CHUNKS = 10_000  # a long file of zeros is not worth more
_TAGS_BEHIND_MP3 = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3", bytes(8))


@dataclass(frozen=True)
class OggTail:
    """How an Ogg file ends.

    Attributes:
        is_complete: whether its last page is whole and marked as the end of a stream.
        is_single: whether the last page belongs to the same stream as the first. If not, several were written one
            after the other, or side by side.
        last_page_start: the sample at which the last page begins.
    """

    is_complete: bool
    is_single: bool
    last_page_start: int


@dataclass(frozen=True)
class Mp3Header:
    """What the Xing/Info frame of an MP3 file promises.

    Attributes:
        missing_bytes: how many of the promised bytes are not there.
        is_reliable: whether the frame exists, counts the frames, and no more sound follows behind them. Only then is
            the length known without decoding everything.
    """

    missing_bytes: int
    is_reliable: bool


def check_sizes(path: Path) -> bool:
    """Compare the size that a WAV, RF64, W64 or AIFF file states for its samples with that of the file.

    Args:
        path: any readable file.

    Returns:
        whether libsndfile will find all samples; other kinds of files are not looked into, and True.

    Raises:
        InputError: if samples are missing, or if there are more than the header could state.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        magic = file.read(16)
        if magic[:4] in (b"RIFF", b"RF64") and magic[8:12] == b"WAVE":
            end = _end_of_riff_data(file, size, is_rf64=magic[:4] == b"RF64")
        elif magic[:4] == b"FORM" and magic[8:12] in (b"AIFF", b"AIFC"):
            end = _end_of_aiff_data(file, size)
        elif magic == _W64_RIFF:
            end = _end_of_w64_data(file, size)
        else:
            return True
    if end is None:
        return size <= RIFF_MAX_BYTES
    if end > size:
        raise InputError(
            f"{path}: cut off, {end - size} bytes of the sound that its header promises are missing; get the file again"
        )
    if magic[:4] == b"RIFF" and size - end > RIFF_MAX_BYTES:
        raise InputError(
            f"{path}: its header states {size - end} bytes less than the file has, since wav cannot state more than "
            "4 GiB; export it anew as RF64, W64 or FLAC"
        )
    return True


def _end_of_riff_data(file: BinaryIO, size: int, *, is_rf64: bool) -> int | None:
    """Where the samples end; None if the writer did not know, 0 if there are none."""
    position, long_data_size = 12, 0
    for _ in range(_MAX_CHUNKS):
        if position + 8 > size:
            break
        file.seek(position)
        header = file.read(8)
        name, chunk_size = header[:4], int.from_bytes(header[4:], "little")
        if name == b"ds64":
            long_data_size = int.from_bytes(file.read(16)[8:16], "little")
        if name == b"data":
            if is_rf64 and chunk_size == 0xFFFFFFFF and long_data_size:
                return position + 8 + long_data_size
            return None if chunk_size in _UNKNOWN_SIZES else position + 8 + chunk_size
        position += 8 + chunk_size + chunk_size % 2
    return 0


def _end_of_aiff_data(file: BinaryIO, size: int) -> int:
    position = 12
    for _ in range(_MAX_CHUNKS):
        if position + 8 > size:
            break
        file.seek(position)
        header = file.read(8)
        chunk_size = int.from_bytes(header[4:], "big")
        if header[:4] == b"SSND":
            return position + 8 + chunk_size
        position += 8 + chunk_size + chunk_size % 2
    return 0


def _end_of_w64_data(file: BinaryIO, size: int) -> int:
    position = 40
    for _ in range(_MAX_CHUNKS):
        if position + 24 > size:
            break
        file.seek(position)
        header = file.read(24)
        chunk_size = int.from_bytes(header[16:], "little")
        if header[:4] == b"data":
            return position + chunk_size
        position += max(24, (chunk_size + 7) // 8 * 8)
    return 0


def read_ogg_tail(path: Path) -> OggTail:
    """Look at the last pages of an Ogg file (RFC 3533, section 6)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        first = file.read(27)
        file.seek(max(0, size - OGG_TAIL_BYTES))
        tail = file.read()
    granules: list[int] = []
    is_complete = is_single = False
    position = len(tail)
    while len(granules) < 2 and (position := tail.rfind(b"OggS", 0, position)) >= 0:
        page = tail[position : position + 27]
        segments = tail[position + 27 : position + 27 + page[26]] if len(page) == 27 else b""
        is_page = len(page) == 27 and page[4] == 0 and len(segments) == page[26]
        if is_page and not granules:
            is_complete = bool(page[5] & 4) and position + 27 + len(segments) + sum(segments) <= len(tail)
            is_single = page[14:18] == first[14:18]
        elif not is_page and not granules:
            break  # the last page is not whole
        granule = int.from_bytes(page[6:14], "little", signed=True)
        if is_page and (granule >= 0 or not granules):
            granules.append(granule)
    return OggTail(is_complete, is_single, max(0, granules[1]) if len(granules) > 1 else 0)


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
    with path.open("rb") as file:
        file.seek(start + promised)
        behind = file.read(4097)
    # encoders differ in whether they count their own frame, so a little more is still the same
    is_all = len(behind) <= 4096 or behind.startswith(_TAGS_BEHIND_MP3)
    return Mp3Header(missing_bytes=max(0, promised - available), is_reliable=is_all)

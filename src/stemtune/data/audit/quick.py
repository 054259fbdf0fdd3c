"""Files that are the same, without decoding them: equal size, and equal bytes at the beginning, middle and end.

sample(file) = size, 64 kB at 0, at (size - 64 kB) / 2, and at size - 64 kB.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from stemtune.data.audio_streams import split_stream
from stemtune.data.audit.examined import Examined
from stemtune.data.audit.report import SharedAudio
from stemtune.data.audit.sharing import Sharing

__all__ = ["equal_files"]

_PIECE_BYTES = 1 << 16


def equal_files(examined: Sequence[Examined]) -> tuple[Sharing, ...]:
    """Pairs of files of different tracks with the same bytes, each with the first of its kind."""
    first: dict[tuple[str, int | None], tuple[Examined, Path]] = {}
    found: list[Sharing] = []
    for one in examined:
        for path in one.infos:
            container, stream = split_stream(path)
            try:
                key = (_sample(container), stream)
            except OSError:
                continue
            other, other_path = first.setdefault(key, (one, path))
            if other.item is not one.item:
                found.append(_sharing(other, other_path, one, path))
    return tuple(found)


def _sample(path: Path) -> str:
    size = path.stat().st_size
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    with path.open("rb") as file:
        for start in sorted({0, max((size - _PIECE_BYTES) // 2, 0), max(size - _PIECE_BYTES, 0)}):
            file.seek(start)
            digest.update(file.read(_PIECE_BYTES))
    return digest.hexdigest()


def _sharing(first: Examined, first_path: Path, second: Examined, second_path: Path) -> Sharing:
    audio = SharedAudio(
        first_dataset=first.item.source.name,
        first_track=first.item.track.name,
        first_stem=first.item.stem_of(first_path),
        first_start_seconds=0.0,
        second_dataset=second.item.source.name,
        second_track=second.item.track.name,
        second_stem=second.item.stem_of(second_path),
        second_start_seconds=0.0,
        seconds=round(second.infos[second_path].duration_seconds, 2),
        share=1.0,
        is_exact=True,
    )
    return Sharing(first.item, second.item, audio)

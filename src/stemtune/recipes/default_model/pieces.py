"""Pieces of a corpus: what is made, how it is written, and what is remembered of it.

A `Piece` is a promise: a name, a licence, and a pure function that returns the audio of one song or of one pool file.
`make_pieces` keeps every promise once: what is on disk already is left alone, what is new is written beside its
target and renamed when complete, so that a reader (a training run, say) never sees half a file:

    corpus = union over pieces of make(), with one line per file in sources.json.

A song holds stems that sound together (``train/songs/<song>/<stem>.wav``); a pool file holds one stem that belongs
to no song (``train/pools/<stem>/<name>.wav``). Both are 44.1 kHz, 16 bits.
"""

import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np
import soundfile

from stemtune.data.rendering.sound import SAMPLE_RATE, Audio
from stemtune.errors import InputError

__all__ = ["STEMS", "Piece", "Source", "make_pieces", "read_sources"]

STEMS = ("vocals", "drums", "bass", "other")

_LOGGER = logging.getLogger(__name__)
_LOUDEST_PEAK = 0.98
_PIECES_BETWEEN_RECORDS = 10


@dataclass(frozen=True)
class Piece:
    """One song or one pool file that can be made.

    Attributes:
        name: of the song's folder, or of the pool file without its suffix.
        kind: whether the stems belong together.
        make: returns the audio by stem; a pure function, picklable, so that it may run in another process.
        origin: where the audio or the score comes from, in words.
        licence: an SPDX identifier, or several joined by AND.
    """

    name: str
    kind: Literal["song", "pool"]
    make: Callable[[], Mapping[str, Audio]]
    origin: str
    licence: str


@dataclass(frozen=True)
class Source:
    """What is remembered of one file: see `Piece`; ``seconds`` is its length, ``rms_db`` its level."""

    path: str
    piece: str
    stem: str
    origin: str
    licence: str
    seconds: float
    rms_db: float


def read_sources(root: Path) -> tuple[Source, ...]:
    """Everything that ``sources.json`` under a corpus remembers; nothing where there is no such file."""
    path = root / "sources.json"
    if not path.is_file():
        return ()
    rows = cast(list[dict[str, str | float]], json.loads(path.read_text(encoding="utf-8")))
    return tuple(Source(**row) for row in rows)  # pyright: ignore[reportArgumentType]


def make_pieces(
    pieces: Iterable[Piece], root: Path, *, num_workers: int, stems: Sequence[str] = STEMS
) -> tuple[Source, ...]:
    """Make what is missing of a corpus.

    Args:
        pieces: what the corpus shall hold.
        root: its folder; created where it does not exist.
        num_workers: processes that work side by side.
        stems: that pieces may have.

    Returns:
        What the corpus now holds.
    """
    sources = {source.path: source for source in read_sources(root) if (root / source.path).is_file()}
    done = {source.piece for source in sources.values()}
    missing = [piece for piece in pieces if piece.name not in done]
    if not missing:
        return tuple(source for _, source in sorted(sources.items()))
    _LOGGER.info("%d pieces to make, %d there already", len(missing), len(done))
    for count, (piece, made) in enumerate(_results(missing, root, num_workers, stems), start=1):
        sources |= {source.path: source for source in made}
        if count % _PIECES_BETWEEN_RECORDS == 0 or count == len(missing):
            _write_sources(root, sources)
            _LOGGER.info("%d of %d: %s", count, len(missing), piece.name)
    return tuple(source for _, source in sorted(sources.items()))


def _results(
    pieces: Sequence[Piece], root: Path, num_workers: int, stems: Sequence[str]
) -> Iterator[tuple[Piece, tuple[Source, ...]]]:
    """Every piece with what became of it, as they are finished; one worker works in this process."""
    if num_workers == 1:
        yield from ((piece, _make_piece(piece, root, stems)) for piece in pieces)
        return
    with ProcessPoolExecutor(max_workers=num_workers) as pool:
        futures = {pool.submit(_make_piece, piece, root, stems): piece for piece in pieces}
        yield from ((futures[future], future.result()) for future in as_completed(futures))


def _make_piece(piece: Piece, root: Path, allowed: Sequence[str]) -> tuple[Source, ...]:
    stems = {stem: samples for stem, samples in piece.make().items() if samples.size}
    if not set(stems) <= set(allowed):
        raise InputError(f"{piece.name}: expected audio of {', '.join(allowed)}; got {', '.join(stems)}")
    if not stems:
        _LOGGER.info("%s: nothing usable in it", piece.name)
        return ()
    stems = _within_range(piece.name, stems)
    partial = root / ".partial" / piece.name
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for stem, samples in stems.items():
        soundfile.write(str(partial / f"{stem}.wav"), samples.T, SAMPLE_RATE, subtype="PCM_16")
    if piece.kind == "song":
        target = root / "train" / "songs" / piece.name
        paths = {stem: target / f"{stem}.wav" for stem in stems}
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            partial.rename(target)  # all stems appear at once
    else:
        paths = {stem: root / "train" / "pools" / stem / f"{piece.name}.wav" for stem in stems}
    if partial.exists():
        for stem, path in paths.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            (partial / f"{stem}.wav").replace(path)
        partial.rmdir()
    return tuple(
        Source(
            path=path.relative_to(root).as_posix(),
            piece=piece.name,
            stem=stem,
            origin=piece.origin,
            licence=piece.licence,
            seconds=round(stems[stem].shape[-1] / SAMPLE_RATE, 3),
            rms_db=round(_rms_db(stems[stem]), 2),
        )
        for stem, path in paths.items()
    )


def _within_range(name: str, stems: Mapping[str, Audio]) -> dict[str, Audio]:
    """The same stems with one common gain that keeps every stem, and so its 16 bits, from clipping."""
    if not all(np.isfinite(samples).all() for samples in stems.values()):
        raise InputError(f"{name}: expected finite samples; got NaN or infinity: mend the function that makes it")
    peak = max(float(np.abs(samples).max()) for samples in stems.values())
    gain = np.float32(min(1.0, _LOUDEST_PEAK / max(peak, 1e-9)))
    return {stem: samples * gain for stem, samples in stems.items()}


def _rms_db(samples: Audio) -> float:
    return 10 * float(np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-12))


def _write_sources(root: Path, sources: Mapping[str, Source]) -> None:
    partial = root / f".sources-{os.getpid()}.json"
    recorded = {source.path: source for source in read_sources(root)}  # another run may have added some meanwhile
    rows = [asdict(source) for _, source in sorted((recorded | dict(sources)).items())]
    partial.write_text(json.dumps(rows, indent=0) + "\n", encoding="utf-8")
    partial.replace(root / "sources.json")

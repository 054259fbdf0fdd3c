"""Pieces and tables: what each fold hears and is asked, as data sets that training and scoring can open.

    FOLDER/pieces/PIECE/STEM.wav     what had to be made: parts of songs, rests of mixtures, mixtures of recordings
    FOLDER/fold-1.csv ...            all pieces with their files: split ``train`` is heard, ``valid`` is held out
    FOLDER/fold-1-half.csv ...       the same with half (or a quarter) of what is heard, to see what more is worth
    FOLDER/all.csv                   everything, for the final model

Songs that are used whole are not copied; the tables name their own files. Where there are only single recordings, the
held-out ones of each stem are put one behind the other and mixed, in pieces of some seconds.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.data.encoding import Encoding
from stemtune.data.files import write_text_atomically
from stemtune.data.tracks import Track, read_excerpt
from stemtune.data.writer import AudioWriter
from stemtune.recipes.adapt.folding import Fold, assign, cut_in_time, join_groups
from stemtune.recipes.adapt.material import REST, Material

__all__ = ["Prepared", "prepare"]

_PIECES_PER_FOLD = 2
_MADE_SECONDS, _LONGEST_MADE_SECONDS = 15.0, 120.0
_FLOAT = Encoding("wav", "float32")
_MIXTURE_ROW = "mixture"


@dataclass(frozen=True)
class _Piece:
    name: str
    stems: Mapping[str, tuple[Path, ...]]
    mixture: Path | None
    seconds: float
    group: str = ""


@dataclass(frozen=True)
class Prepared:
    """What was prepared.

    Attributes:
        folds: tables, one per fold.
        smaller: the same with half of what is heard, then with half of that; as far as it can be halved.
        everything: the table of all.
        heard_seconds: in a fold, on average; then in the smaller ones.
        is_cut: whether pieces of one song are held out, rather than songs.
        is_made: whether what is held out was mixed of single recordings.
        num_units: how many pieces are scored in all.
        longest_seconds: of what is heard, about.
        remarks: what was done because of what was found.
    """

    folds: tuple[Path, ...]
    smaller: tuple[tuple[Path, ...], ...]
    everything: Path
    heard_seconds: tuple[float, ...]
    is_cut: bool
    is_made: bool
    num_units: int
    longest_seconds: float
    remarks: tuple[str, ...]


def prepare(material: Material, folder: Path, *, num_folds: int, num_halvings: int = 1) -> Prepared:
    """Divide the material, and write what does not exist yet.

    Args:
        material: see `stemtune.recipes.adapt.material.examine`.
        folder: for pieces and tables.
        num_folds: that are wanted; there are fewer if there are fewer groups of songs.
        num_halvings: of what is heard, at most.
    """
    remarks: list[str] = []
    songs = [_whole(track, folder, material) for track in material.songs]
    recordings = [_whole(track, folder, material) for track in material.recordings]
    groups = join_groups([song.name for song in songs], material.groups)
    is_cut = len(groups) == 1
    if is_cut:
        remarks.append("there is one song only (or all share sound): parts of it are held out, with a guard between")
    held, folds = (_cut_songs if is_cut else _deal_songs)(material, folder, songs, groups, num_folds)
    if not is_cut and (rare := _missing(held, folds, recordings, material.stems)):
        remarks.append(
            f"{rare} is in so few songs that none can be held out: parts of all songs are, with a guard between"
        )
        is_cut = True
        held, folds = _cut_songs(material, folder, songs, groups, num_folds)
    pools: list[tuple[list[_Piece], list[_Piece]]] = [([], recordings) for _ in folds]
    if not held:
        held, folds, pools = _divide_recordings(material, folder, num_folds)
        remarks.append("there are single recordings only: the held-out ones are mixed with each other, to be scored")
    by_name = {piece.name: piece for piece in held}
    asked = [made or [by_name[name] for name in fold.held_out] for fold, (made, _) in zip(folds, pools, strict=True)]
    heard = [[*(by_name[name] for name in fold.heard), *pool] for fold, (_, pool) in zip(folds, pools, strict=True)]
    tables: list[tuple[Path, ...]] = []
    seconds: list[float] = []
    for ending in ("", "-half", "-quarter")[: num_halvings + 1]:
        if ending and not all(set(material.stems) <= _stems_of(own) for own in heard):
            break
        names = [folder / f"fold-{number}{ending}.csv" for number in range(1, len(folds) + 1)]
        tables.append(tuple(_write(*row) for row in zip(names, heard, asked, strict=True)))
        seconds.append(sum(_seconds(own) for own in heard) / len(heard))
        heard = [_half(own) for own in heard]
    return Prepared(
        folds=tables[0],
        smaller=tuple(tables[1:]),
        everything=_write(folder / "all.csv", [*songs, *recordings], []),
        heard_seconds=tuple(seconds),
        is_cut=is_cut,
        is_made=not songs,
        num_units=sum(map(len, asked)),
        longest_seconds=max(piece.seconds for piece in (*songs, *recordings)) / (_PIECES_PER_FOLD * 3 if is_cut else 1),
        remarks=tuple(remarks),
    )


def _deal_songs(
    material: Material, folder: Path, songs: list[_Piece], groups: Sequence[Sequence[str]], num_folds: int
) -> tuple[list[_Piece], tuple[Fold, ...]]:
    """Whole songs, group by group."""
    del material, folder
    if not songs:
        return [], ()
    num_folds = max(2, min(num_folds, len(groups)))
    return songs, assign(groups, {piece.name: piece.seconds for piece in songs}, num_folds=num_folds)


def _cut_songs(
    material: Material, folder: Path, songs: list[_Piece], groups: Sequence[Sequence[str]], num_folds: int
) -> tuple[list[_Piece], tuple[Fold, ...]]:
    """Parts of songs."""
    del songs, groups
    num_pieces = _PIECES_PER_FOLD * num_folds
    parts = [part for track in material.songs for part in _parts(track, folder, material, num_pieces=num_pieces)]
    num_folds = max(2, min(num_folds, len(parts)))
    names = [(part.name,) for part in parts]
    return parts, assign(names, {part.name: part.seconds for part in parts}, num_folds=num_folds)


def _missing(held: Sequence[_Piece], folds: Sequence[Fold], pool: Sequence[_Piece], stems: Sequence[str]) -> str:
    """A stem that some fold would not hear; empty if there is none."""
    by_name = {piece.name: piece for piece in held}
    for fold in folds:
        there = _stems_of([*(by_name[name] for name in fold.heard), *pool])
        for stem in stems:
            if stem not in there:
                return stem
    return ""


def _stems_of(pieces: Sequence[_Piece]) -> set[str]:
    return {stem for piece in pieces for stem in piece.stems}


def _seconds(pieces: Sequence[_Piece]) -> float:
    return sum(piece.seconds for piece in pieces)


def _half(pieces: Sequence[_Piece]) -> list[_Piece]:
    """Half of the pieces of each combination of stems; none if one of them has a single piece."""
    kinds: dict[tuple[str, ...], list[_Piece]] = {}
    for piece in pieces:
        kinds.setdefault(tuple(piece.stems), []).append(piece)
    if any(len(members) < 2 for members in kinds.values()):
        return []
    return [piece for members in kinds.values() for piece in members[: len(members) // 2]]


def _whole(track: Track, folder: Path, material: Material) -> _Piece:
    """A track as it is, or as a copy where a rest has to be made or a file has several streams."""
    needs_rest = track.name in material.rest_of
    files = [path for paths in track.stems.values() for path in paths]
    if needs_rest or any(not path.is_file() for path in files):
        span = ((0.0, track.duration_seconds),)
        return replace(_cut(track, folder, span, needs_rest=needs_rest)[0], name=track.name)
    return _Piece(track.name, dict(track.stems), track.mixture, track.duration_seconds)


def _parts(track: Track, folder: Path, material: Material, *, num_pieces: int) -> list[_Piece]:
    spans = cut_in_time(track.duration_seconds, num_pieces=num_pieces)
    return _cut(track, folder, spans, needs_rest=track.name in material.rest_of)


def _cut(track: Track, folder: Path, spans: Sequence[tuple[float, float]], *, needs_rest: bool) -> list[_Piece]:
    """Parts of a track as files of their own; the rest is what the stems leave of the mixture."""
    pieces: list[_Piece] = []
    for number, (begin, end) in enumerate(spans, start=1):
        name = f"{track.name} ({number} of {len(spans)})"
        num_samples = round((end - begin) * track.sample_rate)
        sounds = {
            stem: _read(track, paths, begin, num_samples)
            for stem, paths in track.stems.items()
            if not (needs_rest and stem == REST)
        }
        mixture = _read(track, (track.mixture,), begin, num_samples) if track.mixture else None
        if needs_rest and mixture is not None:
            sounds[REST] = mixture - torch.stack(list(sounds.values())).sum(dim=0)
        if mixture is not None and not needs_rest:
            sounds[_MIXTURE_ROW] = mixture
        where = folder / "pieces" / name.replace("/", "_")
        files = {stem: _keep(where / f"{stem}.wav", sound, track.sample_rate) for stem, sound in sounds.items()}
        kept_mixture = files.pop(_MIXTURE_ROW, None)
        stems = {stem: (path,) for stem, path in files.items()}
        pieces.append(_Piece(name, stems, kept_mixture, num_samples / track.sample_rate, group=track.name))
    return pieces


def _read(track: Track, paths: tuple[Path, ...], begin: float, num_samples: int) -> Float[Tensor, "channel time"]:
    return read_excerpt(
        paths,
        start_seconds=begin,
        num_samples=num_samples,
        sample_rate=track.sample_rate,
        channels=track.num_channels,
    )


def _keep(path: Path, samples: Float[Tensor, "channel time"], sample_rate: int) -> Path:
    with AudioWriter(path, sample_rate=sample_rate, num_channels=samples.shape[0], encoding=_FLOAT) as writer:
        writer.write(samples)
    return path


def _divide_recordings(
    material: Material, folder: Path, num_folds: int
) -> tuple[list[_Piece], tuple[Fold, ...], list[tuple[list[_Piece], list[_Piece]]]]:
    """For each fold the mixtures that were made of what is held out, and what is heard."""
    by_stem: dict[str, list[tuple[Track, _Piece]]] = {}
    for track in material.recordings:
        (stem,) = track.stems
        by_stem.setdefault(stem, []).append((track, _whole(track, folder, material)))
    for stem, members in by_stem.items():
        if len(members) < num_folds:
            by_stem[stem] = [
                (track, part)
                for track, _ in members
                for part in _parts(track, folder, material, num_pieces=_PIECES_PER_FOLD * num_folds)
            ]
    pools: list[tuple[list[_Piece], list[_Piece]]] = []
    for number in range(num_folds):
        asked = {stem: members[number::num_folds] for stem, members in by_stem.items()}
        heard = [piece for stem, members in by_stem.items() for pair in members if pair not in asked[stem]
                 for piece in (pair[1],)]  # fmt: skip
        pools.append((_mix(asked, folder, number + 1), heard))
    return [], tuple(Fold((), ()) for _ in pools), pools


def _mix(asked: Mapping[str, Sequence[tuple[Track, _Piece]]], folder: Path, number: int) -> list[_Piece]:
    """Recordings of each stem one behind the other, as long as the shortest of them, in pieces."""
    rate = max(track.sample_rate for members in asked.values() for track, _ in members)
    channels = max(track.num_channels for members in asked.values() for track, _ in members)
    lines: dict[str, Tensor] = {}
    for stem, members in asked.items():
        parts = [
            read_excerpt(
                next(iter(piece.stems.values())),
                start_seconds=0.0,
                num_samples=round(min(piece.seconds, _LONGEST_MADE_SECONDS) * rate),
                sample_rate=rate,
                channels=channels,
            )
            for _, piece in members
        ]
        lines[stem] = torch.cat(parts, dim=1)[:, : round(_LONGEST_MADE_SECONDS * rate)]
    length = min(line.shape[1] for line in lines.values())
    num_pieces = max(1, round(length / rate / _MADE_SECONDS))
    made: list[_Piece] = []
    for index in range(num_pieces):
        here = slice(length * index // num_pieces, length * (index + 1) // num_pieces)
        name = f"mixture {number}.{index + 1}"
        where = folder / "pieces" / name
        stems = {stem: (_keep(where / f"{stem}.wav", line[:, here], rate),) for stem, line in lines.items()}
        made.append(_Piece(name, stems, None, (here.stop - here.start) / rate))
    return made


def _write(path: Path, train: Sequence[_Piece], valid: Sequence[_Piece]) -> Path:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("track", "stem", "path", "split"))
    for split, pieces in (("train", train), ("valid", valid)):
        for piece in pieces:
            rows = [(stem, own) for stem, paths in piece.stems.items() for own in paths]
            if piece.mixture is not None:
                rows.append((_MIXTURE_ROW, piece.mixture))
            writer.writerows((piece.name, stem, str(own.absolute()), split) for stem, own in rows)
    return write_text_atomically(path, text.getvalue())

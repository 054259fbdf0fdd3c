"""The laptop's corpora at the network's rate: every song as ``SONG/STEM.wav`` in mono at 16 kHz.

Compressed stereo at 44.1 kHz would have to be decoded, averaged and resampled for every excerpt of every step; this is
done once, for all cells,

    song/stem.wav = resample(mean over channels of sum over files).

Of each task as many minutes are taken to learn from as Bach10 has, and a tenth of what the paper has of the other two.
Prepared sets appear whole or not at all, and are made again only if they are missing.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from pydantic import BaseModel

from stemtune.config import parse
from stemtune.data.datasets import StemGroups, open_dataset
from stemtune.data.encoding import Encoding
from stemtune.data.files import output_error
from stemtune.data.sound import Sound
from stemtune.data.tracks import Track, load_stem
from stemtune.errors import InputError
from stemtune.hub.registry import read_json
from stemtune.signal.resample import resample

__all__ = ["LAPTOP_SETS", "Part", "prepare"]

SAMPLE_RATE = 16000
_SINGING: StemGroups = {"vocals": ["vocals"], "accompaniment": ["drums", "bass", "other"]}
_BAND: StemGroups = {"drums": ["drums"], "bass": ["bass"], "other": ["other"]}
_CHOIR: StemGroups = {"female": ["soprano", "alto"], "male": ["tenor", "bass"]}


@dataclass(frozen=True)
class Part:
    """A part of a prepared set.

    Attributes:
        root: ``data`` for the folder of small real corpora, ``corpora`` for that of rendered ones.
        path: the data set below it.
        splits: which of its splits to take; None for a data set without.
        stems: which stems, and what they consist of; None for those that it has.
        minutes: of tracks, in the order of a hash of their names, that are enough; None for all.
        pattern: shell pattern that the names of the tracks must match.
    """

    root: str
    path: str
    splits: tuple[str | None, ...] = (None,)
    stems: StemGroups | None = None
    minutes: float | None = None
    pattern: str = "*"


LAPTOP_SETS: Mapping[str, tuple[Part, ...]] = {
    "real/songs": (
        Part("data", "eir_stems", ("train",), _SINGING),
        Part("data", "musicdelta", ("valid",), _SINGING),
        Part("data", "trackswitch_song", (None,), {"accompaniment": ["drums", "bass", "other"]}),
    ),
    "real/karaoke": (Part("data", "mir1k", ("train", "valid")),),
    "pop": (Part("corpora", "pop", ("train",), _BAND),),
    "drums/train": (Part("corpora", "drums", ("train",), minutes=19.0),),
    "drums/test": (Part("corpora", "drums", ("test",)),),
    "choir/train": (Part("corpora", "choir", ("train",), _CHOIR, minutes=7.0),),
    "choir/test": (Part("corpora", "choir", ("test",), _CHOIR),),
    "chorales/train": (Part("corpora", "chorales", ("train",), minutes=5.0),),
    "chorales/test": (Part("corpora", "chorales", ("test",)),),
}


def prepare(
    names: Iterable[str],
    roots: Mapping[str, Path],
    folder: Path,
    *,
    say: Callable[[str], None],
    sets: Mapping[str, tuple[Part, ...]] | None = None,
    sample_rate: int = SAMPLE_RATE,
) -> None:
    """Make what is missing of some sets below ``folder``, with one channel.

    Args:
        names: of the sets.
        roots: where ``data`` and ``corpora`` are.
        folder: gets one folder for each set.
        say: told what is being made.
        sets: what each name stands for; the `LAPTOP_SETS` if None.
        sample_rate: to which sounds are brought, in Hz.

    Raises:
        InputError: if a data set is missing; the message says how it is made.
        OutputError: if the folder cannot be written.
    """
    for name in names:
        parts, final = (sets or LAPTOP_SETS)[name], folder / name
        if final.exists():
            continue
        say(f"preparing {name}")
        temporary = final.with_name(f".{final.name}.partial")
        shutil.rmtree(temporary, ignore_errors=True)
        for part in parts:
            _prepare_part(part, roots[part.root] / part.path, temporary, sample_rate)
        try:
            temporary.rename(final)
        except OSError as error:
            raise output_error(final, error) from None


def _prepare_part(part: Part, path: Path, folder: Path, sample_rate: int) -> None:
    _require_complete(path)
    everything = [track for split in part.splits for track in open_dataset(path, split=split, stems=part.stems)]
    tracks = [track for track in everything if fnmatch(track.name, part.pattern)]
    if part.minutes is not None:
        tracks = _enough(tracks, part.minutes)
    for track in tracks:
        for stem in track.stems:
            _save(track, stem, folder / f"{path.name}-{track.name.replace('/', '_')}" / f"{stem}.wav", sample_rate)


def _require_complete(path: Path) -> None:
    if not path.exists():
        raise InputError(
            f"{path}: there is no such corpus; render it (`stemtune data render --help`), or say where the corpora are "
            "with --corpora and --data"
        )
    record = path / "corpus.json"
    if record.exists() and not parse(_Record, read_json(record), origin=str(record)).complete:
        raise InputError(f"{path}: this corpus is not rendered to the end; start the command that renders it again")


class _Record(BaseModel):
    """What is asked of the record of a rendered corpus."""

    complete: bool = True


def _enough(tracks: Sequence[Track], minutes: float) -> list[Track]:
    """As many tracks as it takes, in an order that has nothing to do with what is in them."""
    chosen: list[Track] = []
    for track in sorted(tracks, key=lambda track: hashlib.sha256(track.name.encode()).hexdigest()):
        if sum(other.duration_seconds for other in chosen) >= 60 * minutes:
            break
        chosen.append(track)
    return chosen


def _save(track: Track, stem: str, target: Path, sample_rate: int) -> None:
    mono = load_stem(track, stem).mean(dim=0, keepdim=True)
    if track.sample_rate != sample_rate:
        mono = resample(mono, source_rate=track.sample_rate, target_rate=sample_rate)
    Sound(mono, sample_rate).save(target, encoding=Encoding.for_path(target, sample_format="float32"))

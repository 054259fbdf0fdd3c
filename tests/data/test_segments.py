"""Drawing recordings and places in them: in proportion to weight and length, and where something is heard."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemtune.data.excerpts import ExcerptReader
from stemtune.data.segments import Corpus, Pool, draw_start, find_active, level_db, open_corpora, rename_stems
from stemtune.data.tracks import Track
from stemtune.errors import ConfigError
from stemtune.types import StemSet


def track(name: str, seconds: float, *stems: str) -> Track:
    files = {stem: (Path(f"{stem}.wav"),) for stem in stems or ("vocals",)}
    return Track(name, StemSet(files), Path("mixture.wav"), 1000, round(1000 * seconds), 1)


def test_tracks_are_drawn_in_proportion_to_weight_and_length() -> None:
    heavy, light = Corpus(path="a", weight=3.0), Corpus(path="b", weight=1.0)
    pool = Pool.of([(heavy, [track("x", 10), track("y", 30)]), (light, [track("z", 500)])])
    assert pool.probabilities == pytest.approx((0.1875, 0.5625, 0.25))
    generator = np.random.default_rng(0)
    drawn = [pool.draw(generator).name for _ in range(4000)]
    assert np.mean([name == "y" for name in drawn]) == pytest.approx(0.5625, abs=0.03)


def test_drawing_takes_the_values_that_numpy_would_take() -> None:
    tracks = [track(str(number), number + 1) for number in range(37)]
    pool = Pool.of([(Corpus(path="a"), tracks)])
    ours, numpys = np.random.default_rng(5), np.random.default_rng(5)
    for _ in range(200):
        assert pool.draw(ours) is tracks[int(numpys.choice(37, p=pool.probabilities))]


def test_starts_leave_room_for_the_segment() -> None:
    generator = np.random.default_rng(0)
    starts = [draw_start(track("x", 10), generator, duration_seconds=4.0) for _ in range(500)]
    assert 0 <= min(starts) < 0.1
    assert 5.9 < max(starts) <= 6
    assert draw_start(track("x", 3), generator, duration_seconds=4.0) == 0


def test_segments_are_drawn_where_the_stem_is_heard(tmp_path: Path) -> None:
    rate = 8000
    samples = np.zeros(20 * rate, dtype=np.float32)
    samples[12 * rate : 14 * rate] = 0.1
    path = tmp_path / "vocals.wav"
    soundfile.write(path, samples, rate, subtype="FLOAT")
    song = Track("song", StemSet({"vocals": (path,)}), None, rate, len(samples), 1)
    reader = ExcerptReader(sample_rate=rate, channels=1)

    def share_heard(tries: int) -> float:
        generator = np.random.default_rng(0)
        levels = [
            level_db(
                find_active(
                    reader, song, "vocals", generator, num_samples=rate, min_level_db=-40.0, tries=tries
                ).samples
            )
            for _ in range(60)
        ]  # fmt: skip
        return float(np.mean([level > -40 for level in levels]))

    assert share_heard(1) < 0.35
    assert share_heard(40) > 0.95


def test_stems_of_the_same_new_name_are_added() -> None:
    songs = (track("x", 1, "guitar", "synth", "drums"), track("y", 1, "bass+synth", "drums"))
    first, second = rename_stems(songs, {"guitar": "other", "synth": "other"}, origin="songs")
    assert dict(first.stems) == {"other": (Path("guitar.wav"), Path("synth.wav")), "drums": (Path("drums.wav"),)}
    assert set(second.stems) == {"bass+other", "drums"}
    assert first.mixture == Path("mixture.wav")


def test_what_is_not_taken_apart_becomes_one_stem_if_its_parts_do() -> None:
    (song,) = rename_stems(
        (track("x", 1, "bass+synth"),), {"bass": "accompaniment", "synth": "accompaniment"}, origin=""
    )
    assert set(song.stems) == {"accompaniment"}


def test_stems_without_a_name_are_left_out_and_with_them_the_mixture() -> None:
    songs = (track("x", 1, "guitar", "drums"), track("y", 1, "guitar"))
    (only,) = rename_stems(songs, {"guitar": None}, origin="songs")
    assert set(only.stems) == {"drums"}
    assert only.mixture is None
    with pytest.raises(ConfigError, match="songs: the mapping names a stem 'piano' that no track has"):
        rename_stems(songs, {"piano": None}, origin="songs")


def test_mapping_files_are_read(songs: Path, tmp_path: Path) -> None:
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text('name: mine\nfiles: "{track}/{stem}.wav"\nstems:\n  voice: vocals\n  rhythm: drums\n')
    ((_, tracks),) = open_corpora((Corpus(path=str(songs), mapping=str(mapping)),))
    assert {stem for track in tracks for stem in track.stems} == {"voice", "rhythm"}

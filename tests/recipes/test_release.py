"""What the card of the default model says that it heard."""

import pytest

from stemtune.data.rendering.plans import Split
from stemtune.data.rendering.records import CorpusRecord, LicenceRecord, SongRecord, SplitRecord, StemRecord
from stemtune.errors import InputError
from stemtune.recipes.default_model.release import rendered_data


def corpus(*, may_train_released_weights: bool) -> CorpusRecord:
    licence = LicenceRecord(
        may_train_released_weights=may_train_released_weights, licences=("CC0-1.0", "MIT"), attribution=()
    )
    stem = StemRecord(file="a.flac", bytes=1, level_db=-20.0, active_level_db=-18.0, active_seconds=1.0, peak=0.5)
    rows: tuple[tuple[str, Split, str, str], ...] = (
        ("a", "train", "mma/a.mid", "drums"),
        ("b", "train", "freedoom/b.mid", "bass"),
        ("c", "test", "simutrans/c.mid", "other"),
    )
    songs = tuple(
        SongRecord(name=name, split=split, seconds=90.0, source=source, stems={part: stem}, ingredients=())
        for name, split, source, part in rows
    )
    return CorpusRecord(
        kind="bands",
        seed=0,
        identity="2-0123456789abcdef",
        settings={},
        licence=licence,
        splits={"train": SplitRecord(songs=2, seconds=180.0, licence=licence)},
        songs=songs,
    )


def test_only_training_songs_are_named() -> None:
    heard = rendered_data(corpus(may_train_released_weights=True))
    assert "freedoom, mma" in heard.corpus
    assert "simutrans" not in heard.corpus
    assert (heard.licence, heard.minutes, heard.stems) == ("CC0-1.0; MIT", 3.0, ("bass", "drums"))


def test_a_corpus_that_released_weights_must_not_hear_is_refused() -> None:
    with pytest.raises(InputError, match="must not hear"):
        rendered_data(corpus(may_train_released_weights=False))

"""Every kind of corpus, rendered with a soundfont of one wave: what comes out, and what it is made of."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemtune.data.claims import claimed
from stemtune.data.datasets import open_dataset
from stemtune.data.rendering.choosing import Amount
from stemtune.data.rendering.drumming import DrumProducer
from stemtune.data.rendering.plans import Rendering, SongPlan
from stemtune.data.rendering.records import CorpusRecord, SongRecord, read_corpus
from stemtune.data.rendering.requests import RenderRequest, render
from stemtune.errors import InputError, OutputError
from tests.data.rendering.conftest import needs_fluidsynth
from tests.data.rendering.tiny import (
    SAMPLE_RATE,
    band_midi,
    drum_midi,
    pop_midi,
    write_chorales,
    write_manifest,
    write_oneshots,
    write_voices,
)

pytestmark = needs_fluidsynth

STEMS = {
    "chorales": {"violin", "clarinet", "saxophone", "bassoon"},
    "choir": {"soprano", "alto", "tenor", "bass"},
    "drums": {"kick", "snare", "cymbals", "toms"},
    "bands": {"drums", "bass", "other"},
    "pop": {"vocals", "drums", "bass", "other"},
}
Corpus = tuple[Path, CorpusRecord]
Corpora = Callable[[str], Corpus]


@pytest.fixture(scope="module")
def request_of(
    tmp_path_factory: pytest.TempPathFactory, soundfont: Path, other_soundfont: Path
) -> Callable[[str], RenderRequest]:
    root = tmp_path_factory.mktemp("scores")
    chorales = write_chorales(root / "chorales.json")
    for number in range(2):
        band_midi(root / "bands" / f"song{number}.mid", bars=8)
        drum_midi(root / "drums" / f"take{number}.mid", bars=5)
        pop_midi(root / "pop" / f"tune{number}.mid", bars=8)
    learn, judge = write_oneshots(root / "kits" / "learn"), write_oneshots(root / "kits" / "judge", seed=1)
    voices = write_voices(root / "voices" / "choir", {"c3": 48, "g3": 55, "c4": 60, "g4": 67})
    write_manifest(root, {"kits": ("CC0-1.0", "yes"), "voices": ("CC0-1.0", "yes")})

    def request(kind: str) -> RenderRequest:
        return RenderRequest.model_validate(
            {
                "kind": kind,
                "sources": (chorales if kind in ("chorales", "choir") else root / kind,),
                "soundfonts": (str(soundfont),),
                "test_soundfonts": (str(other_soundfont),),
                "kits": (str(learn),) if kind not in ("chorales", "choir") else (),
                "test_kits": (str(judge),) if kind not in ("chorales", "choir") else (),
                "voices": (voices,) if kind in ("choir", "pop") else (),
                "drum_scores": root / "drums" if kind == "pop" else None,
                "singer": "vowels" if kind == "pop" else None,
                "splits": (50, 0, 50),
                "licence": "CC0-1.0",
                "mixture": True,
            }
        )

    return request


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, request_of: Callable[[str], RenderRequest]) -> Corpora:
    """A corpus of two songs of a kind, rendered when it is first asked for."""
    rendered: dict[str, Corpus] = {}

    def of(kind: str) -> Corpus:
        if kind not in rendered:
            folder = tmp_path_factory.mktemp("corpora") / kind
            rendered[kind] = folder, render(request_of(kind), folder, amount=Amount(songs=2))
        return rendered[kind]

    return of


def integers(folder: Path, song: SongRecord) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    place = folder / song.split / song.name
    stems = {name: soundfile.read(place / stem.file, dtype="int16")[0] for name, stem in song.stems.items()}
    assert song.mixture
    return soundfile.read(place / song.mixture.file, dtype="int16")[0], stems


@pytest.mark.parametrize("kind", STEMS)
def test_stems_sum_to_the_mixture_to_the_last_bit(kind: str, corpus: Corpora) -> None:
    folder, record = corpus(kind)
    assert record.complete
    assert {song.split for song in record.songs} == {"train", "test"}
    for song in record.songs:
        assert {*song.stems, *song.silent} == STEMS[kind]
        mixture, stems = integers(folder, song)
        assert mixture.shape == (pytest.approx(song.seconds * SAMPLE_RATE, abs=25), 2)  # it is rounded to milliseconds
        np.testing.assert_array_equal(mixture, sum(samples.astype(np.int32) for samples in stems.values()))
        assert 1000 < np.abs(mixture).max() < 32767
        for name, samples in stems.items():
            assert np.abs(samples).max() == round(song.stems[name].peak * 2**15), name


@pytest.mark.parametrize("kind", STEMS)
def test_training_and_test_are_made_of_different_sounds(kind: str, corpus: Corpora) -> None:
    _, record = corpus(kind)
    sounds = {
        split: {
            ingredient.name
            for song in record.songs
            for ingredient in song.ingredients
            if song.split == split and ingredient.role != "score"
        }
        for split in ("train", "test")
    }
    assert sounds["test"]
    assert not sounds["train"] & sounds["test"]
    assert not sounds["test"] & {"learn.sf2", "learn", "drums", "voices", "synthesisers"}


@pytest.mark.parametrize("kind", STEMS)
def test_the_licence_is_that_of_all_parts(kind: str, corpus: Corpora) -> None:
    folder, record = corpus(kind)
    assert read_corpus(folder) == record
    for song in record.songs:
        unknown = any(ingredient.licence == "unknown" for ingredient in song.ingredients)
        assert record.splits[song.split].licence.may_train_released_weights is not unknown
        assert ("unknown" in record.splits[song.split].licence.licences) is unknown


@pytest.mark.parametrize("kind", STEMS)
def test_the_corpus_is_a_data_set(kind: str, corpus: Corpora) -> None:
    folder, record = corpus(kind)
    (track,) = open_dataset(folder, split="train")
    (song,) = [song for song in record.songs if song.split == "train"]
    assert track.name.endswith(song.name)
    assert set(track.stems) == set(song.stems)


def test_started_again_it_renders_nothing_twice(
    corpus: Corpora, request_of: Callable[[str], RenderRequest], tmp_path: Path
) -> None:
    folder, record = corpus("chorales")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.flac")}
    heard: list[str] = []
    again = render(
        request_of("chorales"),
        folder,
        amount=Amount(songs=2),
        on_song=lambda plan, _done, _total: heard.append(plan.name),
    )
    assert again == record
    assert heard == []
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.flac")} == before
    broken = next(folder.rglob("violin.flac"))
    broken.write_bytes(broken.read_bytes()[:1000])  # as a full disk may leave it
    render(request_of("chorales"), folder, amount=Amount(songs=2), on_song=lambda plan, *_: heard.append(plan.name))
    assert heard == [broken.parent.name]
    # more songs, and other workers, change none of those that there were
    bigger = render(request_of("chorales"), tmp_path / "more", amount=Amount(songs=4), num_workers=2)
    assert {song.name for song in bigger.songs} > {song.name for song in record.songs}
    for song in record.songs:
        mine, theirs = (root / song.split / song.name / "violin.flac" for root in (folder, tmp_path / "more"))
        np.testing.assert_array_equal(soundfile.read(mine)[0], soundfile.read(theirs)[0])


def test_two_at_once_are_one_too_many(request_of: Callable[[str], RenderRequest], tmp_path: Path) -> None:
    """The first one to end would remove the scores that the other one reads."""
    out = tmp_path / "corpus"
    with claimed(out / ".lock") as is_ours:
        assert is_ours
        with pytest.raises(OutputError, match="another process is rendering this corpus; wait"):
            render(request_of("chorales"), out, amount=Amount(songs=1))
    assert render(request_of("chorales"), out, amount=Amount(songs=1)).complete


def test_another_seed_is_another_corpus(request_of: Callable[[str], RenderRequest], tmp_path: Path) -> None:
    songs: list[np.ndarray] = []
    for seed in (0, 1):
        request = request_of("drums").model_copy(update={"seed": seed, "splits": (100, 0, 0)})
        record = render(request, tmp_path / str(seed), amount=Amount(songs=2))
        (song,) = [song for song in record.songs if song.name.endswith("take0")]
        songs.append(integers(tmp_path / str(seed), song)[0])
    assert songs[0].shape != songs[1].shape or not np.array_equal(*songs)


def test_grouped_mono_and_24_bits(request_of: Callable[[str], RenderRequest], tmp_path: Path) -> None:
    request = request_of("choir").model_copy(
        update={"mapping": "male-female", "mono": True, "int24": True, "splits": (100, 0, 0)}
    )
    (song,) = render(request, tmp_path / "choir", amount=Amount(songs=1)).songs
    assert set(song.stems) == {"male", "female"}
    place = tmp_path / "choir" / song.split / song.name
    info = soundfile.info(place / "male.flac")
    assert (info.channels, info.subtype) == (1, "PCM_24")
    stems = [soundfile.read(place / f"{name}.flac", dtype="int32")[0] >> 8 for name in song.stems]
    np.testing.assert_array_equal(soundfile.read(place / "mixture.flac", dtype="int32")[0] >> 8, sum(stems))


@pytest.mark.parametrize("style", ["band", "electronic"])
@pytest.mark.parametrize("kind", ["bands", "pop"])
def test_styles(kind: str, style: str, request_of: Callable[[str], RenderRequest], tmp_path: Path) -> None:
    request = request_of(kind).model_copy(update={"style": style, "splits": (100, 0, 0)})
    (song,) = render(request, tmp_path / kind, amount=Amount(songs=1)).songs
    assert song.details["style"] == style
    assert song.silent == ()
    assert all(stem.active_seconds > 2 for stem in song.stems.values())


@pytest.mark.parametrize("singer", ["vowels", "choir"])
def test_singers(singer: str, request_of: Callable[[str], RenderRequest], tmp_path: Path) -> None:
    request = request_of("pop").model_copy(update={"singer": singer, "splits": (100, 0, 0)})
    (song,) = render(request, tmp_path / "pop", amount=Amount(songs=1)).songs
    assert str(song.details["singer"]).startswith(singer)
    assert song.stems["vocals"].active_seconds > 5


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_a_number_is_not_written(
    value: float, request_of: Callable[[str], RenderRequest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = DrumProducer.render

    def broken(self: DrumProducer, plan: SongPlan) -> Rendering:
        rendering = played(self, plan)
        rendering.stems["snare"][0, 100] = value
        return rendering

    monkeypatch.setattr(DrumProducer, "render", broken)
    request = request_of("drums").model_copy(update={"splits": (100, 0, 0)})
    with pytest.raises(InputError, match="the stem snare holds values that are not finite"):
        render(request, tmp_path / "drums", amount=Amount(songs=1))
    assert not list((tmp_path / "drums").rglob("*.flac"))

"""Data sets in every layout, and every mistake in one that would otherwise pass silently."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from stemtune.data.datasets import open_dataset
from stemtune.data.tracks import load_mixture, load_stem, read_excerpt
from stemtune.errors import InputError, UsageError


def tone(path: Path, *, frequency: float = 440.0, seconds: float = 0.5, rate: int = 8000, channels: int = 2) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = 0.2 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)
    soundfile.write(path, np.repeat(samples[:, None], channels, axis=1).astype(np.float32), rate, subtype="FLOAT")
    return path


def test_the_musdb_layout_with_splits_and_mixtures(tmp_path: Path) -> None:
    for split, song in (("train", "b"), ("train", "a"), ("test", "c")):
        for stem in ("vocals", "drums", "mixture"):
            tone(tmp_path / split / song / f"{stem}.wav")
    everything = open_dataset(tmp_path)
    assert [track.name for track in everything] == ["test/c", "train/a", "train/b"]
    (test,) = open_dataset(tmp_path, split="test")
    assert test.name == "c"
    assert set(test.stems) == {"vocals", "drums"}
    assert test.mixture == tmp_path / "test" / "c" / "mixture.wav"
    with pytest.raises(UsageError, match=r"no split 'valid' there; the splits are: train, test"):
        open_dataset(tmp_path, split="valid")


def test_songs_without_a_mixture_file_are_the_sum_of_their_stems(tmp_path: Path) -> None:
    for stem, frequency in (("vocals", 440.0), ("tabla", 660.0)):
        tone(tmp_path / "song" / f"{stem}.wav", frequency=frequency)
    (track,) = open_dataset(tmp_path)
    total = load_stem(track, "vocals") + load_stem(track, "tabla")
    torch.testing.assert_close(load_mixture(track), total)


def test_stem_folders_are_single_stem_tracks(tmp_path: Path) -> None:
    tone(tmp_path / "drums" / "one.wav")
    tone(tmp_path / "other" / "one.wav")
    assert [(t.name, t.stems.names) for t in open_dataset(tmp_path)] == [
        ("drums/one", ("drums",)),
        ("other/one", ("other",)),
    ]


def test_unknown_names_need_a_layout(tmp_path: Path) -> None:
    tone(tmp_path / "sitar" / "take1.wav")
    tone(tmp_path / "veena" / "take2.wav")
    with pytest.raises(UsageError, match="songs or stems"):
        open_dataset(tmp_path)
    assert {t.stems.names for t in open_dataset(tmp_path, layout="stems")} == {("sitar",), ("veena",)}


def test_repeated_unknown_stem_names_are_songs(tmp_path: Path) -> None:
    for song in ("raga1", "raga2", "raga3"):
        tone(tmp_path / song / "sitar.wav")
        tone(tmp_path / song / "veena.wav")
    assert {track.stems.names for track in open_dataset(tmp_path)} == {("sitar", "veena")}


def test_a_rendered_corpus_says_that_it_holds_songs(tmp_path: Path) -> None:
    for stem in ("kick", "snare"):
        tone(tmp_path / "valid" / "song" / f"{stem}.wav")
    with pytest.raises(UsageError, match="cannot tell"):
        open_dataset(tmp_path, split="valid")
    (tmp_path / "corpus.json").write_text("{}", encoding="utf-8")
    for path, split in ((tmp_path, "valid"), (tmp_path / "valid", None)):
        (song,) = open_dataset(path, split=split)
        assert set(song.stems) == {"kick", "snare"}


def test_a_table_with_tracks_splits_and_added_files(tmp_path: Path) -> None:
    for name in ("v1", "v2", "d"):
        tone(tmp_path / "audio" / f"{name}.wav")
    table = tmp_path / "table.csv"
    table.write_text(
        "track,stem,path,split\ns,vocals,audio/v1.wav,train\ns,Vocals,audio/v2.wav,train\ns,drums,audio/d.wav,train\n"
    )
    (track,) = open_dataset(table, split="train")
    assert len(track.stems["vocals"]) == 2
    torch.testing.assert_close(load_stem(track, "vocals"), 2 * load_stem(track, "drums"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stem,file\n", "no column path"),
        ("stem,path\n", "no rows"),
        ("stem,path\nvocals,nowhere.wav\n", r"line 2: no such file"),
        ("stem,path\n,a.wav\n", "line 2: the stem or the path is empty"),
    ],
)
def test_tables_with_mistakes(tmp_path: Path, text: str, message: str) -> None:
    table = tmp_path / "table.csv"
    table.write_text(text)
    with pytest.raises(InputError, match=message):
        open_dataset(table)


def test_nothing_is_not_a_data_set(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        open_dataset(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no audio found"):
        open_dataset(tmp_path)


def test_two_files_for_one_stem_are_an_error(tmp_path: Path) -> None:
    tone(tmp_path / "song" / "vocals.wav")
    tone(tmp_path / "song" / "Vocals.WAV")
    with pytest.raises(InputError, match="two files for 'vocals'"):
        open_dataset(tmp_path)


def test_excerpts_pad_with_silence_resample_and_fit_channels(tmp_path: Path) -> None:
    path = tone(tmp_path / "a.wav", seconds=1.0, rate=8000, channels=1)
    excerpt = read_excerpt([path], start_seconds=0.5, num_samples=16000, sample_rate=16000, channels=2)
    assert excerpt.shape == (2, 16000)
    assert torch.equal(excerpt[0], excerpt[1])
    assert excerpt[:, :7000].abs().max() > 0.1
    assert torch.count_nonzero(excerpt[:, 8100:]) == 0
    before = read_excerpt([path], start_seconds=-0.25, num_samples=4000, sample_rate=8000, channels=1)
    assert torch.count_nonzero(before[:, :2000]) == 0
    whole = read_excerpt([path], start_seconds=0.0, num_samples=8000, sample_rate=8000, channels=1)
    torch.testing.assert_close(before[:, 2000:], whole[:, :2000])


def test_a_song_is_as_wide_as_its_widest_stem(tmp_path: Path) -> None:
    tone(tmp_path / "song" / "bass.wav", channels=1)
    tone(tmp_path / "song" / "vocals.wav", channels=2)
    (track,) = open_dataset(tmp_path)
    assert track.num_channels == 2
    assert load_mixture(track).shape[0] == 2


def test_a_table_states_where_its_tracks_come_from(tmp_path: Path) -> None:
    for name in ("a", "b"):
        tone(tmp_path / f"{name}.wav")
    table = tmp_path / "table.csv"
    table.write_text(
        "type,path,group,licence,may_release\nvocals,a.wav,Asha,CC0-1.0,yes\ndrums,b.wav,,,\n", encoding="utf-8"
    )
    drums, vocals = open_dataset(table)
    assert vocals.name == "vocals/a"
    assert (vocals.origin.group, vocals.origin.licence, vocals.origin.may_release) == ("Asha", "CC0-1.0", True)
    assert (drums.origin.group, drums.origin.licence, drums.origin.may_release) == (None, None, None)
    table.write_text("stem,path,may_release\nvocals,a.wav,perhaps\n")
    with pytest.raises(InputError, match="line 2: may_release is 'perhaps'; expected yes, no or nothing"):
        open_dataset(table)
    table.write_text("track,stem,path,split\ns,vocals,a.wav,train\ns,drums,b.wav,test\n")
    with pytest.raises(InputError, match="line 3: s is in the split test, and in train by line 2; expected each track"):
        open_dataset(table)


def test_a_song_with_nothing_but_a_mixture_is_named(tmp_path: Path) -> None:
    tone(tmp_path / "whole" / "vocals.wav")
    tone(tmp_path / "bare" / "mixture.wav")
    with pytest.raises(InputError, match=r"bare/mixture.wav: expected a file for at least one stem beside the mixture"):
        open_dataset(tmp_path)
    assert [track.name for track in open_dataset(tmp_path, on_error="skip")] == ["whole"]


def test_a_missing_or_damaged_stem_is_an_error_unless_it_is_to_be_kept(tmp_path: Path) -> None:
    tone(tmp_path / "song" / "bass.wav")
    tone(tmp_path / "song" / "vocals.wav").write_bytes(b"RIFF")
    with pytest.raises(InputError, match=r"song/vocals.wav"):
        open_dataset(tmp_path)
    with pytest.raises(InputError, match=r"no track found: .*song/vocals.wav"):
        open_dataset(tmp_path, on_error="skip")
    (track,) = open_dataset(tmp_path, on_error="keep")
    assert set(track.stems) == {"bass", "vocals"}


def test_layouts_that_do_not_exist_or_do_not_fit(tmp_path: Path) -> None:
    tone(tmp_path / "song" / "vocals.wav")
    with pytest.raises(UsageError, match=r"is a folder, where the layout csv expects a table"):
        open_dataset(tmp_path, layout="csv")


def test_a_mapping_is_not_looked_for_where_a_layout_is_given(tmp_path: Path) -> None:
    tone(tmp_path / "song" / "Vocals (DI).wav")
    (tmp_path / "stemtune-dataset.yaml").write_text(
        'name: x\nfiles: "{track}/{stem}.wav"\nstems: {vocals: Vocals*}\n', encoding="utf-8"
    )
    assert open_dataset(tmp_path)[0].stems.names == ("vocals",)
    assert open_dataset(tmp_path, layout="songs")[0].stems.names == ("vocals (di)",)


def test_the_only_stem_of_an_unlabelled_song_is_its_mixture(tmp_path: Path) -> None:
    tone(tmp_path / "album" / "song.wav")
    (track,) = open_dataset(tmp_path, layout="unlabelled")
    assert (track.name, track.stems.names, track.is_labelled) == ("album/song", ("mixture",), False)
    torch.testing.assert_close(load_mixture(track), load_stem(track, "mixture"))


def test_folders_called_validation_or_val_are_the_validation_split(tmp_path: Path) -> None:
    tone(tmp_path / "train" / "a" / "vocals.wav")
    tone(tmp_path / "val" / "b" / "vocals.wav")
    assert [(track.name, track.origin.split) for track in open_dataset(tmp_path)] == [
        ("train/a", "train"),
        ("val/b", "valid"),
    ]
    assert [track.name for track in open_dataset(tmp_path, split="valid")] == ["b"]
    tone(tmp_path / "valid" / "c" / "vocals.wav")
    with pytest.raises(InputError, match="two folders for the split valid, valid, val; expected one"):
        open_dataset(tmp_path)

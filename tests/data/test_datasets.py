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

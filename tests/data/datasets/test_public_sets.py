"""What is particular about the public data sets: streams, metadata, duplicates, parts, and joins of them."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from stemtune.data.audio import open_audio
from stemtune.data.audio_streams import split_stream, stream_path
from stemtune.data.datasets import open_dataset, scan_dataset
from stemtune.data.tracks import load_mixture, load_stem, read_excerpt
from stemtune.errors import ConfigError, InputError, UsageError
from tests.data.datasets import miniatures
from tests.data.datasets.miniatures import MUSDB_HZ, RATE, VALIDATION, sound


def frequency_hz(samples: torch.Tensor, sample_rate: int) -> float:
    spectrum = torch.fft.rfft(samples.mean(dim=0) * torch.hann_window(samples.shape[1])).abs()
    return float(spectrum.argmax()) * sample_rate / samples.shape[1]


def test_the_streams_of_musdb18_become_stems_by_name(tmp_path: Path) -> None:
    miniatures.musdb18(tmp_path)
    track = open_dataset(tmp_path, split="valid")[0]
    assert (track.sample_rate, track.num_samples, track.num_channels) == (44100, 16384, 2)
    assert track.mixture == tmp_path / "train" / "ANiMAL - Rockshow.stem.mp4#0"
    for stem, expected in MUSDB_HZ.items():
        assert frequency_hz(load_stem(track, stem), 44100) == pytest.approx(expected, rel=0.02)
        middle = read_excerpt(track.stems[stem], start_seconds=0.1, num_samples=8192, sample_rate=44100, channels=1)
        whole = load_stem(track, stem).mean(dim=0, keepdim=True)[:, 4410 : 4410 + 8192]
        torch.testing.assert_close(middle, whole, atol=0.01, rtol=0)


def test_a_file_with_too_few_streams_is_named(tmp_path: Path) -> None:
    miniatures.musdb18(tmp_path)
    damaged = tmp_path / "test" / "Zeno - Signs.stem.mp4"
    soundfile.write(damaged, np.zeros((44100, 2)), 44100, format="WAV")
    with pytest.raises(
        InputError, match=r"Zeno - Signs.stem.mp4: expected an audio stream 4, .* the file has 1: get it"
    ):
        open_dataset(tmp_path, split="test")
    assert len(open_dataset(tmp_path, split="train")) == 2


def test_streams_are_named_by_paths(tmp_path: Path) -> None:
    miniatures.musdb18(tmp_path)
    file = tmp_path / "test" / "Zeno - Signs.stem.mp4"
    with open_audio(stream_path(file, 4)) as reader, open_audio(file, stream=4) as same:
        assert reader.info.path.name == "Zeno - Signs.stem.mp4#4"
        assert torch.equal(reader.read(1000), same.read(1000))
    with pytest.raises(InputError, match=r"no audio stream 7; the file has 5"):
        open_audio(stream_path(file, 7))
    own = sound(tmp_path / "take#2", seed=0)
    with open_audio(tmp_path / "take#2") as reader:
        assert reader.read(10**6).shape[1] == len(own)
    assert split_stream(tmp_path / "take#2") == (tmp_path / "take#2", None)


def test_a_copy_of_musdb18_without_its_validation_songs_is_not_taken_for_whole(tmp_path: Path) -> None:
    miniatures.musdb18hq(tmp_path)
    for name in ("mixture", "vocals", "drums", "bass", "other"):
        (tmp_path / "train" / VALIDATION[3] / f"{name}.wav").unlink()
    with pytest.raises(InputError, match=r"the split valid of MUSDB18-HQ names the track 'Patrick Talbot"):
        open_dataset(tmp_path)
    assert len(open_dataset(tmp_path, split="test")) == 1
    assert len(open_dataset(tmp_path, split="valid", on_error="keep")) == 13


def test_slakh_is_grouped_by_instrument_class(tmp_path: Path) -> None:
    miniatures.slakh2100(tmp_path)
    first, second = open_dataset(tmp_path, split="train")
    names = {stem: [path.name for path in paths] for stem, paths in first.stems.items()}
    assert names == {
        "piano_guitar": ["S00.flac", "S01.flac"],
        "drums": ["S03.flac"],
        "bass": ["S02.flac"],
        "other": ["S04.flac"],
    }
    assert second.silent == ("other",)
    assert first.origin.group == "a"


@pytest.mark.parametrize("label", ["Guitar", "program:30"])
def test_slakh_can_be_grouped_otherwise(tmp_path: Path, label: str) -> None:
    miniatures.slakh2100(tmp_path / "slakh")
    (tmp_path / "guitars.yaml").write_text(f"extends: slakh2100\nstems: {{guitar: '{label}'}}\nrest: accompaniment\n")
    track = open_dataset(tmp_path / "slakh", mapping=tmp_path / "guitars.yaml")[0]
    assert [path.name for path in track.stems["guitar"]] == ["S01.flac"]
    torch.testing.assert_close(
        load_mixture(track), load_stem(track, "guitar") + load_stem(track, "accompaniment"), atol=1e-6, rtol=0
    )


def test_duplicates_of_slakh_are_omitted_with_and_without_their_folder(tmp_path: Path) -> None:
    miniatures.slakh2100(tmp_path)
    assert [track.name for track in open_dataset(tmp_path, split="omitted")] == ["Track00003"]
    assert "Track00003" not in [track.name for track in open_dataset(tmp_path)]
    (tmp_path / "omitted" / "Track00003").rename(tmp_path / "test" / "Track00003")
    assert "Track00003" not in [track.name for track in open_dataset(tmp_path)]
    (omitted,) = open_dataset(tmp_path, split="omitted")
    assert (omitted.name, omitted.origin.group) == ("Track00003", "a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("UUID: a\n", "Track00001/metadata.yaml: not a valid _Metadata: stems: Field required"),
        ("UUID: [\n", "Track00001/metadata.yaml: cannot be read as YAML"),
        ("- a\n", "expected the keys UUID and stems; got list"),
        ("UUID: a\naudio_dir: ../../elsewhere\nstems: {}\n", "audio_dir is '../../elsewhere'; expected the name of a"),
    ],
)
def test_damaged_metadata_of_slakh(tmp_path: Path, text: str, message: str) -> None:
    miniatures.slakh2100(tmp_path)
    (tmp_path / "train" / "Track00001" / "metadata.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        open_dataset(tmp_path)
    assert len(open_dataset(tmp_path, on_error="skip")) == 3


def test_a_rendered_stem_of_slakh_that_is_missing_is_named(tmp_path: Path) -> None:
    miniatures.slakh2100(tmp_path)
    (tmp_path / "train" / "Track00001" / "stems" / "S03.flac").unlink()
    with pytest.raises(InputError, match=r"Track00001/stems/S03.flac: no such file"):
        open_dataset(tmp_path)


def test_moisesdb_adds_takes_of_different_lengths_and_notes_bleed(tmp_path: Path) -> None:
    miniatures.moisesdb(tmp_path)
    track = open_dataset(tmp_path)[0]
    assert track.name == "AC_DC - Song 0 (00000000-0000-4000-8000-000000000000)"
    assert [path.name for path in track.stems["drums"]] == ["take1.wav", "take2.wav"]
    assert track.partial == ("drums",)
    assert track.num_samples == miniatures.SAMPLES
    assert "guitar" in track.silent


def test_moisesdb_does_not_leave_its_folder(tmp_path: Path) -> None:
    miniatures.moisesdb(tmp_path)
    path = sorted(tmp_path.glob("*/*/data.json"))[0]
    tree = json.loads(path.read_text())
    tree["stems"][0]["stemName"] = "../../../elsewhere"
    path.write_text(json.dumps(tree))
    with pytest.raises(InputError, match=r"data.json: names .*elsewhere.*; expected files STEM/ID.wav inside its own"):
        open_dataset(tmp_path)
    path.write_text("{")
    with pytest.raises(InputError, match=r"data.json: cannot be read as JSON"):
        open_dataset(tmp_path)


def test_dagstuhl_adds_sopranos_and_altos_of_complete_takes(tmp_path: Path) -> None:
    miniatures.dagstuhl_choirset(tmp_path)
    tracks = {track.name: track for track in open_dataset(tmp_path)}
    assert set(tracks) == {"LI_FullChoir_Take01", "LI_QuartetB_Take04", "TP_QuartetA_Take01"}
    full = tracks["LI_FullChoir_Take01"]
    assert [path.name[-10:-4] for path in full.stems["male"]] == ["B1_DYN", "T1_DYN", "T2_DYN"]
    assert full.partial == ("female", "male")
    assert full.origin.group == "LI"


def test_hydrogen_and_caesium_have_no_other_that_is_free_of_bass(tmp_path: Path) -> None:
    miniatures.eir_stems(tmp_path)
    tracks = {track.name: track for track in open_dataset(tmp_path)}
    for name in ("1.Hydrogen", "6.Caesium"):
        assert set(tracks[name].stems) == {"vocals", "drums", "bass+other"}
    accompanied = open_dataset(tmp_path, stems={"vocals": ["vocals"], "accompaniment": ["drums", "bass", "other"]})
    assert {track.stems.names for track in accompanied} == {("vocals", "accompaniment")}
    three = {track.name: track for track in open_dataset(tmp_path, stems={"bass": ["bass"], "melody": ["other"]})}
    assert three["1.Hydrogen"].stems.names == ("bass+melody",)
    assert three["2.Lithium"].stems.names == ("bass", "melody")
    only_bass = {track.name: track for track in open_dataset(tmp_path, stems={"bass": ["bass"]})}
    assert only_bass["1.Hydrogen"].stems.names == ("bass+other",)


def test_regrouped_tracks_keep_their_mixture_only_if_nothing_is_left_out(tmp_path: Path) -> None:
    miniatures.plain_songs(tmp_path)
    groups = {"vocals": ["vocals"], "accompaniment": ["drums", "bass", "other"]}
    for track in open_dataset(tmp_path, stems=groups):
        assert track.mixture is not None
        total = load_stem(track, "vocals") + load_stem(track, "accompaniment")
        torch.testing.assert_close(total, load_mixture(track), atol=1e-6, rtol=0)
    for track in open_dataset(tmp_path, stems={"rhythm": ["drums", "bass"]}):
        assert track.mixture is None
        torch.testing.assert_close(load_stem(track, "rhythm"), load_mixture(track))


def test_regrouping_knows_silence(tmp_path: Path) -> None:
    miniatures.musicdelta(tmp_path)
    tracks = {track.name: track for track in open_dataset(tmp_path, stems={"voice": ["vocals"], "rest": ["drums"]})}
    assert tracks["Shadows"].silent == ("voice",)
    assert tracks["Grunge"].silent == ()


@pytest.mark.parametrize(
    ("stems", "message"),
    [
        (
            {"keys": ["pianno"]},
            r"no track has a stem 'pianno', of which 'keys' is to be made; the stems are: bass, drums",
        ),
        ({"a": ["bass"], "b": ["bass"]}, "the stem 'bass' goes to two stems, a and b; expected one"),
        ({"a": []}, "cannot make a stem 'a' of"),
        ({"a": "bass"}, "cannot make a stem 'a' of 'bass'; expected a name and a list of stems"),
    ],
)
def test_groups_with_mistakes(tmp_path: Path, stems: dict[str, list[str]], message: str) -> None:
    miniatures.plain_songs(tmp_path)
    with pytest.raises(UsageError, match=message):
        open_dataset(tmp_path, stems=stems)


def test_data_sets_join_on_common_stems(tmp_path: Path) -> None:
    miniatures.musdb18_slakh2100(tmp_path)
    tracks = open_dataset(tmp_path, split="test", mapping="musdb18_slakh2100")
    assert [(track.name, track.stems.names) for track in tracks] == [
        ("musdb18/Zeno - Signs", ("bass", "drums", "other")),
        ("slakh2100/Track01876", ("drums", "other")),
    ]
    assert tracks[1].silent == ("bass",)
    assert tracks[1].origin.licence == "CC-BY-4.0"


def test_any_data_sets_join(tmp_path: Path) -> None:
    miniatures.plain_stems(tmp_path / "pack")
    miniatures.bach10(tmp_path / "bach")
    joined = tmp_path / "both.yaml"
    joined.write_text(
        "name: both\njoin:\n"
        "  - {path: pack, layout: stems, stems: {drums: [kick, snare], lead: vocals}}\n"
        "  - {path: bach, stems: {lead: [violin, clarinet]}, prefix: chorales}\n"
    )
    names = [(track.name, track.stems.names) for track in open_dataset(joined)]
    assert names[0] == ("chorales/01-AchGottundHerr", ("lead",))
    assert ("pack/kick/1", ("drums",)) in names
    assert len(names) == 7


def test_joins_that_leak_or_lack_a_part(tmp_path: Path) -> None:
    miniatures.musicdelta(tmp_path / "musicdelta")
    miniatures.musdb18hq(tmp_path / "musdb")
    joined = tmp_path / "both.yaml"
    joined.write_text(
        "name: both\njoin:\n  - {path: musicdelta, stems: {drums: drums}}\n  - {path: musdb, stems: {drums: drums}}\n"
    )
    with pytest.raises(
        InputError, match=r"musicdelta/Grunge \(test\) both belong to 'MusicDelta Grunge'; expected one"
    ):
        open_dataset(joined)
    joined.write_text("name: both\njoin: [{path: nowhere, stems: {drums: drums}}]\n")
    with pytest.raises(InputError, match=r"nowhere: expected one data set there, a part of both; there is none"):
        open_dataset(joined)
    joined.write_text("name: both\njoin: [{path: musdb, stem: {drums: drums}}]\n")
    with pytest.raises(ConfigError, match=r"both.yaml: not a valid JoinedDescription: join.0.stems: Field required"):
        open_dataset(joined)


def test_problems_of_a_part_are_told_with_its_name(tmp_path: Path) -> None:
    miniatures.bach10(tmp_path / "bach")
    (tmp_path / "bach" / "01-AchGottundHerr" / "01-AchGottundHerr-bassoon.wav").unlink()
    joined = tmp_path / "one.yaml"
    joined.write_text("name: one\njoin: [{path: bach, stems: {violin: violin, others: [clarinet, bassoon]}}]\n")
    scan = scan_dataset(joined)
    assert [(problem.kind, problem.track) for problem in scan.problems] == [("missing_stem", "bach/01-AchGottundHerr")]
    assert [track.name for track in scan.sound_tracks] == ["bach/02-AchLiebenChristen"]


def test_one_unreadable_file_among_a_thousand(tmp_path: Path) -> None:
    wave = tmp_path / "one.wav"
    sound(wave, seed=0, samples=80)
    data = wave.read_bytes()
    wave.unlink()
    for number in range(1000):
        folder = tmp_path / "kick" / f"{number:04d}.wav"
        folder.parent.mkdir(exist_ok=True)
        folder.write_bytes(data[: 60 if number in (321, 654) else None])
    with pytest.raises(InputError, match=r"0321.wav: .*\(and 1 more; `stemtune data check` lists them\)"):
        open_dataset(tmp_path, layout="stems")
    scan = scan_dataset(tmp_path, layout="stems")
    assert [problem.track for problem in scan.problems] == ["kick/0321", "kick/0654"]
    assert len(scan.sound_tracks) == 998
    assert {track.sample_rate for track in scan.sound_tracks} == {RATE}

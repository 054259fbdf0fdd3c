"""Mapping files: what they can say, and every mistake in one, named with what to do."""

import json
from pathlib import Path

import pytest

from stemtune.data.datasets import known_mappings, open_dataset, scan_dataset
from stemtune.data.datasets.mapping_files import read_mapping
from stemtune.data.datasets.patterns import Pattern
from stemtune.errors import ConfigError, InputError, UsageError
from tests.data.datasets.miniatures import SAMPLES, numbered, song, sound


def described(root: Path, text: str, name: str = "stemtune-dataset.yaml") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)
    return root


@pytest.fixture
def ragas(tmp_path: Path) -> Path:
    """Two takes with names that only their owner understands."""
    for number, take in enumerate(("yaman", "bhairav")):
        song(tmp_path / take, numbered(("Sitar (DI)", "Tabla L", "Tabla R", "Tanpura"), ".wav", start=10 * number))
    return tmp_path


def test_a_users_own_instruments_need_no_python(ragas: Path) -> None:
    described(
        ragas,
        """
        name: my ragas
        licence: CC-BY-4.0
        files: "{track}/{stem}.wav"
        stems:
          sitar: Sitar*
          tabla: [Tabla L, Tabla R]
        rest: drone
        splits: {test: [yaman]}
        """,
    )
    bhairav, yaman = open_dataset(ragas)
    assert bhairav.stems.names == ("sitar", "tabla", "drone")
    assert [path.name for path in bhairav.stems["tabla"]] == ["Tabla L.wav", "Tabla R.wav"]
    assert (bhairav.origin.split, yaman.origin.split) == ("train", "test")
    assert bhairav.origin.licence == "CC-BY-4.0"
    assert [track.name for track in open_dataset(ragas, split="test")] == ["yaman"]


@pytest.mark.parametrize("ending", ["json", "toml", "yml"])
def test_mappings_may_be_json_or_toml(ragas: Path, ending: str) -> None:
    tree = {"name": "ragas", "files": "{track}/{stem}.wav", "stems": {"tabla": ["Tabla*"]}, "rest": "others"}
    toml = 'name = "ragas"\nfiles = "{track}/{stem}.wav"\nrest = "others"\n[stems]\ntabla = ["Tabla*"]\n'
    described(ragas, toml if ending == "toml" else json.dumps(tree), f"stemtune-dataset.{ending}")
    assert {track.stems.names for track in open_dataset(ragas)} == {("tabla", "others")}


def test_a_mapping_can_lie_elsewhere_or_be_what_is_opened(ragas: Path, tmp_path: Path) -> None:
    text = 'name: ragas\nfiles: "{track}/{stem}.wav"\nstems: {tabla: "Tabla*"}\nrest: others\n'
    elsewhere = described(tmp_path / "mappings", text, "ragas.yaml") / "ragas.yaml"
    (ragas / "beside.yaml").write_text(text)
    names = [track.name for track in open_dataset(ragas, mapping=elsewhere)]
    assert names == ["bhairav", "yaman"] == [track.name for track in open_dataset(ragas / "beside.yaml")]


def test_a_mapping_can_extend_another_and_change_its_stems(tmp_path: Path) -> None:
    song(tmp_path / "08_Anima_nostra", numbered(("soprano", "alto", "tenor", "bass"), ".mp3"))
    described(
        tmp_path,
        "extends: choralsynth\nstems: {female: [soprano, alto], male: [tenor, bass]}\nrequires: [female, male]\n",
    )
    (track,) = open_dataset(tmp_path)
    assert track.stems.names == ("female", "male")
    assert track.origin.licence == "CC-BY-NC-SA-4.0"


def test_exceptions_and_exclusions_have_reasons(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        song(tmp_path / name, numbered(("vocals", "other"), ".wav"))
    described(
        tmp_path,
        """
        name: three
        files: "{track}/{stem}.wav"
        may_release: true
        stems: {vocals: vocals, other: other}
        exclude: {c: the singer asked us to}
        exceptions:
          - {tracks: b, stems: {bass+other: other}, may_release: false, partial: vocals, reason: recorded in one room}
        """,
    )
    a, b = open_dataset(tmp_path)
    assert (a.stems.names, a.origin.may_release, a.partial) == (("vocals", "other"), True, ())
    assert (b.stems.names, b.origin.may_release, b.partial) == (("vocals", "bass+other"), False, ("vocals",))


def test_absent_stems_are_silent_only_where_the_mapping_says_so(tmp_path: Path) -> None:
    song(tmp_path / "a", numbered(("vocals", "drums"), ".wav"))
    text = 'name: x\nfiles: "{track}/{stem}.wav"\nstems: {vocals: vocals, drums: drums, bass: bass}\n'
    described(tmp_path, text)
    assert open_dataset(tmp_path)[0].silent == ()
    described(tmp_path, text + "absent: silent\n")
    assert open_dataset(tmp_path)[0].silent == ("bass",)


def test_only_complete_takes_are_read(tmp_path: Path) -> None:
    song(tmp_path / "a", numbered(("S1", "A1", "B1"), ".wav"))
    song(tmp_path / "b", numbered(("S1", "A1"), ".wav"))
    described(
        tmp_path,
        'name: x\nfiles: "{track}/{stem}.wav"\nstems: {high: ["S*", "A*"], low: "B*"}\nonly_complete: ["B?"]\n',
    )
    assert [track.name for track in open_dataset(tmp_path)] == ["a"]


FILES = 'name: x\nfiles: "{track}/{stem}.wav"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\n", "expected `files`, patterns such as"),
        (FILES + "stem: {vocals: v}\n", "stem: Extra inputs are not permitted"),
        (FILES + "stems: {vocals: [a, b], other: [B]}\n", "'B' goes to two stems, vocals and other; expected one"),
        (FILES + "stems: {Vocals: a}\n", "'Vocals' cannot be the name of a stem; expected lower-case words"),
        (FILES + "stems: {mixture: a}\n", "'mixture' cannot be the name of a stem"),
        (FILES + "stems: {vocals: []}\n", "the stem vocals has no labels"),
        (FILES + "stems: {vocals: v}\nrequires: bass\n", "requires names bass; the stems are vocals"),
        (FILES + "stems: {vocals: v}\nstems: {bass: b}\n", "the key 'stems' is there twice; expected each once"),
        (FILES + "absent: silent\n", "absent: silent needs `stems`"),
        (FILES + "group: '{singer}'\n", r"has no \{singer\}, which the mapping needs; it has \{stem\}, \{track\}"),
        (FILES + "split_by: singer\nsplits: {test: x}\n", r"has no \{singer\}, which the mapping needs"),
        ('name: x\nfiles: "../{track}/{stem}.wav"\n', "not a pattern for files inside the data set"),
        ('name: x\nfiles: "/data/{track}/{stem}.wav"\n', "not a pattern for files inside the data set"),
        ('name: x\nfiles: "{track}/{Stem}.wav"\n', "expected names in braces to be lower-case letters"),
        ('name: x\nfiles: "{track}/{stem:[z-a]}.wav"\n', "is not a pattern"),
        ("- a\n- b\n", "expected keys and values, such as `files: ...`; got list"),
        ("name: [\n", "cannot be read as YAML"),
        ("extends: nowhere\n", "extends 'nowhere'; expected a file beside it, or one of: bach10,"),
        ("extends: stemtune-dataset.yaml\n", "which extends it in turn"),
        (FILES + "sample_rate: fast\n", "sample_rate: Input should be a valid integer"),
    ],
)
def test_mistakes_in_mappings_name_the_file_and_the_key(ragas: Path, text: str, message: str) -> None:
    described(ragas, text)
    with pytest.raises(ConfigError, match=message) as caught:
        open_dataset(ragas)
    assert str(caught.value).startswith(str(ragas / "stemtune-dataset.yaml"))
    assert "\n" not in str(caught.value)


def test_mappings_that_are_not_there_or_not_text(ragas: Path) -> None:
    with pytest.raises(
        UsageError, match=r"no such mapping file, and no known data set of that name; those are: bach10"
    ):
        open_dataset(ragas, mapping="bach11")
    (ragas / "stemtune-dataset.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(InputError, match=r"stemtune-dataset.yaml: cannot be read as a mapping .* expected UTF-8 text"):
        open_dataset(ragas)
    (ragas / "stemtune-dataset.json").write_text("{}")
    with pytest.raises(
        ConfigError, match=r"two mappings, stemtune-dataset.yaml and stemtune-dataset.json; expected one"
    ):
        open_dataset(ragas)


def test_a_file_that_two_stems_claim_is_named(ragas: Path) -> None:
    described(ragas, FILES + 'stems: {tabla: "Tabla*", left: "* L"}\nrest: others\n')
    with pytest.raises(ConfigError, match=r"Tabla L.wav: the mapping of x sends it to two stems, tabla and left"):
        open_dataset(ragas)


def test_a_file_that_two_patterns_claim_is_named(ragas: Path) -> None:
    described(ragas, 'name: x\nfiles: ["{track}/{stem}.wav", {pattern: "{track}/Tanpura.wav", stem: drone}]\n')
    with pytest.raises(
        ConfigError, match=r"Tanpura.wav: fits two patterns .*expected one, or it would go to two stems"
    ):
        open_dataset(ragas)


def test_a_file_that_no_stem_takes_is_named_unless_it_is_to_be_ignored(ragas: Path) -> None:
    text = FILES + 'stems: {tabla: "Tabla*", sitar: "Sitar*"}\n'
    described(ragas, text)
    with pytest.raises(InputError, match=r"Tanpura.wav: the mapping of x names no stem for its label Tanpura; add it"):
        open_dataset(ragas)
    assert [problem.kind for problem in scan_dataset(ragas).problems] == ["unsorted", "unsorted"]
    described(ragas, text + "ignore: tanpura\n")
    assert {track.stems.names for track in open_dataset(ragas)} == {("tabla", "sitar")}


def test_a_pattern_that_nothing_fits_is_an_error(ragas: Path) -> None:
    described(ragas, 'name: x\nfiles: "{track}/{stem}.flac"\n')
    with pytest.raises(
        InputError, match=r"no audio file fits the mapping of x; expected files like \{track\}/\{stem\}"
    ):
        open_dataset(ragas)


def test_a_song_that_lacks_a_required_stem_is_named_with_the_file(tmp_path: Path) -> None:
    song(tmp_path / "whole", numbered(("vocals", "bass"), ".wav"))
    song(tmp_path / "half", numbered(("vocals",), ".wav"))
    described(tmp_path, FILES + "stems: {vocals: vocals, bass: bass}\nrequires: [vocals, bass]\n")
    expected = rf"half: the stem bass is missing; expected {tmp_path}/half/bass.wav; there are vocals: add the file"
    with pytest.raises(InputError, match=expected):
        open_dataset(tmp_path)
    assert [track.name for track in open_dataset(tmp_path, on_error="skip")] == ["whole"]
    assert [track.name for track in open_dataset(tmp_path, on_error="keep")] == ["half", "whole"]


def test_splits_that_name_unknown_songs_or_one_song_twice(ragas: Path) -> None:
    described(ragas, FILES + "splits: {test: [yaman, marwa]}\n")
    with pytest.raises(
        InputError, match=r"the split test of x names the track 'marwa', and there is none; expected one"
    ):
        open_dataset(ragas)
    assert [track.name for track in open_dataset(ragas, split="train")] == ["bhairav"]
    described(ragas, FILES + "splits: {test: [yaman], valid: ['*']}\n")
    with pytest.raises(ConfigError, match=r"puts 'yaman' into two splits, test and valid; expected one"):
        open_dataset(ragas)
    described(ragas, FILES + "splits: {test: [yaman]}\n")
    with pytest.raises(UsageError, match=r"no split 'valid' there; the splits are: test, train"):
        open_dataset(ragas, split="valid")


def test_a_group_in_two_splits_is_reported(tmp_path: Path) -> None:
    for name in ("asha_1", "asha_2", "lata_1"):
        song(tmp_path / name, numbered(("vocals", "other"), ".wav"))
    described(
        tmp_path,
        'name: x\nfiles: "{singer}_{song}/{stem}.wav"\ntrack: "{singer}_{song}"\ngroup: "{singer}"\n'
        "splits: {test: asha_2}\n",
    )
    with pytest.raises(
        InputError, match=r"asha_2 \(test\) and asha_1 \(train\) both belong to 'asha'; expected one split"
    ):
        open_dataset(tmp_path)


def test_tracks_with_one_name(tmp_path: Path) -> None:
    for split in ("train", "test"):
        sound(tmp_path / split / "a" / "vocals.wav", seed=1)
    described(tmp_path, 'name: x\nfiles: "{split}/{track}/{stem}.wav"\n')
    with pytest.raises(InputError, match=r"the track 'a' is already in the folder of the split test"):
        open_dataset(tmp_path)


def test_recordings_with_one_name(tmp_path: Path) -> None:
    for name in ("soft", "hard"):
        sound(tmp_path / "kick" / f"{name}.wav", seed=1)
    described(tmp_path, 'name: x\nrole: recordings\nfiles: "{stem}/*.wav"\ntrack: "{stem}"\n')
    with pytest.raises(
        InputError, match=r"kick/soft.wav: a second file called 'kick', beside .*hard.wav; expected a name"
    ):
        open_dataset(tmp_path)
    described(tmp_path, 'name: x\nrole: recordings\nfiles: "{stem}/{hit}.wav"\ntrack: "{stem} {hit}"\n')
    assert [track.name for track in open_dataset(tmp_path)] == ["kick hard", "kick soft"]


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        (
            "{split}/{track}/{stem}.wav",
            "train/A - B/vocals.wav",
            {"split": "train", "track": "A - B", "stem": "vocals"},
        ),
        ("{track}/{track}-{stem}.wav", "01-Ach/01-Ach-violin.wav", {"track": "01-Ach", "stem": "violin"}),
        ("{track}/{track}-{stem}.wav", "01-Ach/02-Ach-violin.wav", None),
        ("{stem}/*.wav", "kick/1.wav", {"stem": "kick"}),
        ("{stem}/*.wav", "kick/soft/1.wav", None),
        ("**/{stem:[SATB][0-9]}_DYN.wav", "a/b/S1_DYN.wav", {"stem": "S1"}),
        ("**/{stem:[SATB][0-9]}_DYN.wav", "S1_DYN.wav", {"stem": "S1"}),
        ("**/{stem:[!S]?}_DYN.wav", "S1_DYN.wav", None),
        ("{track}/{stem}", "a feat. b/vocals.FLAC", {"track": "a feat. b", "stem": "vocals"}),
        ("{track}.stem.mp4", "a.b.stem.mp4", {"track": "a.b"}),
        ("{track} (mix).wav", "a+b (mix).wav", {"track": "a+b"}),
        ("{track}/{stem}.wav", "A/VOCALS.WAV", {"track": "A", "stem": "VOCALS"}),
        ("{track}/Gesänge.wav", "a/Gesa\u0308nge.wav", {"track": "a"}),
    ],
)
def test_patterns(pattern: str, path: str, expected: dict[str, str] | None) -> None:
    assert Pattern(pattern).match(path) == expected


def test_known_mappings_read_as_files_equal_the_known_ones() -> None:
    for name, mapping in known_mappings().items():
        assert read_mapping(name) == mapping


def test_lengths_and_rates_that_differ_are_named(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        song(tmp_path / name, numbered(("drums", "vocals"), ".wav"))
    sound(tmp_path / "a" / "bass.wav", seed=1, samples=SAMPLES + 100)
    sound(tmp_path / "b" / "bass.wav", seed=1, samples=SAMPLES + 1000)
    sound(tmp_path / "c" / "bass.wav", seed=1, rate=16000, samples=2 * SAMPLES)
    problems = scan_dataset(tmp_path, layout="songs").problems
    assert [(problem.kind, problem.track, problem.stem) for problem in problems] == [
        ("length", "b", "bass"),
        ("sample_rate", "c", "bass"),
    ]
    with pytest.raises(
        InputError,
        match=rf"{tmp_path}/b/bass.wav: expected 0.500 s, as drums.wav of the same track has; got 0.625 s: export all "
        r"stems from the same start to the same end \(and 1 more; `stemtune data check`",
    ):
        open_dataset(tmp_path, layout="songs")
    assert [track.name for track in open_dataset(tmp_path, layout="songs", on_error="skip")] == ["a"]

"""The command from end to end, with a tiny model; most of all on what is no good input."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.cli.signals import hear_interrupts

STEMS = ("vocals", "other")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kazoo: Path) -> Path:
    """An empty folder to work in, with the model kazoo at hand."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def make_song(path: str | Path, *, seconds: float = 1.0, sample_rate: int = 8000, level: float = 0.1) -> Path:
    noise = level * np.random.default_rng(0).standard_normal((round(seconds * sample_rate), 2))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, noise.clip(-1, 1), sample_rate)
    return Path(path)


def files(folder: str = "separated") -> set[str]:
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}


MANIFEST = "kazoo/stemtune-manifest.json"


def test_stems_come_out_where_demucs_users_expect_them(stemtune):
    song = make_song("song.wav")
    outcome = stemtune("separate", "song.wav", "-n", "kazoo")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("separated/kazoo/song/{vocals,other}.wav (1.0 s in ")
    assert files() == {"kazoo/song/vocals.wav", "kazoo/song/other.wav", MANIFEST}
    total = sum(soundfile.read(f"separated/kazoo/song/{stem}.wav", dtype="int16")[0].astype(int) for stem in STEMS)
    assert np.array_equal(total, soundfile.read(song, dtype="int16")[0])
    again = stemtune("separate", "song.wav", "-n", "kazoo")
    assert again.code == 0
    assert "(already done)" in again.out


@pytest.mark.parametrize(
    ("flags", "expected", "subtype"),
    [
        (["--flac"], "song/vocals.flac", "PCM_16"),
        (["--flac", "--int24"], "song/vocals.flac", "PCM_24"),
        (["--int24"], "song/vocals.wav", "PCM_24"),
        (["--float32"], "song/vocals.wav", "FLOAT"),
        (["--mp3", "--mp3-bitrate", "128"], "song/vocals.mp3", "MPEG_LAYER_III"),
        (["--format", "ogg"], "song/vocals.ogg", "VORBIS"),
        (["--filename", "{stem} of {track}.{ext}"], "vocals of song.wav", "PCM_16"),
        (["--two-stems", "vocals"], "song/no_vocals.wav", "PCM_16"),
    ],
)
def test_formats_and_names(stemtune, flags, expected, subtype):
    make_song("song.wav")
    outcome = stemtune("separate", "song.wav", "-n", "kazoo", "-o", "stems", *flags)
    assert (outcome.code, outcome.err) == (0, "")
    info = soundfile.info(f"stems/kazoo/{expected}")
    assert (info.subtype, info.frames, info.samplerate, info.channels) == (subtype, 8000, 8000, 2)


def test_all_other_flags(stemtune):
    make_song("song.wav")
    flags = "--segment 0.4 --overlap 0.5 --shifts 2 --precision bfloat16 --no-mixture-consistency --clip-mode clamp"
    outcome = stemtune("separate", "song.wav", "-n", "kazoo", "-d", "cpu", "-j", 2, "--audio-stream", 0, *flags.split())
    assert (outcome.code, outcome.err) == (0, "")


def test_progress_for_programs(stemtune):
    make_song("album/one.wav", seconds=3)
    make_song("album/two.wav", level=0.5)
    outcome = stemtune("separate", "album", "absent.mp3", "-n", "kazoo", "--progress", "json")
    assert outcome.code == 1
    events = [json.loads(line) for line in outcome.out.splitlines()]
    assert {event["event"] for event in events} == {"start", "progress", "done", "failed", "end"}
    one = [event for event in events if event.get("track") == "one"]
    assert [event["event"] for event in one][:1] == ["start"]
    progress = [event["seconds_done"] for event in one if event["event"] == "progress"]
    assert progress == sorted(progress)
    assert progress[-1] == 3
    assert {event["seconds_total"] for event in one} == {3}
    assert one[-1]["stems"]["vocals"] == "separated/kazoo/one/vocals.wav"
    assert one[-1]["gain"] == 1
    assert events[-1] == {"event": "end", "folder": "separated/kazoo", "done": 2, "skipped": 0, "failed": 1}


def test_quiet(stemtune):
    make_song("song.wav")
    outcome = stemtune("separate", "song.wav", "-n", "kazoo", "--progress", "none")
    assert (outcome.code, outcome.err) == (0, "")


def test_a_common_gain_is_reported(stemtune):
    samples = make_song("song.wav", level=3.0)
    assert samples.exists()
    soundfile.write("song.wav", 3 * np.random.default_rng(0).standard_normal((8000, 2)), 8000, subtype="FLOAT")
    outcome = stemtune("separate", "song.wav", "-n", "kazoo")
    assert "turned down by" in outcome.out


def test_a_dry_run_writes_nothing(stemtune):
    make_song("song.wav", seconds=3)
    outcome = stemtune("separate", "song.wav", "absent.wav", "-n", "kazoo", "--dry-run")
    assert outcome.code == 1
    assert "song/{vocals,other}.wav" in outcome.out
    assert "1 track of 3.0 s: about" in outcome.out
    assert not Path("separated").exists()
    outcome = stemtune("separate", "song.wav", "-n", "kazoo", "--dry-run", "--progress", "json")
    estimate = json.loads(outcome.out)
    assert estimate["output_bytes"] == 2 * 2 * 2 * 24_000
    assert estimate["temporary_bytes"] == 3 * 2 * 4 * 24_000


def test_models_can_be_listed(stemtune):
    outcome = stemtune("separate", "--list-models")
    assert outcome.code == 0
    assert "kazoo" in outcome.out


def test_help_has_examples(stemtune):
    outcome = stemtune("separate", "--help")
    assert outcome.code == 0
    assert "stemtune separate song.mp3 --two-stems vocals" in " ".join(outcome.out.split())


BAD_FILES = {
    "missing": (None, "bad.wav"),
    "empty": (lambda path: path.write_bytes(b""), "bad.wav"),
    "truncated": (lambda path: path.write_bytes(make_song("good.wav").read_bytes()[:9_000]), "bad.wav"),
    "truncated flac": (lambda path: path.write_bytes(make_song("good.flac").read_bytes()[:9_000]), "bad.flac"),
    "corrupt": (lambda path: path.write_bytes(bytes(range(256)) * 100), "bad.wav"),
    "without samples": (lambda path: soundfile.write(path, np.zeros((0, 2)), 44100), "bad.wav"),
    "text": (lambda path: path.write_text("To be, or not to be\n" * 100), "bad.mp3"),
    "not a number": (
        lambda path: soundfile.write(path, np.full((9000, 2), np.nan, dtype=np.float32), 8000, subtype="FLOAT"),
        "bad.wav",
    ),
    "folder without audio": (lambda path: (path.mkdir(), (path / "readme.txt").write_text("hi")), "bad.wav"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
@pytest.mark.parametrize("flags", [[], ["--float32"], ["-j", "2"]])
def test_a_bad_file_is_one_line_and_others_go_on(stemtune, kind, flags):
    make, name = BAD_FILES[kind]
    if make is not None:
        make(Path(name))
    alone = stemtune("separate", name, "-n", "kazoo", *flags)
    assert alone.code == 1
    assert alone.out == ""
    (line,) = alone.err.splitlines()
    assert line.startswith("error: ")
    assert name in line
    assert not Path("separated").exists()

    make_song("fine.wav")
    both = stemtune("separate", name, "fine.wav", "-n", "kazoo", *flags)
    assert both.code == 1
    assert len(both.err.splitlines()) == 1
    assert "1 done, 1 failed; the stems are in separated/kazoo" in both.out
    assert files() == {"kazoo/fine/vocals.wav", "kazoo/fine/other.wav", MANIFEST}


def test_silence_is_not_bad_input(stemtune):
    soundfile.write("silent.wav", np.zeros((4000, 1)), 8000)
    soundfile.write("one.wav", np.full((1, 1), 0.25), 8000)
    assert stemtune("separate", "silent.wav", "one.wav", "-n", "kazoo").code == 0
    assert not soundfile.read("separated/kazoo/silent/vocals.wav")[0].any()
    assert sum(soundfile.read(f"separated/kazoo/one/{stem}.wav")[0][0] for stem in STEMS) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["-n", "nonsense"], "unknown model"),
        (["-n", "kazoo", "--two-stems", "tuba"], "unknown stem 'tuba'"),
        (["-n", "kazoo", "--overlap", "1.5"], "overlap"),
        (["-n", "kazoo", "--segment", "-1"], "segment"),
        (["-n", "kazoo", "--mp3", "--flac"], "one format"),
        (["-n", "kazoo", "--int24", "--float32"], "exclude each other"),
        (["-n", "kazoo", "--flac", "--float32"], "flac cannot hold float32"),
        (["-n", "kazoo", "--mp3", "--int24"], "no sample format"),
        (["-n", "kazoo", "--mp3", "--mp3-bitrate", "9999"], "bit rate"),
        (["-n", "kazoo", "--filename", "{track}.{ext}"], "{stem}"),
        (["-n", "kazoo", "--filename", "../{track}/{stem}.{ext}"], "inside the output folder"),
        (["-n", "kazoo", "--clip-mode", "loud"], "loud"),
        (["-n", "kazoo", "-j", "0"], "-j"),
    ],
)
def test_a_wrong_request_is_one_line(stemtune, flags, message):
    make_song("song.wav")
    outcome = stemtune("separate", "song.wav", *flags)
    assert outcome.code == 2
    assert outcome.out == ""
    (line,) = outcome.err.splitlines()
    assert message in line
    assert not Path("separated").exists()


def test_no_tracks(stemtune):
    outcome = stemtune("separate", "-n", "kazoo")
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1


def test_a_format_that_cannot_hold_the_sound(stemtune):
    soundfile.write("surround.wav", np.zeros((4000, 6)), 8000)
    outcome = stemtune("separate", "surround.wav", "-n", "kazoo", "--mp3")
    assert outcome.code == 1
    assert len(outcome.err.splitlines()) == 1
    assert not Path("separated").exists()


def test_an_output_folder_that_is_a_file(stemtune):
    make_song("song.wav")
    Path("separated").write_text("in the way")
    outcome = stemtune("separate", "song.wav", "-n", "kazoo")
    assert outcome.code == 1
    assert len(outcome.err.splitlines()) == 1
    assert Path("separated").read_text() == "in the way"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_an_output_folder_without_permission(stemtune):
    make_song("song.wav")
    Path("separated").mkdir(mode=0o555)
    outcome = stemtune("separate", "song.wav", "-n", "kazoo")
    assert outcome.code == 1
    assert len(outcome.err.splitlines()) == 1


@pytest.mark.parametrize("flags", [[], ["--float32"], ["--flac"], ["--clip-mode", "clamp"], ["--format", "ogg"]])
def test_a_disk_that_fills_up(stemtune, flags):
    """Files may not grow beyond a limit, so that the writing fails half-way."""
    make_song("song.wav", seconds=20)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, limits[1]))
    try:
        outcome = stemtune("separate", "song.wav", "-n", "kazoo", *flags)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert outcome.code == 1
    (line,) = outcome.err.splitlines()
    assert line.startswith("error: separated/kazoo")
    assert not Path("separated").exists()


def test_a_disk_that_is_too_small_is_noticed_before(stemtune, monkeypatch):
    make_song("song.wav")
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    outcome = stemtune("separate", "song.wav", "-n", "kazoo")
    assert outcome.code == 1
    assert "GB are free" in outcome.err
    assert not Path("separated").exists()


def test_names_with_line_breaks_stay_on_one_line(stemtune):
    outcome = stemtune("separate", "a\nb\x1b[31m.wav", "-n", "kazoo")
    assert outcome.code == 1
    assert len(outcome.err.splitlines()) == 1
    assert "\x1b" not in outcome.err


@pytest.mark.parametrize(
    ("number", "code", "flags"),
    [
        (signal.SIGTERM, 143, []),
        (signal.SIGINT, 130, ["--float32"]),
        (signal.SIGTERM, 143, ["-j", "2"]),
        (signal.SIGINT, 130, ["-j", "2"]),
    ],
)
def test_a_signal_leaves_nothing_half_written(number, code, flags):
    make_song("album/first.wav")
    noise = np.tile(soundfile.read("album/first.wav", dtype="int16")[0], (1500, 1))
    soundfile.write("album/second.wav", noise, 8000)
    os.link("album/second.wav", "album/third.wav")
    program = "import sys; from stemtune.cli.main import run; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "separate", "album", "-n", "kazoo", "--progress", "json", *flags]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=hear_interrupts,  # noqa: PLW1509  (it only resets a signal)
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "progress" and event["track"] != "first":
                break
        time.sleep(0.2)
        process.send_signal(number)
        process.stdout.read()
        errors = process.stderr.read()
    assert process.returncode == code
    assert len(errors.splitlines()) == 1
    assert {name for name in files() if "first" not in name} <= {MANIFEST}
    assert not any("second" in path.name or "third" in path.name for path in Path("separated").rglob("*"))

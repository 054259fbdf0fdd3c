"""``stemtune separate --stream``, as other programs see it."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

STEMS = ("vocals", "other")
FLAGS = ("--segment", "0.2", "--block", "0.1")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kazoo: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    noise = 0.1 * np.random.default_rng(0).standard_normal((16_000, 2))
    soundfile.write("song.wav", noise.clip(-1, 1), 8000)
    return folder


def live(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", "from stemtune.cli.main import main; main()", "separate", "--stream", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def offline(stemtune, *flags: str) -> list[np.ndarray]:
    assert stemtune("separate", "song.wav", "-n", "kazoo", "-o", "offline", "--segment", "0.2", *flags).code == 0
    return [soundfile.read(f"offline/kazoo/song/{stem}.wav", dtype="int16")[0] for stem in STEMS]


def test_a_pipe_in_and_a_pipe_out(stemtune) -> None:
    process = live("-", "-n", "kazoo", "-o", "-", *FLAGS)
    out, err = process.communicate(Path("song.wav").read_bytes())
    assert process.returncode == 0
    assert err.decode().startswith("vocals, other: 0.60 s behind, and the time to compute\n2.0 s of sound in ")
    Path("out.wav").write_bytes(out)
    both, rate = soundfile.read("out.wav", dtype="int16")
    assert (rate, both.shape) == (8000, (16_000, 4))
    assert np.array_equal(both, np.concatenate(offline(stemtune, "--clip-mode", "clamp"), axis=1))


def test_raw_samples_in_raw_samples_out(stemtune) -> None:
    samples = soundfile.read("song.wav", dtype="int16")[0]
    process = live(
        "-", "-n", "kazoo", "-o", "-", "--raw", "int16:8000:2", "--stem", "other", "--progress", "none", *FLAGS
    )
    out, err = process.communicate(samples.tobytes())
    assert (process.returncode, err) == (0, b"")
    alone = np.frombuffer(out, dtype="<i2").reshape(-1, 2)
    assert alone.shape == samples.shape
    assert np.abs(alone - offline(stemtune)[1]).max() <= 1, "rounded alone, not so that all stems sum to the mixture"


def test_a_device_in_and_files_out(stemtune) -> None:
    os.mkfifo("device")
    content = Path("song.wav").read_bytes()
    feeder = threading.Thread(target=lambda: Path("device").write_bytes(content))
    feeder.start()
    outcome = stemtune("separate", "--stream", "device", "-n", "kazoo", "-o", "live", *FLAGS)
    feeder.join()
    assert (outcome.code, outcome.out) == (0, "")
    for stem, expected in zip(STEMS, offline(stemtune, "--clip-mode", "clamp"), strict=True):
        assert np.array_equal(soundfile.read(f"live/kazoo/device/{stem}.wav", dtype="int16")[0], expected)
    again = stemtune(
        "separate", "--stream", "song.wav", "-n", "kazoo", "-o", "live", "--filename", "device/{stem}.{ext}"
    )
    assert again.code == 2
    assert "exists; give --overwrite to replace it" in again.err


def test_ctrl_c_ends_a_stream_and_keeps_what_was_heard() -> None:
    with live("-", "-n", "kazoo", *FLAGS) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(Path("song.wav").read_bytes()[: 44 + 4 * 8000])
        process.stdin.flush()
        assert b"behind" in process.stderr.readline()
        for _ in range(400):
            if list(Path("separated/kazoo").rglob("*")):
                break  # files are begun when the sound is being heard
            time.sleep(0.05)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
    heard = soundfile.info("separated/kazoo/standard input/vocals.wav").frames
    assert heard % 800 == 0
    assert 0 < heard <= 8000


def test_a_listener_that_leaves_is_no_error() -> None:
    process = live("-", "-n", "kazoo", "-o", "-", "--raw", "int16:8000:1", "--progress", "none", *FLAGS)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(bytes(16_000 * 40))  # which minds no pipe that is broken
    assert (process.returncode, err) == (0, b"")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--stream", "a", "b"], 2, "one thing at a time"),
        (["--stream", "song.wav", "--flac"], 2, "leave out --flac"),
        (["--stream", "song.wav", "--raw", "int16"], 2, "expected FORMAT:RATE:CHANNELS"),
        (["--stream", "song.wav", "--block", "0"], 2, "expected seconds"),
        (["--stream", "song.wav", "--stem", "tuba"], 2, "unknown stem"),
        (["--stream", "song.wav", "--stem", "vocals", "--two-stems", "vocals"], 2, "exclude each other"),
        (["song.wav", "--stem", "vocals"], 2, "--stem is for --stream"),
        (["--stream", "song.wav", "--dry-run"], 2, "a stream has no length"),
        (["--stream", "nothing"], 1, "cannot be opened"),
        (["--stream", "text"], 1, "does not begin as an uncompressed WAV"),
        (["--stream", "silent"], 1, "no samples"),
    ],
)
def test_what_cannot_be_streamed_is_one_line(stemtune, arguments: list[str], code: int, message: str) -> None:
    Path("text").write_text("To be, or not to be")
    soundfile.write("silent.wav", np.zeros((0, 2)), 8000)
    Path("silent.wav").rename("silent")
    outcome = stemtune("separate", *arguments, "-n", "kazoo", "--progress", "none")
    assert outcome.code == code
    assert outcome.out == ""
    (line,) = outcome.err.splitlines()
    assert message in line
    assert not list(Path().rglob("separated/**/*.wav"))

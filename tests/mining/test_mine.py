"""Mining a library: what is found, what is skipped and why, kills, full disks."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from stemtune.errors import ConfigError, InputError, OutputError
from stemtune.mining.detector import load_detector
from stemtune.mining.index import INDEX_FILE, read_index, read_settings
from stemtune.mining.run import MiningSummary, mine, settings_for, walk
from tests.mining.conftest import noise


def run(library: Path, detector: Path, out: Path, **options: object) -> MiningSummary:
    settings = settings_for(load_detector(detector), library)
    return mine(library, detector, out, settings, **options)  # type: ignore[arg-type]


def test_everything_that_can_be_wrong_is_skipped_with_its_reason(library: Path, detector: Path, tmp_path: Path) -> None:
    summary = run(library, detector, tmp_path / "out", pictures=False)
    records = {record.path: record for record in read_index(tmp_path / "out")}
    reasons = {path: record.reason for path, record in records.items() if record.status == "skipped"}
    assert (summary.mined, summary.skipped) == (3, 7)
    assert list(records) == [path.relative_to(library).as_posix() for path in walk(library)]
    assert "shorter" in (reasons.pop("short.wav") or "")
    assert "6 channels" in (reasons.pop("six.wav") or "")
    assert "silent" in (reasons.pop("silent.wav") or "")
    assert "same content as a/good.wav" in (reasons.pop("z/copy.wav") or "")
    assert "text" in (reasons.pop("text.mp3") or "")
    assert "empty" in (reasons.pop("empty.ogg") or "")
    assert reasons.pop("drm.m4a")
    assert reasons == {}


def test_pipes_and_dangling_links_are_skipped_and_not_waited_for(library: Path, detector: Path, tmp_path: Path) -> None:
    (library / "link.wav").symlink_to(tmp_path / "nothing.wav")
    os.mkfifo(library / "pipe.wav")
    run(library, detector, tmp_path / "out", pictures=False)
    reasons = {record.path: record.reason for record in read_index(tmp_path / "out")}
    assert "no such file" in (reasons["link.wav"] or "")
    assert "not a regular file" in (reasons["pipe.wav"] or "")


def test_excerpts_point_into_the_songs(library: Path, detector: Path, tmp_path: Path) -> None:
    run(library, detector, tmp_path / "out")
    good = next(record for record in read_index(tmp_path / "out") if record.path == "a/good.wav")
    assert [(e.stem, e.start_seconds, e.end_seconds) for e in good.excerpts] == [
        ("drums", 0.0, 7.0),
        ("vocals", 0.0, 7.0),
    ]
    curves = np.fromfile(tmp_path / "out" / str(good.curves), dtype=np.uint8).reshape(3, -1)
    assert curves.shape[1] == -(-7 * 16000 // 1024)
    labels = (tmp_path / "out" / "labels" / "a" / "good.wav.txt").read_text()
    assert labels == "0.000\t7.000\tno drums\n0.000\t7.000\tno vocals\n"
    picture = (tmp_path / "out" / "pictures" / "a" / "good.wav.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert read_settings(tmp_path / "out").left_out == ("other",)


def test_a_second_run_does_nothing_and_new_songs_are_added(library: Path, detector: Path, tmp_path: Path) -> None:
    run(library, detector, tmp_path / "out", pictures=False)
    before = (tmp_path / "out" / INDEX_FILE).read_bytes()
    again = run(library, detector, tmp_path / "out", pictures=False)
    assert (again.mined, again.skipped, again.already_done) == (0, 0, 10)
    assert (tmp_path / "out" / INDEX_FILE).read_bytes() == before
    noise(library / "new.wav", 6, seed=9)
    assert run(library, detector, tmp_path / "out", pictures=False).mined == 1


def test_processes_give_the_same_index(library: Path, detector: Path, tmp_path: Path) -> None:
    run(library, detector, tmp_path / "one", pictures=False)
    run(library, detector, tmp_path / "two", pictures=False, num_workers=2)
    assert (tmp_path / "one" / INDEX_FILE).read_bytes() == (tmp_path / "two" / INDEX_FILE).read_bytes()


def test_killed_and_continued_gives_the_same_index(detector: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    for number in range(24):
        noise(library / f"{number:02d}.wav", 6 + number % 3, seed=number // 2 * 2)  # every other one may be a copy
    run(library, detector, tmp_path / "whole", pictures=False)
    command = [sys.executable, "-m", "stemtune.cli", "mine", str(library), "-d", str(detector), "-o"]
    if not (Path(__file__).parents[2] / "src/stemtune/cli/__main__.py").exists():
        command[1:3] = ["-c", "from stemtune.cli.main import main; main()"]
    command += [str(tmp_path / "killed"), "--no-pictures", "-j", "2"]
    index = tmp_path / "killed" / INDEX_FILE
    kills = 0
    for wanted in (1500,):
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        while process.poll() is None and (not index.exists() or index.stat().st_size < wanted):
            time.sleep(0.005)
        kills += process.poll() is None
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert kills
    with index.open("ab") as file:
        file.write(b'{"path": "cut off by a k')
    run(library, detector, tmp_path / "killed", pictures=False)
    assert index.read_bytes() == (tmp_path / "whole" / INDEX_FILE).read_bytes()


def test_a_full_disk_stops_with_one_line_and_mining_goes_on_later(
    library: Path, detector: Path, tmp_path: Path
) -> None:
    script = (
        "import resource, sys\n"
        "from stemtune.cli.main import run\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (900, 900))\n"
        "sys.exit(run(sys.argv[1:]))\n"
    )
    run(library, detector, tmp_path / "whole", pictures=False)
    arguments = ["mine", str(library), "-d", str(detector), "-o", str(tmp_path / "out"), "--no-pictures", "-j", "1"]
    settings = settings_for(load_detector(detector), library)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mining.json").write_text(settings.model_dump_json(indent=2) + "\n")
    finished = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert finished.returncode == 1
    assert "Traceback" not in finished.stderr
    assert (
        "cannot be written" in finished.stderr or "File too large" in finished.stderr or "take files" in finished.stderr
    )
    lines = (tmp_path / "out" / INDEX_FILE).read_bytes()
    assert lines == b"" or lines.endswith(b"\n")
    run(library, detector, tmp_path / "out", pictures=False)
    assert (tmp_path / "out" / INDEX_FILE).read_bytes() == (tmp_path / "whole" / INDEX_FILE).read_bytes()


def test_an_index_belongs_to_one_library_and_detector(library: Path, detector: Path, tmp_path: Path) -> None:
    run(library, detector, tmp_path / "out", pictures=False)
    settings = settings_for(load_detector(detector), library, min_seconds=6.0)
    with pytest.raises(ConfigError, match="other settings"):
        mine(library, detector, tmp_path / "out", settings)


def test_a_damaged_line_is_named(library: Path, detector: Path, tmp_path: Path) -> None:
    run(library, detector, tmp_path / "out", pictures=False)
    index = tmp_path / "out" / INDEX_FILE
    lines = index.read_text().splitlines()
    index.write_text("\n".join([lines[0], json.dumps({"path": 3}), *lines[2:]]) + "\n")
    with pytest.raises(InputError, match="line 2"):
        run(library, detector, tmp_path / "out", pictures=False)


def test_there_must_be_a_library_with_songs(detector: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a folder"):
        run(tmp_path / "nothing", detector, tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no audio files"):
        run(tmp_path / "empty", detector, tmp_path / "other")


def test_the_index_must_be_writable(library: Path, detector: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        run(library, detector, tmp_path / "file" / "out", pictures=False)

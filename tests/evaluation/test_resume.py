"""Processes, kept results, kills, and what makes a kept result stale."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stemtune.data.datasets import open_dataset
from stemtune.errors import InputError
from stemtune.evaluation.protocol import TrackEvent, evaluate
from stemtune.evaluation.records import EvaluationRequest, TrackRecord
from stemtune.evaluation.report_store import RecordStore, file_name
from stemtune.evaluation.systems import EstimatesSystem, MixtureSystem
from tests.evaluation.small_songs import noise, write

REQUEST = EvaluationRequest(metrics=("sdr_global", "sdr_bss_eval_v4"))


@pytest.fixture
def many(tmp_path: Path) -> Path:
    for number in range(4):
        for stem in range(2):
            samples = noise(10 * number + stem, samples=8000 * (2 + number))
            write(tmp_path / "songs" / f"Song {number}" / f"{('vocals', 'drums')[stem]}.wav", samples)
            write(tmp_path / "estimates" / f"Song {number}" / f"{('vocals', 'drums')[stem]}.wav", 0.9 * samples)
    return tmp_path / "songs"


def kinds(system, songs: Path, folder: Path, request: EvaluationRequest = REQUEST) -> list[str]:
    events: list[TrackEvent] = []
    evaluate(system, open_dataset(songs), request, folder=folder, on_event=events.append)
    return [event.kind for event in sorted(events, key=lambda e: e.track.name) if event.kind != "progress"]


def test_processes_find_the_same_as_one(many: Path, tmp_path: Path):
    system = EstimatesSystem(tmp_path / "estimates", "e")
    events: list[TrackEvent] = []
    together = evaluate(system, open_dataset(many), REQUEST, jobs=2, on_event=events.append)
    assert together == evaluate(system, open_dataset(many), REQUEST)
    assert [event.num_finished for event in events] == [1, 2, 3, 4]
    assert together.tracks == tuple(f"Song {number}" for number in range(4))


def test_an_error_in_a_process_arrives_as_one_line(many: Path, tmp_path: Path):
    (tmp_path / "estimates" / "Song 1" / "vocals.wav").write_bytes(b"RIFF")
    with pytest.raises(InputError, match=r"Song 1/vocals\.wav"):
        evaluate(EstimatesSystem(tmp_path / "estimates", "e"), open_dataset(many), REQUEST, jobs=2)


def test_what_is_kept_is_not_done_again_until_it_is_stale(many: Path, tmp_path: Path):
    system, folder = EstimatesSystem(tmp_path / "estimates", "e"), tmp_path / "kept"
    assert kinds(system, many, folder) == ["done"] * 4
    assert kinds(system, many, folder) == ["kept"] * 4
    write(tmp_path / "estimates" / "Song 1" / "vocals.wav", 0.8 * noise(10, samples=24000))
    assert kinds(system, many, folder) == ["kept", "done", "kept", "kept"]
    reference = many / "Song 2" / "drums.wav"
    os.utime(reference, ns=(1, 1))
    assert kinds(system, many, folder) == ["kept", "kept", "done", "kept"]
    (folder / "Song 3.json").write_text('{"version": 1')
    assert kinds(system, many, folder) == ["kept", "kept", "kept", "done"]
    assert kinds(system, many, folder, EvaluationRequest(metrics=("sdr_global",))) == ["done"] * 4
    assert kinds(MixtureSystem(), many, folder) == ["done"] * 4


def test_kept_results_give_the_same_table_nan_and_all(many: Path, tmp_path: Path):
    write(tmp_path / "estimates" / "Song 0" / "vocals.wav", 0 * noise(0, samples=16000))
    system = EstimatesSystem(tmp_path / "estimates", "e")
    first = evaluate(system, open_dataset(many), REQUEST, folder=tmp_path / "kept")
    again = evaluate(system, open_dataset(many), REQUEST, folder=tmp_path / "kept")
    assert repr(first) == repr(again)
    assert "nan" in repr(first)
    for path in (tmp_path / "kept").iterdir():
        json.loads(path.read_text(), parse_constant=pytest.fail)


def test_a_killed_evaluation_goes_on_where_it_was(many: Path, tmp_path: Path):
    """Kill it as soon as one track is finished; what is kept then is not touched by the second run."""
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from stemtune.data.datasets import open_dataset\n"
        "from stemtune.evaluation.protocol import evaluate\n"
        "from stemtune.evaluation.systems import EstimatesSystem\n"
        "from tests.evaluation.test_resume import REQUEST\n"
        "if __name__ == '__main__':\n"
        "    songs, estimates, kept = sys.argv[1:]\n"
        "    evaluate(EstimatesSystem(Path(estimates), 'e'), open_dataset(songs), REQUEST, folder=Path(kept),\n"
        "             jobs=2, on_event=lambda event: event.kind == 'done' and time.sleep(60))\n"
    )
    script, kept = tmp_path / "run.py", tmp_path / "kept"
    script.write_text(code)
    root = Path(__file__).parents[2]
    arguments = [sys.executable, str(script), str(many), str(tmp_path / "estimates"), str(kept)]
    process = subprocess.Popen(arguments, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, start_new_session=True)
    deadline = time.monotonic() + 60
    while not list(kept.glob("[!.]*.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = {path: path.stat().st_mtime_ns for path in kept.glob("[!.]*.json")}
    assert len(before) == 1
    found = kinds(EstimatesSystem(tmp_path / "estimates", "e"), many, kept)
    assert sorted(found) == ["done", "done", "done", "kept"]
    assert all(path.stat().st_mtime_ns == mtime for path, mtime in before.items())


def test_an_interruption_ends_all_processes_at_once_and_without_a_traceback(many: Path, tmp_path: Path):
    root = Path(__file__).parents[2]
    # Whoever runs the tests in the background of a shell ignores SIGINT, and so would what they start.
    heeded = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heeded}; from stemtune.cli.main import main; main()"
    arguments = [sys.executable, "-c", code, "evaluate", str(tmp_path / "estimates"), str(many), "-j", "2"]
    process = subprocess.Popen(arguments, cwd=root, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 60
    while len(_children(process.pid)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    while _exists(process.pid) and time.monotonic() < deadline:  # multiprocessing's own helper takes a moment
        time.sleep(0.05)
    assert not _exists(process.pid)


def _exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _children(parent: int) -> list[str]:
    found = Path(f"/proc/{parent}/task/{parent}/children")
    if not found.exists():
        pytest.skip("no /proc, where the children of a process are listed")
    return found.read_text().split()


def test_names_of_tracks_become_names_of_files_and_never_the_same(tmp_path: Path):
    assert file_name("test/A: b?") == "test%2fA%3a b%3f"
    assert len({file_name(name) for name in ("a/b", "a%2fb", "a_b", "a b")}) == 4
    assert file_name("Ärger [live]") == "Ärger [live]"


def test_a_folder_of_results_can_be_read_as_a_whole(many: Path, tmp_path: Path):
    evaluate(MixtureSystem(), open_dataset(many), REQUEST, folder=tmp_path / "kept")
    records = RecordStore(tmp_path / "kept").all()
    assert [record.track for record in records] == [f"Song {number}" for number in range(4)]
    assert all(isinstance(record, TrackRecord) for record in records)
    assert RecordStore(tmp_path / "nowhere").all() == ()
    (tmp_path / "kept" / "Song 1.json").write_text("[]")
    with pytest.raises(InputError, match=r"Song 1\.json: not a result"):
        RecordStore(tmp_path / "kept").all()

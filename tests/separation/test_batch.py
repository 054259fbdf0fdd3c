import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemtune.data.encoding import Encoding
from stemtune.errors import UsageError
from stemtune.separation.batch import BatchRequest, plan_batch, run_batch
from stemtune.separation.inputs import find_inputs, name_tracks
from stemtune.separation.manifest import MANIFEST_FILE, load_manifest, model_fingerprint
from stemtune.separation.options import SeparationOptions


@pytest.fixture(name="library")
def library_fixture(tmp_path, noise):
    """Two songs of one name, a cut one, a text, something hidden."""
    root = tmp_path / "library"
    for number, name in enumerate(("a/song.wav", "b/song.wav", "b/song.flac", "b/cut.wav", ".trash/old.wav")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(root / name, noise(2, 12_000, seed=number).T.numpy(), 44100)
    (root / "b/cut.wav").write_bytes((root / "b/cut.wav").read_bytes()[:20_000])
    (root / "notes.txt").write_text("not audio")
    return root


def run(separator, inputs, request, **kwargs):
    events = []
    failed = run_batch(separator, plan_batch(separator, inputs, request), request, on_event=events.append, **kwargs)
    return failed, [event for event in events if event.kind in ("done", "failed", "skipped")]


def kinds(events, root):
    return {event.job.source.relative_to(root).as_posix(): event.kind for event in events}


@pytest.mark.parametrize("num_workers", [1, 3])
def test_a_folder(toy, library, tmp_path, num_workers):
    out = tmp_path / "out"
    failed, events = run(toy(), [library], BatchRequest(folder=out), num_workers=num_workers)
    assert failed == 1
    assert kinds(events, library) == {
        "a/song.wav": "done",
        "b/cut.wav": "failed",
        "b/song.flac": "done",
        "b/song.wav": "done",
    }
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert files == sorted(
        [MANIFEST_FILE]
        + [f"{track}/{stem}.wav" for track in ("a/song", "b/song", "b/song.wav") for stem in ("low", "high")]
    )
    entries = load_manifest(out).inputs
    assert {entry.status for entry in entries.values()} == {"done", "failed"}
    assert "cut off" in entries[str(library / "b/cut.wav")].reason
    for name in ("a/song.wav", "b/song.wav", "b/song.flac"):
        outputs = entries[str(library / name)].outputs.values()
        total = sum(soundfile.read(out / output, dtype="int16")[0].astype(int) for output in outputs)
        assert np.array_equal(total, soundfile.read(library / name, dtype="int16")[0])


def test_a_second_run_does_only_what_is_missing(toy, library, tmp_path):
    request = BatchRequest(folder=tmp_path / "out")
    run(toy(), [library], request)
    done = {"a/song.wav": "skipped", "b/song.wav": "skipped", "b/song.flac": "skipped", "b/cut.wav": "failed"}
    separator = toy()
    assert kinds(run(separator, [library], request)[1], library) == done
    assert not separator.heard or len(separator.heard) < 5  # only the beginning of the cut one
    faster = request.model_copy(update={"options": SeparationOptions(threads=1, batch_size=2)})
    assert kinds(run(toy(), [library], faster)[1], library) == done

    (tmp_path / "out/a/song/low.wav").unlink()
    assert kinds(run(toy(), [library], request)[1], library) == done | {"a/song.wav": "done"}
    soundfile.write(library / "a/song.wav", np.full((100, 2), 0.1), 44100)
    assert kinds(run(toy(), [library], request)[1], library) == done | {"a/song.wav": "done"}

    changed = {name: "failed" if kind == "failed" else "done" for name, kind in done.items()}
    other = request.model_copy(update={"options": SeparationOptions(overlap=0.5)})
    assert kinds(run(toy(), [library], other)[1], library) == changed
    assert kinds(run(toy(what="copy"), [library], other)[1], library) == changed
    again = other.model_copy(update={"overwrite": True})
    assert kinds(run(toy(what="copy"), [library], again)[1], library) == changed


def test_a_failure_keeps_what_an_earlier_run_made(toy, library, tmp_path):
    request = BatchRequest(folder=tmp_path / "out")
    song = library / "a/song.wav"
    run(toy(), [song], request)
    content = song.read_bytes()
    song.write_bytes(content[:1000])
    assert run(toy(), [song], request)[0] == 1
    assert (tmp_path / "out/song/low.wav").exists()
    song.write_bytes(content)
    assert run(toy(), [song], request)[0] == 0


def test_names_never_collide_and_never_change(tmp_path):
    for name in ("a/song.wav", "b/Song.wav", "b/song.mp3", "c/song.wav", "x.stem.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    paths = [tmp_path / name for name in ("a/song.wav", "b/Song.wav", "b/song.mp3", "c/song.wav", "x.stem.mp4")]
    names = name_tracks(find_inputs(paths), {})
    assert list(names.values()) == ["song", "Song.wav", "song.mp3", "song.wav (2)", "x"]
    assert name_tracks(find_inputs(paths[::-1]), names) == names
    assert name_tracks(find_inputs([paths[3]]), {paths[0]: "song"}) == {paths[3]: "song.wav"}


def test_what_is_named_twice_is_done_once(library):
    found = find_inputs([library / "a", library / "a/song.wav", library / "b/../a/song.wav"])
    assert [item.path for item in found] == [library / "a/song.wav"]


def test_stems_of_an_earlier_batch_are_not_tracks(toy, library):
    request = BatchRequest(folder=library / "separated" / "toy")
    first = run(toy(), [library], request)[1]
    assert len(run(toy(), [library], request)[1]) == len(first) == 4


def test_missing_and_empty_inputs_fail_and_others_go_on(toy, library, tmp_path):
    (tmp_path / "empty").mkdir()
    inputs = [tmp_path / "absent.mp3", tmp_path / "empty", library / "a/song.wav"]
    failed, events = run(toy(), inputs, BatchRequest(folder=tmp_path / "out"))
    assert failed == 2
    assert [event.kind for event in events] == ["failed", "failed", "done"]
    assert "no such file" in str(events[0].error)
    assert "no audio in this folder" in str(events[1].error)
    assert len(load_manifest(tmp_path / "out").inputs) == 1


def test_a_failing_track_leaves_nothing(toy, library, tmp_path):
    failed, _ = run(toy(), [library / "b/cut.wav"], BatchRequest(folder=tmp_path / "out"))
    assert failed == 1
    assert not (tmp_path / "out").exists()


def test_files_of_others_are_not_overwritten_unasked(toy, library, tmp_path):
    out = tmp_path / "out"
    (out / "song").mkdir(parents=True)
    (out / "song/low.wav").write_text("mine")
    request = BatchRequest(folder=out)
    failed, events = run(toy(), [library / "a/song.wav"], request)
    assert failed == 1
    assert "--overwrite" in str(events[0].error)
    assert (out / "song/low.wav").read_text() == "mine"
    assert run(toy(), [library / "a/song.wav"], request.model_copy(update={"overwrite": True}))[0] == 0


def test_patterns_that_cannot_tell_tracks_apart(toy, library, tmp_path):
    request = BatchRequest(folder=tmp_path / "out", pattern="{stem}.{ext}")
    with pytest.raises(UsageError, match="--filename"):
        plan_batch(toy(), [library / "a", library / "b"], request)
    assert run(toy(), [library / "a/song.wav"], request)[0] == 0
    failed, events = run(toy(), [library / "b/song.wav"], request)
    assert failed == 1
    assert "not made from" in str(events[0].error)


@pytest.mark.parametrize("num_workers", [1, 2])
def test_stopping_leaves_whole_tracks_only(toy, library, tmp_path, num_workers):
    separator, request = toy(), BatchRequest(folder=tmp_path / "out", encoding=Encoding("wav", "float32"))
    jobs = plan_batch(separator, [library / "a", library / "b/song.wav", library / "b/song.flac"], request)

    def stop(event):
        if event.kind == "done":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_batch(separator, jobs, request, num_workers=num_workers, on_event=stop)
    assert load_manifest(request.folder).inputs
    for path in request.folder.rglob("*"):
        assert not path.name.startswith(".")
    for job in jobs:
        assert len([path for path in job.outputs.values() if path.exists()]) in (0, 2)


def test_a_manifest_that_is_none(toy, library, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    for text in ("{", "[]", json.dumps({"version": 2, "inputs": {}})):
        (out / MANIFEST_FILE).write_text(text)
        with pytest.raises(UsageError, match="not a manifest"):
            plan_batch(toy(), [library], BatchRequest(folder=out))


def test_model_fingerprints(toy):
    separator = toy()
    before = model_fingerprint(separator)
    assert before == model_fingerprint(toy())
    assert before != model_fingerprint(toy(chunk_samples=5000))
    separator.kernel[0] += 1
    assert before != model_fingerprint(separator)


def test_unexpected_errors_cost_one_track_only(toy, library, tmp_path, monkeypatch):
    from stemtune.separation import batch

    real = batch.separate_file

    def fail_on_flac(separator, path, outputs, **kwargs):
        if Path(path).suffix == ".flac":
            raise ZeroDivisionError("oops")
        return real(separator, path, outputs, **kwargs)

    monkeypatch.setattr(batch, "separate_file", fail_on_flac)
    failed, events = run(toy(), [library / "b/song.flac", library / "a"], BatchRequest(folder=tmp_path / "out"))
    assert failed == 1
    assert "unexpected ZeroDivisionError: oops" in str(events[0].error)

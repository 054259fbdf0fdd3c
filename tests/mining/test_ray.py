"""Mining through Ray gives the index that mining in this process gives."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from stemtune.errors import OutputError, UsageError
from stemtune.mining.detector import load_detector
from stemtune.mining.index import INDEX_FILE, MiningSettings, SongRecord
from stemtune.mining.ray_runner import RayRunner
from stemtune.mining.run import Worker, mine, settings_for
from stemtune.mining.song import SongTask


def test_without_ray_a_runner_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(UsageError, match="cluster"):
        RayRunner()


class FakeRay(ModuleType):
    """As much of Ray as the runner uses; ``outcomes`` say what becomes of each task, in turn."""

    class exceptions:  # noqa: N801
        WorkerCrashedError = NodeDiedError = OutOfMemoryError = type("WorkerCrashedError", (Exception,), {})

        class RayTaskError(Exception):
            def __init__(self, cause: Exception) -> None:
                super().__init__("Traceback (most recent call last): ...")
                self.cause = cause

    def __init__(self, outcomes: list[Exception | None], *, is_up: bool = True) -> None:
        super().__init__("ray")
        self._is_up = is_up
        self._outcomes = iter(outcomes)

    def is_initialized(self) -> bool:
        return self._is_up

    def init(self, **options: object) -> None:
        raise RuntimeError("The current node timed out\nduring startup.")

    def put(self, value: object) -> object:
        return value

    def remote(self, **options: object) -> Callable[..., Any]:
        return lambda function: SimpleNamespace(remote=lambda *arguments: lambda: function(*arguments))

    def get(self, task: Callable[[], SongRecord]) -> SongRecord:
        error = next(self._outcomes)
        if error is not None:
            raise error
        return task()


def answers(monkeypatch: pytest.MonkeyPatch, outcomes: list[Exception | None]) -> Iterator[SongRecord]:
    monkeypatch.setitem(sys.modules, "ray", FakeRay(outcomes))
    settings = MiningSettings(library="x", detector="x", stems=(), thresholds={}, left_out=())
    worker = Worker(Path("nowhere"), settings, Path("nowhere"), False)
    monkeypatch.setattr(Worker, "__call__", lambda self, task: SongRecord(path=task.name, status="mined"))
    return RayRunner(1)(worker, [SongTask(Path(name), name, "") for name in ("a", "b", "c")])


def test_a_song_at_which_workers_die_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    found = list(answers(monkeypatch, [None, FakeRay.exceptions.WorkerCrashedError(), None]))
    assert [(record.path, record.status) for record in found] == [("a", "mined"), ("b", "skipped"), ("c", "mined")]
    assert "died, 3 times" in (found[1].reason or "")


def test_a_full_disk_on_a_machine_stops_the_run_with_its_own_message(monkeypatch: pytest.MonkeyPatch) -> None:
    full = OutputError("out: cannot be written (No space left on device)")
    with pytest.raises(OutputError, match="No space left") as caught:
        list(answers(monkeypatch, [None, FakeRay.exceptions.RayTaskError(full)]))
    assert caught.value is full


def test_ray_that_does_not_start_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", FakeRay([], is_up=False))
    settings = MiningSettings(library="x", detector="x", stems=(), thresholds={}, left_out=())
    with pytest.raises(UsageError, match=r"Ray cannot be started \(The current node timed out during startup\.\)"):
        list(RayRunner(1)(Worker(Path("x"), settings, Path("x"), False), []))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_ray_gives_the_same_index(library: Path, detector: Path, tmp_path: Path) -> None:
    ray = pytest.importorskip("ray", reason="Ray is not installed; pip install 'stemtune[cluster]'")
    settings = settings_for(load_detector(detector), library)
    mine(library, detector, tmp_path / "here", settings, pictures=False)
    try:
        mine(library, detector, tmp_path / "there", settings, pictures=False, runner=RayRunner(2))
    finally:
        ray.shutdown()
    assert (tmp_path / "here" / INDEX_FILE).read_bytes() == (tmp_path / "there" / INDEX_FILE).read_bytes()

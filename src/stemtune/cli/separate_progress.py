"""What ``stemtune separate`` shows: a bar for people, JSON for programs, and where the stems are.

With ``--progress json`` stdout carries one object per line, each with ``event`` (start, progress, done, skipped,
failed, end, estimate); about a track: ``track``, ``input``, ``seconds_done``, ``seconds_total``, ``stems``.
"""

import json
import math
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from stemtune.separation.batch import Job, JobEvent
from stemtune.separation.estimate import CostEstimate
from stemtune.signal.level import decibels

__all__ = ["Display", "open_display", "print_error", "print_estimate"]


@runtime_checkable
class Display(Protocol):
    """Shows what happens to the tracks; events may come from several threads."""

    def show(self, event: JobEvent) -> None:
        """Show one event."""
        ...


@contextmanager
def open_display(kind: str, *, num_tracks: int, folder: Path) -> Generator[Display, None, None]:
    """The display that is asked for; at the end, a summary.

    Args:
        kind: "bar", "json" or "none".
        num_tracks: how many there are.
        folder: where the stems go.
    """
    if kind == "json":
        lines = _JsonLines()
        yield lines
        lines.write({"event": "end", "folder": str(folder), **lines.counts})
        return
    console = Console(stderr=True)
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # what is piped into a file stays out of the bars' way
        disable=kind == "none" or not console.is_terminal,
    )
    with bars:
        display = _Bars(bars, num_tracks)
        yield display
    if num_tracks > 1:
        counts = ", ".join(f"{count} {kind}" for kind, count in display.counts.items() if count)
        print(f"{counts}; the stems are in {folder}")


def print_error(message: str) -> None:
    """One line on stderr, whatever the message or a file name in it holds."""
    text = " ".join(message.split())
    printable = "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)
    print(f"error: {printable}", file=sys.stderr)


def print_estimate(cost: CostEstimate, jobs: Sequence[Job], *, num_done: int, num_failed: int, as_json: bool) -> None:
    """What a run would do, and what it would cost."""
    if as_json:
        line = {
            "event": "estimate",
            "tracks": [{"track": job.track, "input": str(job.source), "stems": _paths(job.outputs)} for job in jobs],
            "num_done": num_done,
            "num_failed": num_failed,
            "duration_seconds": round(cost.duration_seconds, 3),
            "seconds": round(cost.seconds, 3),
            "memory_bytes": cost.memory_bytes,
            "output_bytes": cost.output_bytes,
            "temporary_bytes": cost.temporary_bytes,
        }
        print(json.dumps(line, ensure_ascii=False))
        return
    for job in jobs:
        print(f"{job.source} -> {_common_form(list(job.outputs.values()))}")
    memory = "unknown" if cost.memory_bytes is None else decimal(cost.memory_bytes)
    done = f"; {num_done} already done" if num_done else ""
    print(
        f"{_tracks(len(jobs))} of {_duration(cost.duration_seconds)}{done}: about {_duration(cost.seconds)} "
        f"of computing, {memory} of memory, {decimal(cost.output_bytes)} on the disk and "
        f"{decimal(cost.temporary_bytes)} more while it runs"
    )


class _Counting:
    """How many tracks were done, skipped, failed."""

    def __init__(self) -> None:
        self.counts = {"done": 0, "skipped": 0, "failed": 0}

    def count(self, event: JobEvent) -> None:
        if event.kind in self.counts:
            self.counts[event.kind] += 1


class _JsonLines:
    def __init__(self) -> None:
        self._counting = _Counting()
        self._lock = threading.Lock()

    @property
    def counts(self) -> dict[str, int]:
        return self._counting.counts

    def show(self, event: JobEvent) -> None:
        self._counting.count(event)
        line: dict[str, object] = {
            "event": event.kind,
            "track": event.job.track,
            "input": str(event.job.source),
            "seconds_done": round(event.seconds_done, 3),
            "seconds_total": None if event.seconds_total is None else round(event.seconds_total, 3),
            "stems": _paths(event.job.outputs),
        }
        if event.result is not None:
            line |= {"gain": event.result.gain, "seconds": round(event.result.seconds, 3)}
        if event.error is not None:
            line["error"] = str(event.error)
            print_error(str(event.error))
        self.write(line)

    def write(self, line: dict[str, object]) -> None:
        text = json.dumps(line, ensure_ascii=False) + "\n"
        with self._lock:
            sys.stdout.write(text)
            sys.stdout.flush()


class _Bars:
    def __init__(self, bars: Progress, num_tracks: int) -> None:
        self._counting = _Counting()
        self._bars, self._tasks = bars, dict[Path, TaskID]()
        self._overall = bars.add_task("all tracks", total=num_tracks) if num_tracks > 1 else None

    @property
    def counts(self) -> dict[str, int]:
        return self._counting.counts

    def show(self, event: JobEvent) -> None:
        self._counting.count(event)
        source = event.job.source
        if event.kind == "start":
            name = escape(event.job.track if len(event.job.track) <= 40 else f"…{event.job.track[-39:]}")
            self._tasks[source] = self._bars.add_task(name, total=event.seconds_total)
        elif event.kind == "progress":
            self._bars.update(self._tasks[source], completed=event.seconds_done)
        else:
            if source in self._tasks:
                self._bars.remove_task(self._tasks.pop(source))
            if self._overall is not None:
                self._bars.advance(self._overall)
            self._report(event)

    def _report(self, event: JobEvent) -> None:
        where = _common_form(list(event.job.outputs.values()))
        if event.error is not None:
            print_error(str(event.error))
        elif event.kind == "skipped":
            print(f"{where} (already done)")
        elif event.result is not None:
            gain = event.result.gain
            turned = "" if gain == 1 else f", all stems turned down by {-decibels(gain):.1f} dB so that none clips"
            print(f"{where} ({_duration(event.seconds_done)} in {_duration(event.result.seconds)}{turned})")


def _paths(outputs: Mapping[str, Path]) -> dict[str, str]:
    return {stem: str(path) for stem, path in outputs.items()}


def _common_form(paths: list[Path]) -> str:
    """``song/{vocals,drums}.wav`` for what differs in the last part only."""
    parents, endings = {path.parent for path in paths}, {path.suffix for path in paths}
    if len(paths) < 2 or len(parents) > 1 or len(endings) > 1:
        return " ".join(str(path) for path in paths)
    return f"{parents.pop()}/{{{','.join(path.stem for path in paths)}}}{endings.pop()}"


def _tracks(count: int) -> str:
    return "1 track" if count == 1 else f"{count} tracks"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"

"""How far an evaluation is: a bar with the time left on a terminal, one line for each track elsewhere; on stderr."""

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from stemtune.data.tracks import Track
from stemtune.evaluation.protocol import TrackEvent

__all__ = ["open_progress"]


@contextmanager
def open_progress(tracks: Sequence[Track], *, label: str = "") -> Generator[Callable[[TrackEvent], None], None, None]:
    """What an evaluation is to tell its events to.

    Args:
        tracks: that will be evaluated; the bar counts their seconds.
        label: what goes before the names of tracks, such as the system's.
    """
    console = Console(stderr=True)
    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    before = f"{label}: " if label else ""
    finished, lock = dict[str, float](), threading.Lock()
    task = bars.add_task(f"{before}{len(tracks)} tracks", total=sum(track.duration_seconds for track in tracks))

    def on_event(event: TrackEvent) -> None:
        with lock:
            finished[event.track.name] = event.seconds_done
            bars.update(task, completed=sum(finished.values()))
            if event.kind != "progress":
                text = f"{before}{event.num_finished}/{event.num_tracks} {event.track.name}"
                bars.update(task, description=text)
                if not console.is_terminal:
                    kept = " (already done)" if event.kind == "kept" else ""
                    console.print(text + kept, style="dim", markup=False, highlight=False, soft_wrap=True)

    with bars:
        yield on_event

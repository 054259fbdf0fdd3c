"""How far an evaluation is: a bar with the time left on a terminal, one line for each track elsewhere; on stderr."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from stemtune.data.tracks import Track
from stemtune.evaluation.protocol import TrackEvent

__all__ = ["EvaluationProgress", "open_progress"]


class EvaluationProgress:
    """A bar that counts the seconds of all tracks of all systems."""

    def __init__(self, tracks: Sequence[Track], num_systems: int = 1) -> None:
        self._console = Console(stderr=True)
        self.bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        total = num_systems * sum(track.duration_seconds for track in tracks)
        self._task = self.bars.add_task(f"{len(tracks)} tracks", total=total)
        self._heard = dict[tuple[str, str], float]()

    def event(self, label: str, event: TrackEvent) -> None:
        """Something happened to a track of a system."""
        self._heard[label, event.track.name] = event.seconds_done
        self.bars.update(self._task, completed=sum(self._heard.values()))
        if event.kind != "progress":
            before = f"{label}: " if label else ""
            kept = " (already done)" if event.kind == "kept" else ""
            self.step(f"{before}{event.num_finished}/{event.num_tracks} {event.track.name}{kept}")

    def step(self, text: str) -> None:
        """Something begins."""
        self.bars.update(self._task, description=text)
        if not self._console.is_terminal:
            self._console.print(text, style="dim", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def open_progress(tracks: Sequence[Track], *, num_systems: int = 1) -> Generator[EvaluationProgress, None, None]:
    """What evaluations are to tell their events to.

    Args:
        tracks: that will be evaluated.
        num_systems: how often.
    """
    progress = EvaluationProgress(tracks, num_systems)
    with progress.bars:
        yield progress

"""How far an adaptation is: a bar with the time left, or JSON lines for programs; what was found is said once."""

import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

if TYPE_CHECKING:
    from stemtune.recipes.adapt import Progress as Event

__all__ = ["AdaptDisplay", "open_progress"]


class AdaptDisplay:
    """Shows events in one of three ways."""

    def __init__(self, kind: Literal["bar", "json", "none"]) -> None:
        self._kind = kind
        self._console = Console(stderr=True)
        self.bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[left]}", markup=False),
            console=self._console,
            transient=True,
            disable=kind != "bar" or not self._console.is_terminal,
        )
        self._task = self.bars.add_task("adapting", total=None, left="")
        self._last = ""

    def show(self, event: "Event") -> None:
        """One event."""
        if self._kind == "json":
            fields = {"activity": event.activity, "done": event.done, "total": event.total,
                      "seconds_left": event.seconds_left, "message": event.message}  # fmt: skip
            print(json.dumps({name: value for name, value in fields.items() if value not in ("", None)}), flush=True)
        elif self._kind == "bar":
            self._draw(event)

    def _draw(self, event: "Event") -> None:
        if event.message:
            self._console.print(event.message, markup=False, highlight=False, soft_wrap=True)
        if event.total > 1:
            left = "" if event.seconds_left is None else f"about {_clock(event.seconds_left)} left"
            self.bars.update(self._task, completed=event.done, total=event.total, left=left)
        if event.activity and event.activity != self._last:
            self._last = event.activity
            self.bars.update(self._task, description=event.activity)
            if not self._console.is_terminal:
                self._console.print(event.activity, style="dim", markup=False, highlight=False, soft_wrap=True)


def _clock(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


@contextmanager
def open_progress(kind: Literal["bar", "json", "none"]) -> Generator[AdaptDisplay, None, None]:
    """The display of one adaptation."""
    display = AdaptDisplay(kind)
    with display.bars:
        yield display
    sys.stdout.flush()

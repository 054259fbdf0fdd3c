"""What a run tells: a CSV that any program reads, TensorBoard if it is installed, and a progress bar.

The CSV has one row per logged step and is cut back to the checkpoint when a run is resumed, so it never holds a step
twice. Where the output is not a terminal the bar gives way to one plain line now and then.
"""

import csv
import importlib
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

__all__ = ["RunLog", "announce"]

_COLUMNS: tuple[str, ...] = (
    "step",
    "loss",
    "learning_rate",
    "gradient_norm",
    "examples_per_second",
    "validation_sdr_global",
    "parts",
)
_LINE_SECONDS = 30.0


def announce(text: str, *, quiet: bool = False) -> None:
    """Say something that belongs to no phase to whoever is watching."""
    if not quiet:
        print(text, file=sys.stderr, flush=True)


class RunLog:
    """The log of one phase; a context manager."""

    def __init__(self, folder: Path, *, phase: str, steps: int, first_step: int, quiet: bool = False) -> None:
        self._steps = steps
        self._phase = phase
        self._quiet = quiet
        self._validation = ""
        self._last_line = 0.0
        self._path = folder / "log.csv"
        folder.mkdir(parents=True, exist_ok=True)
        rows = _rows_before(self._path, first_step)
        self._file = self._path.open("w", newline="", encoding="utf-8")
        self._csv = csv.DictWriter(self._file, _COLUMNS)
        self._csv.writeheader()
        self._csv.writerows(rows)
        self._board = _tensorboard(folder / "tensorboard", purge_step=first_step)
        self._console = Console(stderr=True)
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[facts]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=quiet or not self._console.is_terminal,
        )
        self._task = self._bar.add_task(phase, total=steps, completed=first_step, facts="")

    def __enter__(self) -> "RunLog":
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()
        self._file.close()
        if self._board is not None:
            self._board.close()

    def step(
        self,
        step: int,
        *,
        loss: float,
        parts: Mapping[str, float],
        learning_rate: float,
        gradient_norm: float,
        examples_per_second: float,
    ) -> None:
        """Log a training step (counted from one)."""
        row = {
            "step": step,
            "loss": repr(loss),
            "learning_rate": f"{learning_rate:.3g}",
            "gradient_norm": f"{gradient_norm:.4g}",
            "examples_per_second": f"{examples_per_second:.3g}",
            "parts": " ".join(f"{name}={value:.4g}" for name, value in parts.items()),
        }
        self._csv.writerow(row)
        self._file.flush()
        self._scalar("loss", loss, step)
        self._scalar("learning_rate", learning_rate, step)
        for name, value in parts.items():
            self._scalar(f"loss/{name}", value, step)
        facts = f"loss {loss:.4f}{self._validation}, {examples_per_second:.1f} examples/s"
        self._bar.update(self._task, completed=step, facts=facts)
        if not self._console.is_terminal and time.monotonic() - self._last_line > _LINE_SECONDS:
            self._last_line = time.monotonic()
            self.message(f"{self._phase}: step {step}/{self._steps}, {facts}")

    def validation(self, step: int, *, scores: Mapping[str, float], mean: float) -> None:
        """Log a validation: the mean ``sdr_global`` in dB of each stem, and their mean."""
        self._validation = f", validation {mean:.2f} dB"
        named = " ".join(f"{stem}={score:.3f}" for stem, score in scores.items())
        self._csv.writerow({"step": step, "validation_sdr_global": repr(mean), "parts": named})
        self._file.flush()
        self._scalar("validation/sdr_global", mean, step)
        for stem, score in scores.items():
            self._scalar(f"validation/sdr_global/{stem}", score, step)
        self.message(f"{self._phase}: step {step}/{self._steps}, validation sdr_global {mean:.2f} dB ({named})")

    def message(self, text: str) -> None:
        """Say something to whoever is watching."""
        if self._quiet:
            return
        if self._console.is_terminal:
            self._bar.console.print(text)
        else:
            print(text, file=sys.stderr, flush=True)

    def _scalar(self, name: str, value: float, step: int) -> None:
        if self._board is not None:
            self._board.add_scalar(name, value, step)


def _rows_before(path: Path, step: int) -> list[dict[str, str]]:
    """The rows of an earlier run up to and including ``step``; a last row cut off by a kill is dropped."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [
        row for row in rows if (row["step"] or "").isdigit() and int(row["step"]) <= step and None not in row.values()
    ]


def _tensorboard(folder: Path, *, purge_step: int) -> Any | None:
    """A TensorBoard writer if TensorBoard is installed (it is in the ``train`` extra)."""
    try:
        module = importlib.import_module("torch.utils.tensorboard")
    except ImportError:
        return None
    return module.SummaryWriter(str(folder), purge_step=purge_step + 1)

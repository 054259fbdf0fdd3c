"""Learning curves out of the logs that training leaves: ``runs/NAME/PHASE/log.csv``.

    step, loss, ..., validation_sdr_global, parts        parts: "vocals=3.1 drums=4.2"

A model ``runs/NAME/model`` brings the logs of its run along; for others they may be given.
"""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stemtune.errors import InputError

__all__ = ["LearningCurve", "find_logs", "read_log"]


@dataclass(frozen=True)
class LearningCurve:
    """What one phase's log says.

    Attributes:
        phase: the name of its folder.
        loss: (step, value), as logged.
        validation: (step, mean ``sdr_global`` in dB).
        stems: likewise, of each stem.
    """

    phase: str
    loss: tuple[tuple[float, float], ...]
    validation: tuple[tuple[float, float], ...]
    stems: dict[str, tuple[tuple[float, float], ...]]

    def smooth_loss(self, *, window: int = 25) -> tuple[tuple[float, float], ...]:
        """The mean of the last so many logged values, at about 300 places."""
        stride = max(1, len(self.loss) // 300)
        return tuple(
            (self.loss[i][0], _mean([y for _, y in self.loss[max(0, i - window + 1) : i + 1]]))
            for i in range(0, len(self.loss), stride)
        )


def find_logs(model_folder: Path) -> tuple[Path, ...]:
    """The logs of the run that made a model ``runs/NAME/model``, by phase; none for a model from elsewhere."""
    run = model_folder.absolute().parent
    return tuple(sorted(run.glob("*/log.csv"))) if (run / "experiment.json").is_file() else ()


def read_log(path: Path) -> LearningCurve:
    """One phase's log.

    Raises:
        InputError: if it cannot be read, or is not such a log.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            columns, rows = reader.fieldnames or (), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a training log ({error})") from None
    if not {"step", "loss", "validation_sdr_global", "parts"} <= set(columns):
        raise InputError(f"{path}: not a training log; expected the columns step, loss, validation_sdr_global, parts")
    stems: dict[str, list[tuple[float, float]]] = {}
    loss: list[tuple[float, float]] = []
    validation: list[tuple[float, float]] = []
    for row in rows:
        step, value, score = _number(row["step"]), _number(row["loss"]), _number(row["validation_sdr_global"])
        if math.isnan(step):
            continue  # a last line that a kill cut off
        if not math.isnan(value):
            loss.append((step, value))
        if not math.isnan(score):
            validation.append((step, score))
            for stem, part in _parts(row["parts"] or ""):
                stems.setdefault(stem, []).append((step, part))
    return LearningCurve(
        path.parent.name, tuple(loss), tuple(validation), {stem: tuple(points) for stem, points in stems.items()}
    )


def _parts(text: str) -> list[tuple[str, float]]:
    pairs = [part.rpartition("=") for part in text.split()]
    return [(name, _number(value)) for name, _, value in pairs if name and not math.isnan(_number(value))]


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)

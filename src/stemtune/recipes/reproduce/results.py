"""What is left of a cell: small files that can be committed, so that nothing is run twice.

RESULTS/cells/NAME/scores.csv        one row per excerpt or track, one column per stem
                   curve.csv         a score every so many steps
                   experiment.json   what was trained
                   cell.json         how that went; written last, so that its presence says that all is there
"""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from pydantic import Field

from stemtune.config import Frozen, parse
from stemtune.data.files import write_text_atomically
from stemtune.errors import InputError
from stemtune.hub.registry import read_json
from stemtune.recipes.reproduce.study import Scores
from stemtune.training.phase import Experiment
from stemtune.training.run import read_experiment

__all__ = [
    "CellRecord",
    "CurvePoint",
    "CurveWriter",
    "mean_curve",
    "read_cell_experiment",
    "read_curve",
    "read_record",
    "read_scores",
    "write_result",
]

_RECORD, _EXPERIMENT, _SCORES, _CURVE = "cell.json", "experiment.json", "scores.csv", "curve.csv"


class CellRecord(Frozen):
    """What a finished cell says of itself."""

    study: str
    scale: str
    cell: str
    seed: int
    steps: int
    steps_before: int = 0
    num_parameters: int
    batch_size: int
    segment_seconds: float
    precision: str
    minutes: float = Field(description="of wall clock, training and examination together")
    machine: str
    threads: int
    commit: str = ""
    mean_score: float | None = Field(default=None, description="of what its scores say for all, see `Scores`")


class CurvePoint(Frozen):
    """A glance at a model: the step, counted from the first of the model that it started from, and the score."""

    step: int
    score: float


class CurveWriter:
    """Keeps a cell's curve on disk; a step that is seen again, after a resumption, replaces itself."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _CURVE
        self._points = {point.step: point.score for point in read_curve(folder)}

    def add(self, step: int, score: float) -> None:
        """Note a point and write the file."""
        self._points[step] = score
        lines = ["step,score", *(f"{step},{score:.4f}" for step, score in sorted(self._points.items()))]
        write_text_atomically(self._path, "\n".join(lines) + "\n")


def write_result(folder: Path, record: CellRecord, experiment: Experiment, scores: Scores | None) -> None:
    """Write the scores and the experiment, then the record."""
    if scores is not None:
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("item", *scores.columns))
        writer.writerows(
            (item, *("" if value is None else f"{value:.4g}" for value in row)) for item, row in scores.rows
        )
        write_text_atomically(folder / _SCORES, stream.getvalue())
    write_text_atomically(folder / _EXPERIMENT, experiment.model_dump_json() + "\n")
    write_text_atomically(folder / _RECORD, record.model_dump_json(indent=2) + "\n")


def read_record(folder: Path) -> CellRecord | None:
    """The record of a finished cell; None if it is not finished.

    Raises:
        ConfigError: if the file is not a record.
    """
    path = folder / _RECORD
    return parse(CellRecord, read_json(path), origin=str(path)) if path.exists() else None


def read_cell_experiment(folder: Path) -> Experiment:
    """What was trained; settings that have come since have their defaults.

    Raises:
        InputError: if the file cannot be read.
        ConfigError: if it is not an experiment of this version.
    """
    return read_experiment(folder / _EXPERIMENT)


def read_scores(folder: Path) -> Scores:
    """The scores of a finished cell.

    Raises:
        InputError: if there are none, or the file is damaged.
    """
    path = folder / _SCORES
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = list(csv.reader(file))
        return Scores(
            columns=tuple(header[1:]),
            rows=tuple((item, tuple(_number(value) for value in values)) for item, *values in rows),
        )
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: no scores can be read ({error}); remove the folder to run the cell again") from None


def read_curve(folder: Path) -> tuple[CurvePoint, ...]:
    """The curve of a cell, as far as it has come."""
    path = folder / _CURVE
    if not path.exists():
        return ()
    with path.open(newline="", encoding="utf-8") as file:
        return tuple(CurvePoint(step=int(row["step"]), score=float(row["score"])) for row in csv.DictReader(file))


def mean_curve(curves: Sequence[Sequence[CurvePoint]]) -> tuple[CurvePoint, ...]:
    """The mean of several curves, at the steps that all of them have."""
    known = [{point.step: point.score for point in curve} for curve in curves]
    shared = sorted(step for step in known[0] if all(step in other for other in known)) if known else list[int]()
    return tuple(CurvePoint(step=step, score=fmean(scores[step] for scores in known)) for step in shared)


def _number(text: str) -> float | None:
    value = float(text) if text else math.nan
    return None if math.isnan(value) else value

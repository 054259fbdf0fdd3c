"""Reading results back: those of ``stemtune evaluate``, or anybody's table with the same columns.

    a folder with scores.json (and tracks/)  |  scores.json  |  scores.csv with track, stem, metric, value

The folder holds everything, frames and energies included; a table holds only scores.
"""

import csv
import json
import math
from pathlib import Path
from typing import Any

from pydantic import Field

from stemtune.config import Frozen, parse
from stemtune.errors import ConfigError, InputError
from stemtune.evaluation.records import assemble
from stemtune.evaluation.report_store import RecordStore
from stemtune.evaluation.table import Evaluation, TrackScore

__all__ = ["RESULTS_FILE", "is_results", "read_results"]

RESULTS_FILE = "scores.json"
TRACKS_FOLDER = "tracks"


class _Row(Frozen):
    track: str
    stem: str
    metric: str
    value: float | None
    mixture_baseline: float | None = None


class _Table(Frozen):
    subject: str
    rows: tuple[_Row, ...]
    notes: tuple[str, ...] = ()
    definitions: dict[str, Any] = Field(default_factory=dict[str, Any])
    rules: dict[str, Any] = Field(default_factory=dict[str, Any])
    means: tuple[Any, ...] = ()


def is_results(path: Path) -> bool:
    """Whether there are results at a path."""
    return (path / RESULTS_FILE).is_file() or (path.suffix.lower() in (".json", ".csv") and path.is_file())


def read_results(path: Path) -> Evaluation:
    """All scores, whatever was measured.

    Raises:
        InputError: if there are none, or they are damaged.
    """
    if path.is_dir():
        records = RecordStore(path / TRACKS_FOLDER).all()
        if not records:
            return _from_json(path / RESULTS_FILE)
        return assemble(records, subject=records[0].system)
    return _from_json(path) if path.suffix.lower() == ".json" else _from_csv(path)


def _from_json(path: Path) -> Evaluation:
    try:
        table = parse(_Table, json.loads(path.read_text(encoding="utf-8")), origin=str(path))
    except (OSError, ValueError, RecursionError, ConfigError) as error:
        raise InputError(f"{path}: not results of stemtune evaluate: {error}") from None
    rows = tuple(
        TrackScore(row.track, row.stem, row.metric, _or_nan(row.value), _or_nan(row.mixture_baseline))
        for row in table.rows
    )
    return Evaluation(table.subject, rows, table.notes)


def _from_csv(path: Path) -> Evaluation:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns, rows = set(reader.fieldnames or ()), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a table of scores ({error})") from None
    missing = {"track", "stem", "metric", "value"} - columns
    if missing or not rows:
        what = f"no column {', '.join(sorted(missing))}" if missing else "no rows"
        raise InputError(f"{path}: {what}; a table of scores has track,stem,metric,value, one row for each score")
    scores: list[TrackScore] = []
    for number, row in enumerate(rows, start=2):
        try:
            value, baseline = float(row["value"]), float(row.get("mixture_baseline") or "nan")
        except (TypeError, ValueError):
            raise InputError(f"{path}, line {number}: {row['value']!r} is not a number") from None
        scores.append(TrackScore(row["track"], row["stem"], row["metric"], value, baseline))
    return Evaluation(path.stem, tuple(scores))


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value

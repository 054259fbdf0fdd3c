"""An evaluation becomes files: every track's scores as CSV, everything as JSON, the means as a Markdown table.

    scores.csv    one row per track, stem and metric, at full precision; NaN and infinities as `nan`, `inf`
    scores.json   the same, with the definitions, the means and the notes; NaN and infinities are null
    scores.md     the means beside what the mixture scores, and the definitions below
    frames.csv    one row per track, stem, metric and frame, where a metric has frames
    museval/test/TRACK.json    what museval's own tools read, where all four ratios were computed

Of `stemtune.evaluation`, only this module and its neighbours ``report_*.py`` write files.
"""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stemtune.data.files import PendingFile, output_error, write_json_atomically, write_text_atomically
from stemtune.errors import UsageError
from stemtune.evaluation.excerpts import Excerpt
from stemtune.evaluation.measures import RuleName
from stemtune.evaluation.pictures import draw_stems
from stemtune.evaluation.report_museval import museval_files
from stemtune.evaluation.table import Evaluation, MeanScore, TrackScore

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_excerpt", "render_report", "save_picture", "write_report"]

COLUMNS = ("track", "stem", "metric", "value", "mixture_baseline")
FRAME_COLUMNS = ("track", "stem", "metric", "frame", "time_seconds", "duration_seconds", "value")


def write_report(
    evaluation: Evaluation,
    folder: Path,
    *,
    table_format: Literal["csv", "parquet"] = "csv",
    rule: RuleName | None = None,
) -> tuple[Path, ...]:
    """Write all files; returns their paths.

    Args:
        evaluation: what was found.
        folder: made if it is missing.
        table_format: of the tables of tracks and of frames.
        rule: by which tracks are aggregated; each metric's own if None.

    Raises:
        OutputError: if one of them cannot be written.
        UsageError: for Parquet without pyarrow.
    """
    tracks = [(row.track, row.stem, row.metric, row.value, row.mixture_baseline) for row in evaluation.rows]
    written = [_write_table(folder / "scores", COLUMNS, tracks, table_format)]
    if evaluation.frames:
        written.append(_write_table(folder / "frames", FRAME_COLUMNS, list(_frame_rows(evaluation)), table_format))
    written += [
        write_json_atomically(folder / "scores.json", _tree(evaluation, rule)),
        write_text_atomically(folder / "scores.md", render_report(evaluation, rule=rule)),
    ]
    written += [
        write_text_atomically(folder / "museval" / "test" / name, text) for name, text in museval_files(evaluation)
    ]
    return tuple(written)


def render_report(evaluation: Evaluation, *, rule: RuleName | None = None) -> str:
    """The means as Markdown, with the definitions and everything that a reader must know."""
    lines = [f"# Scores of {evaluation.subject}", ""]
    lines += ["| metric | stem | dB | mixture, dB | gain, dB | tracks |", "| --- | --- | ---: | ---: | ---: | ---: |"]
    lines += [
        f"| {mean.metric} | {mean.stem} | {mean.value:.2f} | {_or_dash(mean.mixture_baseline)} "
        f"| {_or_dash(mean.improvement, '+')} | {mean.num_tracks} |"
        for mean in evaluation.means(rule)
    ]
    lines += ["", "Higher is better; *mixture* is what the unprocessed mixture scores.", ""]
    rules = evaluation.rules(rule)
    lines += [
        f"- `{name}`: {definition}. Aggregated: {rules[name]}." for name, definition in evaluation.definitions().items()
    ]
    if evaluation.notes:
        lines += ["", "Notes:", "", *(f"- {note}" for note in evaluation.notes)]
    return "\n".join(lines) + "\n"


def draw_excerpt(excerpt: Excerpt, *, subject: str, scores: Sequence[TrackScore] = ()) -> "Figure":
    """The picture of a part of a track: estimates beside references, scores in the panels.

    Raises:
        UsageError: if matplotlib is not installed.
    """
    captions = {
        stem: ", ".join(f"{score.metric} {score.value:.1f} dB" for score in scores if score.stem == stem)
        for stem in excerpt.estimates
    }
    when = f", from {excerpt.start_seconds:.0f} s" if excerpt.start_seconds else ""
    return draw_stems(
        mixture=excerpt.mixture,
        estimates=excerpt.estimates,
        references=excerpt.references,
        sample_rate=excerpt.sample_rate,
        title=f"{excerpt.track} · {subject}{when}",
        captions=captions,
    )


def save_picture(figure: "Figure", path: Path) -> Path:
    """Write a figure as PNG, whole or not at all.

    Raises:
        OutputError: if it cannot be written.
    """
    with PendingFile(path) as pending:
        try:
            figure.savefig(pending.path, format="png")
        except OSError as error:
            raise output_error(path, error) from None
    return path


def _frame_rows(evaluation: Evaluation) -> Iterable[tuple[object, ...]]:
    for frames in evaluation.frames:
        for number, value in enumerate(frames.values):
            start = number * frames.hop_seconds
            yield frames.track, frames.stem, frames.metric, number, start, frames.window_seconds, value


def _write_table(path: Path, columns: Sequence[str], rows: Sequence[tuple[object, ...]], kind: str) -> Path:
    if kind == "parquet":
        return _write_parquet(path.with_suffix(".parquet"), columns, rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return write_text_atomically(path.with_suffix(".csv"), text.getvalue())


def _write_parquet(path: Path, columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> Path:
    arrow, parquet = _import_arrow()
    values = zip(*rows, strict=True) if rows else ((),) * len(columns)
    table = arrow.table({name: list(column) for name, column in zip(columns, values, strict=True)})
    with PendingFile(path) as pending:
        try:
            parquet.write_table(table, pending.path)
        except OSError as error:
            raise output_error(path, error) from None
    return path


def _import_arrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise UsageError("tables in Parquet need pyarrow: pip install 'stemtune[report]', or take CSV") from None
    return pa, parquet


def _tree(evaluation: Evaluation, rule: RuleName | None) -> dict[str, object]:
    return {
        "subject": evaluation.subject,
        "definitions": evaluation.definitions(),
        "rules": evaluation.rules(rule),
        "means": [
            _numbers(mean, stem=mean.stem, metric=mean.metric) | {"num_tracks": mean.num_tracks, "rule": mean.rule}
            for mean in evaluation.means(rule)
        ],
        "rows": [_numbers(row, track=row.track, stem=row.stem, metric=row.metric) for row in evaluation.rows],
        "notes": list(evaluation.notes),
    }


def _numbers(score: MeanScore | TrackScore, **names: str) -> dict[str, object]:
    return {**names, "value": _finite(score.value), "mixture_baseline": _finite(score.mixture_baseline)}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _or_dash(value: float, sign: str = "") -> str:
    return "–" if math.isnan(value) else f"{value:{sign}.2f}"

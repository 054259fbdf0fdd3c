"""An evaluation becomes files: every track's scores as CSV, everything as JSON, the means as a Markdown table.

    scores.csv    one row per track, stem and metric, at full precision; NaN and infinities as `nan`, `inf`
    scores.json   the same, with the definitions, the means and the notes; NaN and infinities are null
    scores.md     the means beside what the mixture scores, and the definitions below

This is the only part of `stemtune.evaluation` that writes files.
"""

import csv
import io
import math
from pathlib import Path
from typing import TYPE_CHECKING

from stemtune.data.files import PendingFile, output_error, write_json_atomically, write_text_atomically
from stemtune.evaluation.pictures import draw_stems
from stemtune.evaluation.protocol import Heard
from stemtune.evaluation.table import Evaluation, MeanScore, TrackScore
from stemtune.types import StemSet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_track", "render_report", "save_picture", "write_report"]

COLUMNS = ("track", "stem", "metric", "value", "mixture_baseline")
EXCERPT_SECONDS = 30.0  # of a picture: more would be too narrow to read


def write_report(evaluation: Evaluation, folder: Path) -> tuple[Path, ...]:
    """Write the three files; returns their paths.

    Raises:
        OutputError: if one of them cannot be written.
    """
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((row.track, row.stem, row.metric, row.value, row.mixture_baseline) for row in evaluation.rows)
    return (
        write_text_atomically(folder / "scores.csv", rows.getvalue()),
        write_json_atomically(folder / "scores.json", _tree(evaluation)),
        write_text_atomically(folder / "scores.md", render_report(evaluation)),
    )


def render_report(evaluation: Evaluation) -> str:
    """The means as Markdown, with the definitions and everything that a reader must know."""
    lines = [f"# Scores of {evaluation.subject}", ""]
    lines += ["| metric | stem | dB | mixture, dB | gain, dB | tracks |", "| --- | --- | ---: | ---: | ---: | ---: |"]
    lines += [
        f"| {mean.metric} | {mean.stem} | {mean.value:.2f} | {mean.mixture_baseline:.2f} | {mean.improvement:+.2f} "
        f"| {mean.num_tracks} |"
        for mean in evaluation.means()
    ]
    lines += ["", "Higher is better; *mixture* is what the unprocessed mixture scores.", ""]
    lines += [f"- `{name}`: {definition}." for name, definition in evaluation.definitions().items()]
    if evaluation.notes:
        lines += ["", "Notes:", "", *(f"- {note}" for note in evaluation.notes)]
    return "\n".join(lines) + "\n"


def draw_track(heard: Heard, *, subject: str) -> "Figure":
    """The picture of one scored track: 30 seconds from its middle, estimates beside references, scores in the panels.

    Raises:
        UsageError: if matplotlib is not installed.
    """
    rate, num_samples = heard.track.sample_rate, heard.mixture.shape[-1]
    length = min(num_samples, round(EXCERPT_SECONDS * rate))
    start = (num_samples - length) // 2
    window = slice(start, start + length)
    captions = {
        stem: ", ".join(f"{score.metric} {score.value:.1f} dB" for score in heard.scores if score.stem == stem)
        for stem in heard.estimates
    }
    when = f", from {start / rate:.0f} s" if start else ""
    return draw_stems(
        mixture=heard.mixture[:, window],
        estimates=heard.estimates.map(lambda samples: samples[:, window]),
        references=StemSet({stem: samples[:, window] for stem, samples in heard.references.items()}),
        sample_rate=rate,
        title=f"{heard.track.name} · {subject}{when}",
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


def _tree(evaluation: Evaluation) -> dict[str, object]:
    return {
        "subject": evaluation.subject,
        "definitions": evaluation.definitions(),
        "means": [
            _numbers(mean, stem=mean.stem, metric=mean.metric) | {"num_tracks": mean.num_tracks}
            for mean in evaluation.means()
        ],
        "rows": [_numbers(row, track=row.track, stem=row.stem, metric=row.metric) for row in evaluation.rows],
        "notes": list(evaluation.notes),
    }


def _numbers(score: MeanScore | TrackScore, **names: str) -> dict[str, object]:
    return {**names, "value": _finite(score.value), "mixture_baseline": _finite(score.mixture_baseline)}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

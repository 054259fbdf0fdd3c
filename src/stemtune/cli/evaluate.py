"""``stemtune evaluate``: a model, a folder of estimates, the mixture or an oracle against the true stems."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stemtune.errors import UsageError

if TYPE_CHECKING:
    from stemtune.evaluation.measures import RuleName
    from stemtune.evaluation.table import Evaluation

__all__ = ["EVALUATE_EXAMPLES", "evaluate"]

EVALUATE_EXAMPLES = (
    "**Examples**\n\n"
    "`stemtune evaluate default musdb18hq/ --split test -j 2 -o scores/` — a model on the songs of a split; start it "
    "again to go on\n\n"
    "`stemtune evaluate separated/htdemucs my_songs/ --metrics bss_eval_v4` — estimates of any tool, TRACK/STEM.wav, "
    "as museval scores them\n\n"
    "`stemtune evaluate mixture my_songs/` — what doing nothing scores\n\n"
    "`stemtune evaluate runs/tabla/model my_songs/ -o scores/ --pictures` — tables, and spectrograms of every track\n\n"
    "A data set is a folder SONG/STEM.wav or STEM/*.wav, or a CSV with the columns stem and path."
)


def evaluate(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|ESTIMATES", help="A model's name or folder, a folder TRACK/STEM.wav, or 'mixture'."
        ),
    ],
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Songs with their true stems.")],
    *,
    metrics: Annotated[
        str, typer.Option("--metrics", "--metric", help="Which, separated by commas; 'all' for all.")
    ] = "sdr_global,si_sdr",
    rule: Annotated[
        Literal["mdx", "museval"] | None,
        typer.Option(
            "--rule", help="How tracks are aggregated: mean, or median of medians; each metric's own if none."
        ),
    ] = None,
    split: Annotated[str | None, typer.Option("--split", help="train, valid or test; all if not given.")] = None,
    layout: Annotated[
        Literal["songs", "stems"] | None,
        typer.Option("--layout", help="What the data set's folders are, if it cannot be told from their names."),
    ] = None,
    pattern: Annotated[str, typer.Option("--pattern", help="Only tracks whose name fits, such as '[A-M]*'.")] = "*",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write all tables into this folder, and go on there next time.")
    ] = None,
    table_format: Annotated[
        Literal["csv", "parquet"], typer.Option("--table", help="Format of the tables in --out.")
    ] = "csv",
    tracks: Annotated[bool, typer.Option("--tracks", help="Print every track's scores, too.")] = False,
    pictures: Annotated[bool, typer.Option("--pictures", help="Draw every track's stems into --out.")] = False,
    baseline: Annotated[
        bool, typer.Option("--baseline/--no-baseline", help="Score the unprocessed mixture, too.")
    ] = True,
    fit: Annotated[
        bool, typer.Option("--fit", help="Take estimates of another rate, length or channel count and make them fit.")
    ] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Tracks at once, each in a process.")] = 1,
    segment: Annotated[float | None, typer.Option("--segment", help="Seconds that are separated at once.")] = None,
    overlap: Annotated[float, typer.Option("--overlap", help="Fraction that two segments share.")] = 0.25,
    shifts: Annotated[int, typer.Option("--shifts", help="Average so many shifted separations.")] = 0,
    precision: Annotated[
        Literal["float32", "bfloat16"],
        typer.Option("--precision", help="bfloat16: less exact, often faster."),
    ] = "float32",
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"], typer.Option("--device", "-d", help="Where to compute.")
    ] = "auto",
) -> None:
    """Score a model, or estimates made by any tool, against the true stems.

    Every score is printed with its definition and beside what the unprocessed mixture scores.
    """
    from stemtune.cli.evaluate_progress import open_progress
    from stemtune.config import parse
    from stemtune.evaluation.measures import MEASURES
    from stemtune.evaluation.protocol import evaluate as score
    from stemtune.evaluation.records import EvaluationRequest
    from stemtune.evaluation.subjects import open_system, open_tracks
    from stemtune.separation.options import SeparationOptions

    if pictures and out is None:
        raise UsageError("--pictures needs a folder to draw into: add --out FOLDER")
    names = tuple(MEASURES) if metrics == "all" else tuple(n.strip() for n in metrics.split(",") if n.strip())
    options = parse(
        SeparationOptions,
        {"segment_seconds": segment, "overlap": overlap, "shifts": shifts, "precision": precision, "device": device},
    )
    request = EvaluationRequest(metrics=names, baseline=baseline).checked()
    songs = open_tracks(dataset, split=split, layout=layout, pattern=pattern)
    system = open_system(subject, options=options, fit=fit)
    with open_progress(songs) as progress:
        result = score(
            system,
            songs,
            request,
            folder=out / "tracks" if out else None,
            pictures=out if pictures else None,
            jobs=jobs,
            on_event=lambda event: progress.event("", event),
        )
    _print_tables(result, with_tracks=tracks, rule=rule)
    if out is not None:
        from stemtune.evaluation.report import write_report

        for path in write_report(result, out, table_format=table_format, rule=rule):
            if "museval" not in path.relative_to(out).parts[:1]:
                print(path)


def _print_tables(result: "Evaluation", *, with_tracks: bool, rule: "RuleName | None") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    if with_tracks:
        table = Table("track", "stem", "metric", title="Every track", title_justify="left")
        for heading in ("dB", "mixture, dB", "gain, dB"):
            table.add_column(heading, justify="right")
        for row in result.rows:
            gain = row.value - row.mixture_baseline
            table.add_row(
                escape(row.track), escape(row.stem), row.metric, _number(row.value), _number(row.mixture_baseline),
                _number(gain, "+"),
            )  # fmt: skip
        console.print(table)
        console.print()
    table = Table(title=f"Scores of {escape(result.subject)}", title_justify="left")
    table.add_column("metric", overflow="fold")
    table.add_column("stem")
    for heading in ("dB", "mixture, dB", "gain, dB", "tracks"):
        table.add_column(heading, justify="right")
    for mean in result.means(rule):
        table.add_row(
            mean.metric, escape(mean.stem), _number(mean.value), _number(mean.mixture_baseline),
            _number(mean.improvement, "+"), str(mean.num_tracks),
        )  # fmt: skip
    console.print(table)
    rules = result.rules(rule)
    for name, definition in result.definitions().items():
        console.print(f"{name}: {definition}. Aggregated: {rules[name]}.", markup=False, highlight=False)
    console.print(
        "mixture: what the unprocessed mixture scores. Higher is better, if not said otherwise.", highlight=False
    )
    for note in result.notes:
        console.print(f"note: {note}", markup=False, highlight=False)


def _number(value: float, sign: str = "") -> str:
    import math

    return "–" if math.isnan(value) else f"{value:{sign}.2f}"

"""``stemtune data check``: what is wrong with a data set, before it costs a night of training."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stemtune.errors import UsageError

if TYPE_CHECKING:
    from stemtune.data.audit import AuditReport

__all__ = ["CHECK_EXAMPLES", "check"]

CHECK_EXAMPLES = (
    "**Examples**\n\n"
    "`stemtune data check my_songs/` — every file is decoded; exit code 1 if anything is wrong\n\n"
    "`stemtune data check train=my_songs/ test=other_songs/` — also whether the two share any sound\n\n"
    "`stemtune data check my_songs/ --save audit.md --save audit.png` — a report and a picture to keep\n\n"
    "`stemtune data check my_songs/ --quick` — headers only: seconds for thousands of files\n\n"
    "`stemtune data check my_songs/ --strict --json > audit.json` — for scripts; warnings count, too\n\n"
    "`stemtune data check table.csv --split train` — one split of a CSV with the columns stem and path"
)
_PICTURES = (".png", ".svg", ".pdf")
_TEXTS = (".json", ".md")


def check(
    datasets: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH|SPLIT=PATH...",
            help="Folders SONG/STEM.wav or STEM/*.wav, or CSV tables; SPLIT is train, valid or test.",
        ),
    ],
    *,
    split: Annotated[str | None, typer.Option("--split", help="train, valid or test; all if not given.")] = None,
    layout: Annotated[
        Literal["songs", "stems", "unlabelled"] | None,
        typer.Option("--layout", help="What the folders are, if it cannot be told from their names."),
    ] = None,
    mapping: Annotated[
        str | None, typer.Option("--mapping", help="A mapping file, or the name of a known data set.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Read headers only; nothing is decoded.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Fail on warnings, too.")] = False,
    tracks: Annotated[bool, typer.Option("--tracks", help="Print every track's facts and all findings.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    save: Annotated[
        list[Path] | None,
        typer.Option("--save", metavar="FILE", help="Keep the report: .json, .md, .png, .svg or .pdf; repeatable."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Processes; one per core if not given.")
    ] = None,
) -> None:
    """Decode whole data sets and report what would spoil a training run.

    Rates, lengths, channels, lags, stems that do not add up to the mixture, clipping, silence, missing treble, damaged
    files, the same sound in two tracks or two splits, and the minutes in which each stem really sounds.
    """
    from rich.console import Console

    from stemtune.cli.data_tables import print_report

    files = save or []
    for file in files:
        if file.suffix.lower() not in (*_TEXTS, *_PICTURES):
            raise UsageError(f"--save {file}: expected a name ending in {', '.join((*_TEXTS, *_PICTURES))}")
    if any(file.suffix.lower() in _PICTURES for file in files):
        _require_matplotlib()
    report = _audit(datasets, split=split, layout=layout, mapping=mapping, quick=quick, jobs=jobs)
    if as_json:
        print(report.model_dump_json(indent=2))
    else:
        print_report(report, Console(), strict=strict, everything=tracks)
    for file in files:
        _save(report, file)
    if not report.passes(strict=strict):
        raise typer.Exit(1)


def _audit(
    datasets: list[str],
    *,
    split: str | None,
    layout: Literal["songs", "stems", "unlabelled"] | None,
    mapping: str | None,
    quick: bool,
    jobs: int | None,
) -> "AuditReport":
    import os

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from stemtune.data.audit import audit

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("opening", total=None)

        def on_progress(activity: str, done: float, total: float) -> None:
            progress.update(bar, description=activity, completed=done, total=total)

        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return audit(
            datasets,
            split=split,
            layout=layout,
            mapping=mapping,
            is_quick=quick,
            jobs=jobs or cores,
            on_progress=on_progress,
        )


def _require_matplotlib() -> None:
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        raise UsageError('drawing needs matplotlib, which comes with training: pip install "stemtune[train]"')


def _save(report: "AuditReport", file: Path) -> None:
    """Write the report in the format that the file's name asks for."""
    from stemtune.data.files import PendingFile, write_text_atomically

    match file.suffix.lower():
        case ".json":
            write_text_atomically(file, report.model_dump_json(indent=2) + "\n")
        case ".md":
            from stemtune.data.audit.markdown import to_markdown

            write_text_atomically(file, to_markdown(report))
        case suffix:
            from stemtune.data.audit.picture import draw_report

            with PendingFile(file) as pending:
                draw_report(report).savefig(pending.path, format=suffix[1:], bbox_inches="tight")

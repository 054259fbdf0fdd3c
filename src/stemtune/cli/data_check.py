"""``stemtune data check``: what is wrong with a data set, before it costs a night of training."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from stemtune.data.audit import AuditReport, StemReport, TrackReport

__all__ = ["CHECK_EXAMPLES", "check"]

_SHOWN_PER_KIND = 5

CHECK_EXAMPLES = (
    "**Examples**\n\n"
    "`stemtune data check my_songs/` — every file is decoded; exit code 1 if anything is wrong\n\n"
    "`stemtune data check my_songs/ --strict --json > audit.json` — for scripts; warnings count, too\n\n"
    "`stemtune data check table.csv --split train` — one split of a CSV with the columns stem and path"
)


def check(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="A folder SONG/STEM.wav or STEM/*.wav, or a CSV.")],
    *,
    split: Annotated[str | None, typer.Option("--split", help="train, valid or test; all if not given.")] = None,
    layout: Annotated[
        Literal["songs", "stems"] | None,
        typer.Option("--layout", help="What the data set's folders are, if it cannot be told from their names."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail on warnings, too.")] = False,
    tracks: Annotated[bool, typer.Option("--tracks", help="Print every track's facts and all findings.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Decode a whole data set and report what would spoil a training run.

    Rates, lengths, channels, lags, stems that do not add up to the mixture, clipping, silence, damaged files, the
    same audio twice or in two splits, and the minutes in which each stem really sounds.
    """
    import json

    from rich.console import Console

    report = _audit(dataset, split, layout)
    if as_json:
        print(json.dumps(report.to_json(), indent=2, ensure_ascii=False))
    else:
        console = Console()
        if tracks:
            _print_tracks(report, console)
        _print_stems(report, console)
        _print_findings(report, console, strict=strict, everything=tracks)
    if not report.passes(strict=strict):
        raise typer.Exit(1)


def _audit(dataset: Path, split: str | None, layout: Literal["songs", "stems"] | None) -> "AuditReport":
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from stemtune.data.audit import audit_dataset

    console = Console(stderr=True)
    columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)

        def on_progress(track: str, done_seconds: float, total_seconds: float) -> None:
            progress.update(task, description=escape(track), completed=done_seconds, total=total_seconds)

        return audit_dataset(dataset, split=split, layout=layout, on_progress=on_progress)


def _print_stems(report: "AuditReport", console: "Console") -> None:
    from rich.markup import escape
    from rich.table import Table

    if not report.tracks:
        return
    minutes = sum(track.seconds for track in report.tracks) / 60
    title = f"{len(report.tracks)} tracks, {minutes:.1f} minutes"
    table = Table("stem", title=title, title_justify="left")
    for heading in ("files", "minutes", "minutes it sounds", "level, dB"):
        table.add_column(heading, justify="right")
    for name, active in report.active_minutes.items():
        stems = [track.stems[name] for track in report.tracks if name in track.stems]
        length = sum(stem.num_samples / stem.sample_rate for stem in stems) / 60
        levels = sorted(stem.rms_db for stem in stems)
        level = f"{levels[0]:.0f} to {levels[-1]:.0f}" if len(levels) > 1 else f"{levels[0]:.0f}"
        table.add_row(escape(name), str(len(stems)), f"{length:.1f}", f"{active:.1f}", level)
    console.print(table)


def _print_tracks(report: "AuditReport", console: "Console") -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("track", "stem", title="Every track", title_justify="left")
    for heading in ("Hz", "channels", "seconds", "sounds, s", "level, dB", "peak", "lag", "mixture minus stems, dB"):
        table.add_column(heading, justify="right")
    for track in report.tracks:
        rows = {**({"mixture": track.mixture} if track.mixture else {}), **track.stems}
        for name, stem in rows.items():
            table.add_row(escape(track.name), escape(name), *_cells(track, name, stem))
    console.print(table)
    console.print()


def _cells(track: "TrackReport", name: str, stem: "StemReport") -> tuple[str, ...]:
    depth = track.null_depth_db if name == "mixture" else None
    return (
        str(stem.sample_rate),
        str(stem.num_channels),
        f"{stem.num_samples / stem.sample_rate:.3f}",
        f"{stem.active_seconds:.1f}",
        f"{stem.rms_db:.1f}",
        f"{stem.peak:.2f}",
        "" if stem.lag_samples is None else str(stem.lag_samples),
        "" if depth is None else f"{depth:.1f}",
    )


def _print_findings(report: "AuditReport", console: "Console", *, strict: bool, everything: bool) -> None:
    from collections import Counter

    from rich.text import Text

    from stemtune.data.audit import Severity

    styles = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}
    printed: Counter[tuple[str, str]] = Counter()
    for finding in report.findings:
        group = (finding.severity.value, finding.kind)
        printed[group] += 1
        if printed[group] > _SHOWN_PER_KIND and not everything:
            continue
        where = " ".join(word for word in (finding.track, f"({finding.stem})" if finding.stem else "") if word)
        line = Text(finding.severity.value, style=styles[finding.severity])
        line.append(f": {where}: " if where else ": ", style="default")
        line.append(finding.message, style="default")
        console.print(line, soft_wrap=True)
    for (severity, kind), count in printed.items():
        if count > _SHOWN_PER_KIND and not everything:
            more = f"... and {count - _SHOWN_PER_KIND} more of {severity} {kind}; --tracks shows them all"
            console.print(more, style="dim", highlight=False, markup=False)
    counts = ", ".join(_counted(report.count(severity), severity.value) for severity in Severity)
    verdict = "fit for training" if report.passes(strict=strict) else "not fit for training yet"
    console.print(f"{counts}: {verdict}", highlight=False)


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"

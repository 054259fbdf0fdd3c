"""What an audit looks like in a terminal: the stems, then the findings, the worst kind first, each with what to do."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

    from stemtune.data.audit import AuditReport, Finding, StemReport, TrackReport

__all__ = ["print_report"]

_SHOWN_PER_KIND = 5
_STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold"}


def print_report(report: "AuditReport", console: "Console", *, strict: bool, everything: bool) -> None:
    """Print a report.

    Args:
        report: what the audit found.
        console: where to print.
        strict: whether warnings count as failures in the last line.
        everything: whether to print every track's facts and all findings.
    """
    if everything:
        _print_tracks(report, console)
    _print_stems(report, console)
    _print_findings(report, console, everything=everything)
    _print_groups(report, console, everything=everything)
    counts = ", ".join(_counted(count, severity) for severity, count in report.counts.items())
    verdict = "fit for training" if report.passes(strict=strict) else "not fit for training yet"
    console.print(f"{counts}: {verdict}", highlight=False)


def _print_stems(report: "AuditReport", console: "Console") -> None:
    """A table for each data set, with a row for each stem of each split."""
    from stemtune.data.audit.tables import MEASURES, short_names, stem_rows

    rows = stem_rows(report)
    names = short_names(row.dataset for row in rows)
    for dataset, name in names.items():
        tracks = [track for track in report.tracks if track.dataset == dataset]
        minutes = sum(track.seconds for track in tracks) / 60
        title = f"{_counted(len(tracks), 'track')}, {minutes:.1f} minutes"
        title = f"{name}: {title}" if len(names) > 1 else title
        has_splits = any(row.split for row in rows if row.dataset == dataset)
        table = Table(title=escape(title), title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        for heading in (*(["split"] if has_splits else []), "stem"):
            table.add_column(heading, no_wrap=True)
        for heading in MEASURES:
            table.add_column(heading, justify="right", no_wrap=True)
        for row in rows:
            if row.dataset == dataset:
                where = (*([row.split] if has_splits else []), row.stem)
                table.add_row(*(escape(word) for word in where), *row.measures)
        console.print(table)


def _print_tracks(report: "AuditReport", console: "Console") -> None:
    table = Table("track", "stem", title="Every track", title_justify="left")
    for heading in ("Hz", "channels", "seconds", "sounds, s", "level, dB", "peak", "lag", "mixture minus stems, dB"):
        table.add_column(heading, justify="right")
    for track in report.tracks:
        rows: Mapping[str, StemReport] = {**({"mixture": track.mixture} if track.mixture else {}), **track.stems}
        for name, stem in rows.items():
            table.add_row(escape(track.name), escape(name), *_track_cells(track, name, stem))
    console.print(table)
    console.print()


def _track_cells(track: "TrackReport", name: str, stem: "StemReport") -> tuple[str, ...]:
    depth = track.null_depth_db if name == "mixture" else None
    heard = stem.heard
    return (
        str(stem.sample_rate),
        str(stem.num_channels),
        f"{stem.seconds:.3f}",
        f"{heard.active_seconds:.1f}" if heard else "",
        f"{heard.rms_db:.1f}" if heard else "",
        f"{heard.peak:.2f}" if heard else "",
        f"{heard.lag_samples:g}" if heard and heard.lag_samples is not None else "",
        "" if depth is None else f"{depth:.1f}",
    )


def _print_findings(report: "AuditReport", console: "Console", *, everything: bool) -> None:
    """Each kind of finding once, with what it means and what to do, then its places."""
    from stemtune.data.audit.tables import short_names

    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in report.findings:
        groups.setdefault((finding.severity.value, finding.kind), []).append(finding)
    names = short_names(track.dataset for track in report.tracks)
    for (severity, kind), findings in groups.items():
        explanation = report.explanations[kind]
        line = Text(severity, style=_STYLES[severity])
        line.append(f": {explanation.title} ({len(findings)})", style="bold")
        console.print(line, soft_wrap=True)
        console.print(Text(f"  {explanation.meaning} {explanation.advice}", style="dim"))
        for finding in findings if everything else findings[:_SHOWN_PER_KIND]:
            console.print(Text(f"  - {_describe(finding, names)}"), soft_wrap=True)
        if len(findings) > _SHOWN_PER_KIND and not everything:
            more = f"  ... and {len(findings) - _SHOWN_PER_KIND} more {kind}; --tracks shows them all"
            console.print(more, highlight=False, markup=False)
        console.print()


def _describe(finding: "Finding", names: Mapping[str, str]) -> str:
    dataset = names.get(finding.dataset, finding.dataset) if len(names) > 1 else ""
    place = "/".join(word for word in (dataset, finding.place) if word)
    return f"{place}: {finding.message}" if place else finding.message


def _print_groups(report: "AuditReport", console: "Console", *, everything: bool) -> None:
    groups = [group for group in report.groups if len(group) > 1]
    if not groups:
        return
    console.print(Text("Keep together, on the same side of a split:", style="bold"))
    for group in groups if everything else groups[:_SHOWN_PER_KIND]:
        names = group if everything else group[:_SHOWN_PER_KIND]
        rest = f" and {len(group) - len(names)} more" if len(group) > len(names) else ""
        console.print(Text(f"  - {', '.join(names)}{rest}"), soft_wrap=True)
    if len(groups) > _SHOWN_PER_KIND and not everything:
        console.print(f"  ... and {len(groups) - _SHOWN_PER_KIND} more groups; --tracks shows them all", markup=False)
    console.print()


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"

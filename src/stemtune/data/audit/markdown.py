"""An audit as a page of Markdown, for a repository or a colleague: what is there, what is wrong, what to do.

# Audit of my_songs
verdict, stems by split, findings by kind with their places, what to keep together
"""

from collections.abc import Iterable, Mapping

from stemtune.data.audit.report import AuditReport, Finding
from stemtune.data.audit.tables import MEASURES, short_names, stem_rows

__all__ = ["findings_to_markdown", "stems_to_markdown", "to_markdown"]

_SHOWN_PER_KIND = 20


def to_markdown(report: AuditReport) -> str:
    """The whole page."""
    depth = "Only headers were read." if report.is_quick else "Every file was decoded from beginning to end."
    counts = ", ".join(f"{count} {severity}{'' if count == 1 else 's'}" for severity, count in report.counts.items())
    verdict = "fit for training" if report.passes() else "**not fit for training yet**"
    lines = [
        f"# Audit of {', '.join(report.datasets)}",
        "",
        f"{len(report.tracks)} tracks, {report.minutes:.1f} minutes. {depth} {counts}: {verdict}.",
        "",
        *stems_to_markdown(report),
        *findings_to_markdown(report),
    ]
    return "\n".join(lines).rstrip() + "\n"


def stems_to_markdown(report: AuditReport) -> list[str]:
    """A table with a row for each stem of each split of each data set, and an empty line."""
    if not report.tracks:
        return []
    rows = stem_rows(report)
    names, has_splits = short_names(row.dataset for row in rows), any(row.split for row in rows)
    several = len(names) > 1
    where = (*(["data set"] if several else []), *(["split"] if has_splits else []), "stem")
    lines = [_row([*where, *MEASURES]), _row(["---"] * len(where) + ["--:"] * len(MEASURES))]
    for row in rows:
        place = (*([names[row.dataset]] if several else []), *([row.split] if has_splits else []), row.stem)
        lines.append(_row([*place, *row.measures]))
    return [*lines, ""]


def findings_to_markdown(report: AuditReport) -> list[str]:
    """A section for each kind of finding, the worst first, and one for tracks to be kept together."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in report.findings:
        groups.setdefault((finding.severity.value, finding.kind), []).append(finding)
    names = short_names(track.dataset for track in report.tracks)
    lines: list[str] = []
    for (severity, kind), findings in groups.items():
        explanation = report.explanations[kind]
        lines += [f"## {severity.capitalize()}: {explanation.title} ({len(findings)})", ""]
        lines += [f"{explanation.meaning} {explanation.advice}", ""]
        lines += [f"- {_describe(finding, names)}" for finding in findings[:_SHOWN_PER_KIND]]
        lines += [f"- and {len(findings) - _SHOWN_PER_KIND} more"] if len(findings) > _SHOWN_PER_KIND else []
        lines.append("")
    if report.groups:
        lines += [f"## Keep together ({len(report.groups)} groups)", ""]
        lines += ["Tracks that share sound, directly or through others, belong on the same side of a split.", ""]
        lines += [f"- {', '.join(_code(name) for name in group)}" for group in report.groups]
        lines.append("")
    return lines


def _describe(finding: Finding, names: Mapping[str, str]) -> str:
    dataset = names.get(finding.dataset, finding.dataset) if len(names) > 1 else ""
    place = "/".join(word for word in (dataset, finding.place) if word)
    return f"{_code(place)}: {finding.message}" if place else finding.message


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _code(text: str) -> str:
    return f"`{text.replace('`', chr(39))}`"

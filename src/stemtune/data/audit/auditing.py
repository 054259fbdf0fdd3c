"""The audit itself: open the data sets, listen to every track, compare all tracks, judge.

    report = judge(facts of every track) + judge(what tracks share) + judge(every data set as a whole).

Everything is decoded once, in constant memory, by several processes; ``is_quick`` reads headers only.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from stemtune.data.audit.describe import describe_track
from stemtune.data.audit.examined import Examined, examine, examine_headers
from stemtune.data.audit.judge_dataset import active_minutes, judge_dataset
from stemtune.data.audit.judge_files import judge_files
from stemtune.data.audit.judge_sharing import judge_sharing
from stemtune.data.audit.judge_sums import judge_sums
from stemtune.data.audit.kinds import explanations
from stemtune.data.audit.quick import equal_files
from stemtune.data.audit.report import AuditReport, Finding, Severity, TrackReport
from stemtune.data.audit.sharing import Sharing, find_shared, group_tracks
from stemtune.data.audit.sources import Item, collect, parse_source
from stemtune.data.audit.tables import short_names
from stemtune.data.audit.workers import Crashed, run_all
from stemtune.data.datasets import Layout

__all__ = ["Progress", "audit"]

Progress = Callable[[str, float, float], None]
"""Called with what is going on, how much of it is done, and how much there is (seconds of sound, or shares of 1)."""

_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}
_WORTH_PROCESSES_SECONDS = 900.0  # starting a process takes as long as listening to several minutes


def audit(
    paths: Sequence[str | Path],
    *,
    split: str | None = None,
    layout: Layout | None = None,
    mapping: str | None = None,
    is_quick: bool = False,
    jobs: int = 1,
    on_progress: Progress | None = None,
) -> AuditReport:
    """Decode everything, and say what is wrong.

    Args:
        paths: data sets as `open_dataset` takes them, or ``SPLIT=PATH``.
        split: which of their splits to audit; all of them, and what they have in common, if None.
        layout: what the folders are, where it cannot be recognised.
        mapping: a mapping file, or the name of a known data set.
        is_quick: whether to read headers only.
        jobs: how many processes may listen. Call it from ``if __name__ == "__main__"`` if that is more than one.
        on_progress: hears how far the audit is.

    Raises:
        InputError: if there is nothing at a path.
        UsageError: if a split does not exist, or a layout cannot be recognised.
    """
    sources = collect([parse_source(str(path)) for path in paths], split=split, layout=layout, mapping=mapping)
    items = sources.items
    total = sum((item.seconds for item in items), 0.0)
    enough = 1 if total < _WORTH_PROCESSES_SECONDS else jobs
    examined = _examine_all(items, total, is_quick=is_quick, jobs=enough, on_progress=on_progress)
    done = partial(_tell, on_progress, "comparing", total=1.0)
    sharings = equal_files(examined) if is_quick else find_shared(examined, jobs=enough, on_done=done)
    reports = [describe_track(one) for one in examined]
    findings = [*sources.findings]
    for one in examined:
        findings += [*judge_files(one), *judge_sums(one)]
    findings += judge_sharing(sharings)
    for source in dict.fromkeys(item.source for item in items):
        members = [number for number, item in enumerate(items) if item.source == source]
        findings += judge_dataset([items[number] for number in members], [reports[number] for number in members])
    return _assemble(tuple(str(path) for path in paths), is_quick, findings, reports, sharings)


def _examine_all(
    items: Sequence[Item], total: float, *, is_quick: bool, jobs: int, on_progress: Progress | None
) -> list[Examined]:
    task = examine_headers if is_quick else examine
    done = partial(_tell, on_progress, "reading headers" if is_quick else "listening", total=total)
    results = run_all(task, items, jobs=1 if is_quick else jobs, on_seconds=done)
    return [
        _after_crash(item) if isinstance(result, Crashed) else result
        for item, result in zip(items, results, strict=True)
    ]


def _after_crash(item: Item) -> Examined:
    """A track over which the process died: nothing is known of it but that."""
    failure = "decoding one of this track's files ended the process: at least one of them is badly damaged"
    return Examined(item, {}, {item.paths[0]: failure})


def _tell(on_progress: Progress | None, activity: str, done: float, *, total: float) -> None:
    if on_progress:
        on_progress(activity, min(done, total), total)


def _assemble(
    paths: tuple[str, ...],
    is_quick: bool,
    findings: Sequence[Finding],
    reports: Sequence[TrackReport],
    sharings: Sequence[Sharing],
) -> AuditReport:
    splits = dict.fromkeys(report.split for report in reports)
    minutes = {split: active_minutes([report for report in reports if report.split == split]) for split in splits}
    names = short_names(report.dataset for report in reports)
    return AuditReport(
        datasets=paths,
        is_quick=is_quick,
        counts={severity.value: sum(finding.severity is severity for finding in findings) for severity in Severity},
        findings=tuple(sorted(findings, key=lambda finding: _ORDER[finding.severity])),
        explanations=explanations(findings),
        active_minutes={
            split: {stem: round(value, 3) for stem, value in stems.items()} for split, stems in minutes.items()
        },
        tracks=tuple(reports),
        shared_audio=tuple(sharing.audio for sharing in sharings),
        groups=tuple(
            tuple(
                f"{names[item.source.name]}/{item.track.name}" if len(names) > 1 else item.track.name for item in group
            )
            for group in group_tracks(sharings)
        ),
    )

"""The audit of data sets: everything is decoded once, and what would spoil a training run is named.

    report = audit(["my_songs"]);   report.findings = errors, warnings and notes, each with what to do.

Reading order: `sources` opens data sets, `listen` hears a track through a `meter` for each file, `sums` and `bleed`
look closer where stems do not fit, `landmarks`, `matching` and `common` find the same sound under two names, the
`judge_*` turn facts into findings, `kinds` explains these, `report` is the document that comes out.
"""

from stemtune.data.audit.auditing import audit
from stemtune.data.audit.kinds import KINDS
from stemtune.data.audit.report import AuditReport, Finding, Heard, Severity, SharedAudio, StemReport, TrackReport

__all__ = [
    "KINDS",
    "AuditReport",
    "Finding",
    "Heard",
    "Severity",
    "SharedAudio",
    "StemReport",
    "TrackReport",
    "audit",
]

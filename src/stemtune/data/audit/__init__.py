"""The audit of a data set: everything is decoded once, and what would spoil a training run is named.

    report = audit_dataset("my_songs");   report.findings = errors, warnings and notes, each with what to do.

`measure` listens to the files in constant memory, `alignment` finds lags, `duplicates` finds the same sound under
two names, `judge` turns facts into findings, `report` holds what came out.
"""

from stemtune.data.audit.examine import audit_dataset
from stemtune.data.audit.report import AuditReport, Finding, Severity, StemReport, TrackReport

__all__ = ["AuditReport", "Finding", "Severity", "StemReport", "TrackReport", "audit_dataset"]

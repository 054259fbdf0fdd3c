"""What an audit reports: findings of three severities, and the facts of every track.

An error makes training on the data wrong or impossible; a warning is probably a mistake; a note is worth knowing.
The data set passes if there is no error:

    exit code = 1 if errors (or, when strict, warnings) else 0.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["AuditReport", "Finding", "Severity", "StemReport", "TrackReport"]


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        severity: how bad it is.
        kind: a word that programs can rely on, such as ``unreadable`` or ``duplicate``.
        track: which track; empty if it concerns the whole data set.
        stem: which stem, or ``mixture``; empty if it concerns the whole track.
        message: what was expected, what came, what to do.
    """

    severity: Severity
    kind: str
    track: str
    stem: str
    message: str


@dataclass(frozen=True)
class StemReport:
    """The facts of one stem (or the mixture) of one track.

    Attributes:
        sample_rate: in Hz.
        num_channels: how many.
        num_samples: decoded.
        rms_db: level over the whole length, in dB below full scale.
        peak: the largest magnitude; 1 is full scale.
        active_seconds: in which it really sounds.
        clipped_samples: that stand in flat tops at full scale.
        lag_samples: by how many the stem comes later than in the mixture; None where that cannot be told.
    """

    sample_rate: int
    num_channels: int
    num_samples: int
    rms_db: float
    peak: float
    active_seconds: float
    clipped_samples: int
    lag_samples: int | None = None


@dataclass(frozen=True)
class TrackReport:
    """The facts of one track; ``null_depth_db`` is the level of the mixture minus all stems, relative to the mixture.

    ``split`` is empty where the data set has none; ``null_depth_db`` is None without a mixture file to compare with.
    """

    name: str
    split: str
    seconds: float
    stems: Mapping[str, StemReport]
    mixture: StemReport | None = None
    null_depth_db: float | None = None


@dataclass(frozen=True)
class AuditReport:
    """All findings, the worst first, and the facts behind them."""

    dataset: str
    tracks: tuple[TrackReport, ...]
    findings: tuple[Finding, ...] = field(default_factory=tuple[Finding, ...])

    def count(self, severity: Severity) -> int:
        """How many findings there are of one severity."""
        return sum(finding.severity is severity for finding in self.findings)

    def passes(self, *, strict: bool = False) -> bool:
        """Whether one may train on this: no error and, if strict, no warning."""
        return not self.count(Severity.ERROR) and not (strict and self.count(Severity.WARNING))

    @property
    def active_minutes(self) -> dict[str, float]:
        """By stem, the minutes in which it really sounds."""
        minutes: dict[str, float] = {}
        for track in self.tracks:
            for name, stem in track.stems.items():
                minutes[name] = minutes.get(name, 0.0) + stem.active_seconds / 60
        return minutes

    def to_json(self) -> dict[str, Any]:
        """Everything as plain lists, dictionaries, strings and numbers."""
        return {
            "dataset": self.dataset,
            "passes": self.passes(),
            "num_tracks": len(self.tracks),
            "minutes": round(sum(track.seconds for track in self.tracks) / 60, 3),
            "active_minutes": {name: round(minutes, 3) for name, minutes in self.active_minutes.items()},
            "counts": {severity.value: self.count(severity) for severity in Severity},
            "findings": [asdict(finding) for finding in self.findings],
            "tracks": [asdict(track) for track in self.tracks],
        }

"""What an audit reports: findings of three severities, and the facts of every track, as one versioned document.

An error makes training on the data wrong or impossible; a warning is probably a mistake; a note is worth knowing.
The data pass if there is no error:

    exit code = 1 if errors (or, when strict, warnings) else 0.

`AuditReport.model_validate_json(text)` reads back what `model_dump_json()` has written. Version 1 keeps the names and
the meaning of its fields; a change that a reader could stumble over raises the version.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from pydantic import Field

from stemtune.config import Frozen

__all__ = ["AuditReport", "Explanation", "Finding", "Heard", "Severity", "SharedAudio", "StemReport", "TrackReport"]

_PASSAGE_SECONDS, _PASSAGE_SHARE = 5.0, 0.5


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Explanation(Frozen):
    """What a kind of finding means, and what to do about it."""

    title: str
    meaning: str
    advice: str


class Finding(Frozen):
    """One thing that is not as it should be; what its kind means is told by `AuditReport.explanations`."""

    severity: Severity
    kind: str = Field(description="a word that programs can rely on, such as `unreadable` or `leakage`")
    dataset: str = Field(default="", description="the path that was given; empty if the finding concerns several")
    track: str = Field(default="", description="empty if the finding concerns the whole data set")
    stem: str = Field(default="", description="a stem or `mixture`; empty if the finding concerns the whole track")
    file: str = Field(default="", description="relative to the data set; empty if no single file is meant")
    message: str = Field(description="what was expected and what came, for this one place")

    @property
    def place(self) -> str:
        """Where it is, in as few words as possible."""
        return self.file or (f"{self.track} ({self.stem})" if self.track and self.stem else self.track or self.stem)


class Heard(Frozen):
    """What only listening to a stem from beginning to end can tell."""

    rms_db: float = Field(description="level over the whole length, dB relative to full scale")
    peak: float = Field(description="the largest magnitude; 1 is full scale")
    offset: float = Field(description="the mean of all samples of the worst channel, which should be 0")
    active_seconds: float = Field(description="in which it really sounds: tenths of a second above -60 dB")
    zero_seconds: float = Field(description="of digital silence, every sample exactly zero")
    clipped_samples: int = Field(description="that stand in flat tops at the peak of the file")
    cutoff_hz: int | None = Field(description="above which the spectrum ends like cut off; null if it does not")
    image: Literal["mono", "stereo", "same", "inverted", "one-sided", "multichannel"] = Field(
        description="of the channels: equal, equal with opposite signs, or only one of them sounding"
    )
    levels_db: tuple[int, ...] = Field(description="of every second, dB relative to full scale, not below -100")
    lag_samples: float | None = Field(
        default=None, description="by which the stem comes later than in the mixture; null where that cannot be told"
    )
    gain_db: float | None = Field(default=None, description="by which the mixture has it louder; null likewise")
    is_inverted: bool = Field(default=False, description="whether the mixture has it with the opposite sign")


class StemReport(Frozen):
    """The facts of one stem (or the mixture) of one track; `heard` is null after a quick audit."""

    files: tuple[str, ...] = Field(description="relative to the data set")
    codec: str
    sample_rate: int
    num_channels: int
    num_samples: int
    heard: Heard | None = None

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.num_samples / self.sample_rate


class TrackReport(Frozen):
    """The facts of one track."""

    dataset: str
    split: str = Field(description="empty where the data set has none")
    name: str
    seconds: float
    stems: Mapping[str, StemReport]
    mixture: StemReport | None = None
    null_depth_db: float | None = Field(
        default=None, description="level of the mixture minus all stems, relative to the mixture; null without mixture"
    )
    aligned_null_depth_db: float | None = Field(
        default=None, description="the same with stems shifted and scaled to fit; null where nothing had to be"
    )


class SharedAudio(Frozen):
    """The same sound in two tracks, confirmed sample by sample."""

    first_dataset: str
    first_track: str
    first_stem: str
    first_start_seconds: float
    second_dataset: str
    second_track: str
    second_stem: str
    second_start_seconds: float
    seconds: float = Field(description="in which both sound alike")
    share: float = Field(description="of the shorter file, in 0 to 1")
    is_exact: bool = Field(description="whether the two files hold the same samples from beginning to end")

    @property
    def is_fleeting(self) -> bool:
        """Whether it may be a single note of a sampler, or a loop: less than 5 s and than half of the shorter file."""
        return self.seconds < _PASSAGE_SECONDS and self.share < _PASSAGE_SHARE


class AuditReport(Frozen):
    """All findings, the worst first, and the facts behind them."""

    schema_version: Literal[1] = 1
    datasets: tuple[str, ...]
    is_quick: bool = Field(default=False, description="whether only headers were read")
    counts: Mapping[str, int] = Field(default_factory=dict, description="of the findings, by severity")
    findings: tuple[Finding, ...] = ()
    explanations: Mapping[str, Explanation] = Field(default_factory=dict, description="by the kind of the findings")
    active_minutes: Mapping[str, Mapping[str, float]] = Field(
        default_factory=dict, description="by split and stem, in which the stem really sounds"
    )
    tracks: tuple[TrackReport, ...] = ()
    shared_audio: tuple[SharedAudio, ...] = ()
    groups: tuple[tuple[str, ...], ...] = Field(
        default=(),
        description="tracks that share more than fleeting audio, directly or through others: keep each on one side",
    )

    def count(self, severity: Severity) -> int:
        """How many findings there are of one severity."""
        return self.counts.get(severity.value, 0)

    def passes(self, *, strict: bool = False) -> bool:
        """Whether one may train on this: no error and, if strict, no warning."""
        return not self.count(Severity.ERROR) and not (strict and self.count(Severity.WARNING))

    @property
    def minutes(self) -> float:
        """How long all tracks are together."""
        return sum(track.seconds for track in self.tracks) / 60

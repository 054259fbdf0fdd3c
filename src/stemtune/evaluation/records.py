"""What is kept of one track's evaluation: enough to go on after a kill, and to tell when it has become stale.

    record is current  =  record.fingerprint == hash(system, track's files, what was asked for, version)

A record is JSON; NaN and infinities are the strings "NaN", "Infinity", "-Infinity", which JSON has no numbers for.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Literal

from pydantic import ConfigDict, Field

from stemtune.config import Frozen
from stemtune.data.tracks import Track
from stemtune.evaluation.measures import DEFAULT_METRICS, check_measures
from stemtune.evaluation.streams import file_state
from stemtune.evaluation.systems import System
from stemtune.evaluation.table import Evaluation, FrameScores, SecondEnergies, TrackScore

__all__ = ["EvaluationRequest", "TrackRecord", "assemble", "fingerprint_of"]

_PROTOCOL = 1  # raise it when the same request would give other numbers


class EvaluationRequest(Frozen):
    """What is to be measured."""

    metrics: tuple[str, ...] = Field(default=DEFAULT_METRICS, description="names of measures")
    baseline: bool = Field(default=True, description="score the unprocessed mixture beside every estimate")
    window_seconds: float = Field(default=1.0, gt=0, description="length of a frame of framewise metrics")
    hop_seconds: float = Field(default=1.0, gt=0, description="from frame to frame")

    def checked(self) -> "EvaluationRequest":
        """The same without repetitions.

        Raises:
            UsageError: for an unknown metric, or none.
        """
        return self.model_copy(update={"metrics": check_measures(self.metrics)})


class StemEnergies(Frozen):
    """Of each second."""

    model_config = ConfigDict(allow_inf_nan=True, ser_json_inf_nan="strings")

    reference: tuple[float, ...]
    error: tuple[float, ...]


class ScoreRecord(Frozen):
    """One row of the table."""

    model_config = ConfigDict(allow_inf_nan=True, ser_json_inf_nan="strings")

    stem: str
    metric: str
    value: float
    mixture_baseline: float
    frames: tuple[float, ...] | None = None


class TrackRecord(Frozen):
    """All that was found about one track."""

    version: Literal[1] = 1
    fingerprint: str
    system: str
    track: str
    duration_seconds: float
    sample_rate: int
    num_channels: int
    window_seconds: float
    hop_seconds: float
    scores: tuple[ScoreRecord, ...]
    energies: Mapping[str, StemEnergies]
    notes: tuple[str, ...]
    seconds: float = Field(description="of computing")


def fingerprint_of(system: System, track: Track, request: EvaluationRequest) -> str:
    """Sixteen hexadecimal digits that change with whatever the scores of the track depend on."""
    files = {stem: [file_state(path) for path in paths] for stem, paths in track.stems.items()}
    mixture = file_state(track.mixture) if track.mixture else ""
    shape = (track.name, track.sample_rate, track.num_samples, track.num_channels)
    parts = (
        _PROTOCOL,
        version("stemtune"),
        system.state(track),
        files,
        mixture,
        shape,
        request.model_dump(mode="json"),
    )
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def assemble(records: Sequence[TrackRecord], *, subject: str, notes: Sequence[str] = ()) -> Evaluation:
    """The table of some tracks' records, in their order."""
    return Evaluation(
        subject=subject,
        rows=tuple(
            TrackScore(record.track, score.stem, score.metric, score.value, score.mixture_baseline)
            for record in records
            for score in record.scores
        ),
        notes=(*notes, *(note for record in records for note in record.notes)),
        frames=tuple(
            FrameScores(record.track, score.stem, score.metric, score.frames, record.window_seconds, record.hop_seconds)
            for record in records
            for score in record.scores
            if score.frames is not None
        ),
        energies=tuple(
            SecondEnergies(record.track, stem, energies.reference, energies.error)
            for record in records
            for stem, energies in record.energies.items()
        ),
        durations=tuple((record.track, record.duration_seconds) for record in records),
    )

"""How good a detector is where the truth is known: songs whose labels were hidden from it.

Windows are taken at their probability, as a threshold takes them, and once more where they make a run of five seconds,
as mining takes them. Of both,

    precision = share with V <= -20 dB,   recall = share of all such windows that is taken,   95th percentile of V.

The paper reports that this percentile falls from -20 to -30 dB when only runs are kept. Whatever the threshold,

    ranking = how probably a window that is truly silent has a higher score than one that is not.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from stemtune.config import Frozen
from stemtune.data.files import write_text_atomically
from stemtune.mining.excerpts import find_runs
from stemtune.mining.listen import OUTPUT_SECONDS
from stemtune.mining.thresholds import Threshold
from stemtune.models.silence_detector import SilenceDetector
from stemtune.training.detector import hear

__all__ = ["DetectorEvidence", "examine_detector", "read_evidence", "write_evidence"]

_SILENT_DB, _RUN_SECONDS = -20.0, 5.0


class DetectorEvidence(Frozen):
    """What one stem's threshold did on hidden songs; what cannot be said is None."""

    stem: str
    threshold: float | None = Field(description="of the stem set; None if there is none")
    stem_set_precision: float | None
    stem_set_recall: float | None
    songs: int = Field(description="whose labels know the stem")
    minutes: float = Field(description="that are audible in these")
    silent_share: float | None = Field(description="of the windows, in truth")
    ranking: float | None = Field(default=None, description="one half is chance")
    precision: float | None = None
    recall: float | None = None
    percentile_db: float | None = Field(default=None, description="95th, of the true volume, in windows taken")
    run_minutes: float = 0.0
    run_precision: float | None = None
    run_recall: float | None = None
    run_percentile_db: float | None = None


def examine_detector(
    network: SilenceDetector, thresholds: Mapping[str, Threshold | None], examples: Sequence[Path]
) -> list[DetectorEvidence]:
    """One line for each stem.

    Args:
        network: the detector.
        thresholds: of its stems.
        examples: prepared hidden songs (`stemtune.mining.features`).
    """
    songs = [hear(network, path) for path in examples]
    found: list[DetectorEvidence] = []
    for place, stem in enumerate(network.config.stems):
        known = [song for song in songs if song.known[place]]
        threshold = thresholds.get(stem)
        silent = _joined([(song.volumes_db[place] <= _SILENT_DB)[song.audible] for song in known])
        evidence = DetectorEvidence(
            stem=stem,
            threshold=None if threshold is None else threshold.probability,
            stem_set_precision=None if threshold is None else threshold.precision,
            stem_set_recall=None if threshold is None else threshold.recall,
            songs=len(known),
            minutes=silent.size * OUTPUT_SECONDS / 60,
            silent_share=_share(silent),
            ranking=_ranking(_joined([song.probabilities[place][song.audible] for song in known]), silent),
        )
        if threshold is None:
            found.append(evidence)
            continue
        taken = [(song.probabilities[place] >= threshold.probability) & song.audible for song in known]
        kept = [_in_runs(windows) for windows in taken]
        volumes = [song.volumes_db[place] for song in known]
        at_once, in_runs = (
            _joined([volume[chosen] for volume, chosen in zip(volumes, choice, strict=True)])
            for choice in (taken, kept)
        )
        found.append(
            evidence.override(
                {
                    "precision": _share(at_once <= _SILENT_DB),
                    "recall": _recall(at_once, silent),
                    "percentile_db": _percentile(at_once),
                    "run_minutes": in_runs.size * OUTPUT_SECONDS / 60,
                    "run_precision": _share(in_runs <= _SILENT_DB),
                    "run_recall": _recall(in_runs, silent),
                    "run_percentile_db": _percentile(in_runs),
                }
            )
        )
    return found


def write_evidence(path: Path, evidence: Sequence[DetectorEvidence]) -> None:
    """A CSV file."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(DetectorEvidence.model_fields), lineterminator="\n")
    writer.writeheader()
    for line in evidence:
        values = line.model_dump()
        writer.writerow({name: f"{v:.4f}" if isinstance(v, float) else v for name, v in values.items()})
    write_text_atomically(path, stream.getvalue())


def read_evidence(path: Path) -> list[DetectorEvidence]:
    """What `write_evidence` wrote; nothing if there is no such file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [
            DetectorEvidence.model_validate({name: value or None for name, value in row.items()})
            for row in csv.DictReader(file)
        ]


def _in_runs(windows: np.ndarray) -> np.ndarray:
    kept = np.zeros_like(windows)
    for first, last in find_runs(windows, min_windows=int(np.ceil(_RUN_SECONDS / OUTPUT_SECONDS))):
        kept[first:last] = True
    return kept


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0)


def _share(values: np.ndarray) -> float | None:
    return float(values.mean()) if values.size else None


def _recall(taken: np.ndarray, silent: np.ndarray) -> float | None:
    return float((taken <= _SILENT_DB).sum() / silent.sum()) if silent.any() else None


def _ranking(scores: np.ndarray, silent: np.ndarray) -> float | None:
    """The area under the curve of true against false positives, from the ranks of all scores."""
    num_silent, num_others = int(silent.sum()), int(silent.size - silent.sum())
    if not num_silent or not num_others:
        return None
    order = np.sort(scores)
    ranks = (np.searchsorted(order, scores, side="left") + np.searchsorted(order, scores, side="right") + 1) / 2
    return float((ranks[silent].sum() - num_silent * (num_silent + 1) / 2) / (num_silent * num_others))


def _percentile(volumes: np.ndarray) -> float | None:
    return float(np.percentile(volumes, 95)) if volumes.size else None

"""museval's own files, so that whoever has tools for them can go on using them.

    {"targets": [{"name": STEM, "frames": [{"time": 0.0, "duration": 1.0, "metrics": {"SDR": ..., "SIR": ...}}]}]}

One file per track, in the folder ``test`` that museval's readers look for; five digits behind the point, and NaN
where museval has it, which also stands for infinities.

References:
    museval 0.4.1: ``TrackStore``, ``EvalStore.add_eval_dir``, ``musdb.schema.json``.

Deviations:
    None known.
"""

import json
import math
from collections.abc import Iterator

from stemtune.evaluation.measures import MEASURES
from stemtune.evaluation.report_store import file_name
from stemtune.evaluation.table import Evaluation, FrameScores

__all__ = ["museval_files"]

MUSEVAL_VERSION = "0.4.1"  # whose format this is
_DIGITS = 5


def museval_files(evaluation: Evaluation) -> Iterator[tuple[str, str]]:
    """Name and text of the file of each track that has frames of all four ratios."""
    frames = {(item.track, item.stem, item.metric): item for item in evaluation.frames}
    last_parts = [track.rpartition("/")[2] for track in evaluation.tracks]
    for track, short in zip(evaluation.tracks, last_parts, strict=True):
        targets: list[dict[str, object]] = []
        for stem in evaluation.stems:
            ratios = {
                column.name.partition("_")[0].upper(): frames.get((track, stem, column.name))
                for column in MEASURES["bss_eval_v4"].columns
            }
            present = {name: scores for name, scores in ratios.items() if scores is not None}
            if len(present) == len(ratios):
                targets.append({"name": stem, "frames": _frames(present)})
        if targets:
            tree = {"targets": targets, "museval_version": MUSEVAL_VERSION}
            name = short if last_parts.count(short) == 1 else track
            yield f"{file_name(name)}.json", json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


def _frames(ratios: dict[str, FrameScores]) -> list[dict[str, object]]:
    first = next(iter(ratios.values()))
    return [
        {
            "time": number * first.hop_seconds,
            "duration": first.window_seconds,
            "metrics": {name: _rounded(scores.values[number]) for name, scores in ratios.items()},
        }
        for number in range(len(first.values))
    ]


def _rounded(value: float) -> float:
    return round(value, _DIGITS) if math.isfinite(value) else math.nan

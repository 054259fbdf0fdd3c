"""One song of a library: listened to, cut into excerpts, or skipped with a reason.

`mine_song` is a function of a file, a detector and settings, and needs nothing else: the same one runs here, in worker
processes, and on other machines. What cannot be used is a record, not an error, for the run must go on.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stemtune.data.audio import probe
from stemtune.data.files import PendingFile, output_error
from stemtune.errors import OutputError, StemtuneError
from stemtune.mining.draw import draw_activity, write_labels
from stemtune.mining.excerpts import Excerpt, find_runs
from stemtune.mining.index import MiningSettings, SongRecord
from stemtune.mining.listen import OUTPUT_SECONDS, Curves, curves_of_file
from stemtune.mining.thresholds import Threshold
from stemtune.models.silence_detector import SilenceDetector

__all__ = ["SongTask", "find_excerpts", "mine_song", "skipped"]

_MOST_CHANNELS = 2


@dataclass(frozen=True)
class SongTask:
    """A file to mine.

    Attributes:
        path: absolute.
        name: relative to the library, with forward slashes.
        content: fingerprint of its bytes.
    """

    path: Path
    name: str
    content: str


def skipped(task: SongTask, reason: str) -> SongRecord:
    """The record of a song that is not used; ``reason`` is one line, without the library's path."""
    size, modified = _state(task.path)
    reason = " ".join(reason.removeprefix(f"{task.path}: ").split())
    return SongRecord(
        path=task.name,
        status="skipped",
        reason=reason,
        input_bytes=size,
        input_mtime_ns=modified,
        content=task.content,
    )


def mine_song(
    task: SongTask, network: SilenceDetector, settings: MiningSettings, folder: Path, *, pictures: bool
) -> SongRecord:
    """Listen to a song and write its curves, labels and picture.

    Args:
        task: which.
        network: the detector, in evaluation mode.
        settings: thresholds and lengths.
        folder: of the index.
        pictures: whether to draw one.

    Raises:
        OutputError: if something cannot be written; what is wrong with the song itself is in the record.
    """
    try:
        info = probe(task.path)
        if info.num_channels > _MOST_CHANNELS:
            return skipped(task, f"has {info.num_channels} channels, where mono or stereo is expected")
        if info.exact_length and info.duration_seconds < settings.min_seconds:
            return skipped(task, f"is {info.duration_seconds:.1f} s long, shorter than any excerpt")
        curves = curves_of_file(task.path, network, precision=settings.precision)
    except OutputError:
        raise
    except StemtuneError as error:
        return skipped(task, str(error))
    except Exception as unexpected:  # one song must not cost the others, whatever is wrong with it
        return skipped(task, f"unexpected {type(unexpected).__name__}: {unexpected}")
    duration = curves.audible.size * OUTPUT_SECONDS
    if duration < settings.min_seconds:
        return skipped(task, f"is {duration:.1f} s long, shorter than any excerpt")
    if not curves.audible.any():
        return skipped(task, "is silent throughout")
    duration = min(duration, info.duration_seconds) if info.exact_length else duration
    excerpts = find_excerpts(curves, settings, duration_seconds=duration)
    stored = f"curves/{task.name}.u8"
    _write_curves(folder / stored, curves)
    write_labels(folder / "labels" / f"{task.name}.txt", excerpts)
    if pictures:
        draw_activity(
            folder / "pictures" / f"{task.name}.png",
            curves,
            title=task.name,
            stems=settings.stems,
            thresholds=settings.thresholds,
            excerpts=excerpts,
        )
    size, modified = _state(task.path)
    return SongRecord(
        path=task.name,
        status="mined",
        input_bytes=size,
        input_mtime_ns=modified,
        content=task.content,
        duration_seconds=round(duration, 3),
        sample_rate=info.sample_rate,
        num_channels=info.num_channels,
        curves=stored,
        excerpts=tuple(excerpts),
    )


def find_excerpts(curves: Curves, settings: MiningSettings, *, duration_seconds: float) -> list[Excerpt]:
    """All excerpts of a song, stem by stem."""
    thresholds: Mapping[str, Threshold] = settings.thresholds
    least = int(np.ceil(settings.min_seconds / OUTPUT_SECONDS))
    found: list[Excerpt] = []
    for stem, scores in zip(settings.stems, curves.probabilities, strict=True):
        if stem not in thresholds:
            continue
        for first, last in find_runs((scores >= thresholds[stem].probability) & curves.audible, min_windows=least):
            end = min(last * OUTPUT_SECONDS, duration_seconds)
            if end - first * OUTPUT_SECONDS >= settings.min_seconds:
                found.append(
                    Excerpt(
                        stem=stem,
                        start_seconds=round(first * OUTPUT_SECONDS, 3),
                        end_seconds=round(end, 3),
                        mean_probability=round(float(scores[first:last].mean()), 4),
                    )
                )
    return found


def _write_curves(path: Path, curves: Curves) -> None:
    data = np.round(255 * curves.probabilities).astype(np.uint8).tobytes()
    with PendingFile(path) as pending:
        try:
            pending.path.write_bytes(data)
        except OSError as error:
            raise output_error(pending.target, error) from None


def _state(path: Path) -> tuple[int, int]:
    try:
        state = os.stat(path)  # noqa: PTH116
    except OSError:
        return 0, 0
    return state.st_size, state.st_mtime_ns

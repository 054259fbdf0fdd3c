"""From what was examined to what is reported: the facts of a track, rounded to what is meaningful.

A stem of several files is reported as one: its length is that of the longest file, its activity that of all together,

    power(stem, frame) = sum over its files of power(file, frame),   taking them for unrelated.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stemtune.data.audit.examined import Examined
from stemtune.data.audit.meter import FRAME_SECONDS, SILENCE_POWER, FileFacts
from stemtune.data.audit.places import power_curve
from stemtune.data.audit.report import Heard, StemReport, TrackReport

__all__ = ["describe_track"]

_FRAMES_PER_SECOND = round(1 / FRAME_SECONDS)
_LOWEST_DB = -100


def describe_track(examined: Examined) -> TrackReport:
    """The facts of a track; stems of which no file can be read are left out."""
    item, track = examined.item, examined.item.track
    stems = {name: report for name, paths in track.stems.items() if (report := _stem(examined, name, paths))}
    mixture = _stem(examined, "mixture", (track.mixture,)) if track.mixture else None
    known = [report.seconds for report in (*stems.values(), *([mixture] if mixture else []))]
    depth = examined.facts.null_depth_db if examined.facts else None
    return TrackReport(
        dataset=item.source.name,
        split=item.split,
        name=track.name,
        seconds=round(max(known, default=track.duration_seconds), 3),
        stems=stems,
        mixture=mixture,
        null_depth_db=None if depth is None else round(depth, 2),
        aligned_null_depth_db=round(examined.fit.null_depth_db, 2) if examined.fit else None,
    )


def _stem(examined: Examined, name: str, paths: Sequence[Path]) -> StemReport | None:
    infos = [examined.infos[path] for path in paths if path in examined.infos]
    if not infos:
        return None
    longest = max(infos, key=lambda info: info.num_samples)
    facts = examined.facts
    return StemReport(
        files=tuple(examined.item.label(path) for path in paths),
        codec=longest.codec,
        sample_rate=longest.sample_rate,
        num_channels=longest.num_channels,
        num_samples=longest.num_samples,
        heard=_heard(examined, name, [facts.files[info.path] for info in infos]) if facts else None,
    )


def _heard(examined: Examined, name: str, files: Sequence[FileFacts]) -> Heard:
    powers = power_curve(files)
    longest = max(files, key=lambda heard: heard.info.num_samples)
    fit = examined.fit
    gain = fit.gains.get(name) if fit and name in fit.lags else None
    return Heard(
        rms_db=round(max(heard.rms_db for heard in files), 2),
        peak=round(max(heard.peak for heard in files), 4),
        offset=round(max((heard.offset for heard in files), key=abs), 5),
        active_seconds=round(min(float((powers > SILENCE_POWER).sum()) * FRAME_SECONDS, longest.seconds), 1),
        zero_seconds=round(min(heard.zero_seconds for heard in files), 1),
        clipped_samples=sum(heard.clipped_samples for heard in files),
        cutoff_hz=min((heard.cutoff_hz for heard in files if heard.cutoff_hz is not None), default=None),
        image=longest.image,
        levels_db=_levels(powers),
        lag_samples=round(fit.lags[name], 2) if fit and name in fit.lags else None,
        gain_db=None if gain is None else round(20 * math.log10(max(abs(gain), 1e-6)), 2),
        is_inverted=gain is not None and gain < 0,
    )


def _levels(powers: NDArray[np.float32]) -> tuple[int, ...]:
    """The level of every second, in dB."""
    starts = np.array(range(0, powers.shape[0], _FRAMES_PER_SECOND), dtype=np.int64)
    sums = np.add.reduceat(powers.astype(np.float64), starts) if starts.shape[0] else np.zeros(0)
    counts = np.minimum(powers.shape[0] - starts, _FRAMES_PER_SECOND)
    levels = 10 * np.log10(np.maximum(sums / np.maximum(counts, 1), 1e-12))
    return tuple(int(level) for level in np.maximum(np.rint(levels), _LOWEST_DB))

"""Listening to two files that may share sound, and saying what they share.

The candidates' lag is known to a frame (23 ms). Over the passage where their hashes agree, both files are cut into
half-second windows, and each pair of windows is asked for its own lag. Chance gives every pair another answer; the
same sound gives most of them the same one, to two samples, whatever else sounds at the same time:

    share of the windows that agree  >= 0.5   and   clearness of the mean correlation's peak  >= 1.4.

Measured: unrelated recordings reach 0.3 and 1.3, two recordings of the same steady tone 0.75 and 1.1; the same
recording 0.6 to 1 and 1.4 to 20, also where another instrument plays along.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt32
from numpy.typing import NDArray

from stemtune.data.audit.alignment import agree
from stemtune.data.audit.landmarks import FINGERPRINT_RATE, FRAME_SECONDS, hash_landmarks
from stemtune.data.audit.places import read_place
from stemtune.errors import InputError

__all__ = ["CommonAudio", "Passage", "listen_to_both"]

_WINDOW_SECONDS = 0.5
_MAX_LAG_SECONDS = 0.05
_WHITENING = 0.4
_SHARE, _CLEARNESS, _CLEARNESS_OF_FEW, _MANY_WINDOWS = 0.5, 1.4, 1.7, 6
_MIN_AGREEING = 3
_MARGIN_SECONDS = 0.75
_LONGEST_SECONDS = 8.0
_SHORT_SECONDS, _LONGEST_HIT_SECONDS, _HIT_CORRELATION = 1.5, 5.0, 0.9
_FEWEST_WINDOWS = 3


@dataclass(frozen=True)
class Passage:
    """Two files with their fingerprints, and the lag at which these agree.

    Attributes:
        first: a file.
        second: another one.
        first_landmarks: of the first file.
        second_landmarks: of the second file.
        lag_frames: by how many frames the passage comes later in the second.
        first_seconds: the length of the first file.
        second_seconds: the length of the second file.
    """

    first: Path
    second: Path
    first_landmarks: UInt32[np.ndarray[Any, Any], "one two"]
    second_landmarks: UInt32[np.ndarray[Any, Any], "other two"]
    lag_frames: int
    first_seconds: float
    second_seconds: float


@dataclass(frozen=True)
class CommonAudio:
    """What two files share.

    Attributes:
        first_start_seconds: where it begins in the first.
        second_start_seconds: where it begins in the second.
        seconds: for how long they sound alike, pauses and differing passages not counted.
        share: of the shorter file.
    """

    first_start_seconds: float
    second_start_seconds: float
    seconds: float
    share: float


def listen_to_both(passage: Passage) -> CommonAudio | None:
    """Compare the samples of a passage; None if they are not the same sound, or cannot be read."""
    frames = _common_frames(passage)
    if not frames.shape[0]:
        return None
    lag_seconds = passage.lag_frames * FRAME_SECONDS
    shorter_seconds = min(passage.first_seconds, passage.second_seconds)
    begin, end = (float(frame) * FRAME_SECONDS for frame in (frames[0], frames[-1]))
    middle = float(np.median(frames)) * FRAME_SECONDS
    start = max(begin - _MARGIN_SECONDS, middle - _LONGEST_SECONDS / 2, 0.0, -lag_seconds)
    stop = min(
        end + _MARGIN_SECONDS, start + _LONGEST_SECONDS, passage.first_seconds, passage.second_seconds - lag_seconds
    )
    try:
        first, second = (
            _read(passage.first, start, stop),
            _read(passage.second, start + lag_seconds, stop + lag_seconds),
        )
    except InputError:
        return None
    is_hit = shorter_seconds < _SHORT_SECONDS or _are_alike_in_length(passage, lag_seconds)
    if not _same(first, second, is_hit=is_hit):
        return None
    heard_seconds = np.unique(np.round(2 * frames * FRAME_SECONDS)).shape[0] / 2
    seconds = min(heard_seconds, shorter_seconds, end - begin + 2 * _MARGIN_SECONDS)
    return CommonAudio(
        first_start_seconds=round(begin, 2),
        second_start_seconds=round(max(begin + lag_seconds, 0.0), 2),
        seconds=round(seconds, 2),
        share=round(min(seconds / shorter_seconds, 1.0), 3),
    )


def _are_alike_in_length(passage: Passage, lag_seconds: float) -> bool:
    """Whether two short files would be the same from beginning to end."""
    shorter, longer = sorted((passage.first_seconds, passage.second_seconds))
    return longer < _LONGEST_HIT_SECONDS and shorter > 0.9 * longer and abs(lag_seconds) < 2 * _MAX_LAG_SECONDS


def _same(first: NDArray[np.float32], second: NDArray[np.float32], *, is_hit: bool) -> bool:
    """Whether two excerpts are the same sound, up to a few milliseconds, gain, sign and what else is heard.

    Two hits of one cymbal are alike, too, for it has its tones; they must be more so than other sound.
    """
    first, second = first[: second.shape[0]], second[: first.shape[0]]
    width = min(first.shape[0] // _FEWEST_WINDOWS, round(_WINDOW_SECONDS * FINGERPRINT_RATE))
    max_lag = round(_MAX_LAG_SECONDS * FINGERPRINT_RATE)
    windows = [slice(start, start + width) for start in range(0, first.shape[0] - width + 1, max(width // 2, 1))]
    one, other = ([samples[window] for window in windows] for samples in (first, second))
    found = agree(one, other, max_lag=min(max_lag, width - 1), whitening=_WHITENING)
    if found is None or sum(found.agreeing) < _MIN_AGREEING or found.share < _SHARE:
        return False
    if is_hit:
        return _correlation(first, second, found.lag_samples) > _HIT_CORRELATION
    return found.clearness > (_CLEARNESS if len(windows) >= _MANY_WINDOWS else _CLEARNESS_OF_FEW)


def _correlation(first: NDArray[np.float32], second: NDArray[np.float32], lag: int) -> float:
    late, early = (first[lag:], second[: second.shape[0] - lag]) if lag >= 0 else (first[:lag], second[-lag:])
    return abs(float(np.vdot(late, early))) / float(np.sqrt(np.vdot(late, late) * np.vdot(early, early)) + 1e-12)


def _common_frames(passage: Passage) -> NDArray[np.int64]:
    """The frames of the first file at which hashes agree with the second at the lag, sorted."""
    one, one_frames = hash_landmarks(passage.first_landmarks)
    other, other_frames = hash_landmarks(passage.second_landmarks)
    expected = (one.astype(np.int64) << 24) + one_frames + passage.lag_frames
    there = (other.astype(np.int64) << 24) + other_frames
    is_common = np.isin(expected, there) | np.isin(expected + 1, there)
    return np.sort(one_frames[is_common].astype(np.int64))


def _read(path: Path, start_seconds: float, stop_seconds: float) -> NDArray[np.float32]:
    start = max(start_seconds, 0.0)
    seconds = max(stop_seconds - start, 0.0)
    return read_place((path,), start_seconds=start, seconds=seconds, sample_rate=FINGERPRINT_RATE)

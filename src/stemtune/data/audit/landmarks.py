"""Fingerprints: the loudest points of a spectrogram, and pairs of them, which survive almost everything.

At 11,025 Hz a point is a landmark if nothing within 190 ms and 86 Hz is louder. Gain, coding, resampling, other
instruments and cutting leave most of them where they are. A landmark and each of its next four neighbours make a hash,

    hash = (frequency, frequency of the neighbour - frequency, frames between them),

and the same audio gives many equal hashes whose times differ by one and the same lag.

References:
    Wang, "An industrial-strength audio search algorithm", ISMIR 2003.

Deviations:
    Landmarks are maxima of fixed neighbourhoods, with no target density; frames of 93 ms every 23 ms.
"""

from typing import Any

import numpy as np
import soxr
from jaxtyping import Float, UInt32
from numpy.typing import NDArray

__all__ = ["FINGERPRINT_RATE", "FRAME_SECONDS", "LandmarkFinder", "hash_landmarks"]

FINGERPRINT_RATE = 11025
_N_FFT, _HOP = 1024, 256
FRAME_SECONDS = _HOP / FINGERPRINT_RATE
_REACH = 8  # frames, and bins, within which a landmark is the loudest point
_LOCAL_FRAMES, _LOCAL_RANGE_DB = 43, 50.0  # within a second, 50 dB below the loudest point at most
_FLOOR_POWER, _AUDIBLE_DB = 1e-9, -80.0  # digital silence is at -90 dB here, the noise of 16 bits at -72
_LOWEST_BIN = 8
_SECTION_FRAMES = 430
_CONTEXT_FRAMES = _LOCAL_FRAMES + _REACH
_FAN_OUT, _MAX_FRAMES_APART, _MAX_BINS_APART = 4, 63, 63
_CANCELLED = 0.01


class LandmarkFinder:
    """Finds the landmarks of a signal that goes by in blocks, whatever their lengths."""

    def __init__(self, sample_rate: int) -> None:
        self._resampler = soxr.ResampleStream(sample_rate, FINGERPRINT_RATE, 1, dtype="float32")
        self._window = np.hanning(_N_FFT + 1)[:-1].astype(np.float32)
        self._samples: NDArray[np.float32] = np.zeros(0, dtype=np.float32)
        self._levels: NDArray[np.float32] = np.zeros((0, _N_FFT // 2 + 1 - _LOWEST_BIN), dtype=np.float32)
        self._first_frame = 0  # the number of the first of the levels
        self._next_frame = 0  # the first one that has not been searched
        self._found: list[NDArray[np.uint32]] = []

    def add(self, block: Float[np.ndarray[Any, Any], "channel time"]) -> None:
        """The next block of the signal."""
        self._analyse(self._resampler.resample_chunk(_downmix(block)))
        while self._first_frame + self._levels.shape[0] >= self._next_frame + _SECTION_FRAMES + _CONTEXT_FRAMES:
            self._search(_SECTION_FRAMES)

    def finish(self) -> UInt32[np.ndarray[Any, Any], "landmark two"]:
        """All landmarks, as frame and frequency bin, sorted by time."""
        rest = self._resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
        self._analyse(np.concatenate([rest, np.zeros(_N_FFT, dtype=np.float32)]))
        while (left := self._first_frame + self._levels.shape[0] - self._next_frame) > 0:
            self._search(min(left, _SECTION_FRAMES))
        return np.concatenate(self._found) if self._found else np.zeros((0, 2), dtype=np.uint32)

    def _analyse(self, samples: NDArray[np.float32]) -> None:
        """Append the levels (dB) of the frames that have become complete."""
        self._samples = np.concatenate([self._samples, samples])
        count = (self._samples.shape[0] - _N_FFT) // _HOP + 1
        if count < 1:
            return
        frames = np.lib.stride_tricks.sliding_window_view(self._samples, _N_FFT)[::_HOP][:count] * self._window
        spectrum = np.fft.rfft(frames, axis=1)[:, _LOWEST_BIN:]
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
        self._levels = np.concatenate([self._levels, 10 * np.log10(power + np.float32(_FLOOR_POWER))])
        self._samples = self._samples[count * _HOP :]

    def _search(self, count: int) -> None:
        """Find the landmarks of the next ``count`` frames, and forget what is no longer needed."""
        start = self._next_frame - self._first_frame
        before = min(start, _CONTEXT_FRAMES)
        levels = self._levels[start - before : start + count + _CONTEXT_FRAMES]
        highest = _running_maximum(_running_maximum(levels, _REACH).T, _REACH).T
        loudest = _running_maximum(levels.max(axis=1, keepdims=True), _LOCAL_FRAMES)
        is_landmark = (levels >= highest) & (levels > np.maximum(loudest - _LOCAL_RANGE_DB, _AUDIBLE_DB))
        frame, frequency = np.nonzero(is_landmark[before : before + count])
        self._found.append(np.stack([frame + self._next_frame, frequency], axis=1).astype(np.uint32))
        self._next_frame += count
        keep = max(self._next_frame - _CONTEXT_FRAMES - self._first_frame, 0)
        self._levels = self._levels[keep:]
        self._first_frame += keep


def hash_landmarks(
    landmarks: UInt32[np.ndarray[Any, Any], "landmark two"],
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """The hashes of a file's landmarks, and the frames at which they begin.

    Args:
        landmarks: as `LandmarkFinder.finish` gives them.
    """
    frame, frequency = landmarks[:, 0].astype(np.int64), landmarks[:, 1].astype(np.int64)
    taken = np.zeros(frame.shape[0], dtype=np.int64)
    hashes: list[NDArray[np.int64]] = []
    frames: list[NDArray[np.int64]] = []
    for step in range(1, frame.shape[0]):
        apart, bins = frame[step:] - frame[:-step], frequency[step:] - frequency[:-step]
        if apart.min() > _MAX_FRAMES_APART:
            break
        fits = (apart > 1) & (apart <= _MAX_FRAMES_APART) & (np.abs(bins) <= _MAX_BINS_APART)
        chosen = np.nonzero(fits & (taken[:-step] < _FAN_OUT))[0]
        taken[chosen] += 1
        hashes.append((frequency[chosen] << 13) | ((bins[chosen] + 64) << 6) | apart[chosen])
        frames.append(frame[chosen])
    if not hashes:
        return np.zeros(0, dtype=np.uint32), np.zeros(0, dtype=np.uint32)
    return np.concatenate(hashes).astype(np.uint32), np.concatenate(frames).astype(np.uint32)


def _downmix(block: Float[np.ndarray[Any, Any], "channel time"]) -> NDArray[np.float32]:
    """The mean of the channels; the first channel where they cancel each other."""
    if block.shape[0] == 1:
        return block[0]
    mean = block.mean(axis=0)
    if np.vdot(mean, mean) < _CANCELLED * np.vdot(block, block) / block.shape[0]:
        return block[int(np.square(block).sum(axis=1).argmax())]
    return mean


def _running_maximum(values: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """The maximum over ``2 * reach + 1`` neighbours along the first axis, by doubling windows."""
    padding = np.full((reach, values.shape[1]), -np.inf, dtype=np.float32)
    result, size, width = np.concatenate([padding, values, padding]), 1, 2 * reach + 1
    while 2 * size <= width:
        result = np.maximum(result[:-size], result[size:])
        size *= 2
    return np.maximum(result[: result.shape[0] - (width - size)], result[width - size :])

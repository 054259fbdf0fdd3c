"""Everything that one file tells while it goes by once, in blocks: levels, clipping, silence, channels, fingerprint.

Nothing that grows with the samples is kept, only a number per tenth of a second and the landmarks (about 0.3 kB per
second of sound in all):

    level(frame) = 10 log10( mean over channels and samples of the frame of x^2 )   in dB below full scale.
"""

import hashlib
import math
from array import array
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Float32, UInt32
from numpy.typing import NDArray

from stemtune.data.audio import AudioInfo
from stemtune.data.audit.landmarks import LandmarkFinder
from stemtune.data.audit.spectrum import Spectrometer

__all__ = ["BLOCK_FRAMES", "FRAME_SECONDS", "SILENCE_POWER", "FileFacts", "Image", "Meter"]

FRAME_SECONDS = 0.1
SILENCE_POWER = 1e-6  # -60 dB below full scale
BLOCK_FRAMES = 40
_FLOOR = 1e-12
_SAME = 3e-6  # energy of the difference over that of the sum: -55 dB, which lossy coding of equal channels keeps to
_NEAR_PEAK = 0.9995

Image = Literal["mono", "stereo", "same", "inverted", "one-sided", "multichannel"]


@dataclass(frozen=True)
class FileFacts:
    """What was heard in one file; small enough to be kept for thousands, and to be sent between processes.

    Attributes:
        info: what the file states about itself, with the number of samples that were decoded.
        peak: the largest magnitude.
        mean_power: over all samples and channels.
        offset: the mean of the channel whose mean is farthest from 0.
        clipped_samples: in runs of at least three equal values at the peak.
        zero_seconds: tenths of a second in which every sample is exactly 0.
        image: how the channels are related.
        cutoff_hz: where the spectrum ends abruptly; None if it does not.
        frame_powers: ``frame``, the power of every tenth of a second.
        landmarks: ``landmark two``, see `landmarks`.
        digest: of the samples at 16 bits; equal for equal audio, whatever the file format.
    """

    info: AudioInfo
    peak: float
    mean_power: float
    offset: float
    clipped_samples: int
    zero_seconds: float
    image: Image
    cutoff_hz: int | None
    frame_powers: Float32[np.ndarray[Any, Any], "frame"]
    landmarks: UInt32[np.ndarray[Any, Any], "landmark two"]
    digest: str

    @property
    def rms_db(self) -> float:
        """The level, in dB below full scale."""
        return 10 * math.log10(self.mean_power + _FLOOR)

    @property
    def path(self) -> Path:
        """The file."""
        return self.info.path

    @property
    def sample_rate(self) -> int:
        """In Hz."""
        return self.info.sample_rate

    @property
    def seconds(self) -> float:
        """How long the file is, decoded."""
        return self.info.duration_seconds

    @property
    def sounds(self) -> bool:
        """Whether any tenth of a second is louder than -60 dB below full scale."""
        return bool((self.frame_powers > SILENCE_POWER).any())


class Meter:
    """Accumulates the facts of one file while its blocks go by."""

    def __init__(self, info: AudioInfo, *, is_thorough: bool = True) -> None:
        """Without ``is_thorough``, neither fingerprint nor digest nor spectrum is made, and it is twice as quick."""
        self.info = info
        self._is_thorough = is_thorough
        self.frame_samples = max(round(FRAME_SECONDS * info.sample_rate), 1)
        self._num_samples = self._clipped_samples = self._zero_frames = 0
        self._peak = self._difference_energy = self._sum_energy = 0.0
        self._energies: NDArray[np.float64] = np.zeros(info.num_channels)
        self._totals: NDArray[np.float64] = np.zeros(info.num_channels)
        self._powers = array("f")
        self._hash = hashlib.blake2b(digest_size=16)
        self._spectrometer = Spectrometer(info.sample_rate)
        self._landmarks = LandmarkFinder(info.sample_rate)

    @property
    def block_samples(self) -> int:
        """How long the blocks must be (the last one may be shorter)."""
        return BLOCK_FRAMES * self.frame_samples

    def add(self, block: Float[np.ndarray[Any, Any], "channel time"]) -> None:
        """The next block of the file."""
        self._num_samples += block.shape[1]
        self._add_levels(block)
        self._add_clipping(block)
        if not self._is_thorough:
            return
        self._spectrometer.add(block)
        self._landmarks.add(block)
        self._hash.update(np.rint(block.clip(-1, 1) * 32767).astype(np.int16).tobytes())

    def _add_levels(self, block: Float[np.ndarray[Any, Any], "channel time"]) -> None:
        whole = block.shape[1] // self.frame_samples * self.frame_samples
        pieces = [block[:, :whole].reshape(block.shape[0], -1, self.frame_samples)]
        if whole < block.shape[1]:
            pieces.append(block[:, None, whole:])
        for piece in pieces:
            energies: NDArray[np.float32] = np.einsum("cfs,cfs->cf", piece, piece)
            self._energies += energies.sum(axis=1, dtype=np.float64)
            self._totals += piece.sum(axis=2).sum(axis=1, dtype=np.float64)
            self._powers.extend((energies.sum(axis=0) / (piece.shape[0] * piece.shape[2])).tolist())
            self._zero_frames += int((energies.sum(axis=0) == 0).sum())
        if block.shape[0] == 2:
            self._difference_energy += _energy(block[0] - block[1])
            self._sum_energy += _energy(block[0] + block[1])

    def _add_clipping(self, block: Float[np.ndarray[Any, Any], "channel time"]) -> None:
        """Count the samples in the middle of three equal ones at the peak of the file, so far."""
        peak = max(float(block.max()), -float(block.min()))
        if peak > self._peak / _NEAR_PEAK:
            self._clipped_samples = 0
        self._peak = max(peak, self._peak)
        if peak < _NEAR_PEAK * self._peak or peak == 0 or block.shape[1] < 3:
            return
        channel, time = np.nonzero(np.abs(block[:, 1:-1]) >= _NEAR_PEAK * self._peak)
        before, here, after = block[channel, time], block[channel, time + 1], block[channel, time + 2]
        self._clipped_samples += int(((before == here) & (here == after)).sum())

    def facts(self) -> FileFacts:
        """What was heard, at the end of the file."""
        count = max(self._num_samples, 1)
        means = self._totals / count
        return FileFacts(
            info=replace(self.info, num_samples=self._num_samples, exact_length=True),
            peak=self._peak,
            mean_power=float(self._energies.sum()) / (count * self.info.num_channels),
            offset=float(means[int(np.abs(means).argmax())]),
            clipped_samples=self._clipped_samples,
            zero_seconds=min(self._zero_frames * FRAME_SECONDS, self._num_samples / self.info.sample_rate),
            image=self._image(),
            cutoff_hz=self._spectrometer.cutoff_hz(),
            frame_powers=np.array(self._powers, dtype=np.float32),
            landmarks=self._landmarks.finish(),
            digest=self._hash.hexdigest(),
        )

    def _image(self) -> Image:
        if self.info.num_channels != 2:
            return "mono" if self.info.num_channels == 1 else "multichannel"
        if self._energies.min() < _SAME * self._energies.max():
            return "one-sided"
        if self._difference_energy < _SAME * self._sum_energy:
            return "same"
        return "inverted" if self._sum_energy < _SAME * self._difference_energy else "stereo"


def _energy(samples: NDArray[np.float32]) -> float:
    return float(np.vdot(samples, samples))

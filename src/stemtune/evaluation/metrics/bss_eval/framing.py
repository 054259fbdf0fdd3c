"""Which samples belong to which frame, as museval cuts them.

    frame k = samples k hop <= t < k hop + window,    k = 0, ..., floor((length - window + hop) / hop) - 1.

What is left at the end is in no frame; a track that is no longer than the window is one frame, as long as it is.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from stemtune.errors import InputError

__all__ = ["Frame", "Framing"]


@dataclass(frozen=True)
class Frame:
    """The samples ``start <= t < stop``."""

    start: int
    stop: int

    @property
    def num_samples(self) -> int:
        """How many there are."""
        return self.stop - self.start


@dataclass(frozen=True)
class Framing:
    """The frames of a track.

    Attributes:
        num_samples: of the track.
        window_seconds: length of a frame; infinite for the whole track.
        hop_seconds: from the beginning of one frame to that of the next.
        sample_rate: in Hz.

    Raises:
        InputError: if window or hop are shorter than a sample, or the rate is not positive.
    """

    num_samples: int
    window_seconds: float
    hop_seconds: float
    sample_rate: int

    def __post_init__(self) -> None:
        if self.sample_rate <= 0:
            raise InputError(f"a sample rate must be positive, in Hz; it is {self.sample_rate}")
        for name, seconds in (("window", self.window_seconds), ("hop", self.hop_seconds)):
            if not seconds * self.sample_rate >= 1:
                raise InputError(f"the {name} must last a sample at least; it is {seconds} s at {self.sample_rate} Hz")

    @property
    def longest(self) -> Frame:
        """As long as the longest of them."""
        return Frame(0, min(self._samples(self.window_seconds), self.num_samples))

    def __len__(self) -> int:
        window, hop = self._samples(self.window_seconds), self._samples(self.hop_seconds)
        return (self.num_samples - window + hop) // hop if window < self.num_samples else 1

    def __iter__(self) -> Iterator[Frame]:
        window, hop = self._samples(self.window_seconds), self._samples(self.hop_seconds)
        for number in range(len(self)):
            yield Frame(number * hop, min(number * hop + window, self.num_samples))

    def _samples(self, seconds: float) -> int:
        return self.num_samples if math.isinf(seconds) else int(seconds * self.sample_rate)

"""What is known about an audio file, and the contract of everything that decodes one.

A decoder delivers the samples of one audio stream in order, and can be placed at any of them:

    seek(k) and read(n)  =  the samples k, ..., k + n - 1 of the whole stream.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

__all__ = ["AudioInfo", "Decoder"]


@dataclass(frozen=True)
class AudioInfo:
    """The facts that a file states about one of its audio streams.

    Attributes:
        path: of the file.
        sample_rate: in Hz.
        num_channels: how many channels the stream has.
        num_samples: per channel; the true count if ``exact_length``, else the best estimate, or 0 if there is none.
        container: the file format, in lower case (``wav``, ``flac``, ``mov``, ...).
        codec: how the samples are coded, in lower case (``pcm_16``, ``vorbis``, ``aac``, ...).
        num_streams: how many audio streams the file has; ``stream`` counts them from 0.
        exact_length: whether reading to the end will give exactly ``num_samples``.
    """

    path: Path
    sample_rate: int
    num_channels: int
    num_samples: int
    container: str
    codec: str
    num_streams: int = 1
    exact_length: bool = True

    @property
    def duration_seconds(self) -> float:
        """The length, as exact as ``num_samples``."""
        return self.num_samples / self.sample_rate


class Decoder(ABC):
    """Decodes one audio stream of one open file. Abstract and without state; its subclasses are final."""

    @property
    @abstractmethod
    def info(self) -> AudioInfo:
        """What the file states."""

    @abstractmethod
    def read(self, num_samples: int) -> Float[Tensor, "channel time"]:
        """The next ``num_samples`` samples; fewer only where the stream ends.

        Raises:
            InputError: if the file is damaged here.
        """

    @abstractmethod
    def seek(self, sample: int) -> None:
        """Make ``sample`` the next one that is read; a sample behind the end means the end."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the file."""

"""A sound in memory: samples, and how many of them make a second.

duration_seconds = num_samples / sample_rate.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.data.audio import open_audio
from stemtune.data.encoding import Encoding
from stemtune.data.writer import AudioWriter

__all__ = ["Sound"]

_BLOCK_SAMPLES = 1 << 18


@dataclass(frozen=True, eq=False)
class Sound:
    """Samples and their rate.

    Attributes:
        samples: ``channel time``, nominally within [-1, 1].
        sample_rate: in Hz.
    """

    samples: Float[Tensor, "channel time"]
    sample_rate: int

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or not self.samples.is_floating_point():
            raise ValueError(
                f"a sound needs floating-point samples of shape (channel, time); "
                f"it was given {self.samples.dtype} of shape {tuple(self.samples.shape)}"
            )
        if self.samples.shape[0] < 1:
            raise ValueError("a sound needs at least one channel; it was given none")
        if self.sample_rate < 1:
            raise ValueError(f"a sound needs a positive sample rate; it was given {self.sample_rate}")

    @property
    def num_channels(self) -> int:
        """1 is mono, 2 stereo."""
        return self.samples.shape[0]

    @property
    def num_samples(self) -> int:
        """Per channel."""
        return self.samples.shape[1]

    @property
    def duration_seconds(self) -> float:
        """The length."""
        return self.num_samples / self.sample_rate

    def save(self, path: Path | str, *, encoding: Encoding | None = None) -> Path:
        """Write the sound to a file, which appears only when it is complete.

        Args:
            path: where; missing folders are made, and the name's ending says the format.
            encoding: how the samples are coded (`Encoding.for_path` of the path by default).

        Returns:
            the path.

        Raises:
            UsageError: if the format is unknown or cannot hold this sound.
            OutputError: if the file cannot be written.
        """
        with AudioWriter(
            path, sample_rate=self.sample_rate, num_channels=self.num_channels, encoding=encoding
        ) as writer:
            for start in range(0, self.num_samples, _BLOCK_SAMPLES):
                writer.write(self.samples[:, start : start + _BLOCK_SAMPLES])
        return Path(path)

    @classmethod
    def load(
        cls, path: Path | str, *, start_samples: int = 0, num_samples: int | None = None, stream: int = 0
    ) -> "Sound":
        """Read a file, or a part of it.

        Args:
            path: any audio or video file.
            start_samples: where the part begins.
            num_samples: how long it is (to the end by default); as in a slice, less where the file ends.
            stream: which of the file's audio streams.

        Raises:
            InputError: if the file cannot be read, or begins to be damaged within the part.
        """
        with open_audio(path, stream=stream) as reader:
            if start_samples:
                reader.seek(start_samples)
            if num_samples is not None:
                return cls(reader.read(num_samples), reader.info.sample_rate)
            blocks = list(reader.blocks(_BLOCK_SAMPLES))
            samples = torch.cat(blocks, dim=1) if blocks else torch.zeros(reader.info.num_channels, 0)
            return cls(samples, reader.info.sample_rate)

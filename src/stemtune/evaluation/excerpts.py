"""Parts of tracks that are kept for eyes and ears, while the track goes by as a stream.

kept = blocks of the stream  intersected with  [start, start + length)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.data.tracks import Track
from stemtune.evaluation.gathering import HeardWithTruth
from stemtune.types import StemSet

__all__ = ["Excerpt", "ExcerptKeeper", "middle_of"]


@dataclass(frozen=True)
class Excerpt:
    """A part of a track with what was estimated and what is true.

    Attributes:
        track: the name.
        start_seconds: where it begins.
        sample_rate: of everything, in Hz.
        mixture: what was heard.
        estimates: ``channel time`` of each stem.
        references: of the same stems.
    """

    track: str
    start_seconds: float
    sample_rate: int
    mixture: Float[Tensor, "channel time"]
    estimates: StemSet[Tensor]
    references: StemSet[Tensor]

    @property
    def duration_seconds(self) -> float:
        """Its length."""
        return self.mixture.shape[-1] / self.sample_rate


class ExcerptKeeper:
    """Keeps the blocks, or parts of blocks, that lie between two samples."""

    def __init__(self, track: Track, *, start: int, stop: int) -> None:
        self._track, self._start, self._stop = track, max(0, start), min(stop, track.num_samples)
        self._kept: list[HeardWithTruth] = []

    @property
    def stop(self) -> int:
        """The first sample that is not wanted any more."""
        return self._stop

    def update(self, block: HeardWithTruth) -> None:
        """Look at the next block."""
        first = max(0, self._start - block.start)
        last = min(block.mixture.shape[1], self._stop - block.start)
        if first < last:
            part = slice(first, last)
            self._kept.append(
                HeardWithTruth(
                    block.start + first,
                    block.mixture[:, part].clone(),
                    block.estimates[:, :, part].clone(),
                    block.references[:, :, part].clone(),
                )
            )

    def excerpt(self, stems: Sequence[str]) -> Excerpt | None:
        """What was kept; None if nothing was."""
        if not self._kept:
            return None
        estimates = torch.cat([block.estimates for block in self._kept], dim=2)
        references = torch.cat([block.references for block in self._kept], dim=2)
        return Excerpt(
            track=self._track.name,
            start_seconds=self._start / self._track.sample_rate,
            sample_rate=self._track.sample_rate,
            mixture=torch.cat([block.mixture for block in self._kept], dim=1),
            estimates=StemSet(dict(zip(stems, estimates, strict=True))),
            references=StemSet(dict(zip(stems, references, strict=True))),
        )


def middle_of(track: Track, *, seconds: float) -> ExcerptKeeper:
    """A keeper of so many seconds from the middle of a track, or of all if it is shorter."""
    length = min(track.num_samples, round(seconds * track.sample_rate))
    start = (track.num_samples - length) // 2
    return ExcerptKeeper(track, start=start, stop=start + length)

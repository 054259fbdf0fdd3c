"""Whatever answers a mixture with stems: a model, a folder of estimates, the mixture itself, an oracle.

All are heard in the same way, as a stream of blocks in which mixture and estimates are aligned:

    listen(track, stems)  =  (mixture, estimates), (mixture, estimates), ...

A system can be sent to another process, where it opens what it needs.
"""

from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.data.tracks import Track
from stemtune.evaluation.estimates import EstimateFolder
from stemtune.evaluation.streams import file_blocks, file_state, mixture_blocks

__all__ = ["MIXTURE_SYSTEM", "EstimatesSystem", "HeardBlock", "HeardBlocks", "MixtureSystem", "System"]

MIXTURE_SYSTEM = "mixture"


@dataclass(frozen=True)
class HeardBlock:
    """A piece of a mixture, and what a system makes of it."""

    mixture: Float[Tensor, "channel time"]
    estimates: Float[Tensor, "stem channel time"]


HeardBlocks = Generator[HeardBlock, None, None]


@runtime_checkable
class System(Protocol):
    """Something that estimates stems."""

    @property
    def name(self) -> str:
        """By which it goes in tables."""
        ...

    def check(self, tracks: Sequence[Track]) -> None:
        """Refuse to begin what cannot be finished, with an `InputError`."""
        ...

    def stems(self, track: Track) -> tuple[str, ...]:
        """Which of all stems it estimates."""
        ...

    def notes(self, track: Track, stems: Sequence[str]) -> tuple[str, ...]:
        """What a reader of the scores must know about these true stems; an `InputError` if estimates do not fit."""
        ...

    def state(self, track: Track) -> str:
        """Changes with anything that its estimates of the track depend on, but for the track's own files."""
        ...

    def listen(self, track: Track, stems: Sequence[str]) -> HeardBlocks:
        """The track with the estimates of some stems, in order, as long as the track; may be closed early."""
        ...


@dataclass(frozen=True)
class MixtureSystem:
    """Does nothing: the mixture is its estimate of every stem. What every separator must beat."""

    name: str = MIXTURE_SYSTEM

    def check(self, tracks: Sequence[Track]) -> None:
        """Every track has a mixture."""

    def stems(self, track: Track) -> tuple[str, ...]:
        """All that the track has."""
        return track.stems.names

    def notes(self, track: Track, stems: Sequence[str]) -> tuple[str, ...]:
        """None."""
        del track, stems
        return ()

    def state(self, track: Track) -> str:
        """Depends on the track alone."""
        del track
        return self.name

    def listen(self, track: Track, stems: Sequence[str]) -> HeardBlocks:
        """The mixture, as often as there are stems."""
        with closing(mixture_blocks(track)) as blocks:
            for block in blocks:
                yield HeardBlock(block, block.unsqueeze(0).expand(len(stems), -1, -1))


@dataclass(frozen=True)
class EstimatesSystem:
    """Files ``folder/TRACK/STEM.wav`` that any tool made; see `stemtune.evaluation.estimates`."""

    folder: Path
    name: str
    fit: bool = False

    def check(self, tracks: Sequence[Track]) -> None:
        """Every track must have some."""
        EstimateFolder(self.folder).require(tracks)

    def stems(self, track: Track) -> tuple[str, ...]:
        """Those of which there are files."""
        return EstimateFolder(self.folder).stems(track)

    def notes(self, track: Track, stems: Sequence[str]) -> tuple[str, ...]:
        """What was missing, and what was made to fit."""
        return EstimateFolder(self.folder).files(track, stems, fit=self.fit).notes

    def state(self, track: Track) -> str:
        """Size and time of the files."""
        files = EstimateFolder(self.folder).files(track, track.stems.names, fit=self.fit)
        return " ".join((str(self.fit), *(f"{stem}={file_state(path)}" for stem, path in files.stems.items())))

    def listen(self, track: Track, stems: Sequence[str]) -> HeardBlocks:
        """What the files hold."""
        files = EstimateFolder(self.folder).files(track, stems, fit=self.fit)
        with ExitStack() as open_files:
            mixture = open_files.enter_context(closing(mixture_blocks(track)))
            streams = [open_files.enter_context(closing(file_blocks([files.stems[s]], track))) for s in stems]
            for heard, *estimates in zip(mixture, *streams, strict=True):
                yield HeardBlock(heard, torch.stack(estimates))

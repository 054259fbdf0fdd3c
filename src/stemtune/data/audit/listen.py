"""Listening to a track: all its files side by side, block by block, in constant memory.

What the files tell together is measured on the way: whether the stems add up to the mixture, and whether two stems
are the same sound:

    null depth = 10 log10( sum (mixture - sum of stems)^2 / sum mixture^2 )   in dB; -90 is perfect for 16 bits.
"""

import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from stemtune.data.audio import AudioReader, open_audio
from stemtune.data.audit.meter import BLOCK_FRAMES, FRAME_SECONDS, FileFacts, Meter
from stemtune.data.tracks import Track
from stemtune.errors import InputError

__all__ = ["TrackFacts", "listen"]

_FLOOR = 1e-12
_IDENTICAL_CORRELATION = 0.98


@dataclass(frozen=True)
class TrackFacts:
    """What was heard in one track.

    Attributes:
        track: what was listened to.
        files: the facts of every file that could be read to its end.
        failures: why the others could not.
        null_depth_db: how well the stems add up to the mixture; None if that cannot be told.
        identical: pairs of stems that are the same sound, at whatever level.
    """

    track: Track
    files: dict[Path, FileFacts]
    failures: dict[Path, str]
    null_depth_db: float | None = None
    identical: tuple[tuple[str, str], ...] = ()

    def stem_files(self, stem: str) -> tuple[FileFacts, ...]:
        """The readable files of a stem."""
        return tuple(self.files[path] for path in self.track.stems[stem] if path in self.files)


def listen(track: Track, *, is_thorough: bool = True, on_seconds: Callable[[float], None] | None = None) -> TrackFacts:
    """Read all files of a track from beginning to end; a track of which only the mixture is known is one stem.

    Args:
        track: what to listen to.
        is_thorough: whether to make fingerprints and spectra, too.
        on_seconds: called with the seconds of sound (of all files together) that have just been heard.
    """
    paths = [path for stem in track.stems.values() for path in stem] + ([track.mixture] if track.mixture else [])
    failures: dict[Path, str] = {}
    files: dict[Path, FileFacts] = {}
    together = _Together(track)
    with ExitStack() as stack:
        open_files: dict[Path, tuple[AudioReader, Meter]] = {}
        for path in dict.fromkeys(paths):
            try:
                reader = stack.enter_context(open_audio(path))
            except InputError as error:
                failures[path] = str(error)
            else:
                open_files[path] = reader, Meter(reader.info, is_thorough=is_thorough)
        while open_files:
            blocks: dict[Path, NDArray[np.float32]] = {}
            for path, (reader, meter) in list(open_files.items()):
                try:
                    blocks[path] = reader.read(meter.block_samples).numpy()
                except InputError as error:
                    failures[path] = str(error)
                    del open_files[path]
            together.add(blocks)
            for path, block in blocks.items():
                if block.shape[1]:
                    open_files[path][1].add(block)
                if block.shape[1] < open_files[path][1].block_samples:
                    files[path] = open_files.pop(path)[1].facts()
            if on_seconds:
                on_seconds(len(blocks) * BLOCK_FRAMES * FRAME_SECONDS)
    comparable = not failures and len({heard.sample_rate for heard in files.values()}) == 1
    return TrackFacts(
        track,
        files,
        failures,
        null_depth_db=together.null_depth_db() if comparable else None,
        identical=together.identical() if comparable else (),
    )


@dataclass
class _Together:
    """The energy of the mixture without the stems, and the products of the stems with each other."""

    track: Track
    mixture_energy: float = 0.0
    residual_energy: float = 0.0
    products: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.products = np.zeros((len(self.track.stems), len(self.track.stems)))

    def add(self, blocks: dict[Path, NDArray[np.float32]]) -> None:
        """One block of each file; files that have ended count as silent from there."""
        if len(self.track.stems) < 2 and not self.track.mixture:
            return
        width = max((block.shape[0] for block in blocks.values()), default=0)
        length = max((block.shape[1] for block in blocks.values()), default=0)
        if not length:
            return
        stems = np.zeros((len(self.track.stems), width, length), dtype=np.float32)
        for index, paths in enumerate(self.track.stems.values()):
            for path in paths:
                if path in blocks:
                    _add_fitting(blocks[path], stems[index])
        flat = stems.reshape(len(stems), -1)
        self.products += flat @ flat.T
        mixture = blocks.get(self.track.mixture) if self.track.mixture else None
        if mixture is not None:
            residual: NDArray[np.float32] = np.negative(stems.sum(axis=0))
            self.mixture_energy += float(np.vdot(mixture, mixture)) * width / mixture.shape[0]
            _add_fitting(mixture, residual)
            self.residual_energy += float(np.vdot(residual, residual))

    def null_depth_db(self) -> float | None:
        if self.mixture_energy <= 0:
            return None
        return 10 * math.log10(self.residual_energy / self.mixture_energy + _FLOOR)

    def identical(self) -> tuple[tuple[str, str], ...]:
        names = self.track.stems.names
        energies: list[float] = self.products.diagonal().tolist()
        return tuple(
            (names[first], names[second])
            for second in range(len(names))
            for first in range(second)
            if abs(self.products[first, second])
            > _IDENTICAL_CORRELATION * math.sqrt(energies[first] * energies[second]) + _FLOOR
        )


def _add_fitting(block: Float[np.ndarray[Any, Any], "channel time"], total: NDArray[np.float32]) -> None:
    """Add a block to a total that is at least as long and as wide; mono goes to all channels."""
    rows = total if block.shape[0] == 1 else total[: block.shape[0]]
    rows[:, : block.shape[1]] += block

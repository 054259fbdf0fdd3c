"""Models as systems: loaded once in every process that needs them, heard through the one separation code.

    state = hash(weights, configuration) and the options that change samples,

so that a stored score is known to be stale when the model behind it is another.
"""

import hashlib
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from stemtune.config import fingerprint
from stemtune.data.tracks import Track
from stemtune.evaluation.streams import file_state, mixture_blocks
from stemtune.evaluation.systems import HeardBlock, HeardBlocks
from stemtune.hub import load
from stemtune.hub.registry import files_of
from stemtune.models.base import Separator
from stemtune.separation.manifest import model_fingerprint
from stemtune.separation.options import SeparationOptions, choose_device
from stemtune.separation.stream import separate_stream

__all__ = ["LoadedSystem", "ModelSystem"]


@dataclass(frozen=True)
class ModelSystem:
    """A model in a folder, loaded once in every process that needs it."""

    folder: Path
    name: str
    options: SeparationOptions = field(default_factory=SeparationOptions)

    def check(self, tracks: Sequence[Track]) -> None:
        """It must load."""
        del tracks
        _open(self.folder, self.options.device)

    def stems(self, track: Track) -> tuple[str, ...]:
        """Always the same."""
        del track
        return _open(self.folder, self.options.device).stems

    def notes(self, track: Track, stems: Sequence[str]) -> tuple[str, ...]:
        """None."""
        del track, stems
        return ()

    def state(self, track: Track) -> str:
        """Weights, configuration and options."""
        del track
        return f"{_contents(self.folder)} {_options_state(self.options)}"

    def listen(self, track: Track, stems: Sequence[str]) -> HeardBlocks:
        """Its separation."""
        return _separated(_open(self.folder, self.options.device), track, stems, self.options)


@dataclass(frozen=True)
class LoadedSystem:
    """A separator that is there already, on its device, in this process."""

    separator: Separator
    name: str
    options: SeparationOptions = field(default_factory=SeparationOptions)

    def check(self, tracks: Sequence[Track]) -> None:
        """It is there."""

    def stems(self, track: Track) -> tuple[str, ...]:
        """Always the same."""
        del track
        return self.separator.stems

    def notes(self, track: Track, stems: Sequence[str]) -> tuple[str, ...]:
        """None."""
        del track, stems
        return ()

    def state(self, track: Track) -> str:
        """Weights, configuration and options."""
        del track
        return f"{model_fingerprint(self.separator)} {_options_state(self.options)}"

    def listen(self, track: Track, stems: Sequence[str]) -> HeardBlocks:
        """Its separation."""
        return _separated(self.separator, track, stems, self.options)


def _separated(separator: Separator, track: Track, stems: Sequence[str], options: SeparationOptions) -> HeardBlocks:
    index = [separator.stems.index(stem) for stem in stems]
    stream = separate_stream(
        separator,
        mixture_blocks(track),
        sample_rate=track.sample_rate,
        num_channels=track.num_channels,
        options=options,
    )
    with closing(stream):
        for block in stream:
            yield HeardBlock(block.mixture, block.stems[index])


def _open(folder: Path, device: str) -> Separator:
    return _load(folder, device, _marks(folder))


def _contents(folder: Path) -> str:
    return _hash(folder, _marks(folder))


def _marks(folder: Path) -> str:
    return " ".join(file_state(folder / name) for name in files_of(folder))


@lru_cache(maxsize=1)
def _load(folder: Path, device: str, marks: str) -> Separator:
    del marks
    return load(folder).to(choose_device(device)).eval()


@lru_cache(maxsize=8)
def _hash(folder: Path, marks: str) -> str:
    del marks
    digest = hashlib.sha256()
    weights, config, _ = files_of(folder)
    for name in (config, weights):
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def _options_state(options: SeparationOptions) -> str:
    """Of what changes the samples; not of where and how fast they are computed."""
    speed = SeparationOptions()
    same = {name: getattr(speed, name) for name in ("batch_size", "threads", "device")}
    return fingerprint(options.model_copy(update=same))

"""What a listener hears in whole recordings, once, on a grid of its own frames; segments look it up.

    features(segment) = table[floor(start / hop) : floor(start / hop) + num_frames],   offset = start mod hop.

A segment seldom begins with a frame of the grid, so the offset goes along with the features. Behind its end a recording
is silent. Each recording has a small file of its own, which is made again when one of its audio files changes.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset

from stemtune.data.audio_streams import split_stream
from stemtune.data.excerpts import ExcerptReader
from stemtune.data.files import PendingFile, output_error
from stemtune.data.mixing import Mixer
from stemtune.data.provenance import Place
from stemtune.data.tracks import Track

__all__ = ["FeatureTable", "HeardExamples"]

_FRAMES_AT_ONCE = 64
Describe = Callable[[Float[Tensor, "batch channel time"]], Float[Tensor, "batch feature frame"]]


class FeatureTable:
    """The features of recordings, on disk.

    Args:
        folder: where the files are, or will be.
        listener: what distinguishes the listener from all others.
        own_rate: the rate at which it hears, in Hz.
        hop_samples: at that rate, from one of its frames to the next.
    """

    def __init__(self, folder: Path, *, listener: str, own_rate: int, hop_samples: int) -> None:
        self._folder, self._listener = folder, listener
        self._rate, self._hop = own_rate, hop_samples
        self._loaded: dict[tuple[Path, ...], Tensor] = {}
        self._silence: Tensor | None = None

    @property
    def hop_seconds(self) -> float:
        """From one frame to the next."""
        return self._hop / self._rate

    def make(self, tracks: Iterable[Track], stems: Sequence[str], describe: Describe) -> int:
        """Listen to what has not been heard yet of some stems of some tracks; returns how many recordings that were.

        Raises:
            OutputError: if the folder cannot be written.
        """
        silence = self._folder / f"silence-{self._listener}.npy"
        if not silence.exists():
            self._write(silence, describe(torch.zeros(1, 1, 2 * self._hop))[0, :, :1])
        count = 0
        for track in tracks:
            for files in (track.stems[stem] for stem in stems if stem in track.stems):
                path = self._path(files)
                if not path.exists():
                    self._write(path, self._listen(files, track.duration_seconds, describe))
                    count += 1
        return count

    def at(self, place: Place | None, *, num_frames: int) -> tuple[Float[Tensor, "feature frame"], Float[Tensor, ""]]:
        """Features from a place on, and how much of the first frame is over there; of silence for None."""
        silence = self._of_silence().expand(-1, num_frames)
        if place is None:
            return silence.clone(), torch.zeros(())
        if place.files not in self._loaded:
            self._loaded[place.files] = _read(self._path(place.files))
        table = self._loaded[place.files]
        first = max(0, math.floor(place.start_seconds / self.hop_seconds + 1e-6))
        rows = table[:, first : first + num_frames]
        features = torch.cat((rows, silence[:, rows.shape[1] :]), dim=1)
        return features, torch.tensor(max(0.0, place.start_seconds - first * self.hop_seconds))

    def _listen(self, files: tuple[Path, ...], seconds: float, describe: Describe) -> Float[Tensor, "feature frame"]:
        reader = ExcerptReader(sample_rate=self._rate, channels=1)
        count = max(1, math.ceil(seconds / self.hop_seconds - 1e-6))
        pieces: list[Tensor] = []
        for first in range(0, count, _FRAMES_AT_ONCE):
            wanted = min(_FRAMES_AT_ONCE, count - first)
            start = first * self.hop_seconds
            samples = reader.read(files, start_seconds=start, num_samples=(wanted + 1) * self._hop)
            pieces.append(describe(samples.unsqueeze(0))[0, :, :wanted])
        return torch.cat(pieces, dim=1)

    def _of_silence(self) -> Float[Tensor, "feature 1"]:
        if self._silence is None:
            self._silence = _read(self._folder / f"silence-{self._listener}.npy")
        return self._silence

    def _path(self, files: tuple[Path, ...]) -> Path:
        digest = hashlib.sha256(self._listener.encode())
        for path in files:
            status = split_stream(path)[0].stat()
            digest.update(repr((str(path.resolve()), status.st_size, status.st_mtime_ns)).encode())
        return self._folder / f"{digest.hexdigest()[:32]}.npy"

    def _write(self, path: Path, features: Float[Tensor, "feature frame"]) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with PendingFile(path) as pending, pending.path.open("wb") as file:
                np.save(file, features.float().cpu().numpy())
        except OSError as error:
            raise output_error(path, error) from None


def _read(path: Path) -> Float[Tensor, "feature frame"]:
    return torch.from_numpy(np.load(path))


class HeardExamples(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """As `collate.Examples`: sources, and of each what a listener hears in it, and how long its first frame lasted.

    Args:
        mixer: draws the examples.
        table: has heard all recordings that it draws from.
        seed: of the examples.
        per_step: how many there are in a step.
        steps: how many there are.
    """

    def __init__(self, mixer: Mixer, table: FeatureTable, *, seed: int, per_step: int, steps: int) -> None:
        self._mixer, self._table = mixer, table
        self._seed, self._per_step, self._steps = seed, per_step, steps
        self._num_frames = math.ceil(mixer.config.segment_seconds / table.hop_seconds) + 1

    def __len__(self) -> int:
        return self._steps * self._per_step

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        step, position = divmod(index, self._per_step)
        drawn = self._mixer.draw(seed=self._seed, step=step, position=position)
        heard = [self._table.at(place, num_frames=self._num_frames) for place in drawn.places]
        features, offsets = (torch.stack([item[part] for item in heard]) for part in range(2))
        return drawn.sources, features, offsets

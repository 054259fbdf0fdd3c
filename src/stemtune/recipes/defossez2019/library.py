"""An "unlabelled" library whose truth is known in part: songs with hidden labels, beside recordings without any.

Of excerpts that were mined in the songs with hidden labels, the true relative volumes tell how good the mining is:

    V = 10 log10( |s_i|^2 / |s|^2 )   over the whole excerpt;   the paper's 95th percentile is -30 dB.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch

from stemtune.data.files import PendingFile
from stemtune.data.tracks import Track, load_mixture, read_excerpt
from stemtune.errors import OutputError
from stemtune.mining.index import SongRecord
from stemtune.models.silence_detector import DETECTOR_RATE

__all__ = ["TrueExcerpt", "make_library", "true_excerpts"]

HIDDEN = "hidden"


@dataclass(frozen=True)
class TrueExcerpt:
    """A mined excerpt of a song with hidden labels."""

    song: str
    stem: str
    start_seconds: float
    duration_seconds: float
    volume_db: float


def make_library(folder: Path, hidden: Sequence[Track], recordings: Path, *, say: Callable[[str], None]) -> Path:
    """Mixtures of the hidden songs as FLAC, and links to the recordings; what is there is kept.

    Raises:
        OutputError: if the folder cannot be written.
    """
    songs = folder / HIDDEN
    try:
        songs.mkdir(parents=True, exist_ok=True)
        missing = [track for track in hidden if not (songs / f"{track.name}.flac").exists()]
        if missing:
            say(f"mixing {len(missing)} songs whose labels are hidden")
        for track in missing:
            mixture = load_mixture(track)
            mixture = mixture / max(1.0, float(mixture.abs().max()) / 0.99)
            with PendingFile(songs / f"{track.name}.flac") as pending:
                soundfile.write(pending.path, mixture.T.numpy(), track.sample_rate, format="FLAC", subtype="PCM_16")
        for path in sorted(recordings.glob("*.ogg")) if recordings.is_dir() else ():
            link = folder / path.name
            if not link.is_symlink():
                link.symlink_to(path.resolve())
    except (OSError, soundfile.LibsndfileError) as error:
        raise OutputError(f"{folder}: the library cannot be written ({error}); free space") from None
    return folder


def true_excerpts(records: Sequence[SongRecord], tracks: Mapping[str, Track]) -> Iterator[TrueExcerpt]:
    """The truth about the excerpts of the songs with hidden labels, as far as the labels know the stem."""
    for record in records:
        path = Path(record.path)
        track = tracks.get(path.stem)
        if path.parts[0] != HIDDEN or track is None:
            continue
        for excerpt in record.excerpts:
            if excerpt.stem not in track.stems and excerpt.stem not in track.silent:
                continue
            length = round(excerpt.duration_seconds * DETECTOR_RATE)
            sources = {
                stem: read_excerpt(
                    files,
                    start_seconds=excerpt.start_seconds,
                    num_samples=length,
                    sample_rate=DETECTOR_RATE,
                    channels=1,
                )
                for stem, files in track.stems.items()
            }
            mixture = torch.stack(list(sources.values())).sum(dim=0)
            own = sources.get(excerpt.stem, torch.zeros(1, length))
            ratio = float(own.square().sum()) / max(1e-12, float(mixture.square().sum()))
            yield TrueExcerpt(
                song=track.name,
                stem=excerpt.stem,
                start_seconds=excerpt.start_seconds,
                duration_seconds=excerpt.duration_seconds,
                volume_db=float(10 * np.log10(max(ratio, 1e-12))),
            )

"""Whole test songs, scored as in Table 2: the paper's simple SDR, which is SI-SDR without mean removal, and the L1.

Per song and stem; a stem that the song does not have has no score.
"""

from pathlib import Path

import torch
from pydantic import Field

from stemtune.config import Config
from stemtune.data.datasets import open_dataset
from stemtune.data.tracks import Track, fit_channels, read_excerpt
from stemtune.evaluation.metrics.si_sdr import si_sdr
from stemtune.models import Separator
from stemtune.recipes.defossez2019.experiments import STEMS
from stemtune.recipes.reproduce.study import Scores
from stemtune.separation.options import SeparationOptions
from stemtune.separation.stream import separate_waveform

__all__ = ["SongExamination", "SongExaminationConfig"]


class SongExaminationConfig(Config["SongExamination"]):
    """Which songs, and how much of each."""

    path: str
    pattern: str = "*"
    max_seconds: float = Field(default=60.0, gt=0)
    num_glance_songs: int = Field(default=2, ge=1)

    def build(self) -> "SongExamination":
        """Open the test songs."""
        return SongExamination(self)


class SongExamination:
    """See the module's description."""

    def __init__(self, config: SongExaminationConfig) -> None:
        from fnmatch import fnmatch

        self._config = config
        tracks = open_dataset(Path(config.path))
        self._tracks = [track for track in tracks if fnmatch(track.name, config.pattern)]

    def __call__(self, separator: Separator) -> Scores:
        """All songs: SDR per stem, then L1 per stem."""
        rows = tuple((track.name, self._score(separator, track)) for track in self._tracks)
        return Scores(columns=(*(f"sdr_{stem}" for stem in STEMS), *(f"l1_{stem}" for stem in STEMS)), rows=rows)

    def glance(self, separator: Separator) -> float:
        """The mean SDR of the first songs."""
        rows = [self._score(separator, track) for track in self._tracks[: self._config.num_glance_songs]]
        values = [value for row in rows for value in row[: len(STEMS)] if value is not None]
        return sum(values) / max(1, len(values))

    def _score(self, separator: Separator, track: Track) -> tuple[float | None, ...]:
        rate = separator.sample_rate
        length = round(min(track.duration_seconds, self._config.max_seconds) * rate)
        sources = torch.stack([_read(track, stem, length, separator) for stem in STEMS])
        estimate = separate_waveform(
            separator,
            sources.sum(dim=0),
            sample_rate=rate,
            options=SeparationOptions(mixture_consistency=False, threads=1),
        )
        order = [separator.stems.index(stem) for stem in STEMS]
        estimate = estimate[order]
        scale = sources.sum(dim=0).mean(dim=0).std().clamp_min(1e-6)  # the paper's errors are of unit-variance mixtures
        errors = (estimate - sources).abs().mean(dim=(1, 2)) / scale
        scores = si_sdr(estimate=estimate, reference=sources, zero_mean=False)
        has = [stem in track.stems and bool(sources[i].abs().max() > 0) for i, stem in enumerate(STEMS)]
        sdr = [float(scores[i]) if there and bool(scores[i].isfinite()) else None for i, there in enumerate(has)]
        return (*sdr, *(float(error) for error in errors))


def _read(track: Track, stem: str, length: int, separator: Separator) -> torch.Tensor:
    if stem not in track.stems:
        return torch.zeros(separator.channels, length)
    samples = read_excerpt(
        track.stems[stem],
        start_seconds=0.0,
        num_samples=length,
        sample_rate=separator.sample_rate,
        channels=separator.channels,
    )
    return fit_channels(samples, separator.channels)

"""Test songs, scored as in Figure 4; what their latents are like is kept beside the scores (`latents`).

    score(song, stem) = median over frames of a second of museval's SDR, SIR and SAR (BSSEval v4).

References:
    Hung and Lerch, "Feature-informed latent space regularization for music source separation", 2022, section 4.1.

Deviations:
    At the scale "laptop" a floor of noise at -60 dB lies under the references, for what was brought to 22 kHz is empty
    above 10.5 kHz, and without it SIR and SAR say nothing (`evaluation.metrics.bss_eval.floor`).
    One iteration of Wiener filtering at the test, as in X-UMX's evaluation; the paper does not mention it. A song's
    stem that is silent throughout has no score, and no latents.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from stemtune.config import Config
from stemtune.data.datasets import open_dataset
from stemtune.data.excerpts import ExcerptReader
from stemtune.evaluation.metrics.bss_eval import bss_eval_v4, median_over_frames, sdr_v4
from stemtune.evaluation.metrics.bss_eval.floor import with_noise_floor
from stemtune.models import Separator
from stemtune.models.xumx import XUMX
from stemtune.recipes.hung2022.latents import Labelled, features_of, latents_of, projection_of, write_analysis
from stemtune.recipes.reproduce.study import Scores
from stemtune.separation.options import SeparationOptions
from stemtune.separation.stream import separate_waveform
from stemtune.training.phase import Experiment
from stemtune.training.run import TrainingResult

__all__ = ["METRICS", "SongExamination", "SongExaminationConfig"]

METRICS = ("sdr", "sir", "sar")


class SongExaminationConfig(Config["SongExamination"]):
    """Which songs, and how much of each."""

    path: str
    split: str | None = None
    stems: tuple[str, ...]
    listener: str
    max_seconds: float = Field(default=60.0, gt=0, description="of each song, from its middle")
    wiener_iterations: int = Field(default=1, ge=0)
    num_glance_songs: int = Field(default=2, ge=1)
    frame_step: int = Field(default=8, ge=1)
    floor_db: float | None = Field(default=None, description="of noise under the references, see `bss_eval.floor`")
    keep_listener: bool = Field(default=False, description="whether to cluster the listener's own features, too")

    def build(self) -> "SongExamination":
        """Open the songs."""
        return SongExamination(self)


@dataclass(frozen=True)
class _Song:
    """The stems of a song that are heard in it."""

    name: str
    stems: tuple[str, ...]
    sources: Float[Tensor, "stem channel time"]


class SongExamination:
    """See the module's description."""

    def __init__(self, config: SongExaminationConfig) -> None:
        self._config = config
        self._tracks = open_dataset(Path(config.path), split=config.split)

    def __call__(self, separator: Separator) -> Scores:
        """All songs: each metric of each stem."""
        stems = self._config.stems
        tested = self._as_tested(separator)
        rows: list[tuple[str, tuple[float | None, ...]]] = []
        for song in self._songs(separator):
            estimate, floor_db = self._separate(tested, song), self._config.floor_db
            reference = song.sources if floor_db is None else with_noise_floor(song.sources, floor_db=floor_db)
            result = bss_eval_v4(estimate=estimate, reference=reference, sample_rate=separator.sample_rate)
            found = result.medians()
            values = {
                (metric, stem): float(found[metric][place])
                for metric in METRICS
                for place, stem in enumerate(song.stems)
            }
            rows.append((song.name, tuple(_finite(values.get((metric, stem))) for metric in METRICS for stem in stems)))
        return Scores(columns=tuple(f"{metric}_{stem}" for metric in METRICS for stem in stems), rows=tuple(rows))

    def glance(self, separator: Separator) -> float:
        """The mean SDR of the first songs."""
        tested = self._as_tested(separator)
        values: list[Tensor] = []
        for song in self._songs(separator, most=self._config.num_glance_songs):
            estimate = self._separate(tested, song)
            scores = sdr_v4(estimate=estimate, reference=song.sources, sample_rate=separator.sample_rate)
            values.append(median_over_frames(scores))
        return float(torch.cat(values).nanmean()) if values else float("nan")

    def keep(self, result: TrainingResult, experiment: Experiment, folder: Path) -> None:
        """Cluster the latents, and write what comes of it, and the places of the first song's."""
        songs, separator = list(self._songs(result.separator)), result.separator
        project = projection_of(result, experiment)
        order = [[separator.stems.index(stem) for stem in song.stems] for song in songs]
        found = [latents_of(separator, song.sources.sum(dim=0), project) for song in songs]
        latents = [
            Labelled(song.stems, values[places]) for song, values, places in zip(songs, found, order, strict=True)
        ]
        write_analysis(latents, folder, "latents", frame_step=self._config.frame_step)
        if self._config.keep_listener:
            heard = [
                Labelled(song.stems, features_of(self._config.listener, song.sources, separator)) for song in songs
            ]
            write_analysis(heard, folder, "listener", frame_step=self._config.frame_step)

    def _songs(self, separator: Separator, *, most: int | None = None) -> Iterator[_Song]:
        rate = separator.sample_rate
        reader = ExcerptReader(sample_rate=rate, channels=separator.channels)
        for track in self._tracks[:most]:
            seconds = min(track.duration_seconds, self._config.max_seconds)
            start = (track.duration_seconds - seconds) / 2
            heard = {
                stem: reader.read(track.stems[stem], start_seconds=start, num_samples=round(seconds * rate))
                for stem in self._config.stems
                if stem in track.stems
            }
            heard = {stem: samples for stem, samples in heard.items() if bool(samples.mean(dim=0).any())}
            if len(heard) > 1:
                yield _Song(track.name, tuple(heard), torch.stack(list(heard.values())))

    def _as_tested(self, separator: Separator) -> Separator:
        """With Wiener filtering, which training does without."""
        if not isinstance(separator, XUMX) or not self._config.wiener_iterations:
            return separator
        tested = separator.config.override({"wiener_iterations": self._config.wiener_iterations}).build()
        tested.load_state_dict(separator.state_dict())
        return tested.eval()

    def _separate(self, separator: Separator, song: _Song) -> Float[Tensor, "stem channel time"]:
        """Estimates of the song's stems, in their order."""
        options = SeparationOptions(mixture_consistency=False, threads=1)
        estimate = separate_waveform(
            separator, song.sources.sum(dim=0), sample_rate=separator.sample_rate, options=options
        )
        return estimate[[separator.stems.index(stem) for stem in song.stems]]


def _finite(value: float | None) -> float | None:
    return value if value is not None and abs(value) < float("inf") else None

"""Whole songs, scored as in both tables: the paper's simple SDR and the L1 for Table 2, museval's ratios for Table 1.

    sdr  SI-SDR without mean removal        l1  of mixtures of unit deviation
    museval_{sdr,isr,sir,sar}               BSSEval v4: medians over frames of a second

Per song and stem; a stem that the song does not have has no score. Songs to learn from, whose names begin with
``train/`` in the scores, are scored too: the paper's Table 2 shows how much is learnt by heart.

Deviations: the first minute or so of each song. Of songs in mono, one channel is scored by BSSEval, whose filters are
not determined where two channels are the same. At the scale "laptop" a floor of noise at -60 dB lies under BSSEval's
references, for what was brought to 22 kHz is empty above 10.5 kHz (`evaluation.metrics.bss_eval.floor`).
"""

from pathlib import Path

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from stemtune.config import Config
from stemtune.data.segments import Corpus, open_corpora
from stemtune.data.tracks import Track, fit_channels, read_excerpt
from stemtune.evaluation.metrics.bss_eval import bss_eval_v4
from stemtune.evaluation.metrics.bss_eval.floor import with_noise_floor
from stemtune.evaluation.metrics.si_sdr import si_sdr
from stemtune.models import Separator
from stemtune.recipes.defossez2019.experiments import STEMS
from stemtune.recipes.reproduce.study import Scores
from stemtune.separation.options import SeparationOptions
from stemtune.separation.stream import separate_waveform

__all__ = ["COLUMNS", "RATIOS", "TRAINED", "SongExamination", "SongExaminationConfig"]

RATIOS = ("sdr", "isr", "sir", "sar")
TRAINED = "train/"
_SDR = tuple(f"sdr_{stem}" for stem in STEMS)
COLUMNS = (
    *_SDR,
    *(f"l1_{stem}" for stem in STEMS),
    *(f"museval_{ratio}_{stem}" for ratio in RATIOS for stem in STEMS),
)


class SongExaminationConfig(Config["SongExamination"]):
    """Which songs, and how much of each."""

    corpora: tuple[Corpus, ...] = Field(min_length=1, description="test songs")
    learnt: tuple[Corpus, ...] = Field(default=(), description="songs that are learnt from")
    max_seconds: float = Field(default=60.0, gt=0)
    max_learnt: int = Field(default=4, ge=0, description="of these, how many are scored")
    num_glance_songs: int = Field(default=3, ge=1)
    floor_db: float | None = Field(
        default=None, description="of noise under BSSEval's references, see `bss_eval.floor`"
    )

    def build(self) -> "SongExamination":
        """Open the songs."""
        return SongExamination(self)


class SongExamination:
    """See the module's description."""

    def __init__(self, config: SongExaminationConfig) -> None:
        self._config = config
        self._tracks = [track for _, tracks in open_corpora(config.corpora) for track in tracks]
        learnt = [track for _, tracks in open_corpora(config.learnt) for track in tracks]
        every = max(1, -(-len(learnt) // max(1, config.max_learnt)))
        self._learnt = learnt[::every][: config.max_learnt]

    def __call__(self, separator: Separator) -> Scores:
        """All songs, one row each; see `COLUMNS`."""
        rows = [(track.name, self._score(separator, track)) for track in self._tracks]
        rows += [(f"{TRAINED}{track.name}", self._score(separator, track)) for track in self._learnt]
        return Scores(columns=COLUMNS, rows=tuple(rows), headline=_SDR)

    def glance(self, separator: Separator) -> float:
        """The mean SDR of some test songs."""
        every = max(1, len(self._tracks) // self._config.num_glance_songs)
        tracks = self._tracks[::every][: self._config.num_glance_songs]
        scores = [_simple(*self._separated(separator, track), track)[0] for track in tracks]
        values = [value for row in scores for value in row if value is not None]
        return sum(values) / max(1, len(values))

    def _separated(self, separator: Separator, track: Track) -> tuple[Tensor, Tensor]:
        """Estimates and references, ``stem channel time``, in the study's order of stems."""
        rate = separator.sample_rate
        length = round(min(track.duration_seconds, self._config.max_seconds) * rate)
        sources = torch.stack([_read(track, stem, length, separator) for stem in STEMS])
        options = SeparationOptions(mixture_consistency=False, threads=1)
        estimate = separate_waveform(separator, sources.sum(dim=0), sample_rate=rate, options=options)
        return estimate[[separator.stems.index(stem) for stem in STEMS]], sources

    def _score(self, separator: Separator, track: Track) -> tuple[float | None, ...]:
        estimate, sources = self._separated(separator, track)
        sdr, errors = _simple(estimate, sources, track)
        known = sources if self._config.floor_db is None else with_noise_floor(sources, floor_db=self._config.floor_db)
        return (*sdr, *errors, *_museval(estimate, known, track, sample_rate=separator.sample_rate))


def _simple(
    estimate: Float[Tensor, "stem channel time"], sources: Float[Tensor, "stem channel time"], track: Track
) -> tuple[list[float | None], list[float | None]]:
    """SDR and L1 per stem; the L1 of a stem that is silent counts, that of one that is unknown does not."""
    scale = sources.sum(dim=0).mean(dim=0).std().clamp_min(1e-6)  # the paper's errors are of unit-variance mixtures
    errors = (estimate - sources).abs().mean(dim=(1, 2)) / scale
    scores = si_sdr(estimate=estimate, reference=sources, zero_mean=False)
    sounds = _sounding(sources, track)
    sdr = [float(scores[i]) if there and bool(scores[i].isfinite()) else None for i, there in enumerate(sounds)]
    known = [stem in track.stems or stem in track.silent for stem in STEMS]
    return sdr, [float(error) if there else None for error, there in zip(errors, known, strict=True)]


def _museval(
    estimate: Float[Tensor, "stem channel time"],
    sources: Float[Tensor, "stem channel time"],
    track: Track,
    *,
    sample_rate: int,
) -> list[float | None]:
    """Medians over frames, ratio by ratio, of the stems that sound."""
    there = [place for place, sounds in enumerate(_sounding(sources, track)) if sounds]
    if track.num_channels == 1:
        estimate, sources = estimate.mean(dim=1, keepdim=True), sources.mean(dim=1, keepdim=True)
    values: dict[tuple[str, int], float] = {}
    if there:
        found = bss_eval_v4(estimate=estimate[there], reference=sources[there], sample_rate=sample_rate).medians()
        for ratio in RATIOS:
            for place, value in zip(there, found[ratio], strict=True):
                if not value.isnan():  # a stem without any frame that counts has no median
                    values[ratio, place] = float(value)
    return [values.get((ratio, place)) for ratio in RATIOS for place in range(len(STEMS))]


def _sounding(sources: Float[Tensor, "stem channel time"], track: Track) -> list[bool]:
    return [stem in track.stems and bool(sources[i].abs().max() > 0) for i, stem in enumerate(STEMS)]


def _read(track: Track, stem: str, length: int, separator: Separator) -> Float[Tensor, "channel time"]:
    files: tuple[Path, ...] = track.stems.get(stem, ())
    if not files:
        return torch.zeros(separator.channels, length)
    samples = read_excerpt(
        files, start_seconds=0.0, num_samples=length, sample_rate=separator.sample_rate, channels=separator.channels
    )
    return fit_channels(samples, separator.channels)

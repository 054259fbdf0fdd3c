"""Whole test songs, separated by the code that separates everything, and scored by ``sdr_global``.

    mixture encoder   mono: as the paper; stereo: as the Music Demixing Challenge; each plain and refined by a mask
    auto-encoder      mono: the stem itself, written down as codes and played again; the most that decoding gives

"used" is the share of the codebook, in percent, and "perplexity" how many equally frequent codes would be as varied,
both of the mono song's codes: a codebook of which hardly anything is used has collapsed.

References:
    Zai El Amri et al., section 3, equation 2. Mitsufuji et al., "Music Demixing Challenge 2021" (the score in stereo).

Deviations:
    Theirs are non-overlapping chunks of 8.9 s; ours is the whole song at once. A mono song scores the same twice.
"""

from pathlib import Path

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from stemtune.config import Config
from stemtune.data.datasets import open_dataset
from stemtune.data.sound import Sound
from stemtune.data.tracks import Track, load_mixture, load_stem
from stemtune.errors import InputError
from stemtune.evaluation.metrics.global_sdr import sdr_global
from stemtune.models import Separator
from stemtune.models.vqvae import VQVAE, Unmix
from stemtune.nn.vector_quantiser import CodebookUse
from stemtune.recipes.reproduce.study import Scores
from stemtune.separation.codes import encode_stems
from stemtune.separation.options import SeparationOptions
from stemtune.separation.stream import separate_waveform
from stemtune.signal.resample import resample

__all__ = ["SCORED", "SongExamination", "SongExaminationConfig", "TestSong", "refining"]

SCORED = ("mono", "mono_refined", "stereo", "stereo_refined")
_USE = ("used", "perplexity")
_OPTIONS = SeparationOptions(mixture_consistency=False, threads=1)


class SongExaminationConfig(Config["SongExamination"]):
    """Which songs, and how much of each."""

    path: str
    split: str | None = None
    stems: tuple[str, ...] = Field(min_length=1, description="to be reconstructed, or the one to be separated")
    begin_seconds: float = Field(default=0.0, ge=0)
    max_seconds: float | None = Field(default=None, gt=0)
    num_glance_songs: int = Field(default=2, ge=1)
    glance_seconds: float = Field(default=15.0, gt=0)

    def build(self) -> "SongExamination":
        """Open the test songs."""
        return SongExamination(self)


class TestSong:
    """The examined part of a song, at some rate.

    Attributes:
        name: of the song.
        mixture: ``channel time``.
        stems: by name, what the song has of the stems that are asked for.
    """

    def __init__(self, track: Track, stems: tuple[str, ...], *, rate: int, begin: float, seconds: float | None) -> None:
        def part(samples: Tensor) -> Float[Tensor, "channel time"]:
            if track.sample_rate != rate:
                samples = resample(samples, source_rate=track.sample_rate, target_rate=rate)
            first = min(round(begin * rate), max(0, samples.shape[1] - rate))  # a short song has a beginning, too
            return samples[:, first : None if seconds is None else first + round(seconds * rate)]

        self.name = track.name
        self.mixture = part(load_mixture(track))
        there = {stem: part(load_stem(track, stem)) for stem in stems if stem in track.stems}
        self.stems = {stem: samples for stem, samples in there.items() if samples.any()}


class SongExamination:
    """See the module's description."""

    def __init__(self, config: SongExaminationConfig) -> None:
        self._config = config
        self._tracks = open_dataset(Path(config.path), split=config.split)
        if not any(stem in track.stems for track in self._tracks for stem in config.stems):
            raise InputError(f"{config.path}: none of the test songs has any of {', '.join(config.stems)}")

    def __call__(self, separator: Separator) -> Scores:
        """All songs."""
        if isinstance(separator, VQVAE):
            kinds = ("", *(f"_{what}" for what in _USE))
            columns = tuple(f"{stem}{kind}" for kind in kinds for stem in self._config.stems)
            rows = tuple((song.name, self._reconstruct(separator, song)) for song in self.songs(separator.sample_rate))
            return Scores(columns, rows, headline=self._config.stems)
        network = _require_unmix(separator)
        refined = refining(network)
        rows = tuple((song.name, self._separate(network, refined, song)) for song in self.songs(separator.sample_rate))
        return Scores((*SCORED, *_USE), rows, headline=SCORED[:1])

    def glance(self, separator: Separator) -> float:
        """The mono score of the first songs' beginnings, plain."""
        config = self._config
        short = config.override({"max_seconds": min(config.max_seconds or 1e9, config.glance_seconds)}).build()
        values: list[float] = []
        for song in short.songs(separator.sample_rate, count=config.num_glance_songs):
            for reference in song.stems.values():
                heard = reference if isinstance(separator, VQVAE) else song.mixture
                values.append(_score(separator, _mono(heard), _mono(reference)))
        return sum(values) / max(1, len(values))

    def songs(self, rate: int, *, count: int | None = None) -> list[TestSong]:
        """The examined parts of the songs, or of the first of those that have a stem that is asked for."""
        config = self._config
        found = (
            TestSong(track, config.stems, rate=rate, begin=config.begin_seconds, seconds=config.max_seconds)
            for track in self._tracks
        )
        return [song for song in found if song.stems][:count]

    def _reconstruct(self, network: VQVAE, song: TestSong) -> tuple[float | None, ...]:
        scores: list[float | None] = []
        uses: list[CodebookUse | None] = []
        for stem in self._config.stems:
            reference = song.stems.get(stem)
            there = None if reference is None else _mono(reference)
            scores.append(None if there is None else _score(network, there, there))
            uses.append(None if there is None else _use(network, there))
        used = (None if use is None else 100 * use.used for use in uses)
        return (*scores, *used, *(None if use is None else use.perplexity for use in uses))

    def _separate(self, network: Unmix, refined: Unmix, song: TestSong) -> tuple[float | None, ...]:
        (stem,) = self._config.stems
        reference = song.stems[stem]
        mono = [_score(system, _mono(song.mixture), _mono(reference)) for system in (network, refined)]
        stereo = mono
        if reference.shape[0] > 1:
            stereo = [_score(system, song.mixture, reference) for system in (network, refined)]
        use = _use(network, _mono(song.mixture))
        return (*mono, *stereo, 100 * use.used, use.perplexity)


def refining(network: Unmix) -> Unmix:
    """The same network with the mask behind its decoders."""
    twin = network.config.override({"refine": "mask"}).build()
    twin.load_state_dict(network.state_dict())
    return twin.eval()


def _require_unmix(separator: Separator) -> Unmix:
    if not isinstance(separator, Unmix):
        raise InputError(f"a {type(separator).__name__} has no codebook to examine; expected a VQVAE or an Unmix model")
    return separator


def _score(separator: Separator, heard: Tensor, reference: Tensor) -> float:
    stems = separate_waveform(separator, heard, sample_rate=separator.sample_rate, options=_OPTIONS)
    return float(sdr_global(estimate=stems[:1], reference=reference[None])[0])


def _use(separator: VQVAE | Unmix, heard: Tensor) -> CodebookUse:
    codes = encode_stems(separator, Sound(heard, separator.sample_rate)).codes[0]
    return separator.coders[0].quantiser.use_of(codes)


def _mono(samples: Tensor) -> Tensor:
    return samples.mean(dim=0, keepdim=True)

"""Validation: whole held-out tracks through the code that separates everything else.

The score is ``sdr_global`` (the MDX definition, in dB): its mean over tracks for each stem, and the mean of these
means. Tracks that lack a stem do not count for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from stemtune.data.segments import Corpus, open_corpora
from stemtune.data.tracks import Track, load_mixture, load_stem
from stemtune.errors import InputError
from stemtune.evaluation.metrics.global_sdr import sdr_global
from stemtune.models import Separator
from stemtune.separation.options import SeparationOptions
from stemtune.separation.stream import separate_waveform
from stemtune.training.phase import Validation

__all__ = ["ValidationScore", "open_validation", "validate"]


@dataclass(frozen=True)
class ValidationScore:
    """Mean ``sdr_global`` in dB of each stem, and the mean over stems."""

    stems: Mapping[str, float]
    mean: float


def open_validation(validation: Validation, *, stems: Sequence[str]) -> tuple[Track, ...]:
    """The validation tracks.

    Raises:
        InputError: if none of them has any of the stems.
    """
    ((_, tracks),) = open_corpora(
        [Corpus(path=validation.path, split=validation.split, pattern=validation.pattern)],
    )
    if not any(stem in track.stems for track in tracks for stem in stems):
        raise InputError(f"{validation.path}: no track has any of the stems {', '.join(stems)}; nothing to validate on")
    return tracks


def validate(
    separator: Separator, tracks: Sequence[Track], *, max_seconds: float | None, precision: str = "float32"
) -> ValidationScore:
    """Separate every track and score it; the separator is put into evaluation mode and left there."""
    separator.eval()
    options = SeparationOptions.model_validate({"precision": precision, "mixture_consistency": False})
    scores: dict[str, list[float]] = {stem: [] for stem in separator.stems}
    for track in tracks:
        length = track.num_samples
        if max_seconds is not None:
            length = min(length, round(max_seconds * track.sample_rate))
        mixture = load_mixture(track)[:, :length]
        estimates = separate_waveform(separator, mixture, sample_rate=track.sample_rate, options=options)
        for index, stem in enumerate(separator.stems):
            if stem not in track.stems:
                continue
            reference = load_stem(track, stem)[None, :, :length]
            if torch.count_nonzero(reference) == 0:
                continue
            scores[stem].append(float(sdr_global(estimate=estimates[index : index + 1], reference=reference)[0]))
    means = {stem: sum(values) / len(values) for stem, values in scores.items() if values}
    return ValidationScore(stems=means, mean=sum(means.values()) / len(means))
